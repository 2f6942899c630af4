"""Programs that are parsed without ua-parser, and their canonical names."""

import json
from pathlib import Path

import pytest
from ua_parser import parse_os, parse_user_agent

from mailtrack.verdicts import name_client
from mailtrack.verdicts._programs import usual_mail_program, usual_program, usual_system

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


def test_usual_forms_are_named_as_ua_parser_names_them():
    known = {line: common for line in LINES if (common := usual_program(line)) and "bot" not in line.lower()}
    known = {line: common for line, common in known.items() if not any(phone in line for phone in PHONES_LIKE_ROBOTS)}
    assert len(known) > 100
    assert {line: common for line, common in known.items() if parsed(line) != common} == {}


def test_outlook_is_named_as_ua_parser_names_it():
    known = {line: common for line in LINES if (common := usual_mail_program(line)) and common[0] == "Outlook"}
    assert len(known) > 30
    assert {line: common for line, common in known.items() if parsed(line) != common} == {}


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
        ("Tuta Mail", ["Tutanota/3.9", ELECTRON.format("tutanota-desktop/3.110 Chrome/120.0.1.2")]),
    ],
)
def test_a_program_has_one_name_whatever_it_calls_itself(judge, name, user_agents):
    assert {name_client(one, judge.judge(one)).name for one in user_agents} == {name}


@pytest.mark.parametrize("name", ["Mailspring", "Missive", "Basecamp3", "Unheard"])
def test_a_program_made_with_electron_has_its_own_name(judge, name):
    user_agent = ELECTRON.format(f"{name}/2.5.1 Chrome/120.0.6099.283")
    client = name_client(user_agent, judge.judge(user_agent))
    assert (client.name, client.version, client.os) == (name, "2", "Windows")


@pytest.mark.parametrize(
    ("user_agent", "os"),
    [
        ("MacOutlook/16.78.23100802 (arm64 Mac OS X Version 14.1 (Build 23B74))", "Mac OS X"),
        ("Airmail 5.6 (Macintosh)", "Mac OS X"),
        ("Airmail%206/715 CFNetwork/1410.0.3 Darwin/22.6.0", "iOS"),
        ("Outlook-Android/2.0", "Android"),
        ("Outlook-iOS/709.2 (3.21.0)", "iOS"),
    ],
)
def test_the_system_is_found_wherever_it_stands(judge, user_agent, os):
    assert name_client(user_agent, judge.judge(user_agent)).os == os
