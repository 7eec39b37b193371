"""The tables of the life of alarms, beside the alarms themselves."""

from __future__ import annotations

from sqlalchemy import String, true
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import EMPTY, Base


class EscalationTable(Base):
    """One step of escalation. Alarms raised up to `considered` (Unix seconds) were weighed by it already."""

    __tablename__ = "escalation_steps"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    levels: Mapped[str] = mapped_column(String(16))
    """Digits, `12` for levels 1 and 2."""
    after_s: Mapped[float]
    to_level: Mapped[int]
    to_role: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    channel: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    enabled: Mapped[bool] = mapped_column(server_default=true())
    considered: Mapped[float]
    revision: Mapped[int]
    created: Mapped[float]
