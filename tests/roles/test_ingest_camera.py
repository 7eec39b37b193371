from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perishield.model.media import StreamCondition, StreamState
from perishield.model.site import Camera
from perishield.roles import ingest_stream
from perishield.roles.ingest_camera import CameraIngest, Listeners
from perishield.roles.ingest_stream import Cutting, Workshop
from perishield.streams.epochs import Epochs
from perishield.streams.journal import Journal
from perishield.streams.segments import MediaRoot


class Broken:
    """A source with a fault of ours in it."""

    low_delay = False

    async def run(self) -> None:
        raise ZeroDivisionError


async def test_a_fault_of_this_program_is_told_and_the_camera_begins_anew_with_a_higher_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    third = asyncio.Event()

    def open_source(*arguments: Any, epoch: int, **options: Any) -> Broken:
        epochs.append(epoch)
        if len(epochs) == 3:
            third.set()
        return Broken()

    monkeypatch.setattr(ingest_stream, "open_source", open_source)
    monkeypatch.setattr(ingest_stream, "_FIRST_PAUSE_S", 0.01)
    states: list[StreamState] = []
    camera = CameraIngest(
        Camera(id="gate-1", name="gate-1", url="rtsp://127.0.0.1/"),
        Workshop(
            root=MediaRoot(tmp_path),
            cutting=Cutting(segment_s=10, chunk_s=1, chunk_bytes=65_536, low_delay_chunk_s=0.2, file_root=None),
            epochs=Epochs(tmp_path / "epoch"),
        ),
        Listeners(lambda chunk: None, lambda row: None, states.append),
        Journal(tmp_path / "journal"),
    )
    camera.start(0)
    await asyncio.wait_for(third.wait(), 20)
    await camera.stop()
    assert epochs == sorted(set(epochs))
    assert {(state.condition, state.code) for state in states[:-1]} == {(StreamCondition.FAILED, "error")}
    assert states[-1].condition is StreamCondition.OFF
