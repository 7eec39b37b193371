"""Tables of what alarms add up to. Triggers on `alarms` keep them (migration 0012); nothing else writes them but
`alarm_sums.recount`. Whoever makes the table of alarms anew in a migration makes its triggers anew, too."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import Base


class AlarmSumTable(Base):
    """Alarms that crossed in `block`, counted in spans of `span` days since 1970 (UTC), and are alike in all else.

    `answered_ms`: from raising to first answer, in all; `within_N`: how many were answered within N seconds.
    """

    __tablename__ = "alarm_sums"
    __table_args__ = ({"sqlite_with_rowid": False},)

    span: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    camera: Mapped[str] = mapped_column(String(63), primary_key=True)
    rule: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16), primary_key=True)
    reason: Mapped[str] = mapped_column(String(24), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int] = mapped_column(BigInteger)
    answered_ms: Mapped[int] = mapped_column(BigInteger)
    within_15: Mapped[int] = mapped_column(BigInteger)
    within_30: Mapped[int] = mapped_column(BigInteger)
    within_60: Mapped[int] = mapped_column(BigInteger)
    within_120: Mapped[int] = mapped_column(BigInteger)
    within_300: Mapped[int] = mapped_column(BigInteger)
    within_600: Mapped[int] = mapped_column(BigInteger)
    within_1800: Mapped[int] = mapped_column(BigInteger)
    within_3600: Mapped[int] = mapped_column(BigInteger)
    within_14400: Mapped[int] = mapped_column(BigInteger)
    within_86400: Mapped[int] = mapped_column(BigInteger)


class AlarmHourTable(Base):
    """Alarms by the quarters of an hour since 1970 (UTC): every time zone's hours begin at one. Camera empty: all."""

    __tablename__ = "alarm_hours"
    __table_args__ = ({"sqlite_with_rowid": False},)

    camera: Mapped[str] = mapped_column(String(63), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    q0: Mapped[int]
    q1: Mapped[int]
    q2: Mapped[int]
    q3: Mapped[int]
