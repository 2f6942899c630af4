"""Names of pixels and keys: any text that fits on one line."""

import unicodedata

from mailtrack._errors import InvalidName
from mailtrack._model import MAX_NAME_LENGTH

# Control characters, halves of surrogate pairs, separators of lines and paragraphs. Joiners (in emoji, in Persian)
# and blanks of any width are as good in a name as letters.
_NOT_IN_NAMES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_name(name: str, what: str) -> str:
    """Return a name without the blanks around it.

    Args:
        name: what was given.
        what: what it names, for the message.

    Raises:
        InvalidName: it is no text, longer than 256 characters, or has control characters.
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
    """Tell whether some name may have a text in it."""
    return len(text) <= MAX_NAME_LENGTH and not any(unicodedata.category(char) in _NOT_IN_NAMES for char in text)
