"""Simulated traffic of people and machines, whose verdicts are right in the end in whatever batches it is stored."""

import random
from datetime import timedelta
from itertools import cycle, islice
from typing import NamedTuple

import attrs
import pytest

from mailtrack import open_storage
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.storing import store_hits
from mailtrack._model import Target
from mailtrack.testing import make_hit, make_pixel, make_recipients
from mailtrack.testing._factories import NOON
from mailtrack.verdicts import Judge, default_rules

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36"
EDGE = f"{CHROME} Edg/131.0.0.0"
MAC_CHROME = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36"
CHROMEBOOK = f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
ESR = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
SAFARI = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/17.6 Safari/605.1.15"
APPLE_MAIL = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) {_APPLE} Mobile/15E148"
WEB_VIEW = (
    f"Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) {_WEBKIT} Version/4.0 Chrome/131.0.6778.81 Mobile Safari/537.36"
)
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/8.0; Microsoft Outlook 16.0.6366; ms-office)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
HEY = "hey.com/imageproxy Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
PRIVACY = "Mozilla/5.0"
FORGED = CHROME.replace("131.0.0.0", "131.0.6778.86")

NO_LANGUAGE = ("no-language",)
HOUR = 3600.0
ONE_ADDRESS = ["192.0.2.1"]
OFFICE = [CHROME, EDGE, FIREFOX]


class Fetch(NamedTuple):
    """A fetch, with its time in seconds after the mail."""

    at: float
    recipient: str
    ip: str
    user_agent: str
    signals: tuple[str, ...]


def several(number):
    """Return addresses that have nothing in common."""
    return [f"{10 + place // 250}.{place % 250}.7.1" for place in range(number)]


def in_one_64(number):
    return [f"2001:db8:0:1::{place + 1:x}" for place in range(number)]


def in_several_64(number):
    return [f"2001:db8:0:{place + 1:x}::1" for place in range(number)]


def scene(number, *, over, after=HOUR, ips=ONE_ADDRESS, agents=(CHROME,), signals=(), domain="example.org", times=1):
    """Return fetches of so many recipients, spread evenly with some noise, each with the next address and program."""
    noise = random.Random(f"{number} {over} {after} {agents}")
    each = zip(range(number), islice(cycle(ips), number), islice(cycle(agents), number), strict=True)
    step = over / max(number - 1, 1)
    return [
        Fetch(after + place * step + 0.2 * step * noise.random(), f"r{place}@{domain}", ip, agent, signals)
        for place, ip, agent in each
        for _ in range(times)
    ]


