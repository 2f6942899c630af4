"""The shapes of what the API takes and gives, as JSON Schemas by name."""

from typing import Any

from mailtrack._addresses import MAX_LENGTH as MAX_EMAIL_LENGTH
from mailtrack._model import MAX_NAME_LENGTH, Certainty, VerdictKind
from mailtrack._text import MAX_TEXT_LENGTH
from mailtrack.report import MAX_HOURS
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi._bodies import MAX_EMAILS, MAX_PROBLEMS

Schema = dict[str, Any]

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PIXEL_KEY_PATTERN = f"^({_UUID.replace('a-f', 'A-Fa-f')}|[0-9A-Fa-f]{{8}})$"
RECIPIENT_ID_PATTERN = "^[0-9a-f]{24}$"
IMAGE_PATTERN = rf"^{_UUID}\.(gif|jpg|png|webp)$"

# A name is what is left of it without blanks around it; control characters may be among those only.
_BLANK = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_IN_NAME, _AT_ENDS = f"[^{_CONTROL}]", f"[^{_CONTROL}{_BLANK}]"
NAME_PATTERN = f"^[{_BLANK}]*{_AT_ENDS}({_IN_NAME}{{0,{MAX_NAME_LENGTH - 2}}}{_AT_ENDS})?[{_BLANK}]*$"


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a string."""
    return {"type": "string", "description": description, **more}


def ref(name: str, description: str = "") -> Schema:
    """Return a reference to the schema of this name, and what it stands for where it is a property."""
    found = {"$ref": f"#/components/schemas/{name}"}
    return found | {"description": description} if description else found


def _number(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _flag(description: str, **more: Any) -> Schema:
    return {"type": "boolean", "description": description, **more}


def _list(of: Schema, description: str, **more: Any) -> Schema:
    return {"type": "array", "items": of, "description": description, **more}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(about: str, **properties: Schema) -> Schema:
    """Return the schema of an answer's object: it has these properties, always all of them, and no others."""
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _page(of: str, what: str) -> Schema:
    return _object(
        f"A part of a list of {what}.",
        items=_list(ref(of), f"The {what} in it."),
        next=_or_null(text("What to ask for as `cursor` to get the part that follows; `null` at the end.")),
    )


def _seconds(description: str) -> Schema:
    return {"type": ["number", "null"], "minimum": 0, "description": description}


