"""Requests for images as a mailing causes them: whose they are, when they come, from where, and with which headers.

The mix is seeded, so equal arguments give equal traffic. Its sources:

- **Shares of programs.** Litmus counted in April 2022, for over a billion opens: Apple's privacy protection 50.2 %,
  Gmail 29.5 %, iPhone, iPad and Mac without protection 7.0 %, Outlook 4.2 %, Yahoo 3.4 %, Android 1.9 %, Outlook.com
  1.0 %. Its customers send to consumers, mostly in the USA. Here Apple and Gmail take 55 %, which is harder for every
  cache. The rest is divided in about those proportions, with more of Outlook, browsers and the long tail, as in
  business mail.
- **User agents** are real ones, from `tests/verdicts/*.jsonl`, which name their sources. Within a group the n-th has
  1/n of the first one's share.
- **Times.** Of all opens, 27 % come in the first hour, 50 % in three, 61 % in six (Inntopia, 25 mailings), 79 % in a
  day (MailerMailer, 1.4 billion mails), 95 % in a week (i-Emailer). Published figures differ by a fifth.
- **Recipients, machines, addresses** are assumptions: 78 % of the opens are a recipient's first; 5 % are scanners and
  bots, which ask for many recipients' images at once; some 30,000 addresses of readers, a half of them IPv6, beside the
  pools of Apple's relays and of the proxies.
"""

import ipaddress
import json
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

LABELLED = Path(__file__).parents[1] / "tests" / "verdicts"
SAME_USER_AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"

_HOUR = 3600.0
_SHARES_OF_TIME = [
    (0.0, 0.0),
    (0.27, 1 * _HOUR),
    (0.5, 3 * _HOUR),
    (0.61, 6 * _HOUR),
    (0.79, 24 * _HOUR),
    (0.95, 7 * 24 * _HOUR),
    (1.0, 30 * 24 * _HOUR),
]
_FIRST = 0.78  # of the opens of readers, while there are recipients who have not opened
_SOON = 0.4  # of the others: a recipient who opened just now
_OTHER_PROGRAM = 0.15  # of the others: a second program of the same recipient
_MACHINES = 0.05
_BURST = 12  # recipients of one scanner

_FETCH_METADATA_CHROME = 80  # versions since which browsers send these headers
_FETCH_METADATA_FIREFOX = 90
_CLIENT_HINTS = 89

_READERS = ["0.0.0.0/1", "128.0.0.0/2", "2600::/12", "2a00::/12"]
_RELAYS = ["17.0.0.0/8", "104.28.0.0/16", "172.224.0.0/12", "146.75.128.0/17", "2a02:26f7::/32", "2606:54c0::/32"]
_GOOGLE = ["66.249.80.0/20", "66.102.0.0/20", "74.125.208.0/20", "64.233.172.0/24", "72.14.199.0/24", "209.85.238.0/24"]
_YAHOO = ["98.136.0.0/14", "66.163.160.0/19", "67.195.0.0/16"]
_PROTECTION = [
    "40.92.0.0/15",
    "40.107.0.0/16",
    "52.100.0.0/14",
    "104.47.0.0/17",
    "209.222.82.0/24",
    "18.133.136.128/26",
]

_WEBMAIL = [
    "https://outlook.live.com/",
    "https://outlook.office.com/",
    "https://mail.yahoo.com/",
    "https://navigator.web.de/",
    "https://navigator.gmx.net/",
    "https://e.mail.ru/",
    "https://mail.zoho.com/",
    "https://webmail.example.edu/roundcube/",
    *(f"https://webmail.example{number}.com/" for number in range(40)),
]


class Fetch(NamedTuple):
    """A request for the image in the mail of a recipient.

    Attributes:
        at: seconds since the mailing.
        recipient: the recipient's number, from 0.
        ip: the client's address.
        user_agent: its user agent.
        referer: the page around the image, empty for none.
        signals: what the tracker records of the other headers, for a request over HTTPS.
    """

    at: float
    recipient: int
    ip: str
    user_agent: str
    referer: str
    signals: tuple[str, ...]

    def headers(self) -> dict[str, str]:
        """Return the headers of the request as a proxy with TLS in front of the tracker passes it on."""
        headers = {"X-Forwarded-For": self.ip, "X-Forwarded-Proto": "https", "Accept": "image/*,*/*;q=0.8"}
        if self.user_agent:
            headers["User-Agent"] = self.user_agent
        if self.referer:
            headers["Referer"] = self.referer
        if "no-language" not in self.signals:
            headers["Accept-Language"] = "en-GB,en;q=0.9"
        if "no-fetch-metadata" not in self.signals:
            headers["Sec-Fetch-Dest"] = "image"
        if "no-client-hints" not in self.signals and (version := _version(self.user_agent, "Chrome/")):
            headers["Sec-CH-UA"] = f'"Not/A)Brand";v="8", "Chromium";v="{version}", "Google Chrome";v="{version}"'
        if "range" in self.signals:
            headers["Range"] = "bytes=0-1023"
        return headers


