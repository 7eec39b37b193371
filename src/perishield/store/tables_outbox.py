"""Tables of the outbox: channels, what is to be delivered, and each camera's count of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from perishield.store.tables import EMPTY, Base


class ChannelTable(Base):
    """`body`: the channel as JSON; the schedules that its route and its quiet hours name lie beside it, too, so that
    none goes that is in use. `sealed_secrets`: JSON, never given out. `trouble`: why it does not deliver, or empty;
    `paused_until`: not to be tried before that moment."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_secrets: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    revision: Mapped[int]
    created: Mapped[float]
    trouble: Mapped[str] = mapped_column(Text)
    paused_until: Mapped[float]
    schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"))
    quiet_schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"))


class DeliveryTable(Base):
    """`sequence` orders what a channel is told of a camera; NULL while held. `due`: when it may be sent, or, while it
    is leased, when the lease ends. `lease` names who sends it. `digest`: to be told together with others.
    `tried`: when the last try began; 0 for what went along in a message of others."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_key", "key", unique=True),
        Index("ix_deliveries_channel_state_camera", "channel", "state", "camera", "sequence"),
        Index("ix_deliveries_channel_tried", "channel", "tried"),
        Index("ix_deliveries_alarm", "alarm"),
        Index("ix_deliveries_state_changed", "state", "changed"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    channel: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    alarm: Mapped[str] = mapped_column(String(64))
    camera: Mapped[str] = mapped_column(String(63))
    topic: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(200))
    detail: Mapped[bytes] = mapped_column(LargeBinary)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bool]
    created: Mapped[float]
    changed: Mapped[float]
    due: Mapped[float]
    attempts: Mapped[int]
    tried: Mapped[float]
    lease: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    took_ms: Mapped[int]


class DeliveryCountTable(Base):
    """The last sequence of a channel and camera. Its row is what writers queue up behind, so that the order in which
    sequences are dealt out is that in which they are committed."""

    __tablename__ = "delivery_counts"

    channel: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    camera: Mapped[str] = mapped_column(String(63), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class RecorderTable(Base):
    """Another maker's recorder that keeps a camera's footage besides. The password is never given out."""

    __tablename__ = "recorders"

    camera: Mapped[str] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(String(256))
    sealed_password: Mapped[str] = mapped_column(Text, server_default=EMPTY)
    channel: Mapped[int]
    clock: Mapped[str] = mapped_column(String(8))