def _share(description: str) -> Schema:
    return {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": description}


def _time(description: str) -> Schema:
    return text(description, format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


_PIXEL_ID = text("The pixel's UUID. Its first eight digits are the short id.", format="uuid", pattern=f"^{_UUID}$")
_RECIPIENT_ID = text("The recipient's id, 24 hex digits.", pattern=RECIPIENT_ID_PATTERN)
_EMAIL = text("The address: its domain in lower case and Unicode, the local part as it was first given.")
_TOKEN = text("The secret that stands for the recipient.", pattern="^tok_[0-9a-f]{32}$")
_DONE = {"type": "boolean", "const": True, "description": "Always `true`."}
_NAME = text(
    f"What the mailing is called, 1 to {MAX_NAME_LENGTH} characters. Blanks around it are cut off; control characters "
    "are refused.",
    minLength=1,
    pattern=NAME_PATTERN,
)


def _url(description: str) -> Schema:
    return text(description, format="uri")


SCHEMAS: dict[str, Schema] = {
    "NewPixel": {
        "type": "object",
        "description": "A pixel to create.",
        "properties": {"name": _NAME},
        "required": ["name"],
    },
    "NewPixelWithImage": {
        "type": "object",
        "description": "A pixel to create, as a form with a file.",
        "properties": {
            "name": _NAME,
            "image": text(
                "A file to show instead of the transparent pixel: JPG, PNG, GIF or WebP, at most 5,242,880 bytes, "
                "50 megapixels in all frames together, and 1,000 frames. Limits are lower for some kinds: 12.5 "
                "megapixels for a WebP that is lossless or transparent, 25 for a progressive JPEG (12.5 with colours "
                "at full resolution) and for a PNG of 64 bits a pixel. The content decides the type, not the name. "
                "The picture is kept as it is, without its metadata.",
                format="binary",
            ),
        },
        "required": ["name"],
    },
    "NewTokens": {
        "type": "object",
        "description": "Addresses to make tokens for.",
        "properties": {
            "emails": _list(
                {"type": "string", "format": "email", "maxLength": MAX_EMAIL_LENGTH},
                f"1 to {MAX_EMAILS:,} addresses. All must be valid, or nothing is done. An address that is given "
                "twice, in whatever case, counts once.",
                minItems=1,
                maxItems=MAX_EMAILS,
            )
        },
        "required": ["emails"],
    },
    "Pixel": _object(
        "A pixel: a tracked mailing and its image.",
        id=_PIXEL_ID,
        name=text("What it is called.", minLength=1, maxLength=MAX_NAME_LENGTH),
        createdAt=_time("When it was made."),
        imagePath=_or_null(
            text(
                "Where its own image is served, below the base URL; `null` for the transparent pixel.",
                pattern=IMAGE_PATTERN.replace("^", "^/uploads/"),
            )
        ),
        recipients=_number("How many recipients it has."),
        opens=ref("OpenSpan", "All of its opens."),
        counted=ref("OpenSpan", "Those that are taken for a person's."),
        views=_number("How many opens were no repeats of one a few seconds before."),
        countedViews=_number("How many of those count."),
        opened=_number("How many recipients have an open that counts."),
        openedRaw=_number("How many recipients have any open."),
        trackingUrl=_url("The URL of its image, to put into a mail. With `?token=` it tells whose open it is."),
        logsUrl=_url("The page that shows its opens."),
    ),
    "PixelPage": _page("Pixel", "pixels, the newest first"),
    "PixelDeleted": _object(
        "A pixel was deleted.", success=_DONE, message=text("What was done.", const="Pixel deleted successfully")
    ),
    "OpenSpan": _object(
        "How many opens there are, from when to when.",
        number=_number("How many."),
        first=_or_null(_time("The time of the earliest; `null` without any.")),
        last=_or_null(_time("The time of the latest; `null` without any.")),
    ),
    "Token": _object(
        "A recipient's token.",
        email=_EMAIL,
        token=_TOKEN,
        trackingUrl=_url("The URL to put into this recipient's mail."),
        recipientId=_RECIPIENT_ID,
    ),
    "Tokens": _object(
        "The tokens that were made, or were there already.",
        success=_DONE,
        pixelId=_PIXEL_ID,
        generated={"type": "integer", "minimum": 1, "maximum": MAX_EMAILS, "description": "How many tokens there are."},
        tokens=_list(
            ref("Token"),
            "One for each distinct address, in the order of first appearance.",
            minItems=1,
            maxItems=MAX_EMAILS,
        ),
    ),
    "Recipient": _object(
        "A recipient: one address in one pixel.",
        id=_RECIPIENT_ID,
        email=_EMAIL,
        token=_TOKEN,
        createdAt=_time("When its token was made."),
        opens=ref("OpenSpan", "All of its opens."),
        counted=ref("OpenSpan", "Those that are taken for a person's."),
        trackingUrl=_url("The URL to put into this recipient's mail."),
    ),
    "RecipientPage": _page("Recipient", "recipients, in the order of their creation"),
    "RecipientDeleted": _object(
        "A recipient was deleted.",
        success=_DONE,
        message=text("What was done.", const="Recipient deleted successfully"),
        deletedEmail=_EMAIL,
    ),
    "Open": _object(
        "An open: a request for a pixel's image, with its verdict.",
        id=text("The open's id.", minLength=1),
        recipientId=_or_null(
            text(
                "Whose open it is; `null` where the URL had no token of this pixel. It outlives the recipient.",
                pattern=RECIPIENT_ID_PATTERN,
            )
        ),
        token=_or_null(
            text("That recipient's token; `null` once the recipient is deleted.", pattern=_TOKEN["pattern"])
        ),
        openedAt=_time("When the image was asked for."),
        ip=_or_null(text("The address that it was asked from; `null` where it is not known.")),
        userAgent=text(
            f"What the client calls itself, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH
        ),
        referer=text(
            f"Where the client says it comes from, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH
        ),
        verdict=ref("Verdict", "What kind of fetch it was."),
        client=ref("Client", "The program that asked."),
        counted=_flag("Whether it is taken for a person's."),
    ),
    "OpenPage": _page("Open", "opens, the last arrived first"),
    "Verdict": _object(
        "What kind of fetch an open was, and why.",
        kind=text("What it was.", enum=[kind.value for kind in VerdictKind]),
        vendor=_or_null(text("Whose program it was; `null` where that is not known.")),
        reasons=_list({"type": "string"}, "The rules that decided, the decisive one first."),
        certainty={
            "type": ["string", "null"],
            "enum": [*(certainty.value for certainty in Certainty), None],
            "description": "How sure it is; `null` where nothing was decided.",
        },
        rulesVersion=_number("The version of the rules that judged; 0 where none did."),
    ),
    "Client": _object(
        "The program that asked for the image, as far as its user agent tells.",
        name=text("Its name, or `unknown`."),
        version=text("The first number of its version; empty where that is not known."),
        os=text("Its operating system, or `unknown`."),
        device=text("The kind of device: `desktop`, `mobile`, `tablet`, `other` or `unknown`."),
    ),
    "Count": _object(
        "A number of opens or recipients.",
        counted=_number("Those that are taken for people's."),
        raw=_number("All of them, with machines'."),
    ),
    "Report": _object(
        "The figures of a pixel at one moment.",
        pixel=ref("Pixel", "The pixel."),
        timeZone=text("In which hours and days begin."),
        recipients=_number("How many recipients there are: the base of `rate`."),
        rateBase=text("What `rate` is a share of.", const="recipients"),
        opened=ref("Count", "How many recipients have opened."),
        rate=ref("Rate", "That as a share of all recipients."),
        notOpened=_number("How many recipients have no open that counts."),
        fetches=ref("Count", "How often the image was asked for: all opens."),
        views=ref("Count", "The same without repeats within seconds."),
        delay=ref("Delay", "How long it took until the first open."),
        delays=_list(ref("DelayRange"), "Recipients by the time to their first open, in order.", minItems=1),
        hours=_list(
            ref("Period"), f"Opens by hour, in order; the last {MAX_HOURS} hours that have any.", maxItems=MAX_HOURS
        ),
        days=_list(ref("Period"), "Opens by day, in order; days without any are left out."),
        hoursOfDay=_list(ref("Count"), "Opens by the hour of the day in which they came.", minItems=24, maxItems=24),
        verdicts=_list(
            ref("Named"),
            "Opens by kind of verdict, the most frequent first, as in all below.",
            maxItems=len(VerdictKind),
        ),
        vendors=_list(ref("Named"), "Opens by vendor, where that is known.", maxItems=MAX_TOP),
        clients=_list(ref("Named"), "Opens by client.", maxItems=MAX_TOP),
        systems=_list(ref("Named"), "Opens by operating system.", maxItems=MAX_TOP),
        devices=_list(ref("Named"), "Opens by kind of device.", maxItems=MAX_TOP),
        top=_list(ref("Recipient"), "The recipients with the most opens that count, at least two.", maxItems=MAX_TOP),
    ),
    "Rate": _object(
        "The recipients who have opened as a share of all, from 0 to 1; `null` where there are none.",
        counted=_share("With an open that counts."),
        raw=_share("With any open."),
    ),
    "Delay": _object(
        "The median time from the making of a token to its first open, in seconds, within 5 %; `null` without any.",
        counted=_seconds("To the first open that counts."),
        raw=_seconds("To the first of all."),
    ),
    "DelayRange": _object(
        "Recipients whose first open came within a time, and not within the range before.",
        within=_seconds("The end of the range, in seconds; `null` for all that took longer."),
        recipients=ref("Count", "How many recipients."),
    ),
    "Period": _object(
        "Opens in an hour or a day.",
        start=text("When it begins, in the report's time zone.", format="date-time"),
        opens=ref("Count", "How many opens."),
    ),
    "Named": _object(
        "Opens that have something in common.", name=text("What that is."), opens=ref("Count", "How many opens.")
    ),
    "Status": _object("All is well.", status=text("What is the matter.", const="ok")),
    "Error": _object("What went wrong.", error=text("The reason, for people.", minLength=1)),
    "InvalidTokens": {
        **_object(
            "Why no tokens were made.",
            error=text("The reason, for people.", minLength=1),
            invalid=_list(
                ref("InvalidEmail"),
                f"Where `error` is `Invalid email format`: the bad addresses, the first {MAX_PROBLEMS}.",
                minItems=1,
                maxItems=MAX_PROBLEMS,
            ),
        ),
        "required": ["error"],
    },
    "InvalidEmail": _object(
        "A bad address.",
        index=_number("Its place in `emails`, counted from 0."),
        reason=text("What is wrong with it.", minLength=1),
    ),
    "Document": {
        "type": "object",
        "description": "An OpenAPI 3.1 document.",
        "properties": {
            "openapi": text("The version of OpenAPI.", pattern=r"^3\.1\."),
            "info": {"type": "object"},
            "paths": {"type": "object"},
        },
        "required": ["openapi", "info", "paths"],
    },
}
"""Every schema, by name. Objects in answers have all of their properties and no others."""
