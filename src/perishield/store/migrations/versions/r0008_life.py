"""The life of alarms: states, verdicts, groups, escalation, and what lists and statistics are read by."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_INDEXES = (
    ("ix_alarms_rule_number", ["rule", "number"]),
    ("ix_alarms_kind_number", ["kind", "number"]),
    ("ix_alarms_level_number", ["level", "number"]),
    ("ix_alarms_state_number", ["state", "number"]),
    ("ix_alarms_verdict_number", ["verdict", "number"]),
    ("ix_alarms_assignee_number", ["assignee", "number"]),
    ("ix_alarms_group_id_number", ["group_id", "number"]),
    ("ix_alarms_raised", ["raised"]),
    (
        "ix_alarms_sheet",
        ["wall", "number", "camera", "rule", "kind", "level", "state", "verdict", "reason", "raised", "answered"],
    ),
)
_NEW: tuple[tuple[str, Any, str], ...] = (
    ("label", sa.String(64), ""),
    ("score", sa.Double(), "0"),
    ("epoch", sa.BigInteger(), "0"),
    ("track", sa.BigInteger(), "-1"),
    ("revision", sa.Integer(), "1"),
    ("verdict", sa.String(16), ""),
    ("reason", sa.String(24), ""),
    ("assignee", sa.String(32), ""),
    ("assignee_name", sa.String(64), ""),
    ("group_id", sa.String(64), ""),
    ("group_began", sa.Double(), "0"),
    ("comments", sa.Integer(), "0"),
    ("escalations", sa.Integer(), "0"),
)
_MOMENTS = ("answered", "decided", "closed")


def upgrade() -> None:
    for name, kind, default in _NEW:
        op.add_column("alarms", sa.Column(name, kind, nullable=False, server_default=default))
    for name in _MOMENTS:
        op.add_column("alarms", sa.Column(name, sa.Double(), nullable=True))
    _fill(op.get_bind())
    op.drop_index("ix_alarms_rule", "alarms")
    op.drop_index("ix_alarms_wall", "alarms")
    for name, columns in _INDEXES:
        op.create_index(name, "alarms", columns)
    op.create_table(
        "escalation_steps",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("levels", sa.String(16), nullable=False),
        sa.Column("after_s", sa.Double(), nullable=False),
        sa.Column("to_level", sa.Integer(), nullable=False),
        sa.Column("to_role", sa.String(64), nullable=False, server_default=""),
        sa.Column("channel", sa.String(64), nullable=False, server_default=""),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("considered", sa.Double(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalation_steps"),
    )


def downgrade() -> None:
    op.drop_table("escalation_steps")
    for name, _ in _INDEXES:
        op.drop_index(name, "alarms")
    op.create_index("ix_alarms_rule", "alarms", ["rule"])
    op.create_index("ix_alarms_wall", "alarms", ["wall"])
    for name in _MOMENTS:
        op.drop_column("alarms", name)
    for name, _, _ in _NEW:
        op.drop_column("alarms", name)


def _fill(connection: sa.Connection) -> None:
    """What alarms of old hold only inside their events; each is a group of its own."""
    alarms = sa.table(
        "alarms",
        sa.column("number", sa.Integer),
        sa.column("event", sa.LargeBinary),
        *(sa.column(name, kind) for name, kind, _ in _NEW[:4]),
    )
    change = (
        sa.update(alarms)
        .where(alarms.c.number == sa.bindparam("which"))
        .values({name: sa.bindparam(f"new_{name}") for name, _, _ in _NEW[:4]})
    )
    last = 0
    while True:
        page = connection.execute(
            sa.select(alarms.c.number, alarms.c.event)
            .where(alarms.c.number > last)
            .order_by(alarms.c.number)
            .limit(_AT_ONCE)
        ).all()
        if not page:
            break
        rows = []
        for number, event in page:
            told = json.loads(event)
            rows.append(
                {
                    "which": number,
                    "new_label": str(told.get("label", ""))[:64],
                    "new_score": float(told.get("score", 0.0)),
                    "new_epoch": int(told.get("epoch", 0)),
                    "new_track": int(told.get("track", -1)),
                }
            )
        connection.execute(change, rows)
        last = page[-1].number
    connection.execute(sa.text("UPDATE alarms SET group_id = id, group_began = wall"))
