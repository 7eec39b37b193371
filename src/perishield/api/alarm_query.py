"""What a list of alarms may be asked for, the same for pages and for files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from perishield.api.problems import ProblemError
from perishield.api.security import Identity, Parts, may
from perishield.api.times import Moment
from perishield.model.access import Action
from perishield.model.alarm_life import Reason
from perishield.model.alarms import AlarmState, Verdict
from perishield.store.alarms import AlarmFilter
from perishield.store.cameras import camera_names

Viewer = Annotated[Identity, Depends(may(Action.ALARMS_VIEW))]
Handler = Annotated[Identity, Depends(may(Action.ALARMS_HANDLE))]


async def alarm_filter(
    parts: Parts,
    user: Viewer,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    rule: Annotated[str | None, Query(max_length=63)] = None,
    level: Annotated[int | None, Query(ge=1, le=4)] = None,
    kind: Annotated[str | None, Query(max_length=32)] = None,
    state: AlarmState | None = None,
    verdict: Annotated[Verdict | None, Query(description="Empty: of which nobody has decided")] = None,
    reason: Reason | None = None,
    assignee: Annotated[str | None, Query(max_length=32, description="An account's id, `me`, or `none`")] = None,
    group: Annotated[str | None, Query(max_length=64, description="The alarms of one intrusion")] = None,
    q: Annotated[str | None, Query(max_length=100, description="A part of the camera's name or id")] = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
) -> AlarmFilter:
    """The filter, within the caller's reach. `q` looks at the names that cameras have now."""
    cameras = user.reach.cameras
    if q is not None and q.strip():
        wanted = q.strip().casefold()
        async with parts.database.read() as session:
            names = await camera_names(session)
        named = frozenset(one for one, name in names.items() if wanted in name.casefold() or wanted in one)
        cameras = named if cameras is None else cameras & named
    if reason is not None:
        if verdict not in (None, Verdict.DISMISSED):
            raise ProblemError(
                422, "reason: only what was dismissed has one", field="reason", why="reason_without_dismissal"
            )
        verdict = Verdict.DISMISSED
    who = {"me": user.id, "none": ""}.get(assignee, assignee) if assignee is not None else None
    return AlarmFilter(
        camera=camera,
        rule=rule,
        level=level,
        kind=kind,
        start=start,
        end=end,
        cameras=cameras,
        state=state,
        verdict=verdict,
        reason=reason.value if reason is not None else None,
        assignee=who,
        group=group,
    )


Wanted = Annotated[AlarmFilter, Depends(alarm_filter)]
