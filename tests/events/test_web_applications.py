"""The programs of docs/events.md in web applications, with an open that comes through them."""

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailtrack import Event, Tracker

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def run(part: str) -> dict[str, Any]:
    """Run the block of the page that has a text, and return its names."""
    (block,) = (one for one in BLOCKS if part in one)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block, part, "exec"), names)
    return names


def send_mail(tracker: Tracker) -> str:
    """Return the path of the image of a mail to Ann."""
    pixel = tracker.create_pixel("Spring launch")
    (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
    return f"/track/tracker/{pixel.short_id}.png?token={ann.token}"


def test_in_flask_the_function_is_called_from_the_first_request_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    thunderbird: str,
    wait_until: Callable[[Callable[[], object]], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run("from flask import Flask")
    tracker, app = names["mailtrack"].tracker, names["app"]
    caplog.set_level(logging.INFO, app.logger.name)
    try:
        app.test_client().get(send_mail(tracker), headers={"User-Agent": thunderbird})
        wait_until(lambda: "Spring launch was opened" in caplog.text)
    finally:
        tracker.stop()
        tracker._storage.close()


def test_in_fastapi_a_coroutine_is_awaited_in_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thunderbird: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run("from fastapi import FastAPI")
    heard: list[Event] = []

    async def follow() -> None:
        come = asyncio.Event()

        async def note(event: Event) -> None:
            heard.append(event)
            come.set()

        names["note"] = note
        app, tracker = names["app"], names["tracker"]
        async with app.router.lifespan_context(app):
            pixel = tracker.create_pixel("Spring launch")
            (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
            tracker.record(pixel.id, token=ann.token, user_agent=thunderbird)
            await asyncio.wait_for(come.wait(), 20)

    try:
        asyncio.run(follow())
    finally:
        names["storage"].close()
    assert [event.recipient and event.recipient.email for event in heard] == ["ann@example.org"]
