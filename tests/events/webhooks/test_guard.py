"""Which URLs and addresses webhooks may lead to, and that a name leads to no other at the time of the request."""

import runpy
import socket
import threading
from contextlib import closing, contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailtrack import InvalidInput, InvalidWebhook, Tracker
from mailtrack._events.webhooks.client import Client
from mailtrack._events.webhooks.guard import check_url, is_allowed, to_networks

raw = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("raw.py"))))

NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "255.255.255.255"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255"),
    *("192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "100::1", "5f00::1", "4000::1"),
    *("2001:db8::1", "3fff::1", "2001::1", "2001:10::1", "2001:20::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "::10.0.0.1", "::7f00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1:a00:1::808:808", "64:ff9b:1::8.8.8.8", "2001:0:a00:1::f5ff:fffe"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"),
    *("198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::1"),
]


class TestAddresses:
    @pytest.mark.parametrize("text", NOT_PUBLIC)
    def test_what_is_not_public_is_refused(self, text):
        assert not is_allowed(ip_address(text), ())

    @pytest.mark.parametrize("text", PUBLIC)
    def test_what_is_public_is_not(self, text):
        assert is_allowed(ip_address(text), ())

    def test_no_address_that_python_holds_for_private_is_public(self):
        edges = {0, 2**32 - 1}
        for octet in range(256):
            for second in (0, 1, 15, 16, 31, 32, 63, 64, 127, 128, 168, 254, 255):
                edges |= {(octet << 24) + (second << 16), (octet << 24) + (second << 16) + 0xFFFF}
        for number in edges:
            address = ip_address(number)
            if is_allowed(address, ()):
                assert address.is_global
                assert not any((address.is_multicast, address.is_reserved, address.is_loopback, address.is_link_local))

    def test_networks_may_be_allowed(self):
        allow = to_networks(["10.1.0.0/16", "fd00::/8"])
        assert is_allowed(ip_address("10.1.2.3"), allow)
        assert is_allowed(ip_address("fd00::1"), allow)
        assert not is_allowed(ip_address("10.2.0.1"), allow)
        assert not is_allowed(ip_address("127.0.0.1"), allow)