class _Group:
    """A kind of program.

    Args:
        share: its weight among the readers, or among the machines.
        addresses: the networks that it uses, and how many addresses.
        language: whether it sends `Accept-Language`.
        pages: the pages that its images are in.
    """

    def __init__(
        self,
        share: float,
        user_agents: list[str],
        addresses: tuple[list[str], int],
        *,
        language: bool = False,
        pages: list[str] | None = None,
        own_address: bool = True,
    ) -> None:
        self.share = share
        self.user_agents = user_agents
        self.networks, self.size = addresses
        self.language = language
        self.pages = pages or [""]
        self.own_address = own_address  # or another one for each request
        self.weights = list(accumulate(1 / rank for rank in range(1, len(user_agents) + 1)))

    @cached_property
    def addresses(self) -> list[str]:
        chance = random.Random(self.size)
        networks = [ipaddress.ip_network(one) for one in self.networks]
        return [
            str(network[chance.randrange(network.num_addresses)]) for network in chance.choices(networks, k=self.size)
        ]

    @cached_property
    def signals(self) -> dict[str, tuple[str, ...]]:
        """The signals that each user agent's headers show."""
        return {one: tuple(self._signals(one)) for one in self.user_agents}

    def _signals(self, user_agent: str) -> Iterator[str]:
        chrome, firefox = _version(user_agent, "Chrome/"), _version(user_agent, "Firefox/")
        if "Chrome/" in user_agent and not (self.language and chrome >= _CLIENT_HINTS):
            yield "no-client-hints"
        if not (self.language and (chrome >= _FETCH_METADATA_CHROME or firefox >= _FETCH_METADATA_FIREFOX)):
            yield "no-fetch-metadata"
        if not self.language:
            yield "no-language"


class _Reader(NamedTuple):
    group: _Group
    user_agent: str
    ip: str
    referer: str


def traffic(opens: int, recipients: int, *, seed: int = 1) -> Iterator[Fetch]:
    """Yield the requests of one mailing in their order.

    Args:
        opens: number of requests.
        recipients: number of recipients. About 78 % of the opens are first ones, as long as there are enough.
        seed: another seed is another mailing.
    """
    chance = random.Random(seed)
    readers, machines = _groups()
    order = list(range(recipients))
    chance.shuffle(order)
    found: dict[int, _Reader] = {}
    opened: list[int] = []
    burst: list[int] = []
    machine = _choose(chance, machines)
    for number in range(opens):
        at = _time((number + chance.random()) / opens)
        if burst or chance.random() < _MACHINES / _BURST:
            if not burst:
                machine = _choose(chance, machines)
                burst = [chance.randrange(recipients) for _ in range(chance.randrange(1, 2 * _BURST))]
            yield _fetch(chance, at, burst.pop(), machine)
            continue
        if len(opened) < recipients and chance.random() < _FIRST:
            who = order[len(opened)]
            opened.append(who)
        elif not opened:
            who = order[0]
        elif chance.random() < _SOON:
            who = opened[-1 - int(min(200, len(opened)) * chance.random() ** 2)]
        else:
            who = opened[int(len(opened) * chance.random() ** 2)]  # few open often
        reader = found.get(who)
        if reader is None:
            reader = found[who] = _choose(chance, readers)
        elif chance.random() < _OTHER_PROGRAM:
            reader = _choose(chance, readers)
        yield _fetch(chance, at, who, reader)


def same_traffic(opens: int, recipients: int) -> Iterator[Fetch]:
    """Yield requests of all recipients in turn, from one address and with one user agent: the best case."""
    for number in range(opens):
        yield Fetch(number * 0.001, number * 7919 % recipients, "192.0.2.1", SAME_USER_AGENT, "", ())


