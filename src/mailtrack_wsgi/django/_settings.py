"""The settings whose names begin with `MAILTRACK_`, validated."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any

import attrs
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from mailtrack._errors import InvalidSetting
from mailtrack._names import clean_name
from mailtrack._urls import check_base_url
from mailtrack.storage import _opener
from mailtrack_wsgi._app import create_app

PREFIX = "MAILTRACK_"

_OPTIONS = inspect.signature(create_app).parameters.keys() - {"tracker", "authorize"}
SMTP = "django.core.mail.backends.smtp.EmailBackend"  # as Django's EMAILSMTP


def _check_database(value: object) -> str:
    scheme, separator, _ = value.partition("://") if isinstance(value, str) else ("", "", "")
    if not scheme or not separator:
        raise ValueError("must be a URL such as sqlite:////srv/mailtrack.db")
    _opener(scheme.lower())
    return str(value)


def _check_read_url(value: object) -> str:
    if not isinstance(value, str) or not value.partition("://")[1]:
        raise ValueError("must be a URL such as postgresql://mail@replica.example.org/mailtrack")
    return value


def _check_pixel(value: object) -> str:
    name = clean_name(value, "Pixel name") if isinstance(value, str) else ""
    if not name:
        raise ValueError("must be the name or the id of a pixel")
    return name


def _check_spool(value: object) -> str:
    if not isinstance(value, str | PathLike) or not (path := fspath(value)) or isinstance(path, bytes):
        raise ValueError('must be the path of a folder, or "off"')
    return path


def _check_authorize(value: object) -> Callable[..., object]:
    try:
        found: object = import_string(value) if isinstance(value, str) else value
    except ImportError as error:
        raise ValueError(f"can't be imported: {error}") from error
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise ValueError("must be a function that takes a request, or its dotted path")
    return found


def _check_options(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value.keys() <= _OPTIONS:
        raise ValueError(f"must be a dict of options of create_app: {', '.join(sorted(_OPTIONS))}")
    return value


def _check_backend(value: object) -> str:
    if not isinstance(value, str) or value.startswith("mailtrack_wsgi."):
        raise ValueError("must be the dotted path of another e-mail backend")
    try:
        import_string(value)
    except ImportError as error:
        raise ValueError(f"can't be imported: {error}") from error
    return value


def _setting(check: Callable[[Any], Any], default: object = attrs.NOTHING) -> Any:
    return attrs.field(default=default, metadata={"check": check})


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of a project; docs/django.md describes them.

    Attributes:
        database: the URL of the storage.
        read_url: the URL of a replica of the storage, from which figures and lists are read; `None` without one.
        base_url: the public URL where mailtrack is mounted; `None` if it is only known from requests.
        pixel: the pixel of mails that name no other: its id, or its name.
        email_backend: the dotted path of the backend that sends mails.
        spool: the folder of the spool, "off" for none, and `None` for one beside an SQLite database, else
            `mailtrack.spool` in the working directory.
        authorize: takes a request and decides as `authorize` of `create_app`; `None` lets in staff.
        options: further arguments of `create_app`.
    """

    database: str = _setting(_check_database)
    read_url: str | None = _setting(_check_read_url, None)
    base_url: str | None = _setting(check_base_url, None)
    pixel: str = _setting(_check_pixel, "Django")
    email_backend: str = _setting(_check_backend, SMTP)
    spool: str | None = _setting(_check_spool, None)
    authorize: Callable[..., object] | None = _setting(_check_authorize, None)  # noqa: RUF009
    options: Mapping[str, Any] = _setting(_check_options, attrs.Factory(dict))


_FIELDS = attrs.fields_dict(Settings)
_DEFAULTS = Settings(database="")


def read_all() -> Settings:
    """Return the settings.

    Raises:
        ImproperlyConfigured: one is missing, or has a value that can't be used.
    """
    return Settings(**{name: value for name in _FIELDS if (value := _read(name)) is not None})


def read(name: str, given: object = None) -> Any:
    """Return one setting, by its attribute of `Settings`.

    Args:
        name: the attribute.
        given: a value that is to be checked and returned instead.

    Raises:
        ImproperlyConfigured: it is missing, or has a value that can't be used.
    """
    value = _read(name, given)
    return getattr(_DEFAULTS, name) if value is None else value


def problems() -> Iterator[str]:
    """Yield what is wrong with each setting that can't be used."""
    for name in _FIELDS:
        try:
            _read(name)
        except ImproperlyConfigured as error:
            yield str(error)


def _read(name: str, given: object = None) -> Any:
    """Return a setting, `None` where it is not set, which is an error if there is no default."""
    setting, field = PREFIX + name.upper(), _FIELDS[name]
    value = getattr(project, setting, None) if given is None else given
    if value is None:
        if field.default is attrs.NOTHING:
            raise ImproperlyConfigured(f"{setting} must be set.")
        return None
    try:
        return field.metadata["check"](value)
    except InvalidSetting as error:
        raise ImproperlyConfigured(f"{setting} {error.reason}.") from error
    except ValueError as error:
        raise ImproperlyConfigured(f"{setting} {error}".rstrip(".") + ".") from error
