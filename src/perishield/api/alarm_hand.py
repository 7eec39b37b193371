"""Somebody's hand on an alarm: who, from where, and what of it they have seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.alarm_query import Handler
from perishield.api.etags import IfMatch, expected, tag
from perishield.api.outputs import AlarmOut, alarm_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited
from perishield.api.services import Services
from perishield.model.alarm_life import Wish
from perishield.model.alarms import Alarm
from perishield.model.audit import AuditEntry
from perishield.store.accounts import account_by_id
from perishield.store.alarm_life import assign, check_revision, comment, held_alarms, take_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """`match`: the header `If-Match`, None where it was not sent."""

    request: Request
    response: Response
    parts: Services
    user: Identity
    match: str | None

    async def step(self, alarm: str, wish: Wish) -> AlarmOut:
        """Lead an alarm one step on. Raises ProblemError (404, 428), StaleError, LifeError."""
        expected = seen_revision(self.match)
        async with self.parts.database.write() as session:
            found = await self._held(session, alarm)
            check_revision(found, expected)
            after = await take_step(session, found, wish, self.entry(found, wish.step.value, reason=wish.reason or ""))
            await self.deliver(session, after, wish.step.value, reason=after.reason or "")
        return self._answer(after)

    async def assign(self, alarm: str, assignee: str) -> AlarmOut:
        """Make it somebody's. Raises the same, and ProblemError (422) for an account that is not there."""
        expected = seen_revision(self.match)
        async with self.parts.database.write() as session:
            who, name = await assignee_of(session, self.user, assignee)
            found = await self._held(session, alarm)
            check_revision(found, expected)
            after = await assign(session, found, who, name, self.entry(found, "assign", assignee=who))
            await self.deliver(session, after, "assign", assignee=name)
        return self._answer(after)

    async def comment(self, alarm: str, text: str) -> AlarmOut:
        """Say something. Needs no revision: a comment undoes nobody's work."""
        async with self.parts.database.write() as session:
            found = await self._held(session, alarm)
            after = await comment(session, found, text, self.entry(found, "comment"))
            await self.deliver(session, after, "comment", number=after.comments, comment=text)
        return self._answer(after)

    async def deliver(self, session: AsyncSession, alarm: Alarm, what: str, *, number: int = 0, **detail: str) -> None:
        """Book the change for channels that want changes, in the same transaction."""
        change = f"{what}-{number or alarm.revision}"
        told = {"change": what, "state": alarm.state.value, "by": self.user.username, **detail}
        await self.parts.outbox.updated(session, alarm, change, told)

    def entry(self, alarm: Alarm, action: str, **detail: object) -> AuditEntry:
        """What the audit log shall say."""
        told = {name: value for name, value in detail.items() if value != ""}
        return audited(
            self.request,
            self.user,
            f"alarm.{action}",
            kind="alarm",
            target=alarm.id,
            camera=alarm.event.camera,
            **told,
        )

    async def _held(self, session: AsyncSession, alarm: str) -> Alarm:
        found = (await held_alarms(session, (alarm,), self.user.reach.cameras)).get(alarm)
        if found is None:
            raise not_found("alarm", alarm)
        return found

    def _answer(self, alarm: Alarm) -> AlarmOut:
        tell(self.parts, alarm)
        self.response.headers["etag"] = tag(alarm.revision)
        return alarm_out(alarm, self.parts.links.sign)


def hand(
    request: Request,
    response: Response,
    parts: Parts,
    user: Handler,
    match: IfMatch = None,
) -> Hand:
    """A dependency: whoever may handle alarms."""
    return Hand(request=request, response=response, parts=parts, user=user, match=match)


Hands = Annotated[Hand, Depends(hand)]


def seen_revision(match: str | None) -> int | None:
    """The revision that `If-Match` names; None for `*`. Raises ProblemError: 428 without, 422 for what is no tag."""
    if match is None:
        raise ProblemError(
            428, 'If-Match: send the ETag of the alarm as you have seen it, or "*" to overrule whatever it is by now'
        )
    if not match.strip():
        raise ProblemError(422, 'If-Match: is an ETag, like "3", or *', field="If-Match")
    return expected(match)


async def assignee_of(session: AsyncSession, user: Identity, assignee: str) -> tuple[str, str]:
    """Account id and name of whom an alarm shall be; `me`: whoever asks; empty: nobody."""
    wanted = user.id if assignee == "me" else assignee
    if not wanted:
        return "", ""
    account = await account_by_id(session, wanted)
    if account is None:
        raise ProblemError(
            422, f"assignee {wanted!r}: there is no such account", field="assignee", why="no_account", name=wanted
        )
    return account.id, account.username


def tell(parts: Services, alarm: Alarm) -> None:
    """Push an alarm that changed to whoever listens, and let what was booked of it go out."""
    parts.outbox.wake()
    parts.push.send(
        "alarms", alarm.event.camera, lambda: {"type": "alarm_update", "data": alarm_out(alarm, parts.links.sign)}
    )
