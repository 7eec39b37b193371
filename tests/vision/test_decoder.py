from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.media import TIMESCALE
from perishield.vision.decoder import ChunkDecoder
from perishield.vision.picture import Picture

STEP = TIMESCALE // 25
Record = Callable[..., Any]
Opened = Callable[[Path], ChunkDecoder]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Decoders that are closed in the end."""
    decoders: list[ChunkDecoder] = []

    def make(root: Path) -> ChunkDecoder:
        decoders.append(ChunkDecoder(root))
        return decoders[-1]

    yield make
    for decoder in decoders:
        decoder.close()


def stamps(pictures: list[Picture], read: Callable[..., int]) -> list[int]:
    return [read(picture.luma()) for picture in pictures]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_every_picture_bears_its_own_times(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any, codec: str
) -> None:
    footage = record(stamped_pictures(60), codec=codec, gop=20, offset=9_000_000)
    decoder = opened(footage.root)
    pictures = [picture for ref in footage.refs for picture in decoder.follow(ref)]
    numbers = stamps(pictures, read_stamp)
    assert numbers == list(range(60))[: len(numbers)]
    assert len(numbers) >= 58
    for number, picture in zip(numbers, pictures, strict=True):
        assert picture.stream_time == 9_000_000 + number * STEP
        assert picture.wall == pytest.approx(1_760_000_000 + number / 25, abs=1e-6)
        assert picture.arrival == pytest.approx(1_760_000_000.04 + number / 25, abs=0.0011)
        assert picture.key == (number % 20 == 0)
        assert (picture.width, picture.height) == (320, 192)
    assert decoder.counts.corrupt == 0


def test_without_reordering_a_picture_comes_with_its_own_chunk(
    record: Record, opened: Opened, stamped_pictures: Any
) -> None:
    footage = record(stamped_pictures(24), gop=24)
    decoder = opened(footage.root)
    assert [len(list(decoder.follow(ref))) for ref in footage.refs] == [8, 8, 8]


def test_reordered_pictures_keep_presentation_order_and_times(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(
        stamped_pictures(50), gop=25, options={"tune": "psnr", "bf": "3", "preset": "veryfast", "b_adapt": "0"}
    )
    assert any(ref.composition for ref in footage.refs)
    decoder = opened(footage.root)
    pictures = [picture for ref in footage.refs for picture in decoder.follow(ref)]
    numbers = stamps(pictures, read_stamp)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 44
    shift = footage.units[0].pts
    for number, picture in zip(numbers, pictures, strict=True):
        assert picture.stream_time == shift + number * STEP
        assert picture.wall == pytest.approx(1_760_000_000 + picture.stream_time / TIMESCALE, abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"tune": "psnr", "bf": "3", "preset": "veryfast"}])
def test_skimming_decodes_key_frames_alone(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any, options: dict[str, str]
) -> None:
    footage = record(stamped_pictures(100), gop=25, options=options)
    decoder = opened(footage.root)
    pictures = [picture for ref in footage.refs if (picture := decoder.skim(ref)) is not None]
    assert stamps(pictures, read_stamp) == [0, 25, 50, 75]
    assert all(picture.key for picture in pictures)
    assert decoder.counts.units == 4


def test_a_gate_that_opens_late_misses_nothing_since_the_key_frame(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(stamped_pictures(100), gop=50)
    decoder = opened(footage.root)
    late = next(index for index, ref in enumerate(footage.refs) if ref.stream_time >= 70 * STEP)
    for ref in footage.refs[:late]:
        decoder.skim(ref)
    pictures = [picture for ref in footage.refs[late:] for picture in decoder.follow(ref)]
    assert stamps(pictures, read_stamp) == list(range(50, 100))


def test_it_looks_back_into_the_group_before_when_asked(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(stamped_pictures(100), gop=25)
    decoder = opened(footage.root)
    for ref in footage.refs:
        if ref.stream_time < 75 * STEP:
            decoder.skim(ref)
    key = next(ref for ref in footage.refs if ref.stream_time == 75 * STEP)
    decoder.skim(key)
    assert stamps(list(decoder.catch_up(since=60 * STEP)), read_stamp) == list(range(50, 75 + len(key.sizes)))
    after = footage.refs[footage.refs.index(key) + 1]
    assert stamps(list(decoder.follow(after)), read_stamp) == [75 + len(key.sizes) + n for n in range(len(after.sizes))]


def test_following_and_skimming_may_alternate(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(stamped_pictures(150), gop=50, per_chunk=5)
    decoder = opened(footage.root)
    seen: list[int] = []
    for index, ref in enumerate(footage.refs):
        if index % 4 < 2:
            picture = decoder.skim(ref)
            seen += [] if picture is None else [read_stamp(picture.luma())]
        else:
            seen += stamps(list(decoder.follow(ref)), read_stamp)
    assert set(seen) == set(range(140))
    assert decoder.counts.corrupt == 0


@pytest.mark.parametrize("change", [{"discontinuity": True}, {"number": 1_000}, {"epoch": 2}])
def test_after_a_break_it_waits_for_a_key_frame(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any, change: dict[str, Any]
) -> None:
    footage = record(stamped_pictures(75), gop=25, per_chunk=5)
    refs = list(footage.refs)
    broken = 7
    for index in range(broken, len(refs)):
        fields = dict(change)
        if "discontinuity" in fields:
            fields["discontinuity"] = index == broken
        if "number" in fields:
            fields["number"] += index
        refs[index] = replace(refs[index], **fields)
    decoder = opened(footage.root)
    pictures = [picture for ref in refs for picture in decoder.follow(ref)]
    assert stamps(pictures, read_stamp) == [*range(35), *range(50, 75)]
    assert decoder.counts.resyncs == 1


def test_a_new_picture_size_is_taken_up_at_once(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    first = record(stamped_pictures(30), gop=30)
    last = first.refs[-1]
    second = record(stamped_pictures(30, 384, 256), gop=30, name="1760000001", number=last.number + 1, offset=30 * STEP)
    decoder = opened(first.root)
    pictures = [picture for ref in first.refs + second.refs for picture in decoder.follow(ref)]
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 192), (384, 256)}
    assert [picture.stream_time for picture in pictures] == [index * STEP for index in range(60)]


def test_a_new_file_of_the_same_stream_does_not_interrupt(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(stamped_pictures(60), gop=60)
    other = footage.root / "pool/other.mp4"
    other.parent.mkdir()
    other.write_bytes(footage.file.read_bytes())
    refs = [replace(ref, path="pool/other.mp4") if index > 3 else ref for index, ref in enumerate(footage.refs)]
    decoder = opened(footage.root)
    pictures = [picture for ref in refs for picture in decoder.follow(ref)]
    assert stamps(pictures, read_stamp) == list(range(60))


def test_a_file_that_retention_removed_is_counted(record: Record, opened: Opened, stamped_pictures: Any) -> None:
    footage = record(stamped_pictures(30), gop=10)
    footage.file.unlink()
    decoder = opened(footage.root)
    assert [list(decoder.follow(ref)) for ref in footage.refs] == [[]] * len(footage.refs)
    assert decoder.counts.missing == len(footage.refs)


def test_a_picture_outlives_its_decoder(record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any) -> None:
    footage = record(stamped_pictures(40), gop=40)
    decoder = opened(footage.root)
    views = [picture.luma() for ref in footage.refs for picture in decoder.follow(ref)]
    decoder.close()
    assert [read_stamp(view) for view in views] == list(range(40))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_crash_and_the_next_key_frame_heals(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any, data: st.DataObject
) -> None:
    footage = record(stamped_pictures(60), gop=20, per_chunk=7)
    content = bytearray(footage.file.read_bytes())
    hurt = [ref for ref in footage.refs if ref.stream_time < 40 * STEP]
    low = min(ref.offset for ref in hurt)
    high = max(ref.offset + ref.length for ref in hurt)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    for place in rng.integers(low, high, data.draw(st.integers(1, 400))):
        content[place] = rng.integers(0, 256)
    footage.file.write_bytes(bytes(content))
    decoder = opened(footage.root)
    seen = [picture for ref in footage.refs for picture in decoder.follow(ref)]
    healthy = [picture for picture in seen if picture.stream_time >= 40 * STEP]
    assert stamps(healthy, read_stamp) == list(range(40, 60))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2_000), value=st.integers(0, 255), cut=st.none() | st.integers(0, 900))
def test_a_damaged_init_segment_never_crashes(
    record: Record, opened: Opened, stamped_pictures: Any, place: int, value: int, cut: int | None
) -> None:
    footage = record(stamped_pictures(10), gop=10)
    content = bytearray(footage.file.read_bytes())
    content[place % footage.refs[0].init_length] = value
    footage.file.write_bytes(bytes(content[:cut] if cut is not None else content))
    decoder = opened(footage.root)
    for ref in footage.refs:
        list(decoder.follow(ref))
        decoder.skim(ref)


def test_pictures_nobody_waits_for_and_nothing_is_predicted_from_are_passed_over(
    record: Record, opened: Opened, stamped_pictures: Any, read_stamp: Any
) -> None:
    footage = record(stamped_pictures(50), gop=25, options={"tune": "fastdecode", "bf": "3", "b-adapt": "0"})
    plain, choosy = opened(footage.root), opened(footage.root)
    every = [picture for ref in footage.refs for picture in plain.follow(ref)]
    choosy.wanted_from = every[30].stream_time
    some = [picture for ref in footage.refs for picture in choosy.follow(ref)]
    wanted = [read_stamp(picture.luma()) for picture in every[30:]]
    assert [read_stamp(picture.luma()) for picture in some][-len(wanted) :] == wanted
    assert len(some) < len(every) - 12


def test_hardware_that_is_not_there_is_done_without(record: Record, stamped_pictures: Any, read_stamp: Any) -> None:
    footage = record(stamped_pictures(20), gop=10)
    for wanted in ("auto", "cuda", "vaapi", "nonsense"):
        decoder = ChunkDecoder(footage.root, hardware=wanted)
        seen = [read_stamp(picture.luma()) for ref in footage.refs for picture in decoder.follow(ref)]
        assert seen == list(range(20)) or (decoder.counts.corrupt and seen[-10:] == list(range(10, 20)))
        assert decoder.name == "software" or wanted == "auto"
        decoder.close()
