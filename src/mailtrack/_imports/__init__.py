"""Recipients from other programs: lists and tables as spreadsheets, mail programs and databases give them."""

from mailtrack._imports.importer import ImportProgress, OnInvalid, import_all, import_valid
from mailtrack._imports.parsing import ImportRows, parse
from mailtrack._imports.result import ImportResult, RejectedRow

__all__ = [
    "ImportProgress",
    "ImportResult",
    "ImportRows",
    "OnInvalid",
    "RejectedRow",
    "import_all",
    "import_valid",
    "parse",
]
