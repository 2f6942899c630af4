"""The report of a pixel with 1,000,000 opens of 100,000 recipients, against the same figures by a scan."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

from common import Client, arguments, interleave, new_folder, open_tracker, print_table, ratio_rows, seconds

from mailtrack import Open, Pixel, Storage, Tracker, open_storage
from mailtrack._ids import new_open_id
from mailtrack._model import Client as Program
from mailtrack._model import Verdict
from mailtrack._times import now, to_milliseconds

OURS = "Tracker.report"
OVER_HTTP = "GET report"
SCAN = "SQL over opens and recipients"
IN_BATCH = 10_000
DAYS = 30
HOUR = 3_600_000

OUTLOOK = Program(name="Outlook", version="16", os="Windows", device="desktop")
APPLE_MAIL = Program(name="Apple Mail", os="iOS", device="mobile")
THUNDERBIRD = Program(name="Thunderbird", version="128", os="Linux", device="desktop")
CHROME = Program(name="Chrome", version="130", os="Windows", device="desktop")

# The fetches of a mailing: verdict, client, whether it counts, and weight.
FETCHES = [
    (Verdict(kind="proxy", vendor="Google"), Program(), True, 45),
    (Verdict(kind="prefetch", vendor="Apple"), Program(), False, 25),
    (Verdict(kind="human", vendor="Microsoft"), OUTLOOK, True, 12),
    (Verdict(kind="human", vendor="Apple"), APPLE_MAIL, True, 8),
    (Verdict(kind="human", vendor="Mozilla"), THUNDERBIRD, True, 3),
    (Verdict(), CHROME, True, 4),
    (Verdict(kind="scanner", vendor="Microsoft"), Program(name="Microsoft"), False, 2),
    (Verdict(kind="bot"), Program(name="python-requests"), False, 1),
]
USER_AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"

# The same figures, as queried by a program that keeps no counts.
OPENS = "opens JOIN judgements USING (pixel, judgement) JOIN agents USING (pixel, agent)"
TOTALS = f"""
    SELECT count(*), sum(counted), min(opened_at), max(opened_at), sum(' ' || signals || ' ' NOT LIKE '% repeat %')
    FROM {OPENS} WHERE pixel = 1
"""
HOURS = f"""
    SELECT opened_at / {HOUR} AS hour, verdict, count(*), sum(counted) FROM {OPENS} WHERE pixel = 1
    GROUP BY hour, verdict
"""
BREAKDOWN = f"""
    SELECT {{0}}, count(*) AS number, sum(counted) FROM {OPENS} WHERE pixel = 1 AND {{0}} IS NOT NULL GROUP BY {{0}}
    ORDER BY number DESC LIMIT 10
"""
OPENERS = f"""
    SELECT count(DISTINCT recipient), count(DISTINCT CASE WHEN counted THEN recipient END)
    FROM {OPENS} WHERE pixel = 1
"""
TOP = f"""
    SELECT recipient, count(*) AS number FROM {OPENS} WHERE pixel = 1 AND counted AND recipient IS NOT NULL
    GROUP BY recipient ORDER BY number DESC LIMIT 10
"""
DELAYS = """
    SELECT min(o.opened_at) - r.created_at FROM opens o JOIN judgements j USING (pixel, judgement)
    JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient
    WHERE o.pixel = 1 AND j.counted GROUP BY o.recipient
"""
SCANS = [
    TOTALS,
    HOURS,
    *(BREAKDOWN.format(column) for column in ("vendor", "client", "os", "device")),
    OPENERS,
    TOP,
    DELAYS,
]


def fill(tracker: Tracker, storage: Storage, opens: int, recipients: int) -> Pixel:
    """Create a pixel that was opened over a month, mostly at the beginning."""
    dice = random.Random(0)
    pixel = tracker.create_pixel("Newsletter")
    people = tracker.generate_tokens(pixel.id, (f"name{place}@example.com" for place in range(recipients)))
    start, weights = now() - timedelta(days=DAYS), [weight for *_, weight in FETCHES]
    for _ in range(0, opens, IN_BATCH):
        batch = []
        for verdict, client, counted, _ in dice.choices(FETCHES, weights, k=IN_BATCH):
            at = start + timedelta(days=DAYS * dice.random() ** 3)
            batch.append(
                Open(
                    id=new_open_id(to_milliseconds(at)),
                    pixel_id=pixel.id,
                    recipient_id=dice.choice(people).id,
                    opened_at=at,
                    ip="192.0.2.1",
                    user_agent=USER_AGENT,
                    signals=("repeat",) if dice.random() < 0.1 else (),
                    verdict=verdict,
                    client=client,
                    counted=counted,
                )
            )
        storage.add_opens(batch)
    return pixel


def scan(db: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [db.execute(query).fetchall() for query in SCANS]


def check_same(tracker: Tracker, pixel: Pixel, path: Path) -> None:
    """Check that both return the same figures."""
    report = tracker.report(pixel.id, top=10)
    with closing(sqlite3.connect(path)) as db:
        totals, hours, _, clients, *_, openers, top, delays = scan(db)
    same = [
        totals[0][:2] == (report.fetches.raw, report.fetches.counted) and totals[0][4] == report.views.raw,
        len({hour for hour, *_ in hours}) == len(report.hours),
        clients == [(one.name, one.opens.raw, one.opens.counted) for one in report.clients],
        openers[0] == (report.opened.raw, report.opened.counted),
        [number for _, number in top] == [one.opens.counted.number for one in report.top],
        len(delays) == sum(one.recipients.counted for one in report.delays),
    ]
    if not all(same):
        raise RuntimeError(f"the figures differ: {same}")


def each_of_ten(work: Callable[[], object]) -> float:
    """Measure ten in a row, because the preceding scan has evicted their data from the processor's caches."""
    return seconds(lambda: [work() for _ in range(10)]) / 10


def main() -> None:
    options = arguments(__doc__).parse_args()
    opens, recipients = (100_000, 10_000) if options.quick else (1_000_000, 100_000)
    with new_folder() as folder:
        path = folder / "report.db"
        with open_storage(f"sqlite:///{path}") as storage:
            pixel = fill(Tracker(storage), storage, opens, recipients)
        tracker = open_tracker(path)
        check_same(tracker, pixel, path)
        client = Client(tracker)
        with closing(sqlite3.connect(path)) as db:
            measures = {
                OURS: partial(each_of_ten, partial(tracker.report, pixel.id, time_zone="Europe/Berlin")),
                OVER_HTTP: partial(each_of_ten, partial(client.request, "GET", f"/api/v1/pixels/{pixel.id}/report")),
                SCAN: partial(seconds, partial(scan, db)),
            }
            found = interleave(measures, rounds=3 if options.quick else 7)
    title = f"A report of {opens:,} opens of {recipients:,} recipients, target 20 ms"
    print_table(title, ("what", "ms", "the scan is × this"), ratio_rows(found, SCAN))


if __name__ == "__main__":
    main()
