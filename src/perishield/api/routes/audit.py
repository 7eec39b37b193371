"""The audit log: searched, exported, proved."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse
from typing_extensions import TypedDict

from perishield.api.security import Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.api.times import Moment, iso
from perishield.model.access import Action
from perishield.model.chain import Link
from perishield.store.audit import AuditFilter, all_audit, list_audit, verify_audit
from perishield.store.chain import append_audit

router = APIRouter(prefix="/audit", tags=["audit"])

Auditing = Annotated[Identity, Depends(may(Action.AUDIT_VIEW))]
_COLUMNS = ("number", "at", "actor", "actor_name", "action", "kind", "target", "camera", "address", "request", "detail")


class AuditPageOut(TypedDict):
    """`next`: give it as `before` for the page after this one."""

    items: list[dict[str, Any]]
    next: int | None


class VerifiedOut(TypedDict):
    """`records`: how many hold, from the first on; `head`: the hash of the last of them; `problem` empty: all do."""

    intact: bool
    records: int
    head: str
    problem: str


def _wanted(
    actor: Annotated[str | None, Query(max_length=64, description="Account id or user name")] = None,
    action: Annotated[str | None, Query(max_length=48, description="With a dot at its end: all that begin so")] = None,
    kind: Annotated[str | None, Query(max_length=32)] = None,
    target: Annotated[str | None, Query(max_length=255)] = None,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    address: Annotated[str | None, Query(max_length=64)] = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
) -> AuditFilter:
    return AuditFilter(
        actor=actor, action=action, kind=kind, target=target, camera=camera, address=address, start=start, end=end
    )


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get("", summary="Who did what, newest first")
async def listed(
    parts: Parts,
    _user: Auditing,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> AuditPageOut:
    async with parts.database.read() as session:
        page, following = await list_audit(session, wanted, limit=limit, before=before)
    return {"items": [_out(link) for link in page], "next": following}


@router.get(
    "/export", summary="The same as a file, oldest first, with the hashes that prove it", response_class=Response
)
async def exported(
    parts: Parts,
    user: Auditing,
    wanted: Wanted,
    request: Request,
    kind_of_file: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "csv",
) -> Response:
    """`csv` for people; `jsonl` bears each record's exact content, so that its hash can be computed again."""
    async with parts.database.write() as session:
        await append_audit(session, audited(request, user, "audit.export", kind="audit", format=kind_of_file))
    lines = _csv(parts, wanted) if kind_of_file == "csv" else _jsonl(parts, wanted)
    media_type = "text/csv; charset=utf-8" if kind_of_file == "csv" else "application/jsonl"
    headers = {"content-disposition": f'attachment; filename="audit.{kind_of_file}"'}
    return StreamingResponse(lines, media_type=media_type, headers=headers)


@router.get("/verify", summary="Whether anything was changed or taken out of the log")
async def verified(parts: Parts, _user: Auditing) -> VerifiedOut:
    """Reads the whole chain. Keep `head` elsewhere: it finds out even a log that was written anew from its start."""
    records, head, problem = await verify_audit(parts.database)
    return {"intact": not problem, "records": records, "head": head, "problem": problem}


def _out(link: Link) -> dict[str, Any]:
    content = json.loads(link.content)
    return {**content, "at": iso(content["at"]), "number": link.number, "hash": link.hash}


async def _csv(parts: Services, wanted: AuditFilter) -> AsyncIterator[str]:
    yield ",".join((*_COLUMNS, "previous", "hash")) + "\r\n"
    async for link in all_audit(parts.database, wanted):
        row = _out(link)
        row["detail"] = json.dumps(row["detail"], ensure_ascii=False, sort_keys=True)
        text = io.StringIO()
        csv.writer(text).writerow([*(_harmless(row[name]) for name in _COLUMNS), link.previous, link.hash])
        yield text.getvalue()


async def _jsonl(parts: Services, wanted: AuditFilter) -> AsyncIterator[str]:
    async for link in all_audit(parts.database, wanted):
        record = {
            "number": link.number,
            "content": link.content.decode(),
            "previous": link.previous,
            "hash": link.hash,
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def _harmless(value: object) -> str:
    """Spreadsheets run what begins like a formula; a name in the log may be anybody's choice."""
    text = str(value)
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
