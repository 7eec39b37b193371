"""Finished ways of objects; cameras that know their ground and may be steadied."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cameras", sa.Column("ground", sa.Text(), nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("analysis_steady", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "tracks",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True, nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("track", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("start", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("left", sa.Double(), nullable=False),
        sa.Column("top", sa.Double(), nullable=False),
        sa.Column("right", sa.Double(), nullable=False),
        sa.Column("bottom", sa.Double(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_tracks_camera_start", "tracks", ["camera", "start"])
    op.create_index("ix_tracks_start", "tracks", ["start"])


def downgrade() -> None:
    op.drop_table("tracks")
    op.drop_column("cameras", "analysis_steady")
    op.drop_column("cameras", "ground")
