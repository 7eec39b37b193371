"""What alarms and cameras add up to, and what verdicts suggest."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse
from typing_extensions import TypedDict

from perishield.alarms.suggestion import Suggestion, suggest
from perishield.api.camera_sums import CameraSumsOut, camera_lines, camera_sums
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, may
from perishield.api.services import Services
from perishield.api.sheets import Line, sheet_answer
from perishield.api.statistics_out import AlarmSumsOut, sums_lines, sums_out
from perishield.api.times import Moment
from perishield.model.access import Action
from perishield.model.statistics import Verdicts
from perishield.store.cameras import camera_names
from perishield.store.groups import get_group
from perishield.store.health import spells_between
from perishield.store.rules import list_rules
from perishield.store.statistics import alarm_sums
from perishield.store.verdicts import verdicts_by_rule

router = APIRouter(prefix="/statistics", tags=["statistics"])

LONGEST_S = 400 * 86_400.0
_USUAL_S = 30 * 86_400.0
_VERDICTS_S = 180 * 86_400.0

Reader = Annotated[Identity, Depends(may(Action.STATISTICS_VIEW))]
From = Annotated[Moment | None, Query(alias="from", description="30 days before `to` where it is left out")]
To = Annotated[Moment | None, Query(alias="to", description="Now where it is left out")]
Camera = Annotated[str | None, Query(max_length=63)]
Group = Annotated[str | None, Query(max_length=16, description="A site, or another group of cameras, by its id")]
Zone = Annotated[str, Query(alias="timezone", max_length=64, description="Whose hours and days, like Asia/Shanghai")]
File = Annotated[Literal["csv", "xlsx"], Query(alias="format")]


async def _reach(parts: Parts, user: Reader, camera: Camera = None, group: Group = None) -> frozenset[str] | None:
    """The cameras to add up, those that are asked for and within reach; None: all. Raises ProblemError (404)."""
    asked = None if camera is None else frozenset((camera,))
    if group is not None:
        async with parts.database.read() as session:
            found = await get_group(session, group)
        members = frozenset(found.cameras) if found is not None else frozenset[str]()
        # Whoever sees none of its cameras is not told that the group is there.
        if found is None or (user.reach.cameras is not None and not members & user.reach.cameras):
            raise not_found("group", group)
        asked = members if asked is None else asked & members
    within = user.reach.cameras
    if asked is None:
        return within
    return asked if within is None else asked & within


Reach = Annotated[frozenset[str] | None, Depends(_reach)]


class SuggestionOut(TypedDict):
    """Raise the least score of a rule to `score`: `spared` of `dismissed` alarms would not have been raised, and none
    of `confirmed` lost."""

    score: float
    spared: int
    dismissed: int
    confirmed: int
    text: str


class VerdictsOut(TypedDict):
    """`wrongly`: dismissed because there was nobody; `otherwise`: dismissed for another reason, or duplicates.
    `min_score`: what the rule asks for now, null where it is gone."""

    rule: str
    rule_name: str
    camera: str
    camera_name: str
    confirmed: int
    wrongly: int
    otherwise: int
    min_score: float | None
    suggestion: SuggestionOut | None


class VerdictsListOut(TypedDict):
    items: list[VerdictsOut]
    total: int


@router.get(
    "/alarms", summary="Alarms by hour, day, camera, rule, kind, level and verdict, and how soon they were answered"
)
async def alarms(
    parts: Parts,
    reach: Reach,
    start: From = None,
    end: To = None,
    timezone: Zone = "UTC",
) -> AlarmSumsOut:
    return await _alarms(parts, start, end, reach, timezone)


@router.get("/alarms/export", summary="The same as a table to take along", response_class=Response)
async def alarms_exported(
    parts: Parts,
    reach: Reach,
    start: From = None,
    end: To = None,
    timezone: Zone = "UTC",
    kind_of_file: File = "csv",
) -> StreamingResponse:
    out = await _alarms(parts, start, end, reach, timezone)
    return await sheet_answer(_each(sums_lines(out)), kind_of_file, "alarm-statistics")


@router.get("/cameras", summary="How much of the time cameras were there, saw well, and were recorded")
async def cameras(parts: Parts, reach: Reach, start: From = None, end: To = None) -> CameraSumsOut:
    """The least available first."""
    return await _cameras(parts, start, end, reach)


@router.get("/cameras/export", summary="The same as a table to take along", response_class=Response)
async def cameras_exported(
    parts: Parts,
    reach: Reach,
    start: From = None,
    end: To = None,
    kind_of_file: File = "csv",
) -> StreamingResponse:
    out = await _cameras(parts, start, end, reach)
    return await sheet_answer(_each(camera_lines(out)), kind_of_file, "camera-statistics")


@router.get("/verdicts", summary="What people decided, by rule, and what it suggests")
async def verdicts(
    parts: Parts,
    reach: Reach,
    start: Annotated[Moment | None, Query(alias="from", description="180 days ago where it is left out")] = None,
    rule: Annotated[str | None, Query(max_length=63)] = None,
) -> VerdictsListOut:
    """A suggestion changes nothing by itself: whoever agrees edits the rule."""
    since = time.time() - _VERDICTS_S if start is None else start
    async with parts.database.read() as session:
        found = await verdicts_by_rule(session, since, reach, rule)
        rules = {one.id: (one.name, one.min_score) for one in await list_rules(session)}
    items = [_verdicts_out(one, rules) for one in found]
    return {"items": items, "total": len(items)}


async def _alarms(
    parts: Services, start: float | None, end: float | None, reach: frozenset[str] | None, timezone: str
) -> AlarmSumsOut:
    first, last = _span(start, end)
    zone = _zone(timezone)
    async with parts.database.read() as session:
        sums = await alarm_sums(session, first, last, reach)
        names = await camera_names(session)
        rules = {rule.id: rule.name for rule in await list_rules(session)}
    return sums_out(sums, first, last, zone, names, rules)


async def _cameras(
    parts: Services, start: float | None, end: float | None, reach: frozenset[str] | None
) -> CameraSumsOut:
    first, last = _span(start, end)
    first, last = float(math.floor(first)), float(min(math.ceil(last), math.floor(time.time())))
    if first >= last:
        raise ProblemError(422, "from: lies in the future, of which nothing is known", field="from", why="in_future")
    async with parts.database.read() as session:
        names = await camera_names(session)
        wanted = [one for one in names if reach is None or one in reach]
        spells = await spells_between(session, first, last, reach)
    ledgers = await parts.ledger.summary(wanted, first, last)
    return camera_sums(first, last, ledgers, spells, names)


def _span(start: float | None, end: float | None) -> tuple[float, float]:
    last = time.time() if end is None else end
    first = last - _USUAL_S if start is None else start
    if first >= last:
        raise ProblemError(422, "to: lies not after from", field="to", why="not_after")
    if last - first > LONGEST_S:
        raise ProblemError(422, "to: statistics span at most 400 days", field="to", why="span_too_long", days=400)
    return first, last


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ProblemError(
            422,
            "timezone: there is none of this name; an example is Europe/Berlin",
            field="timezone",
            why="no_timezone",
        ) from None


def _verdicts_out(found: Verdicts, rules: dict[str, tuple[str, float]]) -> VerdictsOut:
    name, least = rules.get(found.rule, (found.rule, None))
    advice = suggest(found.confirmed, found.dismissed, least) if least is not None else None
    return {
        "rule": found.rule,
        "rule_name": name,
        "camera": found.camera,
        "camera_name": found.camera_name,
        "confirmed": len(found.confirmed),
        "wrongly": len(found.dismissed),
        "otherwise": found.others,
        "min_score": least,
        "suggestion": _suggestion_out(name, advice) if advice is not None else None,
    }


def _suggestion_out(name: str, advice: Suggestion) -> SuggestionOut:
    return {
        "score": advice.score,
        "spared": advice.spared,
        "dismissed": advice.dismissed,
        "confirmed": advice.confirmed,
        "text": f"raise the score of rule {name} to {advice.score:.2f}: would have spared {advice.spared} of "
        f"{advice.dismissed} dismissed, lost none of {advice.confirmed} confirmed",
    }


async def _each(lines: Iterable[Line]) -> AsyncIterator[Line]:
    for line in lines:
        yield line
