"""Several cameras in step over one socket: seek, speed, pause, back-pressure, and what makes no sense."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

import av
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from perishield.api import playback_socket

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]


class Player:
    """A client that takes everything in: `files` are what each camera's SourceBuffer was given."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.texts: list[dict[str, Any]] = []
        self.files: dict[tuple[int, int], bytes] = {}
        self.generation = 0
        self.acknowledges = True

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next text; what comes before it is taken in."""
        while True:
            async with asyncio.timeout(10):
                message = await self.socket.recv()
            if isinstance(message, str):
                heard: dict[str, Any] = json.loads(message)
                self.generation = heard["generation"]
                self.texts.append(heard)
                return heard
            kind, index, zero, generation = struct.unpack_from(">BBHI", message)
            assert (kind in (1, 2), zero, generation) == (True, 0, self.generation)
            key = generation, index
            self.files[key] = self.files.get(key, b"") + message[8:]
            if self.acknowledges:
                await self.say(type="ack", index=index, bytes=len(self.files[key]), position_s=1e6)

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        while count:
            heard = await self.hear()
            count -= heard["type"] == kind
        return heard

    async def taken(self, least: int) -> None:
        """Until the first camera's file has `least` bytes, whatever texts come meanwhile."""
        while len(self.files.get((self.generation, 0), b"")) < least:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self.hear()

    def times(self, index: int = 0) -> list[float]:
        """Seconds of media time of every picture."""
        with av.open(io.BytesIO(self.files[self.generation, index])) as container:
            return [float(frame.time or 0) for frame in container.decode(video=0)]


@pytest.fixture
async def footage(served: Any, make_recorder: MakeRecorder) -> Any:
    """Two cameras: one with a hole from 3 to 5, the other whole, and half a second later."""
    await served.add_camera()
    await served.add_camera(id="yard", name="Yard")
    make_recorder().record(0, 3)
    make_recorder(epoch=8).record(5, 8)
    make_recorder("yard", wall=WALL + 0.5).record(0, 7)
    await served.services.footage.compare()
    return served


async def opened(node: Any, socket: ClientConnection, **more: Any) -> Player:
    player = Player(socket)
    await player.say(type="auth", token=node.token)
    message = {"type": "open", "cameras": ["gate", "yard"], "from": WALL + 1.5, "to": WALL + 7.5, **more}
    await player.say(**message)
    return player


def origin_of(player: Player) -> float:
    return datetime.fromisoformat(player.texts[0]["origin"]).timestamp()


async def test_all_cameras_share_the_wall_clock(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket)
        await player.until("end", 2)
        start = WALL - origin_of(player)
        assert player.texts[1]["media_s"] == start + 1.5
        gate, yard = player.times(0), player.times(1)
        assert gate[0] == pytest.approx(start + 1, abs=0.001), "the key frame before the time asked for"
        assert yard[0] == pytest.approx(start + 1.5, abs=0.001)
        assert not [moment for moment in gate if start + 3.01 < moment < start + 4.99]
        assert [text for text in player.texts if text["type"] == "gap"] == [
            {"type": "gap", "generation": 0, "index": 0, "from_s": start + 3, "to_s": start + 5}
        ]
        assert len(yard) == pytest.approx(6 * 25, abs=26)
        inits = [text for text in player.texts if text["type"] == "init"]
        assert {(text["index"], text["width"], text["mime"][:22]) for text in inits} == {
            (0, 192, 'video/mp4; codecs="avc'),
            (1, 192, 'video/mp4; codecs="avc'),
        }


async def test_seeking_begins_anew_and_what_is_older_does_not_come_any_more(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket, cameras=["yard"])
        await player.until("init")
        await player.say(type="seek", at=WALL + 6.2)
        while (await player.hear())["generation"] == 0:
            continue
        position = player.texts[-1]
        assert (position["type"], position["media_s"]) == ("position", pytest.approx(WALL + 6.2 - origin_of(player)))
        await player.until("end")
        assert player.times()[0] == pytest.approx(WALL + 5.5 - origin_of(player), abs=0.001)


