"""`name_client`: which program, on which system and kind of device, has fetched a picture."""

import attrs

from mailtrack.model import Verdict

UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Client:
    """A program as people know it; each part is `unknown` where it can't be told.

    Attributes:
        name: the program's family (`Outlook`, `Thunderbird`), at most 64 characters.
        version: its major version.
        os: the family of the system that it ran on (`Windows`, `iOS`).
        device: `desktop`, `mobile`, `tablet` or `other`.
    """

    name: str = UNKNOWN
    version: str = UNKNOWN
    os: str = UNKNOWN
    device: str = UNKNOWN


def name_client(user_agent: str, verdict: Verdict) -> Client:
    """Name the program that sent a user agent, as far as the verdict lets it be known."""
    return Client()
