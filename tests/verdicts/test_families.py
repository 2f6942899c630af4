"""Families of machines, with names of browsers and mail programs or with their own."""

import pytest

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
BROWSER = WINDOWS + "Chrome/131.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 11_3 like Mac OS X) AppleWebKit/605.1"
FIREFOX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
FORGED = WINDOWS + "Chrome/131.0.6778.86 Safari/537.36"


def reason(judge, user_agent, **hit):
    return judge.judge(user_agent, **hit).reasons[0]


def test_the_proxy_of_hey_fetches_for_people_even_in_a_burst(judge):
    verdict = judge.judge(
        "hey.com/imageproxy " + LINUX + "Chrome/81.0.4044.138 Safari/537.36", signals=["burst"], age=1.0
    )
    assert (verdict.kind, verdict.vendor) == ("proxy", "HEY")


def test_gmails_proxy_is_known_by_its_older_name(judge):
    verdict = judge.judge("Mozilla/5.0 (Windows; U; Windows NT 5.1; de) Gecko/2009 Firefox/3.0.7 (via ggpht.com)")
    assert (verdict.kind, verdict.vendor) == ("proxy", "Google")


@pytest.mark.parametrize("browser", [BROWSER, FIREFOX, LINUX + "Chrome/125.0 Safari/537.36 Edg/125.0"])
@pytest.mark.parametrize(
    "tool",
    [
        "Unheard/3.0",
        "Unheard-Of/v1",
        "Sindup/1.0.0",
        "Tiger",
        "unheard.example.org",
        "Ghost Inspector (63c85)",
        "DejaClick/2.9",
        "Example/1.0 (contact; someone)",
    ],
)
def test_a_tool_behind_a_browsers_name_is_a_machine(judge, browser, tool):
    assert judge.judge(f"{browser} {tool}").kind == "bot"


@pytest.mark.parametrize("tool", ["Datanyze", "watchTowr", "Splunk Synthetics", "feeder.co"])
def test_a_tool_inside_the_brackets_of_a_browser_is_a_machine(judge, tool):
    rest = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Safari/537.36"
    assert reason(judge, f"Mozilla/5.0 (X11; {tool}; Linux x86_64) {rest}") == "tool-inside-brackets"
    assert reason(judge, f"Mozilla/5.0 ({tool}; Windows NT 10.0; Win64; x64) {rest}") == "tool-inside-brackets"
    assert judge.judge(f"mozilla/5.0 (x11; linux x86_64; {tool}) {rest.lower()}").kind == "bot"


@pytest.mark.parametrize("system", ["Windows NT 10.0", "Linux; Android 14; SM-S918B", "iPhone; CPU iPhone OS 17_5"])
@pytest.mark.parametrize("tool", ["; compatible; Pageburst", ", Foregenix", "; BW/1.1; bit.ly/2W6Px8S"])
def test_a_tool_beside_the_engine_is_a_machine_on_every_system(judge, system, tool):
    user_agent = f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko{tool}) Chrome/116.0.0.0 Safari/537.36"
    assert judge.judge(user_agent).kind == "bot"


def test_an_address_before_the_engine_is_a_machine(judge):
    user_agent = "Mozilla/5.0 (Windows NT 10.0; rv:96.0) example.com/policy Gecko/20100101 Firefox/96.0"
    assert judge.judge(user_agent).kind == "bot"


def test_a_tool_instead_of_a_computers_window_system_is_a_machine(judge):
    user_agent = (
        "Mozilla/5.0 (Unheard-Of; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36"
    )
    assert judge.judge(user_agent).kind == "bot"


@pytest.mark.parametrize("tool", ["PS_Daily/1.0", "Unheard,"])
def test_a_tool_before_a_browsers_name_is_a_machine(judge, tool):
    assert reason(judge, f"{tool} {BROWSER}") == "tool-before-browser"


@pytest.mark.parametrize(
    "name", ["RuxitSynthetic/1.0", "CookieHubScan/3.0", "LinkProbe/1", "CybaaAgent", "AnyChecker/2", "site_scanner"]
)
def test_the_name_of_a_tool_glued_to_another_is_a_machines(judge, name):
    assert judge.judge(f"{BROWSER} {name}").kind == "bot"
    assert (
        judge.judge(f"Mozilla/5.0 (Linux; Android 7.0; SM-G930V) AppleWebKit/537.36 Chrome/107.0 {name}").kind == "bot"
    )


