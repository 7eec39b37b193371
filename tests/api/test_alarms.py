"""Alarms as the API tells them, and the states beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.alarms.intake import raise_alarm
from perishield.api.push import Push
from perishield.api.registry import STALE_S, Processes, Streams
from perishield.api.times import iso
from perishield.bus import topics
from perishield.bus.topics import DetectorState, ProcessState
from perishield.model.access import EVERYTHING, Reach
from perishield.model.alarms import ClipState, Event
from perishield.model.media import StreamCondition, StreamState
from perishield.model.remarks import Remark
from perishield.model.site import Camera
from perishield.store.alarms import add_alarm

MakeEvent = Callable[..., Event]
MakeState = Callable[..., StreamState]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def test_an_alarm_explains_itself(node: Any, make_event: MakeEvent) -> None:
    event = make_event("e1", snapshot="evidence/2026-09-21/e1.jpg")
    alarm = replace(
        raise_alarm(event, "Gate", event.arrival + 0.5),
        clip_state=ClipState.READY,
        clip="evidence/2026-09-21/e1.mp4",
        clip_start=event.wall - 5.25,
        clip_duration=10.4,
    )
    async with node.services.database.write() as session:
        await add_alarm(session, alarm)
    shown = (await node.client.get("/api/alarms/e1")).json()
    assert shown["wall"] == "2026-09-21T14:13:20.000Z"
    assert shown["latency_ms"] == 500
    assert shown["stream_time_s"] == 10.0
    assert shown["path"] == [[-1.0, 0.5, 0.4], [0.0, 0.5, 0.5]]
    assert shown["rule_name"] == "Line"
    assert shown["clip"]["start"] == "2026-09-21T14:13:14.750Z"
    assert shown["snapshot_url"].startswith("/media/evidence/2026-09-21/e1.jpg?")
    assert (shown["state"], shown["kind"], shown["clip"]["state"]) == ("new", "tripwire", "ready")
    picture = node.services.media / event.snapshot
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"jpeg")
    assert (await node.client.get(shown["snapshot_url"])).content == b"jpeg"


async def test_doubts_are_told_by_codes_and_those_of_earlier_versions_as_they_are(
    node: Any, make_event: MakeEvent
) -> None:
    old, new = "speed: not followed for long enough", Remark("label_too", "label: said horse", {"label": "horse"})
    async with node.services.database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e1", doubts=(old, new)), "Gate", 1_790_000_001.0))
    explained = (await node.client.get("/api/alarms/e1")).json()["explained"]
    assert explained["doubts"] == [old, "label: said horse"]
    assert explained["remarks"] == [
        {"code": "", "params": {}, "text": old},
        {"code": "label_too", "params": {"label": "horse"}, "text": "label: said horse"},
    ]


async def test_alarms_are_filtered_and_paged(node: Any, make_event: MakeEvent) -> None:
    async with node.services.database.write() as session:
        for number in range(7):
            event = make_event(f"e{number}", camera="gate" if number % 2 else "yard", level=1 + number % 4)
            await add_alarm(session, raise_alarm(replace(event, wall=event.wall + number), "x", event.wall))

    async def ids(**params: Any) -> list[str]:
        return [item["id"] for item in (await node.client.get("/api/alarms", params=params)).json()["items"]]

    assert await ids() == ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]
    assert await ids(camera="gate") == ["e5", "e3", "e1"]
    assert await ids(level=1) == ["e4", "e0"]
    assert await ids(kind="fence") == []
    assert await ids(rule="line", limit=2) == ["e6", "e5"]
    first = (await node.client.get("/api/alarms?limit=3")).json()
    assert (first["total"], first["next"]) == (7, "e4")
    assert await ids(limit=3, before=first["next"]) == ["e3", "e2", "e1"]
    wall = 1_790_000_000.0
    assert await ids(**{"from": iso(wall + 2), "to": iso(wall + 4)}) == ["e3", "e2"]
    assert code_of(await node.client.get("/api/alarms/none")) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "level=5", "from=never", "before=" + "x" * 65])
async def test_questions_that_make_no_sense_are_refused(node: Any, query: str) -> None:
    assert code_of(await node.client.get(f"/api/alarms?{query}")) == (422, "invalid")


async def test_deleting_a_camera_keeps_its_alarms(node: Any, make_event: MakeEvent) -> None:
    await node.add_camera()
    async with node.services.database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e1"), "Gate", time.time()))
    await node.client.delete("/api/cameras/gate")
    assert (await node.client.get("/api/alarms/e1")).json()["camera_name"] == "Gate"


async def test_streams_tell_what_ingest_reported(node: Any, live_state: MakeState) -> None:
    await node.add_camera()
    await node.add_camera(name="Yard", enabled=False)
    found = (await node.client.get("/api/video/streams")).json()
    assert [(item["camera"], item["condition"]) for item in found["items"]] == [("gate", "connecting"), ("yard", "off")]
    await node.heard_by_server(live_state("gate"))
    shown = (await node.client.get("/api/video/streams/gate")).json()
    assert (shown["condition"], shown["since"], shown["epoch"]) == ("live", "2026-09-21T14:13:20.500Z", 7)
    assert (await node.client.get("/api/cameras/gate")).json()["stream"] == shown
    failed = live_state(
        "gate",
        condition=StreamCondition.FAILED,
        code="auth_failed",
        message="camera 'gate': 401: check user and password",
    )
    await node.heard_by_server(failed)
    shown = (await node.client.get("/api/video/streams/gate")).json()
    assert (shown["condition"], shown["code"]) == ("failed", "auth_failed")
    assert code_of(await node.client.get("/api/video/streams/none")) == (404, "not_found")


def test_streams_that_fall_silent_are_told_as_failed() -> None:
    now = [100.0]
    push = Push()
    streams = Streams(push, clock=lambda: now[0])
    with push.listening(Reach(EVERYTHING)) as listener:
        listener.topics = frozenset({"streams"})
        streams.set_cameras([Camera(id="gate", name="Gate", url="rtsp://x/")])
        streams.report(StreamState(camera="gate", condition=StreamCondition.LIVE, since=99.0))
        streams.report(StreamState(camera="stranger", condition=StreamCondition.LIVE, since=99.0))
        now[0] += STALE_S - 1
        streams.check_stale()
        assert streams.all()[0]["condition"] == "live"
        now[0] += 2
        streams.check_stale()
        streams.check_stale()
        state = streams.get("gate")
        assert state is not None
        assert (state.condition, state.code) == (StreamCondition.FAILED, "ingest_silent")
        streams.report(StreamState(camera="gate", condition=StreamCondition.LIVE, since=99.0))
        assert streams.all()[0]["condition"] == "live"
        assert streams.get("stranger") is None
        assert len(listener) == 4


def test_a_process_that_is_down_takes_its_detector_with_it() -> None:
    processes = Processes(Push())
    assert processes.detector_state() is None
    processes.detector = DetectorState(name="yolox", model="yolox_nano.onnx")
    processes.report(ProcessState(name="vision", state="running", since=1.0))
    state = processes.detector_state()
    assert state is not None
    assert state.name == "yolox"
    processes.report(ProcessState(name="vision", state="restarting", since=2.0, message="killed by SIGKILL"))
    state = processes.detector_state()
    assert state is not None
    assert (state.code, "SIGKILL" in state.message) == ("vision_down", True)


async def test_the_system_tells_of_its_processes(node: Any) -> None:
    before = (await node.client.get("/api/system")).json()
    assert before["processes"] == []
    assert before["disk"]["total"] > before["disk"]["free"] > 0
    state = ProcessState(name="ingest", state="running", since=1_790_000_000.0, restarts=2, pid=7)
    detector = DetectorState(name="motion", message="no model is installed")

    async def told() -> bool:
        node.peer.publish(topics.PROCESSES, "ingest", state)
        node.peer.publish(topics.DETECTOR, "", detector)
        shown = (await node.client.get("/api/system")).json()
        return bool(shown["processes"]) and shown["detector"]["name"] == "motion"

    await node.until(told)
    shown = (await node.client.get("/api/system")).json()
    assert shown["processes"] == [
        {"name": "ingest", "state": "running", "restarts": 2, "since": "2026-09-21T14:13:20.000Z", "message": ""}
    ]
    assert shown["detector"] == {"name": "motion", "model": None, "code": "", "message": "no model is installed"}


async def test_readiness_says_what_is_missing(node: Any) -> None:
    assert (await node.client.get("/readyz")).json() == {"status": "ready"}
    next(job for job in node.services.jobs if job.get_name() == "clips").cancel()
    await node.until(lambda: any(job.done() for job in node.services.jobs))
    answer = await node.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["params"]["reasons"] == ["clips has ended"]
    assert (await node.client.get("/healthz")).status_code == 200


@given(st.floats())
def test_any_number_is_told_as_a_time(seconds: float) -> None:
    assert len(iso(seconds)) == 24
