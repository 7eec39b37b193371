"""Copies of segments at other storages, and which footage their retention has deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segment_copies",
        sa.Column("segment", sa.String(255), nullable=False),
        sa.Column("target", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("recorded", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "target", name="pk_segment_copies"),
    )
    op.create_index("ix_segment_copies_target_state", "segment_copies", ["target", "state", "due"])
    op.create_index("ix_segment_copies_recorded", "segment_copies", ["recorded"])
    op.create_table(
        "removed_footage",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True, nullable=False),
        sa.Column("camera", sa.String(127), nullable=False),
        sa.Column("start", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("detail", sa.String(63), nullable=False),
        sa.Column("removed", sa.Double(), nullable=False),
    )
    op.create_index("ix_removed_footage_camera_start", "removed_footage", ["camera", "start"])


def downgrade() -> None:
    op.drop_table("removed_footage")
    op.drop_table("segment_copies")
