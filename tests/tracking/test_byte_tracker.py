from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.vision import MOTION, Detections, TrackBox
from perishield.tracking.association import assign, iou_matrix
from perishield.tracking.byte_tracker import ByteTracker

NAMES = ("person", "car", MOTION)


def seen(
    *boxes: tuple[float, ...], score: float = 0.9, label: str = "person", names: tuple[str, ...] = NAMES
) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.full(count, names.index(label) if count else 0, np.int16),
        names,
    )


def at(x: float, y: float = 200, width: float = 40, height: float = 100) -> tuple[float, float, float, float]:
    return x - width / 2, y - height, x + width / 2, y


def real(tracks: list[TrackBox]) -> list[TrackBox]:
    return [track for track in tracks if track.seen]


def test_somebody_who_walks_keeps_the_id_and_counts_hits() -> None:
    tracker = ByteTracker()
    for picture in range(30):
        (track,) = tracker.update(seen(at(100 + 12 * picture)), picture / 6)
        assert (track.id, track.hits, track.label, track.seen) == (1, picture + 1, "person", True)
        assert track.box == pytest.approx(at(100 + 12 * picture))


def test_boxes_that_never_overlap_are_one_person_at_six_pictures_a_second() -> None:
    tracker = ByteTracker(6)
    ids = {tracker.update(seen(at(100 + 60 * picture)), picture / 6)[0].id for picture in range(12)}
    assert ids == {1}


def test_turning_back_at_low_rate_keeps_the_id() -> None:
    tracker = ByteTracker(5)
    way = [*range(100, 400, 30), *range(400, 100, -30)]
    ids = {tracker.update(seen(at(x)), index / 5)[0].id for index, x in enumerate(way)}
    assert ids == {1}


def landing(*others: tuple[float, ...]) -> list[TrackBox]:
    """Somebody falls, is not seen as he lands, and then stands there, twice as tall as he seemed."""
    tracker = ByteTracker(6)
    for picture in range(6):
        tracker.update(seen(at(300, 100), *others), picture / 6)
    for picture in range(3):
        tracker.update(seen(at(300, 115 + 50 * picture), *others), 1 + picture / 6)
    for picture in range(3):
        tracker.update(seen(*others), 1.5 + picture / 6)
    return real(tracker.update(seen(at(318, 250, 50, 180), *others), 2.0))


def test_who_lands_and_stops_goes_on_where_nobody_else_is() -> None:
    assert [track.id for track in landing()] == [1]
    assert sorted(track.id for track in landing(at(900, 230))) == [1, 2], "somebody far away is no company"


def two_boxes(rest: int, *others: tuple[float, ...]) -> list[list[int]]:
    """Somebody around whom two boxes are drawn in one picture, then one, rather the second: ids."""
    tracker = ByteTracker(6)
    for picture in range(8):
        tracker.update(seen(at(200 + 4 * picture), *others), picture / 6)
    tracker.update(seen(at(226), at(254, 190, 44, 90), *others), 8 / 6)
    last = [tracker.update(seen(at(250 + 4 * picture), *others), (9 + picture) / 6) for picture in range(rest)]
    return [sorted(track.id for track in real(tracks)) for tracks in last]


def test_one_body_with_two_boxes_stays_who_it_was() -> None:
    assert two_boxes(4) == [[1]] * 4
    assert two_boxes(4, at(335)) == [[1, 2]] * 4, "who is known by himself is nobody's rival"


def emerging(*, apart: int) -> list[TrackBox]:
    """One steps out from behind another; both go on, `apart` pixels from each other in the end."""
    tracker = ByteTracker(6)
    for picture in range(8):
        tracker.update(seen(at(200 + 10 * picture)), picture / 6)
    for picture in range(8):
        x = 280 + 10 * picture
        tracks = tracker.update(seen(at(x), at(x - min(26 + 10 * picture, apart))), (8 + picture) / 6)
    return real(tracks)


def test_who_steps_out_from_behind_another_is_known_to_have_come_with_him() -> None:
    assert sorted((track.id, track.parent) for track in emerging(apart=60)) == [(1, 0), (2, 1)]
    assert sorted((track.id, track.parent) for track in emerging(apart=12)) == [(1, 0), (2, 0)], "perhaps one body"


def test_who_comes_in_beside_nobody_came_with_nobody() -> None:
    tracker = ByteTracker(6)
    for picture in range(12):
        boxes = [at(200 + 10 * picture)] + ([at(700)] if picture >= 4 else [])
        tracks = real(tracker.update(seen(*boxes), picture / 6))
    assert [track.parent for track in tracks] == [0, 0]


