"""Create a pixel and a token for each address, print a CSV file for a mail merge, and mark its mails as sent.

Usage: python mail_merge.py [addresses.txt] > merge.csv
       python mail_merge.py --sent PIXEL

The file has one address per line. The first command shows the pixel's id. Run the second one just before the mails go
out: machines that load the image at once are recognised by the time since then. MAILTRACK_DATABASE is the storage's
URL, MAILTRACK_BASE_URL the tracker's public URL.
"""

import csv
import os
import sys
from pathlib import Path

from mailtrack import InvalidEmails, Tracker, open_storage
from mailtrack.mail import pixel_tag

SAMPLE = ["ann@example.org", "bob@example.com"]


def main() -> None:
    """Print the CSV file, or mark its mails as sent."""
    base_url = os.environ.get("MAILTRACK_BASE_URL", "https://mail.example.com/track")
    with open_storage(os.environ.get("MAILTRACK_DATABASE", "sqlite:///mailtrack.db")) as storage:
        tracker = Tracker(storage, base_url=base_url)
        match sys.argv[1:]:
            case ["--sent", pixel]:
                print(f"{tracker.mark_sent(pixel)} mails are marked as sent.", file=sys.stderr)
            case files:
                merge(tracker, Path(files[0]).read_text(encoding="utf-8").split() if files else SAMPLE)


def merge(tracker: Tracker, emails: list[str]) -> None:
    """Print one row for each address, with the image tag for its mail."""
    pixel = tracker.create_pixel("Spring launch")
    try:
        recipients = tracker.generate_tokens(pixel, emails)
    except InvalidEmails as error:
        sys.exit("\n".join(f"address {problem.index + 1}: {problem.reason}" for problem in error.problems))
    print(f"The pixel is {pixel.short_id}.", file=sys.stderr)
    rows = csv.writer(sys.stdout)
    rows.writerow(["Email", "Pixel"])
    for recipient in recipients:
        rows.writerow([recipient.email, pixel_tag(tracker.tracking_url(pixel, recipient))])


if __name__ == "__main__":
    main()
