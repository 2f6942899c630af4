"""Each list that is fetched by default, from a server on this machine that has the file in its owner's form."""

import gzip
import json

import attrs
import pytest

from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.sources import bundled_sources
from mailtrack.cli._networks.update import update
from mailtrack.verdicts import default_rules

APPLE = b"""\
172.224.226.0/27,GB,GB-EN,London,
172.224.226.34/31,GB,GB-EN,Oxford,
104.28.30.0/26,JP,JP-13,,
2a02:26f7:b3c0:4000::/64,US,US-AK,Anchorage,
"""
GOOGLE = {
    "syncToken": "1764064800",
    "creationTime": "2026-11-26T02:00:00.000000",
    "prefixes": [
        {"ipv4Prefix": "8.8.8.0/24"},
        {"ipv4Prefix": "34.0.0.0/15"},
        {"ipv4Prefix": "66.249.64.0/19"},
        {"ipv4Prefix": "108.177.0.0/17"},
        {"ipv6Prefix": "2600:1900::/28"},
        {"ipv6Prefix": "2001:4860::/32"},
    ],
}
CUSTOMERS = {
    "syncToken": "1764064800",
    "creationTime": "2026-11-26T02:00:00.000000",
    "prefixes": [
        {"ipv4Prefix": "34.0.0.0/15", "service": "Google Cloud", "scope": "europe-west1"},
        {"ipv6Prefix": "2600:1900::/28", "service": "Google Cloud", "scope": "us-east1"},
    ],
}
MICROSOFT = [
    {
        "id": 1, "serviceArea": "Exchange", "serviceAreaDisplayName": "Exchange Online",
        "urls": ["outlook.cloud.microsoft", "outlook.office.com", "outlook.office365.com"],
        "ips": ["13.107.6.152/31", "40.96.0.0/13", "2603:1006::/40"],
        "tcpPorts": "80,443", "udpPorts": "443", "expressRoute": True, "category": "Optimize", "required": True,
    },
    {
        "id": 9, "serviceArea": "Exchange", "serviceAreaDisplayName": "Exchange Online",
        "urls": ["*.protection.outlook.com"],
        "ips": [
            "40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "52.238.78.88/32", "104.47.0.0/17", "2a01:111:f403::/48",
        ],
        "tcpPorts": "443", "expressRoute": True, "category": "Allow", "required": True,
    },
    {
        "id": 10, "serviceArea": "Exchange", "serviceAreaDisplayName": "Exchange Online",
        "urls": ["*.mail.protection.outlook.com", "*.mx.microsoft"],
        "ips": [
            "40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17", "2a01:111:f400::/48",
            "2a01:111:f403::/48",
        ],
        "tcpPorts": "25", "expressRoute": True, "category": "Allow", "required": True,
    },
    {
        "id": 46, "serviceArea": "Common", "serviceAreaDisplayName": "Microsoft 365 Common and Office Online",
        "urls": ["*.officeapps.live.com"], "tcpPorts": "443", "expressRoute": False, "category": "Default",
        "required": True,
    },
]  # fmt: skip


@attrs.frozen
class Published:
    """A published list.

    Attributes:
        body: the file.
        inside: addresses that the stored list must have.
        outside: addresses that it must not have.
        without: the file with the networks that are taken out.
    """

    body: bytes
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    without: bytes | None = None


PUBLISHED = {
    "apple-relay": Published(
        APPLE, ("172.224.226.7", "172.224.226.35", "2a02:26f7:b3c0:4000::1"), ("172.224.226.36", "2a02:26f7::1")
    ),
    "google": Published(
        json.dumps(GOOGLE, indent=2).encode(),
        ("66.249.84.1", "108.177.9.1", "2001:4860:4801:10::1"),
        ("34.1.2.3", "2600:1900:4000::1"),
        json.dumps(CUSTOMERS, indent=2).encode(),
    ),
    "microsoft-365-protection": Published(
        json.dumps(MICROSOFT).encode(),
        ("40.93.1.1", "40.107.1.1", "52.103.1.1", "52.238.78.88", "104.47.1.1", "2a01:111:f400::1", "2a01:111:f403::1"),
        ("40.97.1.1", "13.107.6.152", "2603:1006::1"),
    ),
}


@pytest.fixture(params=PUBLISHED)
def name(request):
    return request.param


@pytest.fixture
def published(name):
    return PUBLISHED[name]


@pytest.fixture
def source(site, name, published):
    """The bundled source, with its places on this machine."""
    found = bundled_sources()[name]
    if published.without is not None:
        site.publish(published.without, path="/without")
    return attrs.evolve(found, url=site.url(), without=found.without and site.url("/without"))


@pytest.fixture
def before(site, source, folder, published):
    """The files of the list that was fetched before."""
    site.publish(published.body)
    update(source, folder)
    return contents(folder)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.path.iterdir()}


def check(folder, name, published):
    stored = folder.load([name])[name]
    assert [ip for ip in published.inside if ip not in stored] == []
    assert [ip for ip in published.outside if ip in stored] == []


def test_each_source_with_a_list_is_tested():
    assert PUBLISHED.keys() == {name for name, source in bundled_sources().items() if source.url is not None}


def test_a_list_is_stored(site, source, folder, name, published):
    site.send(published.body)
    update(source, folder)
    check(folder, name, published)


def test_a_packed_list_is_stored(site, source, folder, name, published):
    site.send(gzip.compress(published.body), Content_Encoding="gzip")
    update(source, folder)
    check(folder, name, published)


def test_a_list_behind_a_redirect_is_stored(site, source, folder, name, published):
    site.send(status=301, Location="/moved")
    site.send(published.body, path="/moved")
    update(source, folder)
    check(folder, name, published)


@pytest.mark.usefixtures("before")
def test_an_unchanged_list_does_not_come_again(site, source, folder):
    site.requests.clear()
    assert update(source, folder).ranges is None
    assert all("If-None-Match" in headers for _, headers in site.requests)


HALF = {
    "cut": lambda body: {"body": body[: len(body) // 2], "length": len(body)},
    "half": lambda body: {"body": body[: len(body) // 2]},
    "too-short-a-length": lambda body: {"body": body, "length": len(body) - 40},
    "packed-and-cut": lambda body: {"body": gzip.compress(body)[:-12], "Content_Encoding": "gzip"},
    "html": lambda _: {"body": b"<!DOCTYPE html><html><body>Sign in to this network</body></html>"},
    "empty": lambda _: {"body": b""},
    "missing": lambda _: {"status": 404},
    "busy": lambda _: {"body": b"slow down", "status": 503, "Retry_After": "60"},
    "redirect-to-http": lambda _: {"status": 302, "Location": "http://192.0.2.1/list"},
}


@pytest.mark.parametrize("answer", HALF.values(), ids=HALF)
def test_a_bad_answer_leaves_the_stored_list(site, source, folder, before, published, answer):
    site.send(**answer(published.body))
    with pytest.raises(UpdateFailed):
        update(source, folder)
    assert contents(folder) == before


def test_a_late_answer_leaves_the_stored_list(site, source, folder, before):
    site.answers["/list"] = lambda _: site.closing.wait()
    with pytest.raises(UpdateFailed, match="in time"):
        update(source, folder, timeout=0.2)
    assert contents(folder) == before


@pytest.mark.parametrize("network", ["google", "microsoft-365-protection"])
def test_the_rules_have_what_is_published(network):
    found = default_rules().networks[network]
    assert [ip for ip in PUBLISHED[network].inside if ip not in found] == []
    assert [ip for ip in PUBLISHED[network].outside if ip in found] == []