def test_in_company_nobody_is_taken_for_who_was_lost() -> None:
    assert sorted(track.id for track in landing(at(420, 210))) == [2, 3]


def test_a_part_of_somebody_is_nobody_else() -> None:
    tracker = ByteTracker(6)
    whole, chest = at(300, 200, 40, 100), at(300, 145, 36, 40)
    for picture in range(4):
        tracker.update(seen(whole, *[chest] * (picture > 0)), picture / 6)
    (track,) = real(tracker.update(seen(chest), 4 / 6)) or [None]
    assert track is None or track.id == 1
    assert [each.id for each in real(tracker.update(seen(whole), 5 / 6))] == [1]


def test_a_person_who_is_called_a_dog_besides_is_one_track_and_a_cyclist_is_two() -> None:
    for label, count in (("dog", 1), ("bicycle", 2)):
        names = ("person", label)
        tracker = ByteTracker(6)
        boxes = np.array([at(300, 200, 50, 60), at(304, 210, 56, 60)], np.float32)
        both = Detections(boxes, np.array([0.6, 0.5], np.float32), np.array([0, 1], np.int16), names)
        for picture in range(3):
            tracks = tracker.update(both, picture / 6)
        assert len(tracks) == count


def test_key_frames_only_seconds_apart_keep_who_stands_still() -> None:
    tracker = ByteTracker()
    ids = {real(tracker.update(seen(at(300 + (index % 2) * 3)), index * 4.0))[0].id for index in range(6)}
    assert ids == {1}


def test_two_who_pass_each_other_keep_their_ids() -> None:
    tracker = ByteTracker(10)
    for picture in range(41):
        left, right = at(100 + 10 * picture, 200), at(500 - 10 * picture, 230)
        tracks = tracker.update(seen(left, right), picture / 10)
    assert [track.id for track in tracks] == [1, 2]


def test_an_unsure_box_keeps_a_track_alive_but_starts_none() -> None:
    tracker = ByteTracker()
    assert tracker.update(seen(at(100), score=0.2), 0.0) == []
    tracker.update(seen(at(100)), 0.2)
    (track,) = tracker.update(seen(at(104), score=0.2), 0.4)
    assert (track.id, track.hits, track.seen) == (1, 2, True)


def test_who_is_hidden_is_predicted_for_a_moment_and_known_again_afterwards() -> None:
    tracker = ByteTracker(10)
    for picture in range(10):
        tracker.update(seen(at(100 + 8 * picture)), picture / 10)
    (hidden,) = tracker.update(seen(), 1.0)
    assert not hidden.seen
    assert (hidden.box[0] + hidden.box[2]) / 2 == pytest.approx(180, abs=6)
    for picture in range(11, 20):
        tracks = tracker.update(seen(), picture / 10)
    assert tracks == []
    (again,) = tracker.update(seen(at(260)), 2.0)
    assert again.id == 1


def test_who_stands_behind_something_for_two_and_a_half_seconds_is_known_again() -> None:
    tracker = ByteTracker(6)
    for picture in range(12):
        tracker.update(seen(at(100)), picture / 6)
    for picture in range(12, 26):
        tracker.update(seen(), picture / 6)
    assert [track.id for track in tracker.update(seen(at(104)), 26 / 6)] == [1]


def test_who_is_gone_for_long_gets_a_new_id() -> None:
    tracker = ByteTracker(10)
    for picture in range(10):
        tracker.update(seen(at(100)), picture / 10)
    for picture in range(10, 60):
        tracker.update(seen(), picture / 10)
    assert tracker.update(seen(at(100)), 6.0)[0].id == 2


def test_ids_go_on_after_a_reset_and_when_the_clock_starts_anew() -> None:
    tracker = ByteTracker()
    tracker.update(seen(at(100)), 100.0)
    tracker.reset()
    assert tracker.update(seen(at(100)), 100.2)[0].id == 2
    assert tracker.update(seen(at(100)), 3.0)[0].id == 3


def test_one_picture_of_another_class_does_not_rename() -> None:
    tracker = ByteTracker()
    for picture in range(5):
        tracker.update(seen(at(100)), picture / 6)
    (track,) = tracker.update(seen(at(100), label="car", score=0.6), 5 / 6)
    assert (track.id, track.label) == (1, "person")


