"""Shared by the benchmarks: interleaved rounds, requests to the application, a table of figures."""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from mailtrack import Tracker, open_storage
from mailtrack_wsgi import create_app

BASE_URL = "https://mail.example.com"


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size and few rounds, to see that it works")
    return parser


def interleave(measures: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure all candidates in turn, round by round, so that a disturbance affects all of them.

    The first round is a warm-up and is discarded.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if number:
                found[name].append(value)
    return found


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def ratio_rows(found: dict[str, list[float]], ours: str) -> list[tuple[str, str, str]]:
    """Return one row for each candidate: its median in milliseconds, and ours as a multiple of it.

    The multiple is the median of the rounds' multiples, with its quartiles.
    """
    rows = []
    for name, values in found.items():
        multiples = [our / other for our, other in zip(found[ours], values, strict=True)]
        low, middle, high = quantiles(multiples, n=4, method="inclusive")
        rows.append(
            (name, f"{median(values) * 1000:,.2f}", "" if name == ours else f"{middle:.2f} ({low:.2f} to {high:.2f})")
        )
    return rows


def print_table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(title)
    for row in (header, tuple("-" * width for width in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


@contextmanager
def new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mailtrack-bench-") as folder:
        yield Path(folder)


def open_tracker(path: Path) -> Tracker:
    """Create a tracker on a file. Its storage stays open until the process ends."""
    return Tracker(open_storage(f"sqlite:///{path}"), base_url=BASE_URL)


class Client:
    """Sends requests straight into the WSGI application; no socket, no server."""

    def __init__(self, tracker: Tracker) -> None:
        self._app = create_app(tracker)

    def stream(self, method: str, target: str, body: bytes = b"", expect: str = "200") -> Iterator[bytes]:
        """Yield the pieces of a response as the application returns them."""
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "mail.example.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        statuses: list[str] = []
        pieces = self._app(environ, lambda status, *_: statuses.append(status))
        try:
            if not statuses[0].startswith(expect):
                raise RuntimeError(f"{method} {target}: {statuses[0]}")
            yield from pieces
        finally:
            if close := getattr(pieces, "close", None):
                close()

    def request(self, method: str, target: str, body: bytes = b"", expect: str = "200") -> bytes:
        return b"".join(self.stream(method, target, body, expect))