TRAFFIC: dict[str, Callable[[int, int], Iterator[Fetch]]] = {"mail": traffic, "same": same_traffic}
"""The kinds of traffic, by their names on the command line."""


def _fetch(chance: random.Random, at: float, who: int, reader: _Reader) -> Fetch:
    group, user_agent, ip, referer = reader
    if not group.own_address:
        ip = group.addresses[int(len(group.addresses) * chance.random())]
    return Fetch(at, who, ip, user_agent, referer, group.signals[user_agent])


def _choose(chance: random.Random, groups: list[_Group]) -> _Reader:
    (group,) = chance.choices(groups, [one.share for one in groups])
    user_agent = group.user_agents[bisect_left(group.weights, chance.random() * group.weights[-1])]
    return _Reader(group, user_agent, chance.choice(group.addresses), chance.choice(group.pages))


def _time(share: float) -> float:
    """Return when a share of all opens has come, in seconds since the mailing."""
    place = bisect_left(_SHARES_OF_TIME, (share,), lo=1)
    (before, start), (after, end) = _SHARES_OF_TIME[place - 1], _SHARES_OF_TIME[min(place, len(_SHARES_OF_TIME) - 1)]
    if after == before:
        return end
    return start + (end - start) * (share - before) / (after - before)


def _version(user_agent: str, name: str) -> int:
    """Return the version behind a name in a user agent, 0 without one."""
    version = user_agent.partition(name)[2].split(".")[0]
    return int(version) if version.isdecimal() else 0


def _groups() -> tuple[list[_Group], list[_Group]]:
    """Return the programs of readers, and the machines."""
    labelled, people = _read("labelled.jsonl"), _read("people.jsonl")

    def some(number: int, kind: str, group: str, *vendors: str | None) -> list[str]:
        found = [one for one in labelled if (one["kind"], one["group"]) == (kind, group)]
        return _distinct(one["user_agent"] for one in found if not vendors or one["vendor"] in vendors)[:number]

    def of_people(number: int, *groups: str) -> list[str]:
        return _distinct(one["user_agent"] for one in people if one["group"] in groups)[:number]

    offices = (_READERS, 4_000)
    homes = (_READERS, 30_000)
    relays = (_RELAYS, 15_000)
    apple = some(9, "prefetch", "prefetcher", "Apple")
    readers = [
        _Group(28, [one for one in apple if one == "Mozilla/5.0"], relays, own_address=False),
        _Group(4, [one for one in apple if one != "Mozilla/5.0"], relays, own_address=False),
        _Group(22, some(1, "proxy", "proxy", "Google"), (_GOOGLE, 3_000), own_address=False),
        _Group(1, some(2, "prefetch", "prefetcher", "Google"), (_GOOGLE, 300), own_address=False),
        _Group(13, some(50, "human", "mail client", "Microsoft"), offices, language=True),
        _Group(8, of_people(24, "apple device") + some(14, "human", "mail client", "Apple"), homes, language=True),
        _Group(6, of_people(45, "phone browser", "phone app", "web view"), homes, language=True),
        _Group(7, of_people(40, "computer browser"), homes, language=True, pages=["", *_WEBMAIL]),
        _Group(4, some(2, "proxy", "proxy", "Yahoo"), (_YAHOO, 400), own_address=False),
        _Group(2, some(20, "human", "mail client", "Mozilla"), homes, language=True),
        _Group(2, some(40, "human", "mail client", None, "Yahoo", "Google", "IBM"), homes),
        _Group(2, some(20, "human", "webmail browser"), homes, language=True, pages=_WEBMAIL),
        _Group(1, some(13, "proxy", "proxy", "Seznam", "Superhuman", "Fastmail"), (_READERS, 50), own_address=False),
    ]
    machines = [
        _Group(4, of_people(12, "computer browser"), (_PROTECTION, 800)),
        _Group(1, some(12, "scanner", "scanner"), (_READERS, 100)),
        _Group(1, some(12, "bot", "script") + some(8, "bot", "preview"), (_READERS, 200)),
    ]
    return readers, machines


def _read(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (LABELLED / name).read_text(encoding="utf-8").splitlines()]


def _distinct(user_agents: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(one for one in user_agents if one.isascii() and one.isprintable()))
