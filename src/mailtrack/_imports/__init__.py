"""Import recipients from lists and tables, as exported by spreadsheets, mail programs and databases."""

from mailtrack._imports.importer import OnInvalid, Progress, import_all, import_valid
from mailtrack._imports.parsing import Rows, parse
from mailtrack._imports.result import ImportResult, RejectedRow

__all__ = ["ImportResult", "OnInvalid", "Progress", "RejectedRow", "Rows", "import_all", "import_valid", "parse"]
