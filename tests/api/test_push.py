"""Pushes: in memory with their limits, and over real WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from perishield.api.push import KEPT, OLDEST_S, TOPICS, Listener, Push
from perishield.api.push_socket import answer
from perishield.bus import topics
from perishield.bus.codec import encode as encode_event
from perishield.bus.spool import Spool
from perishield.bus.topics import EventQueued
from perishield.model.access import EVERYTHING, Action, Reach
from perishield.model.alarms import Event
from perishield.model.media import StreamState
from perishield.model.vision import TrackBox, TrackFrame

MakeEvent = Callable[..., Event]
MakeState = Callable[..., StreamState]


async def hear(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 20))
    return message


async def hear_kind(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while (message := await hear(socket))["type"] != kind:
        pass
    return message


async def log_in(
    socket: ClientConnection,
    token: str,
    *subscribed: str,
    cameras: list[str] | None = None,
    resume: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The answer to the subscription."""
    await socket.send(json.dumps({"type": "auth", "token": token}))
    assert (await hear(socket))["type"] == "ready"
    asked = {"type": "subscribe", "topics": list(subscribed), "cameras": cameras, "resume": resume}
    await socket.send(json.dumps(asked))
    return await hear(socket)


async def closing_code(socket: ClientConnection) -> int:
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return socket.close_code or 0


def tracks(camera: str = "gate", stream_time: int = 900_000) -> TrackFrame:
    return TrackFrame(
        camera=camera,
        epoch=7,
        stream_time=stream_time,
        wall=1_790_000_000.0,
        arrival=1_790_000_000.1,
        width=640,
        height=360,
        tracks=(TrackBox(1, "person", 0.9, (64, 36, 320, 180), 5),),
        detector="yolox_nano",
    )


async def test_an_alarm_reaches_the_console_from_the_spool_and_its_clip_follows(
    served: Any, make_event: MakeEvent
) -> None:
    await served.add_camera(name="Gate")
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token, "alarms")
        spool = Spool(served.folder / "spool" / "events.db")
        spool.put("e1", encode_event(make_event("e1")))
        served.peer.publish(topics.EVENTS, "gate", EventQueued("e1"))
        alarm = await hear(socket)
        assert (alarm["type"], alarm["data"]["id"], alarm["data"]["camera_name"]) == ("alarm", "e1", "Gate")
        assert alarm["data"]["clip"]["state"] == "pending"
        update = await hear(socket)
        assert (update["type"], update["data"]["clip"]["state"]) == ("alarm_update", "unavailable")
        assert "no footage" in update["data"]["clip"]["note"]
        stored = (await served.client.get("/api/alarms/e1")).json()
        assert stored["clip"] == update["data"]["clip"]
        spool.close()


async def test_boxes_leave_as_shares_of_the_picture(served: Any) -> None:
    await served.add_camera()
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token, "tracks")
        pending = asyncio.create_task(hear(socket))

        async def told() -> bool:
            served.peer.publish(topics.TRACKS, "gate", tracks())
            return pending.done()

        await served.until(told)
        data = (await pending)["data"]
        assert data["tracks"] == [{"id": 1, "label": "person", "score": 0.9, "box": [0.1, 0.1, 0.5, 0.5], "seen": True}]
        assert (data["stream_time_s"], data["epoch"], data["gate_open"]) == (10.0, 7, True)


async def test_a_newcomer_learns_how_things_stand(served: Any, live_state: MakeState) -> None:
    await served.add_camera()
    await served.heard_by_server(live_state("gate"))
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token, "streams", "site", "processes")
        assert (await hear_kind(socket, "stream"))["data"]["condition"] == "live"
        assert (await hear_kind(socket, "site"))["revision"] == served.services.site.site.revision
        await served.add_camera(name="Yard")
        assert (await hear_kind(socket, "stream"))["data"]["camera"] == "yard"


