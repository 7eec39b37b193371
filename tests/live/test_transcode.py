"""H.265 comes out as H.264 with the same times, and nothing of it stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from perishield.live.description import describe
from perishield.live.transcode import Transcoder, original, transcoded
from perishield.model.media import ChunkRef, Codec
from perishield.streams.fmp4 import rewrite_decode_time


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

    transcoder = Transcoder("gate", tmp_path, took)
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


def test_names_lead_there_and_back() -> None:
    assert original(transcoded("gate")) == "gate"
    assert original("gate") == original("gate~detect") == ""
