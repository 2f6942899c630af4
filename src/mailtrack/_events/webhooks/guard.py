"""Which URLs events may be sent to: those on public addresses, and in networks that the operator allows.

Else a webhook would lead requests into the operator's own network. A name is checked when it is connected to, on the
very address that is then used.
"""

import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidSetting, InvalidWebhook

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2048

# Those of IANA's registries of special-purpose addresses (RFC 6890) that are not global, multicast, and reserved ones.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")  # all that is assigned to hosts (RFC 4291)
_NOT_PUBLIC_6 = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # protocols, among them Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_WITH_IPV4 = (  # at the end: compatible and mapped ones (RFC 4291), and those of NAT64 (RFC 6052)
    *(IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "64:ff9b::/96")),
)
_6TO4 = IPv6Network("2002::/16")

_REFUSED_CHARACTERS = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"`{|}^\u2028\u2029\ud800-\udfff]")
# What the IDNA of 2003, which Python has, and that of 2008 take for different names (RFC 5894, section 7.2).
_OTHER_NAME = re.compile("[ßẞς\u200c\u200d]")
_BRACKETED = re.compile(r"\[[^][]*\](?::[0-9]+)?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_MOST_NAME = 253


def to_networks(values: Iterable[str]) -> tuple[Network, ...]:
    """Return networks that are allowed though they are not public, given as `127.0.0.0/8`.

    Raises:
        InvalidSetting: one of them is none.
    """
    if isinstance(values, str):
        raise InvalidSetting("webhook_allow", "must be several networks, as in [network]")
    try:
        return tuple(ip_network(value) for value in values)
    except (TypeError, ValueError):
        raise InvalidSetting("webhook_allow", "must be networks, such as 10.0.0.0/8") from None


def is_allowed(address: Address, allow: Sequence[Network]) -> bool:
    """Return whether events may be sent to an address: it is public, or in one of some networks.

    An IPv6 address that stands for an IPv4 address is judged as that one.
    """
    inner = _inner(address)
    if any(one in network for one in (address, inner) for network in allow):
        return True
    if isinstance(inner, IPv4Address):
        return not any(inner in network for network in _NOT_PUBLIC_4)
    return inner in _PUBLIC_6 and not any(inner in network for network in _NOT_PUBLIC_6)


def _inner(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if any(address in network for network in _WITH_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_url(url: str, allow: Sequence[Network]) -> str:
    """Return the URL of a webhook in its usual spelling.

    Args:
        url: the URL.
        allow: networks that are allowed though they are not public.

    Raises:
        InvalidArgument: it is no text.
        InvalidWebhook: it is no http or https URL, or its host is an address that is not public. Names are not looked
            up here.
    """
    check_type(url, str, "url")
    if not 0 < len(url) <= MAX_URL_LENGTH:
        raise InvalidWebhook(f"The URL must have 1 to {MAX_URL_LENGTH:,} characters.")
    if _REFUSED_CHARACTERS.search(url):
        raise InvalidWebhook("The URL must have no blanks, control characters, backslashes or brackets.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidWebhook("The URL is malformed.") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidWebhook("The URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise InvalidWebhook("The URL must not have a user name or password.")
    if "#" in url:
        raise InvalidWebhook("The URL must not have a fragment.")
    if port == 0 or parts.netloc.endswith(":"):
        raise InvalidWebhook("The port of the URL is not valid.")
    host = _check_host(parts, allow)
    return urlunsplit(
        (
            parts.scheme,
            host if port is None else f"{host}:{port}",
            quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/",
            quote(parts.query, safe="/%:@!$&'()*+,;=~-._?"),
            "",
        )
    )


def _check_host(parts: SplitResult, allow: Sequence[Network]) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc or "]" in parts.netloc:
        if not _BRACKETED.fullmatch(parts.netloc):  # which `urlsplit` does not look at in every version
            raise InvalidWebhook("The URL is malformed.")
        try:
            address: Address = IPv6Address(host)  # with a zone, too, which is no part of a URL
        except ValueError:
            address = IPv6Address(0)
        if "%" in host or not int(address):
            raise InvalidWebhook("The address in the URL is not valid, or not public.")
    else:
        host = _to_name(host)
        if not _NUMBER.fullmatch(host.rpartition(".")[2]):
            return host
        address = _to_ipv4(host)
    if not is_allowed(address, allow):
        raise InvalidWebhook(f"The address {address} is not public.")
    return str(address) if address.version == 4 else f"[{address}]"


def _to_name(host: str) -> str:
    """Return a host name in ASCII, without a dot at its end."""
    if _OTHER_NAME.search(host):
        raise InvalidWebhook("Give the host of the URL in ASCII, as xn--...: the character ß, for one, is ambiguous.")
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        name = ""
    if len(name) > _MOST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise InvalidWebhook("The URL has no valid host.")
    return name


def _to_ipv4(host: str) -> IPv4Address:
    """Return the address that a host of numbers means: `2130706433`, `0x7f.1` and `0177.0.0.1` are 127.0.0.1."""
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        raise InvalidWebhook("The address in the URL is not valid.") from None


def parse_address(text: str) -> Address:
    """Return an address as `getaddrinfo` writes it."""
    return ip_address(text.partition("%")[0])
