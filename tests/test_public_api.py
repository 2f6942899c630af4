"""The public names: which they are, in which door, and that all they refer to is public and documented."""

import ast
import enum
import importlib
import inspect
import pkgutil
import sys
import textwrap
import typing
import wsgiref.types
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import pytest

import mailtrack
import mailtrack_wsgi

DOORS = {
    "mailtrack": [
        "ApiKey",
        "Backup",
        "Certainty",
        "Client",
        "Clock",
        "Count",
        "DatabaseNotFound",
        "DayCount",
        "Durability",
        "EmailProblem",
        "Erased",
        "Event",
        "First",
        "Hit",
        "Image",
        "ImageNotFound",
        "ImageSource",
        "ImageTooLarge",
        "ImportProgress",
        "ImportResult",
        "ImportRows",
        "InvalidArgument",
        "InvalidEmail",
        "InvalidEmails",
        "InvalidImage",
        "InvalidImport",
        "InvalidInput",
        "InvalidName",
        "InvalidNote",
        "InvalidPaging",
        "InvalidRecipients",
        "InvalidRules",
        "InvalidSentTime",
        "InvalidSetting",
        "InvalidTimeZone",
        "InvalidWebhook",
        "KeyNotFound",
        "Keyring",
        "MailtrackError",
        "MessageNotTrackable",
        "NewRecipient",
        "NotFound",
        "Open",
        "OpenSpan",
        "OpenSpans",
        "Page",
        "Pixel",
        "PixelNotFound",
        "PixelOrder",
        "Purge",
        "Recipient",
        "RecipientNotFound",
        "RecipientProblem",
        "RecipientState",
        "RejectedRow",
        "RejudgeProgress",
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
        "WebhookNotFound",
        "open_storage",
    ],
    "mailtrack.cli": ["main"],
    "mailtrack.mail": ["MessageNotTrackable", "embed", "pixel_tag", "track"],
    "mailtrack.report": [
        "Delay",
        "DelayRange",
        "Named",
        "Period",
        "Rate",
        "Report",
        "make_report",
    ],
    "mailtrack.storage": [
        "DelayCount",
        "Facet",
        "FacetCount",
        "Feed",
        "Figures",
        "HourCount",
        "Judgement",
        "Storage",
        "SupportsBackup",
        "SupportsFork",
        "SupportsLocalFile",
        "SupportsSettings",
        "SupportsWebhooks",
        "Target",
        "open_storage",
        "to_bucket",
    ],
    "mailtrack.testing": [
        "BackupContract",
        "FakeClock",
        "ForkContract",
        "LocalFileContract",
        "SettingsContract",
        "StorageContract",
        "StorageMachine",
        "WebhookContract",
        "mailtrack_clock",
        "mailtrack_tracker",
        "make_api_key",
        "make_hit",
        "make_image",
        "make_open",
        "make_pixel",
        "make_recipient",
        "make_recipients",
        "open_mail",
        "storage_machine",
    ],
    "mailtrack.verdicts": [
        "DEFAULT_COUNTED",
        "SIGNALS",
        "Judge",
        "Networks",
        "RecentHits",
        "Rule",
        "RuleProblem",
        "RuleTable",
        "default_rules",
        "load_networks",
        "load_rules",
        "name_client",
    ],
    "mailtrack.webhooks": ["Delivery", "DeliveryCount", "DeliveryState", "Webhook", "Webhooks"],
    "mailtrack_wsgi": ["Application", "create_app"],
    "mailtrack_wsgi.asgi": ["AsgiApplication", "create_app"],
    "mailtrack_wsgi.django": ["EmailBackend", "get_tracker", "opened"],
    "mailtrack_wsgi.flask": ["Mailtrack"],
    "mailtrack_wsgi.jinja": ["pixel_global"],
}

# Django looks for modules of these names. Users write them as texts in their settings, URLs and templates.
FOUND_BY_DJANGO = tuple(f"mailtrack_wsgi.django.{name}" for name in ("apps", "management", "templatetags", "urls"))

MODULES = {name: importlib.import_module(name) for name in DOORS}
PUBLIC: dict[str, Any] = {
    f"{door}.{name}": getattr(MODULES[door], name) for door, names in DOORS.items() for name in names
}
CLASSES: dict[str, type] = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}
VALUES = {name: thing for name, thing in CLASSES.items() if attrs.has(thing)}
ERRORS = {name: thing for name, thing in CLASSES.items() if issubclass(thing, Exception)}


def is_ours(thing: object) -> bool:
    return str(getattr(thing, "__module__", None)).partition(".")[0] in ("mailtrack", "mailtrack_wsgi")


