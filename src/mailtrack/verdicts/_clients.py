"""`name_client`: derives the program, system and kind of device from a user agent.

A new user agent takes some 50 us, the worst that we could construct 3 ms. The first one in an unusual form takes 0.1 s
more, to load ua-parser.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from mailtrack._model import UNKNOWN, UNKNOWN_CLIENT, Certainty, Client, Verdict, VerdictKind
from mailtrack._text import MAX_TEXT_LENGTH, clean_text
from mailtrack.verdicts._names import APPLE_MAIL, canonical_name, named_program, only_system
from mailtrack.verdicts._programs import Program, named_system, usual_mail_program, usual_program, usual_system
from mailtrack.verdicts._ua_parser import parse_program, parse_system

_MAX_PART_LENGTH = 64
_CACHED_CLIENTS = 4096

_MAIL_IN_NAME = "mail-in-name"  # the rule for mail programs that are not in the table

_HIDING = frozenset({VerdictKind.PROXY, VerdictKind.PREFETCH})
_MACHINES = frozenset({VerdictKind.BOT, VerdictKind.SCANNER})

# Names that ua-parser returns for mail programs built on a browser.
_ENGINES = frozenset(
    {"Android", "Chrome", "Chrome Mobile", "Chrome Mobile WebView", "Edge", "Electron", "IE", "Firefox", "Konqueror"}
    | {"CFNetwork", "ExchangeWebServices", "Goanna", "Mobile Safari", "Mobile Safari UI/WKWebView", "Safari"}
)
_SERVICES = {
    "Apple": APPLE_MAIL,
    "Google": "Gmail",
    "Rambler": "Rambler Mail",
    "Seznam": "Seznam Email",
    "Yahoo": "Yahoo Mail",
}
_PROGRAMS = {"Apple": APPLE_MAIL, "IBM": "Lotus Notes", "Microsoft": "Outlook", "Mozilla": "Thunderbird"}

_FIRST_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9 !_.+%-]{0,63}?)[/ ]v?(\d{1,9})\b")
# A program made with Electron or a web view names itself before the engine's parts, maybe in several words.
_APP = re.compile(
    r"\(KHTML, like Gecko\) ([A-Za-z][\w.+!-]*(?: (?!Safari|Chrome|Version|Mobile)[A-Za-z][\w.+!-]*){0,3})"
    r"(?:\(\w{1,16}\))?/v?(\d{1,9})"
)
_PRODUCT = re.compile(
    r"(?<![\w.-])((?:eM |[A-Za-z][\w-]*(?= E?[Mm]ail/) )?[A-Za-z][\w.+!-]{0,63})(?:\(\w{1,16}\))?/v?(\d{1,9})"
)
_WITH_ENGINE = re.compile(r"Electron/|QtWebEngine/")
_NOT_PRODUCTS = re.compile(
    r"(?i)(?:mozilla|applewebkit|gecko|goanna|chrome|safari|version|mobile|build|electron|qtwebengine|firefox|trident"
    r"|presto|webkit|prism|msie|windows\b(?![ -](?:live|mail)).*|android|linux|cfnetwork|darwin|lightning"
    r"|camelhttpstream|.*exchangewebservices|mac os x|x|edge?|rv|wv|daummobileapp|release|build)"
)
_MAIL_WITH_VERSION = re.compile(r"(?i)\b([\w-]*mail)[ /]v?(\d{1,9})")

_DESKTOPS = re.compile(
    r"Windows(?! Phone| Mobile| CE)|Mac OS|Linux|Ubuntu|Debian|Fedora|Red Hat|SUSE|Chrome OS|BSD|Solaris"
)
_OTHER_DEVICES = re.compile(r"\b(?:TV|SMART-TV|SmartTV|HbbTV|AppleTV|CrKey|Roku|Xbox|PlayStation|Nintendo|Watch)\b")
_TABLETS = re.compile(r"\biPad\b|\bTablet;|\bPlayBook\b|\bKF[A-Z]{3,4}\b")
_MOBILES = re.compile(r"\b(?:iPhone|iPod|Mobile|Windows Phone|BlackBerry|BB10|Symbian\w*|MIDP|KAIOS|Opera Mini)\b")


def name_client(user_agent: str, verdict: Verdict) -> Client:
    """Return the client that sent a user agent, as far as the verdict permits.

    A proxy or prefetcher hides the program: the client is its mail service, such as Gmail, if the vendor is known. A
    robot or scanner has only a name, its vendor's or its own. Thread-safe. A recent client takes about a microsecond.

    Args:
        user_agent: the user agent; only the first 512 characters count.
        verdict: the verdict of the hit.
    """
    if verdict.kind in _HIDING and verdict.vendor is not None:
        return _name_service(verdict.vendor)
    if verdict.kind is VerdictKind.PREFETCH:
        return UNKNOWN_CLIENT
    user_agent = user_agent[:MAX_TEXT_LENGTH]
    if verdict.kind is VerdictKind.PROXY or verdict.kind in _MACHINES:
        return _name_machine(user_agent, verdict.vendor)
    is_mail_program = verdict.kind is VerdictKind.HUMAN and (
        verdict.certainty is Certainty.CERTAIN or verdict.vendor is not None or verdict.reasons[:1] == (_MAIL_IN_NAME,)
    )
    return _name_program(user_agent, is_mail_program, verdict.vendor)


@lru_cache(maxsize=_CACHED_CLIENTS)
def _name_service(vendor: str) -> Client:
    return Client(name=_part(_SERVICES.get(vendor, vendor)))


@lru_cache(maxsize=_CACHED_CLIENTS)
def _name_machine(user_agent: str, vendor: str | None) -> Client:
    return Client(name=_part(vendor or _product(user_agent)[0] or _first_words(user_agent)))


@lru_cache(maxsize=_CACHED_CLIENTS)
def _name_program(user_agent: str, is_mail_program: bool, vendor: str | None) -> Client:
    own = _mail_program(user_agent, vendor) if is_mail_program else usual_program(user_agent)
    name, version, os = own or _parse(user_agent)
    if name == APPLE_MAIL:
        version = None
    if os is None or "CFNetwork/" in user_agent:  # which Macs and phones send alike
        os = only_system(name, version) or os
    return Client(name=_part(name), version=_part(version, ""), os=_part(os), device=_device(user_agent, os or ""))


def _mail_program(user_agent: str, vendor: str | None) -> Program:
    """Return a mail program's name, version and system; ua-parser may return the browser that it is built on."""
    if common := usual_mail_program(user_agent):
        return common
    name, version = _product(user_agent)
    if name is None:
        name = named_program(user_agent)
    parsed = None
    if name is None or "CFNetwork" in user_agent:  # only ua-parser can derive versions from it
        parsed = _parse(user_agent)
        if name is None and parsed[0] not in _ENGINES:
            name, version = parsed[:2]
    if name is None and vendor is not None:
        name = _PROGRAMS.get(vendor)
    return name and canonical_name(name), version, parsed[2] if parsed else named_system(user_agent)


