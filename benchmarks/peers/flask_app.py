"""Flask + sqlite3: a connection for each thread, a commit for each open."""

import os
import sqlite3
import threading
import time
from base64 import b64decode
from pathlib import Path

from flask import Flask, Response, request

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

app = Flask(__name__)
local = threading.local()


def connect():
    connection = sqlite3.connect(os.environ["PEER_DATABASE"], timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {os.environ['PEER_SYNCHRONOUS']}")
    return connection


@app.get("/open/<token>.gif")
def record(token):
    if not hasattr(local, "connection"):
        local.connection = connect()
    with local.connection:
        local.connection.execute(
            "INSERT INTO opens (token, opened_at, ip, user_agent, referer) VALUES (?, ?, ?, ?, ?)",
            (token, int(time.time() * 1000), request.remote_addr, request.user_agent.string, request.referrer),
        )
    return Response(PIXEL, mimetype="image/gif", headers={"Cache-Control": "no-store"})


connect().executescript(Path(__file__).with_name("schema.sql").read_text())
