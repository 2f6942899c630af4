"""The settings of the commands and the reference server; the only module that reads the environment."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

import attrs

from mailtrack._errors import InvalidSetting
from mailtrack._model import VerdictKind
from mailtrack._redacting import redact_url
from mailtrack._spool import Durability, Spool
from mailtrack._spool.spool import MAX_BYTES
from mailtrack._urls import check_base_url
from mailtrack.cli._ages import parse_age
from mailtrack.cli._networks.folder import Folder
from mailtrack.cli._networks.status import named_networks
from mailtrack.verdicts import Judge, RuleTable, default_rules, load_networks, load_rules
from mailtrack.verdicts._judge import DEFAULT_WINDOW

ENVIRONMENT_PREFIX = "MAILTRACK_"

_MAX_WINDOW = 86_400
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _to_integer(value: int | str, field: "attrs.Attribute[Any]") -> int:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise InvalidSetting(field.name, "must be a whole number")
    return int(value)


def _in_range(low: int, high: int) -> Callable[[object, "attrs.Attribute[int]", int], None]:
    def validate(_: object, field: "attrs.Attribute[int]", value: int) -> None:
        if not low <= value <= high:
            raise InvalidSetting(field.name, f"must be between {low} and {high}")

    return validate


def _number(default: int, low: int, high: int) -> Any:
    converter = attrs.Converter(_to_integer, takes_field=True)
    return attrs.field(default=default, converter=converter, validator=_in_range(low, high))


def _to_flag(value: bool | str, field: "attrs.Attribute[Any]") -> bool:
    if isinstance(value, bool):
        return value
    if value.lower() not in _FLAGS:
        raise InvalidSetting(field.name, f"must be one of {', '.join(_FLAGS)}")
    return _FLAGS[value.lower()]


def _flag() -> Any:
    return attrs.field(default=False, converter=attrs.Converter(_to_flag, takes_field=True))


def _is_durability(_: object, field: "attrs.Attribute[str]", value: str) -> None:
    if value not in list(Durability):
        raise InvalidSetting(field.name, f"must be one of {', '.join(Durability)}")


def _to_window(value: float | str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _MAX_WINDOW:
        raise InvalidSetting("window", f"must be a number of seconds from 0 to {_MAX_WINDOW:,}")
    return seconds


def _are_kinds(_: object, field: "attrs.Attribute[str]", value: str) -> None:
    if not set(value.split(",")) <= set(VerdictKind):
        raise InvalidSetting(field.name, f"must be some of {','.join(VerdictKind)}")


def _is_age(_: object, field: "attrs.Attribute[str]", value: str) -> None:
    try:
        parse_age(value)
    except ValueError as error:
        raise InvalidSetting(field.name, str(error)) from error


def _are_files(_: object, field: "attrs.Attribute[str]", value: str) -> None:
    if not all(name and file for name, file in _to_files(value)):
        raise InvalidSetting(field.name, "must be name=file, with commas between several")


def _to_files(value: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in value.split(",") if part)
    return [(name.strip(), file.strip()) for name, _, file in parts]


def _to_networks(value: str | Iterable[str]) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        return tuple(str(ip_network(part.strip())) for part in parts)
    except ValueError:
        raise InvalidSetting("webhook_allow", "must be networks, such as 10.0.0.0/8") from None


def _to_base_url(value: str | None) -> str | None:
    return None if value is None else check_base_url(value)


@attrs.frozen(kw_only=True)
class Settings:
    """Settings of the reference server and the commands, validated.

    Attributes:
        host: the address that the server listens on.
        port: its TCP port, 1 to 65,535.
        database: the URL of the storage, see `mailtrack.open_storage`.
        read_url: the URL of a replica of the database, from which pages and the API read figures and lists; `None` for
            none.
        base_url: the public URL of the server, or `None` to build URLs from each request.
        workers: the number of serving processes, 1 to 64.
        spool: the folder that keeps opens until the storage has them; `None` for one beside an SQLite database, none
            for `memory://`, and `mailtrack.spool` in the working directory otherwise; "off" for none at all.
        spool_durability: `everysec` (an open is on disk within a second) or `always` (before its image goes out).
        spool_max_bytes: the size of each worker's spool while the storage is unavailable, in bytes, from 1 MiB.
        rules: a file of rules for the judge, in addition to the built-in ones; see `mailtrack.verdicts`.
        networks: files of networks for the judge, as `name=file` with commas between.
        networks_folder: the folder of the lists that `mailtrack networks update` stores; `None` for one beside an
            SQLite database, and none otherwise.
        asn_database: a database of autonomous systems for `mailtrack networks update`, in MaxMind's format.
        window: the number of seconds, 0 to 86,400, after its mail was sent, or its token made, in which an open is
            early.
        counted: the kinds of verdict that count as people, with commas between.
        allow_anonymous: whether the server may listen on a public address without any stored key.
        trusted_proxies: the number of proxies before the server whose `X-Forwarded-*` headers are trusted, 0 to 10.
        allow_special_domains: whether recipients may have addresses in `.test`, `.local`, `localhost` and so on.
        token_limit: the limit on requests for tokens, see `create_app`; "off" for none, `None` for the default.
        rate_limit_storage: the URL of the storage that counts requests for tokens, see `create_app`; `None` for a file
            beside the database, else beside the spool.
        webhook_allow: networks, such as `10.0.0.0/8`, that webhooks may reach though they are not public; as a text,
            with commas between.
        keep: the age, such as `365d`, from which the server deletes opens; `None` for never.
    """

    host: str = "127.0.0.1"
    port: int = _number(8000, 1, 65_535)
    database: str = attrs.field(default="sqlite:///mailtrack.db", repr=redact_url)
    read_url: str | None = attrs.field(default=None, repr=lambda url: redact_url(str(url)))
    base_url: str | None = attrs.field(default=None, converter=_to_base_url)
    workers: int = _number(1, 1, 64)
    spool: str | None = None
    spool_durability: str = attrs.field(default=Durability.EVERYSEC.value, validator=_is_durability)
    spool_max_bytes: int = _number(MAX_BYTES, 1024 * 1024, 2**50)
    rules: str | None = None
    networks: str | None = attrs.field(default=None, validator=attrs.validators.optional(_are_files))
    networks_folder: str | None = None
    asn_database: str | None = None
    window: float = attrs.field(default=DEFAULT_WINDOW, converter=_to_window)
    counted: str = attrs.field(default="human,proxy,unknown", validator=_are_kinds)
    allow_anonymous: bool = _flag()
    trusted_proxies: int = _number(0, 0, 10)
    allow_special_domains: bool = _flag()
    token_limit: str | None = None
    rate_limit_storage: str | None = attrs.field(default=None, repr=lambda url: redact_url(str(url)))
    webhook_allow: tuple[str, ...] = attrs.field(default=(), converter=_to_networks)
    keep: str | None = attrs.field(default=None, validator=attrs.validators.optional(_is_age))

    @property
    def spool_folder(self) -> Path | None:
        """The folder of the spool, `None` if there is none."""
        if self.spool is not None:
            return None if self.spool == "off" else Path(self.spool)
        if self.in_memory:
            return None
        file = self.database_file
        return Path("mailtrack.spool") if file is None else Path(f"{file}.spool")

    @property
    def stored_networks(self) -> Folder | None:
        """The folder of the stored lists of networks, `None` if there is none."""
        if self.networks_folder is not None:
            return Folder(Path(self.networks_folder))
        file = self.database_file
        return None if file is None else Folder(Path(f"{file}.networks"))

    @property
    def network_files(self) -> dict[str, str]:
        """The files of `networks` by name."""
        return dict(_to_files(self.networks or ""))

    @property
    def database_file(self) -> Path | None:
        """The file of an SQLite storage, `None` for other storages."""
        scheme, _, path = self.database.partition(":///")
        return Path(path) if scheme.lower() == "sqlite" and path else None

    @property
    def in_memory(self) -> bool:
        """Whether each process has a storage of its own in its memory."""
        return self.database.lower().startswith("memory:")

    @property
    def database_name(self) -> str:
        """The URL of the storage without its password, for outputs."""
        return redact_url(self.database)

    @property
    def netloc(self) -> str:
        """The host and port that the server listens on, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def make_spool(self) -> Spool | None:
        """Return the spool, not open yet, or `None` if there is none.

        Raises:
            InvalidSetting: a spool is set for `memory://`. Each process has a memory of its own, so the one that drains
                would not have the pixels of the others.
        """
        folder = self.spool_folder
        if folder is None:
            return None
        if self.in_memory:
            raise InvalidSetting("spool", "can't be used with memory://")
        return Spool(folder, durability=self.spool_durability, max_bytes=self.spool_max_bytes)

    def make_judge(self) -> Judge:
        """Return the judge of opens, with the table of `make_table`."""
        return Judge(self.make_table(), window=self.window, counted=self.counted.split(","))

    def make_table(self) -> RuleTable:
        """Return the judge's rules, with the stored lists of the networks that they name, and the networks of files.

        Raises:
            InvalidSetting: a file of rules or networks can't be read.
            InvalidRules: a file of rules or networks is invalid.
        """
        table = self.make_rules()
        folder = self.stored_networks
        try:
            stored = {} if folder is None else folder.load(set(named_networks(table)) - set(self.network_files))
        except OSError as error:
            raise InvalidSetting("networks_folder", f"can't be read: {error.strerror}") from error
        try:
            given = {name: load_networks(file) for name, file in self.network_files.items()}
        except OSError as error:
            raise InvalidSetting("networks", f"can't be read: {error.strerror}") from error
        return table.with_networks(**stored, **given) if stored or given else table

    def make_rules(self) -> RuleTable:
        """Return the judge's rules, with the networks of the rules' files alone.

        Raises:
            InvalidSetting: the file of rules can't be read.
            InvalidRules: it is invalid.
        """
        try:
            return default_rules() if self.rules is None else load_rules(self.rules, base=default_rules())
        except OSError as error:
            raise InvalidSetting("rules", f"can't be read: {error.strerror}") from error

    @classmethod
    def resolve(cls, given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Self:
        """Return settings from given values, then from the environment, then from the defaults.

        Args:
            given: values by attribute; `None` and an empty tuple count as not given.
            environment: variables, `MAILTRACK_PORT` for `port` and so on; an empty value counts as not set.

        Raises:
            InvalidSetting: a value can't be used.
        """
        values: dict[str, Any] = {}
        for field in attrs.fields(cls):
            value = given.get(field.name)
            if value is None or value == ():  # an option that may be repeated
                value = environment.get(ENVIRONMENT_PREFIX + field.name.upper()) or None
            if value is not None:
                values[field.name] = value
        return cls(**values)