@pytest.mark.parametrize(
    "name",
    [
        "wkhtmltopdf",
        "wkhtmltoimage",
        "splash Version/10.0",
        "jsdom/15.2",
        "PhantomJS/2.1",
        "Puppeteer/22",
        "HtmlUnit/4.1",
        "HeadlessChrome/131.0",
        "SlimerJS/1.0",
        "CasperJS/1.1",
        "Playwright/1.40",
        "Cypress/13.6",
        "HappyDOM/14.12",
        "EvoPdf",
    ],
)
def test_a_renderer_is_a_machine(judge, name):
    assert reason(judge, f"{LINUX}{name} Safari/537.36") == "browser-without-window"


@pytest.mark.parametrize(
    "user_agent",
    [
        "ApacheBench/2.3",
        "Sectigo DCV",
        "Hatena::Scissors/0.01",
        "Termly",
        "Zeno",
        "SSL Labs",
        "Unheard/1.0 (Linux)",
        "Reelevant/1.0",
        "xtate/2.12.4",
        "collectd/5.5.1",
        "Cursor/3.0 (win32 x64)",
        "Slim Framework",
        "Mailosaur/2",
        "SEO BrowserKit",
    ],
)
def test_what_is_no_browser_no_mail_program_and_no_phone_is_a_machine(judge, user_agent):
    assert reason(judge, user_agent) == "no-browser-no-mail-program"


@pytest.mark.parametrize(
    "user_agent", ["Mozilla/5.0 Unheard", "Mozilla/5.0 (Unheard/1.0)", "Mozilla/5.0 (X11; Linux) CMS/1.0"]
)
def test_a_beginning_like_a_browsers_without_engine_is_a_machine(judge, user_agent):
    assert reason(judge, user_agent) == "no-engine-named"


@pytest.mark.parametrize(
    "user_agent",
    [
        "MimecastURLProtect/3",
        "ZscalerSandbox/1",
        "CiscoSecureEmail/1.0",
        "Darktrace/Email 1.0",
        "MailScanner/5.4.3",
        "Valimail",
        "ProofpointURLDefense/2.1",
        "BarracudaLinkProtect/1",
        "TrendMicroEmailSecurity/1",
        "FortiMail/7.2",
        "SophosEmail/4",
        "AbnormalSecurity/1.0",
        "Avanan/1.0",
        "MailGuard/2.0",
        "SpamTitan/7",
        "Trustwave MailMarshal/10",
        "Vade/1",
        "ESET/1",
        "EmailSecurityGateway/3.1",
        "ESETMailSecurity/10",
        "KasperskySecureMailGateway/2",
        "Symantec-Email-Security.cloud",
        "CloudflareEmailSecurity/1",
        "Coremail-Antispam/1",
        "MailControl/2",
        "N-able Mail Assure/1",
        "ExchangeOnlineProtection/15",
        "HarmonyEmail/1.0",
        "SlashNext/1.0",
        "MicrosoftSafeLinks/1.0",
        "Outlook Safe Links Scanner/1.0",
        "Microsoft URL Protection",
        "Microsoft Office Protocol Discovery",
        f"{BROWSER} Edg/131.0.0.0 (FireEye-ETP)",
        "Microsoft Defender/1.0",
        "Anti-Spam Filter/2",
    ],
)
def test_what_checks_mail_is_a_scanner_however_its_name_is_glued(judge, user_agent):
    assert judge.judge(user_agent).kind == "scanner"


@pytest.mark.parametrize(
    "user_agent",
    [
        "Microsoft Outlook SafeLinks PreFetch",
        "Outlook-Link-Preview/1.0",
        "Thunderbird-Checker/1.0",
        "GmailValidator/2",
        "Mail-Tester/1.0",
        "Email Privacy Tester",
        "Email on Acid",
        "Gmail-Prefetcher/1.0",
        "EmailHunter/1",
        "Outlook Preview Service/1",
        "Microsoft Outlook Link Preview Bot/1.0",
        "EmailOnAcid",
        "Litmus Email Previews",
        "Exchange Server/15",
        "SmarterMail/100",
        "Sendmail/8.17",
        "Mozilla/5.0 (Windows; U) Gecko/20050716 Thunderbird/1.0.6 - WebCrawler http://example.com/bot.html",
        "SparkPost/1",
        "MailReach/1",
        "hey/0.0.1",
    ],
)
def test_the_name_of_a_mail_program_inside_a_machines_makes_no_person(judge, user_agent):
    assert judge.judge(user_agent).kind in ("bot", "scanner")


