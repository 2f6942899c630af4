"""`Answer`: the end of a try to send something."""

from datetime import timedelta

import attrs


@attrs.frozen
class Answer:
    """The end of a try.

    Attributes:
        status: the HTTP status of the answer, `None` without one.
        error: why the try failed, in a line that quotes nothing of the answer; `None` where it succeeded.
        retry_after: the time that the endpoint asks to wait.
    """

    status: int | None = None
    error: str | None = None
    retry_after: timedelta = timedelta(0)
