"""One intrusion seen many times is one group, and two intrusions are two."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.alarms.grouping import Grouping
from perishield.alarms.intake import Announcement, Intake
from perishield.alarms.neighbours import apart, outline
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Event, EventKind
from perishield.model.ground import GroundPlane, GroundPoint
from perishield.model.people import GroupKind
from perishield.model.site import Camera
from perishield.store.alarm_life import history
from perishield.store.cameras import add_camera, get_camera, update_camera
from perishield.store.database import Database
from perishield.store.groups import add_group, get_group, update_group

MakeEvent = Callable[..., Event]
WALL = 1_790_000_000.0


@pytest.fixture
def grouped(database: Database, tmp_path: Path, make_event: MakeEvent) -> Callable[..., Any]:
    """Sends events the whole way in, and says of each which group it joined."""

    async def run(how: Grouping, *events: tuple[str, dict[str, Any]]) -> list[str]:
        heard: list[Announcement] = []
        spool = Spool(tmp_path / "spool.db")
        intake = Intake(spool, database, heard.append, grouping=how)
        for name, fields in events:
            event = make_event(name, **{**fields, "wall": WALL + fields.get("wall", 0.0)})
            spool.put(event.id, encode(event))
        await intake.drain()
        spool.close()
        return [told.alarm.group for told in heard]

    return run


NEAR = Grouping(within_s=60, longest_s=600, neighbours=(frozenset({"gate", "yard"}),))


async def test_a_track_is_one_whatever_it_breaks(grouped: Callable[..., Any]) -> None:
    assert await grouped(
        NEAR,
        ("a", {"track": 5}),
        ("b", {"track": 5, "rule": {"id": "zone"}, "kind": EventKind.ZONE_ENTER, "wall": 300.0}),
        ("c", {"track": 6, "rule": {"id": "other"}, "wall": 301.0}),
        ("d", {"track": 5, "epoch": 4, "rule": {"id": "third"}, "wall": 302.0}),
    ) == ["a", "a", "c", "d"]


async def test_a_rule_is_one_within_the_time(grouped: Callable[..., Any]) -> None:
    assert await grouped(
        NEAR,
        ("a", {"track": 1}),
        ("b", {"track": 2, "wall": 59.0}),
        ("c", {"track": 3, "wall": 118.0}),
        ("d", {"track": 4, "wall": 400.0}),
    ) == ["a", "a", "a", "d"]


async def test_neighbours_see_the_same_intruder(grouped: Callable[..., Any]) -> None:
    yard = {"camera": "yard", "rule": {"id": "fence"}, "wall": 20.0}
    far = {"camera": "roof", "rule": {"id": "edge"}, "wall": 20.0}
    assert await grouped(
        NEAR,
        ("a", {}),
        ("b", {**yard, "track": 1}),
        ("c", {**yard, "track": 2, "label": "car", "rule": {"id": "road"}}),
        ("d", {**far, "track": 1}),
    ) == ["a", "a", "c", "d"]


async def test_an_intrusion_does_not_go_on_for_ever(grouped: Callable[..., Any]) -> None:
    events = [(f"e{number}", {"track": number, "wall": number * 50.0}) for number in range(14)]
    groups = await grouped(NEAR, *events)
    assert groups[:13] == ["e0"] * 13
    assert groups[13] == "e13", "650 s after the beginning"


async def test_trouble_of_a_camera_is_no_intrusion(grouped: Callable[..., Any]) -> None:
    trouble = {"kind": EventKind.HEALTH, "track": -1, "rule": {"id": "health"}}
    assert await grouped(
        NEAR,
        ("a", {"rule": {"id": "health"}}),
        ("b", {**trouble, "label": "dark"}),
        ("c", {**trouble, "label": "dark", "wall": 10.0}),
        ("d", {**trouble, "label": "moved", "wall": 10.0}),
        ("e", {**trouble, "label": "dark", "camera": "yard", "wall": 10.0}),
    ) == ["a", "b", "b", "d", "e"]


async def test_without_a_time_each_is_its_own(grouped: Callable[..., Any], database: Database) -> None:
    assert await grouped(Grouping(within_s=0), ("a", {}), ("b", {})) == ["a", "b"]
    async with database.read() as session:
        assert [one.body["group"] for one in await history(session, "b")] == ["b"]


def ground(x: float, y: float) -> GroundPlane:
    """Ten metres by ten, calibrated at its corners."""
    corners = ((0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0))
    points = tuple(GroundPoint(picture=(u, v), site=(x + 10 * u, y + 10 * (1 - v))) for u, v in corners)
    return GroundPlane(points=points, matrix=(10, 0, x, 0, -10, y + 10, 0, 0, 1), error_m=0.0)


@pytest.fixture
async def fence(database: Database) -> dict[str, str]:
    """Three cameras in a row, the third of them 40 m further; and the ids of groups of the first two, and of all."""
    async with database.write() as session:
        for name, x in (("gate", 0.0), ("yard", 12.0), ("roof", 62.0)):
            await add_camera(session, Camera(id=name, name=name, url="rtsp://10.0.0.1/1", ground=ground(x, 0.0)))
        near = await add_group(session, "Fence", GroupKind.GROUP, "", ["gate", "yard"])
        wide = await add_group(session, "Whole site", GroupKind.SITE, "", ["gate", "yard", "roof"])
    return {"near": near.id, "wide": wide.id}


SEEN = (
    ("a", {"camera": "gate"}),
    ("b", {"camera": "yard", "rule": {"id": "fence"}, "wall": 20.0, "track": 1}),
    ("c", {"camera": "roof", "rule": {"id": "edge"}, "wall": 21.0, "track": 2}),
)
ALONE = Grouping(within_s=60, longest_s=600)


async def test_a_group_makes_neighbours_only_where_it_says_so(
    grouped: Callable[..., Any], database: Database, fence: dict[str, str]
) -> None:
    assert await grouped(ALONE, *SEEN) == ["a", "b", "c"], "a group alone is any choice of cameras"
    async with database.write() as session:
        group = await get_group(session, fence["near"])
        assert group is not None
        assert not group.adjoining
        await update_group(session, replace(group, adjoining=True), None)
    again = [(f"{name}2", {**fields, "wall": fields.get("wall", 0.0) + 2000}) for name, fields in SEEN]
    assert await grouped(ALONE, *again) == ["a2", "a2", "c2"]


async def test_cameras_whose_ground_lies_close_on_the_plan_are_neighbours(
    grouped: Callable[..., Any], fence: dict[str, str]
) -> None:
    assert await grouped(replace(ALONE, near_m=5.0), *SEEN) == ["a", "a", "c"]


async def test_a_camera_that_is_calibrated_anew_is_judged_anew(
    grouped: Callable[..., Any], database: Database, fence: dict[str, str]
) -> None:
    async with database.write() as session:
        roof = await get_camera(session, "roof")
        assert roof is not None
        await update_camera(session, replace(roof, ground=ground(23.0, 2.0)), None)
        yard = await get_camera(session, "yard")
        assert yard is not None
        await update_camera(session, replace(yard, ground=None), None)
    assert await grouped(replace(ALONE, near_m=13.5), *SEEN) == ["a", "b", "a"]


async def test_another_sites_metres_are_another_plans(
    grouped: Callable[..., Any], database: Database, fence: dict[str, str]
) -> None:
    async with database.write() as session:
        wide = await get_group(session, fence["wide"])
        assert wide is not None
        await update_group(session, replace(wide, cameras=("gate", "roof")), None)
        await add_group(session, "Other site", GroupKind.SITE, "", ["yard"])
    assert await grouped(replace(ALONE, near_m=5.0), *SEEN) == ["a", "b", "c"]


coordinate = st.floats(-50, 50).map(lambda value: round(value, 2))
points = st.lists(st.tuples(coordinate, coordinate), min_size=4, max_size=8).map(tuple)


@settings(max_examples=150, deadline=None)
@given(points, points, st.floats(0, 1), st.floats(0, 1))
def test_areas_are_no_farther_apart_than_any_of_their_points(
    one: tuple[tuple[float, float], ...], other: tuple[tuple[float, float], ...], s: float, t: float
) -> None:
    here, there = outline(one), outline(other)
    way = apart(here, there)
    assert way == pytest.approx(apart(there, here), abs=1e-9)
    for first in (one[0], between(one[0], one[1], s)):
        for second in (other[0], between(other[0], other[1], t)):
            assert way <= math.dist(first, second) + 1e-6
    assert apart(here, here) == 0.0
    shifted = tuple((x + 200.0, y) for x, y in one)
    gap = min(x for x, _ in shifted) - max(x for x, _ in one)
    assert apart(here, outline(shifted)) >= gap - 1e-6


def between(one: tuple[float, float], other: tuple[float, float], share: float) -> tuple[float, float]:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share
