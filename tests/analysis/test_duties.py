"""Who looks at which camera at a moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from perishield.analysis.duties import Roster
from perishield.model.health import HealthWatch
from perishield.model.schedule import Hours, Schedule
from perishield.model.site import Analysis, Camera, Site
from perishield.model.task_state import TaskCondition
from perishield.model.tasks import Task

MONDAY_NOON = 1_790_596_800.0
HOUR = 3600.0
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
NIGHT = Schedule(windows=(Hours(days=EVERY_DAY, start=22 * 60, end=6 * 60),))
GATE = Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/1", analysis=Analysis(fps=6.0, min_score=0.3))


def task(name: str, **more: Any) -> Task:
    return Task(**{"id": name, "name": name, "camera": "gate", **more})


def roster(*tasks: Task, camera: Camera = GATE) -> Roster:
    made = Roster()
    made.follow(Site(revision=3, cameras=(camera,), tasks=tuple(msgspec.to_builtins(one) for one in tasks)))
    return made


def conditions(made: Roster, wall: float) -> dict[str, tuple[TaskCondition, str]]:
    return made.conditions(made.on_duty(wall), wall)


def test_a_camera_without_tasks_is_looked_at_as_its_settings_say() -> None:
    (duty,) = roster().on_duty(MONDAY_NOON).values()
    assert (duty.camera, duty.task, duty.resting) == (GATE, None, False)
    off = replace(GATE, analysis=Analysis(enabled=False))
    assert roster(camera=off).on_duty(MONDAY_NOON) == {}


def test_day_and_night_have_their_own_model_and_analysis() -> None:
    made = roster(
        task("day", model="people@1"),
        task("night", model="infrared@2", schedule=NIGHT, priority=5, fps=2.0, min_score=0.6),
    )
    day = made.on_duty(MONDAY_NOON)["gate"]
    assert day.task is not None
    assert (day.task.model, day.camera) == ("people@1", GATE)
    assert conditions(made, MONDAY_NOON) == {
        "day": (TaskCondition.RUNNING, ""),
        "night": (TaskCondition.OFF_SCHEDULE, ""),
    }
    late = MONDAY_NOON + 11 * HOUR
    night = made.on_duty(late)["gate"]
    assert night.task is not None
    assert (night.task.model, night.camera.analysis.fps, night.camera.analysis.min_score) == ("infrared@2", 2.0, 0.6)
    assert conditions(made, late) == {"day": (TaskCondition.STANDBY, "night"), "night": (TaskCondition.RUNNING, "")}
    # It began on Monday and ends on Tuesday at six.
    assert conditions(made, MONDAY_NOON + 17.9 * HOUR)["night"][0] is TaskCondition.RUNNING
    assert conditions(made, MONDAY_NOON + 18 * HOUR)["night"][0] is TaskCondition.OFF_SCHEDULE


def test_of_one_priority_the_smaller_id_goes_first() -> None:
    made = roster(task("b"), task("a"))
    assert conditions(made, MONDAY_NOON) == {"b": (TaskCondition.STANDBY, "a"), "a": (TaskCondition.RUNNING, "")}


def test_a_camera_with_no_task_on_duty_rests_and_its_health_alone_is_watched() -> None:
    stopped = task("day", started=False)
    (duty,) = roster(stopped).on_duty(MONDAY_NOON).values()
    assert duty.resting
    assert conditions(roster(stopped), MONDAY_NOON) == {"day": (TaskCondition.STOPPED, "")}
    unwatched = replace(GATE, analysis=Analysis(health=HealthWatch(enabled=False)))
    assert roster(stopped, camera=unwatched).on_duty(MONDAY_NOON) == {}


def test_a_camera_that_is_off_has_no_task_on_duty() -> None:
    for camera in (replace(GATE, enabled=False), replace(GATE, analysis=Analysis(enabled=False))):
        made = roster(task("day"), task("night", started=False), camera=camera)
        assert made.on_duty(MONDAY_NOON) == {}
        assert conditions(made, MONDAY_NOON) == {
            "day": (TaskCondition.CAMERA_OFF, ""),
            "night": (TaskCondition.STOPPED, ""),
        }


def test_a_task_that_cannot_be_read_leaves_the_others_alone() -> None:
    made = Roster()
    broken = {"id": "broken", "name": "x", "camera": "gate", "schedule": {"windows": [], "timezone": "No/Where"}}
    made.follow(Site(revision=1, cameras=(GATE,), tasks=({"id": "odd"}, broken, msgspec.to_builtins(task("day")))))
    assert [one.id for one in made.tasks] == ["day"]
    assert conditions(made, MONDAY_NOON) == {"day": (TaskCondition.RUNNING, "")}
