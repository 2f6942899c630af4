"""`track`: one message to one person."""

import email
import email.policy
import io
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from PIL import Image

from mailtrack import (
    InvalidArgument,
    InvalidEmails,
    InvalidRecipients,
    InvalidSetting,
    MailtrackError,
    MessageNotTrackable,
    PixelNotFound,
    RecipientNotFound,
    Tracker,
)
from mailtrack.mail import pixel_tag, track

HTML = "<html><head><title>Hello</title></head><body>\n<p>Hello Ann</p>\n</body></html>\n"


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


def make(html=HTML, to="ann@example.org", **headers):
    """Return a message with text and HTML to one address."""
    message = EmailMessage()
    message["Subject"], message["From"] = "Hello", "shop@example.com"
    if to is not None:
        message["To"] = to
    for name, value in headers.items():
        message[name] = value
    message.set_content("Hello Ann\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def html_of(message):
    """Return the HTML of a message as it was sent."""
    return email.message_from_bytes(message.as_bytes(), policy=email.policy.default).get_body(("html",)).get_content()


class TestMessages:
    def test_the_one_recipient_gets_a_token_and_the_html_the_tag(self, tracker, pixel):
        message = make()
        recipient = track(message, tracker, pixel)
        assert [recipient] == list(tracker.iter_recipients(pixel))
        assert recipient.email == "ann@example.org"
        tag = pixel_tag(tracker.tracking_url(pixel, recipient))
        assert html_of(message) == HTML.replace("<body>", f"<body>{tag}")

    def test_a_pixel_may_be_given_by_its_short_id_and_the_recipient_has_reference_and_data(self, tracker, pixel):
        recipient = track(make(), tracker, pixel.short_id, ref="INV-1", data={"name": "Ann"})
        assert (recipient.pixel_id, recipient.ref, recipient.data) == (pixel.id, "INV-1", {"name": "Ann"})

    def test_tracking_again_changes_nothing(self, tracker, pixel):
        message = make()
        recipient = track(message, tracker, pixel)
        before = message.as_bytes()
        assert track(message, tracker, pixel).id == recipient.id
        assert message.as_bytes() == before

    def test_a_message_that_is_sent_to_the_next_person_has_only_that_persons_tag(self, tracker, pixel):
        message = make()
        for address in ("ann@example.org", "bob@example.org", "carl@example.org"):
            message.replace_header("To", address)
            recipient = track(message, tracker, pixel)
            assert html_of(message).count("/tracker/") == 1
            assert recipient.token in html_of(message)

    def test_the_tag_has_the_size_of_the_pixels_own_image(self, tracker):
        file = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6  # on its side
        Image.new("RGB", (60, 20)).save(file, "JPEG", exif=exif)
        pixel = tracker.create_pixel("With our logo", image=file.getvalue())
        message = make()
        recipient = track(message, tracker, pixel)
        assert pixel_tag(tracker.tracking_url(pixel, recipient), (20, 60)) in html_of(message)

    def test_a_message_to_several_is_tracked_with_a_recipient(self, tracker, pixel):
        (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
        for given in (ann, ann.id):
            message = make(to="team@example.org, boss@example.org")
            assert track(message, tracker, pixel, recipient=given) == ann
            assert ann.token in html_of(message)
        assert len(list(tracker.iter_recipients(pixel))) == 1

    @pytest.mark.parametrize("policy", [email.policy.default, email.policy.SMTP, email.policy.compat32])
    def test_a_message_that_was_parsed_is_tracked_whatever_its_policy(self, tracker, pixel, policy):
        before = make().as_bytes(policy=email.policy.SMTP)
        message = email.message_from_bytes(before, policy=policy)
        recipient = track(message, tracker, pixel)
        tag = pixel_tag(tracker.tracking_url(pixel, recipient)).encode()
        after = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        assert after.replace(tag, b"") == before

    def test_messages_of_the_older_classes_are_tracked(self, tracker, pixel):
        message = MIMEMultipart("alternative")
        message["To"] = Header("Änn", "utf-8").encode() + " <ann@example.org>"
        message.attach(MIMEText("Hello", "plain"))
        message.attach(MIMEText("<p>Hällo</p>", "html"))
        assert track(message, tracker, pixel).email == "ann@example.org"
        assert html_of(message).endswith('alt=""><p>Hällo</p>')
        simple = MIMEText("<p>Hello</p>", "html")
        simple["To"] = Header("Änn <ann@example.org>", "utf-8")
        assert track(simple, tracker, pixel).email == "ann@example.org"

    def test_html_alone_is_tracked(self, tracker, pixel):
        message = EmailMessage()
        message["To"] = "ann@example.org"
        message.set_content(HTML, subtype="html")
        track(message, tracker, pixel)
        assert "<body><img src=" in html_of(message)


class TestParts:
    def test_everything_but_the_html_stays(self, tracker, pixel):
        message = make()
        (_, html) = message.iter_parts()
        html.add_related(b"GIF89a", "image", "gif", cid="<logo>")
        message.add_attachment("<body>a file</body>", subtype="html", filename="report.html")
        message.add_attachment(make("<body>forwarded</body>"))
        before = message.as_bytes()
        recipient = track(message, tracker, pixel)
        tag = pixel_tag(tracker.tracking_url(pixel, recipient)).encode()
        assert message.as_bytes().replace(tag, b"") == before
        assert html_of(message).count("/tracker/") == 1

    def test_the_html_is_the_one_that_programs_show(self, tracker, pixel):
        """AMP comes before it, and what comes first in an alternative is what programs like least."""
        message = make("<p>simple</p>")
        message.add_alternative("<p>AMP</p>", subtype="x-amp-html")
        message.add_alternative("<p>rich</p>", subtype="html")
        track(message, tracker, pixel)
        assert ["/tracker/" in part.get_content() for part in message.iter_parts()] == [False, False, False, True]

    def test_the_root_of_related_parts_is_the_html(self, tracker, pixel):
        message = email.message_from_string(
            'To: ann@example.org\nContent-Type: multipart/related; boundary=b; start="<root>"\n\n'
            "--b\nContent-Type: text/html\n\n<p>a frame</p>\n--b\nContent-Type: text/html\nContent-ID: <root>\n\n"
            "<p>Hello</p>\n--b--\n"
        )
        track(message, tracker, pixel)
        assert ["/tracker/" in part.get_payload() for part in message.get_payload()] == [False, True]

    @pytest.mark.parametrize(
        "add",
        [
            lambda message: message.add_attachment("<p>a file</p>", subtype="html", filename="report.html"),
            lambda message: message.add_attachment("<p>a file</p>", subtype="html", disposition="inline", filename="x"),
            lambda message: message.add_attachment(make("<p>forwarded</p>")),
            lambda message: message,
        ],
    )
    def test_a_message_without_html_is_refused_or_passed_over(self, tracker, pixel, add):
        message = make(None)
        add(message)
        before = message.as_bytes()
        with pytest.raises(MessageNotTrackable, match="no HTML part"):
            track(message, tracker, pixel)
        assert track(message, tracker, pixel, missing_ok=True) is None
        assert message.as_bytes() == before
        assert list(tracker.iter_recipients(pixel)) == []

    def test_a_message_that_is_nothing_but_a_file_is_refused(self, tracker, pixel):
        message = make()
        message.clear_content()
        message.set_content("<p>a file</p>", subtype="html", filename="report.html", disposition="attachment")
        with pytest.raises(MessageNotTrackable, match="no HTML part"):
            track(message, tracker, pixel)

    def test_damaged_multiparts_are_refused(self, tracker, pixel):
        for text in (
            "multipart/mixed",
            "multipart/mixed; boundary=b",
            "multipart/related; boundary=b",
            "message/rfc822",
        ):
            message = email.message_from_string(f"To: ann@example.org\nContent-Type: {text}\n\n<p>Hello</p>\n")
            with pytest.raises(MessageNotTrackable):
                track(message, tracker, pixel)


PART = "--b\nContent-Type: text/html\n{}\n<p>\n--b--\n"
SIGNED = {
    "multipart/signed": "Content-Type: multipart/signed; boundary=b\n\n" + PART.format(""),
    "multipart/encrypted": "Content-Type: multipart/encrypted; boundary=b\n\n" + PART.format(""),
    "signed within": "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n"
    + PART.format("")
    + "--a\nContent-Type: text/html\n\n<p>a list's footer\n--a--\n",
    "S/MIME": "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA\n",
    "older S/MIME": "Content-Type: application/x-pkcs7-mime\n\nAAAA\n",
    "DKIM": "DKIM-Signature: v=1\nContent-Type: text/html\n\n<p>\n",
    "ARC": "ARC-Message-Signature: i=1\nContent-Type: text/html\n\n<p>\n",
    "checksum": "Content-Type: multipart/mixed; boundary=b\n\n" + PART.format("Content-MD5: x\n"),
    "PGP": "Content-Type: text/html\n\n<pre>-----BEGIN PGP SIGNED MESSAGE-----\n",
}


class TestRefusals:
    """A refused message is left as it was, and leaves no recipient behind."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tracker, pixel):
        yield
        assert list(tracker.iter_recipients(pixel)) == []

    def refuse(self, message, error, match, *arguments, **options):
        before = message.as_bytes()
        with pytest.raises(error, match=match):
            track(message, *arguments, **options)
        assert message.as_bytes() == before

    @pytest.mark.parametrize("text", SIGNED.values(), ids=SIGNED)
    def test_signed_and_encrypted_messages_are_refused(self, tracker, pixel, text):
        message = email.message_from_string(f"To: ann@example.org\n{text}")
        for missing_ok in (True, False):
            self.refuse(message, MessageNotTrackable, "signed", tracker, pixel, missing_ok=missing_ok)

    @pytest.mark.parametrize(
        "headers",
        [
            {"to": None},
            {"to": "undisclosed-recipients:;"},
            {"to": "ann@example.org, bob@example.org"},
            {"to": "ann@example.org", "Cc": "bob@example.org"},
            {"to": "ann@example.org", "Bcc": "bob@example.org"},
            {"to": "Team: ann@example.org, bob@example.org;"},
        ],
    )
    def test_a_message_that_does_not_go_to_one_address_is_refused(self, tracker, pixel, headers):
        self.refuse(make(**headers), MessageNotTrackable, "addresses in To, Cc and Bcc", tracker, pixel)

    def test_an_address_that_is_not_valid_is_refused(self, tracker, pixel):
        self.refuse(make(to="ann@localhost"), InvalidEmails, "Invalid email", tracker, pixel)

    def test_a_reference_that_is_not_valid_is_refused(self, tracker, pixel):
        self.refuse(make(), InvalidRecipients, "empty", tracker, pixel, ref="")

    def test_a_tracker_without_a_base_url_is_refused(self, memory, pixel):
        self.refuse(make(), InvalidSetting, "base_url", Tracker(memory), pixel)

    def test_an_unknown_pixel_is_refused(self, tracker):
        self.refuse(make(), PixelNotFound, "not found", tracker, "ffffffff")

    def test_an_unknown_recipient_and_one_of_another_pixel_are_refused(self, tracker, pixel):
        (other,) = tracker.generate_tokens(tracker.create_pixel("Other"), ["ann@example.org"])
        self.refuse(make(), RecipientNotFound, "not found", tracker, pixel, recipient="f" * 24)
        self.refuse(make(), InvalidArgument, "another", tracker, pixel, recipient=other)

    def test_a_recipient_together_with_a_reference_is_refused(self, tracker, pixel):
        self.refuse(make(), InvalidArgument, "recipient", tracker, pixel, "INV-1", recipient="f" * 24)

    def test_what_is_no_message_and_what_is_no_tracker_is_refused(self, tracker, pixel, memory):
        for arguments in (("<p>", tracker, pixel), (make(), memory, pixel), (make(), tracker, 7)):
            with pytest.raises(InvalidArgument):
                track(*arguments)

    def test_a_storage_that_fails_leaves_the_message_as_it_was(self, tracker, pixel, memory, monkeypatch):
        def fail(*_):
            raise MailtrackError("away")

        monkeypatch.setattr(memory, "add_recipients", fail)
        self.refuse(make(), MailtrackError, "away", tracker, pixel)

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("base64", "PHA+*"),
            ("base64", "PHA+ä"),
            ("base64", "PHA"),
            ("quoted-printable", "<p>ä"),
            ("x-uuencode", "begin 666 x\n"),
            ("7bit", "<p>\u20ac"),
        ],
    )
    def test_a_part_that_is_not_encoded_as_it_says_is_refused(self, tracker, pixel, encoding, body):
        message = Message()
        message["To"], message["Content-Type"] = "ann@example.org", "text/html"
        message["Content-Transfer-Encoding"] = encoding
        message.set_payload(body)
        with pytest.raises(MessageNotTrackable, match="its HTML part has"):
            track(message, tracker, pixel)
        assert message.get_payload() == body


@pytest.mark.parametrize(
    "headers",
    [
        {"to": '"Lee, Ann" <ann@example.org>'},
        {"to": "Ann <ann@example.org>", "Cc": "ANN@Example.org"},
        {"to": "Team: Ann <ann@example.org>;"},
        {"to": "undisclosed-recipients:;", "Bcc": "ann@example.org"},
        {"to": "ann@example.org (Ann)"},
        {"to": None, "Bcc": "ann@example.org"},
    ],
)
def test_one_address_is_one_however_often_and_with_whatever_name_it_is_written(tracker, pixel, headers):
    assert track(make(**headers), tracker, pixel).email.lower() == "ann@example.org"


def test_an_error_says_why_and_is_a_value_error(tracker, pixel):
    with pytest.raises(ValueError, match=r"^The message can't be tracked: it has no HTML part\.$") as caught:
        track(make(None), tracker, pixel)
    assert caught.value.reason == "it has no HTML part"
