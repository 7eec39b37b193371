"""Schedules that rules and tasks name, instead of having the same hours forty times over."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_USING = ("rules", "tasks")


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("folded", sa.String(300), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
    )
    for table in _USING:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("schedule_id", sa.String(63), nullable=True))
            batch.create_foreign_key(f"fk_{table}_schedule_id", "schedules", ["schedule_id"], ["id"])
            batch.create_index(f"ix_{table}_schedule_id", ["schedule_id"])


def downgrade() -> None:
    _write_out()
    for table in _USING:
        with op.batch_alter_table(table) as batch:
            batch.drop_index(f"ix_{table}_schedule_id")
            batch.drop_constraint(f"fk_{table}_schedule_id", type_="foreignkey")
            batch.drop_column("schedule_id")
    op.drop_table("schedules")


def _write_out() -> None:
    """Give those that name a schedule its hours, or they would watch always."""
    connection = op.get_bind()
    named: dict[str, str] = {row.id: row.schedule for row in connection.execute(sa.text("SELECT * FROM schedules"))}
    task = sa.text("UPDATE tasks SET schedule = :schedule WHERE schedule_id = :id")
    for name, text in named.items():
        connection.execute(task, {"schedule": text, "id": name})
    rules = sa.table("rules", sa.column("id"), sa.column("body", sa.LargeBinary()), sa.column("schedule_id"))
    using = sa.select(rules.c.id, rules.c.body, rules.c.schedule_id)
    for name, body, schedule in connection.execute(using).all():
        rule = json.loads(body)
        # The version before knows no such field, and would refuse the rule.
        rule.pop("schedule_id", None)
        if schedule is not None:
            rule["schedule"] = json.loads(named[schedule])
        content = json.dumps(rule, ensure_ascii=False, separators=(",", ":")).encode()
        connection.execute(rules.update().where(rules.c.id == name).values(body=content))
