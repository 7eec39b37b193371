"""What another recorder sends: real segments get their place, everything else is refused without a trace."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perishield.model.errors import StorageError
from perishield.recording.index import list_segments
from perishield.recording.storage.received import INCOMING, receive, segment_place, sweep_incoming


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def segment(archive: Any) -> tuple[Any, bytes]:
    """A real segment of two seconds, with its row."""
    archive.record(0, 100)
    row = archive.rows[0]
    return row, (archive.media / row.path).read_bytes()


def test_a_segment_of_ours_gets_its_place_and_its_row(segment: tuple[Any, bytes], tmp_path: Path) -> None:
    row, data = segment
    media = tmp_path / "nvr"
    media.mkdir()
    name = Path(row.path).name
    taken = receive(media, "site-1-gate-3", name, [data[:100], data[100:]], len(data), sha256(data))
    assert taken.new
    assert taken.row.start == pytest.approx(row.start, abs=1e-3)
    assert (taken.row.duration, taken.row.keyframes, taken.row.frames) == (row.duration, row.keyframes, row.frames)
    assert (taken.row.epoch, taken.row.stream_time, taken.row.complete) == (row.epoch, row.stream_time, True)
    assert (media / taken.row.path).read_bytes() == data
    (found,) = list_segments(media, "site-1-gate-3", row.start, row.start + 1)
    assert found == taken.row
    assert list((media / INCOMING).iterdir()) == []


def test_the_same_again_changes_nothing_and_another_is_refused(segment: tuple[Any, bytes], tmp_path: Path) -> None:
    row, data = segment
    name = Path(row.path).name
    assert receive(tmp_path, "gate", name, [data], len(data), sha256(data)).new
    assert not receive(tmp_path, "gate", name, [data], len(data), sha256(data)).new
    other = bytearray(data)
    other[-1] ^= 1
    with pytest.raises(StorageError) as error:
        receive(tmp_path, "gate", name, [bytes(other)], len(other), sha256(other))
    assert error.value.code == "conflict"
    assert (tmp_path / segment_place("gate", name)).read_bytes() == data


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda data: data[:-1], "not_a_segment"),
        (lambda data: data + b"\0", "not_a_segment"),
        (lambda data: data[:700], "not_a_segment"),
        (lambda data: b"", "not_a_segment"),
        (lambda data: b"<html>" + data, "not_a_segment"),
        (lambda data: data[:4] + b"ftyx" + data[8:], "not_a_segment"),
    ],
)
def test_what_is_no_whole_segment_leaves_no_trace(
    segment: tuple[Any, bytes], tmp_path: Path, spoil: Any, code: str
) -> None:
    data = spoil(segment[1])
    media = tmp_path / "nvr"
    media.mkdir()
    with pytest.raises(StorageError) as error:
        receive(media, "gate", "1790000000.mp4", [data], len(data), sha256(data))
    assert error.value.code == code
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_damage_on_the_way_is_noticed(segment: tuple[Any, bytes], tmp_path: Path) -> None:
    data = segment[1]
    with pytest.raises(StorageError) as error:
        receive(tmp_path, "gate", "1790000000.mp4", [data[:-1] + b"\0"], len(data), sha256(data))
    assert error.value.code == "corrupt"


def test_more_or_fewer_bytes_than_said_are_refused(segment: tuple[Any, bytes], tmp_path: Path) -> None:
    data = segment[1]
    for size in (len(data) - 1, len(data) + 1):
        with pytest.raises(StorageError) as error:
            receive(tmp_path, "gate", "1790000000.mp4", [data], size, sha256(data))
        assert error.value.code == "not_a_segment"


@pytest.mark.parametrize("camera", ["..", "a/b", "", "A", "a" * 64, "gate~detect", "é"])
@pytest.mark.parametrize("name", ["1790000000.mp4"])
def test_streams_cannot_climb_out(tmp_path: Path, camera: str, name: str) -> None:
    with pytest.raises(StorageError):
        segment_place(camera, name)


@given(st.text(max_size=60))
@example("../../etc/passwd")
@example("1790000000.mp4/../x")
@example("١٧٩.mp4")
@example("1790000000-.mp4")
@example("999999999999.mp4")
def test_names_lead_below_the_stream_or_nowhere(name: str) -> None:
    try:
        place = segment_place("gate", name)
    except StorageError:
        return
    parts = place.split("/")
    assert parts[:2] == ["recordings", "gate"]
    assert len(parts) == 5
    assert ".." not in parts


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_at_all_make_it_fail_or_leave_something(
    segment: tuple[Any, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    media = tmp_path_factory.mktemp("nvr")
    sent = bytearray(segment[1])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(sent) - 1))
        sent[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(sent)), st.integers(0, len(sent))))
    body = bytes(sent[:cut])
    try:
        taken = receive(media, "gate", "1790000000.mp4", [body], len(body), sha256(body))
    except StorageError:
        assert [path for path in media.rglob("*") if path.is_file()] == []
    else:
        assert taken.row.size == len(body)
        assert (media / taken.row.path).read_bytes() == body


def test_a_full_disk_is_told_before_anything_is_taken(segment: tuple[Any, bytes], tmp_path: Path) -> None:
    with pytest.raises(StorageError) as error:
        receive(tmp_path, "gate", "1790000000.mp4", [], 1 << 60, "00" * 32)
    assert error.value.code == "disk_full"


def test_what_an_earlier_run_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / INCOMING / "x").mkdir(parents=True)
    (tmp_path / INCOMING / "x" / "half.mp4").write_bytes(b"half")
    sweep_incoming(tmp_path)
    assert not (tmp_path / INCOMING).exists()
