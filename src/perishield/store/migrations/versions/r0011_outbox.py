"""The outbox: channels and what is to be delivered to them; other makers' recorders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("paused_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
    )
    op.create_table(
        "deliveries",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("channel", sa.String(63), nullable=False),
        sa.Column("alarm", sa.String(64), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("detail", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried", sa.Double(), nullable=False),
        sa.Column("lease", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name="fk_deliveries_channel", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_key", "deliveries", ["key"], unique=True)
    op.create_index("ix_deliveries_channel_state_camera", "deliveries", ["channel", "state", "camera", "sequence"])
    op.create_index("ix_deliveries_channel_tried", "deliveries", ["channel", "tried"])
    op.create_index("ix_deliveries_alarm", "deliveries", ["alarm"])
    op.create_index("ix_deliveries_state_changed", "deliveries", ["state", "changed"])
    op.create_table(
        "delivery_counts",
        sa.Column("channel", sa.String(63), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "camera", name="pk_delivery_counts"),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name="fk_delivery_counts_channel", ondelete="CASCADE"),
    )
    op.create_table(
        "recorders",
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("username", sa.String(256), nullable=False),
        sa.Column("password", sa.String(256), nullable=False),
        sa.Column("channel", sa.Integer(), nullable=False),
        sa.Column("clock", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("camera", name="pk_recorders"),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"], name="fk_recorders_camera", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("recorders")
    op.drop_table("delivery_counts")
    op.drop_table("deliveries")
    op.drop_table("channels")