def bases_of(cls: type) -> list[type]:
    """Return a class and those of its bases that only hold members for it: they are ours, and no door has them.

    Their members are held to be the class's own, since they can't be used by another name.
    """
    return [one for one in cls.__mro__ if one is cls or (is_ours(one) and one not in CLASSES.values())]


def functions_of(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for base in bases_of(cls):
        for name, member in vars(base).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if inspect.isfunction(function) and is_ours(function):
                yield name, function


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return the public functions and methods, the constructors and operators among them."""
    for public, thing in PUBLIC.items():
        if inspect.isfunction(thing):
            yield public, thing
    for public, cls in CLASSES.items():
        for name, function in functions_of(cls):
            is_written_operator = name.startswith("__") and function.__annotations__ and function.__doc__
            if not name.startswith("_") or name == "__init__" or is_written_operator:
                yield f"{public}.{name}", function


def hints_of_attributes(cls: type) -> dict[str, Any]:
    """Return the hints of a class's own annotations. Its bases may be of libraries, whose hints can't be resolved."""
    own = SimpleNamespace(__annotations__=vars(cls).get("__annotations__", {}))
    return typing.get_type_hints(own, vars(sys.modules[cls.__module__]))


FUNCTIONS = dict(public_functions())
ATTRIBUTES = {
    f"{public}.{name}": hint
    for public, cls in CLASSES.items()
    for base in bases_of(cls)
    for name, hint in hints_of_attributes(base).items()
    if not name.startswith("_")
}


def classes_in(hint: Any) -> Iterator[type]:
    """Return the classes in a type hint: in unions, generics, and the arguments and results of callables."""
    if inspect.isclass(hint) and typing.get_origin(hint) is None:
        yield hint
    elif isinstance(hint, typing.TypeVar):
        for one in (hint.__bound__, *hint.__constraints__):
            yield from classes_in(one)
    elif isinstance(hint, list):  # the arguments of a callable
        for one in hint:
            yield from classes_in(one)
    elif typing.get_origin(hint) is not typing.Literal:
        yield from classes_in(typing.get_origin(hint)) if typing.get_origin(hint) else ()
        for one in typing.get_args(hint):
            yield from classes_in(one)


def names_in_annotations(function: Callable[..., Any]) -> Iterator[str]:
    """Return the names in the annotations of a function as they are written."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, IndentationError):  # attrs has written it
        return
    (node,) = tree.body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    for annotation in (*(one.annotation for one in arguments if one is not None), node.returns):
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Name):
                yield part.id


def is_alias_of_ours(name: str, thing: object) -> bool:
    """Return whether a name stands for a union, a generic or a callable that we have filled in."""
    return not inspect.isclass(thing) and typing.get_args(thing) != () and not hasattr(wsgiref.types, name)


def needs_docstring(public: str) -> bool:
    """Return whether a method has a docstring: a test has its name, and the class documents the constructor."""
    name = public.rpartition(".")[2]
    return not name.startswith("test_") and name != "__init__"


def parametrize(name: str, things: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(name, [pytest.param(thing, id=public) for public, thing in things.items()])


def modules(package: ModuleType) -> Iterator[str]:
    return (found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))


class TestDoors:
    @pytest.mark.parametrize("door", DOORS)
    def test_a_door_has_these_names_in_order(self, door: str) -> None:
        assert MODULES[door].__all__ == DOORS[door]

    @pytest.mark.parametrize("door", DOORS)
    def test_a_door_has_no_other_name_of_ours_without_an_underscore(self, door: str) -> None:
        accidents = {
            name
            for name, thing in vars(MODULES[door]).items()
            if is_ours(thing) and not name.startswith("_") and thing.__module__.startswith(f"{door}.")
        }
        assert accidents <= set(DOORS[door])

    @pytest.mark.parametrize("name", [*modules(mailtrack), *modules(mailtrack_wsgi)])
    def test_a_module_is_a_door_or_has_an_underscore_on_its_way(self, name: str) -> None:
        assert (
            name in DOORS or name.startswith(FOUND_BY_DJANGO) or any(part.startswith("_") for part in name.split("."))
        )

    def test_a_name_that_two_doors_have_is_one_thing(self) -> None:
        by_name: dict[str, Any] = {}
        for public, thing in PUBLIC.items():
            if public == "mailtrack_wsgi.asgi.create_app":  # the twin of WSGI's, by its name for users of both
                continue
            assert by_name.setdefault(public.rpartition(".")[2], thing) is thing


