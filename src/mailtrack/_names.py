"""Validate names of pixels and keys, which are any text on one line, and notes, which may have several lines."""

import unicodedata

from mailtrack._errors import InvalidName, InvalidNote
from mailtrack._model import MAX_NAME_LENGTH, MAX_NOTE_LENGTH

# Control characters, lone surrogates, line and paragraph separators. Joiners (in emoji, in Persian) and spaces of any
# width are allowed.
_NOT_IN_NAMES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_name(name: str, what: str) -> str:
    """Return a name without surrounding whitespace.

    Args:
        name: the name.
        what: its description, for the message.

    Raises:
        InvalidName: the name is not a string, is longer than 256 characters, or has control characters.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what} must be text.")
    name = name.strip()
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(f"{what} must be at most {MAX_NAME_LENGTH} characters.")
    if not may_be_in_name(name):
        raise InvalidName(f"{what} must not contain control characters.")
    return name


def may_be_in_name(text: str) -> bool:
    """Return whether a text can be part of a name."""
    return len(text) <= MAX_NAME_LENGTH and _is_printable(text)


def clean_note(note: str) -> str:
    """Return a note without surrounding whitespace, its lines ended by line feeds.

    Raises:
        InvalidNote: it is not a string, is longer than 2,000 characters, or has control characters other than line
            breaks and tabs.
    """
    if not isinstance(note, str):
        raise InvalidNote("The note must be text.")
    note = note.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(note) > MAX_NOTE_LENGTH:
        raise InvalidNote(f"The note must be at most {MAX_NOTE_LENGTH:,} characters.")
    if not _is_printable(note.replace("\n", "").replace("\t", "")):
        raise InvalidNote("The note must not contain control characters other than line breaks and tabs.")
    return note


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(char) in _NOT_IN_NAMES for char in text)
