"""The public names: which there are, and that each can be understood without its source."""

import inspect
import typing

import attrs
import pytest

import mailtrack
import mailtrack.testing

NAMES = [
    "ApiKey",
    "Backup",
    "Certainty",
    "Client",
    "Count",
    "DatabaseNotFound",
    "DayCount",
    "DelayCount",
    "Durability",
    "EmailProblem",
    "Facet",
    "FacetCount",
    "Figures",
    "Hit",
    "HourCount",
    "Image",
    "ImageNotFound",
    "ImageTooLarge",
    "ImportResult",
    "InvalidArgument",
    "InvalidEmail",
    "InvalidEmails",
    "InvalidImage",
    "InvalidImport",
    "InvalidInput",
    "InvalidName",
    "InvalidPaging",
    "InvalidRules",
    "InvalidSetting",
    "InvalidTimeZone",
    "Judge",
    "Judgement",
    "KeyNotFound",
    "Keyring",
    "MailtrackError",
    "NotFound",
    "Open",
    "OpenSpan",
    "OpenSpans",
    "Page",
    "Pixel",
    "PixelNotFound",
    "Purge",
    "Recipient",
    "RecipientNotFound",
    "RejectedRow",
    "RejudgeProgress",
    "Report",
    "Rule",
    "RuleTable",
    "ShortIdTaken",
    "Spool",
    "SpoolFull",
    "Storage",
    "StorageError",
    "StorageUnavailable",
    "Tracker",
    "UnsupportedImage",
    "Urls",
    "Verdict",
    "VerdictKind",
    "load_rules",
    "open_storage",
]

TESTING_NAMES = [
    "BackupContract",
    "FakeClock",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "StorageMachine",
    "make_api_key",
    "make_hit",
    "make_image",
    "make_open",
    "make_pixel",
    "make_recipient",
    "make_recipients",
    "storage_machine",
]

PUBLIC = [getattr(mailtrack, name) for name in NAMES] + [getattr(mailtrack.testing, name) for name in TESTING_NAMES]


def _functions() -> list[tuple[str, typing.Any]]:
    """Return the public functions, and the public methods and properties of public classes."""
    found = []
    for thing in PUBLIC:
        if inspect.isfunction(thing):
            found.append((thing.__name__, thing))
            continue
        for name, member in vars(thing).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if inspect.isfunction(function) and not name.startswith(("_", "test_")):
                found.append((f"{thing.__name__}.{name}", function))
    return found


FUNCTIONS = _functions()
VALUES = [thing for thing in PUBLIC if inspect.isclass(thing) and attrs.has(thing)]
ERRORS = [thing for thing in PUBLIC if inspect.isclass(thing) and issubclass(thing, Exception)]


def test_the_public_names_are_these() -> None:
    assert mailtrack.__all__ == NAMES


def test_the_public_names_of_testing_are_these() -> None:
    assert mailtrack.testing.__all__ == TESTING_NAMES


@pytest.mark.parametrize("module", [mailtrack, mailtrack.testing])
def test_the_public_names_are_sorted(module) -> None:
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize("module", [mailtrack, mailtrack.testing])
def test_nothing_is_public_by_accident(module) -> None:
    own = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name not in module.__all__
    ]
    assert own == []


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_every_public_name_has_a_docstring_of_its_own(thing) -> None:
    assert thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__


@pytest.mark.parametrize("function", [one for _, one in FUNCTIONS], ids=[name for name, _ in FUNCTIONS])
def test_every_public_function_has_a_docstring(function) -> None:
    assert function.__doc__


@pytest.mark.parametrize("function", [one for _, one in FUNCTIONS], ids=[name for name, _ in FUNCTIONS])
def test_the_type_hints_of_every_public_function_can_be_resolved(function) -> None:
    assert "return" in typing.get_type_hints(function)


@pytest.mark.parametrize("thing", VALUES, ids=lambda thing: thing.__name__)
def test_the_type_hints_of_every_value_can_be_resolved(thing) -> None:
    assert set(typing.get_type_hints(thing)) >= {field.name for field in attrs.fields(thing)}


@pytest.mark.parametrize("thing", VALUES, ids=lambda thing: thing.__name__)
def test_values_are_frozen(thing) -> None:
    value = object.__new__(thing)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, attrs.fields(thing)[0].name, None)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_a_mailtrack_error(error) -> None:
    assert issubclass(error, mailtrack.MailtrackError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (mailtrack.PixelNotFound, LookupError),
        (mailtrack.RecipientNotFound, LookupError),
        (mailtrack.ImageNotFound, LookupError),
        (mailtrack.KeyNotFound, LookupError),
        (mailtrack.InvalidArgument, ValueError),
        (mailtrack.InvalidName, ValueError),
        (mailtrack.InvalidEmail, ValueError),
        (mailtrack.InvalidEmails, ValueError),
        (mailtrack.InvalidImage, ValueError),
        (mailtrack.InvalidPaging, ValueError),
        (mailtrack.InvalidSetting, ValueError),
    ],
)
def test_errors_are_the_builtins_that_people_catch(error, builtin) -> None:
    assert issubclass(error, builtin)
