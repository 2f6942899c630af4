"""`name_client`: which program, on which system and kind of device, has fetched a picture."""

from mailtrack.model import UNKNOWN_CLIENT, Client, Verdict


def name_client(user_agent: str, verdict: Verdict) -> Client:
    """Name the program that sent a user agent, as far as the verdict lets it be known."""
    return UNKNOWN_CLIENT
