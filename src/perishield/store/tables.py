"""Tables. Times are Unix seconds UTC (REAL); composite values are JSON bytes."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, text, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

EMPTY = text("''")
"""Written out: as a plain string it would not compare equal to what a database says it has."""


class Base(DeclarativeBase):
    # Named constraints, so that a migration on any database can drop them again.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class AccountTable(Base):
    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    folded: Mapped[str] = mapped_column(String(128), unique=True)
    """The name as it is compared: case-folded."""
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    created: Mapped[float]


class CameraTable(Base):
    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(String(256))
    password: Mapped[str] = mapped_column(String(256))
    enabled: Mapped[bool]
    recording: Mapped[str] = mapped_column(Text, server_default="{}")
    """The policy as JSON; what it leaves out has the model's default."""
    detect_url: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    transport: Mapped[str] = mapped_column(String(8), server_default="auto")
    audio: Mapped[bool] = mapped_column(server_default=true())
    tls_fingerprint: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    analysis_enabled: Mapped[bool]
    analysis_fps: Mapped[float]
    analysis_min_score: Mapped[float]
    revision: Mapped[int]
    created: Mapped[float]


class RuleTable(Base):
    __tablename__ = "rules"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    camera: Mapped[str] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int]
    created: Mapped[float]


class AlarmTable(Base):
    """`number` is the order of storing, which nothing moves; cameras may go, their alarms stay."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index("ix_alarms_camera_number", "camera", "number"),
        Index("ix_alarms_clip_state_number", "clip_state", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    camera: Mapped[str] = mapped_column(String(63))
    camera_name: Mapped[str] = mapped_column(String(100))
    rule: Mapped[str] = mapped_column(String(63), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    level: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    wall: Mapped[float] = mapped_column(index=True)
    raised: Mapped[float]
    event: Mapped[bytes] = mapped_column(LargeBinary)
    clip_state: Mapped[str] = mapped_column(String(16))
    clip: Mapped[str] = mapped_column(Text)
    clip_start: Mapped[float]
    clip_duration: Mapped[float]
    clip_note: Mapped[str] = mapped_column(Text)


class SegmentTable(Base):
    """An index: every row can be made again from the file's sidecar."""

    __tablename__ = "segments"
    __table_args__ = (Index("ix_segments_camera_start", "camera", "start"),)

    path: Mapped[str] = mapped_column(String(255), primary_key=True)
    camera: Mapped[str] = mapped_column(String(127))
    """Longer than a camera's id: the smaller stream of `gate` is called `gate~detect`."""
    pool: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[int]
    start: Mapped[float]
    duration: Mapped[float]
    size: Mapped[int] = mapped_column(BigInteger)
    frames: Mapped[int]
    stream_time: Mapped[int] = mapped_column(BigInteger)
    codec: Mapped[str] = mapped_column(String(16))
    mime: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    init_length: Mapped[int]
    keyframes: Mapped[bytes] = mapped_column(LargeBinary)
    complete: Mapped[bool]
    audio: Mapped[str] = mapped_column(String(16), server_default=EMPTY)


class CoverageTable(Base):
    """What a camera's segments that begin in one hour (since 1970) hold, adjoining ones merged; made anew on change."""

    __tablename__ = "coverage"

    camera: Mapped[str] = mapped_column(String(127), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    spans: Mapped[bytes] = mapped_column(LargeBinary)


class HoldTable(Base):
    """Footage that nothing may delete. `camera` outlives the camera's settings, as its footage does."""

    __tablename__ = "holds"
    __table_args__ = (Index("ix_holds_camera_start", "camera", "start"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    camera: Mapped[str] = mapped_column(String(63))
    start: Mapped[float]
    until: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(String(64))
    created: Mapped[float]


class SegmentCopyTable(Base):
    """A segment at a storage target. `segment` outlives the file on the recorder's own disk."""

    __tablename__ = "segment_copies"
    __table_args__ = (
        Index("ix_segment_copies_target_state", "target", "state", "due"),
        Index("ix_segment_copies_recorded", "recorded"),
    )

    segment: Mapped[str] = mapped_column(String(255), primary_key=True)
    target: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    recorded: Mapped[float]
    changed: Mapped[float]
    sha256: Mapped[str] = mapped_column(String(64))
    attempts: Mapped[int]
    due: Mapped[float]
    error: Mapped[str] = mapped_column(Text)


class RemovedFootageTable(Base):
    """Footage that the retention of storage tiers deleted, adjoining segments merged. `detail` names the target."""

    __tablename__ = "removed_footage"
    __table_args__ = (Index("ix_removed_footage_camera_start", "camera", "start"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    camera: Mapped[str] = mapped_column(String(127))
    start: Mapped[float]
    until: Mapped[float]
    reason: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(String(63))
    removed: Mapped[float]


class MetaTable(Base):
    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
