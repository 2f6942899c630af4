"""The tracker's latency while slow clients attack the reference server, against the same server without them.

60 clients send an incomplete head and wait; 30 send a body, one byte every half second. Rejected clients reconnect at
once.
"""

import errno
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from statistics import median, quantiles

from common import arguments, new_folder, print_table
from mail_traffic import SAME_USER_AGENT
from opens import our_server, run

HEADS, BODIES = 60, 30
READERS = 4
TARGET = 1.0  # seconds, of the 99th percentile
HALF_A_HEAD = b"POST /api/v1/pixels HTTP/1.1\r\nHost: localhost\r\n"
HALF_A_BODY = HALF_A_HEAD + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"


class Besieger:
    """A client that sends the beginning of a request, then single bytes or nothing."""

    def __init__(self, port: int, beginning: bytes, more: bytes) -> None:
        self._port, self._beginning, self._more = port, beginning, more
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.sendall(self._beginning)
        self._socket.setblocking(False)

    def go_on(self) -> None:
        try:
            if self._more:
                self._socket.send(self._more)
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.ECONNRESET, errno.EPIPE):
                raise
        self.close()
        self._connect()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def besieged(port: int) -> Iterator[None]:
    besiegers = [Besieger(port, HALF_A_HEAD, b"") for _ in range(HEADS)]
    besiegers += [Besieger(port, HALF_A_BODY, b" ") for _ in range(BODIES)]
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.5):
            for one in besiegers:
                one.go_on()

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        try:
            yield
        finally:
            over.set()
            with suppress(ConnectionError):
                going.result()
            for one in besiegers:
                one.close()


def read(port: int, paths: list[str], until: float) -> list[float]:
    """Open mails one after another, each over its own connection, and return the time of each image."""
    found = []
    while (start := time.monotonic()) < until:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", paths[len(found) % len(paths)], headers={"User-Agent": SAME_USER_AGENT})
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise SystemExit(f"The tracker answered with {answer.status}.")
        found.append(time.monotonic() - start)
        time.sleep(0.005)  # the load of a small server, not its maximum
    return found


def measure(port: int, paths: list[str], seconds: float) -> list[float]:
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(READERS) as pool:
        return [one for found in pool.map(lambda _: read(port, paths, until), range(READERS)) for one in found]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, help="how long a round lasts")
    parser.set_defaults(durability="everysec")
    options = parser.parse_args()
    seconds = options.seconds or (2.0 if options.quick else 8.0)
    found: dict[str, list[list[float]]] = {"in peace": [], "besieged": []}
    with new_folder() as folder, run(our_server(folder, options, 1), folder) as running:
        port, paths = running.server.port, running.server.paths
        measure(port, paths, 1.0)
        for _ in range(1 if options.quick else 3):
            found["in peace"].append(measure(port, paths, seconds))
            with besieged(port):
                found["besieged"].append(measure(port, paths, seconds))
    rows = []
    for name, rounds in found.items():
        p50, p99 = (median(quantiles(times, n=100)[place] for times in rounds) for place in (49, 98))
        worst = max(max(times) for times in rounds)
        number = sum(map(len, rounds))
        rows.append((name, f"{number:,}", f"{p50 * 1e3:.1f}", f"{p99 * 1e3:.1f}", f"{worst * 1e3:.1f}"))
    title = (
        f"The tracker, with {HEADS} half heads and {BODIES} slow bodies; asked for: p99 at most {TARGET * 1e3:,.0f} ms"
    )
    print_table(title, ("server", "opens", "p50 ms", "p99 ms", "worst ms"), rows)


if __name__ == "__main__":
    main()
