"""The table of tasks."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import Base


class TaskTable(Base):
    """Which model looks at which camera, and when. `schedule` as JSON; empty: always."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    camera: Mapped[str] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), index=True)
    model: Mapped[str] = mapped_column(String(128), index=True)
    schedule: Mapped[str] = mapped_column(Text)
    schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"), index=True)
    started: Mapped[bool]
    priority: Mapped[int]
    fps: Mapped[float | None]
    min_score: Mapped[float | None]
    revision: Mapped[int]
    created: Mapped[float]
