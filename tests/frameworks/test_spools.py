"""Which spool a host's application has where no setting names one: the one that `mailtrack serve` would have."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailtrack import open_storage
from mailtrack_wsgi._lifespan import make_spool

FLASK = """
from flask import Flask
from mailtrack_wsgi.flask import Mailtrack

app = Flask(__name__)
app.config["MAILTRACK_DATABASE"] = {url!r}
tracker = Mailtrack(app, authorize=lambda _: True).tracker
answer = lambda path: app.test_client().get("/track" + path).status_code
"""
DJANGO = """
import django
from django.conf import settings

settings.configure(
    MAILTRACK_DATABASE={url!r}, INSTALLED_APPS=["mailtrack_wsgi.django"], ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"]
)
django.setup()
from django.test import Client
from mailtrack_wsgi.django import get_tracker

tracker = get_tracker()
answer = lambda path: Client().get("/track" + path).status_code
"""
THEN = """
import mailtrack.storage._postgres.storage as postgres
from mailtrack import StorageUnavailable

pixel = tracker.create_pixel("Spring")

def fail(*_):
    raise StorageUnavailable("away")

store = postgres.PostgresStorage.add_opens
postgres.PostgresStorage.add_opens = fail
assert answer(f"/tracker/{pixel.short_id}.png") == 200  # and does not wait for the database
postgres.PostgresStorage.add_opens = store
assert tracker.stop(timeout=30)
print(tracker.spool_folder, tracker.get_pixel(pixel).opens.raw.number)
"""


@pytest.mark.parametrize("program", [FLASK, DJANGO], ids=["Flask", "Django"])
def test_over_postgresql_opens_go_through_a_spool_in_the_working_directory(
    program: str, postgres: Any, tmp_path: Path
) -> None:
    url = postgres.url(schema=f"host_{program.count('settings')}")
    (tmp_path / "urls.py").write_text(
        "from django.urls import include, path\nurlpatterns = [path('track/', include('mailtrack_wsgi.django.urls'))]\n"
    )
    code = program.format(url=url) + THEN
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path}/mailtrack.spool 1\n", done.stderr


def test_each_storage_has_the_spool_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_storage("sqlite:///mail.db") as file, open_storage("memory://") as memory:
        beside = make_spool(file, "sqlite:///mail.db", None)
        assert beside is not None
        assert beside.folder.absolute() == tmp_path / "mail.db.spool"
        assert make_spool(memory, "memory://", None) is None
        over_network = make_spool(memory, "redis://db.example.org", None)
        assert over_network is not None
        assert over_network.folder == tmp_path / "mailtrack.spool"
        assert make_spool(file, "sqlite:///mail.db", "off") is None
        named = make_spool(file, "sqlite:///mail.db", tmp_path / "other")
        assert named is not None
        assert named.folder == tmp_path / "other"
