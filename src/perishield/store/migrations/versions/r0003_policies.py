"""Recording policies and further settings of cameras, holds on footage, and what each hour holds in short."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTER TABLE: to build `cameras` anew would delete the rules that hang on it.
    op.add_column("cameras", sa.Column("recording", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("cameras", sa.Column("detect_url", sa.Text(), nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("transport", sa.String(8), nullable=False, server_default="auto"))
    op.add_column("cameras", sa.Column("audio", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("cameras", sa.Column("tls_fingerprint", sa.String(64), nullable=False, server_default=""))
    cameras = sa.table("cameras", sa.column("recording", sa.Text()), sa.column("record", sa.Boolean()))
    op.execute(cameras.update().where(cameras.c.record == sa.false()).values(recording='{"mode":"off"}'))
    op.drop_column("cameras", "record")
    with op.batch_alter_table("segments") as segments:
        # The smaller stream of a camera is named after it.
        segments.alter_column("camera", existing_type=sa.String(63), type_=sa.String(127), existing_nullable=False)
        # Ticks of 1/90000 s outgrow 32 bits within seven hours; only SQLite's integers do not mind.
        segments.alter_column("stream_time", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        segments.alter_column("size", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
    op.create_table(
        "holds",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("start", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_camera_start", "holds", ["camera", "start"])
    op.create_table(
        "coverage",
        sa.Column("camera", sa.String(127), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("spans", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("camera", "hour", name="pk_coverage"),
    )


def downgrade() -> None:
    op.drop_table("coverage")
    op.drop_index("ix_holds_camera_start", "holds")
    op.drop_table("holds")
    with op.batch_alter_table("segments") as segments:
        segments.alter_column("camera", existing_type=sa.String(127), type_=sa.String(63), existing_nullable=False)
        segments.alter_column("stream_time", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
        segments.alter_column("size", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
    op.add_column("cameras", sa.Column("record", sa.Boolean(), nullable=False, server_default=sa.true()))
    cameras = sa.table("cameras", sa.column("recording", sa.Text()), sa.column("record", sa.Boolean()))
    op.execute(cameras.update().where(cameras.c.recording.like('%"mode":"off"%')).values(record=sa.false()))
    for column in ("tls_fingerprint", "audio", "transport", "detect_url", "recording"):
        op.drop_column("cameras", column)
