"""Everything about who comes in, made once by the server role."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from perishield.api.access import Access
from perishield.api.oidc import Oidc
from perishield.api.rate import Rates
from perishield.api.sessions import Sessions
from perishield.api.viewings import Viewings
from perishield.log import Log
from perishield.model.people import AccountsPlan
from perishield.store.database import Database

log = Log("people")

_LOOK_EVERY_S = 1.0
_SWEEPS = 3600
"""Old sessions are forgotten every so many looks: once an hour."""


@dataclass(frozen=True, slots=True)
class People:
    """Use `People.ready`."""

    plan: AccountsPlan
    access: Access
    sessions: Sessions
    rates: Rates
    viewings: Viewings
    oidc: Oidc | None
    address: str
    """How browsers reach this node."""

    @property
    def secure(self) -> bool:
        """Whether they come by TLS, so that cookies may insist on it."""
        return self.address.startswith("https://")

    @classmethod
    async def ready(cls, database: Database, plan: AccountsPlan, address: str) -> People:
        """With roles and ended sessions loaded. `address`: how browsers reach this node."""
        made = cls(
            plan,
            Access(database),
            Sessions(database, plan),
            Rates(plan.requests_per_s),
            Viewings(database),
            Oidc(plan.oidc, address) if plan.oidc.issuer else None,
            address,
        )
        await made.access.reload()
        await made.sessions.load()
        return made

    async def run(self) -> None:
        """Notice what other processes change (the command line, other servers), and forget what is long over.

        Sockets are looked at again whenever anything was changed anywhere: whoever lost a right has a second or two.
        """
        troubled, looks = False, 0
        mark: tuple[int, ...] = ()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                found = await self.access.mark()
                if found != mark:
                    await self.access.reload()
                    await self.sessions.load()
                    self.access.tell()
                    mark = found
                if looks % _SWEEPS == 0:
                    await self.sessions.sweep()
                looks += 1
                troubled = False
            except SQLAlchemyError as error:
                if not troubled:
                    log.error("people.waiting", message=str(error))
                troubled = True
