"""Where lists come from: a file beside the rules, changed by options."""

import pytest

from mailtrack import InvalidSetting
from mailtrack.cli._networks.sources import Source, all_sources, bundled_sources
from mailtrack.cli._networks.status import named_networks
from mailtrack.verdicts import default_rules


def test_each_network_that_ships_empty_has_a_source():
    empty = {name for name, found in default_rules().networks.items() if repr(found) == "<Networks of 0 ranges>"}
    assert empty == {"apple-relay", "cisco", "mimecast", "proofpoint"}
    assert empty <= bundled_sources().keys()


def test_each_source_is_of_a_network_that_rules_name():
    assert bundled_sources().keys() <= set(named_networks(default_rules()))


def test_each_source_is_a_list_over_https_or_has_systems():
    for source in bundled_sources().values():
        places = [place for place in (source.url, source.without) if place]
        assert all(place.startswith("https://") for place in places)
        assert bool(places) != bool(source.systems)
        assert (source.format is None) == bool(source.systems)


def test_google_is_known_without_its_customers():
    google = bundled_sources()["google"]
    assert str(google) == (
        "https://www.gstatic.com/ipranges/goog.json without https://www.gstatic.com/ipranges/cloud.json"
    )


def test_an_option_replaces_the_list_and_keeps_what_is_taken_out():
    found = all_sources(["google=mirror.json", "ours=https://example.com/a=b"], [])
    assert (found["google"].url, found["google"].format) == ("mirror.json", None)
    assert found["google"].without == bundled_sources()["google"].without
    assert found["ours"] == Source(name="ours", url="https://example.com/a=b")


def test_an_option_replaces_what_is_taken_out():
    assert all_sources([], ["google=cloud.json"])["google"].without == "cloud.json"
    assert all_sources(["google=a"], ["google="])["google"] == Source(name="google", url="a")


def test_a_list_goes_before_systems():
    assert str(all_sources(["cisco=list.txt"], [])["cisco"]) == "list.txt"
    assert str(bundled_sources()["cisco"]) == "AS16417"


@pytest.mark.parametrize("text", ["", "apple-relay", "apple-relay=", "=x", "Apple Relay=x", "../x=y"])
def test_a_list_needs_a_name_and_a_place(text):
    with pytest.raises(InvalidSetting, match="from: must be"):
        all_sources([text], [])


@pytest.mark.parametrize("text", ["google", "=x", "other=x", "cisco=x"])
def test_what_is_taken_out_needs_a_network_with_a_list(text):
    with pytest.raises(InvalidSetting, match="without: "):
        all_sources([], [text])
