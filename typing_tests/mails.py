"""What `mailtrack.mail` returns, and which calls a type checker refuses."""

from email.message import EmailMessage, Message
from typing import assert_type

from mailtrack import Recipient, Tracker, open_storage
from mailtrack.mail import embed, pixel_tag, track

tracker = Tracker(open_storage("memory://"), base_url="https://mail.example.com/track")
pixel = tracker.create_pixel("Spring launch")
url = tracker.tracking_url(pixel)

assert_type(pixel_tag(url, (600, 90)), str)
assert_type(embed("<p>Hello", url, "bottom"), str)
assert_type(embed("<p>Hello", url, where="{{ pixel }}", size=(600, 90)), str)
embed(b"<p>Hello", url)  # type: ignore[arg-type]

message = EmailMessage()
assert_type(track(message, tracker, pixel), Recipient)
assert_type(track(message, tracker, pixel.short_id, ref="INV-1", data={"name": "Ann"}), Recipient)
assert_type(track(message, tracker, pixel, missing_ok=True), Recipient | None)
track(Message(), tracker, pixel, recipient=tracker.get_recipient("1"))
track("<p>Hello", tracker, pixel)  # type: ignore[call-overload]
