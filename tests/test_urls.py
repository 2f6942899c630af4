"""The URLs of pixels, and the base URLs that are refused."""

import pytest

from mailtrack import InvalidSetting, Urls
from mailtrack._urls import check_base_url
from mailtrack.testing import make_pixel, make_recipient

BASE = "https://mail.example.com/track"


class TestBaseUrl:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (BASE, BASE),
            (BASE + "/", BASE),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://localhost:8000/", "http://localhost:8000"),
            ("http://[::1]:8000/a/b", "http://[::1]:8000/a/b"),
            ("HTTPS://mail.example.com", "HTTPS://mail.example.com"),
        ],
    )
    def test_an_absolute_url_is_taken_without_its_last_slash(self, given: str, expected: str) -> None:
        assert check_base_url(given) == expected

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "mail.example.com",
            "//mail.example.com",
            "/track",
            "ftp://mail.example.com",
            "javascript://mail.example.com",
            "https://",
            "https:///track",
            "https://mail.example.com:port",
            "https://mail.example.com:99999",
            "https://[::1",
            "https://ann@mail.example.com",
            "https://mail.example.com?a=b",
            "https://mail.example.com/#a",
            "https://mail.example.com/a b",
            " https://mail.example.com",
            "https://mail.example.com\n",
            "https://mail.example.com/\x00",
            "https://mail.example.com/\x01",
            "https://mail.example.com/\x7f",
            'https://mail.example.com/"onload="',
            "https://mail.example.com/'",
            "https://mail.example.com/<b>",
            "https://mail.example.com\\a",
            "https://bücher.example",
        ],
    )
    def test_anything_else_is_refused(self, given: str) -> None:
        with pytest.raises(InvalidSetting) as caught:
            check_base_url(given)
        assert caught.value.name == "base_url"

    def test_the_error_does_not_repeat_it(self) -> None:
        with pytest.raises(InvalidSetting) as caught:
            check_base_url("ftp://zebra.example")
        assert "zebra" not in str(caught.value)


class TestUrls:
    def test_the_bare_pixel_is_named_by_its_short_id(self) -> None:
        pixel = make_pixel()
        assert Urls(BASE).tracking(pixel) == f"{BASE}/tracker/{pixel.id[:8]}.png"

    def test_a_recipient_is_named_by_its_token(self) -> None:
        pixel = make_pixel()
        recipient = make_recipient(pixel)
        expected = f"{BASE}/tracker/{pixel.id[:8]}.png?token={recipient.token}"
        assert Urls(BASE).tracking(pixel, recipient) == expected

    def test_the_logs_are_named_by_the_short_id(self) -> None:
        pixel = make_pixel()
        assert Urls(BASE).logs(pixel) == f"{BASE}/logs/{pixel.id[:8]}"

    def test_a_base_is_checked(self) -> None:
        with pytest.raises(InvalidSetting):
            Urls("mail.example.com")
