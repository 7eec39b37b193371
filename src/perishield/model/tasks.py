"""Tasks: which model looks at which camera, and when. Rules then judge what it finds.

A camera without tasks is looked at as its own settings say, with the model that the site uses. One that has tasks is
looked at by one of them at a time: the started one whose schedule watches, of several the one of highest priority.
"""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`model`: `NAME@VERSION` of an installed network, `motion`, or empty for what the site sees with.

    `schedule` None: always. `schedule_id`: the named schedule that counts instead; workers get its hours, not its name.
    `fps` and `min_score` None: as the camera's analysis has them. Of tasks of one priority the one with the smaller id
    goes first.
    """

    id: str
    name: str
    camera: str
    model: str = ""
    schedule: Schedule | None = None
    schedule_id: str | None = None
    started: bool = True
    priority: int = 0
    fps: float | None = None
    min_score: float | None = None
    revision: int = 0
