"""Programs that are parsed without ua-parser, and their canonical names."""

import json
from pathlib import Path

import pytest
from ua_parser import parse_os, parse_user_agent

from mailtrack.verdicts import name_client
from mailtrack.verdicts._names import canonical_name
from mailtrack.verdicts._programs import usual_mail_program, usual_program, usual_system
from mailtrack.verdicts._ua_parser import parse_program, parse_system

LINES = [
    json.loads(line)["user_agent"]
    for name in ("people.jsonl", "labelled.jsonl")
    for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
]
ELECTRON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) {} Electron/28.2 Safari/537.36"
)

# These phones have robots' names in theirs, so ua-parser returns robots.
PHONES_LIKE_ROBOTS = ("M bot ", "ID bot ", "IDbot", "Spider 8", "XBot")


def parsed(user_agent):
    program, system = parse_user_agent(user_agent), parse_os(user_agent)
    return program and program.family, program and program.major, system and system.family


PROGRAMS = [
    json.loads(line) for line in Path(__file__).with_name("programs.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_real_programs_have_names_versions_systems_and_devices(judge):
    found = {
        line["user_agent"]: [client.name, client.version, client.os, client.device]
        for line in PROGRAMS
        for client in [name_client(line["user_agent"], judge.judge(line["user_agent"]))]
    }
    assert len(found) >= 150
    assert {line["user_agent"]: line["client"] for line in PROGRAMS} == found


def test_usual_forms_are_named_as_ua_parser_names_them():
    known = {line: common for line in LINES if (common := usual_program(line)) and "bot" not in line.lower()}
    known = {line: common for line, common in known.items() if not any(phone in line for phone in PHONES_LIKE_ROBOTS)}
    assert len(known) > 100
    assert {line: common for line, common in known.items() if parsed(line) != common} == {}


@pytest.mark.parametrize("user_agent", ["", "\u0130OS", "Mozilla/5.0 (\u017fpider)", "a" * 512])
def test_any_user_agent_is_parsed_as_ua_parser_parses_it(user_agent):
    assert (parse_program(user_agent), parse_system(user_agent)) == (parse_user_agent(user_agent), parse_os(user_agent))


def test_real_user_agents_are_parsed_as_ua_parser_parses_them():
    for line in LINES:
        assert (parse_program(line), parse_system(line)) == (parse_user_agent(line), parse_os(line)), line


def test_outlook_is_named_as_ua_parser_names_it():
    """It finds no system in some; Outlook with the number of a release is for Windows."""
    known = {line: common for line in LINES if (common := usual_mail_program(line)) and common[0] == "Outlook"}
    assert len(known) > 30
    assert {common[2] for common in known.values()} == {"Windows"}
    assert {line: common for line, common in known.items() if parsed(line)[:2] != common[:2]} == {}
    assert {parsed(line)[2] for line in known} <= {"Windows", None}


def test_the_system_of_a_usual_beginning_is_what_ua_parser_says():
    known = {line: system for line in LINES if (system := usual_system(line)) and "bot" not in line.lower()}
    assert len(known) > 200
    assert {line: system for line, system in known.items() if parsed(line)[2] != system} == {}


def test_another_form_is_left_to_ua_parser():
    assert usual_program("Mozilla/5.0 (Unheard) Gecko/20100101 Firefox/131.0") is None
    assert usual_program("Unheard/1.0") is None
    assert usual_mail_program("Unheard/1.0") is None


@pytest.mark.parametrize(
    ("name", "user_agents"),
    [
        ("Outlook", ["MacOutlook/16.46 (Intelx64 Mac OS X 11.2)", "Outlook-iOS/709.2 (3.21.0)", "Outlook-Android/2.0"]),
        ("Outlook", ["Microsoft Office/16.0 (Microsoft Outlook Mail 16.0.6525; Pro)", "Microsoft Office/16.0"]),
        ("Apple Mail", ["Mail/3273 CFNetwork/811.5.4 Darwin/16.6.0", "Mail/3826.5 CFNetwork/3826.5 Darwin/24.4.0"]),
        ("Apple Mail", ["AppleExchangeWebServices/818.0.1 Mail/3693.20.0.1.32"]),
        ("Airmail", ["Airmail 1.4 rv:238 (Macintosh)", "Airmail%206/715 CFNetwork/1410.0.3 Darwin/22.6.0"]),
        ("Yahoo Mail", ["Yahoo%20Mail/49268 CFNetwork/1121 Darwin/19.3", "YahooMobileMail/1.0 (Android Mail; 1.3.9)"]),
        ("eM Client", ["eMClient/9.3.6041.0", "eM Client/9.3", "Mozilla/5.0 Gecko/2010 Firefox/52.0 eM Client/9.2"]),
        ("Evolution", ["CamelHttpStream/1.0 Evolution/3.2.3", "Evolution/3.52.3"]),
        ("Proton Mail", ["ProtonMail/1.4", "Proton Mail/4.0"]),
        (
            "Proton Mail",
            [ELECTRON.format("Proton Mail/1.0 Chrome/122.0.1.2"), "Proton%20Mail/1 CFNetwork/1410 Darwin/22.6"],
        ),
        ("Spark", ["Spark/3.0", "SparkMail/1.0", ELECTRON.format("Spark Desktop/3.9 Chrome/108.0.5.2")]),
        ("Lotus Notes", ["Lotus-Notes/6.0", "IBM Notes/9.0", "HCL Notes/14.0"]),
        ("Thunderbird", ["Mozilla/5.0 (X11) Gecko/20100101 Thunderbird/115.1", "Thunderbird for Android/8.1"]),
        ("Mail.ru", ["MailRu/14.75.0 CFNetwork/1404.0.5 Darwin/22.3.0", "Mail.Ru/14.76 Android"]),
        ("Yandex Mail", ["Yandex.Mail/8.40 (Android 13)", "ru.yandex.mail/8.40.1 (Google Pixel 6; Android 13)"]),
        ("Tuta Mail", ["Tutanota/3.9", ELECTRON.format("tutanota-desktop/3.110 Chrome/120.0.1.2")]),
    ],
)
def test_a_program_has_canonical_name_whatever_it_calls_itself(judge, name, user_agents):
    assert {name_client(one, judge.judge(one)).name for one in user_agents} == {name}


@pytest.mark.parametrize("name", ["Mailspring", "Missive", "Basecamp3", "Notion Mail", "Kiwi for Gmail", "Unheard"])
def test_a_program_made_with_electron_has_its_own_name(judge, name):
    user_agent = ELECTRON.format(f"{name}/2.5.1 Chrome/120.0.6099.283")
    client = name_client(user_agent, judge.judge(user_agent))
    assert (client.name, client.version, client.os) == (name, "2", "Windows")


def test_a_program_made_with_electron_that_does_not_say_its_name_is_the_browser_in_it(judge):
    user_agent = ELECTRON.format("Chrome/120.0.6099.283")
    client = name_client(user_agent, judge.judge(user_agent))
    assert (client.name, client.version) == ("Chrome", "120")


@pytest.mark.parametrize(
    ("user_agent", "os"),
    [
        ("MacOutlook/16.78.23100802 (arm64 Mac OS X Version 14.1 (Build 23B74))", "Mac OS X"),
        ("Airmail 5.6 (Macintosh)", "Mac OS X"),
        ("Airmail%206/715 CFNetwork/1410.0.3 Darwin/22.6.0", "iOS"),
        ("Outlook-Android/2.0", "Android"),
        ("Mail/3774.600.62 CFNetwork/1568.200.51 Darwin/24.1.0", "Mac OS X"),
        ("Mimestream/1.0.3 CFNetwork/1410.0.3 Darwin/22.6.0", "Mac OS X"),
        ("The Bat! 9.2.1", "Windows"),
        ("K-9 Mail/6.603", "Android"),
        ("Evolution/3.52.3", "Linux"),
        ("GMX Mail/7.2 (Android 12)", "Android"),
        ("Fastmail/5.6.0 (iPhone; iOS 17)", "iOS"),
        ("Outlook-iOS/709.2 (3.21.0)", "iOS"),
    ],
)
def test_the_system_is_found_wherever_it_stands(judge, user_agent, os):
    assert name_client(user_agent, judge.judge(user_agent)).os == os


WINDOWS, MAC, LINUX = "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"
ANDROID, IPHONE = "Linux; Android 13; Pixel 7", "iPhone; CPU iPhone OS 17_1 like Mac OS X"
CHROME, VERSION = "Chrome/122.0.0.0 ", "Version/17.1 "


def webkit(system, products):
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {products}"


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        (f"Mozilla/5.0 ({WINDOWS}; rv:131.0) Gecko/20100101 Firefox/131.0", ("Firefox", "131", "Windows")),
        (f"Mozilla/5.0 ({ANDROID}) Gecko/131.0 Firefox/131.0", None),
        (f"Mozilla/5.0 ({IPHONE}) Gecko/131.0 Firefox/131.0", None),
        (webkit(WINDOWS, CHROME + "Safari/537.36 Edg/121.0"), ("Edge", "121", "Windows")),
        (webkit(ANDROID, CHROME + "Mobile Safari/537.36 Edg/121.0"), None),
        (webkit(WINDOWS, "Safari/537.36 Edg/121.0"), None),
        (webkit(LINUX, CHROME + "Safari/537.36"), ("Chrome", "122", "Linux")),
        (webkit(WINDOWS, CHROME + "Mobile Safari/537.36"), None),
        (webkit(WINDOWS, VERSION + CHROME + "Safari/537.36"), None),
        (webkit(WINDOWS, "Version/4.0 " + CHROME + "Safari/537.36"), None),
        (webkit(IPHONE, CHROME + "Mobile/15E148 Safari/604.1"), None),
        (webkit(IPHONE, CHROME + "Safari/604.1"), None),
        (webkit(ANDROID, CHROME + "Mobile Safari/537.36"), ("Chrome Mobile", "122", "Android")),
        (webkit(ANDROID, CHROME + "Safari/537.36"), ("Chrome", "122", "Android")),
        (
            webkit(ANDROID, "Version/4.0 " + CHROME + "Mobile Safari/537.36"),
            ("Chrome Mobile WebView", "122", "Android"),
        ),
        (webkit(ANDROID, VERSION + CHROME + "Mobile Safari/537.36"), None),
        (webkit(ANDROID + "; wv", CHROME + "Mobile Safari/537.36"), None),
        (webkit(MAC, VERSION + "Safari/605.1.15"), ("Safari", "17", "Mac OS X")),
        (webkit(IPHONE, VERSION + "Mobile/15E148 Safari/604.1"), ("Mobile Safari", "17", "iOS")),
        (webkit(WINDOWS, VERSION + "Safari/605.1.15"), None),
        (webkit(MAC, "Safari/605.1.15"), None),
    ],
)
def test_a_browser_is_known_without_ua_parser_where_its_form_leaves_no_doubt(user_agent, program):
    assert usual_program(user_agent) == program


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        (f"Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko)", ("Apple Mail", None, "Mac OS X")),
        (f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", ("Apple Mail", None, "iOS")),
        (f"Mozilla/5.0 ({LINUX}) AppleWebKit/605.1.15 (KHTML, like Gecko)", None),
        ("Mozilla/4.0 (compatible; Windows NT 6.1; Microsoft Outlook 14.0.7)", ("Outlook", "2010", "Windows")),
        ("Microsoft Office/15.0 (Microsoft Outlook 15.0.4; Pro)", ("Outlook", "2013", "Windows")),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.1; Pro)", ("Word", "2016", "Windows")),
        ("Mail/3774.600.62 CFNetwork/1568.200.51 Darwin/24.1.0", ("Apple Mail", None, "Mac OS X")),
    ],
)
def test_the_usual_mail_programs_are_known_without_ua_parser(user_agent, program):
    assert usual_mail_program(user_agent) == program


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("KMail2", "KMail"),
        ("pocomail", "PocoMail"),
        ("eMClient", "eM Client"),
        ("k-9", "K-9 Mail"),
        ("Airmail 5", "Airmail"),
        ("Unheard 5", "Unheard 5"),
        ("X9", "X9"),
    ],
)
def test_a_number_behind_a_name_is_passed_over_where_the_name_is_known(name, one):
    assert canonical_name(name) == one
