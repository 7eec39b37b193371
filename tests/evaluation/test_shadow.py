"""Trials on footage that the recorder's own chunker wrote, against the truth of the rendered scene."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_scene import WALL, Crossing, crossing, record, rendered

from perishield.bus.process import encode_config
from perishield.evaluation.recorded_chunks import chunk_refs
from perishield.evaluation.report_texts import TEXTS, Texts
from perishield.evaluation.shadow import Watch, shadow
from perishield.evaluation.shadow_plan import RealAlarm, ShadowError, ShadowPlan, check_range
from perishield.evaluation.shadow_report import shadow_report
from perishield.evaluation.shadow_site import draft, plan_for, read_draft
from perishield.evaluation.shadow_worker import RESULT, order_for
from perishield.model.alarms import Alarm, AlarmState, ClipState, Event, EventKind
from perishield.model.doubts import Doubt, Doubts
from perishield.model.errors import RuleError, StorageError
from perishield.model.ground import GroundPlane, GroundPoint
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.model.rules import Tripwire
from perishield.model.site import Analysis, Camera
from perishield.model.vision import Detections
from perishield.store.alarms import add_alarm
from perishield.store.cameras import add_camera
from perishield.store.database import Database, sqlite_url
from perishield.store.rules import add_rule
from perishield.tracking.ground_fit import fit_ground
from perishield.vision.motion import MotionDetector
from perishield.vision.picture import Picture

# Trials give way to whatever else the machine does.
pytestmark = pytest.mark.timeout(400)


class Recorded:
    def __init__(self, folder: Path) -> None:
        clip, self.truth = rendered(folder)
        self.data = folder / "data"
        self.media = self.data / "media"
        self.rows = record(self.media, clip, "north")
        self.crossing: Crossing = crossing(self.truth)

    def line(self, x: float | None = None, **fields: Any) -> Tripwire:
        at = self.crossing.x if x is None else x
        return Tripwire(id="draft", camera="north", name="Draft", line=((at, 0.0), (at, 1.0)), **fields)

    @property
    def around(self) -> tuple[float, float]:
        """The seconds in which somebody crosses the line, for processes that have to be waited for."""
        return WALL + self.crossing.time_s - 5, WALL + self.crossing.time_s + 2

    def plan(self, *rules: Tripwire, start: float = 0, end: float = 16, **more: Any) -> ShadowPlan:
        settings = {"analysis": Analysis(fps=10)} | more
        return ShadowPlan(camera="north", start=WALL + start, end=WALL + end, rules=rules, **settings)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("site"))


def real(wall: float, name: str = "real-1") -> RealAlarm:
    return RealAlarm(id=name, rule="old", rule_name="Old line", kind="tripwire", label="person", wall=wall)


class Calling:
    """Sees what moves, and calls it by a name as a network does."""

    name = "calling"
    model = ""
    batch = 1

    def __init__(self, label: str) -> None:
        self._label = label
        self._motion = MotionDetector()

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        seen = self._motion.detect(pictures)
        names = ("person", "horse")
        classes = [np.full(len(found), names.index(self._label), np.int16) for found in seen]
        return [Detections(found.boxes, found.scores, each, names) for found, each in zip(seen, classes, strict=True)]

    def forget(self, camera: str) -> None:
        self._motion.forget(camera)


def ground(metres: float = 1.0) -> GroundPlane:
    """The walker's, from a pole about as high as the one he is seen from; `metres`: how long a metre was measured."""
    seen = (((0.1173, 0.9501), (-4, 6)), ((0.8827, 0.9501), (4, 6)), ((0.3285, 0.3694), (-5, 20)))
    seen += (((0.6715, 0.3694), (5, 20)),)
    return fit_ground([GroundPoint(picture=at, site=(x * metres, y * metres)) for at, (x, y) in seen])