@pytest.mark.parametrize(
    "user_agent",
    [
        f'"{BROWSER}"',
        f"'{BROWSER}",
        f"User-Agent: {BROWSER}",
        f"useragent={BROWSER}",
        BROWSER.replace("/5.0", "/9.9"),
        BROWSER.replace("/5.0", "/6.0"),
        "${jndi:ldap://example.org/a}",
        f"{BROWSER}';alert(/x/)",
        f"../{BROWSER}",
        f"{BROWSER} <script",
        f"{BROWSER}' union select 1",
        f'{BROWSER}"',
        f"&quot;{BROWSER}",
        BROWSER.replace("Mozilla", "Mozila"),
        BROWSER.replace("131.0.0.0", "W.X.Y.Z"),
        "Mozilla/5.0 (platform; rv:geckoversion) Gecko/geckotrail Firefox/firefoxversion",
        "Mozilla/4.0 compatible Unheard/1.0",
        "{ua}",
        "%s",
        "null",
        "undefined",
        "${USER_AGENT}",
        "Mozilla",
        "Mozilla/4.0",
        "Google Chrome",
        "iPhone",
        "Windows NT 10.0",
        "Chrome/131.0.0.0",
        BROWSER.replace("131.0.0.0", "{version}"),
        BROWSER.replace("131.0.0.0", "%s"),
        BROWSER.replace("131.0.0.0", "undefined"),
        BROWSER.replace("131", "999"),
        FIREFOX.replace("Firefox/131.0", "Firefox/999.0"),
        BROWSER.replace("Windows NT 10.0; Win64; x64", "{os}"),
        BROWSER.replace("like Gecko)", "like Gecko"),
        BROWSER.replace("(Windows NT 10.0; Win64; x64)", "Windows NT 10.0; Win64; x64"),
        BROWSER.replace(" (Windows NT 10.0; Win64; x64)", ""),
        BROWSER.replace(" ", "+"),
        BROWSER.lower(),
        BROWSER.upper(),
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0",
    ],
)
def test_a_malformed_name_is_a_machines(judge, user_agent):
    assert judge.judge(user_agent).kind == "bot"


@pytest.mark.parametrize(
    "user_agent",
    [
        f"{BROWSER} acme",
        f"{BROWSER}; acme",
        f"{BROWSER} (Acme)",
        f"{FIREFOX} [acme-mon]",
        f"{BROWSER} (compatible; acme)",
        f"{BROWSER} Acme.com",
        "Mozilla/5.0 (X11; Linux i586; rv:31.0) Gecko/20100101 Firefox/31.0 Acme.com",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.21 (KHTML, like Gecko) acme-web.net/0.9 Safari/537.21",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT) Acme/1.0",
        "Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.0) Acme API Request",
        "Acme/1.0 (Windows; U; Windows NT 5.1; en-US; rv:1.8.1.13) Gecko/20080311 Firefox/2.0.0.13",
        f"{BROWSER} Acme 2.0",
        f"{BROWSER} Acme/Probe",
        f"{BROWSER} Acme-Radar",
        BROWSER.replace("Chrome/", "acme Chrome/"),
        f"{IPHONE} (KHTML, like Gecko) Acme Version/11.0 Safari",
        BROWSER.replace("Chrome/", "Acme/1.0 Chrome/"),
        BROWSER.replace("Safari/", "Acme/1.0 Safari/"),
        BROWSER.replace("AppleWebKit", "Acme/1.0 AppleWebKit"),
        BROWSER.replace("x64)", "x64; Acme/1.0)"),
        f"Acme/1.0 ({BROWSER})",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1 (compatible; acme)",
    ],
)
def test_a_tools_name_is_found_wherever_it_stands(judge, user_agent):
    assert judge.judge(user_agent).kind == "bot"


