"""The same step for many alarms."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from perishield.api.alarm_hand import Hand, Hands, assignee_of, tell
from perishield.api.outputs import AlarmOut, alarm_out
from perishield.api.problems import not_found
from perishield.model.alarm_life import LONGEST_COMMENT, Reason, Step, Wish
from perishield.model.alarms import Alarm
from perishield.model.errors import PeriShieldError
from perishield.store.alarm_groups import group_members
from perishield.store.alarm_life import assign, check_revision, held_alarms, take_step

router = APIRouter(prefix="/alarms", tags=["alarms"])

MOST_AT_ONCE = 500


class BulkBody(BaseModel):
    """Either `ids`, with the `revisions` that were seen where that shall count, or all alarms of one `group`."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    step: Literal["acknowledge", "confirm", "dismiss", "close", "reopen", "assign"]
    ids: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_AT_ONCE)] = []
    revisions: Annotated[dict[str, int], Field(max_length=MOST_AT_ONCE)] = {}
    group: Annotated[str, Field(max_length=64)] = ""
    reason: Reason | None = None
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)] = ""
    assignee: Annotated[str, Field(max_length=32)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.ids) is bool(self.group):
            raise ValueError("name either ids or a group")
        return self


class OutcomeOut(TypedDict):
    """`code` is empty where it was done; else it and `detail` say why it was not."""

    id: str
    done: bool
    code: str
    detail: str
    alarm: AlarmOut | None


class OutcomesOut(TypedDict):
    items: list[OutcomeOut]
    done: int


@router.post("/bulk", summary="The same step for many alarms, each with its own outcome")
async def many(body: BulkBody, hand: Hands) -> OutcomesOut:
    """What one alarm refuses stops no other; what is done is done all at once. At most 500."""
    parts, reach = hand.parts, hand.user.reach.cameras
    outcomes: list[OutcomeOut] = []
    changed: list[Alarm] = []
    async with parts.database.write() as session:
        ids = list(dict.fromkeys(body.ids))
        if body.group:
            ids = await group_members(session, body.group, reach, MOST_AT_ONCE)
        who = await assignee_of(session, hand.user, body.assignee) if body.step == "assign" else ("", "")
        held = await held_alarms(session, ids, reach)
        for one in ids:
            try:
                after = await _one(session, one, held.get(one), body, who, hand, len(ids))
            except PeriShieldError as error:
                # Raised before anything of this alarm was written.
                outcomes.append({"id": one, "done": False, "code": error.code, "detail": error.message, "alarm": None})
                continue
            changed.append(after)
            shown = alarm_out(after, parts.links.sign)
            outcomes.append({"id": one, "done": True, "code": "", "detail": "", "alarm": shown})
    for after in changed:
        tell(parts, after)
    return {"items": outcomes, "done": len(changed)}


async def _one(
    session: AsyncSession,
    name: str,
    alarm: Alarm | None,
    body: BulkBody,
    who: tuple[str, str],
    hand: Hand,
    of: int,
) -> Alarm:
    if alarm is None:
        raise not_found("alarm", name)
    check_revision(alarm, body.revisions.get(name))
    if body.step == "assign":
        after = await assign(session, alarm, *who, hand.entry(alarm, "assign", assignee=who[0], bulk=of))
        await hand.deliver(session, after, "assign", assignee=who[1])
        return after
    wish = Wish(step=Step(body.step), reason=body.reason, comment=body.comment)
    after = await take_step(session, alarm, wish, hand.entry(alarm, body.step, reason=body.reason or "", bulk=of))
    await hand.deliver(session, after, body.step, reason=after.reason or "")
    return after
