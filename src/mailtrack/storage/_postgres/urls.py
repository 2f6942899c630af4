"""URLs of databases: which part is whose, and how one is shown without its password."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict

from mailtrack._errors import InvalidSetting

DEFAULT_SCHEMA = "mailtrack"
"""The schema of the tables, unless the URL says `?schema=...`."""

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TO_ESCAPE = re.compile(r"""["'<>\s\x00-\x1f\x7f]""")
_SCHEMES = ("postgresql", "postgres")


@attrs.frozen
class Address:
    """Where a database is.

    Attributes:
        parameters: what libpq connects with, with the password.
        schema: the schema of the tables.
        shown: a short text without any secret.
    """

    parameters: dict[str, Any] = attrs.field(repr=False)
    schema: str
    shown: str


def parse(url: str) -> Address:
    """Return the address that a URL names.

    Raises:
        InvalidSetting: it is malformed. The message has no part of it.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))  # a blank in forms only
        schema = query.pop("schema", DEFAULT_SCHEMA)
        rest = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))
        parameters = conninfo_to_dict(rest)
        for port in str(parameters.get("port") or "0").split(","):
            int(port or "0")
    except (ValueError, psycopg.Error):
        parts = None
    if parts is None or parts.scheme.lower() not in _SCHEMES or parts.fragment:
        raise InvalidSetting("database", "must be a URL such as postgresql://user@host/name")
    # Of an "@", libpq takes the end of the password for the host or name; others end a URL in a text, or are lost.
    if _TO_ESCAPE.search(url) or parts.netloc.count("@") > 1 or "@" in parts.path:
        raise InvalidSetting("database", "has a user, password or name with a character to be escaped, as in %40 for @")
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidSetting("database", "has a schema that is not in lower-case letters, digits and underscores")
    return Address(parameters, schema, _show(parameters, schema))


def _show(parameters: dict[str, Any], schema: str) -> str:
    host, port, name = (str(parameters.get(key) or "") for key in ("host", "port", "dbname"))
    host = f"[{host}]" if ":" in host else host
    place = "/".join(part for part in (f"{host}:{port}" if host and port else host, name) if part)
    return f"postgresql://{place}" + ("" if schema == DEFAULT_SCHEMA else f"?schema={schema}")
