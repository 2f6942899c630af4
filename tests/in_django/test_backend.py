"""The e-mail backend around another one, and the template tag."""

import io
import logging
import re
import smtplib
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.test.utils import override_settings
from django.utils.functional import lazystr
from PIL import Image

from mailtrack import StorageUnavailable, Tracker
from mailtrack.testing import FakeClock
from mailtrack_wsgi.django import EmailBackend
from mailtrack_wsgi.django._pixels import Pixels

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
OURS = "mailtrack_wsgi.django.EmailBackend"
HTML = "<!doctype html><html><body><p>Spring is here — now.</p></body></html>"
TAG = re.compile(r'<img src="https://example\.org/track/tracker/([0-9a-f]{8})\.png\?token=(tok_\w{32})"[^>]*>')
HAS_MAILERS = hasattr(mail, "mailers")


@pytest.fixture(autouse=True)
def outbox() -> list[Any]:
    """What was sent."""
    mail.outbox = []
    return mail.outbox


def make(*to: str, html: str | None = HTML, **attributes: Any) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives("Spring", "Spring is here.", "shop@example.com", list(to), **attributes)
    if html is not None:
        message.attach_alternative(html, "text/html")
    return message


def send(*messages: EmailMessage) -> int:
    return EmailBackend().send_messages(messages)


def html_of(message: Any) -> str:
    """Return the HTML of a message as it is sent."""
    parsed = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    part = parsed.get_body(("html",))
    assert part is not None
    return str(part.get_content()).rstrip("\n")


class TestTracking:
    def test_a_mail_to_one_address_gets_the_pixel_of_its_recipient(
        self, tracker: Tracker, outbox: list[Any], client: Client
    ) -> None:
        assert send(make("Ann <ann@example.org>")) == 1
        (pixel,) = tracker.list_pixels().items
        (ann,) = tracker.list_recipients(pixel).items
        assert (pixel.name, ann.email) == ("Django", "ann@example.org")
        found = TAG.search(html_of(outbox[0]))
        assert found is not None
        assert found.groups() == (pixel.short_id, ann.token)
        assert TAG.sub("", html_of(outbox[0])) == HTML
        client.get(f"/track/tracker/{found[1]}.png", {"token": found[2]})
        assert tracker.get_recipient(ann).opens.raw.number == 1

    def test_a_mail_that_is_html_alone_gets_one_too(self, outbox: list[Any]) -> None:
        message = EmailMessage("Spring", HTML, to=["ann@example.org"])
        message.content_subtype = "html"
        send(message)
        assert TAG.sub("", html_of(outbox[0])) == HTML != html_of(outbox[0])

    def test_all_html_of_a_mail_gets_the_same_one(self, outbox: list[Any]) -> None:
        message = make("ann@example.org")
        message.attach_alternative(HTML, "TEXT/HTML; charset=utf-8")
        message.attach_alternative("<b>", "text/x-amp-html")
        message.body, message.content_subtype = HTML, "html"
        send(message)
        (sent,) = outbox
        texts = [sent.body, *(content for content, _ in sent.alternatives)]
        assert len(set(texts[:3])) == 1
        assert TAG.search(texts[0])
        assert texts[3] == "<b>"

    def test_a_text_that_is_made_late_gets_one(self, outbox: list[Any]) -> None:
        message = make("ann@example.org", html=None)
        message.attach_alternative(lazystr(HTML), "text/html")
        send(message)
        assert TAG.search(html_of(outbox[0]))

    def test_the_callers_message_stays_as_it_is(self) -> None:
        message = make("ann@example.org", headers={"X-Mailing": "Spring"})
        before = {name: repr(value) for name, value in vars(message).items()}
        send(message)
        assert {name: repr(value) for name, value in vars(message).items()} == before

    def test_a_mail_that_is_sent_again_has_one_tag(self, outbox: list[Any]) -> None:
        send(make("ann@example.org"))
        send(make("ann@example.org", html=outbox[0].alternatives[0][0]))
        assert html_of(outbox[1]) == html_of(outbox[0])

    def test_its_time_is_the_recipients_sent_time(
        self, tracker: Tracker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracker, "_clock", clock)
        send(make("ann@example.org"))
        (ann,) = tracker.find_recipients("ann@example.org")
        assert ann.sent_at == clock()
        clock.advance(days=30)
        send(make("ann@example.org"))
        assert tracker.get_recipient(ann).sent_at == clock()

    def test_a_pixel_with_an_image_of_its_own_gets_its_size(self, tracker: Tracker, outbox: list[Any]) -> None:
        logo = io.BytesIO()
        Image.new("RGB", (600, 20)).save(logo, "PNG")
        tracker.create_pixel("Django", image=logo.getvalue())
        send(make("ann@example.org"))
        assert 'width="600" height="20"' in html_of(outbox[0])