async def test_cameras_narrow_what_is_pushed(served: Any) -> None:
    for name in ("Gate", "Yard"):
        await served.add_camera(name=name)
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token, "tracks", cameras=["yard"])
        pending = asyncio.create_task(hear(socket))

        async def told() -> bool:
            served.peer.publish(topics.TRACKS, "gate", tracks("gate"))
            served.peer.publish(topics.TRACKS, "yard", tracks("yard"))
            return pending.done()

        await served.until(told)
        assert (await pending)["data"]["camera"] == "yard"


NO_LOGINS: list[str | bytes] = [
    "no json",
    "[]",
    "null",
    b"\x00binary",
    json.dumps({"type": "subscribe", "topics": ["alarms"]}),
    json.dumps({"type": "auth"}),
    json.dumps({"type": "auth", "token": 7}),
    json.dumps({"type": "auth", "token": "a.b.c"}),
    "[" * 60_000,
]


@pytest.mark.parametrize("path", ["/ws", "/ws/live/gate"])
async def test_without_a_login_the_socket_closes(served: Any, path: str) -> None:
    for first in NO_LOGINS:
        async with connect(f"{served.url}{path}", proxy=None) as socket:
            await socket.send(first)
            assert await closing_code(socket) == 4401, first


async def test_silence_is_no_login_either(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perishield.api.sockets._LOGIN_S", 0.1)
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        assert await closing_code(socket) == 4401
    assert served.services.slots.strangers == 0


async def test_the_socket_ends_with_the_login(served: Any) -> None:
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.services.tokens.issue_machine(1), "alarms")
        assert await closing_code(socket) == 4401


async def test_a_message_too_long_ends_the_connection(served: Any) -> None:
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token, "alarms")
        await socket.send("x" * 70_000)
        assert await closing_code(socket) == 1009


NONSENSE: list[dict[str, Any]] = [
    {"type": "subscribe"},
    {"type": "subscribe", "topics": "alarms"},
    {"type": "subscribe", "topics": ["secrets"]},
    {"type": "subscribe", "topics": [["alarms"]]},
    {"type": "subscribe", "topics": ["alarms"], "cameras": "gate"},
    {"type": "subscribe", "topics": ["alarms"], "cameras": [1]},
    {"type": "subscribe", "topics": ["alarms"], "resume": 7},
    {"type": "subscribe", "topics": ["alarms"], "resume": {"boot": "x"}},
    {"type": "subscribe", "topics": ["alarms"], "resume": {"boot": 1, "seq": 1}},
    {"type": "subscribe", "topics": ["alarms"], "resume": {"boot": "x", "seq": -1}},
    {"type": "subscribe", "topics": ["alarms"], "resume": {"boot": "x", "seq": True}},
    {"type": "subscribe", "topics": ["alarms"], "resume": {"boot": "x", "seq": 1.5}},
    {"type": "dance"},
    {},
]


async def test_messages_that_make_no_sense_are_answered_and_the_socket_stays(served: Any) -> None:
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token)
        for message in NONSENSE:
            await socket.send(json.dumps(message))
            assert (await hear(socket))["type"] == "error", message
        await socket.send(json.dumps({"type": "ping"}))
        assert await hear(socket) == {"type": "pong"}


async def test_there_are_so_many_places_and_they_are_given_back(served: Any) -> None:
    served.services.slots.limit = 3
    sockets = []
    for _ in range(3):
        socket = await connect(f"{served.url}/ws", proxy=None)
        await log_in(socket, served.token)
        sockets.append(socket)
    async with connect(f"{served.url}/ws", proxy=None) as late:
        await late.send(json.dumps({"type": "auth", "token": served.token}))
        assert await closing_code(late) == 1013
    for socket in sockets:
        await socket.close()
    await served.until(lambda: served.services.slots.members == 0)
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await log_in(socket, served.token)


