"""What is held against tracks and watched of a camera's health; and the spells in which something was wrong with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cameras", sa.Column("analysis_more", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "spells",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("ailment", sa.String(16), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_spells"),
    )
    op.create_index("ix_spells_camera_began", "spells", ["camera", "began"])


def downgrade() -> None:
    op.drop_table("spells")
    op.drop_column("cameras", "analysis_more")
