"""Wait until the server on this machine answers, and exit with 0; with 1 if it does not in time.

For the health check of a container, and for systemd, which considers the service as started after that.
"""

import argparse
import os
import sys
import time
import urllib.error
import urllib.request

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seconds", type=float, default=20, help="how long to wait")
arguments = parser.parse_args()

url = f"http://127.0.0.1:{os.environ.get('MAILTRACK_PORT') or 8000}/healthz"
end = time.monotonic() + arguments.seconds
while True:
    try:
        with urllib.request.urlopen(url, timeout=1):
            sys.exit(0)
    except (urllib.error.URLError, OSError) as error:
        if time.monotonic() >= end:
            sys.exit(f"{url}: {error}")
    time.sleep(0.1)
