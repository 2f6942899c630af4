"""Clients by their user agents, as far as the verdict permits."""

import pytest

from mailtrack._model import UNKNOWN_CLIENT, Client, Verdict
from mailtrack.verdicts import name_client

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36"
)
WEBKIT_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/8.0; Microsoft Outlook 16.0.6366; ms-office)"
PHONE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
WEBVIEW = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/99.0.4844.88 Mobile Safari/537.36"


@pytest.fixture
def client(judge):
    """Return the client of a user agent with the judge's verdict."""
    return lambda user_agent: name_client(user_agent, judge.judge(user_agent))


@pytest.mark.parametrize(
    ("user_agent", "name", "version", "os", "device"),
    [
        (CHROME, "Chrome", "122", "Windows", "desktop"),
        (OUTLOOK, "Outlook", "2016", "Windows", "desktop"),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; ms-office)", "Outlook", "", "Windows", "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Thunderbird/78.13.0",
         "Thunderbird", "78", "Linux", "desktop"),
        (WEBKIT_MAC + "Mailspring/1.7.8 Chrome/69.0.3497.128 Electron/4.2.12 Safari/537.36",
         "Mailspring", "1", "Mac OS X", "desktop"),
        (WEBKIT_MAC + "SparkDesktop(Beta)/3.16.6 Chrome/116.0.5845.190 Electron/26.2.2 Safari/537.36",
         "Spark", "3", "Mac OS X", "desktop"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
            "Apple Mail", "", "Mac OS X", "desktop",
        ),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 11_4 like Mac OS X) {PHONE}", "Apple Mail", "", "iOS", "mobile"),
        (f"Mozilla/5.0 (iPad; CPU OS 11_0 like Mac OS X) {PHONE}", "Apple Mail", "", "iOS", "tablet"),
        ("FairEmail/1.2066 (Android 13; Pixel 7)", "FairEmail", "1", "Android", "mobile"),
        (f"Mozilla/5.0 (Linux; Android 12; Pixel 5) {WEBVIEW} K-9 Mail/6.400", "K-9 Mail", "6", "Android", "mobile"),
        ("Microsoft Windows Live Mail 16.4.3528", "Windows Live Mail", "16", "Windows", "desktop"),
        ("lynx/2.8.9rel.1 libwww-FM/2.14", "Lynx", "2", "unknown", "unknown"),
        ("The Bat! 9.2.1", "The Bat!", "9", "Windows", "desktop"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-A546E) {WEBVIEW}", "Chrome Mobile WebView", "99", "Android", "mobile"),
        (f"Mozilla/5.0 (Linux; Android 9; TB-X606F) {WEBVIEW.replace('Mobile ', '')}",
         "Chrome Mobile WebView", "99", "Android", "tablet"),
        ("Mozilla/5.0 (PlayStation 4) AppleWebKit/531.3 (KHTML, like Gecko) SCEE/1.0 Nuanti/2.0",
         "SCEE", "1", "unknown", "other"),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "Outlook", "2016", "Windows", "desktop"),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; MSOffice 12)", "Outlook", "2007", "Windows", "desktop"),
        ("Outlook-Express/7.0 (MSIE 7.0; Windows NT 6.1)", "Windows Live Mail", "7", "Windows", "desktop"),
        ("Windows-Live-Mail/15.4.3508.1109", "Windows Live Mail", "15", "Windows", "desktop"),
        ("Mozilla/5.0 (rv:38) Thunderbird/MSSante-1.2.0", "Thunderbird", "", "unknown", "unknown"),
        ("Mozilla/5.0 (X11; Linux i686) AppleWebKit/537.21 (KHTML, like Gecko) kmail2 Safari/537.21",
         "KMail", "", "Linux", "desktop"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 12_0_1 like Mac OS X) {PHONE} BlueMail iOS",
         "BlueMail", "", "iOS", "mobile"),
        ("Android/9-email", "Android Mail", "", "Android", "mobile"),
        ("Airmail%206/715 CFNetwork/1410.0.3 Darwin/22.6.0", "Airmail", "715", "iOS", "mobile"),
        ("Unheard-Mail/3.1 (Something)", "Unheard-Mail", "3", "unknown", "unknown"),
        ("", "unknown", "", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_a_persons_program_has_name_version_system_and_device(client, user_agent, name, version, os, device):
    assert client(user_agent) == Client(name=name, version=version, os=os, device=device)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0", "Apple Mail"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "Gmail"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "Yahoo Mail"),
        ("Mozilla/5.0 (compatible; SeznamEmailProxy/1.0)", "Seznam Email"),
        ("RamblerMail/6.0 (incompatible; ImageProxy/6.0)", "Rambler Mail"),
        ("hey.com/imageproxy Mozilla/5.0 (X11; Linux x86_64)", "HEY"),
        ("FastmailUA/1.0", "Fastmail"),
        ("ExampleMailProxy/1.0", "ExampleMailProxy"),
    ],
)
def test_a_proxy_and_a_prefetcher_hide_all_but_the_mail_service(client, user_agent, name):
    assert client(user_agent) == Client(name=name)


@pytest.mark.parametrize("kind", ["proxy", "prefetch"])
def test_behind_a_proxy_without_a_vendor_nothing_is_known(kind):
    assert name_client(CHROME, Verdict(kind=kind)) == UNKNOWN_CLIENT


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Googlebot/2.1 (http://www.googlebot.com/bot.html)", "Google"),
        ("python-requests/2.32", "python-requests"),
        ("Mozilla/5.0 (compatible; SemrushBot/0.97; +http://www.semrush.com/bot.html)", "SemrushBot"),
        ("TelegramBot (like TwitterBot)", "TelegramBot"),
        ("Mozilla/5.0 (compatible; Example)", "unknown"),
    ],
)
def test_a_machine_has_the_name_of_its_vendor_or_its_own_and_no_more(client, user_agent, name):
    assert client(user_agent) == Client(name=name)


def test_a_browser_that_a_scanner_pretends_to_be_is_not_named(judge):
    verdict = judge.judge(CHROME, ip="40.92.0.1")
    assert name_client(CHROME, verdict) == Client(name="Microsoft")


def test_a_scanner_without_vendor_is_not_named_after_the_browser_that_it_pretends_to_be(judge):
    verdict = judge.judge(CHROME, signals=["no-language"], age=1.0)
    assert name_client(CHROME, verdict) == Client()


@pytest.mark.parametrize("kind", ["human", "unknown", "bot", "scanner"])
@pytest.mark.parametrize(
    "user_agent", ["a" * 100_000 + "/1", ("x" * 200 + " ") * 3 + "/" + "9" * 500, "Evil\x1b[31m\u202e/1", "\ud800/1"]
)
def test_whatever_strangers_write_the_parts_are_short_and_can_be_shown(user_agent, kind):
    found = name_client(user_agent, Verdict(kind=kind))
    assert "" not in (found.name, found.os, found.device)
    for part in (found.name, found.version, found.os, found.device):
        assert len(part) <= 64
        assert part.isprintable()


def test_the_same_client_is_one_object(client):
    assert client(CHROME) is client(CHROME)
