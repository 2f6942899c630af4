"""Real programs of people, of all kinds, none of which may be judged a machine."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mailtrack._model import HEADER_SIGNALS, RECENT_SIGNALS
from mailtrack.verdicts import Judge

PEOPLE = [
    json.loads(line) for line in Path(__file__).with_name("people.jsonl").read_text(encoding="utf-8").splitlines()
]
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
BROWSER = WINDOWS + "Chrome/131.0.0.0 Safari/537.36"
MACHINES = {"prefetch", "scanner", "bot"}
DECISIVE = {"prefetch", "preview", "range", "headless-hint"}  # they decide alone

MAIL_PROGRAMS = [
    "Airmail 5",
    "aerc/0.18",
    "Balsa/2.6",
    "BlueMail/1.9 (Android 13)",
    "Boxer/23.1",
    "Canary Mail/3.0",
    "Claws Mail 4.1",
    "Delta Chat/1.4",
    "Edison Mail/1.2",
    "Evolution/3.48",
    "FairEmail/1.2",
    "Fastmail/6.1",
    "Front/3.2",
    "Geary/43",
    "GMX Mail/7.1 Android",
    "Hey/1.0",
    "KMail/5.2",
    "Kiwi for Gmail/4.0",
    "GroupWise/18.4",
    "MailMate/5.1",
    "Messenger Pro/8 (RISC OS)",
    "Novell GroupWise Client/18.4",
    "Trojita",
    "meli/0.8.5",
    "mu4e 1.10.8; emacs 29.1",
    "Pine/4.64",
    "Mailspring/1.13",
    "Mimestream/1.2",
    "Missive/10.2",
    "Nextcloud Mail/1.0",
    "Nine/4.9",
    "OutlookMobile/4.2",
    "Polymail/2.1",
    "Postbox/7.0",
    "Proton Mail/4.0",
    "Roundcube Webmail/1.6",
    "SOGo/5.8",
    "Samsung Email/6.1",
    "SecureMail/21.3",
    "Shortwave/1.2",
    "Spark/3.0",
    "Superhuman/1.0",
    "Sylpheed/3.8",
    "T-Online Mail/1.3",
    "The Bat! 10.4",
    "Thunderbird for Android/8.0",
    "Tuta/1.2",
    "Tutanota/3.9",
    "Unibox/1.9",
    "WEB.DE Mail/8.0",
    "Yandex.Mail/4.1",
    "Zoho Mail/2.6",
    "eM Client/9.0",
    "mutt/2.2",
    "neomutt/2024",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/115.0 eM Client/9.2",
    WINDOWS + "Mailspring/1.13.3 Chrome/100.0.4896.160 Electron/18.3.15 Safari/537.36",
    WINDOWS + "Missive/10.50 Chrome/120.0.6099.283 Electron/28.2.1 Safari/537.36",
    BROWSER + " OneOutlook/1.2024",
]

# Texts that browsers and other programs add after the name of the browser that they are based on.
ADDITIONS = [
    "AOLShield/1.0",
    "Agency/93.8",
    "AtContent/95.5",
    "Avast/131.0",
    "AVG/131.0",
    "Arc/1.65",
    "Avira/131.0",
    "Blisk/21.0",
    "CCleaner/131.0",
    "Cliqz/1.28.2",
    "Config/91.2",
    "Ddg/17.0",
    "Ecosia/131.0",
    "Edg/131.0.0.0",
    "Epiphany/605.1",
    "Feishu/7.1",
    "Floorp/11.10.5",
    "Herring/95.1",
    "Hola/1.2",
    "Iron/131.0",
    "Kinza/6.9",
    "Lark/7.1 LarkLocale/en_US",
    "LikeWise/95.6",
    "MicroMessenger/7.0 NetType/WIFI",
    "Norton/131.0.0.0",
    "OPR/115.0.0.0",
    "OWASMIME/4.05",
    "QQBrowser/11.9",
    "SE 2.X MetaSr 1.0",
    "Sidekick/131.0",
    "SLBrowser/9.0",
    "Teams/1.6 (hosted)",
    "Trailer/93.3",
    "UBrowser/7.0",
    "UR/61.1.3",
    "Ulaa/1.1",
    "Viewer/99.9",
    "Vivaldi/7.0",
    "Wavebox/10.1",
    "Whale/4.28",
    "YaBrowser/24.12 Yowser/2.5",
    "coc_coc_browser/131.0",
    "Maxthon/7.1",
    "PaleMoon/33.4",
    "Zen/1.0",
    "Slack_SSB/4.4",
    "Unheard-Browser/1.0",
    "Unheard/131.0.1",
]


def test_there_are_hundreds_of_all_kinds():
    kinds = Counter(line["group"] for line in PEOPLE)
    assert len(PEOPLE) > 300
    assert min(kinds.values()) >= 10


def test_no_program_of_people_is_taken_for_a_machine(judge):
    assert [line["user_agent"] for line in PEOPLE if judge.judge(line["user_agent"]).kind in MACHINES] == []


@pytest.mark.parametrize(
    "signals", [[signal] for signal in (*HEADER_SIGNALS, *RECENT_SIGNALS) if signal not in DECISIVE]
)
def test_no_sign_alone_makes_a_machine_of_a_person(judge, signals):
    verdicts = {line["user_agent"]: judge.judge(line["user_agent"], signals=signals) for line in PEOPLE}
    machines = {user_agent: verdict for user_agent, verdict in verdicts.items() if verdict.kind in MACHINES}
    # Names that no browser sends are a sign themselves.
    assert {verdict.reasons[0] for verdict in machines.values()} <= {"forged-build", "odd-name", "old-build"}, machines


@pytest.mark.parametrize("second", [{"age": 1.0}, {"signals": ["burst"]}, {"signals": ["no-language"]}])
def test_no_program_but_a_desktop_browser_becomes_a_machine_by_lacking_the_headers_of_one(judge, second):
    """Over HTTPS, everything but a browser has this signal."""
    changed = []
    for line in PEOPLE:
        before = judge.judge(line["user_agent"], **second)
        more = second | {"signals": [*second.get("signals", ()), "no-fetch-metadata"]}
        if judge.judge(line["user_agent"], **more) != before:
            changed.append(line)
    assert {line["group"] for line in changed} == {"computer browser"}, changed


def test_no_program_but_a_desktop_browser_becomes_a_machine_by_a_slow_burst(judge):
    changed = {
        line["group"]
        for line in PEOPLE
        if judge.judge(line["user_agent"], signals=["no-language", "slow-burst"])
        != judge.judge(line["user_agent"], signals=["no-language"])
    }
    assert changed <= {"computer browser", "old browser"}


@pytest.mark.parametrize("user_agent", MAIL_PROGRAMS)
def test_a_mail_program_is_a_persons(judge, user_agent):
    assert judge.judge(user_agent).kind == "human"


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_browsers_add_to_their_names_is_known(judge, addition):
    assert judge.judge(f"{BROWSER} {addition}").kind == "human"
    if "131" not in addition:  # the version of Chromium
        assert judge.judge(f"{MAC}Safari/605.1.15 {addition}").kind == "human"


@pytest.mark.parametrize("addition", ["FBAN/FBIOS;FBAV/444.0", "Instagram 300.1", "Line/13.2", "AnyApp/1.0", "Bank"])
def test_apps_on_phones_add_what_they_like(judge, addition):
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    assert judge.judge(f"{phone} Mobile/15E148 Safari/604.1 {addition}").kind == "human"
    android = "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    assert judge.judge(f"{android} Chrome/131.0.6778.81 Mobile Safari/537.36 {addition}").kind == "human"


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 Chrome/84.0 Safari/537.36 Model/X VIDAA/4.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/90.0 Safari/537.36 CrKey/1.56 Tool/1",
        "SAMSUNG-GT-E1130B",
        "Nokia6220c",
        "Dalvik/2.1.0 (Linux; U; Android 10; IN2013)",
        "TikTok 17.8.1 (iPhone; iOS 14.1)",
        "Links (2.29; Linux)",
        "Lynx/2.9.2",
        "Edbrowse/3.8.0",
        "retawq/0.2.6c [en] (text)",
        "Carbonyl/0.0.3",
        "URL/Emacs Emacs/29.1 (X11; x86_64-pc-linux-gnu)",
        "Emacs-W3/4.0pre.46 URL/p4.0pre.46 (i686-pc-linux; X11)",
        "Mozilla/5.0 (X11; U; Linux x86_64; C) Dillo/3.0.5",
        "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 Chrome/84.0 Safari/537.36 OPR/46.0.2207.0 OMI/4.20 Model/X",
        "Midori/0.4",
        "HbbTV/1.1.1 (;TechnoTrend;S-855;3.2;;) CE-HTML/1.0",
        WINDOWS.replace("x64)", "x64; Xbox; Xbox One)") + "Chrome/90.0.4430.212 Safari/537.36 Edge/44.18363.8131",
        "Mozilla/5.0 (X11; Linux i686) AppleWebKit/534.34 (KHTML, like Gecko) rekonq Safari/534.34",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.21 (KHTML, like Gecko) trojita Safari/537.21",
        "Mozilla/5.0 (X11; Linux i686 on x86_64; rv:52.0) Gecko/20100101 Firefox/52.0 Ordissimo/3.8.20+svn37598",
        WINDOWS + "Chrome/69.0.3497.92 Safari/537.36 ICAPoHTTPS",
        "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; http://intranet.example.com; rv:11.0) like Gecko",
    ],
)
def test_phones_television_sets_and_text_browsers_are_no_machines(judge, user_agent):
    assert judge.judge(user_agent).kind not in MACHINES


@pytest.mark.parametrize("user_agent", [BROWSER, MAC + "Safari/605.1.15"])
def test_an_office_behind_one_address_is_people(user_agent):
    judge = Judge()
    assert judge.judge(user_agent, signals=["burst"], age=3600).kind == "human"
    assert judge.judge(user_agent, signals=["burst", "repeat"], age=3600).kind == "human"
