"""One intrusion seen many times is one thing to a guard: which group an event joins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import Event, EventKind
from perishield.store.alarm_groups import Near, alarms_near


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """`within_s`: alarms no farther apart may be one intrusion; 0: each is its own. `longest_s`: nothing joins an
    intrusion that began longer ago. `neighbours`: sets of cameras that see adjoining ground; groups make others, and
    so does the plan where calibrated ground of two cameras is no farther apart than `near_m` metres (0: it does not).
    See `alarms.neighbours`."""

    within_s: float = 60.0
    longest_s: float = 900.0
    neighbours: tuple[frozenset[str], ...] = field(default=())
    near_m: float = 0.0

    def around(self, camera: str) -> set[str]:
        """The camera itself and its neighbours."""
        return {camera}.union(*(cameras for cameras in self.neighbours if camera in cameras))

    def adjoin(self, one: str, other: str) -> bool:
        return one != other and any(one in cameras and other in cameras for cameras in self.neighbours)


def joined(event: Event, near: Iterable[Near], how: Grouping) -> Near | None:
    """The alarm whose group an event joins; None where it begins one.

    In this order: the same track of the same camera, however many of its rules it breaks and for as long as the group
    is open; the same rule within the time; a neighbouring camera that saw the same kind of object within the time. A
    camera's own trouble is only ever grouped with the same trouble of that camera.
    """
    rule = str(event.rule.get("id", ""))
    health = event.kind is EventKind.HEALTH
    found: dict[int, Near] = {}
    for one in near:
        if not (0 <= event.wall - one.began <= how.longest_s) or (one.kind == EventKind.HEALTH.value) is not health:
            continue
        close = abs(event.wall - one.wall) <= how.within_s
        if health:
            rank = 1 if close and one.camera == event.camera and one.label == event.label else -1
        elif event.track >= 0 and (one.camera, one.epoch, one.track) == (event.camera, event.epoch, event.track):
            rank = 0
        elif close and rule and (one.camera, one.rule) == (event.camera, rule):
            rank = 1
        elif close and one.label == event.label and how.adjoin(one.camera, event.camera):
            rank = 2
        else:
            rank = -1
        if rank >= 0 and (rank not in found or found[rank].wall < one.wall):
            found[rank] = one
    return found[min(found)] if found else None


async def group_for(session: AsyncSession, event: Event, how: Grouping) -> tuple[str, float]:
    """The group of a new event, and when that began (Unix seconds): its own where it joins none."""
    if how.within_s <= 0:
        return event.id, event.wall
    near = await alarms_near(
        session,
        how.around(event.camera),
        event.wall - max(how.within_s, how.longest_s),
        event.wall + how.within_s,
    )
    match = joined(event, near, how)
    return (match.group, match.began) if match is not None else (event.id, event.wall)
