"""`manage.py mailtrack`, and the link from the admin."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import ManagementUtility, call_command
from django.core.management.base import CommandError
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from mailtrack import Tracker, open_storage


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/mailtrack.db"
    with open_storage(url) as storage:
        Tracker(storage).create_pixel("Spring launch")
    return url


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        ManagementUtility(["manage.py", "mailtrack", *arguments]).execute()
    return int(end.value.code or 0)


def test_a_command_uses_the_database_and_the_url_of_the_settings(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with override_settings(MAILTRACK_DATABASE=database):
        assert run("pixels", "list", "--json") == 0
    (pixel,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert pixel["name"] == "Spring launch"
    assert pixel["trackingUrl"].startswith("https://example.org/track/tracker/")


def test_an_option_of_a_command_counts_more_than_the_settings(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pixels", "list", "--database", database, "--json") == 0
    assert "Spring launch" in capsys.readouterr().out


def test_the_doctor_looks_at_the_replica_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "postgresql://mail@127.0.0.1:1/mail"
    with override_settings(MAILTRACK_DATABASE=nowhere, MAILTRACK_READ_URL=nowhere):
        run("doctor", "--json")
    findings = {one["check"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert "replica" in findings["read-url"]["found"]


def test_wrong_usage_ends_with_2_and_help_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pixels", "paint") == 2
    assert run("--help") == 0
    assert "Usage: manage.py mailtrack [OPTIONS]" in capsys.readouterr().out


def test_a_program_may_call_it(database: str) -> None:
    out = io.StringIO()
    with override_settings(MAILTRACK_DATABASE=database):
        call_command("mailtrack", "pixels", "list", "--json", stdout=out)
        assert json.loads(out.getvalue())["name"] == "Spring launch"
        with pytest.raises(CommandError) as failed:
            call_command("mailtrack", "pixels", "show", "a1b2c3d4")
        assert failed.value.returncode == 1


class TestAdmin:
    def test_its_first_page_leads_to_ours(self, staff: Client) -> None:
        assert '<a href="/track/">Pixels and opens</a>' in staff.get("/admin/").content.decode()

    def test_without_our_urls_it_has_no_link(self, staff: Client) -> None:
        from django.contrib import admin

        with override_settings(ROOT_URLCONF=(path("admin/", admin.site.urls),)):
            page = staff.get("/admin/")
        assert (page.status_code, b"mailtrack" in page.content) == (200, False)
