"""Many cameras at once: taken in from CSV or JSON, and given out."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bulk import ImportOut, refuse
from perishield.api.bulk_file import read_body
from perishield.api.camera_table import as_csv, as_json, as_row, body_of, read_csv, read_json
from perishield.api.camera_url import slug
from perishield.api.device_address import check_camera_address
from perishield.api.examples import CAMERA_FILE
from perishield.api.grouping import may_widen
from perishield.api.problems import ProblemError
from perishield.api.routes.cameras import camera_of
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.table_rows import Mistakes, Row
from perishield.model.access import Action
from perishield.model.device_reach import DeviceReach
from perishield.model.errors import GroundError
from perishield.model.people import CameraGroup
from perishield.model.site import Camera
from perishield.store.cameras import add_camera, free_id, list_cameras, update_camera
from perishield.store.chain import append_audit
from perishield.store.groups import list_groups, set_members

router = APIRouter(prefix="/bulk/cameras", tags=["cameras"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Importing = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT, everywhere=True))]


@router.get("", summary="All cameras within reach as a file, without passwords", response_class=Response)
async def exported(
    parts: Parts,
    user: Looking,
    request: Request,
    kind: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> Response:
    async with parts.database.write() as session:
        cameras = [camera for camera in await list_cameras(session) if user.reach.sees(camera.id)]
        groups, _ = await list_groups(session)
        await append_audit(
            session, audited(request, user, "camera.export", kind="camera", format=kind, count=len(cameras))
        )
    rows = [as_row(one, [group.name for group in groups if one.id in group.cameras]) for one in cameras]
    text, media_type = (as_csv(rows), "text/csv") if kind == "csv" else (as_json(rows), "application/json")
    headers = {"content-disposition": f'attachment; filename="cameras.{kind}"'}
    return Response(text, media_type=media_type, headers=headers)


@router.post(
    "",
    summary="Add and change cameras by a CSV or JSON file: all of it, or nothing",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": CAMERA_FILE},
            },
        }
    },
)
async def imported(parts: Parts, user: Importing, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the id of a camera that is there changes what it names; others are added. A column `groups` (names,
    separated by semicolons; needs `people.edit`) puts a camera into just these."""
    mistakes = Mistakes()
    rows = await read_body(request, lambda text: read_csv(text, mistakes), read_json)
    out: ImportOut = {"dry_run": dry_run, "added": [], "changed": [], "unchanged": [], "errors": mistakes.found}
    async with parts.database.write() as session:
        known = {camera.id: camera for camera in await list_cameras(session)}
        groups = {group.name.casefold(): group for group in (await list_groups(session))[0]}
        wanted = _wanted(rows, known, mistakes, parts.device_reach)
        members = _members(wanted, groups, user, mistakes)
        if not mistakes.found:
            for row, camera in wanted:
                await may_widen_all(session, user, groups, members, row, camera.id, mistakes)
        for _row, camera in wanted:
            before = known.get(camera.id)
            kind = "added" if before is None else "unchanged" if _same(camera, before) else "changed"
            out[kind].append(camera.id)  # type: ignore[literal-required]
        if not mistakes.found and not dry_run:
            await _save(session, wanted, known, members, out)
            entry = audited(request, user, "camera.import", kind="camera", added=out["added"], changed=out["changed"])
            await append_audit(session, entry)
    if mistakes.found and not dry_run:
        refuse(mistakes)
    if not dry_run:
        await parts.people.access.reload()
        await parts.site.publish()
    return out


def _wanted(
    rows: list[Row], known: dict[str, Camera], mistakes: Mistakes, reach: DeviceReach | None
) -> list[tuple[Row, Camera]]:
    taken, named = set(known), set[str]()
    found = []
    for row in rows:
        before = known.get(str(row.fields.get("id", "")))
        body = body_of(row, before, mistakes)
        if body is None:
            continue
        name = body.id or free_id(slug(body.name), taken)
        if name in named:
            mistakes.add(row.number, "id", f"camera {name!r} is there twice")
            continue
        named.add(name)
        taken.add(name)
        try:
            camera = camera_of(body, name, before)
            check_camera_address(camera, before, reach)
            found.append((row, camera))
        except (ProblemError, GroundError) as error:
            mistakes.add(row.number, str(error.params.get("field", "")), error.message)
    return found


def _members(
    wanted: list[tuple[Row, Camera]], groups: dict[str, CameraGroup], user: Identity, mistakes: Mistakes
) -> dict[str, set[str]]:
    """Who is in which group afterwards, of the groups that change."""
    found: dict[str, set[str]] = {}
    for row, camera in wanted:
        if row.groups is None:
            continue
        asked = {name.casefold() for name in row.groups}
        for missing in sorted(asked - groups.keys()):
            mistakes.add(row.number, "groups", f"there is no group {missing!r}; make it first")
        for name, group in groups.items():
            if (name in asked) != (camera.id in group.cameras):
                if Action.PEOPLE_EDIT not in user.reach.actions:
                    mistakes.add(row.number, "groups", "changing groups needs the permission 'people.edit'")
                    break
                inside = found.setdefault(group.id, set(group.cameras))
                (inside.add if name in asked else inside.discard)(camera.id)
    return found


async def may_widen_all(
    session: AsyncSession,
    user: Identity,
    groups: dict[str, CameraGroup],
    members: dict[str, set[str]],
    row: Row,
    camera: str,
    mistakes: Mistakes,
) -> None:
    """Note where a camera may not come into a group because others would be allowed more there than the caller."""
    for group in groups.values():
        if camera in members.get(group.id, set()) and camera not in group.cameras:
            try:
                await may_widen(session, user, group, [camera])
            except ProblemError as error:
                mistakes.add(row.number, "groups", error.message)


def _same(camera: Camera, before: Camera) -> bool:
    return replace(camera, revision=before.revision) == before


async def _save(
    session: AsyncSession,
    wanted: list[tuple[Row, Camera]],
    known: dict[str, Camera],
    members: dict[str, set[str]],
    out: ImportOut,
) -> None:
    for _row, camera in wanted:
        if camera.id not in known:
            await add_camera(session, camera)
        elif camera.id in out["changed"]:
            await update_camera(session, camera, None)
    for group, cameras in members.items():
        await set_members(session, group, cameras)