class TestUrls:
    @pytest.mark.parametrize("text", NOT_PUBLIC)
    def test_a_literal_address_that_is_not_public_is_refused(self, text):
        host = f"[{text}]" if ":" in text else text
        for url in (f"http://{host}/", f"https://{host}:8443/in?a=b"):
            with pytest.raises(InvalidInput, match="not public"):
                check_url(url, ())

    @pytest.mark.parametrize(
        "host",
        [
            *("2130706433", "017700000001", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0", "0x0"),
            *("127.0.0.1.", "0x7F.0x0.0x0.0x1", "0Xa9fea9fe", "3232235777", "00000177.1", "10.1", "0xA.1"),
            *("１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1"),
        ],
    )
    def test_no_spelling_of_one_gets_through(self, host):
        with pytest.raises(InvalidInput):
            check_url(f"http://{host}/", ())

    @pytest.mark.parametrize(
        "url",
        [
            *("", "hooks.example.org", "//hooks.example.org/", "ftp://hooks.example.org/", "file:///etc/passwd"),
            *("gopher://hooks.example.org/", "javascript:alert(1)", "http:", "http://", "http:///in", "http://:80/"),
            *("http://user@hooks.example.org/", "http://user:pw@hooks.example.org/", "http://@hooks.example.org/"),
            *("http://a.example@127.0.0.1/", "http://hooks.example.org#@127.0.0.1/", "http://hooks.example.org/#a"),
            *("http://hooks.example.org:0/", "http://hooks.example.org:65536/", "http://hooks.example.org:-1/"),
            *("http://hooks.example.org:8o/", "http://hooks.example.org:80:80/", "http://hooks.example.org:/"),
            *("http://hooks.example.org/a b", "http://hooks.example.org/\r\nX: y", "http://hooks.exa\tmple.org/"),
            *("http://hooks.example.org\\@127.0.0.1/", "http:\\\\hooks.example.org/", "\x00http://hooks.example.org/"),
            *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://::1/", "http://[]/"),
            *(
                "http://[v1.a]/",
                "http://[hooks.example.org]/",
                "http://1.2.3.4.5/",
                "http://256.1.1.1/",
                "http://08.1/",
            ),
            *("http://hooks..example.org/", "http://-a.example.org/", "http://a_.-.org/", "http://.example.org/"),
            *(
                "http://" + "a" * 64 + ".org/",
                "http://" + "a." * 130 + "org/",
                "http://hooks.example.org/" + "a" * 2048,
            ),
            *("http://[2606:4700::1]a/", "http://a[2606:4700::1]/", "http://[2606:4700::1].example.org/"),
            *("http://[2606:4700::1]]/", "http://[2606:4700::1]a:80/", "http://a]/"),
            *("http://*.example.org/", "http://ho%6fks.example.org/", "http://\udc80.org/", "http://a%00.org/"),
        ],
    )
    def test_what_is_no_plain_url_is_refused(self, url):
        with pytest.raises(InvalidInput):
            check_url(url, ())

    @pytest.mark.parametrize("url", [None, b"http://hooks.example.org/", 1, ["http://hooks.example.org/"]])
    def test_what_is_no_text_is_refused(self, url):
        with pytest.raises(InvalidInput):
            check_url(url, ())

    @pytest.mark.parametrize(
        ("url", "kept"),
        [
            ("https://hooks.example.org", "https://hooks.example.org/"),
            ("HTTPS://Hooks.Example.org:8443/In?Key=1", "https://hooks.example.org:8443/In?Key=1"),
            ("http://1.1.1.1/", "http://1.1.1.1/"),
            ("http://[2606:4700:4700:0::1111]:80/", "http://[2606:4700:4700::1111]:80/"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ],
    )
    def test_others_are_kept_in_one_spelling(self, url, kept):
        assert check_url(url, ()) == check_url(kept, ()) == kept

    def test_an_allowed_address_is_no_problem(self):
        assert check_url("http://127.0.0.1:8000/", to_networks(["127.0.0.0/8"])) == "http://127.0.0.1:8000/"

    @pytest.mark.parametrize("name", ["straße", "STRAẞE", "βόλος", "a\u200db", "a\u200cb"])
    def test_a_name_that_browsers_read_in_another_way_has_to_be_given_in_ascii(self, name):
        with pytest.raises(InvalidWebhook, match="in ASCII"):
            check_url(f"https://{name}.example/", ())


PUBLIC_ONE, PRIVATE_ONE = "127.0.0.2", "127.0.0.1"
ALLOW = to_networks([f"{PUBLIC_ONE}/32"])  # which makes it as good as a public one


class NameServer:
    """A name server with a name that leads to other addresses each time, and a resolver that asks it."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def serve(self):
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            addresses = self.answers[min(self.asked, len(self.answers) - 1)]
            self.asked += 1
            head = query[:2] + b"\x81\x80\x00\x01" + len(addresses).to_bytes(2, "big") + bytes(4)
            # Each record: the name (a pointer), type A, class IN, no time to live, four bytes.
            records = [
                b"\xc0\x0c\x00\x01\x00\x01" + bytes(4) + b"\x00\x04" + socket.inet_aton(one) for one in addresses
            ]
            self._socket.sendto(head + query[12:] + b"".join(records), client)

    def resolve(self, host, _):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        query = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(20)
            asking.sendto(query, self._socket.getsockname())
            answer = asking.recv(512)
        records, size = answer[len(query) :], 16
        return [socket.inet_ntoa(records[at + 12 : at + 16]) for at in range(0, len(records), size)]

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve)
        thread.start()
        yield self
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", self._socket.getsockname())
        thread.join()
        self._socket.close()


class TestRebinding:
    @pytest.fixture
    def servers(self):
        """Returns two endpoints with one port, of which only the first may be reached."""
        behave = raw.answering(raw.OK)  # each connection serves one request
        with (
            raw.serving(behave, address=PUBLIC_ONE) as public,
            raw.serving(behave, address=PRIVATE_ONE, port=public.port) as private,
        ):
            yield public, private

    @staticmethod
    def post(server, names, times):
        client = Client(f"http://rebinding.example.org:{server.port}/", allow=ALLOW, resolve=names.resolve)
        with closing(client):
            return [client.post(b"{}", {}) for _ in range(times)]

    def test_the_address_that_was_checked_is_the_one_that_is_connected_to(self, servers):
        public, private = servers
        with NameServer([[PUBLIC_ONE], [PRIVATE_ONE]] * 5).running() as names:
            answers = self.post(public, names, 10)
            assert names.asked == 10  # once for each connection
        assert [one.status for one in answers] == [204, None] * 5
        assert {one.error for one in answers[1::2]} == {"rebinding.example.org is at 127.0.0.1, which is not public"}
        assert (public.connections, private.connections) == (5, 0)

    @pytest.mark.parametrize("addresses", [[PRIVATE_ONE, PUBLIC_ONE], [PUBLIC_ONE, PRIVATE_ONE]])
    def test_of_several_addresses_only_those_that_may_be_reached_are_tried(self, servers, addresses):
        public, private = servers
        with NameServer([addresses]).running() as names:
            assert [one.status for one in self.post(public, names, 3)] == [204] * 3
        assert (public.connections, private.connections) == (3, 0)

    def test_where_the_allowed_one_is_down_no_other_is_tried(self):
        with raw.serving(raw.always(), address=PRIVATE_ONE) as private:
            with NameServer([[PUBLIC_ONE, PRIVATE_ONE]]).running() as names:
                (answer,) = self.post(private, names, 1)
            assert (answer.status, private.connections) == (None, 0)

    def test_a_name_without_an_address_is_a_failure(self, servers):
        with NameServer([[]]).running() as names:
            (answer,) = self.post(servers[0], names, 1)
        assert answer.error == "the name has no address"

    def test_the_systems_resolver_is_guarded_as_well(self, memory, monkeypatch):
        found = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest, **more: found(host.replace("a.example", "::1"), *rest, **more)
        )
        tracker = Tracker(memory)
        webhook = tracker.webhooks.add("http://a.example/")
        assert tracker.webhooks.test(webhook).error == "a.example is at ::1, which is not public"
