"""Know whether the mail you send was opened, by whom and when."""

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
from mailtrack._figures import DayCount, DelayCount, Facet, FacetCount, Figures, HourCount
from mailtrack._imports import ImportResult, RejectedRow
from mailtrack._ingest.enrich import Rejudged
from mailtrack._keys import Keyring
from mailtrack._model import (
    ApiKey,
    Certainty,
    Client,
    Hit,
    Image,
    Judgement,
    Open,
    Page,
    Pixel,
    Recipient,
    Verdict,
    VerdictKind,
)
from mailtrack._retention import Purge
from mailtrack._spool import Durability, Spool, SpoolFull
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack.report import Report
from mailtrack.storage import Storage, open_storage
from mailtrack.verdicts import Judge, Rule, RuleTable, load_rules

__version__ = "0.1.0"

__all__ = [
    "ApiKey",
    "Backup",
    "Certainty",
    "Client",
    "Count",
    "DatabaseNotFound",
    "DayCount",
    "DelayCount",
    "Durability",
    "EmailProblem",
    "Facet",
    "FacetCount",
    "Figures",
    "Hit",
    "HourCount",
    "Image",
    "ImageNotFound",
    "ImageTooLarge",
    "ImportResult",
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
    "Judge",
    "Judgement",
    "KeyNotFound",
    "Keyring",
    "MailtrackError",
    "NotFound",
    "Open",
    "OpenSpan",
    "OpenSpans",
    "Page",
    "Pixel",
    "PixelNotFound",
    "Purge",
    "Recipient",
    "RecipientNotFound",
    "RejectedRow",
    "Rejudged",
    "Report",
    "Rule",
    "RuleTable",
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
    "load_rules",
    "open_storage",
]
