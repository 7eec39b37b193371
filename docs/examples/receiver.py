"""The receiving side of a third party's platform, in the standard library: `python receiver.py PORT SECRET FILE.db`.

It checks the signature over the raw body, takes each `Idempotency-Key` once, remembers that on disk before it says so,
and answers `{"result": {"code": 0}}`. A clip's address arrives later, in a message of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS alarms (id TEXT PRIMARY KEY, device TEXT, sequence INTEGER, time_ms INTEGER, level INTEGER,
    clip TEXT NOT NULL DEFAULT '');
"""


class Handler(BaseHTTPRequestHandler):
    secret = b""
    store: sqlite3.Connection
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        wanted = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, self.headers.get("x-signature", "")):
            self.answer(401, 1, "wrong signature")
            return
        said = self.take(self.headers.get("idempotency-key", ""), json.loads(body))
        self.answer(200, 0, said)

    def take(self, key: str, message: dict) -> str:
        """Once for each key, in one transaction with what it changes."""
        with self.store:
            if not self.store.execute("INSERT OR IGNORE INTO taken VALUES (?)", (key,)).rowcount:
                return "known"
            if self.path == "/api/clips":
                self.store.execute(
                    "UPDATE alarms SET clip = ? WHERE id = ?", (message["playbackUrl"], message["eventId"])
                )
                return "clip"
            self.store.execute(
                "INSERT OR IGNORE INTO alarms (id, device, sequence, time_ms, level) VALUES (?, ?, ?, ?, ?)",
                (message["eventId"], message["device"], message["seq"], message["time"], message["level"]),
            )
            return "alarm"

    def answer(self, status: int, code: int, said: str) -> None:
        body = json.dumps({"result": {"code": code, "message": said}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    Handler.secret = sys.argv[2].encode()
    Handler.store = sqlite3.connect(sys.argv[3])
    Handler.store.executescript(SCHEMA)
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
