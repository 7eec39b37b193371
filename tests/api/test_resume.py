"""The client of docs/guides/api.md, as printed there, on a link that breaks, at a real server."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from perishield.bus import topics
from perishield.bus.codec import encode as encode_event
from perishield.bus.spool import Spool
from perishield.bus.topics import EventQueued
from perishield.model.alarms import Event

MakeEvent = Callable[..., Event]
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "api.md"


def printed_client() -> str:
    text = GUIDE.read_text()
    begin = text.index("    import asyncio, json, sys")
    end = text.index("    asyncio.run(main(*sys.argv[1:]))")
    return textwrap.dedent(text[begin : text.index("\n", end)])


class Link:
    """A relay to the server that can be cut, and mended again at the same address."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.whole = True
        self.taken = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        self.taken += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        with contextlib.suppress(OSError):
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    def cut(self) -> None:
        self.whole = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def client(node: Any, script: Path, url: str) -> AsyncIterator[list[str]]:
    """The lines that the printed client has said so far."""
    script.write_text(printed_client())
    process = await asyncio.create_subprocess_exec(sys.executable, script, url, node.token, stdout=-1)
    said: list[str] = []

    async def listen() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said.append(line.decode().strip())

    listening = asyncio.create_task(listen())
    try:
        yield said
    finally:
        process.kill()
        await process.wait()
        await listening


async def raise_alarm(node: Any, make_event: MakeEvent, name: str) -> None:
    """All the way from the spool, as vision would."""
    spool = Spool(node.folder / "spool" / "events.db")
    spool.put(name, encode_event(make_event(name)))
    spool.close()
    node.peer.publish(topics.EVENTS, "gate", EventQueued(name))

    async def stored() -> bool:
        return bool((await node.client.get(f"/api/alarms/{name}")).status_code == 200)

    await node.until(stored)


async def test_alarms_raised_while_the_link_is_cut_are_heard_once_and_in_order(
    served: Any, make_event: MakeEvent, tmp_path: Path
) -> None:
    await served.add_camera(name="Gate")
    link = Link(int(served.url.rpartition(":")[2]))
    relay = await asyncio.start_server(link.carry, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
    async with relay, client(served, tmp_path / "client.py", url) as said:
        await served.until(lambda: len(said) == 1)
        await raise_alarm(served, make_event, "e1")
        await served.until(lambda: "e1 Line" in said)
        link.cut()
        await served.until(lambda: served.services.slots.members == 0)
        for name in ("e2", "e3"):
            await raise_alarm(served, make_event, name)
        link.whole = True
        await served.until(lambda: "e3 Line" in said, 40)
        await raise_alarm(served, make_event, "e4")
        await served.until(lambda: "e4 Line" in said)
        assert said == ["read /api/alarms now", "e1 Line", "e2 Line", "e3 Line", "e4 Line"]
        assert link.taken == 2
