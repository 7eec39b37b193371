"""The table of finished ways."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import Base


class TrackTable(Base):
    """One finished way. `path` as `path_bytes` packs it; the four bounds are shares of the picture."""

    __tablename__ = "tracks"
    __table_args__ = (Index("ix_tracks_camera_start", "camera", "start"), Index("ix_tracks_start", "start"))

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    camera: Mapped[str] = mapped_column(String(63))
    epoch: Mapped[int]
    track: Mapped[int]
    label: Mapped[str] = mapped_column(String(64))
    score: Mapped[float]
    hits: Mapped[int]
    start: Mapped[float]
    until: Mapped[float]
    left: Mapped[float]
    top: Mapped[float]
    right: Mapped[float]
    bottom: Mapped[float]
    path: Mapped[bytes] = mapped_column(LargeBinary)
