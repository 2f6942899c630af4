"""Know whether the mail you send was opened, by whom and when.

This package has what a first program needs, and every error. What puts pixels into mails is in `mailtrack.mail`, rules
are in `mailtrack.verdicts`, figures in `mailtrack.report`, webhooks in `mailtrack.webhooks`, the values that only
storages handle in `mailtrack.storage`, and their tests in `mailtrack.testing`.
"""

from mailtrack._backup import Backup
from mailtrack._counts import Count, OpenSpan, OpenSpans
from mailtrack._errors import (
    DatabaseNotFound,
    EmailProblem,
    ImageNotFound,
    ImageTooLarge,
    InvalidArgument,
    InvalidEmail,
    InvalidEmails,
    InvalidImage,
    InvalidImport,
    InvalidInput,
    InvalidName,
    InvalidNote,
    InvalidPaging,
    InvalidRecipients,
    InvalidRules,
    InvalidSentTime,
    InvalidSetting,
    InvalidTimeZone,
    InvalidWebhook,
    KeyNotFound,
    MailtrackError,
    MessageNotTrackable,
    NotFound,
    PixelNotFound,
    RecipientNotFound,
    RecipientProblem,
    ShortIdTaken,
    StorageError,
    StorageUnavailable,
    UnsupportedImage,
    WebhookNotFound,
)
from mailtrack._event import Event, First
from mailtrack._figures import DayCount
from mailtrack._imports import ImportProgress, ImportResult, ImportRows, RejectedRow
from mailtrack._ingest.rejudging import RejudgeProgress
from mailtrack._keys import Keyring
from mailtrack._model import (
    ApiKey,
    Certainty,
    Client,
    Erased,
    Hit,
    Image,
    NewRecipient,
    Open,
    Page,
    Pixel,
    PixelOrder,
    Recipient,
    RecipientState,
    Verdict,
    VerdictKind,
)
from mailtrack._pixels import ImageSource
from mailtrack._retention import Purge
from mailtrack._spool import Durability, Spool, SpoolFull
from mailtrack._times import Clock
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack._version import __version__ as __version__
from mailtrack.storage import Storage, open_storage

__all__ = [
    "ApiKey",
    "Backup",
    "Certainty",
    "Client",
    "Clock",
    "Count",
    "DatabaseNotFound",
    "DayCount",
    "Durability",
    "EmailProblem",
    "Erased",
    "Event",
    "First",
    "Hit",
    "Image",
    "ImageNotFound",
    "ImageSource",
    "ImageTooLarge",
    "ImportProgress",
    "ImportResult",
    "ImportRows",
    "InvalidArgument",
    "InvalidEmail",
    "InvalidEmails",
    "InvalidImage",
    "InvalidImport",
    "InvalidInput",
    "InvalidName",
    "InvalidNote",
    "InvalidPaging",
    "InvalidRecipients",
    "InvalidRules",
    "InvalidSentTime",
    "InvalidSetting",
    "InvalidTimeZone",
    "InvalidWebhook",
    "KeyNotFound",
    "Keyring",
    "MailtrackError",
    "MessageNotTrackable",
    "NewRecipient",
    "NotFound",
    "Open",
    "OpenSpan",
    "OpenSpans",
    "Page",
    "Pixel",
    "PixelNotFound",
    "PixelOrder",
    "Purge",
    "Recipient",
    "RecipientNotFound",
    "RecipientProblem",
    "RecipientState",
    "RejectedRow",
    "RejudgeProgress",
    "ShortIdTaken",
    "Spool",
    "SpoolFull",
    "Storage",
    "StorageError",
    "StorageUnavailable",
    "Tracker",
    "UnsupportedImage",
    "Urls",
    "Verdict",
    "VerdictKind",
    "WebhookNotFound",
    "open_storage",
]
