"""The last page of a log with 1,000,000 opens, against its first page."""

from datetime import timedelta
from functools import partial

from common import Client, arguments, interleave, new_folder, open_tracker, print_table, ratio_rows, seconds

from mailtrack import Open, Pixel, Storage, Tracker, open_storage
from mailtrack._ids import new_open_id
from mailtrack._times import now, to_milliseconds

RECIPIENTS = 10_000
USER_AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
IN_BATCH = 10_000
ON_PAGE = 50


def fill(tracker: Tracker, storage: Storage, number: int) -> Pixel:
    """Create a pixel with recipients who opened it many times."""
    pixel = tracker.create_pixel("Newsletter")
    recipients = tracker.generate_tokens(pixel.id, (f"name{place}@example.com" for place in range(RECIPIENTS)))
    start = now() - timedelta(days=30)
    for batch in range(0, number, IN_BATCH):
        times = (start + timedelta(seconds=2 * place) for place in range(batch, batch + IN_BATCH))
        storage.add_opens(
            [
                Open(
                    id=new_open_id(to_milliseconds(at)),
                    pixel_id=pixel.id,
                    recipient_id=recipients[place * 7919 % RECIPIENTS].id,
                    opened_at=at,
                    ip=f"192.0.2.{place % 256}",
                    user_agent=USER_AGENT,
                )
                for place, at in enumerate(times, batch)
            ]
        )
    return pixel


def main() -> None:
    options = arguments(__doc__).parse_args()
    number = 100_000 if options.quick else 1_000_000
    with new_folder() as folder:
        storage = open_storage(f"sqlite:///{folder / 'log.db'}")
        pixel = fill(Tracker(storage), storage, number)
        client = Client(open_tracker(folder / "log.db"))
        pages = {"last page": number // ON_PAGE, "first page": 1}
        measures = {
            name: partial(seconds, partial(client.request, "GET", f"/logs/{pixel.short_id}?page={page}"))
            for name, page in pages.items()
        }
        found = interleave(measures, rounds=50 if options.quick else 300)
    title = f"A page of a log with {number:,} opens, target 1.2"
    print_table(title, ("page", "ms", "last page is × this"), ratio_rows(found, "last page"))


if __name__ == "__main__":
    main()
