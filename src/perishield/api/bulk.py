"""Many things at once, whatever they are: all of a file is taken in, or nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from perishield.api.bulk_file import Sheet, as_file, rows_of
from perishield.api.problems import ProblemError
from perishield.api.security import Identity, audited
from perishield.api.services import Services
from perishield.api.table_rows import Mistakes, Row
from perishield.model.errors import PeriShieldError
from perishield.store.chain import append_audit

T = TypeVar("T")


class ImportOut(TypedDict):
    """Ids, and what is wrong with which row. With `dry_run`, or with errors, nothing was saved."""

    dry_run: bool
    added: list[str]
    changed: list[str]
    unchanged: list[str]
    errors: list[dict[str, Any]]


class Kind(Protocol[T]):
    """What a bulk import needs to know of one kind of thing. `kind`: what the audit log calls one."""

    kind: str
    sheet: Sheet

    async def known(self, session: AsyncSession) -> Sequence[T]: ...

    def key(self, thing: T) -> str:
        """Its id."""
        ...

    def find(self, fields: Mapping[str, Any], known: Mapping[str, T]) -> T | None:
        """Which one a row speaks of, by its id; None: a new one."""
        return known.get(str(fields.get("id", "")))

    def row(self, thing: T) -> dict[str, Any]:
        """As a file has it, without secrets."""
        ...

    def filled(self, fields: Mapping[str, Any], before: T) -> dict[str, Any]:
        """A row with what it leaves out, as `before` has it."""
        return {**self.row(before), **fields}

    def same(self, thing: T, before: T) -> bool:
        """Whether there is nothing to save."""
        return self.row(thing) == self.row(before)

    async def read(self, session: AsyncSession, fields: Mapping[str, Any], before: T | None) -> T:
        """What a row says, `fields` having what it leaves out. Raises PeriShieldError or ValidationError."""
        ...

    async def save(self, session: AsyncSession, thing: T, before: T | None) -> None: ...

    async def saved(self, parts: Services) -> None:
        """After the commit: tell whoever must know."""
        ...


async def give_out(kind: Kind[T], parts: Services, user: Identity, request: Request, form: str) -> Response:
    """A file of all there are."""
    async with parts.database.write() as session:
        things = await kind.known(session)
        entry = audited(request, user, f"{kind.kind}.export", kind=kind.kind, format=form, count=len(things))
        await append_audit(session, entry)
    return as_file(kind.sheet, [kind.row(thing) for thing in things], form)


async def take_in(kind: Kind[T], parts: Services, user: Identity, request: Request, *, dry_run: bool) -> ImportOut:
    """Add and change what the rows of the request's file say. Raises ProblemError (422, `import_invalid`)."""
    mistakes = Mistakes()
    rows = await rows_of(request, kind.sheet, mistakes)
    out: ImportOut = {"dry_run": dry_run, "added": [], "changed": [], "unchanged": [], "errors": mistakes.found}
    async with parts.database.write() as session:
        known = {kind.key(thing): thing for thing in await kind.known(session)}
        wanted: list[tuple[T, T | None]] = []
        named = set[str]()
        for row in rows:
            found = await _read(kind, session, row, known, mistakes)
            if found is None:
                continue
            thing, before = found
            key = kind.key(thing)
            if key in named:
                mistakes.add(row.number, "id", f"{kind.kind} {key!r} is there twice")
                continue
            named.add(key)
            how = "added" if before is None else "unchanged" if kind.same(thing, before) else "changed"
            out[how].append(key)  # type: ignore[literal-required]
            if how != "unchanged":
                wanted.append(found)
        if not mistakes.found and not dry_run:
            for thing, before in wanted:
                await kind.save(session, thing, before)
            entry = audited(
                request, user, f"{kind.kind}.import", kind=kind.kind, added=out["added"], changed=out["changed"]
            )
            await append_audit(session, entry)
    if mistakes.found and not dry_run:
        refuse(mistakes)
    if not dry_run:
        await kind.saved(parts)
    return out


def refuse(mistakes: Mistakes) -> None:
    """Raises ProblemError (422, `import_invalid`)."""
    first = mistakes.found[0]
    raise ProblemError(
        422,
        f"row {first['row']}: {first['field']}: {first['message']}; nothing was saved",
        code="import_invalid",
        errors=mistakes.found[:200],
    )


async def _read(
    kind: Kind[T], session: AsyncSession, row: Row, known: Mapping[str, T], mistakes: Mistakes
) -> tuple[T, T | None] | None:
    unknown = row.fields.keys() - set(kind.sheet.columns)
    if unknown:
        mistakes.add(row.number, min(unknown)[:40], "is no field of these")
        return None
    before = kind.find(row.fields, known)
    given = kind.filled(row.fields, before) if before is not None else row.fields
    try:
        return await kind.read(session, given, before), before
    except ValidationError as error:
        mistakes.refused(row.number, error)
    except PeriShieldError as error:
        mistakes.add(row.number, str(error.params.get("field", "")), error.message)
    return None