@pytest.mark.parametrize(
    "user_agent",
    [
        BROWSER.replace("Mozilla/5.0", "Mozilla/4.0"),
        BROWSER.replace("Mozilla/", "Mozilla "),
        BROWSER.replace("Windows NT 10.0", "Windows 11"),
        BROWSER.replace("Windows NT 10.0; Win64; x64", "Desktop"),
        BROWSER.replace("(KHTML, like Gecko) ", ""),
        BROWSER.replace(" Safari/537.36", ""),
        BROWSER.replace("131.0.0.0", "131.0"),
        f"{BROWSER})",
    ],
)
def test_a_current_browsers_name_has_one_form(judge, user_agent):
    assert judge.judge(user_agent).kind == "bot"


@pytest.mark.parametrize(
    "user_agent",
    [
        BROWSER.replace(" ", ""),  # as some privacy programs do
        BROWSER.replace("Win64; x64", "WOW64"),
        BROWSER.replace("Safari", "Brave"),
        f"{BROWSER}/null",
        BROWSER.replace("Windows NT 10.0; Win64; x64", "X11; CrOS x86_64 14541.0.0"),
        BROWSER.replace("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7"),
        BROWSER.replace("Windows NT 10.0; Win64; x64", "Knoppix; Linux x86_64"),
    ],
)
def test_variants_of_that_form_are_peoples(judge, user_agent):
    assert judge.judge(user_agent).kind == "human"


@pytest.mark.parametrize(
    "user_agent",
    [
        f"{BROWSER}, {BROWSER}",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)",
        BROWSER.replace("NT 10", "NT 11"),
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
    ],
)
def test_an_odd_name_needs_a_second_signal(judge, user_agent):
    assert judge.judge(user_agent, age=3600).kind in ("human", "unknown")
    assert judge.judge(user_agent, signals=["no-language"], age=3600).kind == "scanner"
    assert judge.judge(user_agent, age=1.0).kind == "scanner"


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        (BROWSER.replace("131", "80"), "scanner"),
        (FIREFOX.replace("131", "72"), "scanner"),
        (BROWSER.replace("131", "109"), "human"),  # the last one for Windows 7 and 8
        (FIREFOX.replace("131", "78"), "human"),  # one with long support
        (BROWSER.replace("Windows NT 10.0", "Windows NT 6.1").replace("131", "49"), "human"),
    ],
)
def test_an_old_browser_that_is_early_is_a_scanner(judge, user_agent, kind):
    assert judge.judge(user_agent, age=1.0).kind == kind
    assert judge.judge(user_agent, signals=["no-language"], age=3600).kind == "human"
    assert judge.judge(user_agent, signals=["burst"], age=3600).kind == "human"


@pytest.mark.parametrize("second", [{"signals": ["no-language"]}, {"age": 1.0}])
def test_an_old_build_adds_up_with_a_second_signal(judge, second):
    old = BROWSER.replace("131.0.0.0", "101.0.4951.67")
    assert reason(judge, old, **second) == "old-build"
    assert judge.judge(f"{old} Edg/101.0.1210.53", **second).kind == "human"
    assert judge.judge(old, signals=["burst"], age=3600).kind == "human"


class TestAForgedBuild:
    def test_it_decides_nothing_alone(self, judge):
        assert judge.judge(FORGED).kind == "human"

    @pytest.mark.parametrize("second", [{"signals": ["no-language"]}, {"signals": ["burst"]}, {"age": 1.0}])
    def test_it_adds_up_with_a_second_signal(self, judge, second):
        assert judge.judge(FORGED, **second).kind == "scanner"

    @pytest.mark.parametrize("second", [{"signals": ["no-language"]}, {"signals": ["burst"]}, {"age": 1.0}])
    @pytest.mark.parametrize(
        "user_agent",
        [
            BROWSER,
            WINDOWS + "Missive/10.50 Chrome/120.0.6099.283 Electron/28.2.1 Safari/537.36",
            LINUX + "QtWebEngine/6.5.0 Chrome/112.0.5615.213 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 Version/4.0 Chrome/131.0.6778.81 Mobile",
        ],
    )
    def test_electron_qt_and_phones_keep_their_builds(self, judge, user_agent, second):
        assert judge.judge(user_agent, **second).kind == "human"


