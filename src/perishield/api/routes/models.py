"""Detection models: what is installed, bringing in another, choosing one and going back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from typing_extensions import TypedDict

from perishield.api.problems import ProblemError
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.log import Log
from perishield.model.access import Action
from perishield.store.chain import append_audit
from perishield.store.tasks import task_of_model
from perishield.vision.catalogue import CATALOGUE, CatalogueEntry
from perishield.vision.model_registry import Change, Installed

log = Log("models")

router = APIRouter(prefix="/models", tags=["models"])

Admin = Annotated[Identity, Depends(may(Action.MODELS_EDIT))]
Key = Annotated[str, Query(max_length=64, pattern=r"^[a-z0-9._-]*$")]
_one_at_a_time = asyncio.Semaphore(1)


class TestOut(TypedDict):
    family: str
    width: int
    height: int
    classes: list[str]
    found: int
    ms: float


class ModelOut(TypedDict):
    id: str
    name: str
    version: str
    size: int
    enabled: bool
    sha256: str
    added: str | None
    who: str
    licence: str
    source: str
    test: TestOut | None


class ChangeOut(TypedDict):
    action: str
    model: str
    who: str
    when: str


class KnownOut(TypedDict):
    """A network that `perishield models pull NAME` fetches; `size` in bytes."""

    name: str
    title: str
    size: int
    licence: str
    classes: str
    installed: bool


class ModelsOut(TypedDict):
    """`in_use` and `provider`: what the vision process sees with at this moment."""

    items: list[ModelOut]
    catalogue: list[KnownOut]
    history: list[ChangeOut]
    enabled: str
    in_use: str
    provider: str
    code: str
    message: str


class EnabledOut(TypedDict):
    enabled: str


@router.get(
    "",
    dependencies=[Depends(may(Action.SYSTEM_VIEW))],
    summary="Installed versions, which is enabled, what is in use, and who changed what",
)
async def models(parts: Parts) -> ModelsOut:
    registry = parts.models
    rows, history = await asyncio.to_thread(lambda: (registry.installed(), registry.history()[:100]))
    state = parts.processes.detector_state()
    return {
        "items": [model_out(row) for row in rows],
        "catalogue": [_known_out(item, {row.id for row in rows}) for item in CATALOGUE],
        "history": [_change_out(change) for change in history],
        "enabled": next((row.id for row in rows if row.enabled), ""),
        "in_use": state.model.removesuffix(".onnx") if state else "",
        "provider": state.provider if state else "",
        "code": state.code if state else "vision_silent",
        "message": state.message if state else "the vision process has not reported yet",
    }


# In ASCII even the longest fits into one request's line, of which the server reads 64 KiB.
Card = Annotated[
    str,
    Query(
        max_length=16_000,
        pattern=r"^[\t\n\r -~]*$",
        description=r"Its card, as JSON in ASCII: write other letters as `\u00e9`.",
    ),
]


@router.post("", status_code=201, summary="Bring in a version: the body is the ONNX file; it is tried, not enabled")
async def add(
    parts: Parts,
    user: Admin,
    request: Request,
    name: Key,
    version: Key = "",
    card: Card = "",
) -> ModelOut:
    if _one_at_a_time.locked():
        raise ProblemError(503, "another model is being taken in; try again", headers={"retry-after": "10"})
    async with _one_at_a_time:
        await asyncio.to_thread(parts.models.folder.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".upload-", dir=parts.models.folder) as folder:
            file = Path(folder) / f"{name or 'model'}.onnx"
            with file.open("wb") as out:
                async for piece in request.stream():
                    await asyncio.to_thread(out.write, piece)
            stated = None
            if card:
                stated = Path(folder) / "card.json"
                stated.write_text(card)
            row = await asyncio.to_thread(
                parts.models.add, file, who=user.username, name=name, version=version, card=stated
            )
    await _booked(parts, request, user, "model.add", row.id)
    return model_out(row)


@router.post("/{model}/enable", summary="See with this version from now on; it is tried anew first")
async def enable(parts: Parts, user: Admin, request: Request, model: str) -> ModelOut:
    async with _one_at_a_time:
        row = await asyncio.to_thread(parts.models.enable, model, who=user.username)
    await _booked(parts, request, user, "model.enable", row.id)
    return model_out(row)


@router.post("/{model}/test", summary="Try a version anew, on a drawn picture in a process of its own")
async def test(parts: Parts, user: Admin, request: Request, model: str) -> ModelOut:
    """What it says is kept with the version; a failure is told and changes nothing."""
    async with _one_at_a_time:
        row = await asyncio.to_thread(parts.models.try_anew, model, who=user.username)
    await _booked(parts, request, user, "model.test", row.id)
    return model_out(row)


@router.post("/rollback", summary="Back to the version that was enabled before")
async def rollback(parts: Parts, user: Admin, request: Request) -> EnabledOut:
    enabled = await asyncio.to_thread(parts.models.roll_back, who=user.username)
    await _booked(parts, request, user, "model.roll_back", enabled)
    return {"enabled": enabled}


@router.delete("/{model}", status_code=204, response_class=Response, summary="Delete a version that is not in use")
async def remove(parts: Parts, user: Admin, request: Request, model: str) -> None:
    state = parts.processes.detector_state()
    row = await asyncio.to_thread(parts.models.find, model)
    if state is not None and state.model == row.file:
        raise ProblemError(409, f"model {row.id}: is in use; enable another first", code="model_in_use")
    async with parts.database.read() as session:
        task = await task_of_model(session, row.id)
    if task is not None:
        raise ProblemError(
            409, f"model {row.id}: task {task!r} looks with it; give that another model first", code="model_in_use"
        )
    await asyncio.to_thread(parts.models.remove, row.id, who=user.username)
    await _booked(parts, request, user, "model.remove", row.id)


async def _booked(parts: Services, request: Request, user: Identity, action: str, model: str) -> None:
    """Models lie in files, so what was done to them is written down afterwards."""
    log.info(action, model=model, who=user.username)
    async with parts.database.write() as session:
        await append_audit(session, audited(request, user, action, kind="model", target=model))


def model_out(row: Installed) -> ModelOut:
    test = row.test
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "size": row.size,
        "enabled": row.enabled,
        "sha256": row.sha256,
        "added": iso(row.wall) if row.wall else None,
        "who": row.who,
        "licence": row.licence,
        "source": row.source,
        "test": None
        if test is None
        else {
            "family": test.family,
            "width": test.width,
            "height": test.height,
            "classes": list(test.classes),
            "found": test.found,
            "ms": test.ms,
        },
    }


def _known_out(item: CatalogueEntry, installed: set[str]) -> KnownOut:
    return {
        "name": item.name,
        "title": item.title,
        "size": item.size,
        "licence": item.licence,
        "classes": item.classes,
        "installed": item.name in installed,
    }


def _change_out(change: Change) -> ChangeOut:
    return {"action": change.action, "model": change.model, "who": change.who, "when": iso(change.wall)}