def test_a_line_raises_the_crossing_that_the_truth_knows(site: Recorded, tmp_path: Path) -> None:
    shares: list[float] = []
    plan = site.plan(site.line(), pictures=tmp_path)
    result = shadow(site.media, plan, MotionDetector(), watch=Watch(progress=shares.append))
    (alarm,) = result["alarms"]
    assert alarm["wall"] - WALL == pytest.approx(site.crossing.time_s, abs=0.7)
    assert alarm["direction"] == site.crossing.direction
    assert alarm["point"][0] == pytest.approx(site.crossing.x, abs=0.01)
    assert (tmp_path / alarm["picture"]).read_bytes()[:2] == b"\xff\xd8"
    assert (result["would"], result["new"], result["raised"], result["spared"]) == (1, 1, 0, 0)
    assert result["footage_s"] == pytest.approx(16, abs=0.2)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    json.dumps(result)


def test_a_line_moved_away_spares_the_alarm(site: Recorded) -> None:
    aside = replace(site.line(), line=((0.0, 0.02), (1.0, 0.02)))
    raised = real(WALL + site.crossing.time_s)
    result = shadow(site.media, site.plan(aside), MotionDetector(), [raised])
    assert (result["would"], result["spared"], result["alarms"]) == (0, 1, [])
    assert result["spared_alarms"][0]["id"] == "real-1"


def test_what_was_raised_anyway_is_neither_new_nor_spared(site: Recorded) -> None:
    alarms = [real(WALL + site.crossing.time_s + 1), real(WALL + site.crossing.time_s - 40, "real-2")]
    result = shadow(site.media, site.plan(site.line()), MotionDetector(), alarms)
    assert (result["new"], result["spared"]) == (0, 1)
    assert result["alarms"][0]["match"] == "real-1"


def test_the_other_way_and_another_time_raise_nothing(site: Recorded) -> None:
    other = "left_to_right" if site.crossing.direction == "right_to_left" else "right_to_left"
    assert shadow(site.media, site.plan(site.line(direction=other)), MotionDetector())["would"] == 0
    later = site.plan(site.line(), start=site.crossing.time_s + 1.5)
    assert shadow(site.media, later, MotionDetector())["would"] == 0


def test_a_rule_that_is_switched_off_can_be_tried(site: Recorded) -> None:
    assert shadow(site.media, site.plan(site.line(enabled=False)), MotionDetector())["would"] == 1


def test_calibrated_ground_tells_a_trial_how_large_people_are_unless_that_doubt_is_off(site: Recorded) -> None:
    def would(**settings: Any) -> int:
        return int(shadow(site.media, site.plan(site.line(), **settings), Calling("person"))["would"])

    assert (would(), would(ground=ground())) == (1, 1)
    assert would(ground=ground(0.25)) == 0, "a quarter of a person's size"
    ignored = Analysis(fps=10, doubts=Doubts(ignored=(Doubt.SIZE,)))
    assert would(ground=ground(0.25), analysis=ignored) == 1


def test_metres_in_a_rule_are_those_of_the_camera(site: Recorded) -> None:
    walks = site.line(max_speed=4.0, speed_unit="m")
    for plane, count in ((None, 1), (ground(), 1), (ground(20.0), 0)):
        result = shadow(site.media, site.plan(walks, ground=plane), MotionDetector())
        assert (result["would"], "speed" in result["suppressed"]["draft"]) == (count, not count)


def test_who_is_taken_for_a_horse_creeps_where_the_camera_knows_of_none(site: Recorded) -> None:
    for livestock, count in ((False, 1), (True, 0)):
        plan = site.plan(site.line(), analysis=Analysis(fps=10, livestock=livestock))
        assert shadow(site.media, plan, Calling("horse"))["would"] == count


def test_a_rule_asks_for_no_less_certainty_than_its_camera(site: Recorded) -> None:
    plan = site.plan(site.line(), analysis=Analysis(fps=10, min_score=1.0))
    assert shadow(site.media, plan, MotionDetector())["would"] == 0


