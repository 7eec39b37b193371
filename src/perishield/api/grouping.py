"""Who may put cameras into groups: it decides who sees them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.problems import ProblemError
from perishield.api.security import Identity
from perishield.model.access import Action
from perishield.model.people import CameraGroup
from perishield.store.roles import list_roles


async def may_widen(session: AsyncSession, user: Identity, group: CameraGroup, cameras: Iterable[str]) -> None:
    """Cameras that come into a group come within others' reach: whoever puts them there must have as much there."""
    for role in await list_roles(session):
        granted = role.grants.get(group.id, frozenset())
        for camera in sorted(set(cameras) - set(group.cameras)) if granted else ():
            for action in sorted(granted | {Action.SYSTEM_VIEW}):
                if not user.reach.allows(action, camera):
                    raise ProblemError(
                        403,
                        f"camera {camera!r}: role {role.name!r} would be allowed {action.value!r} there, "
                        "which you are not yourself",
                        why="group_widens",
                        camera=camera,
                        role=role.name,
                        action=action.value,
                    )
