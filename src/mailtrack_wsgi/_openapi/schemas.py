"""JSON Schemas of the objects in requests and answers, by name."""

from typing import Any

from mailtrack._addresses import MAX_LENGTH as MAX_EMAIL_LENGTH
from mailtrack._model import MAX_NAME_LENGTH, Certainty, RecipientState, VerdictKind
from mailtrack._rate_text import MEANINGS as RATE
from mailtrack._text import MAX_TEXT_LENGTH
from mailtrack._urls import UPLOADS_PATH
from mailtrack.report import MAX_HOURS
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi._bodies import MAX_EMAILS, MAX_JSON_BYTES, MAX_PROBLEMS

Schema = dict[str, Any]

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PIXEL_KEY_PATTERN = f"^({_UUID.replace('a-f', 'A-Fa-f')}|[0-9A-Fa-f]{{8}})$"
RECIPIENT_ID_PATTERN = "^[0-9a-f]{24}$"
IMAGE_PATTERN = rf"^{_UUID}\.(gif|jpg|png|webp)$"

# Blanks around a name are cut off, so control characters may be among those only.
_BLANK = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_IN_NAME, _AT_ENDS = f"[^{_CONTROL}]", f"[^{_CONTROL}{_BLANK}]"
NAME_PATTERN = f"^[{_BLANK}]*{_AT_ENDS}({_IN_NAME}{{0,{MAX_NAME_LENGTH - 2}}}{_AT_ENDS})?[{_BLANK}]*$"


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a string."""
    return {"type": "string", "description": description, **more}


def ref(name: str, description: str = "") -> Schema:
    """Return a reference to the schema of this name, with a description if it is a property."""
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
    """Return the schema of an object in an answer, which has exactly these properties, all of them required."""
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _page(of: str, what: str) -> Schema:
    return _object(
        f"A page of a list of {what}.",
        items=_list(ref(of), f"The {what} on it."),
        next=_or_null(text("The value of `cursor` for the following page; `null` on the last.")),
    )


def _seconds(description: str) -> Schema:
    return {"type": ["number", "null"], "minimum": 0, "description": description}


def _share(description: str) -> Schema:
    return {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": description}


def _time(description: str) -> Schema:
    return text(description, format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


_PIXEL_ID = text("The pixel's UUID. Its first eight digits are the short id.", format="uuid", pattern=f"^{_UUID}$")
_RECIPIENT_ID = text("The recipient's id, 24 hex digits.", pattern=RECIPIENT_ID_PATTERN)
_EMAIL = text("The address: its domain in lower case and Unicode, its local part as first given.")
_TOKEN = text("The secret that identifies the recipient.", pattern="^tok_[0-9a-f]{32}$")
_DONE = {"type": "boolean", "const": True, "description": "Always `true`."}
_NAME = text(
    f"The name of the mailing, 1 to {MAX_NAME_LENGTH} characters. Blanks around it are cut off; control characters are "
    "refused.",
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
        "description": "A pixel to create, as a form with an optional file.",
        "properties": {
            "name": _NAME,
            "image": text(
                "A file to show instead of the transparent pixel: JPG, PNG, GIF or WebP, at most 5,242,880 bytes, "
                "50 megapixels in all frames together, and 1,000 frames. Some kinds have lower limits: 12.5 "
                "megapixels for a lossless or transparent WebP, 25 for a progressive JPEG (12.5 with colours at full "
                "resolution) and for a PNG of 64 bits a pixel. The type is taken from the content, not the name. The "
                "image is stored unchanged, except that its metadata is removed.",
                format="binary",
            ),
        },
        "required": ["name"],
    },
    "NewTokens": {
        "type": "object",
        "description": "Addresses to generate tokens for.",
        "properties": {
            "emails": _list(
                {"type": "string", "format": "email", "maxLength": MAX_EMAIL_LENGTH},
                f"1 to {MAX_EMAILS:,} addresses. If one is not valid, nothing is done. An address given twice, "
                "in any case, counts once.",
                minItems=1,
                maxItems=MAX_EMAILS,
            )
        },
        "required": ["emails"],
    },
    "Pixel": _object(
        "A pixel: a tracked mailing and its image.",
        id=_PIXEL_ID,
        name=text("Its name.", minLength=1, maxLength=MAX_NAME_LENGTH),
        createdAt=_time("When it was created."),
        imagePath=_or_null(
            text(
                "Path of its own image below the base URL; `null` for the transparent pixel.",
                pattern=IMAGE_PATTERN.replace("^", f"^{UPLOADS_PATH}"),
            )
        ),
        recipients=_number("Number of its recipients."),
        opens=ref("OpenSpan", "All of its opens (raw)."),
        counted=ref("OpenSpan", "The opens attributed to people."),
        views=_number("Number of opens without repeats within seconds."),
        countedViews=_number("The same for opens that count."),
        opened=_number("Number of recipients with an open that counts."),
        openedRaw=_number("Number of recipients with any open."),
        prefetched=_number("Number of recipients in the state `prefetched`."),
        trackingUrl=_url(
            "The URL of its image, to put into a mail. With `?token=`, opens are attributed to a recipient."
        ),
        logsUrl=_url("The page that shows its opens."),
    ),
    "PixelPage": _page("Pixel", "pixels, the newest first"),
    "PixelDeleted": _object(
        "A pixel was deleted.", success=_DONE, message=text("A message for people.", const="Pixel deleted successfully")
    ),
    "OpenSpan": _object(
        "A number of opens, with the times of the first and the last.",
        number=_number("Number of opens."),
        first=_or_null(_time("When the earliest came; `null` without any.")),
        last=_or_null(_time("When the latest came; `null` without any.")),
    ),
    "Token": _object(
        "A recipient's token.",
        email=_EMAIL,
        token=_TOKEN,
        trackingUrl=_url("The URL to put into this recipient's mail."),
        recipientId=_RECIPIENT_ID,
    ),
    "Tokens": _object(
        "The tokens of the addresses, new or existing.",
        success=_DONE,
        pixelId=_PIXEL_ID,
        generated={"type": "integer", "minimum": 1, "maximum": MAX_EMAILS, "description": "Number of tokens."},
        tokens=_list(
            ref("Token"),
            "One for each distinct address, in the order of first appearance.",
            minItems=1,
            maxItems=MAX_EMAILS,
        ),
    ),
    "Sent": {
        "type": "object",
        "description": "The mails that were sent, and when.",
        "properties": {
            "recipientIds": _or_null(
                _list(
                    {"type": "string"},
                    "Ids of recipients; without it or with `null`, all of the pixel. Others' ids are passed over. "
                    f"There may be any number within the body's {MAX_JSON_BYTES:,} bytes.",
                )
            ),
            "at": _or_null(
                text(
                    "When they were sent, with an offset from UTC; without it or with `null`, now. Not in the future, "
                    "and not before a token of theirs was generated.",
                    format="date-time",
                )
            ),
        },
        "additionalProperties": False,
    },
    "MarkedSent": _object(
        "Mails were marked as sent.", success=_DONE, sent=_number("Number of recipients that were marked.")
    ),
    "Recipient": _object(
        "A recipient: one address in one pixel.",
        id=_RECIPIENT_ID,
        email=_EMAIL,
        token=_TOKEN,
        createdAt=_time("When its token was generated."),
        sentAt=_or_null(_time("When its mail was sent; `null` if that is not known.")),
        state=text(
            "`opened`: it has an open that counts. Without one: `prefetched`, if one of its opens is a prefetch, so "
            "that it can't be known whether a person saw the mail; `scanned`, if it has other opens; `none`, if it has "
            "no opens.",
            enum=[state.value for state in RecipientState],
        ),
        opens=ref("OpenSpan", "All of its opens (raw)."),
        counted=ref("OpenSpan", "The opens attributed to people."),
        trackingUrl=_url("The URL to put into this recipient's mail."),
    ),
    "RecipientPage": _page("Recipient", "recipients, in order of creation"),
    "RecipientDeleted": _object(
        "A recipient was deleted.",
        success=_DONE,
        message=text("A message for people.", const="Recipient deleted successfully"),
        deletedEmail=_EMAIL,
    ),
    "Open": _object(
        "An open: a request for a pixel's image, with its verdict.",
        id=text("The open's id.", minLength=1),
        recipientId=_or_null(
            text(
                "The id of its recipient; `null` if the URL had no token of this pixel. Outlives the recipient.",
                pattern=RECIPIENT_ID_PATTERN,
            )
        ),
        token=_or_null(
            text("That recipient's token; `null` once the recipient is deleted.", pattern=_TOKEN["pattern"])
        ),
        openedAt=_time("When the image was requested."),
        ip=_or_null(text("The client's IP address; `null` if it is not known.")),
        userAgent=text(f"The client's `User-Agent`, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH),
        referer=text(f"The client's `Referer`, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH),
        verdict=ref("Verdict", "Who or what opened it."),
        client=ref("Client", "The program that requested the image."),
        counted=_flag("Whether it is attributed to a person."),
    ),
    "OpenPage": _page("Open", "opens, the last recorded first"),
    "Verdict": _object(
        "Who or what an open is attributed to, and why.",
        kind=text("The kind of client.", enum=[kind.value for kind in VerdictKind]),
        vendor=_or_null(text("The vendor of the program; `null` if it is not known.")),
        reasons=_list({"type": "string"}, "The rules that matched, the decisive one first."),
        certainty={
            "type": ["string", "null"],
            "enum": [*(certainty.value for certainty in Certainty), None],
            "description": "How certain the verdict is; `null` if no rule matched.",
        },
        rulesVersion=_number("The version of the rules; 0 if the open was not judged."),
    ),
    "Client": _object(
        "The program that requested the image, according to its user agent.",
        name=text("Its name, or `unknown`."),
        version=text("The first number of its version; empty if it is not known."),
        os=text("Its operating system, or `unknown`."),
        device=text("The kind of device: `desktop`, `mobile`, `tablet`, `other` or `unknown`."),
    ),
    "Count": _object(
        "A number of opens or recipients.",
        counted=_number("Those attributed to people."),
        raw=_number("All of them, including machines."),
    ),
    "Report": _object(
        "The figures of a pixel at one moment.",
        pixel=ref("Pixel", "The pixel."),
        timeZone=text("The time zone in which hours and days begin."),
        recipients=_number("Number of recipients: the base of `rate`."),
        rateBase=text("The base of `rate`.", const="recipients"),
        opened=ref("Count", "Number of recipients who have opened."),
        rate=ref("Rate", "The same as shares."),
        notOpened=_number("Number of recipients without an open that counts."),
        prefetched=_number("Number of those among them in the state `prefetched`."),
        fetches=ref("Count", "Number of requests for the image: all opens."),
        views=ref("Count", "The same without repeats within seconds."),
        delay=ref("Delay", "Median time from the mail to the first open."),
        delays=_list(ref("DelayRange"), "Recipients by the same time, in order.", minItems=1),
        hours=_list(
            ref("Period"), f"Opens by hour, in order; the last {MAX_HOURS} hours with any.", maxItems=MAX_HOURS
        ),
        days=_list(ref("Period"), "Opens by day, in order; days without any are left out."),
        hoursOfDay=_list(ref("Count"), "Opens by hour of the day.", minItems=24, maxItems=24),
        verdicts=_list(
            ref("Named"),
            "Opens by kind of verdict. Like all below, the most frequent first.",
            maxItems=len(VerdictKind),
        ),
        vendors=_list(ref("Named"), "Opens by vendor, if it is known.", maxItems=MAX_TOP),
        clients=_list(ref("Named"), "Opens by client.", maxItems=MAX_TOP),
        systems=_list(ref("Named"), "Opens by operating system.", maxItems=MAX_TOP),
        devices=_list(ref("Named"), "Opens by kind of device.", maxItems=MAX_TOP),
        top=_list(
            ref("Recipient"), "The recipients with the most opens that count, at least two each.", maxItems=MAX_TOP
        ),
    ),
    "Rate": _object(
        "Recipients who have opened as shares, 0 to 1; `null` without recipients to take a share of.",
        counted=_share(RATE["counted"]),
        raw=_share(RATE["raw"]),
        measurable=_share(RATE["measurable"]),
        lower=_share(RATE["bounds"]),
        upper=_share(RATE["bounds"]),
    ),
    "Delay": _object(
        "The median time from sending a mail, or where that is not known, from generating its token, to its first "
        "open, in seconds, within 5 %; `null` without any.",
        counted=_seconds("To the first open that counts."),
        raw=_seconds("To the first of all."),
    ),
    "DelayRange": _object(
        "Recipients whose first open came within a range of time.",
        within=_seconds("The end of the range, in seconds; `null` for the last, which has none."),
        recipients=ref("Count", "Number of recipients."),
    ),
    "Period": _object(
        "Opens in an hour or a day.",
        start=text("When it begins, in the report's time zone.", format="date-time"),
        opens=ref("Count", "Number of opens."),
    ),
    "Named": _object(
        "Opens of one name in a breakdown.", name=text("The name."), opens=ref("Count", "Number of opens.")
    ),
    "Status": _object("The status of the server.", status=text("Always `ok`.", const="ok")),
    "Error": _object("An error.", error=text("The reason, for people.", minLength=1)),
    "InvalidTokens": {
        **_object(
            "An error in a request for tokens.",
            error=text("The reason, for people.", minLength=1),
            invalid=_list(
                ref("InvalidEmail"),
                f"If `error` is `Invalid email format`: the invalid addresses, the first {MAX_PROBLEMS}.",
                minItems=1,
                maxItems=MAX_PROBLEMS,
            ),
        ),
        "required": ["error"],
    },
    "InvalidEmail": _object(
        "An invalid address.",
        index=_number("Its place in `emails`, counted from 0."),
        reason=text("Why it is not valid.", minLength=1),
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
"""Every schema by name. An object in an answer has all of its properties and no others."""
