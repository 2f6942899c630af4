"""The ranks of column headings."""

# ruff: noqa: E501  # a language is a line

import pytest

from mailtrack._imports.headings import Rank, mentions_email, normalize, rank


@pytest.mark.parametrize(
    "heading",
    [
        "Email", "E-Mail", "EMAIL_ADDRESS", "Email:", " e-mail ", "E-Mail-Adresse", "Adresse e-mail", "Correo electr\u00f3nico",
        "Indirizzo e-mail", "E-mailadres", "Endere\u00e7o de e-mail", "E-postadress", "Adres e-mail",
        "\u042d\u043b\u0435\u043a\u0442\u0440\u043e\u043d\u043d\u0430\u044f \u043f\u043e\u0447\u0442\u0430", "\u30e1\u30fc\u30eb\u30a2\u30c9\u30ec\u30b9", "\u90ae\u7bb1", "\uc774\uba54\uc77c", "\u0627\u0644\u0628\u0631\u064a\u062f \u0627\u0644\u0625\u0644\u0643\u062a\u0631\u0648\u0646\u064a",
        "\uff25\uff4d\uff41\uff49\uff4c", "Adresse de messagerie", "S\u00e4hk\u00f6posti",
    ],
)  # fmt: skip
def test_a_heading_in_a_common_language_is_exact(heading):
    assert rank(heading) == Rank.EXACT


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("Email", "Work email"),
        ("Work email", "Email status"),
        ("Email status", "Address"),
        ("Address", "City"),
        ("City", "Manager email"),
        ("E-mail 1 - Value", "E-mail 1 - Type"),
        ("E-mail 1 - Value", "E-mail 2 - Value"),
        ("Email Address [Required]", "Recovery Email"),
    ],
)
def test_one_heading_fits_better_than_another(better, worse):
    assert rank(better) > rank(worse)


@pytest.mark.parametrize("heading", ["Manager email", "Reply-To", "Contact Owner Email", "Email 2", "Billing e-mail"])
def test_the_addresses_of_others_are_known_as_such(heading):
    assert rank(heading) == Rank.OTHERS


def test_any_heading_with_the_word_mentions_email():
    assert [mentions_email(name) for name in ("Manager E-Mail", "Adresse de courriel", "Address")] == [
        True,
        True,
        False,
    ]


def test_case_accents_and_punctuation_do_not_count():
    assert normalize(" E_M\u00c1IL: (1) ") == "e mail 1"
