"""A receiver of alarms that misbehaves, in a process of its own: it answers 200, 500, nothing, or cuts the line.

It honours the idempotency key as a careful receiver does: what it has taken under a key is answered 200 again and not
taken again. It takes an alarm before it answers, so "nothing" and "cut" may come after the alarm was taken.
`python -m perishield.evaluation.faults.alarm_receiver PORT FILE SEED` writes what it takes to FILE, a line each.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any, TextIO

_HANG_S = 60.0
_WEIGHTS = {"200": 6, "500": 1, "cut_before": 1, "cut_after": 1, "hang_before": 0.5, "hang_after": 0.5}
_HEAD = 64 << 10


class Receiver:
    """Takes requests; `calm` afterwards answers everything well."""

    def __init__(self, told: TextIO, seed: int) -> None:
        self._told = told
        self._random = random.Random(seed)
        self._seen: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        mood = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if mood == "500":
            writer.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return True
        if mood == "cut_before":
            writer.transport.abort()
            return False
        if mood == "hang_before":
            await asyncio.sleep(_HANG_S)
            return False
        self._take(headers.get("idempotency-key", ""), json.loads(body), mood)
        if mood == "cut_after":
            writer.transport.abort()
            return False
        if mood == "hang_after":
            await asyncio.sleep(_HANG_S)
            return False
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        return True

    def _take(self, key: str, body: dict[str, Any], mood: str) -> None:
        data = body["data"]
        line = {
            "key": key,
            "again": key in self._seen,
            "type": body["type"],
            "alarm": data["id"],
            "camera": data["camera"]["id"],
            "sequence": data["sequence"],
            "mood": mood,
        }
        self._seen.add(key)
        self._told.write(json.dumps(line) + "\n")
        self._told.flush()


async def main(port: int, file: Path, seed: int) -> None:
    with file.open("a") as told:
        receiver = Receiver(told, seed)
        server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, limit=_HEAD)
        print("READY", flush=True)  # noqa: T201
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
