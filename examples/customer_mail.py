"""Import a customer list, send each customer a mail with a pixel of its own, and keep the rejected rows.

Usage: python customer_mail.py PIXEL customers.csv HOST PORT

PIXEL is the id that `mailtrack pixels create Invoices` printed; HOST and PORT are those of an SMTP server. The list is
CSV as Excel writes it, with the columns Name, E-mail and Invoice. The rows that can't be taken are written to
rejected.csv: correct them, and run the program with that file. It can be run again at any time, since no mail is sent
twice. MAILTRACK_DATABASE is the storage's URL, MAILTRACK_BASE_URL the tracker's public URL.
"""

import csv
import os
import smtplib
import sys
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

from mailtrack import Recipient, Tracker, open_storage
from mailtrack.mail import embed

Customer = dict[str | None, Any]  # one row; the key `None` has the cells beyond the heading


def main(pixel: str, path: str, host: str, port: str) -> None:
    """Import the list, and send the mails."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        customers = list(csv.DictReader(file, delimiter=";"))
    base_url = os.environ.get("MAILTRACK_BASE_URL", "https://mail.example.com/track")
    with open_storage(os.environ.get("MAILTRACK_DATABASE", "sqlite:///mailtrack.db")) as storage:
        tracker = Tracker(storage, base_url=base_url)
        result = tracker.import_recipients(pixel, customers, email="E-mail", ref="Invoice", on_invalid="skip")
        write_rejected(customers, [row.line - 1 for row in result.rejected])
        mails = {one.id: (row, one) for row, one in zip(customers, result.recipients, strict=True) if one}
        unsent = [(row, recipient) for row, recipient in mails.values() if recipient.sent_at is None]
        with smtplib.SMTP(host, int(port)) as server:
            for row, recipient in unsent:
                tracker.mark_sent(pixel, [recipient])  # before the mail is out: machines may load the image at once
                message = make_message(row, recipient, tracker.tracking_url(pixel, recipient))
                try:
                    server.send_message(message)
                except (smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError) as error:
                    print(f"{recipient.email}: {error}", file=sys.stderr)
    for problem in result.rejected:
        print(f"row {problem.line + 1}: {problem.reason}", file=sys.stderr)  # as a spreadsheet counts
    print(f"{len(unsent)} mails, {len(result.rejected)} rows in rejected.csv.")


def make_message(customer: Customer, recipient: Recipient, url: str) -> EmailMessage:
    """Return the mail to a customer, with the image at the top of its HTML part."""
    message = EmailMessage()
    message["From"] = "Accounts <accounts@example.com>"
    message["To"] = recipient.email
    message["Subject"] = f"Your invoice {customer['Invoice']}"
    text = f"Dear {customer['Name']}, your invoice {customer['Invoice']} is due."
    message.set_content(text)
    message.add_alternative(embed(f"<body><p>{escape(text)}</p></body>", url), subtype="html")
    return message


def write_rejected(customers: list[Customer], indexes: list[int]) -> None:
    """Write some rows in the form of the list."""
    with Path("rejected.csv").open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(name for name in customers[0] if name)
        for index in indexes:
            rows.writerow([*(cell for name, cell in customers[index].items() if name), *customers[index].get(None, [])])


if __name__ == "__main__":
    main(*sys.argv[1:])
