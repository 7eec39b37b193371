"""The table of named schedules."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import Base


class ScheduleTable(Base):
    """Hours that rules, tasks and channels name by `id`. `folded`: the name as it is searched; `schedule` as JSON."""

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    folded: Mapped[str] = mapped_column(String(300))
    schedule: Mapped[str] = mapped_column(Text)
    revision: Mapped[int]
    created: Mapped[float]
