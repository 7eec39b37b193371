"""The local bus: delivery, keys, losses, restarts of a peer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, strategies

from perishield.bus import LocalBus, Subscription, topics
from perishield.bus.codec import decode, encode
from perishield.bus.local import socket_folder
from perishield.model.errors import BusError
from perishield.model.media import ChunkRef, Codec, StreamCondition, StreamState


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[LocalBus, LocalBus]]:
    ingest, server = await LocalBus.open(tmp_path, "ingest"), await LocalBus.open(tmp_path, "server")
    yield ingest, server
    await ingest.close()
    await server.close()


async def first(bus: LocalBus, sub: Subscription[topics.SiteChanged], key: str = "") -> tuple[str, topics.SiteChanged]:
    """Publish until a message comes through: a new connection takes a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        bus.publish(topics.SITE, key, topics.SiteChanged(1))
        try:
            return await asyncio.wait_for(sub.get(), 0.05)
        except TimeoutError:
            continue
    raise AssertionError("nothing arrived")


async def test_a_message_reaches_a_peer_typed_and_with_its_key(pair: tuple[LocalBus, LocalBus]) -> None:
    ingest, server = pair
    async with server.subscribe(topics.SITE) as sub:
        key, message = await first(ingest, sub, "gate")
    assert (key, message) == ("gate", topics.SiteChanged(1))


async def test_a_key_gets_only_its_own_messages(pair: tuple[LocalBus, LocalBus]) -> None:
    ingest, server = pair
    async with server.subscribe(topics.WATCH, "gate") as sub, server.subscribe(topics.SITE) as ready:
        await first(ingest, ready)
        for camera in ("gate-2", "gat", "gate"):
            ingest.publish(topics.WATCH, camera, topics.Watch(camera, 1.0))
        assert (await asyncio.wait_for(sub.get(), 5))[1].camera == "gate"


async def test_a_slow_listener_keeps_the_newest_and_counts_the_rest(pair: tuple[LocalBus, LocalBus]) -> None:
    ingest, server = pair
    # Subscriptions take effect in their order.
    async with server.subscribe(topics.EVENTS, size=4) as sub, server.subscribe(topics.SITE) as ready:
        await first(ingest, ready)
        for number in range(20):
            ingest.publish(topics.EVENTS, "gate", topics.EventQueued(str(number)))
        ingest.publish(topics.SITE, "last", topics.SiteChanged(9))
        while (await asyncio.wait_for(ready.get(), 5))[0] != "last":
            pass
        assert sub.dropped == 16
        assert (await sub.get())[1].id == "16"


async def test_a_peer_that_comes_back_is_heard_again(pair: tuple[LocalBus, LocalBus], tmp_path: Path) -> None:
    ingest, server = pair
    async with server.subscribe(topics.SITE) as sub:
        await first(ingest, sub)
        await ingest.close()
        again = await LocalBus.open(tmp_path, "ingest")
        try:
            await first(again, sub)
        finally:
            await again.close()


async def test_closing_the_bus_ends_its_listeners(tmp_path: Path) -> None:
    bus = await LocalBus.open(tmp_path, "node")
    sub = bus.subscribe(topics.SITE)
    waiting = asyncio.create_task(sub.get())
    await asyncio.sleep(0)
    await bus.close()
    with pytest.raises(BusError, match="closed"):
        await waiting
    bus.publish(topics.SITE, "", topics.SiteChanged(1))


async def test_a_long_folder_gets_a_short_private_one(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    folder = socket_folder(deep)
    assert len(str(folder)) < 107
    assert folder.stat().st_mode & 0o077 == 0
    bus = await LocalBus.open(deep, "node")
    await bus.close()


def test_a_chunk_reference_survives_the_wire() -> None:
    ref = ChunkRef(
        "c", 1, 2, "p", 3, 4, 5, 6, 7, 1.5, 2.5, True, False, Codec.H265, "hvc1", 8, 9, (1, 2), (3, 4), (), (0, 40)
    )
    assert decode(encode(ref), ChunkRef) == ref
    state = StreamState(camera="c", condition=StreamCondition.FAILED, since=1.0, code="auth_failed", message="no")
    assert decode(encode(state), StreamState) == state


@given(strategies.binary(max_size=200))
def test_garbage_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(BusError):
        decode(data, ChunkRef)
