"""Groups of cameras."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.people import CameraGroup, GroupKind
from perishield.store.tables import CameraTable
from perishield.store.tables_people import GroupMemberTable, GroupTable, RoleGrantTable


async def list_groups(
    session: AsyncSession, *, kind: str = "", search: str = "", camera: str = "", limit: int = 10_000, offset: int = 0
) -> tuple[list[CameraGroup], int]:
    """A page of them by name, and how many there are in all."""
    query = select(GroupTable)
    if kind:
        query = query.where(GroupTable.kind == kind)
    if search:
        query = query.where(GroupTable.folded.contains(search.casefold(), autoescape=True))
    if camera:
        inside = select(GroupMemberTable.group).where(GroupMemberTable.camera == camera)
        query = query.where(GroupTable.id.in_(inside))
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = list(await session.scalars(query.order_by(GroupTable.folded).limit(limit).offset(offset)))
    members = await group_members(session)
    return [_group(row, members.get(row.id, frozenset())) for row in rows], total


async def get_group(session: AsyncSession, group: str) -> CameraGroup | None:
    row = await session.get(GroupTable, group)
    if row is None:
        return None
    return _group(row, await session.scalars(select(GroupMemberTable.camera).where(GroupMemberTable.group == group)))


async def group_named(session: AsyncSession, name: str) -> str | None:
    """Its id."""
    return await session.scalar(select(GroupTable.id).where(GroupTable.folded == name.casefold()))


async def group_members(session: AsyncSession) -> dict[str, frozenset[str]]:
    """Cameras by group; one without cameras is missing."""
    found: dict[str, set[str]] = {}
    for group, camera in await session.execute(select(GroupMemberTable.group, GroupMemberTable.camera)):
        found.setdefault(group, set()).add(camera)
    return {group: frozenset(cameras) for group, cameras in found.items()}


async def adjoining_groups(session: AsyncSession) -> list[frozenset[str]]:
    """Sets of cameras that see adjoining ground, as groups say."""
    query = (
        select(GroupMemberTable.group, GroupMemberTable.camera)
        .join(GroupTable, GroupTable.id == GroupMemberTable.group)
        .where(GroupTable.adjoining)
    )
    found: dict[str, set[str]] = {}
    for group, camera in await session.execute(query):
        found.setdefault(group, set()).add(camera)
    return [frozenset(cameras) for cameras in found.values()]


async def sites_of(session: AsyncSession) -> dict[str, frozenset[str]]:
    """The sites by camera; one that is at none is missing."""
    query = (
        select(GroupMemberTable.camera, GroupMemberTable.group)
        .join(GroupTable, GroupTable.id == GroupMemberTable.group)
        .where(GroupTable.kind == GroupKind.SITE.value)
    )
    found: dict[str, set[str]] = {}
    for camera, site in await session.execute(query):
        found.setdefault(camera, set()).add(site)
    return {camera: frozenset(sites) for camera, sites in found.items()}


async def unknown_cameras(session: AsyncSession, cameras: Iterable[str]) -> list[str]:
    """Those of them that there are not, sorted."""
    wanted = set(cameras)
    return sorted(wanted - set(await session.scalars(select(CameraTable.id).where(CameraTable.id.in_(wanted)))))


async def unknown_groups(session: AsyncSession, groups: Iterable[str]) -> list[str]:
    wanted = set(groups)
    return sorted(wanted - set(await session.scalars(select(GroupTable.id).where(GroupTable.id.in_(wanted)))))


async def add_group(
    session: AsyncSession, name: str, kind: GroupKind, note: str, cameras: Iterable[str], *, adjoining: bool = False
) -> CameraGroup:
    row = GroupTable(
        id=uuid4().hex[:12],
        name=name,
        folded=name.casefold(),
        kind=kind.value,
        note=note,
        adjoining=adjoining,
        revision=1,
        created=time.time(),
    )
    session.add(row)
    await session.flush()
    return _group(row, await _fill(session, row.id, cameras))


async def update_group(session: AsyncSession, group: CameraGroup, expected: int | None) -> CameraGroup | None:
    """None where it is gone, or where its revision is not the expected one."""
    row = await session.get(GroupTable, group.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    row.name, row.folded, row.kind, row.note = group.name, group.name.casefold(), group.kind.value, group.note
    row.adjoining = group.adjoining
    row.revision += 1
    await session.execute(delete(GroupMemberTable).where(GroupMemberTable.group == group.id))
    await session.flush()
    return _group(row, await _fill(session, group.id, group.cameras))


async def group_in_use(session: AsyncSession, group: str) -> int:
    """How many roles grant something there."""
    query = select(func.count()).select_from(RoleGrantTable).where(RoleGrantTable.group == group)
    return await session.scalar(query) or 0


async def delete_group(session: AsyncSession, group: str) -> bool:
    gone = await session.scalars(delete(GroupTable).where(GroupTable.id == group).returning(GroupTable.id))
    return gone.first() is not None


async def set_members(session: AsyncSession, group: str, cameras: Iterable[str]) -> None:
    """Have just these in a group, and count its revision up."""
    row = await session.get(GroupTable, group, with_for_update=True, populate_existing=True)
    if row is None:
        return
    row.revision += 1
    await session.execute(delete(GroupMemberTable).where(GroupMemberTable.group == group))
    await session.flush()
    await _fill(session, group, cameras)


async def _fill(session: AsyncSession, group: str, cameras: Iterable[str]) -> set[str]:
    wanted = set(cameras)
    session.add_all(GroupMemberTable(group=group, camera=camera) for camera in wanted)
    await session.flush()
    return wanted


def _group(row: GroupTable, cameras: Iterable[str]) -> CameraGroup:
    return CameraGroup(
        id=row.id,
        name=row.name,
        kind=GroupKind(row.kind),
        note=row.note,
        adjoining=row.adjoining,
        cameras=tuple(sorted(cameras)),
        revision=row.revision,
    )
