"""Evidence: files and their hashes, holds on alarms, checkpoints of chains, privacy masks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("alarm", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alarm", "kind", name="pk_evidence"),
    )
    op.create_table(
        "alarm_holds",
        sa.Column("alarm", sa.String(64), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("alarm", name="pk_alarm_holds"),
    )
    op.create_table(
        "chain_checkpoints",
        sa.Column("chain", sa.String(16), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_chain_checkpoints"),
    )
    op.create_table(
        "privacy_masks",
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("polygons", sa.Text(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("camera", name="pk_privacy_masks"),
    )
    op.add_column("alarm_records", sa.Column("digest", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("alarm_records", "digest")
    op.drop_table("privacy_masks")
    op.drop_table("chain_checkpoints")
    op.drop_table("alarm_holds")
    op.drop_table("evidence")