def test_another_network_with_other_class_numbers_keeps_labels() -> None:
    tracker = ByteTracker()
    tracker.update(seen(at(100)), 0.0)
    (track,) = tracker.update(seen(at(100), names=("car", "person")), 0.2)
    assert (track.id, track.label) == (1, "person")
    tracker.update(seen(at(100), names=("car", "person")), 0.4)
    (hidden,) = tracker.update(Detections(np.zeros((0, 4), np.float32), np.zeros(0), np.zeros(0), ()), 0.6)
    assert hidden.label == "person"


def test_motion_that_has_not_travelled_starts_no_track() -> None:
    tracker = ByteTracker()
    assert tracker.update(seen(at(100), label=MOTION, score=0.45), 0.0) == []
    assert len(tracker.update(seen(at(100), label=MOTION, score=0.7), 0.2)) == 1


def test_a_blob_that_tears_and_merges_stays_one_object() -> None:
    tracker = ByteTracker()
    ids = set()
    for picture in range(20):
        box = at(100 + 10 * picture)
        upper = (box[0], box[1], box[2], box[1] + 45)
        lower = (box[0], box[1] + 50, box[2], box[3])
        boxes = (upper, lower) if picture % 5 == 4 else (box,)
        tracks = tracker.update(seen(*boxes, label=MOTION), picture / 6)
        if len(boxes) == 1:
            ids |= {track.id for track in tracks if track.seen}
    assert ids == {1}


@pytest.mark.parametrize("rate", [5.0, 8.0, 12.5, 25.0])
def test_ids_are_stable_at_every_picture_rate(rate: float) -> None:
    tracker = ByteTracker(rate)
    rng = np.random.default_rng(7)
    ids = [set(), set(), set()]
    for picture in range(round(8 * rate)):
        time_s = picture / rate
        boxes = [at(60 + speed * time_s + rng.normal(0, 1), 150 + 60 * row) for row, speed in enumerate((40, 70, 90))]
        tracks = tracker.update(seen(*boxes), time_s)
        for row, track in enumerate(tracks):
            ids[row].add(track.id)
    assert ids == [{1}, {2}, {3}]


_odd = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(_odd, _odd, _odd, _odd, _odd, st.integers(-2, 4)), max_size=5),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=8,
    )
)
def test_no_input_breaks_the_tracker(pictures: list[tuple[list[tuple[float, ...]], float]]) -> None:
    tracker = ByteTracker()
    last = 0
    for rows, time_s in pictures:
        table = np.array(rows, np.float32).reshape(-1, 6)
        with np.errstate(all="ignore"):
            detections = Detections(table[:, :4], table[:, 4], np.array([row[5] for row in rows], np.int16), NAMES)
            tracks = tracker.update(detections, time_s)
        assert len({track.id for track in tracks}) == len(tracks)
        for track in tracks:
            assert track.hits >= 1
            if track.seen:
                assert all(map(math.isfinite, track.box))
        last = max([last, *(track.id for track in tracks)])
    fresh = tracker.update(seen(at(5000)), 1e6)
    assert fresh[0].id > 0


def identity_switches(folder: Path, name: str) -> tuple[int, int]:
    """(switches, objects) over a seeded crowd: how often the track on a true object changes."""
    truth: dict[int, list[list[float]]] = {}
    found: dict[int, list[list[float]]] = {}
    for table, file in ((truth, f"{name}.gt.csv"), (found, f"{name}.det.csv")):
        with (folder / file).open(newline="") as lines:
            for row in csv.reader(lines):
                values = [float(value) for value in row]
                table.setdefault(int(values[0]), []).append(values)
    tracker = ByteTracker(25)
    last: dict[int, int] = {}
    switches = 0
    for frame in range(1, 151):
        rows = np.array(found.get(frame, []), np.float32).reshape(-1, 7)
        boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        tracks = tracker.update(Detections(boxes, rows[:, 6], np.zeros(len(rows), np.int16), ("person",)), frame / 25)
        tracks = [track for track in tracks if track.seen]
        people = np.array(truth.get(frame, []), float).reshape(-1, 6)
        followed = np.array([track.box for track in tracks], float).reshape(-1, 4)
        overlap = iou_matrix(np.concatenate([people[:, 2:4], people[:, 2:4] + people[:, 4:6]], axis=1), followed)
        overlap[overlap < 0.5] = 0
        # As in MOTA: whoever was followed stays followed as long as that is possible.
        same = np.array([[last.get(int(person)) == track.id for track in tracks] for person in people[:, 1]])
        for row, column in zip(*assign((overlap + 10 * same * (overlap > 0)) / 11, 0.5 / 11), strict=True):
            person = int(people[row, 1])
            switches += last.get(person, tracks[column].id) != tracks[column].id
            last[person] = tracks[column].id
    return switches, len(last)


