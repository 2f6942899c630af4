"""`{% mailtrack_pixel %}` in the templates of mails."""

from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Template
from django.test.utils import override_settings

from mailtrack import Pixel, Tracker
from mailtrack_wsgi.django import EmailBackend


def render(tag: str, **context: Any) -> str:
    return Template(f"{{% load mailtrack %}}<p>Hello</p>{tag}").render(Context(context))


def tag_of(url: str) -> str:
    return f'<p>Hello</p><img src="{url}" width="1" height="1" border="0" alt="">'


def test_it_is_the_pixel_of_a_recipient(tracker: Tracker, pixel: Pixel) -> None:
    (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
    assert render("{% mailtrack_pixel recipient %}", recipient=ann) == tag_of(tracker.tracking_url(pixel, ann))


def test_an_address_gets_a_token_of_the_settings_pixel(tracker: Tracker) -> None:
    shown = render("{% mailtrack_pixel user.email %}", user={"email": "ann@example.org"})
    (ann,) = tracker.find_recipients("ann@example.org")
    assert shown == tag_of(tracker.tracking_url(ann.pixel_id, ann))
    assert tracker.get_pixel(ann.pixel_id).name == "Django"


def test_another_pixel_may_be_named(tracker: Tracker) -> None:
    render("{% mailtrack_pixel 'ann@example.org' pixel='Invoices' %}")
    assert [pixel.name for pixel in tracker.list_pixels().items] == ["Invoices"]


def test_without_a_recipient_it_is_the_bare_pixel(tracker: Tracker) -> None:
    shown = render("{% mailtrack_pixel %}")
    (pixel,) = tracker.list_pixels().items
    assert shown == tag_of(tracker.tracking_url(pixel))


@pytest.mark.parametrize("address", ["{% mailtrack_pixel missing %}", "{% mailtrack_pixel 'ann' %}"])
def test_what_is_no_recipient_gives_nothing_and_is_logged(address: str, caplog: pytest.LogCaptureFixture) -> None:
    assert render(address) == "<p>Hello</p>"
    assert "untracked" in caplog.text


def test_a_storage_that_fails_gives_nothing(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker._storage.close()
    assert render("{% mailtrack_pixel 'ann@example.org' %}") == "<p>Hello</p>"
    with override_settings(MAILTRACK_DATABASE="sqlite:////nowhere/mailtrack.db"):
        assert render("{% mailtrack_pixel 'ann@example.org' %}") == "<p>Hello</p>"
    assert caplog.text.count("untracked") == 2


def test_a_mail_with_it_that_the_backend_tracks_has_one_tag(tracker: Tracker) -> None:
    from django.core import mail

    mail.outbox = []
    message = EmailMultiAlternatives("Spring", "Spring is here.", to=["ann@example.org"])
    message.attach_alternative(render("{% mailtrack_pixel 'ann@example.org' %}"), "text/html")
    EmailBackend().send_messages([message])
    (sent,) = mail.outbox
    assert str(sent.alternatives[0][0]).count("<img") == 1
    assert tracker.find_recipients("ann@example.org")[0].token in str(sent.alternatives[0][0])
