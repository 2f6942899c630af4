"""The first mail that is opened waits for nothing that could have been loaded before."""

import subprocess
import sys

import pytest
from werkzeug.test import Client

from mailtrack import Tracker, open_storage
from mailtrack._ingest.enrich import Enricher
from mailtrack.cli._server import server
from mailtrack.cli._settings import Settings
from mailtrack_wsgi import create_app

PROGRAM = """
import sys
from mailtrack import Tracker, open_storage
from mailtrack_wsgi import create_app

tracker = Tracker(open_storage("memory://"))
pixel = tracker.create_pixel("Spring launch")
application = create_app(tracker)
before = set(sys.modules)
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/tracker/{pixel.short_id}.png", "HTTP_USER_AGENT": sys.argv[1]}
application(environ, lambda status, headers: None)
assert tracker.get_pixel(pixel.id).opens.raw.number == 1
print(*set(sys.modules) - before)
"""


@pytest.mark.parametrize("user_agent", [None, "", "Weird (thing) 3"], ids=["Thunderbird", "none", "unusual"])
def test_the_first_open_of_a_process_loads_no_module(thunderbird, user_agent):
    program = [sys.executable, "-c", PROGRAM, thunderbird if user_agent is None else user_agent]
    ran = subprocess.run(program, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == []


def test_an_application_is_made_though_judging_can_not_be_prepared(caplog):
    class Unprepared(Tracker):
        def prepare(self):
            raise MemoryError

    with open_storage("memory://") as storage:
        application = create_app(Unprepared(storage))
        assert Client(application).get("/tracker/a1b2c3d4.png").status_code == 200
    assert "The data that judging opens needs can't be loaded." in caplog.messages


def test_the_server_is_ready_to_judge_before_it_drains(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(Enricher, "prepare", lambda _: done.append("prepared"))
    monkeypatch.setattr(server.Drainer, "start", lambda _: done.append("started"))
    monkeypatch.setattr(server.Drainer, "stop", lambda *_: done.append("stopped"))
    settings = Settings(database=f"sqlite:///{tmp_path}/mail.db", spool=str(tmp_path / "spool"))
    with server._draining(settings, server.FollowingJudge(settings)):
        assert done == ["prepared", "started"]
    assert done == ["prepared", "started", "stopped"]
