"""What programs catch, and the data that errors carry."""

from typing import assert_type

from mailtrack import (
    DatabaseNotFound,
    EmailProblem,
    ImageTooLarge,
    InvalidArgument,
    InvalidEmails,
    InvalidInput,
    InvalidSetting,
    MailtrackError,
    NotFound,
    StorageUnavailable,
    Tracker,
    open_storage,
)


def send(tracker: Tracker, pixel: str, emails: list[str]) -> str:
    try:
        tracker.generate_tokens(pixel, emails)
    except InvalidEmails as error:
        assert_type(error.problems, tuple[EmailProblem, ...])
        assert_type(error.total, int | None)
        return ", ".join(f"{problem.index}: {problem.reason}" for problem in error.problems)
    except NotFound as error:
        return str(error)
    except StorageUnavailable as error:
        return f"Try again in {error.retry_after} s."
    return ""


def read(tracker: Tracker, pixel: str) -> bytes | str:
    try:
        return tracker.get_image(tracker.get_pixel(pixel).image).data
    except LookupError:
        return "none"
    except ValueError as error:
        return str(error)


def describe(error: MailtrackError) -> tuple[str, object]:
    match error:
        case ImageTooLarge(limit=limit):
            return "bytes", assert_type(limit, int)
        case InvalidArgument(name=name, reason=reason) | InvalidSetting(name=name, reason=reason):
            return assert_type(name, str), reason
        case DatabaseNotFound(place=place):
            return "place", assert_type(place, str)
        case InvalidInput():
            error.reason  # type: ignore[attr-defined]  # noqa: B018
            return "input", None
        case _:
            return "error", None


def check(error: InvalidInput) -> ValueError:
    return error


def check_lookup(error: NotFound) -> LookupError:
    return error


open_storage("sqlite:///campaigns.db", False)  # type: ignore[call-arg]
