"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("folded", sa.String(128), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("folded", name="uq_accounts_folded"),
    )
    op.create_table(
        "cameras",
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("username", sa.String(256), nullable=False),
        sa.Column("password", sa.String(256), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("analysis_enabled", sa.Boolean(), nullable=False),
        sa.Column("analysis_fps", sa.Double(), nullable=False),
        sa.Column("analysis_min_score", sa.Double(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"], name="fk_rules_camera", ondelete="CASCADE"),
    )
    op.create_index("ix_rules_camera", "rules", ["camera"])
    op.create_table(
        "alarms",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("camera_name", sa.String(100), nullable=False),
        sa.Column("rule", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wall", sa.Double(), nullable=False),
        sa.Column("raised", sa.Double(), nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.Column("clip_state", sa.String(16), nullable=False),
        sa.Column("clip", sa.Text(), nullable=False),
        sa.Column("clip_start", sa.Double(), nullable=False),
        sa.Column("clip_duration", sa.Double(), nullable=False),
        sa.Column("clip_note", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="uq_alarms_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alarms_rule", "alarms", ["rule"])
    op.create_index("ix_alarms_wall", "alarms", ["wall"])
    op.create_index("ix_alarms_camera_number", "alarms", ["camera", "number"])
    op.create_index("ix_alarms_clip_state_number", "alarms", ["clip_state", "number"])
    op.create_table(
        "segments",
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("pool", sa.String(32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("start", sa.Double(), nullable=False),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("stream_time", sa.Integer(), nullable=False),
        sa.Column("codec", sa.String(16), nullable=False),
        sa.Column("mime", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("init_length", sa.Integer(), nullable=False),
        sa.Column("keyframes", sa.LargeBinary(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_segments"),
    )
    op.create_index("ix_segments_camera_start", "segments", ["camera", "start"])
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def downgrade() -> None:
    for table in ("meta", "segments", "alarms", "rules", "cameras", "accounts"):
        op.drop_table(table)
