"""The list of alarms as lines of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator

from perishield.api.sheets import Line
from perishield.api.times import iso, iso_or_none
from perishield.model.alarms import Alarm
from perishield.store.alarm_list import list_alarms
from perishield.store.alarms import AlarmFilter
from perishield.store.database import Database

_PAGE = 500
_HEADING = (
    "id",
    "crossing",
    "raised",
    "camera",
    "camera name",
    "rule",
    "kind",
    "level",
    "label",
    "score",
    "state",
    "verdict",
    "reason",
    "assignee",
    "answered",
    "decided",
    "closed",
    "answered after s",
    "group",
    "comments",
    "escalations",
)


async def alarm_lines(database: Database, wanted: AlarmFilter, most: int) -> AsyncIterator[Line]:
    """Heading and alarms, newest first. Each page is a look of its own, so none holds the database for long."""
    yield _HEADING
    before: str | None = None
    left = most
    while left > 0:
        async with database.read() as session:
            page = await list_alarms(session, wanted, limit=min(_PAGE, left), before=before)
        for alarm in page.items:
            yield _line(alarm)
        left -= len(page.items)
        before = page.next
        if before is None:
            return


def _line(alarm: Alarm) -> Line:
    return (
        alarm.id,
        iso(alarm.event.wall),
        iso(alarm.raised),
        alarm.event.camera,
        alarm.camera_name,
        str(alarm.event.rule.get("name", "")),
        alarm.event.kind.value,
        alarm.level,
        alarm.event.label,
        round(alarm.event.score, 4),
        alarm.state.value,
        alarm.verdict.value,
        alarm.reason,
        alarm.assignee_name,
        iso_or_none(alarm.answered),
        iso_or_none(alarm.decided),
        iso_or_none(alarm.closed),
        None if alarm.answered is None else round(alarm.answered - alarm.raised, 3),
        alarm.group,
        alarm.comments,
        alarm.escalations,
    )