async def test_the_camera_goes_to_the_process_with_its_settings_and_without_its_password(
    site: Recorded, tmp_path: Path
) -> None:
    analysis = Analysis(
        fps=10, min_score=0.2, doubts=Doubts(ignored=(Doubt.SIZE, Doubt.SWAY)), steady=True, livestock=True
    )
    address = {"url": "rtsp://10.0.0.4/ch1", "username": "watcher", "password": "hunter2"}
    database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    async with database.write() as session:
        await add_camera(session, Camera(id="north", name="North", analysis=analysis, ground=ground(20.0), **address))
    async with database.read() as session:
        walks = site.line(max_speed=4.0, speed_unit="m")
        plan, _ = await plan_for(session, "north", *site.around, walks, tmp_path)
    await database.close()
    assert (plan.analysis, plan.ground) == (analysis, ground(20.0))
    folders = {"media_dir": site.media, "models_dir": tmp_path, "folder": tmp_path}
    order = order_for(plan, [real(site.around[0])], detector="motion", pieces=2, **folders)
    assert order.plan == plan
    told = encode_config(order)
    assert not any(secret.encode() in told for secret in address.values())
    worker = [sys.executable, "-m", "perishield.evaluation.shadow_worker"]
    subprocess.run(worker, input=told, check=True, capture_output=True, timeout=300)
    result = json.loads((tmp_path / RESULT).read_bytes())
    assert (result["would"], result["spared"]) == (0, 1)
    assert result["pieces"] == 0, "movement has no second look"
    assert result["suppressed"]["draft"]["speed"] > 0


def test_a_segment_that_is_gone_is_missing_footage(site: Recorded, tmp_path: Path) -> None:
    media = tmp_path / "media"
    for row in site.rows[:1] + site.rows[2:]:
        for path in (site.media / row.path, (site.media / row.path).with_suffix(".json")):
            target = media / path.relative_to(site.media)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    result = shadow(media, site.plan(site.line()), MotionDetector())
    assert result["missing_s"] == pytest.approx(site.rows[1].duration, abs=0.2)


def test_damaged_footage_is_no_end(site: Recorded, tmp_path: Path) -> None:
    media = tmp_path / "media"
    for row in site.rows:
        data = bytearray((site.media / row.path).read_bytes())
        if row is site.rows[1]:
            data[row.size // 2 :] = os.urandom(len(data) - row.size // 2)
        (media / row.path).parent.mkdir(parents=True, exist_ok=True)
        (media / row.path).write_bytes(data)
    assert shadow(media, site.plan(site.line()), MotionDetector())["pictures"] > 10


def test_a_run_ends_when_told(site: Recorded) -> None:
    with pytest.raises(ShadowError) as caught:
        shadow(site.media, site.plan(site.line()), MotionDetector(), watch=Watch(cancelled=lambda: True))
    assert caught.value.code == "shadow_cancelled"


@pytest.mark.parametrize(("start", "end"), [(10, 10), (10, 5), (0, 24 * 3600 + 1)])
def test_absurd_ranges_are_refused(start: float, end: float) -> None:
    with pytest.raises(ShadowError) as caught:
        check_range(start, end)
    assert caught.value.code == "shadow_range"


def test_the_future_is_refused() -> None:
    with pytest.raises(ShadowError, match="future"):
        check_range(time.time() + 60, time.time() + 120)


def test_a_time_without_footage_is_said(site: Recorded) -> None:
    with pytest.raises(StorageError) as caught:
        shadow(site.media, site.plan(site.line(), start=-5000, end=-4000), MotionDetector())
    assert caught.value.code == "missing"


def test_chunks_come_back_as_they_were(site: Recorded) -> None:
    refs = list(chunk_refs(site.media, site.rows, WALL, WALL + 16))
    assert [ref.number for ref in refs] == list(range(len(refs)))
    assert sum(len(ref.sizes) for ref in refs) == 160
    for before, after in itertools.pairwise(refs):
        assert after.stream_time == before.stream_time + before.duration
        assert after.wall == pytest.approx(before.wall + before.duration / TIMESCALE, abs=0.001)


def test_a_range_begins_with_a_key_frame(site: Recorded) -> None:
    row: SegmentRow = site.rows[1]
    refs = list(chunk_refs(site.media, [row], row.start + 2.9, row.start + 3.5))
    assert refs[0].key
    assert refs[0].wall <= row.start + 2.9
    assert refs[-1].wall < row.start + 3.5


def test_drafts_leave_out_what_they_may(tmp_path: Path) -> None:
    toml = tmp_path / "line.toml"
    toml.write_text('kind = "tripwire"\nline = [[0.5, 0.0], [0.5, 1.0]]\n')
    rule = read_draft(toml, "gate")
    assert (rule.id, rule.camera, rule.name) == ("draft", "gate", "draft")
    saved = tmp_path / "line.json"
    saved.write_text(json.dumps({"kind": "zone", "camera": "gate", "polygon": [[0, 0], [1, 0], [1, 1]], "revision": 4}))
    assert read_draft(saved, "").camera == "gate"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"kind": "moat"}', '{"kind": "tripwire"}', '{"kind":"zone","polygon":5}']
)
def test_what_is_no_draft_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "draft.json"
    path.write_text(text)
    with pytest.raises(RuleError):
        read_draft(path, "gate")
    with pytest.raises(RuleError):
        draft({"kind": "tripwire", "line": [[0, 0], [1, 1]]}, "")


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_page_shows_every_finding_and_fetches_nothing(site: Recorded, tmp_path: Path, language: str) -> None:
    plan = site.plan(replace(site.line(), name="<b>Line</b>"), pictures=tmp_path)
    result = shadow(site.media, plan, MotionDetector(), [real(WALL + 2.0)])
    html = shadow_report(result, plan.rules, tmp_path, site.media, Texts(language))
    assert html.count("data:image/jpeg;base64,") == 1
    assert "&lt;b&gt;Line" in html
    assert "<b>Line" not in html
    assert "://" not in html


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