def _parse(user_agent: str) -> Program:
    """Return name, version and system according to ua-parser."""
    program = parse_program(user_agent)
    name, version = (program.family, program.major) if program else (None, None)
    if name is None or _WITH_ENGINE.search(user_agent) or (name in _ENGINES and not user_agent.startswith("Mozilla/")):
        own, own_version = _product(user_agent)
        name, version = (own, own_version) if own else (name, version)
    return name and canonical_name(unquote(name)), version, usual_system(user_agent) or _parse_system(user_agent)


def _parse_system(user_agent: str) -> str | None:
    system = parse_system(user_agent)
    return system.family if system else named_system(user_agent)


def _product(user_agent: str) -> tuple[str | None, str | None]:
    """Return name and major version of the first product in a user agent that is no part of a browser."""
    likely = (_FIRST_PRODUCT.match(user_agent), _APP.search(user_agent))
    for found in (*filter(None, likely), *_PRODUCT.finditer(user_agent), *_MAIL_WITH_VERSION.finditer(user_agent)):
        if not _NOT_PRODUCTS.fullmatch(found[1]):
            return unquote(found[1]), found[2]
    return None, None


def _first_words(user_agent: str) -> str:
    """Return the text before the first punctuation mark, `""` for a browser's user agent."""
    return "" if user_agent.startswith("Mozilla/") else re.split(r"[/;:,(+\[]", user_agent, maxsplit=1)[0]


def _device(user_agent: str, os: str) -> str:
    if _OTHER_DEVICES.search(user_agent):
        return "other"
    if _TABLETS.search(user_agent):
        return "tablet"
    if _MOBILES.search(user_agent) or os == "iOS":
        return "mobile"
    if os == "Android":  # a phone's browser sends "Mobile", its apps may not
        return "tablet" if user_agent.startswith("Mozilla/") else "mobile"
    return "desktop" if _DESKTOPS.search(os) else UNKNOWN


def _part(text: str | None, nothing: str = UNKNOWN) -> str:
    return clean_text(text[:_MAX_PART_LENGTH]).strip() or nothing if text else nothing
