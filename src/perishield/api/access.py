"""What each role may do, and where: resolved in this one place, kept in memory, read anew after every change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from perishield.model.access import Action, Reach, reach_for
from perishield.model.people import Role
from perishield.store.api_keys import ApiKey
from perishield.store.database import Database
from perishield.store.groups import group_members
from perishield.store.rights import rights_mark
from perishield.store.roles import list_roles

NOTHING = Reach(frozenset(), frozenset())


class Access:
    """Call `reload` after a change of roles, of groups or of who is in which."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._roles: Mapping[str, Role] = {}
        self._members: Mapping[str, frozenset[str]] = {}
        self._reaches: dict[str, Reach] = {}
        self._news = asyncio.Event()

    async def reload(self) -> None:
        async with self._database.read() as session:
            roles = {role.id: role for role in await list_roles(session)}
            members = await group_members(session)
        if (roles, members) != (self._roles, self._members):
            self._roles, self._members, self._reaches = roles, members, {}
            self.tell()

    async def mark(self) -> tuple[int, ...]:
        """Another one whenever something that decides who may do what has changed, by whomever."""
        async with self._database.read() as session:
            return await rights_mark(session)

    def role(self, role: str) -> Role | None:
        return self._roles.get(role)

    def reach(self, role: str) -> Reach:
        """Of a role that is unknown: nothing."""
        found = self._reaches.get(role)
        if found is None:
            known = self._roles.get(role)
            found = reach_for(known.actions, known.grants, self._members) if known is not None else NOTHING
            self._reaches[role] = found
        return found

    def key_reach(self, key: ApiKey) -> Reach:
        return self.scope(key.actions, key.groups)

    def scope(self, actions: frozenset[Action], groups: tuple[str, ...] | None) -> Reach:
        """The reach of actions at every camera (groups None), or at those of some groups."""
        if groups is None:
            return Reach(actions)
        return reach_for(frozenset(), dict.fromkeys(groups, actions), self._members)

    def tell(self) -> None:
        """Have everybody who is connected looked at again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def changed(self, timeout_s: float) -> None:
        """Wait for a change, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return
