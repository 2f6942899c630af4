"""The program of docs/python.md: what each call returns, and which calls a type checker refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

from mailtrack import (
    ApiKey,
    Backup,
    Durability,
    Event,
    Hit,
    Image,
    ImportResult,
    Keyring,
    Open,
    Page,
    Pixel,
    Purge,
    Recipient,
    RejectedRow,
    RejudgeProgress,
    Spool,
    Storage,
    Tracker,
    Urls,
    Verdict,
    VerdictKind,
    open_storage,
)
from mailtrack.report import Report

storage = open_storage("sqlite:///campaigns.db")
assert_type(storage, Storage)
tracker = Tracker(storage, base_url="https://mail.example.com/track", spool=Spool("spool", durability="always"))
Tracker(storage, spool=Spool(Path("spool"), durability=Durability.ALWAYS), clock=lambda: datetime.now(UTC))
Tracker("sqlite:///campaigns.db")  # type: ignore[arg-type]
Tracker(storage, "https://mail.example.com/track")  # type: ignore[call-arg]
Tracker(storage, base_url=Path("track"))  # type: ignore[arg-type]


def create() -> Pixel:
    tracker.create_pixel("With our logo", image="logo.png")
    tracker.create_pixel("With our logo", image=Path("logo.png"))
    tracker.create_pixel("With our logo", image=b"GIF89a")
    tracker.create_pixel(7)  # type: ignore[arg-type]
    pixel = tracker.create_pixel("Spring launch")
    assert_type(tracker.get_pixel_image(pixel.short_id), Image)
    assert_type(tracker.delete_pixel(pixel), Pixel)
    pixel.name = "Autumn launch"  # type: ignore[misc]
    return pixel


def add_recipients(pixel: Pixel) -> list[str]:
    recipients = tracker.generate_tokens(pixel, ["ann@example.org", "bob@example.com"])
    assert_type(recipients, list[Recipient])
    tracker.generate_tokens(pixel.id, (f"{number}@example.org" for number in range(3)))
    tracker.generate_tokens(pixel, [7])  # type: ignore[list-item]
    result = tracker.import_recipients(
        pixel, [{"Email": "ann@example.org", "Age": 7}], on_invalid="skip", email="Email"
    )
    assert_type(result, ImportResult)
    assert_type(result.recipients, tuple[Recipient | None, ...])
    assert_type(result.rejected, tuple[RejectedRow, ...])
    with Path("addresses.csv").open("rb") as file:
        tracker.import_recipients(
            pixel, file, progress=lambda added, present, rejected: print(added, present, rejected)
        )
    tracker.import_recipients(pixel, "ann@example.org", on_invalid="drop")  # type: ignore[arg-type]
    return [tracker.tracking_url(pixel, recipient) for recipient in recipients]


def record(pixel: str, headers: dict[str, str]) -> Image:
    tracker.record(pixel, token=headers.get("token"), ip="192.0.2.7", user_agent=headers.get("User-Agent"))
    tracker.record(pixel, signals=("prefetch",))
    tracker.record(pixel, "tok_")  # type: ignore[call-arg]
    assert_type(tracker.store([Hit(id="0", pixel=pixel, at=tracker.now())]), int)
    return tracker.get_pixel_image(pixel)


def read(pixel: Pixel) -> None:
    page = tracker.list_opens(pixel, limit=100, kind="human", cursor=None)
    assert_type(page, Page[Open])
    assert_type(page.next, str | None)
    for found in page.items:
        assert_type(found.verdict, Verdict)
        assert_type(found.verdict.kind, VerdictKind)
        print(found.opened_at + timedelta(hours=1), tracker.explain(found.verdict))
    tracker.list_opens(pixel, kind=VerdictKind.BOT, recipient_id=tracker.get_recipient("0"))
    tracker.list_opens(pixel, limit="100")  # type: ignore[arg-type]
    assert_type(tracker.iter_opens(pixel), Iterator[Open])
    assert_type(tracker.iter_recipients(pixel, opened=False), Iterator[Recipient])
    assert_type(tracker.get_recipients(one.recipient_id for one in page.items), dict[str, Recipient])
    assert_type(tracker.report(pixel, time_zone="Europe/Berlin", top=3), Report)
    print(sum(one.opens.counted for one in tracker.report(pixel).clients))


def maintain(pixel: Pixel) -> None:
    assert_type(tracker.purge(before=datetime.now(UTC) - timedelta(days=90)), int)
    plan = tracker.plan_purge(before=datetime.now(UTC), pixel=pixel)
    assert_type(plan, Purge)
    print({one.id: number for one, number in plan.count()}, sum(plan.run()))
    tracker.purge()  # type: ignore[call-arg]
    for progress in tracker.rejudge(pixel):
        assert_type(progress, RejudgeProgress)
    assert_type(tracker.backup("backup.db"), Backup)
    assert_type(tracker.keys, Keyring)
    key, text = tracker.keys.create("ci")
    assert_type(key, ApiKey)
    assert_type(text, str)
    assert_type(tracker.urls, Urls | None)
    tracker.urls.tracking(pixel)  # type: ignore[union-attr]
    assert_type(tracker.stop(timeout=1.5), bool)


def follow() -> None:
    def note(event: Event) -> None:
        assert_type(event.recipient, Recipient | None)

    tracker.on_open(note, name="crm", first="any")
    tracker.on_open(lambda event: print(event.open.opened_at, event.pixel.name), name="print")
    tracker.on_open(note, name="crm", first="second")  # type: ignore[arg-type]
    tracker.on_open(note)  # type: ignore[call-arg]
    assert_type(tracker.list_events(limit=10, after=tracker.get_feed_end()), Page[Event])
    assert_type(tracker.iter_events(), Iterator[Event])