class TestSignatures:
    @parametrize("function", FUNCTIONS)
    def test_the_hints_of_a_function_can_be_resolved_and_each_class_in_them_is_public(
        self, function: Callable[..., Any]
    ) -> None:
        hints = typing.get_type_hints(function)
        assert "return" in hints
        assert {one for hint in hints.values() for one in classes_in(hint) if is_ours(one)} <= set(CLASSES.values())

    @parametrize("hint", ATTRIBUTES)
    def test_each_class_in_the_hint_of_an_attribute_is_public(self, hint: Any) -> None:
        assert {one for one in classes_in(hint) if is_ours(one)} <= set(CLASSES.values())

    @parametrize("function", FUNCTIONS)
    def test_each_alias_in_a_signature_is_public(self, function: Callable[..., Any]) -> None:
        known = inspect.unwrap(function).__globals__
        aliases = {name for name in names_in_annotations(function) if is_alias_of_ours(name, known.get(name))}
        assert aliases <= {public.rpartition(".")[2] for public in PUBLIC}

    @parametrize("cls", CLASSES)
    def test_each_attribute_that_a_class_sets_has_a_hint_or_is_a_property(self, cls: type) -> None:
        for base in bases_of(cls):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            named = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                if isinstance(node.value, ast.Name) and node.value.id == "self" and not node.attr.startswith("_")
            }
            assert named <= {*hints_of_attributes(base), *vars(base)}


class TestDocstrings:
    @parametrize(
        "thing", {name: one for name, one in PUBLIC.items() if inspect.isclass(one) or inspect.isfunction(one)}
    )
    def test_each_name_has_a_docstring_of_its_own(self, thing: Any) -> None:
        assert vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__

    @parametrize("function", {name: one for name, one in FUNCTIONS.items() if needs_docstring(name)})
    def test_each_method_has_a_docstring(self, function: Callable[..., Any]) -> None:
        assert function.__doc__

    @parametrize("cls", VALUES)
    def test_the_docstring_of_a_value_describes_each_attribute(self, cls: type) -> None:
        described = inspect.getdoc(cls) or ""
        for field in attrs.fields(cls):
            assert field.name.startswith("_") or f"\n    {field.name}: " in described, field.name

    @parametrize("thing", {**CLASSES, **FUNCTIONS})
    def test_a_docstring_refers_to_public_names_only(self, thing: Any) -> None:
        assert "`mailtrack._" not in (thing.__doc__ or "")
        assert "`mailtrack_wsgi._" not in (thing.__doc__ or "")


class TestValues:
    @parametrize("cls", VALUES)
    def test_a_value_is_frozen(self, cls: type) -> None:
        value = object.__new__(cls)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(cls)[0].name, None)

    @parametrize("cls", {name: cls for name, cls in CLASSES.items() if issubclass(cls, enum.Enum)})
    def test_an_enumeration_is_made_of_its_texts(self, cls: type[enum.StrEnum]) -> None:
        assert [cls(str(one)) for one in cls] == list(cls)


class TestErrors:
    @parametrize("error", ERRORS)
    def test_an_error_is_a_mailtrack_error_and_in_the_root(self, error: type[Exception]) -> None:
        assert issubclass(error, mailtrack.MailtrackError)
        assert getattr(mailtrack, error.__name__) is error

    @pytest.mark.parametrize(
        ("error", "builtin"),
        [
            (mailtrack.NotFound, LookupError),
            (mailtrack.PixelNotFound, LookupError),
            (mailtrack.RecipientNotFound, LookupError),
            (mailtrack.ImageNotFound, LookupError),
            (mailtrack.KeyNotFound, LookupError),
            (mailtrack.WebhookNotFound, LookupError),
            (mailtrack.DatabaseNotFound, LookupError),
            (mailtrack.InvalidInput, ValueError),
            (mailtrack.InvalidArgument, ValueError),
            (mailtrack.InvalidName, ValueError),
            (mailtrack.InvalidEmail, ValueError),
            (mailtrack.InvalidEmails, ValueError),
            (mailtrack.InvalidImage, ValueError),
            (mailtrack.InvalidImport, ValueError),
            (mailtrack.InvalidPaging, ValueError),
            (mailtrack.InvalidRules, ValueError),
            (mailtrack.InvalidSetting, ValueError),
            (mailtrack.InvalidTimeZone, ValueError),
            (mailtrack.MessageNotTrackable, ValueError),
        ],
    )
    def test_an_error_is_the_builtin_that_people_catch(self, error: type[Exception], builtin: type[Exception]) -> None:
        assert issubclass(error, builtin)
