"""The networks of autonomous systems, from the operator's own ASN database in MaxMind's format."""

from collections.abc import Collection, Mapping

from mailtrack.cli._networks.failure import UpdateFailed


def find_networks(file: str, systems: Mapping[str, Collection[int]]) -> dict[str, list[str]]:
    """Return the prefixes of autonomous systems, in one pass over a database.

    Args:
        file: the database. Its records have `autonomous_system_number` (3), or `asn` ("AS3").
        systems: the numbers of the systems by name.

    Returns:
        The prefixes by name.

    Raises:
        UpdateFailed: maxminddb is not installed, or the file is not a readable database.
    """
    try:
        import maxminddb  # an extra
    except ImportError as error:
        raise UpdateFailed("an ASN database needs maxminddb: pip install 'mailtrack[mmdb]'") from error
    names = {number: name for name, numbers in systems.items() for number in numbers}
    found: dict[str, list[str]] = {name: [] for name in systems}
    try:
        with maxminddb.open_database(file) as database:
            for network, record in database:
                if (name := names.get(_number(record))) is not None:
                    found[name].append(str(network))
    except OSError as error:
        raise UpdateFailed(f"the ASN database can't be read: {error.strerror or error}") from error
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise UpdateFailed(f"the ASN database can't be used: {error}") from error
    return found


def _number(record: object) -> int:
    """Return the number of the system in a record, -1 without one."""
    if not isinstance(record, dict):
        return -1
    value = record.get("autonomous_system_number", record.get("asn"))
    text = str(value).upper().removeprefix("AS")
    return int(text) if text.isascii() and text.isdigit() else -1
