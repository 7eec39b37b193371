"""Schedules that channels name: for their hours, and for their quiet ones."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NAMES = ("schedule_id", "quiet_schedule_id")


def upgrade() -> None:
    for name in _NAMES:
        # Not in a batch: SQLite would make the table anew, and what waits for the channels would go with the old one.
        op.execute(
            f"ALTER TABLE channels ADD COLUMN {name} VARCHAR(63) "
            f"CONSTRAINT fk_channels_{name} REFERENCES schedules (id)"
        )


def downgrade() -> None:
    _write_out()
    for name in _NAMES:
        op.drop_column("channels", name)


def _write_out() -> None:
    """Give channels that name a schedule its hours, or they would tell at any hour."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, schedule FROM schedules"))
    hours: dict[str, Any] = {name: json.loads(text) for name, text in rows}
    channels = sa.table("channels", sa.column("id"), sa.column("body", sa.LargeBinary()))
    for name, body in connection.execute(sa.select(channels.c.id, channels.c.body)).all():
        channel = json.loads(body)
        route = channel.get("route", {})
        for part in (route, route.get("quiet") or {}):
            # The version before knows no such field, and would refuse the channel.
            named = part.pop("schedule_id", None)
            if named is not None:
                part["schedule"] = hours[named]
        content = json.dumps(channel, ensure_ascii=False, separators=(",", ":")).encode()
        connection.execute(channels.update().where(channels.c.id == name).values(body=content))
