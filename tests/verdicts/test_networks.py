import pytest

from mailtrack.errors import InvalidRules
from mailtrack.verdicts import Networks, load_networks


@pytest.mark.parametrize(
    ("ip", "inside"),
    [
        ("192.0.2.0", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("192.0.1.255", False),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::", True),
        ("2001:DB8::FFFF", True),
        ("2001:db8:1::", False),
        ("2001:db8::1%eth0", True),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
    ],
)
def test_an_address_is_in_the_networks_that_hold_it(ip, inside):
    assert (ip in Networks(["192.0.2.0/24", "2001:db8::/48", "198.51.100.7"])) is inside


@pytest.mark.parametrize("ip", ["", "192.0.2", "192.0.2.1.1", "192.0.2.1:80", "0x7f.1", "1" * 10_000, None, 3221225985])
def test_what_is_no_address_is_in_no_network(ip):
    assert ip not in Networks(["0.0.0.0/0", "::/0"])


def test_no_networks_hold_nothing():
    assert "192.0.2.1" not in Networks()


def test_an_address_of_one_version_is_in_no_network_of_the_other():
    assert "::c000:201" not in Networks(["192.0.2.0/24"])


def test_networks_that_overlap_are_one():
    networks = Networks(["192.0.2.128/25", "192.0.2.0/24", "192.0.2.7"])
    assert repr(networks) == "<Networks of 1 ranges>"
    assert "192.0.2.200" in networks


def test_a_network_with_bits_beyond_its_prefix_is_taken_for_the_network_around_it():
    assert "192.0.2.1" in Networks(["192.0.2.77/24"])


def test_the_fingerprint_is_of_the_addresses_not_of_their_spelling():
    one = Networks(["192.0.2.0/24", "2001:db8::/32"])
    assert one.fingerprint == Networks(["2001:DB8::/32", "192.0.2.0/25", "192.0.2.0/24"]).fingerprint
    assert one.fingerprint != Networks(["192.0.2.0/24"]).fingerprint


def test_bad_networks_are_told_by_their_place():
    with pytest.raises(InvalidRules) as raised:
        Networks(["192.0.2.0/24", "192.0.2.0/33", "here"])
    assert [problem.place for problem in raised.value.problems] == ["network 2", "network 3"]


def test_a_file_has_a_network_a_line(tmp_path):
    path = tmp_path / "networks.txt"
    path.write_text("# ours\n192.0.2.0/24   # the office\n\n2001:db8::/48\r\n", encoding="utf-8")
    networks = load_networks(path)
    assert "192.0.2.1" in networks
    assert "2001:db8::1" in networks


def test_a_file_may_be_csv_with_the_prefix_first(tmp_path):
    path = tmp_path / "relays.csv"
    path.write_text('172.224.226.0/27,GB,GB-EN,London,\n"2a02:26f7::/64",US,US-CA,,\n', encoding="utf-8")
    networks = load_networks(path)
    assert "172.224.226.3" in networks
    assert "2a02:26f7::9" in networks


def test_a_bom_before_the_first_line_does_not_matter(tmp_path):
    path = tmp_path / "networks.txt"
    path.write_text("192.0.2.0/24\n", encoding="utf-8-sig")
    assert "192.0.2.1" in load_networks(path)


def test_bad_lines_of_a_file_are_told_by_their_number(tmp_path):
    path = tmp_path / "networks.txt"
    path.write_bytes(b"prefix,country\n192.0.2.0/24\n\n\xff\xfe\n192.0.2.0/40,GB\n")
    with pytest.raises(InvalidRules) as raised:
        load_networks(path)
    assert [problem.place for problem in raised.value.problems] == ["line 1", "line 4", "line 5"]


def test_a_message_stays_short_however_many_lines_are_bad():
    with pytest.raises(InvalidRules) as raised:
        Networks.from_lines(["x"] * 5000)
    assert len(raised.value.problems) == 5000
    assert str(raised.value).endswith("; and 4,990 more")


def test_many_networks_are_all_found():
    networks = Networks(f"10.{place >> 8}.{place & 255}.0/25" for place in range(20_000))
    assert "10.78.31.5" in networks
    assert "10.78.31.200" not in networks
    assert "10.78.32.5" not in networks
