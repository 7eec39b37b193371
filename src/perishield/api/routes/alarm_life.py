"""What people do with an alarm, and what they said about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from perishield.api.alarm_hand import Hands
from perishield.api.alarm_query import Viewer
from perishield.api.outputs import AlarmOut
from perishield.api.problems import not_found
from perishield.api.security import Identity, Parts
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.model.alarm_life import LONGEST_COMMENT, Reason, Step, Wish
from perishield.store.alarm_life import Happening, history
from perishield.store.alarms import get_alarm

router = APIRouter(prefix="/alarms", tags=["alarms"])

Text = Annotated[str, Field(max_length=LONGEST_COMMENT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class StepBody(_Body):
    comment: Text = ""


class DismissBody(StepBody):
    reason: Reason


class AssignBody(_Body):
    """`assignee`: an account's id, empty for nobody, `me` for whoever asks."""

    assignee: Annotated[str, Field(max_length=32)]


class CommentBody(_Body):
    comment: Annotated[str, Field(min_length=1, max_length=LONGEST_COMMENT)]


class HappeningOut(TypedDict):
    number: int
    at: str
    kind: str
    body: dict[str, Any]
    hash: str


class HistoryOut(TypedDict):
    items: list[HappeningOut]
    total: int


@router.post("/{alarm}/acknowledge", summary="Take it up")
async def acknowledged(alarm: str, hand: Hands, body: StepBody | None = None) -> AlarmOut:
    return await hand.step(alarm, Wish(step=Step.ACKNOWLEDGE, comment=body.comment if body else ""))


@router.post("/{alarm}/confirm", summary="It was what it seemed")
async def confirmed(alarm: str, hand: Hands, body: StepBody | None = None) -> AlarmOut:
    return await hand.step(alarm, Wish(step=Step.CONFIRM, comment=body.comment if body else ""))


@router.post("/{alarm}/dismiss", summary="It was something else: say what")
async def dismissed(alarm: str, hand: Hands, body: DismissBody) -> AlarmOut:
    return await hand.step(alarm, Wish(step=Step.DISMISS, reason=body.reason, comment=body.comment))


@router.post("/{alarm}/close", summary="Done with, for good")
async def closed(alarm: str, hand: Hands, body: StepBody | None = None) -> AlarmOut:
    return await hand.step(alarm, Wish(step=Step.CLOSE, comment=body.comment if body else ""))


@router.post("/{alarm}/reopen", summary="Think again, and say why")
async def reopened(alarm: str, hand: Hands, body: StepBody) -> AlarmOut:
    return await hand.step(alarm, Wish(step=Step.REOPEN, comment=body.comment))


@router.post("/{alarm}/assign", summary="Make it somebody's")
async def assigned(alarm: str, hand: Hands, body: AssignBody) -> AlarmOut:
    return await hand.assign(alarm, body.assignee)


@router.post("/{alarm}/comments", status_code=201, summary="Say something")
async def commented(alarm: str, hand: Hands, body: CommentBody) -> AlarmOut:
    """Needs no `If-Match`: a comment undoes nobody's work."""
    return await hand.comment(alarm, body.comment)


@router.get("/{alarm}/comments", summary="What people said, oldest first")
async def comments(alarm: str, parts: Parts, user: Viewer) -> HistoryOut:
    """Comments of their own, and those that came with a step."""
    return _history_out([one for one in await _history(alarm, parts, user) if one.body.get("comment")])


@router.get("/{alarm}/history", summary="All that happened to it, oldest first")
async def happened(alarm: str, parts: Parts, user: Viewer) -> HistoryOut:
    """Each entry is a link of the chain of alarm records, with its number there and its hash."""
    return _history_out(await _history(alarm, parts, user))


async def _history(alarm: str, parts: Services, user: Identity) -> list[Happening]:
    async with parts.database.read() as session:
        found = await get_alarm(session, alarm)
        if found is None or not user.reach.sees(found.event.camera):
            raise not_found("alarm", alarm)
        return await history(session, alarm)


def _history_out(happenings: list[Happening]) -> HistoryOut:
    items: list[HappeningOut] = [
        {"number": one.number, "at": iso(one.at), "kind": one.kind, "body": dict(one.body), "hash": one.hash}
        for one in happenings
    ]
    return {"items": items, "total": len(items)}
