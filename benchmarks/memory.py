"""The memory growth of the reference server's worker: 16 uploads at once, a CSV of 1,000,000 recipients, each page."""

import http.client
import io
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import PIL.Image
import psutil
from common import arguments, new_folder, open_tracker, print_table
from csv_export import fill as fill_recipients
from log_pages import fill as fill_opens
from opens import Server, free_port, run

from mailtrack import open_storage
from mailtrack._images.check import MAX_BYTES

CLIENTS = 16
MIB = 2**20
BOUNDARY = b"----0123456789"
HEAD = b'--%b\r\nContent-Disposition: form-data; name="name"\r\n\r\nBench\r\n--%b\r\n' % (BOUNDARY, BOUNDARY)
HEAD += b'Content-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
TAIL = b"\r\n--%b--\r\n" % BOUNDARY


def gradients(mode: str, width: int, height: int) -> PIL.Image.Image:
    size = width, height
    bands = [PIL.Image.linear_gradient("L").resize(size), PIL.Image.radial_gradient("L").resize(size)] * 2
    return PIL.Image.merge(mode, bands[: len(mode)])


def encode(image: PIL.Image.Image, format_: str, **options: object) -> bytes:
    """Write an image to a file of the maximum size."""
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue().ljust(MAX_BYTES, b"\0")


def pictures() -> list[bytes]:
    """Return the most expensive accepted images of each format."""
    held, large = (4_080, 3_060), (10_000, 5_000)  # up to the limits, 12.5 and 50 megapixels
    noisy, grey = gradients("RGBA", *held), PIL.Image.new("L", large)
    noise = random.Random(1).randbytes(held[0] * held[1] // 4)  # transparency that can't be compressed
    lasting = random.Random(2).randbytes(2_250 * 2_250)  # no part of it can be removed, so all of it is stored
    noisy.putalpha(PIL.Image.frombytes("L", held, noise.ljust(held[0] * held[1], b"\7")))
    return [
        encode(gradients("RGB", *held), "JPEG", progressive=True, subsampling=0),
        encode(gradients("RGB", *held), "WEBP", lossless=True, quality=0, method=0),
        encode(noisy, "WEBP", quality=5, method=0),
        encode(gradients("RGB", *large), "WEBP", quality=5, method=0),
        encode(grey, "GIF"),
        encode(gradients("RGBA", *large), "PNG", compress_level=1),
        encode(gradients("RGB", 8_064, 6_048), "JPEG"),
        encode(PIL.Image.frombytes("L", (2_250, 2_250), lasting), "PNG"),
    ]


class Worker:
    """The one worker of a server."""

    def __init__(self, server: psutil.Process, port: int) -> None:
        self._port = port
        worker = max(server.children(), key=lambda child: child.memory_info().rss)
        self._folder = Path(f"/proc/{worker.pid}")

    def growth(self, work: Callable[[], object]) -> int:
        """Return its peak memory growth during an action."""
        (self._folder / "clear_refs").write_text("5")  # reset the peak
        before = self._memory("VmRSS")
        work()
        return self._memory("VmHWM") - before

    def _memory(self, field: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

    def ask(self, method: str, path: str, body: bytes | None = None) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            try:
                connection.request(
                    method, path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
                )
            except OSError:  # the server rejects it before all of it is sent
                return 503
            with connection.getresponse() as answer:
                while answer.read(65_536):
                    pass
                return answer.status

    def get(self, path: str) -> None:
        if self.ask("GET", path) != 200:
            raise SystemExit(f"{path} was not answered.")

    def upload(self, picture: bytes) -> None:
        for _ in range(2000):
            status = self.ask("POST", "/api/v1/pixels", HEAD + picture + TAIL)
            if status == 201:
                return
            if status != 503:
                raise SystemExit(f"An upload was answered with {status}.")
            time.sleep(0.05)
        raise SystemExit("An upload was never taken.")

    def upload_at_once(self, pictures: list[bytes]) -> None:
        start = threading.Barrier(CLIENTS)

        def upload(number: int) -> None:
            start.wait()
            self.upload(pictures[number % len(pictures)])

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(upload, range(CLIENTS)))


def main() -> None:
    options = arguments(__doc__).parse_args()
    recipients, opens = (100_000, 10_000) if options.quick else (1_000_000, 100_000)
    with new_folder() as folder:
        file = folder / "mailtrack.db"
        large = fill_recipients(file, recipients)
        with open_storage(f"sqlite:///{file}") as storage:
            opened = fill_opens(open_tracker(file), storage, opens).id
        port = free_port()
        command = [str(Path(sys.executable).with_name("mailtrack")), "serve", "--port", str(port)]
        with run(Server("mailtrack", port, command, ["/healthz"], file), folder) as running:
            worker = Worker(running.process, port)
            paths = ["/", f"/logs/{opened}", f"/pixels/{large}/recipients", f"/pixels/{large}/deletion", "/docs"]
            for path in paths:  # load the templates first
                worker.get(path)
            pages = max(worker.growth(lambda path=path: worker.get(path)) for path in paths)
            csv = worker.growth(lambda: worker.get(f"/api/v1/pixels/{large}/generate-tokens/csv"))
            for format_ in ("PNG", "JPEG", "GIF", "WEBP"):  # load Pillow's decoders
                worker.upload(encode(gradients("RGB", 8, 8), format_))
            costly = pictures()
            uploads = max(
                worker.growth(lambda: worker.upload_at_once(costly)) for _ in range(1 if options.quick else 3)
            )
    rows = [
        (f"{CLIENTS} uploads at once", f"{uploads / MIB:.1f} MiB", "≤ 96 MiB"),
        (f"CSV of {recipients:,} recipients", f"{csv / MIB:.1f} MiB", "≤ 32 MiB"),
        ("the page that costs most", f"{pages / MIB:.1f} MiB", "≤ 1 MiB"),
    ]
    print_table("Growth of a worker's memory (RSS)", ("what", "greatest", "target"), rows)


if __name__ == "__main__":
    main()