async def test_a_client_that_does_not_read_is_bounded_and_told(served: Any) -> None:
    await served.add_camera()
    async with connect(f"{served.url}/ws", proxy=None, max_queue=1) as socket:
        await log_in(socket, served.token, "tracks", "alarms")
        await served.until(lambda: any(each.wants("tracks", "gate") for each in served.services.push._listeners))
        listener = next(iter(served.services.push._listeners))
        filler = {"type": "tracks", "data": {"filler": "x" * 200_000}}

        async def stalled() -> bool:
            served.services.push.send("tracks", "gate", lambda: filler)
            return len(listener) >= 64

        await served.until(stalled)
        for _ in range(100):
            served.services.push.send("tracks", "gate", lambda: filler)
        assert len(listener) <= 64
        served.services.push.send("alarms", "gate", lambda: {"type": "alarm", "data": "late"})
        assert (await hear_kind(socket, "lagged"))["missed"] >= 100
        assert (await hear_kind(socket, "alarm"))["data"] == "late"


async def test_the_server_survives_a_client_that_vanishes(served: Any) -> None:
    socket = await connect(f"{served.url}/ws", proxy=None)
    await log_in(socket, served.token, "tracks")
    socket.transport.abort()
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    await served.until(lambda: served.services.slots.members == 0)
    assert not served.services.push._listeners


ALL = Reach(EVERYTHING)


async def drained(listener: Listener) -> list[dict[str, Any]]:
    heard = []
    while len(listener) or listener._missed:
        heard.append(json.loads(await listener.next()))
    return heard


def alarm(number: int) -> dict[str, Any]:
    return {"type": "alarm", "n": number}


async def test_tracks_are_lost_before_alarms() -> None:
    push = Push()
    with push.listening(ALL) as listener:
        listener.narrow(TOPICS, None)
        for number in range(200):
            push.send("alarms", "gate", lambda number=number: alarm(number))
            push.send("tracks", "gate", lambda number=number: {"t": number})
        heard = await drained(listener)
    assert heard[0] == {"type": "lagged", "missed": 136}
    assert [each["n"] for each in heard if "n" in each] == list(range(200))
    assert [each["t"] for each in heard if "t" in each] == list(range(136, 200))


async def test_who_is_too_slow_for_what_is_kept_hears_what_is_missing() -> None:
    push = Push({**KEPT, "alarms": 4})
    with push.listening(ALL) as listener:
        listener.narrow(TOPICS, frozenset({"gate"}))
        push.send("site", "", lambda: {"type": "site"})
        for number in range(10):
            push.send("alarms", "gate", lambda number=number: alarm(number))
            push.send("alarms", "yard", lambda: {"type": "alarm"})
        lagged, site, *rest = await drained(listener)
    assert lagged == {"type": "lagged", "missed": 8, "topics": ["alarms"], "from": 2, "to": 16}
    assert site["seq"] == 1
    assert [(each["seq"], each["n"]) for each in rest] == [(18, 8), (20, 9)]


@given(st.lists(st.sampled_from(["alarms", "streams", "tracks", "answer"]), max_size=80), st.integers(0, 80))
def test_a_queue_never_grows_past_its_bounds_and_counts_what_it_lost(kinds: list[str], read: int) -> None:
    push = Push({**KEPT, "alarms": 8, "streams": 5})
    with push.listening(ALL) as listener:
        listener._most_tracks, listener._most_answers = 3, 2
        listener.narrow(TOPICS, None)
        heard = lost = 0
        for turn, kind in enumerate(kinds):
            if turn == read:
                messages = asyncio.run(drained(listener))
                heard = sum(each["type"] != "lagged" for each in messages)
                lost = sum(each["missed"] for each in messages if each["type"] == "lagged")
            if kind == "answer":
                listener.answer({"type": "pong"})
            else:
                push.send(kind, "gate", lambda: {"type": "x"})
            assert len(listener) <= 8 + 5 + 3 + 2
        assert heard + lost + len(listener) + listener._missed == len(kinds)


@given(st.data())
def test_a_client_that_comes_back_hears_each_message_once_and_in_order_or_is_told(data: st.DataObject) -> None:
    """Whatever is sent while it is away: what it heard, what it is replayed and what it is told of add up."""
    push = Push({**KEPT, "alarms": 6, "streams": 3})
    sent = data.draw(st.lists(st.sampled_from(["alarms", "streams", "site"]), max_size=30))
    place = data.draw(st.integers(0, len(sent)))
    for topic in sent:
        push.send(topic, "gate", lambda: {"type": "x"})
    for topic in ("alarms", "streams", "site"):
        behind = [seq for seq, other in enumerate(sent, 1) if other == topic and seq > place]
        found = [message.seq for message in push.since(place, frozenset({topic}))]
        assert found == (behind if push.complete(topic, place) else behind[-push._most[topic] :])
        if len(behind) <= push._most[topic]:
            assert found == behind
    assert not push.complete("alarms", len(sent) + 1)


