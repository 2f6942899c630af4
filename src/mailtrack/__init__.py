"""Know whether the mail you send was opened, by whom and when.

This package has what a first program needs, and every error. Rules are in `mailtrack.verdicts`, figures in
`mailtrack.report`, the values that only storages handle in `mailtrack.storage`, and their tests in `mailtrack.testing`.
"""

from mailtrack._backup import Backup
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
    InvalidPaging,
    InvalidRules,
    InvalidSetting,
    InvalidTimeZone,
    KeyNotFound,
    MailtrackError,
    NotFound,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
    StorageError,
    StorageUnavailable,
    UnsupportedImage,
)
from mailtrack._imports import ImportProgress, ImportResult, ImportRows, RejectedRow
from mailtrack._ingest.rejudging import RejudgeProgress
from mailtrack._keys import Keyring
from mailtrack._model import (
    ApiKey,
    Certainty,
    Client,
    DayCount,
    Hit,
    Image,
    Open,
    OpenSpan,
    Page,
    Pixel,
    Recipient,
    Verdict,
    VerdictKind,
)
from mailtrack._pixels import ImageSource
from mailtrack._retention import Purge
from mailtrack._spool import Durability, Spool, SpoolFull
from mailtrack._times import Clock
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack.storage import Storage, open_storage

__version__ = "0.1.0"

__all__ = [
    "ApiKey",
    "Backup",
    "Certainty",
    "Client",
    "Clock",
    "DatabaseNotFound",
    "DayCount",
    "Durability",
    "EmailProblem",
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
    "InvalidPaging",
    "InvalidRules",
    "InvalidSetting",
    "InvalidTimeZone",
    "KeyNotFound",
    "Keyring",
    "MailtrackError",
    "NotFound",
    "Open",
    "OpenSpan",
    "Page",
    "Pixel",
    "PixelNotFound",
    "Purge",
    "Recipient",
    "RecipientNotFound",
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
    "open_storage",
]
