"""JSON Schemas of the objects in requests and answers, by name."""

from mailtrack._addresses import MAX_LENGTH as MAX_EMAIL_LENGTH
from mailtrack._json_data import MAX_DATA_BYTES, MAX_DATA_DEPTH
from mailtrack._model import MAX_NAME_LENGTH, MAX_NOTE_LENGTH, Certainty, RecipientState, VerdictKind
from mailtrack._new_recipients import MAX_REF_LENGTH
from mailtrack._rate_text import MEANINGS as RATE
from mailtrack._text import MAX_TEXT_LENGTH
from mailtrack._urls import UPLOADS_PATH
from mailtrack.report import MAX_HOURS
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi._bodies import MAX_EMAILS, MAX_JSON_BYTES, MAX_PROBLEMS
from mailtrack_wsgi._openapi.event_schemas import EVENT_SCHEMAS
from mailtrack_wsgi._openapi.schema_types import (
    DONE,
    EMAIL,
    IMAGE_PATTERN,
    NAME,
    NOTE_PATTERN,
    PIXEL_ID,
    RECIPIENT_ID,
    RECIPIENT_ID_PATTERN,
    REF_PATTERN,
    TOKEN,
    Schema,
    array,
    flag,
    number,
    object_,
    or_null,
    page_of,
    ref,
    seconds,
    share,
    text,
    time,
    url,
)
from mailtrack_wsgi._openapi.webhook_schemas import WEBHOOK_SCHEMAS

_RECIPIENT = {
    "id": RECIPIENT_ID,
    "email": EMAIL,
    "ref": or_null(text("Its reference; `null` without one.")),
    "data": {"type": ["object", "null"], "description": "Its data; `null` without any."},
    "token": TOKEN,
    "createdAt": time("When its token was generated."),
    "sentAt": or_null(time("When its mail was sent; `null` if that is not known.")),
    "state": text(
        "`opened`: it has an open that counts. Without one: `prefetched`, if one of its opens is a prefetch, so "
        "that it can't be known whether a person saw the mail; `scanned`, if it has other opens; `none`, if it has "
        "no opens.",
        enum=[state.value for state in RecipientState],
    ),
    "opens": ref("OpenSpan", "All of its opens (raw)."),
    "counted": ref("OpenSpan", "The opens attributed to people."),
    "trackingUrl": url("The URL to put into this recipient's mail."),
}