PEOPLE = {
    "a company reads its newsletter at nine": scene(50, over=10, agents=OFFICE),
    "the same at once, with one program": scene(50, over=2, agents=[EDGE]),
    "a small office": scene(6, over=8, agents=OFFICE),
    "a class room with one kind of computer": scene(30, over=20, agents=[CHROMEBOOK]),
    "a class room that is told to open the mail now": scene(30, over=3, after=30, agents=[CHROMEBOOK]),
    "virtual desktops over minutes": scene(60, over=600, agents=[EDGE]),
    "virtual desktops within seconds": scene(40, over=8, agents=[EDGE]),
    "a call centre with one managed Firefox": scene(40, over=15, agents=[ESR]),
    "a carrier's shared address, web views": scene(40, over=120, agents=[WEB_VIEW, IPHONE]),
    "web views that send no language, at a carrier": scene(40, over=900, agents=[WEB_VIEW], signals=NO_LANGUAGE),
    "phones with IPv6": scene(40, over=10, ips=in_several_64(40), agents=[WEB_VIEW, IPHONE]),
    "a household with IPv6": scene(4, over=5, ips=in_one_64(4), agents=[IPHONE, SAFARI]),
    "a conference's network": scene(60, over=10, agents=[IPHONE, SAFARI, CHROME, WEB_VIEW, FIREFOX, MAC_CHROME]),
    "a dormitory": scene(100, over=180, agents=[CHROME, FIREFOX, SAFARI, MAC_CHROME, EDGE]),
    "a company at home": scene(200, over=10, ips=several(200), agents=[EDGE]),
    "a company at home, soon after the mail": scene(200, over=40, after=15, ips=several(200), agents=[EDGE]),
    "the four quickest of a company": scene(4, over=5, after=4, ips=several(4), agents=[EDGE]),
    "the quickest of a company, each with another program": scene(
        5, over=5, after=4, ips=several(5), agents=[EDGE, CHROME, FIREFOX, SAFARI, MAC_CHROME]
    ),
    "Outlook in an office, at once": scene(50, over=5, after=1, agents=[OUTLOOK], signals=NO_LANGUAGE),
    "Thunderbird in an office, at once": scene(50, over=5, after=1, agents=[THUNDERBIRD], signals=NO_LANGUAGE),
    "Apple Mail in an office": scene(30, over=8, agents=[APPLE_MAIL]),
    "phones with Apple Mail in an office": scene(30, over=8, agents=[IPHONE]),
    "Gmail's proxies, at once": scene(300, over=5, after=1, ips=several(3), agents=[GMAIL], signals=NO_LANGUAGE),
    "Gmail's proxies, for a company": scene(50, over=5, agents=[GMAIL], signals=NO_LANGUAGE),
    "Yahoo's proxy": scene(100, over=5, after=1, agents=[YAHOO], signals=NO_LANGUAGE, domain="yahoo.com"),
    "HEY's proxy": scene(100, over=5, after=1, agents=[HEY], signals=NO_LANGUAGE, domain="hey.com"),
    "readers at one mail provider, without a language": scene(
        50, over=10, ips=several(50), signals=NO_LANGUAGE, domain="t-online.de"
    ),
    "quick readers at one mail provider": scene(50, over=5, after=4, ips=several(50), agents=[EDGE], domain="gmx.de"),
    "an unknown provider's proxy that is seldom used": scene(20, over=1200, signals=NO_LANGUAGE),
    "a gateway that strips languages, seldom used": scene(20, over=1200, agents=OFFICE, signals=NO_LANGUAGE),
    "one reader again and again": scene(1, over=1, times=12),
    "a reader of many mails": [
        one._replace(recipient=f"ann@{place}.example") for place, one in enumerate(scene(8, over=9))
    ],
}

HINTS = ("no-client-hints",)
MACHINES = {
    "at once, without a language": scene(20, over=2, after=1, signals=NO_LANGUAGE),
    "at once, with a language": scene(20, over=2, after=1),
    "an hour later, without a language": scene(10, over=2, signals=NO_LANGUAGE),
    "a day later, without a language": scene(10, over=9, after=24 * HOUR, signals=NO_LANGUAGE),
    "five recipients only": scene(5, over=9, signals=NO_LANGUAGE),
    "six in three minutes": scene(6, over=170, signals=NO_LANGUAGE),
    "slowly, for an hour": scene(120, over=HOUR, signals=NO_LANGUAGE),
    "slowly, with Firefox": scene(20, over=500, agents=[FIREFOX], signals=NO_LANGUAGE),
    "slowly, with Edge and each image three times": scene(12, over=300, agents=[EDGE], signals=NO_LANGUAGE, times=3),
    "with rotating names, without a language": scene(20, over=3, agents=OFFICE, signals=NO_LANGUAGE),
    "with rotating names, at once": scene(20, over=3, after=1, agents=OFFICE),
    "from addresses of one /64": scene(20, over=3, ips=in_one_64(20), signals=NO_LANGUAGE),
    "slowly, from addresses of one /64": scene(20, over=300, ips=in_one_64(20), signals=NO_LANGUAGE),
    "from the cloud, for a company, without a language": scene(10, over=5, ips=several(10), signals=NO_LANGUAGE),
    "from the cloud, at once, for a company": scene(10, over=5, after=1, ips=several(10)),
    "from the cloud with IPv6, at once": scene(10, over=5, after=1, ips=in_several_64(10), agents=[EDGE]),
    "from the cloud, with two names": scene(20, over=5, ips=several(20), agents=[CHROME, EDGE], signals=NO_LANGUAGE),
    "from the cloud, at once, as Firefox": scene(10, over=5, after=1, ips=several(10), agents=[FIREFOX]),
    "from the cloud, as Safari": scene(10, over=5, ips=several(10), agents=[SAFARI], signals=NO_LANGUAGE),
    "from the cloud, with a few addresses": scene(16, over=5, ips=several(4), signals=NO_LANGUAGE),
    "a forged build": scene(8, over=5, agents=[FORGED]),
    "without the headers of a browser": scene(8, over=5, signals=("no-fetch-metadata",)),
    "without client hints": scene(8, over=5, signals=HINTS),
    "without client hints, as Edge": scene(8, over=5, agents=[EDGE], signals=HINTS),
    "with client hints of another version": scene(8, over=5, signals=("forged-hint",)),
    "as a headless browser": scene(8, over=5, signals=("headless-hint",)),
    "as a browser that opens each image": scene(8, over=5, signals=("navigation",)),
    "from Proofpoint": scene(8, over=5, ips=["198.51.100.7"]),
    "each image three times": scene(10, over=5, signals=NO_LANGUAGE, times=3),
    "for two companies": [
        *scene(6, over=2, signals=NO_LANGUAGE),
        *scene(6, over=2, after=HOUR + 4, signals=NO_LANGUAGE, domain="example.com"),
    ],
}

