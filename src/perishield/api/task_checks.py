"""What must be there for a task to make sense: its camera, its model, and room for one more."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.problems import ProblemError
from perishield.api.security import Identity
from perishield.api.services import Services
from perishield.model.errors import ModelError
from perishield.model.tasks import Task
from perishield.model.vision import MOTION
from perishield.store.cameras import get_camera

MOST_TASKS = 20_000


async def check_camera(session: AsyncSession, task: Task, user: Identity) -> None:
    """Raises ProblemError (422) where there is no such camera within reach."""
    if not user.reach.sees(task.camera) or await get_camera(session, task.camera) is None:
        raise ProblemError(422, f"camera {task.camera!r}: there is none to look at", field="camera")


async def check_model(parts: Services, task: Task) -> None:
    """Raises ProblemError (422) where the model is not installed."""
    if task.model in ("", MOTION):
        return
    try:
        row = await asyncio.to_thread(parts.models.find, task.model)
    except ModelError as error:
        raise ProblemError(422, error.message, code=error.code, field="model") from error
    if row.id != task.model:
        raise ProblemError(422, f"model {task.model!r}: say which version: {row.id}", field="model")


def too_many() -> ProblemError:
    return ProblemError(409, f"there are {MOST_TASKS} tasks already; remove some first")
