"""H.265 comes out as H.264 with the same times, and nothing of it stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from perishield.live.description import describe
from perishield.live.masks_file import MASKS, MasksFile, write_masks
from perishield.live.transcode import Transcoder, is_masked, masked, original, transcoded
from perishield.model.media import ChunkRef, Codec
from perishield.streams.fmp4 import rewrite_decode_time
from perishield.vision.privacy import Painter


def test_h265_comes_out_as_h264_in_step(on_air: Callable[..., Any], tmp_path: Path) -> None:
    camera = on_air(Codec.H265, sound=True)
    camera.send(0, 10)
    camera.chunker.close()
    out: list[ChunkRef] = []
    data: list[bytes] = []
    heads: list[bytes] = []

    def took(ref: ChunkRef) -> None:
        out.append(ref)
        file = (tmp_path / ref.path).read_bytes()
        heads.append(file[: ref.init_length])
        chunk = bytearray(file[ref.offset : ref.offset + ref.length])
        rewrite_decode_time(chunk, ref.stream_time)
        data.append(bytes(chunk))

    transcoder = Transcoder(transcoded("gate"), tmp_path, took)
    for ref in camera.refs:
        file = (tmp_path / ref.path).read_bytes()
        description = describe(file[: ref.init_length])
        assert description is not None
        transcoder.take(ref, file[ref.offset : ref.offset + ref.length], description)
    folder = tmp_path / "pool" / "gate~h264"
    assert 1 < len(list(folder.rglob("*.mp4"))) <= 5
    transcoder.close()
    assert not folder.exists()
    assert {(ref.camera, ref.codec, ref.epoch) for ref in out} == {("gate~h264", Codec.H264, 1)}
    assert out[0].key
    assert sum(ref.key for ref in out) >= 4
    sent = {ref.stream_time for ref in camera.refs}
    assert sent <= {ref.stream_time for ref in out}
    with av.open(io.BytesIO(heads[0] + b"".join(data))) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert len(frames) == sum(len(ref.sizes) for ref in out) >= 240
    assert (frames[0].width, frames[0].height) == (192, 128)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_masks_are_burnt_in_and_changed_while_it_runs(on_air: Callable[..., Any], tmp_path: Path, codec: Codec) -> None:
    camera = on_air(codec)
    camera.send(0, 6)
    camera.chunker.close()
    file = MasksFile(tmp_path / "run" / MASKS)
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    right = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    write_masks(tmp_path / "run" / MASKS, {"gate": (left,)})
    painter = Painter(())

    def paint(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        painter.draw(file.of("gate"))
        return painter.paint(frame, width, height)

    halves: list[tuple[int, int]] = []
    out: list[ChunkRef] = []
    chunks: list[bytes] = []

    def took(ref: ChunkRef) -> None:
        out.append(ref)
        data = (tmp_path / ref.path).read_bytes()
        chunk = bytearray(data[ref.offset : ref.offset + ref.length])
        rewrite_decode_time(chunk, ref.stream_time)
        chunks.append((data[: ref.init_length] if len(out) == 1 else b"") + bytes(chunk))

    transcoder = Transcoder(masked("gate"), tmp_path, took, paint)
    for number, ref in enumerate(camera.refs):
        if number == len(camera.refs) // 2:
            write_masks(tmp_path / "run" / MASKS, {"gate": (left, right)})
        data = (tmp_path / ref.path).read_bytes()
        description = describe(data[: ref.init_length])
        assert description is not None
        transcoder.take(ref, data[ref.offset : ref.offset + ref.length], description)
    transcoder.close()
    assert {(ref.camera, ref.codec) for ref in out} == {("gate~masked", Codec.H264)}
    with av.open(io.BytesIO(b"".join(chunks))) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            halves.append((int(luma[:, :92].max()), int(luma[:, 100:].max())))
    assert max(shown for shown, _ in halves) < 40, "what is covered is in no picture"
    assert max(shown for _, shown in halves[:20]) > 60
    assert max(shown for _, shown in halves[-20:]) < 40, "a mask drawn meanwhile counts"


def test_without_masks_that_can_be_read_nothing_is_shown(on_air: Callable[..., Any], tmp_path: Path) -> None:
    file = MasksFile(tmp_path / MASKS)
    with pytest.raises(OSError, match=MASKS):
        file.of("gate")
    (tmp_path / MASKS).write_bytes(b'{"gate": 5}')
    with pytest.raises(OSError, match="cannot be read"):
        file.of("gate")
    write_masks(tmp_path / MASKS, {"gate": ()})
    assert file.of("gate") == file.of("yard") == ()


def test_names_lead_there_and_back() -> None:
    assert original(transcoded("gate")) == original(masked("gate")) == "gate"
    assert is_masked(masked("gate"))
    assert not is_masked(transcoded("gate"))
    assert original("gate") == original("gate~detect") == ""
