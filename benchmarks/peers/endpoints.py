"""Endpoints of webhooks on 127.0.0.1, for `webhooks.py`: one that lives, and some that fail in different ways.

Prints a line of JSON with the URL of each by its name. A line on standard input asks for the figures of the live one
since the last time: a line of JSON with the milliseconds from each event's open to its arrival. Ends with standard
input.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

ARRIVED: dict[str, float] = {}
"""Milliseconds from the open to the first arrival of its event, by the id of the event."""

Answer = Callable[[asyncio.StreamWriter, bytes], Awaitable[bool]]
"""Answers a request with a body, and returns whether the connection stays open."""


async def live(writer: asyncio.StreamWriter, body: bytes) -> bool:
    event = json.loads(body)
    opened_at = datetime.fromisoformat(event["timestamp"]).timestamp()
    ARRIVED.setdefault(event["id"], (time.time() - opened_at) * 1e3)
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    return True


async def error(writer: asyncio.StreamWriter, _body: bytes) -> bool:
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    return True


async def hang(_writer: asyncio.StreamWriter, _body: bytes) -> bool:
    await asyncio.sleep(3600)
    return False


async def drip(writer: asyncio.StreamWriter, _body: bytes) -> bool:
    for one in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"." * 3600:
        writer.write(bytes([one]))
        await writer.drain()
        await asyncio.sleep(0.2)
    return False


ENDPOINTS: dict[str, Answer] = {"live": live, "hangs": hang, "answers 500": error, "drips": drip}


async def serve(answer: Answer) -> str:
    """Start an endpoint, and return its URL."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stays = True
            while stays:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
                stays = await answer(writer, await reader.readexactly(length))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the sender has closed the connection, or all ends
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=256)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def main() -> None:
    print(json.dumps({name: await serve(answer) for name, answer in ENDPOINTS.items()}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(sorted(ARRIVED.values())), flush=True)
        ARRIVED.clear()


os.nice(10)
asyncio.run(main())
