"""Which domains are companies'."""

from importlib.resources import files

import pytest

from mailtrack._addresses import domain_of
from mailtrack.verdicts._companies import is_company

LINES = [
    line
    for line in (files("mailtrack.verdicts") / "free_mail.txt").read_text(encoding="ascii").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("domain", ["example.org", "acme.co.uk", "mail.example.com", "gmail.example.com", "localhost"])
def test_a_domain_of_its_own_is_a_companys(domain):
    assert is_company(domain)


@pytest.mark.parametrize(
    "domain",
    ["gmail.com", "yahoo.co.jp", "hotmail.fr", "outlook.com", "gmx.de", "icloud.com", "t-online.de", "qq.com"],
)
def test_a_mail_providers_is_none(domain):
    assert not is_company(domain)


def test_the_list_has_each_domain_once_in_the_form_of_recipients():
    assert len(LINES) == len(set(LINES)) > 250
    plain = [line for line in LINES if not line.endswith(".*")]
    assert [domain_of(f"ann@{line}") for line in plain] == plain
