"""Create a pixel and a token for each address, and print a CSV file for a mail merge.

Usage: python mail_merge.py [addresses.txt] > merge.csv

The file has one address per line. MAILTRACK_DATABASE is the storage's URL, MAILTRACK_BASE_URL the tracker's public URL.
"""

import csv
import os
import sys
from pathlib import Path

from mailtrack import InvalidEmails, Tracker, open_storage

SAMPLE = ["ann@example.org", "bob@example.com"]


def main() -> None:
    """Print one row for each address, with the image tag for its mail."""
    emails = Path(sys.argv[1]).read_text(encoding="utf-8").split() if sys.argv[1:] else SAMPLE
    base_url = os.environ.get("MAILTRACK_BASE_URL", "https://mail.example.com/track")
    with open_storage(os.environ.get("MAILTRACK_DATABASE", "sqlite:///mailtrack.db")) as storage:
        tracker = Tracker(storage, base_url=base_url)
        pixel = tracker.create_pixel("Spring launch")
        try:
            recipients = tracker.generate_tokens(pixel, emails)
        except InvalidEmails as error:
            sys.exit("\n".join(f"address {problem.index + 1}: {problem.reason}" for problem in error.problems))
        merge = csv.writer(sys.stdout)
        merge.writerow(["Email", "Pixel"])
        for recipient in recipients:
            url = tracker.tracking_url(pixel, recipient)
            merge.writerow([recipient.email, f'<img src="{url}" width="1" height="1" border="0" alt="">'])


if __name__ == "__main__":
    main()
