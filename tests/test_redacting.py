"""No password of a URL reaches an output or a log."""

import pytest

from mailtrack._redacting import redact, redact_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ann:s3cret@db/mail", "postgresql://ann:***@db/mail"),
        ("POSTGRESQL://ann:s3cret@db/mail", "POSTGRESQL://ann:***@db/mail"),
        ("postgresql://ann@db:5432/mail", "postgresql://ann@db:5432/mail"),
        ("postgresql://db:5432/mail", "postgresql://db:5432/mail"),
        ("postgresql://a:s3/c?r@et@db/mail?sslmode=require", "postgresql://a:***@db/mail?sslmode=require"),
        ("postgresql://a:s3cr?et@db/mail", "postgresql://a:***@db/mail"),
        ("postgresql://db/m?user=ann&password=s3cret#x", "postgresql://db/m?user=ann&password=***#x"),
        ("postgresql://db/m?sslpassword=s3cret&a=b", "postgresql://db/m?sslpassword=***&a=b"),
        ("redis://:s3cret@db:6379/0", "redis://:***@db:6379/0"),
        ("redis+unix://:s3cret@/run/redis?db=1", "redis+unix://:***@/run/redis?db=1"),
        ("https://s3cret@example.org/hook", "https://***@example.org/hook"),
        ("https://ann:s3cret@example.org/hook?token=s3cret", "https://***@example.org/hook?token=***"),
        ("sqlite:////srv/a:b@c.db", "sqlite:////srv/a:b@c.db"),
        ("memory://", "memory://"),
        ("no URL at all: a@b", "no URL at all: a@b"),
        (
            "can't reach 'postgresql://a:s3cret@b/c': see https://d/e.",
            "can't reach 'postgresql://a:***@b/c': see https://d/e.",
        ),
        ("redis://:s3cret@a redis://:s3cret@b", "redis://:***@a redis://:***@b"),
        ("", ""),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("password", ['s3"cret', "s3'cret", "s3<cret", "s3>cret", "s3 cret", "s3\tcret", "s3\ncret"])
def test_of_a_whole_url_every_password_is_hidden(password: str) -> None:
    assert redact_url(f"postgresql://ann:{password}@db/mail") == "postgresql://ann:***@db/mail"
    assert redact_url(f"postgresql://ann@db/mail?password={password}") == "postgresql://ann@db/mail?password=***"


@pytest.mark.parametrize("text", ["memory://", "sqlite:///a b.db", "no URL", ""])
def test_of_a_whole_url_nothing_else_is_hidden(text: str) -> None:
    assert redact_url(text) == text


def test_what_is_redacted_stays_as_it_is() -> None:
    once = redact("postgresql://ann:s3cret@db/mail?password=s3cret")
    assert redact(once) == once