JUDGE = Judge(default_rules().with_networks(proofpoint=["198.51.100.0/24"]))


def kinds(fetches, cut):
    """Store fetches in batches that end where `cut` says, and return the kinds of verdicts that the opens have then."""
    pixel = make_pixel()
    emails = dict.fromkeys(one.recipient for one in fetches)
    made = [attrs.evolve(one, created_at=NOON) for one in make_recipients(pixel, emails)]
    tokens = {one.email: one.token for one in made}
    with open_storage("memory://") as storage:
        storage.add_pixel(pixel)
        storage.add_recipients(pixel.id, made)
        enricher = Enricher(JUDGE)
        batch = []
        for one in sorted(fetches):
            hit = make_hit(pixel, token=tokens[one.recipient], at=NOON + timedelta(seconds=one.at))
            batch.append(attrs.evolve(hit, ip=one.ip, user_agent=one.user_agent, signals=one.signals))
            if cut():
                store_hits(storage, enricher, batch)
                batch = []
        store_hits(storage, enricher, batch)
        opens = storage.list_opens(pixel.id, limit=1000).items
        return {one.verdict.kind.value for one in opens}, [one.counted for one in opens]


@pytest.mark.parametrize("name", ["Gmail's proxies, at once", "Gmail's proxies, for a company", "HEY's proxy"])
def test_a_mail_providers_proxy_has_no_signal_of_a_burst(name):
    enricher, pixel = Enricher(JUDGE), make_pixel()
    hits = [
        attrs.evolve(make_hit(pixel, token=f"tok_{place:032x}"), ip=one.ip, user_agent=one.user_agent)
        for place, one in enumerate(PEOPLE[name])
    ]
    opens = enricher.enrich(hits, [Target(pixel_id=pixel.id, domain="example.org", token_made_at=NOON)] * len(hits))
    assert {one.signals for one in opens} == {()}


DICE = random.Random(1)
CUTS = {
    "one by one": lambda: True,
    "all at once": lambda: False,
    "at random": lambda: DICE.random() < 0.3,
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("fetches", PEOPLE.values(), ids=PEOPLE)
def test_all_of_these_are_people(fetches, cut):
    found, counted = kinds(fetches, cut)
    assert found <= {"human", "proxy"}
    assert all(counted)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("fetches", MACHINES.values(), ids=MACHINES)
def test_all_of_these_are_machines(fetches, cut):
    found, counted = kinds(fetches, cut)
    assert found <= {"scanner", "bot"}
    assert not any(counted)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_apples_privacy_protection_is_no_scanner(cut):
    fetches = scene(100, over=5, after=1, ips=several(4), agents=[PRIVACY], signals=NO_LANGUAGE)
    assert kinds(fetches, cut)[0] == {"prefetch"}


@pytest.mark.parametrize("name", MACHINES)
def test_people_elsewhere_are_not_taken_for_the_machine_beside_them(name):
    scan = MACHINES[name]
    people = [
        Fetch(one.at, f"ann@{place}.example", f"203.0.113.{place}", SAFARI, ()) for place, one in enumerate(scan[:20])
    ]
    found, counted = kinds([*scan, *people], CUTS["at random"])
    assert "human" in found
    assert sum(counted) == len(people)
