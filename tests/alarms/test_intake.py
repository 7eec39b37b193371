"""Events become alarms once, whatever dies in between."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.alarms.intake import Announcement, Intake, read_event
from perishield.bus import LocalBus, topics
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.bus.topics import EventQueued
from perishield.model.alarms import ClipState, Event
from perishield.model.errors import BusError
from perishield.model.remarks import Remark
from perishield.model.site import Camera
from perishield.store.alarm_list import list_alarms
from perishield.store.alarms import AlarmFilter
from perishield.store.cameras import add_camera
from perishield.store.database import Database, sqlite_url


class Heard(Protocol):
    """What was announced, in order (see conftest)."""

    def append(self, announcement: Announcement, /) -> None: ...
    async def reach(self, count: int) -> None: ...


MakeEvent = Callable[..., Event]

KILLED_BEFORE_ACK = """
import asyncio, os, signal, sys
from pathlib import Path
from perishield.alarms.intake import Intake
from perishield.bus.spool import Spool
from perishield.store.database import Database, sqlite_url

class DyingSpool(Spool):
    def ack(self, entries):
        os.kill(os.getpid(), signal.SIGKILL)

async def main(folder):
    database = await Database.open(sqlite_url(folder / "perishield.db"))
    await Intake(DyingSpool(folder / "spool" / "events.db"), database, print).drain()

asyncio.run(main(Path(sys.argv[1])))
"""


async def alarm_ids(database: Database) -> list[str]:
    async with database.read() as session:
        return [alarm.id for alarm in (await list_alarms(session, AlarmFilter(), limit=1000)).items]


async def test_an_event_becomes_an_alarm_under_its_cameras_name(
    database: Database, spool: Spool, heard: list[Announcement], make_event: MakeEvent
) -> None:
    async with database.write() as session:
        await add_camera(session, Camera(id="gate", name="North gate", url="rtsp://10.0.0.4/"))
    spool.put("e1", encode(make_event("e1")))
    spool.put("e2", encode(make_event("e2", camera="nowhere")))
    assert await Intake(spool, database, heard.append).drain() == 2
    assert [(each.new, each.alarm.id, each.alarm.camera_name) for each in heard] == [
        (True, "e1", "North gate"),
        (True, "e2", "nowhere"),
    ]
    assert heard[0].alarm.clip_state is ClipState.PENDING
    assert len(spool) == 0
    assert await alarm_ids(database) == ["e2", "e1"]


async def test_an_event_told_again_changes_nothing(
    database: Database, spool: Spool, heard: list[Announcement], make_event: MakeEvent
) -> None:
    intake = Intake(spool, database, heard.append)
    for _ in range(3):
        spool.put("e1", encode(make_event("e1")))
        await intake.drain()
    assert [each.alarm.id for each in heard] == ["e1"]
    assert await alarm_ids(database) == ["e1"]
    assert len(spool) == 0


async def test_killed_between_commit_and_acknowledgement_nothing_is_lost_or_doubled(
    tmp_path: Path, spool: Spool, heard: list[Announcement], make_event: MakeEvent
) -> None:
    for number in range(5):
        spool.put(f"e{number}", encode(make_event(f"e{number}")))
    died = subprocess.run([sys.executable, "-c", KILLED_BEFORE_ACK, tmp_path], capture_output=True, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert len(spool) == 5
    database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    try:
        assert len(await alarm_ids(database)) == 5
        assert await Intake(spool, database, heard.append).drain() == 5
        assert await alarm_ids(database) == [f"e{number}" for number in reversed(range(5))]
        assert len(spool) == 0
        assert heard == []
    finally:
        await database.close()


async def test_nothing_is_acknowledged_while_the_store_is_gone(
    tmp_path: Path, spool: Spool, heard: list[Announcement], make_event: MakeEvent
) -> None:
    database = await Database.open(sqlite_url(tmp_path / "other" / "perishield.db"))
    await database.close()
    for file in (tmp_path / "other").iterdir():
        file.unlink()
    (tmp_path / "other" / "perishield.db").mkdir()
    spool.put("e1", encode(make_event("e1")))
    bus = await LocalBus.open(tmp_path / "run", "server")
    running = asyncio.create_task(Intake(spool, database, heard.append).run(bus))
    try:
        done, _ = await asyncio.wait({running}, timeout=0.3)
        assert not done
        assert len(spool) == 1
        assert heard == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await database.close()


async def test_a_wake_up_is_answered_and_a_lost_one_made_good(
    database: Database, spool: Spool, heard: Heard, make_event: MakeEvent, tmp_path: Path
) -> None:
    bus = await LocalBus.open(tmp_path / "run", "server")
    vision = await LocalBus.open(tmp_path / "run", "vision")
    running = asyncio.create_task(Intake(spool, database, heard.append).run(bus))
    try:
        spool.put("e1", encode(make_event("e1")))
        vision.publish(topics.EVENTS, "gate", EventQueued("e1"))
        await heard.reach(1)
        spool.put("e2", encode(make_event("e2")))
        await heard.reach(2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await vision.close()
        await bus.close()


async def test_what_is_no_event_is_set_aside_and_the_rest_goes_on(
    database: Database, spool: Spool, heard: list[Announcement], make_event: MakeEvent
) -> None:
    spool.put("noise", b"\xff\xfe no event")
    spool.put("nan", encode(replace(make_event("nan"), wall=float("nan"))))
    spool.put("path", encode(make_event("../../etc/passwd")))
    spool.put("e1", encode(make_event("e1")))
    assert await Intake(spool, database, heard.append).drain() == 4
    assert await alarm_ids(database) == ["e1"]
    assert len(spool) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=40))
def test_damaged_payloads_are_refused_in_one_way_only(make_event: MakeEvent, cut: int, junk: bytes) -> None:
    payload = encode(make_event("e1"))
    code = ""
    try:
        read_event(payload[:cut] + junk)
    except BusError as error:
        code = error.code
    assert code in ("", "bus_garbled")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 65, "-rf", "é"])
def test_ids_that_are_no_file_names_are_refused(make_event: MakeEvent, name: str) -> None:
    with pytest.raises(BusError, match="file's name"):
        read_event(encode(make_event(name)))


def test_doubts_of_an_earlier_version_stay_sentences(make_event: MakeEvent) -> None:
    found = Remark("label_too", "label: the detector said horse too", {"label": "horse"})
    event = read_event(encode(make_event("e1", doubts=("speed: not followed for long enough", found))))
    assert event.remarks == (Remark("", "speed: not followed for long enough"), found)
