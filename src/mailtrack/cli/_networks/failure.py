"""`UpdateFailed`: why a list of networks was not replaced."""

from mailtrack._errors import MailtrackError


class UpdateFailed(MailtrackError):
    """A list of networks can't be updated. The stored list is unchanged."""
