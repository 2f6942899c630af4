"""Ages of opens, as commands and settings take them."""

import re
from datetime import timedelta

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

AGE_FORM = "must be a number of hours, days or weeks from 1 to 99999, as in 12h, 90d or 26w"


def parse_age(text: str) -> timedelta:
    """Return the duration that an age such as `90d` means.

    Raises:
        ValueError: it has another form; the message is `AGE_FORM`.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text, re.ASCII)
    if found is None:
        raise ValueError(AGE_FORM)
    return int(found[1]) * _UNITS[found[2]]
