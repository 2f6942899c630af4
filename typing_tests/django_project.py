"""A Django project that sends mails, asks the tracker, and receives the signal."""

from typing import Any

from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from mailtrack import NewRecipient, Open, Pixel, Recipient
from mailtrack_wsgi.django import EmailBackend, get_tracker, opened


@receiver(opened)
def note(open: Open, pixel: Pixel, recipient: Recipient | None, **_: Any) -> None:  # noqa: A002  # as it is sent
    if recipient is not None and open.counted:
        print(f"{recipient.email} has read {pixel.name}")


def invite(request: HttpRequest) -> HttpResponse:
    tracker = get_tracker()
    (ann,) = tracker.generate_tokens("a1b2c3d4", [NewRecipient("ann@example.org", ref=request.path)])
    return HttpResponse(tracker.tracking_url(ann.pixel_id, ann))


def send() -> int:
    with EmailBackend(fail_silently=True) as backend:
        backend.send_messages(["Spring"])  # type: ignore[list-item]
        return backend.send_messages([])
