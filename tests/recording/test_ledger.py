"""Every second of a camera is footage or has its reason: over restarts, clock jumps, retention and missing files."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.footage import JournalEntry, LedgerSpan, Reason
from perishield.model.media import SegmentRow
from perishield.recording.journal_states import in_order
from perishield.recording.ledger import completeness, footage_of, ledger, to_seconds, totals

T = 1_790_000_000.0


def entry(wall: float, camera: str, state: str, detail: str = "", **fields: Any) -> JournalEntry:
    """`wall` counts from T; the monotonic clock runs along unless told otherwise."""
    values = {"mono": 1000 + wall, "boot": "b1", **fields}
    if "until" in values:
        values["until"] += T
    return JournalEntry(wall=T + wall, camera=camera, state=state, detail=detail, **values)


def rec(*ranges: tuple[float, float], state: str = "recorded") -> list[LedgerSpan]:
    return [LedgerSpan(T + start, T + end, state) for start, end in ranges]


def told(spans: list[LedgerSpan]) -> list[tuple[float, float, str, str]]:
    return [(round(s.start - T, 3), round(s.end - T, 3), s.state, s.detail) for s in spans]


STARTED = entry(-1000, "", "started")
RUNNING = [STARTED, entry(-995, "gate", "recording")]


def test_footage_without_holes_is_one_span() -> None:
    assert told(ledger(rec((-20, 120)), RUNNING, "gate", T, T + 100)) == [(0, 100, "recorded", "")]


def test_a_camera_that_was_gone_says_so_with_its_code() -> None:
    journal = [*RUNNING, entry(40, "gate", "camera_down", "auth_failed"), entry(70, "gate", "recording")]
    # The file ends a little before the recorder noticed, and begins anew with a key frame a while after.
    spans = ledger(rec((-20, 38.5), (79, 120)), journal, "gate", T, T + 100)
    assert told(spans) == [
        (0, 38.5, "recorded", ""),
        (38.5, 79, "camera_down", "auth_failed"),
        (79, 100, "recorded", ""),
    ]


def test_other_cameras_are_of_no_concern() -> None:
    journal = [*RUNNING, entry(10, "yard", "camera_down", "gone"), entry(20, "yard", "disk", "disk_full")]
    assert told(ledger(rec((-20, 120)), journal, "gate", T, T + 100)) == [(0, 100, "recorded", "")]


def test_before_its_first_word_a_camera_did_not_exist() -> None:
    journal = [STARTED, entry(30, "gate", "recording")]
    assert told(ledger(rec((31, 120)), journal, "gate", T, T + 100)) == [
        (0, 31, "disabled", ""),
        (31, 100, "recorded", ""),
    ]
    assert told(ledger([], [], "gate", T, T + 100)) == [(0, 100, "disabled", "")]


def test_a_recorder_that_was_killed_left_the_camera_to_the_node() -> None:
    journal = [
        *RUNNING,
        entry(40.2, "", "died"),
        entry(60, "", "started", mono=5, boot="b2"),
        entry(61, "gate", "recording", mono=6, boot="b2"),
    ]
    spans = ledger(rec((-20, 39.4), (63, 120)), journal, "gate", T, T + 100)
    assert told(spans) == [
        (0, 39.4, "recorded", ""),
        (39.4, 60, "node_down", "died"),
        (60, 63, "camera_down", "connecting"),
        (63, 100, "recorded", ""),
    ]


def test_what_stopped_and_was_not_started_again_is_down_until_now() -> None:
    journal = [*RUNNING, entry(50, "", "stopped")]
    assert told(ledger(rec((-20, 50)), journal, "gate", T, T + 100)) == [
        (0, 50, "recorded", ""),
        (50, 100, "node_down", "stopped"),
    ]


def test_a_recorder_that_shows_no_life_is_down_before_its_successor_says_so() -> None:
    spans = ledger(rec((-20, 49)), RUNNING, "gate", T, T + 100, now=T + 90, alive=T + 50)
    assert told(spans) == [(0, 49, "recorded", ""), (49, 90, "node_down", "died")]


def test_a_switched_off_camera_stays_so_while_the_node_is_down() -> None:
    journal = [STARTED, entry(-900, "gate", "disabled"), entry(40, "", "stopped"), entry(60, "", "started")]
    assert told(ledger([], journal, "gate", T, T + 100)) == [(0, 100, "disabled", "")]


def test_what_the_policy_left_to_the_pool_is_pooled_while_it_lasts_and_then_the_policy() -> None:
    journal = [STARTED, entry(-900, "gate", "pooled", "event")]
    footage = [*rec((60, 120), state="pooled"), *rec((70, 80))]
    assert told(ledger(footage, journal, "gate", T, T + 100)) == [
        (0, 60, "policy", "event"),
        (60, 70, "pooled", ""),
        (70, 80, "recorded", ""),
        (80, 100, "pooled", ""),
    ]


def test_what_retention_deleted_was_recorded_whatever_the_policy() -> None:
    booked = replace(entry(200, "gate", "span", until=50, reason="retention"), wall=T - 100)
    assert told(ledger(rec((50, 120)), [*RUNNING, booked], "gate", T, T + 100)) == [
        (0, 50, "retention", ""),
        (50, 100, "recorded", ""),
    ]
    event = [STARTED, entry(-900, "gate", "pooled", "event"), replace(booked, wall=T + 20)]
    assert told(ledger([], event, "gate", T, T + 100)) == [
        (0, 20, "policy", "event"),
        (20, 50, "retention", ""),
        (50, 100, "policy", "event"),
    ]


def test_a_file_that_retention_did_not_take_is_deleted() -> None:
    assert told(ledger(rec((-20, 30), (40, 120)), RUNNING, "gate", T, T + 100)) == [
        (0, 30, "recorded", ""),
        (30, 40, "deleted", ""),
        (40, 100, "recorded", ""),
    ]


def test_loss_is_booked_where_it_was_and_a_short_unbooked_hole_is_loss_too() -> None:
    journal = [*RUNNING, replace(entry(60, "gate", "span", "12 packets", until=45, reason="loss"), wall=T + 38)]
    spans = ledger(rec((-20, 38), (45, 60), (62, 120)), journal, "gate", T, T + 100)
    assert told(spans) == [
        (0, 38, "recorded", ""),
        (38, 45, "loss", "12 packets"),
        (45, 60, "recorded", ""),
        (60, 62, "loss", ""),
        (62, 100, "recorded", ""),
    ]


def test_a_clock_set_forward_leaves_an_hour_that_never_was() -> None:
    journal = [
        *RUNNING,
        entry(40, "", "clock", "+3600.000", until=3640, mono=1040),
        entry(3640.5, "gate", "recording", mono=1040.5),
    ]
    spans = ledger(rec((-20, 40), (3640, 3800)), journal, "gate", T, T + 3700)
    assert told(spans) == [
        (0, 40, "recorded", ""),
        (40, 3640, "clock", "forward"),
        (3640, 3700, "recorded", ""),
    ]


def test_a_clock_set_back_makes_an_hour_pass_twice_and_the_later_pass_explains_it() -> None:
    journal = [
        *RUNNING,
        entry(20, "gate", "camera_down", "gone"),
        entry(30, "gate", "recording"),
        entry(-3560, "", "clock", "-3600.000", until=40, mono=1040),
        entry(-3560, "gate", "recording", mono=1040.1),
        entry(10, "gate", "camera_down", "timeout", mono=4610),
        entry(12, "gate", "recording", mono=4612),
    ]
    # The first pass wrote [-20, 20) and [30, 40), the second [-3560, 10) and [12, ...).
    spans = ledger(rec((-20, 20), (30, 40), (-3560, 10), (12, 200)), journal, "gate", T - 100, T + 100)
    assert told(spans) == [(-100, 100, "recorded", "")], "the two passes complete each other"
    alone = ledger(rec((-3560, 10), (12, 200)), journal, "gate", T - 100, T + 100)
    assert told(alone) == [(-100, 10, "recorded", ""), (10, 12, "camera_down", "timeout"), (12, 100, "recorded", "")]


def test_slewing_the_clock_is_no_jump() -> None:
    journal = [*RUNNING, entry(86_400, "gate", "camera_down", "gone", mono=1000 + 86_400 - 20)]
    assert {s.state for s in ledger(rec((-20, 86_400)), journal, "gate", T, T + 86_400)} == {"recorded"}


def test_the_youngest_seconds_are_on_their_way() -> None:
    spans = ledger(rec((-20, 97.5)), RUNNING, "gate", T, T + 3600, now=T + 100)
    assert told(spans) == [(0, 100, "recorded", "")]


def test_segments_adjoin_by_stream_time_where_the_clock_came_to_be_trusted() -> None:
    row = SegmentRow(
        camera="gate", pool="recordings", path="a", epoch=4, start=T, duration=10.0, size=1, frames=250,
        stream_time=0, codec="h264", mime="", width=1, height=1, init_length=1, keyframes=(), complete=True,
    )  # fmt: skip
    later = replace(row, path="b", start=T + 11.7, stream_time=900_000)
    assert told(footage_of([later, row])) == [(0, 21.7, "recorded", "")]
    assert len(footage_of([row, replace(later, epoch=5)])) == 2, "another epoch proves nothing"
    assert len(footage_of([row, replace(later, stream_time=1_100_000)])) == 2, "two seconds of the stream are missing"
    pooled = replace(row, pool="pool", path="c", start=T + 5)
    assert told(footage_of([row, pooled])) == [(0, 10, "recorded", ""), (5, 15, "pooled", "")]


def test_completeness_counts_what_should_have_been_there() -> None:
    assert completeness({"recorded": 50, "retention": 30, "policy": 1000, "clock": 5, "camera_down": 20}) == 0.8
    assert completeness({"policy": 100, "disabled": 3}) is None


# Property tests: any journal and any footage, however mad.

walls = st.floats(-500, 500).map(lambda value: round(value, 4))
entries = st.lists(
    st.builds(
        lambda wall, mono, boot, camera, state, until, reason, detail: JournalEntry(
            T + wall, mono, boot, camera, state, detail, T + until, reason
        ),
        walls,
        st.floats(0, 1000),
        st.sampled_from(["b1", "b2"]),
        st.sampled_from(["gate", "", "yard"]),
        st.sampled_from(
            ["recording", "pooled", "camera_down", "disk", "disabled", "span", "started", "stopped", "died", "clock"]
        ),
        walls,
        st.sampled_from(["retention", "loss", "disk"]),
        st.sampled_from(["", "gone", "recordings", "+60.000", "-5.000"]),
    ),
    max_size=25,
)
footages = st.lists(
    st.builds(
        lambda start, length, state: LedgerSpan(T + start, T + start + length, state),
        walls,
        st.floats(0, 200),
        st.sampled_from(["recorded", "pooled"]),
    ),
    max_size=25,
)
REASONS = {"recorded", "pooled", *Reason}


@settings(max_examples=400, deadline=None)
@given(footages, entries, walls, st.floats(0.001, 600), st.none() | walls)
def test_any_time_is_covered_once_and_every_span_has_a_known_state(
    footage: list[LedgerSpan], journal: list[JournalEntry], start: float, length: float, alive: float | None
) -> None:
    first, last = T + start, T + start + length
    died = None if alive is None else T + alive
    spans = ledger(footage, journal, "gate", first, last, alive=died)
    if round(first * 1000) >= round(last * 1000):
        assert spans == []
        return
    assert spans[0].start == round(first * 1000) / 1000
    assert spans[-1].end == round(last * 1000) / 1000
    for before, after in pairwise(spans):
        assert before.end == after.start
        assert (before.state, before.detail) != (after.state, after.detail)
    assert all(span.start < span.end and span.state in REASONS for span in spans)
    assert ledger(footage, journal, "gate", first, last, alive=died) == spans
    assert ledger(footage + footage, journal, "gate", first, last, alive=died) == spans
    seconds = to_seconds(spans)
    assert all(before.end == after.start for before, after in pairwise(seconds))
    assert abs(sum(totals(seconds).values()) - (last - first)) <= 1


@settings(max_examples=300, deadline=None)
@given(footages, entries, walls, st.floats(1, 300), st.floats(0, 1))
def test_two_halves_say_what_the_whole_says(
    footage: list[LedgerSpan], journal: list[JournalEntry], start: float, length: float, share: float
) -> None:
    first, last = T + start, T + start + length
    middle = round(first + length * share, 3)
    whole = ledger(footage, journal, "gate", first, last)
    halves = ledger(footage, journal, "gate", first, middle) + ledger(footage, journal, "gate", middle, last)

    def at(spans: list[LedgerSpan], moment: float) -> tuple[str, str]:
        return next((s.state, s.detail) for s in spans if s.start <= moment < s.end)

    for _ in range(20):
        moment = random.uniform(first + 0.002, last - 0.002)
        assert at(whole, moment) == at(halves, moment)


@settings(max_examples=200, deadline=None)
@given(footages, entries, walls, st.floats(1, 300))
def test_recorded_is_exactly_what_footage_says(
    footage: list[LedgerSpan], journal: list[JournalEntry], start: float, length: float
) -> None:
    first, last = T + start, T + start + length
    now = last + 100
    for span in ledger(footage, journal, "gate", first, last, now=now):
        middle = (span.start + span.end) / 2
        within = any(f.state == "recorded" and f.start - 0.001 <= middle <= f.end + 0.001 for f in footage)
        touched = any(f.start - 3 <= middle <= f.end + 3 for f in footage)
        assert (span.state == "recorded") == within or touched


@given(entries)
def test_order_is_that_of_boots_and_monotonic_clocks(journal: list[JournalEntry]) -> None:
    ordered = in_order(journal)
    assert sorted(map(id, ordered)) == sorted(map(id, journal))
    for before, after in pairwise(ordered):
        assert before.boot != after.boot or before.mono <= after.mono
