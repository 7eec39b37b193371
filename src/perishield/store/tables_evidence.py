"""Tables of evidence: its files and their hashes, holds on alarms, what was cut off a chain, privacy masks."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import Base


class EvidenceTable(Base):
    """One file of an alarm's evidence as it was when it was taken in. Empty `sha256`: there is none, see `note`."""

    __tablename__ = "evidence"

    alarm: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    made: Mapped[float]
    note: Mapped[str] = mapped_column(Text)


class AlarmHoldTable(Base):
    """An alarm that no retention touches until somebody lifts this."""

    __tablename__ = "alarm_holds"

    alarm: Mapped[str] = mapped_column(String(64), primary_key=True)
    who: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    placed: Mapped[float]


class CheckpointTable(Base):
    """Where the beginning of a chain was cut off: its last link that went, signed with the site's key of that time."""

    __tablename__ = "chain_checkpoints"

    chain: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[float]
    key: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))


class PrivacyMaskTable(Base):
    """What of a camera's picture is covered, as JSON. It outlives the camera, whose alarms and footage stay, too."""

    __tablename__ = "privacy_masks"

    camera: Mapped[str] = mapped_column(String(63), primary_key=True)
    polygons: Mapped[str] = mapped_column(Text)
    changed: Mapped[float]
