"""`canonical_name`: unifies the names of programs; `named_program`, `only_system`: facts about mail programs."""

import re

APPLE_MAIL = "Apple Mail"
"""It sends no version; the one that ua-parser returns is its engine's."""

# Names of programs, by the names that they send on different systems, in lower case without a trailing number.
_NAMES = {
    "airmail": "Airmail",
    "airmail ios": "Airmail",
    "airmailbeta": "Airmail",
    "android-gmail": "Gmail",
    "android-mail": "Android Mail",
    "aol": "AOL Mail",
    "apple mail": APPLE_MAIL,
    "aquamail": "Aqua Mail",
    "barcapro": "Barca",
    "becky! ver.": "Becky!",
    "boxer": "Boxer",
    "bluemail": "BlueMail",
    "canary": "Canary Mail",
    "claws mail": "Claws Mail",
    "com.apple.mobilemail": APPLE_MAIL,
    "com.samsung.android.email.provider": "Samsung Email",
    "daummail": "Daum Mail",
    "deltachat": "Delta Chat",
    "edison": "Edison Mail",
    "edisonmail": "Edison Mail",
    "emclient": "eM Client",
    "exchangewebservices": APPLE_MAIL,
    "foxmail": "Foxmail",
    "gmailapp": "Gmail",
    "gnus": "Gnus",
    "hcl notes": "Lotus Notes",
    "hcl-notes": "Lotus Notes",
    "ibm notes": "Lotus Notes",
    "ibm-notes": "Lotus Notes",
    "icewarpdesktop": "IceWarp Desktop Client",
    "jp.co.yahoo.android.ymail": "Yahoo Mail",
    "jp.co.yahoo.ymail": "Yahoo Mail",
    "k-9": "K-9 Mail",
    "k-9mail": "K-9 Mail",
    "k9mail": "K-9 Mail",
    "kmail": "KMail",
    "kontact": "Kontact",
    "lotus-notes": "Lotus Notes",
    "lynx": "Lynx",
    "macoutlook": "Outlook",
    "mail": APPLE_MAIL,
    "mail.ru": "Mail.ru",
    "mailmaster_android_mobile": "MailMaster",
    "mailmasterpc": "MailMaster",
    "mailru": "Mail.ru",
    "mew version": "Mew",
    "microsoft office": "Outlook",
    "microsoft office outlook": "Outlook",
    "microsoft outlook": "Outlook",
    "microsoft windows live mail": "Windows Live Mail",
    "microsoft windows mail": "Windows Mail",
    "mobilemail": APPLE_MAIL,
    "mobmail android": "Mail.ru",
    "mobmail ios": "Mail.ru",
    "msoffice": "Outlook",
    "mutt": "Mutt",
    "navermailapp": "Naver Mail",
    "neomutt": "NeoMutt",
    "newtonmail": "Newton",
    "nylasmail": "Nylas Mail",
    "nylasn": "Nylas Mail",
    "oneoutlook": "Outlook",
    "outlook-android": "Outlook",
    "outlook-express": "Windows Live Mail",
    "outlook-ios": "Outlook",
    "outlook-ios-android": "Outlook",
    "outlookmobile": "Outlook",
    "pocomail": "PocoMail",
    "postboxapp": "Postbox",
    "proton-mail": "Proton Mail",
    "protonmail": "Proton Mail",
    "protonmail bridge": "Proton Mail",
    "protonmail-bridge": "Proton Mail",
    "qqmail": "QQ Mail",
    "rainloop": "RainLoop",
    "rambox": "Rambox",
    "ramboxpro": "Rambox",
    "ru.yandex.mail": "Yandex Mail",
    "samsungemail": "Samsung Email",
    "seznamemail": "Seznam Email",
    "spark desktop": "Spark",
    "sparkdesktop": "Spark",
    "sparkmail": "Spark",
    "sparrow browser": "Sparrow",
    "the bat! professional": "The Bat!",
    "the bat! voyager": "The Bat!",
    "thunderbird for android": "Thunderbird",
    "thunderbrowse": "Thunderbird",
    "tuta": "Tuta Mail",
    "tutanota": "Tuta Mail",
    "tutanota-desktop": "Tuta Mail",
    "vmware boxer": "Boxer",
    "windows live mail": "Windows Live Mail",
    "windows-live-mail": "Windows Live Mail",
    "windows-mail": "Windows Mail",
    "windowslivemail": "Windows Live Mail",
    "windowsmail": "Windows Mail",
    "wavebox": "Wavebox",
    "yahoo mail": "Yahoo Mail",
    "yahoomail": "Yahoo Mail",
    "yahoomobile": "Yahoo Mail",
    "yahoomobilemail": "Yahoo Mail",
    "yandex.mail": "Yandex Mail",
    "zdesktop": "Zimbra Desktop",
    "zohomail": "Zoho Mail",
    "zohomail-desktop": "Zoho Mail",
}
# Names that user agents contain without a version, or with words in between.
_NAMED = (
    (re.compile(r"(?i)\bkmail\d?\b"), "KMail"),
    (re.compile(r"(?i)\bkontact\b"), "Kontact"),
    (re.compile(r"(?i)\bbluemail\b"), "BlueMail"),
    (re.compile(r"(?i)\bk-9 mail\b"), "K-9 Mail"),
    (re.compile(r"(?i)\baqua mail\b"), "Aqua Mail"),
    (re.compile(r"(?i)^mailmate\b"), "MailMate"),
    (re.compile(r"^Android/[\d.]+-email"), "Android Mail"),
)
# Systems of programs that exist for no other, whether or not they name it.
_ONLY_SYSTEMS = {
    **dict.fromkeys(("Barca", "Becky!", "Eudora", "IncrediMail", "Pegasus Mail", "PocoMail", "The Bat!"), "Windows"),
    **dict.fromkeys(("Windows Live Mail", "Windows Mail"), "Windows"),
    **dict.fromkeys(("MailMate", "Mailplane", "Mimestream", "Sparrow", "Unibox"), "Mac OS X"),
    **dict.fromkeys(
        ("Android Mail", "Aqua Mail", "FairEmail", "K-9 Mail", "MailDroid", "Nine", "Samsung Email"), "Android"
    ),
    **dict.fromkeys(("Balsa", "Evolution", "Geary", "KMail", "Kontact"), "Linux"),
}
_LAST_NUMBER = re.compile(r"[ ]?\d{1,2}$")


def canonical_name(name: str) -> str:
    """Return the canonical name of a program."""
    key = name.lower()
    return _NAMES.get(key) or _NAMES.get(_LAST_NUMBER.sub("", key)) or name


def named_program(user_agent: str) -> str | None:
    """Return the mail program that a user agent names without a version, or `None`."""
    return next((name for expression, name in _NAMED if expression.search(user_agent)), None)


def only_system(name: str | None, version: str | None) -> str | None:
    """Return the only system that a mail program runs on, or `None`."""
    if name == "Outlook" and version is not None and version.startswith("20"):
        return "Windows"  # releases, such as 2016; Outlook for other systems sends numbers
    return _ONLY_SYSTEMS.get(name or "")
