"""A list comes whole, over HTTPS or from this machine, or not at all."""

import itertools
import socket

import pytest

from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.fetch import fetch

LIST = b"192.0.2.0/24\n"


def test_it_gets_a_list(site):
    site.send(LIST)
    assert fetch(site.url()) == (LIST, {})
    assert site.requests[0][1]["User-Agent"].startswith("mailtrack/")


def test_it_keeps_the_headers_for_the_next_request(site):
    site.send(LIST, ETag='"7"', Last_Modified="Thu, 26 Nov 2026 10:00:00 GMT")
    answer = fetch(site.url())
    assert answer.tags == {"If-None-Match": '"7"', "If-Modified-Since": "Thu, 26 Nov 2026 10:00:00 GMT"}


def test_an_unchanged_list_does_not_come_again(site):
    site.publish(LIST)
    tags = fetch(site.url()).tags
    assert fetch(site.url(), tags=tags) == (None, tags)


def test_304_without_a_question_is_an_error(site):
    site.send(status=304)
    with pytest.raises(UpdateFailed, match="304"):
        fetch(site.url())


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_of_the_server_is_reported_by_its_number(site, status):
    site.send(b"sorry", status=status)
    with pytest.raises(UpdateFailed, match=f"the server answered {status}"):
        fetch(site.url())


def test_a_server_that_does_not_answer_is_left(site):
    site.answers["/list"] = lambda _: site.closing.wait()
    with pytest.raises(UpdateFailed, match="in time"):
        fetch(site.url(), timeout=0.2)


def test_a_server_that_never_ends_its_answer_is_left(site):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        while not site.closing.wait(0.01):
            handler.wfile.write(b"#\n")

    site.answers["/list"] = drip
    with pytest.raises(UpdateFailed, match="in time"):
        fetch(site.url(), timeout=0.3)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX-More: "], ids=["status", "header"])
def test_a_server_whose_headers_come_byte_by_byte_is_left(site, begin):
    def drip(handler):
        handler.wfile.write(begin)
        for byte in itertools.cycle(b"HTTP/1.1 "):
            if site.closing.wait(0.01):
                return
            handler.wfile.write(bytes([byte]))

    site.answers["/list"] = drip
    with pytest.raises(UpdateFailed, match="in time"):
        fetch(site.url(), timeout=0.3)


def test_redirects_share_one_limit_of_time(site):
    def later(handler):
        site.closing.wait(0.2)
        site.send(status=302, path=handler.path, Location=f"{handler.path}x")
        site.answers[f"{handler.path}x"] = later
        site.answers[handler.path](handler)

    site.answers["/list"] = later
    with pytest.raises(UpdateFailed, match="in time"):
        fetch(site.url(), timeout=0.5)
    assert len(site.requests) <= 3


def test_an_endless_list_is_cut_at_the_limit(site):
    def flood(handler):
        handler.send_response(200)
        handler.end_headers()
        while not site.closing.is_set():
            handler.wfile.write(b"#" * 65_536)

    site.answers["/list"] = flood
    with pytest.raises(UpdateFailed, match="larger than 1,000,000 bytes"):
        fetch(site.url(), max_bytes=1_000_000)


def test_a_list_may_have_exactly_the_limit(site):
    site.send(LIST)
    assert fetch(site.url(), max_bytes=len(LIST)).data == LIST
    with pytest.raises(UpdateFailed, match="larger"):
        fetch(site.url(), max_bytes=len(LIST) - 1)


def test_half_a_list_is_refused(site):
    site.send(LIST, length=100)
    with pytest.raises(UpdateFailed, match="87 are missing"):
        fetch(site.url())


def test_a_chunk_that_is_cut_is_refused(site):
    def cut(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"64\r\n192.0.2.0/24\n")
        handler.close_connection = True

    site.answers["/list"] = cut
    with pytest.raises(UpdateFailed, match="can't be fetched"):
        fetch(site.url())


def test_a_closed_port_is_an_error():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        with pytest.raises(UpdateFailed, match="refused"):
            fetch(f"http://127.0.0.1:{found.getsockname()[1]}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/list",
        "http://127.0.0.1.example.com/list",
        "http://127.0.0.1@example.com/list",
        "ftp://127.0.0.1/list",
        "file:///etc/hosts",
    ],
)
def test_only_https_is_asked_beside_this_machine(url):
    with pytest.raises(UpdateFailed, match="only https://"):
        fetch(url)


def test_a_redirect_on_this_machine_is_followed(site):
    site.send(status=302, Location="/there")
    site.send(LIST, path="/there")
    assert fetch(site.url()).data == LIST


@pytest.mark.parametrize("target", ["http://192.0.2.1/list", "ftp://127.0.0.1/list", "http://example.com/"])
def test_a_redirect_to_http_elsewhere_is_refused(site, target):
    site.send(status=302, Location=target)
    with pytest.raises(UpdateFailed):
        fetch(site.url())


def test_a_proxy_is_not_asked_for_this_machine(site, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    site.send(LIST)
    assert fetch(site.url()).data == LIST


class TestOverTLS:
    @pytest.fixture
    def trusted(self, authority, tmp_path, monkeypatch):
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    @pytest.mark.usefixtures("trusted")
    def test_a_list_comes_from_a_server_with_a_good_certificate(self, site, secure):
        site.send(LIST)
        assert fetch(secure).data == LIST

    def test_a_server_with_another_certificate_is_refused(self, site, secure):
        site.send(LIST)
        with pytest.raises(UpdateFailed, match="certificate"):
            fetch(secure)
        assert not site.requests

    @pytest.mark.usefixtures("trusted")
    def test_a_redirect_to_http_is_refused_even_on_this_machine(self, site, secure):
        site.send(LIST, path="/there")
        site.send(status=302, Location=site.url("/there"))
        with pytest.raises(UpdateFailed, match="redirects to a URL without https"):
            fetch(secure)

    @pytest.mark.usefixtures("trusted")
    def test_a_redirect_to_https_is_followed(self, site, secure):
        site.send(LIST, path="/there")
        site.send(status=302, Location=secure.replace("/list", "/there"))
        assert fetch(site.url()).data == LIST