SCHEMAS: dict[str, Schema] = {
    "NewPixel": {
        "type": "object",
        "description": "A pixel to create.",
        "properties": {"name": NAME},
        "required": ["name"],
    },
    "NewPixelWithImage": {
        "type": "object",
        "description": "A pixel to create, as a form with an optional file.",
        "properties": {
            "name": NAME,
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
    "PixelChange": {
        "type": "object",
        "description": "What to change of a pixel; what is left out stays.",
        "properties": {
            "name": NAME,
            "archived": flag("Whether the dashboard and the list leave it out. It goes on tracking."),
            "note": text(f"A note for people, at most {MAX_NOTE_LENGTH:,} characters.", pattern=NOTE_PATTERN),
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "NewTokens": {
        "type": "object",
        "description": "Addresses, or recipients with references, to generate tokens for: one of both.",
        "properties": {
            "emails": array(
                {"type": "string", "format": "email", "maxLength": MAX_EMAIL_LENGTH},
                f"1 to {MAX_EMAILS:,} addresses. If one is not valid, nothing is done. An address given twice, "
                "in any case, counts once.",
                minItems=1,
                maxItems=MAX_EMAILS,
            ),
            "recipients": array(
                ref("NewRecipient"),
                f"1 to {MAX_EMAILS:,} recipients. If one is not valid, nothing is done. An address given twice with "
                "the same reference counts once.",
                minItems=1,
                maxItems=MAX_EMAILS,
            ),
        },
        "oneOf": [{"required": ["emails"]}, {"required": ["recipients"]}],
    },
    "NewRecipient": {
        "type": "object",
        "description": "A recipient to generate a token for: one address and one reference.",
        "properties": {
            "email": {
                "type": "string",
                "format": "email",
                "maxLength": MAX_EMAIL_LENGTH,
                "description": "The address.",
            },
            "ref": or_null(
                text(
                    f"Your reference, such as the number of an invoice: 1 to {MAX_REF_LENGTH} characters, compared as "
                    "written. Without it or with `null`, the recipient has none.",
                    minLength=1,
                    maxLength=MAX_REF_LENGTH,
                    pattern=REF_PATTERN,
                )
            ),
            "data": or_null(
                {
                    "type": "object",
                    "description": f"Data of your own: at most {MAX_DATA_BYTES:,} bytes as compact JSON in UTF-8, "
                    f"{MAX_DATA_DEPTH} levels deep, without NUL characters. It replaces the former; without it or with "
                    "`null`, that stays.",
                }
            ),
        },
        "required": ["email"],
        "additionalProperties": False,
    },
    "Pixel": object_(
        "A pixel: a tracked mailing and its image.",
        id=PIXEL_ID,
        name=text("Its name.", minLength=1, maxLength=MAX_NAME_LENGTH),
        createdAt=time("When it was created."),
        imagePath=or_null(
            text(
                "Path of its own image below the base URL; `null` for the transparent pixel.",
                pattern=IMAGE_PATTERN.replace("^", f"^{UPLOADS_PATH}"),
            )
        ),
        archived=flag("Whether the dashboard and the list leave it out."),
        note=text("A note for people.", maxLength=MAX_NOTE_LENGTH),
        recipients=number("Number of its recipients."),
        opens=ref("OpenSpan", "All of its opens (raw)."),
        counted=ref("OpenSpan", "The opens attributed to people."),
        views=number("Number of opens without repeats within seconds."),
        countedViews=number("The same for opens that count."),
        opened=number("Number of recipients with an open that counts."),
        openedRaw=number("Number of recipients with any open."),
        prefetched=number("Number of recipients in the state `prefetched`."),
        trackingUrl=url(
            "The URL of its image, to put into a mail. With `?token=`, opens are attributed to a recipient."
        ),
        logsUrl=url("The page that shows its opens."),
    ),
    "PixelPage": page_of("Pixel", "pixels, the newest first"),
    "PixelDeleted": object_(
        "A pixel was deleted.", success=DONE, message=text("A message for people.", const="Pixel deleted successfully")
    ),
    "OpenSpan": object_(
        "A number of opens, with the times of the first and the last.",
        number=number("Number of opens."),
        first=or_null(time("When the earliest came; `null` without any.")),
        last=or_null(time("When the latest came; `null` without any.")),
    ),
    "Token": {
        **object_(
            "A recipient's token.",
            email=EMAIL,
            token=TOKEN,
            trackingUrl=url("The URL to put into this recipient's mail."),
            recipientId=RECIPIENT_ID,
            ref=text("The recipient's reference, if it has one."),
            data={"type": "object", "description": "The recipient's data, if it has any."},
        ),
        "required": ["email", "token", "trackingUrl", "recipientId"],
    },
    "Tokens": object_(
        "The tokens of the recipients, new or existing.",
        success=DONE,
        pixelId=PIXEL_ID,
        generated={"type": "integer", "minimum": 1, "maximum": MAX_EMAILS, "description": "Number of tokens."},
        tokens=array(
            ref("Token"),
            "One for each distinct address and reference, in the order of first appearance.",
            minItems=1,
            maxItems=MAX_EMAILS,
        ),
    ),
    "Sent": {
        "type": "object",
        "description": "The mails that were sent, and when.",
        "properties": {
            "recipientIds": or_null(
                array(
                    {"type": "string"},
                    "Ids of recipients; without it or with `null`, all of the pixel. Others' ids are passed over. "
                    f"There may be any number within the body's {MAX_JSON_BYTES:,} bytes.",
                )
            ),
            "at": or_null(
                text(
                    "When they were sent, with an offset from UTC; without it or with `null`, now. Not in the future, "
                    "and not before a token of theirs was generated.",
                    format="date-time",
                )
            ),
        },
        "additionalProperties": False,
    },
    "MarkedSent": object_(
        "Mails were marked as sent.", success=DONE, sent=number("Number of recipients that were marked.")
    ),
    "Recipient": object_("A recipient: one address and one reference in one pixel.", **_RECIPIENT),
    "FoundRecipient": object_(
        "A recipient, with its pixel.",
        **_RECIPIENT,
        pixelId=PIXEL_ID,
        pixelName=text("The name of its pixel."),
    ),
    "RecipientPage": page_of("Recipient", "recipients, in order of creation"),
    "FoundRecipientPage": page_of("FoundRecipient", "recipients, the newest first"),
    "RecipientDeleted": object_(
        "A recipient was deleted.",
        success=DONE,
        message=text("A message for people.", const="Recipient deleted successfully"),
        deletedEmail=EMAIL,
    ),
    "ErasedPerson": {
        "type": "object",
        "description": "The address to erase.",
        "properties": {"email": text("The address, in any case.", format="email", maxLength=MAX_EMAIL_LENGTH)},
        "required": ["email"],
    },
    "Erased": object_(
        "A person was erased.",
        success=DONE,
        recipients=number("Number of recipients that were deleted, over all pixels."),
        opens=number("Number of their opens, which stay without recipient, address, user agent and referer."),
    ),
    "Open": object_(
        "An open: a request for a pixel's image, with its verdict.",
        id=text("The open's id.", minLength=1),
        recipientId=or_null(
            text(
                "The id of its recipient; `null` if the URL had no token of this pixel, or the person was "
                "erased. Outlives a deleted recipient.",
                pattern=RECIPIENT_ID_PATTERN,
            )
        ),
        token=or_null(text("That recipient's token; `null` once the recipient is deleted.", pattern=TOKEN["pattern"])),
        openedAt=time("When the image was requested."),
        ip=or_null(text("The client's IP address; `null` if it is not known.")),
        userAgent=text(f"The client's `User-Agent`, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH),
        referer=text(f"The client's `Referer`, cut at {MAX_TEXT_LENGTH} characters.", maxLength=MAX_TEXT_LENGTH),
        verdict=ref("Verdict", "Who or what opened it."),
        client=ref("Client", "The program that requested the image."),
        counted=flag("Whether it is attributed to a person."),
    ),
    "OpenPage": page_of("Open", "opens, the last recorded first"),
    **EVENT_SCHEMAS,
    "Verdict": object_(
        "Who or what an open is attributed to, and why.",
        kind=text("The kind of client.", enum=[kind.value for kind in VerdictKind]),
        vendor=or_null(text("The vendor of the program; `null` if it is not known.")),
        reasons=array({"type": "string"}, "The rules that matched, the decisive one first."),
        certainty={
            "type": ["string", "null"],
            "enum": [*(certainty.value for certainty in Certainty), None],
            "description": "How certain the verdict is; `null` if no rule matched.",
        },
        rulesVersion=number("The version of the rules; 0 if the open was not judged."),
    ),
    "Client": object_(
        "The program that requested the image, according to its user agent.",
        name=text("Its name, or `unknown`."),
        version=text("The first number of its version; empty if it is not known."),
        os=text("Its operating system, or `unknown`."),
        device=text("The kind of device: `desktop`, `mobile`, `tablet`, `other` or `unknown`."),
    ),
    "Count": object_(
        "A number of opens or recipients.",
        counted=number("Those attributed to people."),
        raw=number("All of them, including machines."),
    ),
    "Report": object_(
        "The figures of a pixel at one moment.",
        pixel=ref("Pixel", "The pixel."),
        timeZone=text("The time zone in which hours and days begin."),
        recipients=number("Number of recipients: the base of `rate`."),
        rateBase=text("The base of `rate`.", const="recipients"),
        opened=ref("Count", "Number of recipients who have opened."),
        rate=ref("Rate", "The same as shares."),
        notOpened=number("Number of recipients without an open that counts."),
        prefetched=number("Number of those among them in the state `prefetched`."),
        fetches=ref("Count", "Number of requests for the image: all opens."),
        views=ref("Count", "The same without repeats within seconds."),
        delay=ref("Delay", "Median time from the mail to the first open."),
        delays=array(ref("DelayRange"), "Recipients by the same time, in order.", minItems=1),
        hours=array(
            ref("Period"), f"Opens by hour, in order; the last {MAX_HOURS} hours with any.", maxItems=MAX_HOURS
        ),
        days=array(ref("Period"), "Opens by day, in order; days without any are left out."),
        hoursOfDay=array(ref("Count"), "Opens by hour of the day.", minItems=24, maxItems=24),
        verdicts=array(
            ref("Named"),
            "Opens by kind of verdict. Like all below, the most frequent first.",
            maxItems=len(VerdictKind),
        ),
        vendors=array(ref("Named"), "Opens by vendor, if it is known.", maxItems=MAX_TOP),
        clients=array(ref("Named"), "Opens by client.", maxItems=MAX_TOP),
        systems=array(ref("Named"), "Opens by operating system.", maxItems=MAX_TOP),
        devices=array(ref("Named"), "Opens by kind of device.", maxItems=MAX_TOP),
        top=array(
            ref("Recipient"), "The recipients with the most opens that count, at least two each.", maxItems=MAX_TOP
        ),
    ),
    "Rate": object_(
        "Recipients who have opened as shares, 0 to 1; `null` without recipients to take a share of.",
        counted=share(RATE["counted"]),
        raw=share(RATE["raw"]),
        measurable=share(RATE["measurable"]),
        lower=share(RATE["bounds"]),
        upper=share(RATE["bounds"]),
    ),
    "Delay": object_(
        "The median time from sending a mail, or where that is not known, from generating its token, to its first "
        "open, in seconds, within 5 %; `null` without any.",
        counted=seconds("To the first open that counts."),
        raw=seconds("To the first of all."),
    ),
    "DelayRange": object_(
        "Recipients whose first open came within a range of time.",
        within=seconds("The end of the range, in seconds; `null` for the last, which has none."),
        recipients=ref("Count", "Number of recipients."),
    ),
    "Period": object_(
        "Opens in an hour or a day.",
        start=text("When it begins, in the report's time zone.", format="date-time"),
        opens=ref("Count", "Number of opens."),
    ),
    "Named": object_(
        "Opens of one name in a breakdown.", name=text("The name."), opens=ref("Count", "Number of opens.")
    ),
    "Readiness": {
        "type": "object",
        "description": "The status of the storage.",
        "properties": {
            "status": text("Always `ok`.", const="ok"),
            "replicaLag": seconds(
                "Where figures and lists are read from a replica of the database: how old they are, or `null` while"
                " it is not read."
            ),
        },
        "required": ["status"],
        "additionalProperties": False,
    },
    "Status": object_("The status of the server.", status=text("Always `ok`.", const="ok")),
    "Error": object_("An error.", error=text("The reason, for people.", minLength=1)),
    "InvalidTokens": {
        **object_(
            "An error in a request for tokens.",
            error=text("The reason, for people.", minLength=1),
            invalid=array(
                ref("InvalidEntry"),
                "If `error` is `Invalid email format` or `Invalid recipient`: the invalid entries, the first "
                f"{MAX_PROBLEMS}.",
                minItems=1,
                maxItems=MAX_PROBLEMS,
            ),
        ),
        "required": ["error"],
    },
    "InvalidEntry": object_(
        "An invalid entry in a request for tokens.",
        index=number("Its place in `emails` or `recipients`, counted from 0."),
        reason=text("Why it is not valid.", minLength=1),
    ),
    **WEBHOOK_SCHEMAS,
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