def test_what_is_too_old_is_not_told_again() -> None:
    now = [0.0]
    push = Push(clock=lambda: now[0])
    push.send("alarms", "gate", lambda: alarm(0))
    now[0] = OLDEST_S
    push.send("alarms", "gate", lambda: alarm(1))
    assert push.complete("alarms", 0)
    now[0] += 1
    assert not push.complete("alarms", 0)
    assert push.complete("alarms", 1)


async def test_after_a_cut_nothing_is_missed_and_nothing_doubled(served: Any) -> None:
    push = served.services.push
    await served.add_camera(name="Gate")
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        begun = await log_in(socket, served.token, "alarms")
        assert (begun["type"], begun["topics"]) == ("subscribed", ["alarms"])
        push.send("alarms", "gate", lambda: alarm(1))
        last = await hear(socket)
        assert (last["n"], last["boot"]) == (1, begun["boot"])
        socket.transport.abort()
    for number in (2, 3):
        push.send("alarms", "gate", lambda number=number: alarm(number))
        push.send("streams", "gate", lambda: {"type": "stream"})
    place = {"boot": last["boot"], "seq": last["seq"]}
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        again = await log_in(socket, served.token, "alarms", resume=place)
        assert again == {"type": "resumed", **place, "topics": ["alarms"], "count": 2}
        push.send("alarms", "gate", lambda: alarm(4))
        assert [(await hear(socket))["n"] for _ in range(3)] == [2, 3, 4]


async def test_what_the_server_no_longer_knows_is_reset(served: Any) -> None:
    push = served.services.push
    for number in range(KEPT["site"] + 2):
        push.send("site", "", lambda number=number: alarm(number))
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        foreign = {"boot": "another", "seq": 1}
        reset = await log_in(socket, served.token, "alarms", resume=foreign)
        assert reset["type"] == "reset"
        assert (reset["boot"], reset["seq"], reset["topics"]) == (push.boot, push.seq, ["alarms"])
        assert "started anew" in reset["reason"]
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        reset = await log_in(socket, served.token, "alarms", "site", resume={"boot": push.boot, "seq": 0})
        assert (reset["type"], reset["topics"]) == ("reset", ["site"])
        resumed = await hear(socket)
        assert (resumed["type"], resumed["topics"], resumed["count"]) == ("resumed", ["alarms"], 0)


def test_a_topic_is_heard_by_permission_and_a_camera_by_reach(node: Any) -> None:
    push = node.services.push
    with push.listening(Reach(frozenset({Action.ALARMS_VIEW}), frozenset({"gate"}))) as listener:
        answer(node.services, listener, {"type": "subscribe", "topics": sorted(TOPICS)})
        assert listener.topics == {"alarms", "site"}
        assert listener.wants("alarms", "gate")
        assert not listener.wants("alarms", "yard")
        assert not listener.wants("tracks", "gate")
        push.send("alarms", "yard", lambda: alarm(1))
        push.send("alarms", "gate", lambda: alarm(2))
        place = {"boot": push.boot, "seq": 0}
        answer(node.services, listener, {"type": "subscribe", "topics": sorted(TOPICS), "resume": place})
        told = [json.loads(text) for text in listener._waiting.values()]
    assert [each["n"] for each in told if each["type"] == "alarm"] == [2]


def test_tracks_are_not_encoded_for_nobody() -> None:
    push = Push()
    with push.listening(ALL) as listener:
        listener.narrow(TOPICS - {"tracks"}, None)
        push.send("tracks", "gate", lambda: pytest.fail("nobody wants it"))
    push.send("tracks", "gate", lambda: pytest.fail("nobody is there"))
