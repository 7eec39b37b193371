"""The chained logs over a real database."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.audit import AuditEntry
from perishield.model.chain import GENESIS, Link, canonical, first_break, link_hash
from perishield.store.chain import (
    ALARMS,
    AUDIT,
    alarm_chain,
    alarm_records,
    append_alarm_record,
    append_audit,
    chain_head,
)
from perishield.store.database import Database


async def test_links_follow_each_other_and_each_alarm_has_its_own(database: Database) -> None:
    for number in range(6):
        async with database.write() as session:
            link = await append_alarm_record(session, f"a{number % 2}", "comment", {"text": "门 " * number})
            assert link.number == number + 1
    async with database.read() as session:
        chain = await alarm_chain(session, 1, 6)
        assert first_break(chain, GENESIS) == ""
        assert [link.number for link in await alarm_records(session, "a1")] == [2, 4, 6]
        assert await chain_head(session, ALARMS) == (6, chain[-1].hash)
        assert await chain_head(session, AUDIT) == (0, GENESIS)


async def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    async def fails() -> None:
        async with database.write() as session:
            await append_alarm_record(session, "a", "raised", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    async with database.write() as session:
        assert (await append_alarm_record(session, "a", "raised", {})).number == 1


async def test_writers_at_once_make_one_chain(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as session:
            await append_audit(
                session,
                AuditEntry(at=time.time(), actor="u", actor_name="U", action="camera.change", target=str(number)),
            )

    await asyncio.gather(*(write(number) for number in range(20)))
    async with database.read() as session:
        assert (await chain_head(session, AUDIT))[0] == 20


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5), st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
        ),
        min_size=2,
        max_size=6,
    ),
    st.data(),
)
def test_any_change_is_found(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    links: list[Link] = []
    previous = GENESIS
    for number, content in enumerate(contents, 1):
        encoded = canonical({**content, "number": number})
        links.append(Link(number=number, content=encoded, previous=previous, hash=link_hash(previous, encoded)))
        previous = links[-1].hash
    assert first_break(links, GENESIS) == ""
    victim = data.draw(st.integers(0, len(links) - 1))
    flipped = bytearray(links[victim].content)
    at = data.draw(st.integers(0, len(flipped) - 1))
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    assert first_break(
        [
            dataclasses.replace(link, content=bytes(flipped)) if index == victim else link
            for index, link in enumerate(links)
        ],
        GENESIS,
    )
    if victim < len(links) - 1:
        assert first_break(links[:victim] + links[victim + 1 :], GENESIS)


def test_encoding_again_gives_the_same_bytes() -> None:
    import json

    encoded = canonical({"b": 0.1 + 0.2, "a": [1, None, True, "门"], "c": {"z": 1e300, "y": -0.0}})
    assert canonical(json.loads(encoded)) == encoded
    with pytest.raises(ValueError, match="SHA"):
        link_hash("00", b"")
