"""The bundled rules, checked against labelled real hits."""

from collections import Counter

import pytest

from mailtrack.verdicts import Judge, default_rules

MACHINES = {"prefetch", "scanner", "bot"}
WITH_VENDOR = {"proxy", "prefetch", "scanner"}

KNOWN_WRONG: dict[str, str] = {}
"""Lines of the set that the rules judge wrongly, by user agent, with our reason for accepting that."""

BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36"
)

# Rules without a line in the set, because no networks are published or several hits are needed.
DIRECT = {
    "mail-proxy": {"user_agent": "ExampleMailProxy/1.0"},
    "proofpoint-network": {"ip": "192.0.2.1", "signals": ["burst"]},
    "mimecast-network": {"ip": "198.51.100.1", "signals": ["no-language"]},
    "cisco-network": {"ip": "203.0.113.1", "age": 1.0},
    "no-engine": {"user_agent": "Mozilla/5.0 (compatible; Example)"},
    "says-what-it-does": {"user_agent": "Example Detector 2"},
    "hey-proxy": {"user_agent": "hey.com/imageproxy"},
    "apple-app": {"user_agent": "Unheard/1.0 CFNetwork/1410.0.3 Darwin/22.6.0"},
    "attack": {"user_agent": "${jndi:ldap://example.org/a}"},
    "tool-behind-browser": {"user_agent": f"{BROWSER} Unheard/1.0"},
    "malformed": {"user_agent": "User-Agent: curl/8"},
    "no-browsers-form": {"user_agent": BROWSER.replace("Mozilla/5.0", "Mozilla/4.0")},
    "tool-behind-explorer": {
        "user_agent": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; Trident/4.0) Unheard/1.0"
    },
    "words-beside-browser": {"user_agent": f"{BROWSER} (Unheard)"},
    "odd-name": {"user_agent": BROWSER.replace("NT 10", "NT 12"), "age": 1.0},
    "old-build": {"user_agent": BROWSER.replace("122.0.0.0", "99.0.4844.51"), "signals": ["no-language"]},
    "old-browser": {"user_agent": BROWSER.replace("122", "77"), "age": 1.0},
    "tool-inside-brackets": {"user_agent": BROWSER.replace("Win64", "Datanyze")},
    "tool-before-browser": {"user_agent": f"Unheard/1.0 {BROWSER}"},
    "glued-tool": {"user_agent": f"{BROWSER} AnyProbe/1"},
    "no-engine-named": {"user_agent": "Mozilla/5.0 Unheard"},
    "no-browser-no-mail-program": {"user_agent": "Unheard/1.0"},
    "forged-build": {"user_agent": BROWSER.replace(".0.0.0", ".0.6261.94"), "signals": ["no-language"]},
    "browser-without-fetch-metadata": {"signals": ["no-fetch-metadata", "burst"]},
    "browser-without-client-hints": {"signals": ["no-client-hints", "burst"]},
    "forged-client-hint": {"signals": ["forged-hint", "burst"]},
    "headless-browser-hint": {"signals": ["headless-hint"]},
    "navigation": {"signals": ["navigation"], "age": 1.0},
    "many-recipients-slowly": {"signals": ["no-language", "slow-burst"]},
    "many-recipients-of-a-company": {"signals": ["company-burst"], "age": 1.0},
    "many-recipients": {"signals": ["burst"], "age": 1.0},
}


def judged(judge, line):
    return judge.judge(line["user_agent"], ip=line["ip"], signals=line["signals"], age=line["age"])


def is_right(judge, line):
    verdict = judged(judge, line)
    return verdict.kind == line["kind"] and (line["kind"] not in WITH_VENDOR or verdict.vendor == line["vendor"])


def test_at_least_99_of_100_are_judged_right(judge, labelled):
    wrong = [line["user_agent"] for line in labelled if not is_right(judge, line)]
    assert len(wrong) <= len(labelled) / 100, wrong


def test_headers_that_mail_programs_do_not_send_change_no_verdict_of_a_person_or_a_proxy(judge, labelled):
    """Over HTTPS, all mail programs and proxies have this signal, and browsers in which people read mail do not."""
    people = [line for line in labelled if line["kind"] not in MACHINES and line["group"] != "webmail browser"]
    changed = [
        line["user_agent"]
        for line in people
        for more in ([], ["no-language"])
        if judged(judge, line | {"signals": [*line["signals"], *more, "no-fetch-metadata"]})
        != judged(judge, line | {"signals": [*line["signals"], *more]})
    ]
    assert changed == []


def test_what_is_judged_wrong_is_known(judge, labelled):
    assert {line["user_agent"] for line in labelled if not is_right(judge, line)} == set(KNOWN_WRONG)


def test_no_mail_program_is_called_a_machine(judge, labelled):
    accused = [
        line["user_agent"]
        for line in labelled
        if line["group"] == "mail client" and line["kind"] not in MACHINES and judged(judge, line).kind in MACHINES
    ]
    assert accused == []


def test_no_name_that_only_sounds_like_a_robot_is_called_one(judge, labelled):
    traps = [line for line in labelled if line["why"].startswith("Looks like a robot")]
    assert len(traps) > 10
    assert [line["user_agent"] for line in traps if judged(judge, line).kind != "human"] == []


@pytest.mark.parametrize("code", list(DIRECT))
def test_a_rule_that_no_line_shows_decides_where_it_should(code):
    table = default_rules().with_networks(
        proofpoint=["192.0.2.0/24"], mimecast=["198.51.100.0/24"], cisco=["203.0.113.0/24"]
    )
    hit = {"user_agent": BROWSER, "ip": None, "signals": [], "age": None} | DIRECT[code]
    assert judged(Judge(table), hit).reasons[0] == code


def test_every_rule_is_shown_by_a_line_or_directly(judge, labelled):
    shown = Counter(judged(judge, line).reasons[0] for line in labelled)
    assert {rule.code for rule in default_rules().rules} - shown.keys() == set(DIRECT)


@pytest.mark.parametrize(
    "name",
    [
        "XBot_Senior Build/O11019",
        "M bot 54",
        "VR BOT 552 PLUS",
        "IDbot553 Build/MRA58K",
        "Ilium L900",
        "Cubot X30",
        "Spider 8",
    ],
)
def test_a_phone_with_a_name_like_a_robots_is_a_persons(judge, name):
    user_agent = (
        f"Mozilla/5.0 (Linux; Android 7.0; {name}) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/78.0.3904.96 Mobile Safari/537.36"
    )
    assert judge.judge(user_agent).kind == "human"


@pytest.mark.parametrize("length", [1, 64, 512, 100_000])
@pytest.mark.parametrize("text", ["a", "@", "+x", "Mozilla/5.0 (", "http:", "mail ", "via (", "Android 1;", " "])
def test_no_text_takes_the_rules_long(judge, text, length):
    # Rules with catastrophic backtracking would take minutes for these.
    assert judge.judge((text * length)[:length]).reasons