async def test_fast_is_key_frames_in_the_same_media_time(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket, speed=4)
        await player.until("end", 2)
        start = WALL - origin_of(player)
        assert player.texts[1]["keyframes_only"] is True
        assert all(abs((moment - start) - round(moment - start)) < 0.05 for moment in player.times(0))
        assert 2 <= len(player.times(0)) <= 5
        fast = len(player.files[0, 0])
        await player.say(type="speed", speed=2)
        await player.until("end", 2)
        assert player.generation == 1
        assert player.texts[-1]["generation"] == 1
        await player.say(type="seek", at=WALL + 1.5)
        await player.until("end", 2)
        assert len(player.files[2, 0]) > 2 * fast


async def test_who_acknowledges_nothing_gets_a_bounded_amount(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback_socket, "WINDOW", 20_000)
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket, cameras=["yard"])
        player.acknowledges = False
        await player.until("init")
        await player.taken(20_000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await player.until("end")
        taken = len(player.files[0, 0])
        assert 20_000 <= taken < 20_000 + 300_000
        player.acknowledges = True
        await player.say(type="ack", index=0, bytes=taken, position_s=1e6)
        await player.until("end")


async def test_no_camera_gets_far_ahead_of_where_the_player_is(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback_socket, "AHEAD_S", 1.0)
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket, cameras=["yard"])
        player.acknowledges = False
        await player.until("init")
        await player.taken(10_000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await player.until("end")
        position = player.texts[1]["media_s"]
        assert max(player.times()) < position + 4
        await player.say(type="ack", index=0, bytes=len(player.files[0, 0]), position_s=position + 60)
        await player.until("end")


async def test_pause_sends_nothing_until_resume(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = Player(socket)
        await player.say(type="auth", token=footage.token)
        await player.say(type="pause")
        await player.say(type="open", cameras=["yard"], **{"from": WALL + 1, "to": WALL + 7})
        assert (await player.hear())["type"] == "opened"
        assert (await player.hear())["type"] == "position"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await player.hear()
        await player.say(type="resume")
        await player.until("end")
        assert player.times()


async def test_a_camera_without_footage_says_so_and_the_others_play(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        player = await opened(footage, socket, cameras=["yard", "none"])
        await player.until("end", 2)
        errors = [text for text in player.texts if text["type"] == "error"]
        assert [(text["index"], text["code"]) for text in errors] == [(1, "missing")]
        assert player.times(0)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "seek", "at": WALL},
        {"type": "open", "cameras": ["../gate"], "from": WALL, "to": WALL + 5},
        {"type": "open", "cameras": ["gate"] * 17, "from": WALL, "to": WALL + 5},
        {"type": "open", "cameras": ["gate"], "from": WALL + 5, "to": WALL},
        {"type": "open", "cameras": ["gate"], "from": WALL, "to": WALL + 40 * 86_400},
        {"type": "open", "cameras": ["gate"], "from": "soon", "to": WALL},
        {"type": "ack", "index": -1, "bytes": 0, "position_s": 0},
        {"type": "ack", "index": 0, "bytes": "many", "position_s": 0},
        {"type": 7},
    ],
)
async def test_what_makes_no_sense_ends_the_socket(footage: Any, message: dict[str, Any]) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        await socket.send(json.dumps({"type": "auth", "token": footage.token}))
        await socket.send(json.dumps(message))
        async with asyncio.timeout(10):
            await socket.wait_closed()
        assert socket.close_code == playback_socket.SENSELESS


async def test_without_a_login_there_is_nothing(footage: Any) -> None:
    async with connect(f"{footage.url}/ws/playback") as socket:
        await socket.send(json.dumps({"type": "auth", "token": "x"}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4401