async def test_on_the_command_line(site: Recorded, tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(site.data / "perishield.db"))
    event = Event(
        id="e1",
        camera="north",
        epoch=3,
        kind=EventKind.TRIPWIRE,
        rule={"id": "stored", "name": "Stored"},
        level=2,
        label="person",
        score=0.8,
        track=1,
        stream_time=0,
        wall=WALL + site.crossing.time_s,
        arrival=WALL + site.crossing.time_s,
        point=(0.5, 0.5),
        direction="",
        box=(0.4, 0.4, 0.5, 0.5),
        path=(),
        detector="motion",
    )
    async with database.write() as session:
        await add_camera(session, Camera(id="north", name="North", url="rtsp://10.0.0.4/ch1"))
        await add_rule(session, replace(site.line(), id="stored", name="Stored"))
        await add_alarm(
            session,
            Alarm(
                id="e1",
                event=event,
                state=AlarmState.NEW,
                level=2,
                raised=event.wall,
                camera_name="North",
                clip_state=ClipState.PENDING,
            ),
        )
    await database.close()
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps({"kind": "tripwire", "line": [[0.0, 0.02], [1.0, 0.02]]}))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        times = ("--from", site.around[0], "--to", site.around[1], "--data", site.data, "--model", "motion")
        command = [sys.executable, "-m", "perishield", "shadow", *arguments, *times]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)

    stored = run("--rule", "stored", "--json", "--html", tmp_path / "page")
    assert stored.returncode == 0, stored.stderr
    result = json.loads(stored.stdout)
    assert (result["would"], result["new"], result["raised"], result["spared"]) == (1, 0, 1, 0)
    assert "data:image/jpeg" in (tmp_path / "page" / "report.html").read_text()
    drafted = json.loads(run("--rule", moved, "--camera", "north", "--json").stdout)
    assert (drafted["would"], drafted["raised"], drafted["spared"]) == (0, 1, 1)
    gone = run("--rule", "nobody", "--json")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "nobody" in gone.stderr