class TestHeadersOfBrowsers:
    """What browsers send over HTTPS, and mail programs and proxies do not, is a second signal only."""

    @pytest.mark.parametrize("signal", ["no-fetch-metadata", "no-client-hints", "navigation", "forged-hint"])
    def test_none_decides_alone(self, judge, signal):
        assert judge.judge(BROWSER, signals=[signal], age=3600).kind == "human"

    @pytest.mark.parametrize("signal", ["navigation", "forged-hint"])
    @pytest.mark.parametrize("second", [{"signals": ["no-language"]}, {"signals": ["burst"]}, {"age": 1.0}])
    def test_a_browser_that_shows_no_mail_adds_up_with_a_second_signal(self, judge, signal, second):
        assert judge.judge(BROWSER, **second | {"signals": [signal, *second.get("signals", ())]}).kind == "scanner"

    def test_a_headless_browser_that_hides_its_name_identifies_itself_by_its_hints(self, judge):
        assert reason(judge, BROWSER, signals=["headless-hint"], age=3600) == "headless-browser-hint"

    @pytest.mark.parametrize("second", [{"signals": ["burst"]}, {"signals": ["no-language"]}, {"age": 1.0}])
    @pytest.mark.parametrize("user_agent", [BROWSER, BROWSER + " Edg/131.0.0.0", FIREFOX, BROWSER.replace("131", "89")])
    def test_a_browsers_name_without_its_headers_adds_up_with_a_second_signal(self, judge, user_agent, second):
        signals = ["no-fetch-metadata", *second.get("signals", ())]
        assert judge.judge(user_agent, **second | {"signals": signals}).kind == "scanner"

    @pytest.mark.parametrize("second", [{"signals": ["burst"]}, {"age": 1.0}])
    @pytest.mark.parametrize(
        "user_agent", [BROWSER, BROWSER + " Edg/131.0.0.0", BROWSER + " OPR/115.0.0.0", BROWSER.replace("131", "107")]
    )
    def test_a_name_of_chromium_without_client_hints_adds_up_with_burst_or_early(self, judge, user_agent, second):
        signals = ["no-client-hints", *second.get("signals", ())]
        assert judge.judge(user_agent, **second | {"signals": signals}).kind == "scanner"

    @pytest.mark.parametrize("signal", ["no-client-hints", "forged-hint"])
    @pytest.mark.parametrize("second", [{"signals": ["burst"]}, {"age": 1.0}])
    @pytest.mark.parametrize(
        "user_agent",
        [
            WINDOWS + "Missive/10.50 Chrome/120.0.6099.283 Electron/28.2.1 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 14; K; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0",
            BROWSER + " OneOutlook/1.2024",
        ],
    )
    def test_apps_and_web_views_need_no_hints(self, judge, signal, user_agent, second):
        assert judge.judge(user_agent, **second | {"signals": [signal, *second.get("signals", ())]}).kind == "human"

    @pytest.mark.parametrize("signals", [["no-client-hints", "no-language"], ["no-client-hints", "no-fetch-metadata"]])
    def test_other_pairs_of_missing_headers_are_not_enough(self, judge, signals):
        assert judge.judge(BROWSER, signals=signals, age=3600).kind == "human"

    @pytest.mark.parametrize(
        "user_agent",
        [
            BROWSER.replace("131", "79"),
            FIREFOX.replace("131", "89"),
            BROWSER + " OPR/115.0.0.0",
            "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 Version/4.0 Chrome/131.0.6778.81 Mobile",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        ],
    )
    @pytest.mark.parametrize("second", [{"signals": ["burst"]}, {"age": 30.0}])
    def test_old_browsers_web_views_and_mail_programs_need_not_send_them(self, judge, user_agent, second):
        signals = ["no-fetch-metadata", *second.get("signals", ())]
        assert judge.judge(user_agent, **second | {"signals": signals}).kind == "human"

    def test_a_forged_build_adds_up_with_them(self, judge):
        assert judge.judge(FORGED, signals=["no-fetch-metadata"]).kind == "scanner"


@pytest.mark.parametrize("end", ["Trident/5.0; KTXN)", "Trident/7.0; KTXN 1.0; rv:11.0) like Gecko"])
def test_a_monitor_that_marks_the_name_of_internet_explorer_is_a_machine(judge, end):
    assert judge.judge(f"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; {end}").kind == "bot"
