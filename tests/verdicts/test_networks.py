"""Sets of networks, from lists and files, and the addresses in them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack._errors import InvalidRules
from mailtrack.verdicts import Networks, load_networks
from mailtrack.verdicts._networks import NetworkTable, fingerprint, iter_ranges, parse_networks


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
    assert fingerprint(one) == fingerprint(Networks(["2001:DB8::/32", "192.0.2.0/25", "192.0.2.0/24"]))
    assert fingerprint(one) == fingerprint(Networks(["2001:db8::/32", "192.0.2.128/25", "192.0.2.0/25"]))
    assert fingerprint(one) != fingerprint(Networks(["192.0.2.0/24"]))


def test_bad_networks_are_listed_by_their_place():
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


def test_bad_lines_of_a_file_are_listed_by_their_number(tmp_path):
    path = tmp_path / "networks.txt"
    path.write_bytes(b"prefix,country\n192.0.2.0/24\n\n\xff\xfe\n192.0.2.0/40,GB\n")
    with pytest.raises(InvalidRules) as raised:
        load_networks(path)
    assert [problem.place for problem in raised.value.problems] == ["line 1", "line 4", "line 5"]


def test_a_message_stays_short_however_many_lines_are_bad():
    with pytest.raises(InvalidRules) as raised:
        parse_networks(["x"] * 5000)
    assert len(raised.value.problems) == 5000
    assert str(raised.value).endswith("; and 4,990 more")


def test_many_networks_are_all_found():
    networks = Networks(f"10.{place >> 8}.{place & 255}.0/25" for place in range(20_000))
    assert "10.78.31.5" in networks
    assert "10.78.31.200" not in networks
    assert "10.78.32.5" not in networks


class TestATableOfNetworks:
    def test_it_names_all_networks_that_hold_an_address(self):
        table = NetworkTable({"a": Networks(["192.0.2.0/24", "2001:db8::/32"]), "b": Networks(["192.0.2.128/25"])})
        assert table.names_of("192.0.2.1") == {"a"}
        assert table.names_of("192.0.2.200") == {"a", "b"}
        assert table.names_of("192.0.3.0") == set()
        assert table.names_of("2001:db8::9") == {"a"}
        assert table.names_of("::ffff:192.0.2.200") == {"a", "b"}

    def test_it_knows_the_first_and_the_last_address_of_all(self):
        table = NetworkTable(
            {"all": Networks(["0.0.0.0/0", "::/0"]), "end": Networks(["255.255.255.255", "ffff::/16"])}
        )
        assert table.names_of("0.0.0.0") == table.names_of("::") == {"all"}
        assert table.names_of("255.255.255.255") == table.names_of("ffff:ffff::") == {"all", "end"}

    def test_networks_that_touch_are_listed_apart(self):
        table = NetworkTable({"a": Networks(["192.0.2.0/25", "192.0.2.128/25"]), "b": Networks(["192.0.3.0/24"])})
        assert [table.names_of(f"192.0.{place}") for place in ("2.127", "2.128", "3.0")] == [{"a"}, {"a"}, {"b"}]

    @pytest.mark.parametrize("ip", ["", "192.0.2", "1" * 10_000, "x", "192.0.2.1\0", "\udce4"])
    def test_what_is_no_address_is_in_none(self, ip):
        assert NetworkTable({"all": Networks(["0.0.0.0/0", "::/0"])}).names_of(ip) == set()

    def test_without_networks_it_names_none(self):
        assert NetworkTable({}).names_of("192.0.2.1") == set()


V4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)
NEAR_V4 = st.integers(3_221_225_900, 3_221_226_100).map(ipaddress.IPv4Address)
ADDRESSES = st.one_of(NEAR_V4, V4, V6)


@st.composite
def prefixes(draw):
    address = draw(ADDRESSES)
    length = draw(
        st.integers(address.max_prefixlen - 10, address.max_prefixlen) | st.integers(0, address.max_prefixlen)
    )
    return str(ipaddress.ip_network((address, length), strict=False))


def holds(networks, address):
    return any(
        address.version == network.version and address in network for network in map(ipaddress.ip_network, networks)
    )


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(prefixes(), max_size=8)), st.lists(ADDRESSES, max_size=8))
def test_a_table_says_what_looking_at_each_network_says(given_networks, addresses):
    table = NetworkTable({name: Networks(texts) for name, texts in given_networks.items()})
    edges = [
        ipaddress.ip_network(text)[place] for texts in given_networks.values() for text in texts for place in (0, -1)
    ]
    for address in (*addresses, *edges):
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            continue  # looked up as IPv4
        named = {name for name, texts in given_networks.items() if holds(texts, address)}
        assert table.names_of(str(address)) == named
        assert {name for name, texts in given_networks.items() if str(address) in Networks(texts)} == named


def test_an_address_may_have_64_characters_with_its_zone_and_no_more():
    networks = Networks(["fe80::/10"])
    assert "fe80::1%" + "z" * 56 in networks
    assert "fe80::1%" + "z" * 57 not in networks


def test_an_address_that_is_given_twice_is_one_range():
    once, twice = Networks(["192.0.2.1"]), Networks(["192.0.2.1", "192.0.2.1"])
    assert repr(once) == repr(twice) == "<Networks of 1 ranges>"
    assert fingerprint(once) == fingerprint(twice)


def test_only_quotes_are_taken_off_a_prefix():
    assert "192.0.2.1" in parse_networks(['"192.0.2.0/24",US'])
    with pytest.raises(InvalidRules):
        parse_networks(["X192.0.2.0/24X"])


@pytest.mark.parametrize("text", ["192.0.2.0/255.255.255.0", "192.0.2.0/024", "192.0.2.0/0.0.0.255"])
def test_a_prefix_may_be_written_in_other_forms(text):
    assert fingerprint(Networks([text])) == fingerprint(Networks(["192.0.2.0/24"]))


@pytest.mark.parametrize(
    "text",
    ["192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/ 24", "192.0.2.0/²", "192.0.2.0/٢٤", "/24", "::/129", "1.2.3.4\0/8"],
)
def test_what_is_no_length_of_a_prefix_is_refused(text):
    with pytest.raises(InvalidRules):
        Networks([text])


@given(prefixes())
def test_a_prefix_is_read_as_the_standard_library_reads_it(text):
    network = ipaddress.ip_network(text)
    ((first, last),) = iter_ranges(Networks([text]), network.max_prefixlen // 8)
    assert (first, last) == (network.network_address.packed, network.broadcast_address.packed)
