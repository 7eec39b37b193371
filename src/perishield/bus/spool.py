"""A durable queue between processes of one host: written before it is told, kept until it is acknowledged.

SQLite in WAL mode; the writer and the reader may be killed at any point without losing or doubling an entry's id.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from perishield.model.errors import BusError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    payload BLOB NOT NULL
)
"""


class Spool:
    """Entries in the order in which they were put. Thread-safe; calls block, so keep them off the event loop."""

    def __init__(self, path: Path) -> None:
        """Open or create the queue. Raises BusError (`bus_unavailable`)."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise BusError(f"spool {path.name}: {error}; check that the data folder is writable") from error

    def put(self, entry: str, payload: bytes) -> None:
        """Keep an entry; one that is there already stays as it is. On return it is on disk."""
        self._run("INSERT OR IGNORE INTO queue (id, payload) VALUES (?, ?)", [(entry, payload)])

    def take(self, limit: int = 100) -> list[tuple[str, bytes]]:
        """The oldest entries, still kept until `ack`."""
        with self._lock:
            try:
                rows = self._db.execute("SELECT id, payload FROM queue ORDER BY number LIMIT ?", (limit,)).fetchall()
            except sqlite3.Error as error:
                raise BusError(f"spool {self.path.name}: {error}") from error
        return [(str(entry), bytes(payload)) for entry, payload in rows]

    def ack(self, entries: Iterable[str]) -> None:
        """Let go of entries that are stored elsewhere."""
        self._run("DELETE FROM queue WHERE id = ?", [(entry,) for entry in entries])

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM queue").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _run(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._db.executemany(statement, rows)
                except sqlite3.Error:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise BusError(f"spool {self.path.name}: {error}; free some disk space and it goes on") from error
