"""The time and size of each page with 1,000,000 opens."""

from functools import partial
from statistics import median, quantiles

from common import Client, arguments, interleave, new_folder, open_tracker, print_table, seconds
from log_pages import ON_PAGE, fill

from mailtrack import Tracker, VerdictKind, open_storage

TARGET = 50  # ms
PIXELS = 1000
FILES = ("/static/style.css", "/static/page.js")


def main() -> None:
    options = arguments(__doc__).parse_args()
    number = 100_000 if options.quick else 1_000_000
    with new_folder() as folder:
        storage = open_storage(f"sqlite:///{folder / 'pages.db'}")
        tracker = Tracker(storage)
        for place in range(PIXELS):
            tracker.create_pixel(f"Mailing {place}")
        pixel = fill(tracker, storage, number)
        recipient = next(iter(tracker.iter_recipients(pixel.id)))
        log = f"/logs/{pixel.short_id}"
        targets = {
            "dashboard": "/",
            "search": "/?search=mailing+1",
            "search for nothing": "/?search=nothing",
            "log, first page": log,
            "log, last page": f"{log}?page={number // ON_PAGE}",
            "log, by verdict": f"{log}?kind={VerdictKind.UNKNOWN}",
            "log, by a verdict of none": f"{log}?kind={VerdictKind.BOT}",
            "log, by recipient": f"{log}?recipient={recipient.id}",
            "recipients": f"/pixels/{pixel.short_id}/recipients",
            "recipients who have not opened": f"/pixels/{pixel.short_id}/recipients?opened=false",
            "deletion": f"/pixels/{pixel.short_id}/deletion",
        }
        client = Client(open_tracker(folder / "pages.db"))
        found = interleave(
            {name: partial(seconds, partial(client.request, "GET", target)) for name, target in targets.items()},
            rounds=10 if options.quick else 50,
        )
        files = sum(len(client.request("GET", name)) for name in FILES)
        sizes = {name: len(client.request("GET", target)) for name, target in targets.items()}
    rows = [
        (name, f"{median(times) * 1000:.1f}", f"{quantiles(times, n=20)[-1] * 1000:.1f}", f"{sizes[name] / 1000:.1f}")
        for name, times in found.items()
    ]
    title = f"Pages with {number:,} opens, target {TARGET} ms; besides, each loads {files / 1000:.1f} kB of files once"
    print_table(title, ("page", "ms", "p95", "kB"), rows)


if __name__ == "__main__":
    main()
