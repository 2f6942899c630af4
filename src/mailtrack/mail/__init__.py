"""Put pixels into mails: into HTML, or into a message that goes to one person.

    for row in rows:
        message = make_message(row)
        track(message, tracker, pixel)
        smtp.send_message(message)

`track` does all that a message needs: it makes the token, and puts the tag into the HTML part. `embed` puts the tag for
a URL into HTML; `pixel_tag` returns the tag.
"""

from mailtrack._errors import MessageNotTrackable
from mailtrack.mail._embed import embed
from mailtrack.mail._tag import pixel_tag
from mailtrack.mail._track import track

__all__ = ["MessageNotTrackable", "embed", "pixel_tag", "track"]
