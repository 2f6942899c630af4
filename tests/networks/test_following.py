"""The judge of a server takes up new lists, and keeps its table when they can't be used."""

import logging
import os
import threading
from pathlib import Path

import pytest

from mailtrack.cli._networks.folder import Folder, State
from mailtrack.cli._server.following import FollowingJudge
from mailtrack.cli._settings import Settings

APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.fixture
def settings(folder, tmp_path):
    folder.path.mkdir()
    return Settings(database=f"sqlite:///{tmp_path}/mailtrack.db")


@pytest.fixture
def following(settings):
    return FollowingJudge(settings)


def is_relay(following, ip="192.0.2.7"):
    return following.judge.judge(APPLE_MAIL, ip=ip).kind == "prefetch"


def test_without_a_change_the_table_stays(following):
    table = following.judge.table
    following.look()
    assert following.judge.table is table


def test_a_new_list_a_changed_one_and_none_count(following, folder):
    assert not is_relay(following)
    folder.write_list("apple-relay", "192.0.2.0/24\n", State())
    following.look()
    assert is_relay(following)
    folder.write_list("apple-relay", "198.51.100.0/24\n", State())
    following.look()
    assert (is_relay(following), is_relay(following, "198.51.100.7")) == (False, True)
    folder.list_file("apple-relay").unlink()
    following.look()
    assert not is_relay(following, "198.51.100.7")


def test_verdicts_are_of_the_version_of_the_new_table(following, folder):
    assert following.judge.judge(APPLE_MAIL).rules_version < 1_000_000
    folder.write_list("apple-relay", "192.0.2.0/24\n", State())
    following.look()
    assert following.judge.judge(APPLE_MAIL).rules_version == following.judge.table.version > 1_000_000


def test_a_list_that_can_not_be_used_is_logged_once_and_changes_nothing(following, folder, caplog):
    folder.write_list("apple-relay", "192.0.2.0/24\n", State())
    following.look()
    folder.write_list("apple-relay", "rubbish\n", State())
    following.look()
    following.look()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "apple-relay.txt, line 1" in caplog.text
    assert is_relay(following)
    folder.write_list("apple-relay", "198.51.100.0/24\n", State())
    following.look()
    assert is_relay(following, "198.51.100.7")


def test_files_of_the_command_line_are_followed_too(tmp_path):
    file = tmp_path / "relays.csv"
    file.write_text("192.0.2.0/24\n")
    following = FollowingJudge(Settings(database="memory://", networks=f"apple-relay={file}"))
    assert is_relay(following)
    file.write_text("198.51.100.0/24\n")
    os.utime(file, ns=(1, 1))
    following.look()
    assert is_relay(following, "198.51.100.7")
    file.unlink()
    following.look()
    assert is_relay(following, "198.51.100.7")


def test_a_list_that_changes_while_it_is_first_read_is_read_again(settings, folder, monkeypatch):
    make = Settings.make_judge

    def make_and_change(self):
        judge = make(self)
        Folder(Path(folder.path)).write_list("apple-relay", "192.0.2.0/24\n", State())
        return judge

    monkeypatch.setattr(Settings, "make_judge", make_and_change)
    following = FollowingJudge(settings)
    assert not is_relay(following)
    following.look()
    assert is_relay(following)


def test_each_verdict_is_of_one_table_while_it_is_replaced(following, folder):
    """A hit from a relay is judged by the table with the list, or by the one without it, never by parts of both."""
    without = following.judge.table.version
    folder.write_list("apple-relay", "192.0.2.0/24\n", State())
    with_list = FollowingJudge(following._settings).judge.table.version
    ended = threading.Event()
    found = set()

    def judge():
        while not ended.is_set():
            verdict = following.judge.judge(APPLE_MAIL, ip="192.0.2.7")
            found.add((verdict.rules_version, verdict.kind.value))

    threads = [threading.Thread(target=judge) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        following.look()
        if number % 2:
            folder.write_list("apple-relay", "192.0.2.0/24\n", State())
        else:
            folder.list_file("apple-relay").unlink()
    ended.set()
    for thread in threads:
        thread.join()
    assert found <= {(without, "human"), (with_list, "prefetch")}
    assert len(found) == 2
