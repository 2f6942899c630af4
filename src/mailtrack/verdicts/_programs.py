"""Parse usual user agents without ua-parser.

Nine of ten user agents are those of five browsers and Outlook, in a form that has not changed for years. Parsing these
here takes a few microseconds, with the same result.
"""

import re
from typing import TypeAlias

from mailtrack.verdicts._names import APPLE_MAIL

Program: TypeAlias = tuple[str | None, str | None, str | None]
"""Name, major version and system."""

_BROWSER = re.compile(
    r"""(?x) Mozilla/5\.0\ \((?P<system>[^()]{1,128})\)\ (?:
      Gecko/[\d.]+\ Firefox/(?P<firefox>\d{1,4})\.[\d.]+
      | AppleWebKit/[\d.]+\ \(KHTML,\ like\ Gecko\)\ (?:Version/(?P<version>\d{1,4})\.[\d.]+\ )?
        (?:Chrome/(?P<chrome>\d{1,4})\.[\d.]+\ )?(?P<mobile>Mobile(?:/\w{1,16})?\ )?
        Safari/[\d.]+(?:\ Edg/(?P<edge>\d{1,4})\.[\d.]+)?)"""
)
_BEGINNING = re.compile(r"Mozilla/5\.0 \(([^()]{1,128})\)")
_OFFICE = re.compile(
    r"\bMicrosoft (?:Office )?(Outlook|Word|Excel|PowerPoint|OneNote)(?: Mail)? (1[2456])\.\d"
    r"|^(Outlook)/(1[2456])\.0 \("
)
_RELEASES = {"12": "2007", "14": "2010", "15": "2013", "16": "2016"}
_MAC_MAIL = re.compile(r"Mail/\d{4}[\d.]* CFNetwork/|Mac OS X/.* Mail/\d")  # on phones it has WebKit's user agent
_APPLE_MAIL = re.compile(
    r"Mozilla/5\.0 \(([^()]{1,128})\) AppleWebKit/[\d.]+ \(KHTML, like Gecko\)(?: Mobile/\w{1,16})?"
)

_SYSTEMS = {
    "Windows": re.compile(r"Windows NT [\d.]+(?:; [\w.:]+)*$"),
    "Android": re.compile(r"Linux; Android \d"),
    "iOS": re.compile(r"iPhone; CPU iPhone OS \d|iPad; CPU OS \d"),
    "Mac OS X": re.compile(r"Macintosh; Intel Mac OS X \d"),
    "Linux": re.compile(r"X11; Linux [\w ]+(?:; rv:[\d.]+)?$"),
    "Ubuntu": re.compile(r"X11; Ubuntu; Linux [\w ]+(?:; rv:[\d.]+)?$"),
    "Chrome OS": re.compile(r"X11; CrOS \w+ \d"),
}
# In order of the search: Android and Ubuntu are Linux, too.
_NAMED_SYSTEMS = {
    "Windows": re.compile(r"\bWin(?:dows|32)"),
    "iOS": re.compile(r"\biP(?:hone|ad)\b|\biOS\b(?!-Android)"),
    "Android": re.compile(r"\b[Aa]ndroid\b"),
    "Mac OS X": re.compile(r"\b(?:Mac OS X|Macintosh|OS X|Darwin)\b"),
    "Ubuntu": re.compile(r"\bUbuntu\b"),
    "FreeBSD": re.compile(r"\bFreeBSD\b"),
    "Solaris": re.compile(r"\bSunOS\b"),
    "Linux": re.compile(r"(?i)\blinux\b"),
}


def usual_program(user_agent: str) -> Program | None:
    """Parse a browser's user agent in a usual form as ua-parser would, or return `None`."""
    found = _BROWSER.fullmatch(user_agent)
    if found is None:
        return None
    system = _system_of(found["system"])
    program = None if system is None else _browser(found, system)
    return None if program is None else (*program, system)


def usual_mail_program(user_agent: str) -> Program | None:
    """Parse the user agent of a common mail program, an Office for Windows or Apple Mail, or return `None`."""
    if found := _OFFICE.search(user_agent):
        return found[1] or found[3], _RELEASES[found[2] or found[4]], "Windows"
    if _MAC_MAIL.match(user_agent):
        return APPLE_MAIL, None, "Mac OS X"
    found = _APPLE_MAIL.fullmatch(user_agent)
    system = found and _system_of(found[1])
    return (APPLE_MAIL, None, system) if system in ("Mac OS X", "iOS") else None


def usual_system(user_agent: str) -> str | None:
    """Return the system of a user agent that begins in a usual form as ua-parser would, or `None`."""
    found = _BEGINNING.match(user_agent)
    system = found and _system_of(found[1])
    return None if system == "Linux" else system  # ua-parser returns the distribution, if another part names it


def named_system(user_agent: str) -> str | None:
    """Return the system that a user agent names anywhere, or `None`."""
    return next((name for name, expression in _NAMED_SYSTEMS.items() if expression.search(user_agent)), None)


def _system_of(text: str) -> str | None:
    return next((name for name, expression in _SYSTEMS.items() if expression.match(text)), None)


def _browser(found: re.Match[str], system: str) -> tuple[str, str] | None:
    if found["firefox"]:
        return None if system in ("Android", "iOS") else ("Firefox", found["firefox"])
    if found["edge"]:
        return None if system == "Android" or not found["chrome"] else ("Edge", found["edge"])
    if found["chrome"]:
        return _chrome(found, system)
    if not found["version"] or system not in ("Mac OS X", "iOS"):
        return None
    return "Mobile Safari" if system == "iOS" else "Safari", found["version"]


def _chrome(found: re.Match[str], system: str) -> tuple[str, str] | None:
    if system == "iOS" or (system != "Android" and (found["mobile"] or found["version"])):
        return None
    if found["version"]:
        return ("Chrome Mobile WebView", found["chrome"]) if found["version"] == "4" else None
    if "; wv" in found["system"]:
        return None
    return "Chrome Mobile" if found["mobile"] else "Chrome", found["chrome"]
