"""The formats in which networks are published, and what is refused."""

import gzip
import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack.cli._networks import formats
from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.formats import count, parse, subtract, to_lines
from mailtrack.verdicts import Networks
from mailtrack.verdicts._networks import fingerprint, parse_networks

GOOGLE = {
    "syncToken": "1",
    "creationTime": "2026-11-26T10:00:00",
    "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": "2001:db8::/32"}],
}
MICROSOFT = [
    {"id": 1, "urls": ["outlook.office.com"], "ips": ["198.51.100.0/24"]},
    {"id": 9, "urls": ["*.protection.outlook.com"], "ips": ["192.0.2.0/24", "2001:db8::/48"]},
    {"id": 46, "urls": ["*.office.com"]},
]


def prefixes(data, **options):
    return [str(network) for network in parse(data, **options)]


def test_a_list_has_a_network_a_line_and_comments():
    data = b"\xef\xbb\xbf# ours\r\n192.0.2.0/24  # the office\r\n\r\n2001:db8::/48\r\n198.51.100.7\r\n"
    assert prefixes(data) == ["192.0.2.0/24", "2001:db8::/48", "198.51.100.7/32"]


def test_apples_list_is_csv():
    assert prefixes(b'172.224.226.0/27,GB,GB-EN,London,\n"2a02:26f7::/64",US,US-CA,,\n', format="lines") == [
        "172.224.226.0/27",
        "2a02:26f7::/64",
    ]


@pytest.mark.parametrize("name", ["google", None])
def test_googles_list_is_json(name):
    assert prefixes(json.dumps(GOOGLE).encode(), format=name) == ["192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize("name", ["microsoft", None])
def test_of_microsofts_list_only_mail_protection_is_taken(name):
    assert prefixes(json.dumps(MICROSOFT).encode(), format=name) == ["192.0.2.0/24", "2001:db8::/48"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
        (b"  \n<html>", "HTML"),
        (b"prefix,country\n", "line 1 is not a network"),
        (b"192.0.2.0/24\n192.0.2", "line 2 is not a network: '192.0.2'"),
        (b"192.0.2.0/33\n", "line 1"),
        (b"0.0.0.0/0\n", "line 1 is wider than /8"),
        (b"10.0.0.0/7\n", "line 1 is wider than /8"),
        (b"2001::/15\n", "line 1 is wider than /16"),
        (b"\xff\xfe", "UTF-8"),
        (b"\x1f\x8b\x08\x00", "can't be unpacked"),
        (b"\x1f\x8brubbish", "can't be unpacked"),
        (gzip.compress(b"192.0.2.0/24\n" * 100, mtime=0)[:-9], "can't be unpacked"),
        (gzip.compress(b"<html>", mtime=0), "HTML"),
        (b"192.0.2.0/24,GB,GB-EN,London,\n198.51.100.0/24,GB", "its last line is cut"),
        (b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}', "not JSON"),
        (b'{"prefixes": 3}', "no list of prefixes"),
        (b'{"error": "gone"}', "no list of prefixes"),
        (b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"other": 1}]}', "prefix 2 is not a network"),
        (b'{"prefixes": ["192.0.2.0/24"]}', "prefix 1 is not a network"),
        (b"[1]", "not a list of endpoints"),
        (b'[{"urls": 1, "ips": []}]', "endpoint 1"),
        (b'[{"urls": ["a.protection.outlook.com"], "ips": [7]}]', "endpoint 1 is not a network"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_list_is_refused_with_its_reason(data, reason):
    with pytest.raises(UpdateFailed, match=reason):
        parse(data)


def test_a_list_may_be_packed():
    assert prefixes(gzip.compress(b"192.0.2.0/24\n")) == ["192.0.2.0/24"]


def test_a_packed_list_has_a_limit_when_unpacked(monkeypatch):
    monkeypatch.setattr(formats, "_MAX_UNPACKED", 1000)
    assert prefixes(gzip.compress(b"192.0.2.0/24" + b"\n" * 988)) == ["192.0.2.0/24"]
    with pytest.raises(UpdateFailed, match="larger than 1,000 bytes when unpacked"):
        parse(gzip.compress(b"192.0.2.0/24" + b"\n" * 989))


def test_the_last_line_needs_no_end():
    assert prefixes(b"# ours, all\n192.0.2.0/24,x\n198.51.100.0/24,y") == ["192.0.2.0/24", "198.51.100.0/24"]


def test_a_list_in_another_format_than_its_source_has_is_refused():
    with pytest.raises(UpdateFailed):
        parse(json.dumps(GOOGLE).encode(), format="microsoft")
    with pytest.raises(UpdateFailed):
        parse(json.dumps(MICROSOFT).encode(), format="google")
    with pytest.raises(UpdateFailed):
        parse(b"192.0.2.0/24\n", format="google")


def test_networks_of_the_width_that_owners_have_are_taken():
    assert prefixes(b"17.0.0.0/8\n2001::/16\n") == ["17.0.0.0/8", "2001::/16"]


def test_the_networks_of_customers_are_taken_out():
    kept = subtract(parse(b"192.0.2.0/24\n2001:db8::/32\n198.51.100.0/25\n"), parse(b"192.0.2.0/25\n198.51.100.0/24\n"))
    assert sorted(map(str, kept)) == ["192.0.2.128/25", "2001:db8::/32"]


SMALL = st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=6).map(
    lambda found: [ipaddress.ip_network((f"192.0.2.{low}", length), strict=False) for low, length in found]
)


@given(SMALL, SMALL)
def test_taking_out_leaves_exactly_the_other_addresses(networks, holes):
    left = {address for network in subtract(networks, holes) for address in network}
    assert left == {one for network in networks for one in network} - {one for hole in holes for one in hole}


@given(SMALL)
def test_the_lines_of_a_list_are_the_same_networks(networks):
    before = Networks(map(str, networks))
    after = parse_networks(to_lines(before))
    assert fingerprint(after) == fingerprint(before)
    assert count(after) == count(before)