class TestChoosing:
    def test_the_setting_names_the_pixel(self, tracker: Tracker, outbox: list[Any]) -> None:
        first, _ = tracker.create_pixel("Autumn"), tracker.create_pixel("Autumn")
        winter = tracker.create_pixel("Winter")
        for name, pixel in (("Autumn", first), (winter.id, winter), (winter.short_id.upper(), winter)):
            message = make("ann@example.org")
            message.mailtrack = {"pixel": name}  # type: ignore[attr-defined]
            send(message)
            assert f"/{pixel.short_id}.png" in html_of(outbox[-1])
        assert len(tracker.list_pixels().items) == 3

    def test_a_name_of_eight_hex_digits_is_a_name_where_no_pixel_has_that_id(self, tracker: Tracker) -> None:
        message = make("ann@example.org")
        message.mailtrack = {"pixel": "20251106"}  # type: ignore[attr-defined]
        send(message)
        assert [pixel.name for pixel in tracker.list_pixels().items] == ["20251106"]

    def test_a_mail_may_have_a_pixel_a_reference_and_data_of_its_own(self, tracker: Tracker, outbox: list[Any]) -> None:
        for number in (1, 2):
            message = make("ann@example.org")
            message.mailtrack = {"pixel": "Invoices", "ref": f"INV-{number}", "data": {"sum": number}}  # type: ignore[attr-defined]
            send(message)
        second, first = tracker.find_recipients("ann@example.org")
        assert (first.ref, dict(second.data or {})) == ("INV-1", {"sum": 2})
        assert second.token in html_of(outbox[1])

    def test_a_mail_may_be_left_out(
        self, tracker: Tracker, outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        message = make("ann@example.org")
        message.mailtrack = False  # type: ignore[attr-defined]
        send(message)
        assert html_of(outbox[0]) == HTML
        assert (tracker.list_pixels().items, caplog.records) == ((), [])

    def test_a_pixel_that_was_deleted_is_made_anew(self, tracker: Tracker, outbox: list[Any]) -> None:
        send(make("ann@example.org"))
        tracker.delete_pixel(tracker.list_pixels().items[0])
        send(make("ann@example.org"))
        (pixel,) = tracker.list_pixels().items
        assert (pixel.name, pixel.recipients) == ("Django", 1)
        assert f"/{pixel.short_id}.png" in html_of(outbox[1])

    def test_a_pixel_that_was_renamed_stays_the_same_in_this_process(self, tracker: Tracker) -> None:
        send(make("ann@example.org"))
        (pixel,) = tracker.list_pixels().items
        tracker.update_pixel(pixel, name="Newsletter")
        send(make("bob@example.com"))
        assert tracker.get_pixel(pixel).recipients == 2

    def test_where_the_id_of_a_name_is_taken_another_one_is_made(self, tracker: Tracker) -> None:
        send(make("ann@example.org"))
        (pixel,) = tracker.list_pixels().items
        tracker.update_pixel(pixel, name="Newsletter")
        assert Pixels(tracker._storage, tracker).find("Django").id != pixel.id
        assert {one.name for one in tracker.list_pixels().items} == {"Django", "Newsletter"}


class TestUntracked:
    """Mails that go out without a pixel."""

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(make("ann@example.org", "bob@example.com"), id="two addresses"),
            pytest.param(make("ann@example.org", bcc=["archive@example.com"]), id="a blind copy"),
            pytest.param(make("ann@example.org", cc=["bob@example.com"]), id="a copy"),
            pytest.param(make("ann@example.org, bob@example.com"), id="two in one"),
        ],
    )
    def test_a_mail_to_other_than_one_address(
        self, message: EmailMultiAlternatives, tracker: Tracker, outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        assert send(message) == 1
        assert outbox[0].alternatives[0][0] == HTML
        assert tracker.find_recipients("ann@example.org") == []
        assert re.search(r"goes out untracked: it goes to \d addresses", caplog.text)
        assert "@" not in caplog.text

    def test_a_mail_without_html(self, tracker: Tracker, outbox: list[Any], caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        assert send(make("ann@example.org", html=None)) == 1
        assert outbox[0].body == "Spring is here."
        assert tracker.list_pixels().items == ()
        assert "it has no HTML part" in caplog.text

    @pytest.mark.parametrize("address", ["ann@localhost", "ann", "ann@example..org"])
    def test_a_mail_to_an_address_that_is_refused(
        self, address: str, outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert send(make(address)) == 1
        assert html_of(outbox[0]) == HTML
        assert "InvalidEmails" in caplog.text
        assert "ann" not in caplog.text

    @pytest.mark.parametrize("wanted", [True, "Invoices", {"colour": "red"}, {"ref": 7}, {"pixel": 7}])
    def test_a_mail_with_options_that_are_none(
        self, wanted: Any, outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        message = make("ann@example.org")
        message.mailtrack = wanted  # type: ignore[attr-defined]
        assert send(message) == 1
        assert html_of(outbox[0]) == HTML
        assert "untracked" in caplog.text

    def test_a_mail_whose_pixel_does_not_exist(self, outbox: list[Any], caplog: pytest.LogCaptureFixture) -> None:
        with override_settings(MAILTRACK_PIXEL="a1b2c3d4-e5f6-7890-1234-567890abcdef"):
            assert send(make("ann@example.org")) == 1
        assert html_of(outbox[0]) == HTML
        assert "Pixel not found" in caplog.text

    @pytest.mark.parametrize(
        "broken",
        [
            {"MAILTRACK_DATABASE": "sqlite:////nowhere/mailtrack.db"},
            {"MAILTRACK_DATABASE": "nothing"},
            {"MAILTRACK_DATABASE": None},
            {"MAILTRACK_BASE_URL": None},
            {"MAILTRACK_PIXEL": ""},
        ],
    )
    def test_all_mails_where_the_settings_are_broken(
        self, broken: dict[str, Any], outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(**broken):
            assert send(make("ann@example.org"), make("bob@example.com")) == 2
        assert [html_of(one) for one in outbox] == [HTML, HTML]
        assert caplog.text.count("untracked") == 2

    def test_all_mails_where_the_storage_is_closed(
        self, tracker: Tracker, outbox: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        send(make("ann@example.org"))
        tracker._storage.close()
        assert send(*(make(f"{number}@example.org") for number in range(20))) == 20
        assert [html_of(one) for one in outbox[1:]] == [HTML] * 20
        assert caplog.text.count("untracked") == 20

    @pytest.mark.parametrize("error", [StorageUnavailable("gone"), MemoryError(), RecursionError(), KeyError("a")])
    def test_a_mail_where_storing_its_recipient_fails(
        self, tracker: Tracker, outbox: list[Any], error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(tracker, "generate_tokens", fail)
        assert send(make("ann@example.org")) == 1
        assert html_of(outbox[0]) == HTML

    def test_mails_do_not_wait_one_after_another_for_a_storage_that_is_away(
        self, tracker: Tracker, outbox: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        generate_tokens = tracker.generate_tokens

        def ask(*arguments: Any) -> Any:
            asked.append(arguments)
            if len(asked) == 1:
                raise StorageUnavailable("locked", retry_after=7)
            return generate_tokens(*arguments)

        now = 1000.0
        monkeypatch.setattr("mailtrack_wsgi.django._pixels.monotonic", lambda: now)
        monkeypatch.setattr(tracker, "generate_tokens", ask)
        send(*(make(f"{number}@example.org") for number in range(20)))
        assert [html_of(one) for one in outbox] == [HTML] * 20
        assert len(asked) == 1
        now += 7
        send(make("ann@example.org"))
        assert TAG.search(html_of(outbox[-1]))

    def test_where_only_its_time_can_not_be_stored_it_is_tracked(
        self, tracker: Tracker, outbox: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> None:
            raise StorageUnavailable("gone")

        monkeypatch.setattr(tracker, "mark_sent", fail)
        send(make("ann@example.org"))
        assert TAG.search(html_of(outbox[0]))
        assert "The sent times of mails can't be stored" in caplog.text


class Marking(BaseEmailBackend):
    """Sets attributes on what it sends, as backends of mail services do, and fails for one message."""

    def __init__(self, answer: int = 7, **options: Any) -> None:
        super().__init__(**options)
        self.answer = answer
        self.calls: list[str] = []

    def open(self) -> bool:
        self.calls.append("open")
        return True

    def close(self) -> None:
        self.calls.append("close")

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        for message in email_messages:
            message.status = "queued"
            if message.subject == "fail":
                raise ConnectionError("the service is away")
        return self.answer


class TestTheOtherBackend:
    @pytest.fixture(autouse=True)
    def marking(self) -> Iterator[None]:
        with override_settings(MAILTRACK_EMAIL_BACKEND=f"{__name__}.Marking"):
            yield

    def test_it_is_given_the_options_and_its_answer_is_returned(self) -> None:
        assert EmailBackend(answer=3).send_messages([make("ann@example.org")]) == 3
        assert EmailBackend(backend=LOCMEM).send_messages([make("ann@example.org")]) == 1

    def test_it_is_opened_and_closed(self) -> None:
        backend = EmailBackend()
        assert backend.open() is True
        with backend:
            assert backend.send_messages([]) == 7
        inner: Any = vars(backend)["_backend"]
        assert inner.calls == ["open", "open", "close"]

    def test_what_it_sets_on_a_message_is_set_on_the_callers(self) -> None:
        message = make("ann@example.org")
        send(message)
        assert vars(message)["status"] == "queued"
        assert message.alternatives[0][0] == HTML

    def test_its_error_is_the_callers_and_its_marks_remain(self) -> None:
        first, second = make("ann@example.org"), make("bob@example.com")
        second.subject = "fail"
        with pytest.raises(ConnectionError, match="the service is away"):
            send(first, second)
        assert (vars(first)["status"], vars(second)["status"]) == ("queued", "queued")

    def test_one_that_does_not_exist_is_an_error(self) -> None:
        with (
            override_settings(MAILTRACK_EMAIL_BACKEND="nowhere.EmailBackend"),
            pytest.raises(ImproperlyConfigured, match="MAILTRACK_EMAIL_BACKEND can't be imported"),
        ):
            EmailBackend()
        with pytest.raises(ImproperlyConfigured, match="must be the dotted path of another e-mail backend"):
            EmailBackend(backend=OURS)


class TestSending:
    @pytest.fixture(autouse=True)
    def smtp(self) -> Iterator[None]:
        with override_settings(MAILTRACK_EMAIL_BACKEND=None):  # which is SMTP
            yield

    def check(self, message: Any) -> None:
        assert message["To"] == "ann@example.org"
        content = message.get_body(("html",)).get_content()
        assert TAG.search(content)
        assert TAG.sub("", content).rstrip() == HTML
        assert message.get_body(("plain",)).get_content().strip() == "Spring is here."

    @pytest.mark.skipif(HAS_MAILERS, reason="Django 6.1 has MAILERS instead")
    def test_django_sends_by_smtp(self, mail_server: Any) -> None:
        place = {"EMAIL_HOST": mail_server.hostname, "EMAIL_PORT": mail_server.port}
        with override_settings(EMAIL_BACKEND=OURS, **place):
            sent = send_mail("Spring", "Spring is here.", "shop@example.com", ["ann@example.org"], html_message=HTML)
        assert sent == 1
        self.check(mail_server.messages[0])

    @pytest.mark.skipif(not HAS_MAILERS, reason="before Django 6.1 there are no MAILERS")
    def test_a_mailer_of_django_sends_by_smtp(self, mail_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        options = {"host": mail_server.hostname, "port": mail_server.port}
        monkeypatch.setattr(settings, "MAILERS", {"default": {"BACKEND": OURS, "OPTIONS": options}}, raising=False)
        arguments: dict[str, Any] = {"using": "default"}
        sent = send_mail(
            "Spring", "Spring is here.", "shop@example.com", ["ann@example.org"], html_message=HTML, **arguments
        )
        assert sent == 1
        self.check(mail_server.messages[0])

    def test_a_mail_that_the_server_refuses_is_the_callers_error_or_not_as_he_says(self, mail_server: Any) -> None:
        mail_server.refused.add("ann@example.org")
        place = {"host": mail_server.hostname, "port": mail_server.port}
        if HAS_MAILERS:
            place["alias"] = "default"
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            EmailBackend(**place).send_messages([make("ann@example.org")])
        backend = EmailBackend(fail_silently=True, **place)
        assert backend.send_messages([make("ann@example.org"), make("bob@example.com")]) == 1
        assert TAG.search(mail_server.messages[0].get_body(("html",)).get_content())

    @pytest.mark.skipif(not HAS_MAILERS, reason="before Django 6.1 there are no MAILERS")
    def test_mailers_may_track_around_different_backends(
        self, outbox: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mailers = {
            "plain": {"BACKEND": LOCMEM},
            "tracked": {"BACKEND": OURS, "OPTIONS": {"backend": LOCMEM}},
            "wrong": {"BACKEND": OURS, "OPTIONS": {"backend": LOCMEM, "colour": "red"}},
        }
        monkeypatch.setattr(settings, "MAILERS", mailers, raising=False)
        for name in ("plain", "tracked"):
            vars(mail)["mailers"][name].send_messages([make("ann@example.org")])
        assert [one.sent_using for one in outbox] == ["plain", "tracked"]
        assert [bool(TAG.search(html_of(one))) for one in outbox] == [False, True]
        with pytest.raises(ImproperlyConfigured, match="Unknown options 'colour'"):
            vars(mail)["mailers"]["wrong"]