@pytest.mark.devset
def test_crowd_of_fifty_keeps_its_identities(devset: Path) -> None:
    switches, objects = identity_switches(devset / "mot", "syn50")
    assert objects >= 45
    assert switches <= 15


def moves(*boxes: tuple[float, ...]) -> np.ndarray:
    return np.array(boxes, np.float64).reshape(-1, 4)


def test_who_was_named_goes_on_while_something_moves_there() -> None:
    tracker = ByteTracker(6)
    for picture in range(3):
        tracker.update(seen(at(100 + 8 * picture), score=0.5), picture / 6)
    for picture in range(3, 20):
        (track,) = tracker.update(seen(), picture / 6, moving=moves(at(100 + 8 * picture)))
        assert (track.id, track.label, track.seen, track.hits) == (1, "person", True, 3)
        assert track.score == pytest.approx(0.5), "what moves is no new opinion"
        assert track.box == pytest.approx(at(100 + 8 * picture))
    (track,) = tracker.update(seen(at(260), score=0.4), 20 / 6)
    assert (track.id, track.hits) == (1, 4)


def test_movement_alone_begins_nothing_and_ends_after_some_seconds() -> None:
    tracker = ByteTracker(6)
    for picture in range(12):
        assert tracker.update(seen(), picture / 6, moving=moves(at(100 + 8 * picture))) == []
    for picture in range(12, 15):
        tracker.update(seen(at(100 + 8 * picture)), picture / 6)
    shown = [
        bool(real(tracker.update(seen(), picture / 6, moving=moves(at(100 + 8 * picture)))))
        for picture in range(15, 60)
    ]
    assert 22 <= sum(shown) <= 24, "four seconds"
    assert not any(shown[24:])


def test_named_twice_is_kept_by_movement_but_not_shown_as_seen() -> None:
    tracker = ByteTracker(6)
    tracker.update(seen(at(100), score=0.5), 0.0)
    tracker.update(seen(at(108), score=0.5), 1 / 6)
    for picture in range(2, 12):
        assert not real(tracker.update(seen(), picture / 6, moving=moves(at(100 + 8 * picture))))
    (track,) = tracker.update(seen(at(196), score=0.5), 2.0)
    assert (track.id, track.hits) == (1, 3)


@pytest.mark.parametrize("other", [at(240), at(124, width=200, height=110), at(124, height=40)])
def test_what_moves_elsewhere_or_is_of_another_size_keeps_nobody(other: tuple[float, ...]) -> None:
    tracker = ByteTracker(6)
    for picture in range(3):
        tracker.update(seen(at(100 + 8 * picture)), picture / 6)
    assert not real(tracker.update(seen(), 3 / 6, moving=moves(other)))


def test_a_part_that_moves_keeps_somebody_at_his_size_and_shows_nobody() -> None:
    tracker = ByteTracker(6)
    for picture in range(4):
        tracker.update(seen(at(100, 200 + 20 * picture)), picture / 6)
    for picture in range(4, 14):
        shown = tracker.update(seen(), picture / 6, moving=moves(at(100, 225, height=62)))
        assert not real(shown), "the upper part of him, which does not tell where his feet are"
    (track,) = tracker.update(seen(at(102, 262)), 14 / 6)
    assert (track.id, track.hits) == (1, 5), "he landed, and has shrunk to nothing in none of the pictures before"


def test_one_movement_is_one_object() -> None:
    tracker = ByteTracker(6)
    for picture in range(3):
        tracker.update(seen(at(100 + 8 * picture), at(130 + 8 * picture)), picture / 6)
    found = tracker.update(seen(at(124)), 3 / 6, moving=moves(at(125)))
    assert [track.id for track in real(found)] == [1]


def test_another_name_for_one_object_begins_no_second_one() -> None:
    tracker = ByteTracker(6)
    for picture in range(6):
        box = at(100 + 8 * picture)
        both = seen(box, (box[0] + 1, *box[1:]), score=0.8)
        named = Detections(both.boxes, both.scores, np.array([0, 1], np.int16), NAMES)
        (track,) = tracker.update(named, picture / 6)
        assert (track.id, track.label) == (1, "person")
    # Now it goes by the other name alone: still the same object.
    (track,) = real(tracker.update(seen(at(148), score=0.9, label="car"), 1.0))
    assert track.id == 1
    beside = Detections(seen(at(156), at(190)).boxes, np.array([0.9, 0.9]), np.array([0, 1], np.int16), NAMES)
    assert sorted(track.label for track in real(tracker.update(beside, 7 / 6))) == ["car", "person"]
