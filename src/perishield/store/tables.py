"""Tables. Times are Unix seconds UTC (REAL); composite values are JSON bytes."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, false, text, true
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
    __table_args__ = (Index("ix_accounts_issuer_subject", "issuer", "subject"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    folded: Mapped[str] = mapped_column(String(128), unique=True)
    """The name as it is compared: case-folded."""
    password_hash: Mapped[str] = mapped_column(String(255))
    """Empty: comes in by OpenID Connect alone, or has not set one yet."""
    role: Mapped[str] = mapped_column(String(16), ForeignKey("roles.id"))
    created: Mapped[float]
    full_name: Mapped[str] = mapped_column(String(100), server_default=EMPTY)
    disabled: Mapped[bool] = mapped_column(server_default=false())
    last_login: Mapped[float] = mapped_column(server_default=text("0"))
    sealed_totp: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    """The second factor's secret in base32, sealed (`sealing.py`); it counts once `totp_on` says so."""
    totp_on: Mapped[bool] = mapped_column(server_default=false())
    totp_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The last step that was used: none is taken twice."""
    issuer: Mapped[str] = mapped_column(String(255), server_default=EMPTY)
    subject: Mapped[str] = mapped_column(String(255), server_default=EMPTY)
    revision: Mapped[int] = mapped_column(server_default=text("1"))


class CameraTable(Base):
    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(String(256))
    sealed_password: Mapped[str] = mapped_column(Text, server_default=EMPTY)
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
    analysis_more: Mapped[str] = mapped_column(Text, server_default="{}")
    """`doubts`, `health` and `livestock` as JSON; what it leaves out has the model's default."""
    analysis_steady: Mapped[bool] = mapped_column(server_default=false())
    ground: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    """The calibration as JSON; empty: none."""
    revision: Mapped[int]
    created: Mapped[float]


class SpellTable(Base):
    """What was wrong with a camera, from when to when; it outlives the camera's settings."""

    __tablename__ = "spells"
    __table_args__ = (Index("ix_spells_camera_began", "camera", "began"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(63))
    ailment: Mapped[str] = mapped_column(String(16))
    began: Mapped[float]
    ended: Mapped[float | None]


class RuleTable(Base):
    __tablename__ = "rules"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    camera: Mapped[str] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"), index=True)
    revision: Mapped[int]
    created: Mapped[float]


class AlarmTable(Base):
    """`number` is the order of storing, which nothing moves; cameras may go, their alarms stay."""

    __tablename__ = "alarms"
    __table_args__ = (
        # Each way of narrowing the list in the list's own order; see `store/alarm_list.py`.
        Index("ix_alarms_camera_number", "camera", "number"),
        Index("ix_alarms_camera_state_number", "camera", "state", "number"),
        Index("ix_alarms_clip_state_number", "clip_state", "number"),
        Index("ix_alarms_rule_number", "rule", "number"),
        Index("ix_alarms_kind_number", "kind", "number"),
        Index("ix_alarms_level_number", "level", "number"),
        Index("ix_alarms_state_number", "state", "number"),
        Index("ix_alarms_verdict_number", "verdict", "number"),
        Index("ix_alarms_assignee_number", "assignee", "number"),
        Index("ix_alarms_group_id_number", "group_id", "number"),
        Index("ix_alarms_raised", "raised"),
        # Statistics read this and never the rows.
        Index(
            "ix_alarms_sheet",
            *("wall", "number", "camera", "rule", "kind", "level", "state", "verdict", "reason", "raised", "answered"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    camera: Mapped[str] = mapped_column(String(63))
    camera_name: Mapped[str] = mapped_column(String(100))
    rule: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    level: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    wall: Mapped[float]
    raised: Mapped[float]
    event: Mapped[bytes] = mapped_column(LargeBinary)
    clip_state: Mapped[str] = mapped_column(String(16))
    clip: Mapped[str] = mapped_column(Text)
    clip_start: Mapped[float]
    clip_duration: Mapped[float]
    clip_note: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    score: Mapped[float] = mapped_column(server_default="0")
    epoch: Mapped[int] = mapped_column(BigInteger, server_default="0")
    track: Mapped[int] = mapped_column(BigInteger, server_default="-1")
    revision: Mapped[int] = mapped_column(server_default="1")
    verdict: Mapped[str] = mapped_column(String(16), server_default=EMPTY)
    reason: Mapped[str] = mapped_column(String(24), server_default=EMPTY)
    assignee: Mapped[str] = mapped_column(String(32), server_default=EMPTY)
    assignee_name: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    group_id: Mapped[str] = mapped_column(String(64), server_default=EMPTY)
    group_began: Mapped[float] = mapped_column(server_default="0")
    comments: Mapped[int] = mapped_column(server_default="0")
    escalations: Mapped[int] = mapped_column(server_default="0")
    answered: Mapped[float | None]
    decided: Mapped[float | None]
    closed: Mapped[float | None]


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


class ChainHeadTable(Base):
    """The last link of each chained log; its row is what writers queue up behind."""

    __tablename__ = "chain_heads"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class AlarmRecordTable(Base):
    """What happened to alarms, chained (`model/chain.py`). Outlives the alarm. `content` is what was hashed.

    Once retention has deleted the content it is empty, and `digest` is what its SHA-256 was.
    """

    __tablename__ = "alarm_records"
    __table_args__ = (Index("ix_alarm_records_alarm_number", "alarm", "number"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    alarm: Mapped[str] = mapped_column(String(64))
    at: Mapped[float]
    kind: Mapped[str] = mapped_column(String(16))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str | None] = mapped_column(String(64))


class AuditTable(Base):
    """Who did what, chained. The columns beside `content` are for searching."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"), Index("ix_audit_actor_number", "actor", "number"))

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[float]
    actor: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(48))
    kind: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(String(255))
    camera: Mapped[str] = mapped_column(String(63))
    address: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class MetaTable(Base):
    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
