"""The networks of autonomous systems, from real databases in MaxMind's format."""

import sys

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from mailtrack.cli._networks.asn import find_networks
from mailtrack.cli._networks.failure import UpdateFailed

SYSTEMS = {"proofpoint": (22843, 26211), "cisco": (16417,)}


def write(path, records, **options):
    writer = MMDBWriter(**({"ip_version": 6, "ipv4_compatible": True} | options))
    for prefix, record in records.items():
        writer.insert_network(IPSet([prefix]), record)
    writer.to_db_file(str(path))
    return str(path)


def system(number):
    return {"autonomous_system_number": number, "autonomous_system_organization": "Some"}


def test_each_network_gets_the_prefixes_of_its_systems(tmp_path):
    records = {
        "192.0.2.0/25": system(22843),
        "198.51.100.0/24": system(26211),
        "203.0.113.0/24": system(64500),
        "2001:db8:1::/48": system(16417),
        "2001:db8:2::/48": system(22843),
    }
    found = find_networks(write(tmp_path / "asn.mmdb", records), SYSTEMS)
    assert {name: sorted(prefixes) for name, prefixes in found.items()} == {
        "proofpoint": ["192.0.2.0/25", "198.51.100.0/24", "2001:db8:2::/48"],
        "cisco": ["2001:db8:1::/48"],
    }


def test_a_database_may_have_ipv4_only(tmp_path):
    file = write(tmp_path / "asn.mmdb", {"192.0.2.0/24": system(16417)}, ip_version=4, ipv4_compatible=False)
    assert find_networks(file, SYSTEMS) == {"proofpoint": [], "cisco": ["192.0.2.0/24"]}


@pytest.mark.parametrize("record", [{"asn": "AS16417"}, {"asn": 16417}, {"autonomous_system_number": 16417}])
def test_the_number_may_be_written_in_several_ways(tmp_path, record):
    file = write(tmp_path / "asn.mmdb", {"192.0.2.0/24": record})
    assert find_networks(file, SYSTEMS)["cisco"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("record", [{"country": "DE"}, {"asn": "ASX"}, {"asn": ""}, "16417", {"asn": "-16417"}])
def test_records_without_a_number_are_passed_over(tmp_path, record):
    file = write(tmp_path / "asn.mmdb", {"192.0.2.0/24": record})
    assert find_networks(file, SYSTEMS) == {"proofpoint": [], "cisco": []}


def test_a_file_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(UpdateFailed, match="can't be read: No such file"):
        find_networks(f"{tmp_path}/none.mmdb", SYSTEMS)


@pytest.mark.parametrize("data", [b"", b"rubbish" * 100])
def test_a_file_that_is_no_database_is_reported(tmp_path, data):
    file = tmp_path / "asn.mmdb"
    file.write_bytes(data)
    with pytest.raises(UpdateFailed, match=r"can't be (used|read)"):
        find_networks(str(file), SYSTEMS)


def test_half_a_database_is_reported(tmp_path):
    file = tmp_path / "asn.mmdb"
    write(file, {f"192.0.{low}.0/24": {"asn": low, "text": "x" * low} for low in range(256)})
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(UpdateFailed, match="can't be used"):
        find_networks(str(file), SYSTEMS)


def test_a_damaged_database_is_reported(tmp_path):
    file = tmp_path / "asn.mmdb"
    write(file, {f"192.0.{low}.0/24": {"asn": low, "text": "x" * low} for low in range(256)})
    data = bytearray(file.read_bytes())
    data[:2000] = b"\xf3" * 2000
    file.write_bytes(data)
    with pytest.raises(UpdateFailed, match="can't be used"):
        find_networks(str(file), SYSTEMS)


def test_without_maxminddb_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(UpdateFailed, match=r"mailtrack\[mmdb\]"):
        find_networks(f"{tmp_path}/asn.mmdb", SYSTEMS)
