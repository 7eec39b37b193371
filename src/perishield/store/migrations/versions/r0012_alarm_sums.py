"""Sums of alarms by day and by hour, kept by triggers: whoever writes an alarm, its sums go with it or not at all.

In PostgreSQL a trigger first takes the head of the alarms' chain, which whoever changes an alarm takes afterwards
anyway: in this order two writers never wait for each other. The sums of times are whole milliseconds, which add up and
take away without a remainder.
"""

# ruff: noqa: S608 - every name is a constant of this file.
from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STEPS = (15, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
_SPANS = "(SELECT 1 AS span UNION ALL SELECT 8 UNION ALL SELECT 64)"
_KEYS = ("camera", "rule", "kind", "level", "state", "verdict", "reason")
_FIGURES = ("count", "answered", "answered_ms", *(f"within_{step}" for step in _STEPS))
_QUARTERS = ("q0", "q1", "q2", "q3")
_TRIGGERS = ("alarm_sums_added", "alarm_sums_changed", "alarm_sums_removed")
_SUMMED = (*_KEYS, "wall", "raised", "answered")


def upgrade() -> None:
    text, small = sa.String, sa.Integer
    op.create_table(
        "alarm_sums",
        sa.Column("span", small(), autoincrement=False, nullable=False),
        sa.Column("block", small(), autoincrement=False, nullable=False),
        sa.Column("camera", text(63), nullable=False),
        sa.Column("rule", text(63), nullable=False),
        sa.Column("kind", text(32), nullable=False),
        sa.Column("level", small(), autoincrement=False, nullable=False),
        sa.Column("state", text(16), nullable=False),
        sa.Column("verdict", text(16), nullable=False),
        sa.Column("reason", text(24), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _FIGURES),
        sa.PrimaryKeyConstraint("span", "block", *_KEYS, name="pk_alarm_sums"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alarm_hours",
        sa.Column("camera", text(63), nullable=False),
        sa.Column("hour", small(), autoincrement=False, nullable=False),
        *(sa.Column(name, small(), nullable=False) for name in _QUARTERS),
        sa.PrimaryKeyConstraint("camera", "hour", name="pk_alarm_hours"),
        sqlite_with_rowid=False,
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _fill(postgresql):
        op.execute(statement)
    op.create_index("ix_alarms_camera_state_number", "alarms", ["camera", "state", "number"])
    for statement in _postgresql() if postgresql else _sqlite():
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_alarms_camera_state_number", "alarms")
    if op.get_bind().dialect.name == "postgresql":
        for trigger in _TRIGGERS:
            op.execute(f"DROP TRIGGER {trigger} ON alarms")
        op.execute("DROP FUNCTION alarm_sums_follow()")
        op.execute("DROP FUNCTION alarm_sums_add(alarms)")
        op.execute("DROP FUNCTION alarm_sums_take(alarms)")
    else:
        for trigger in _TRIGGERS:
            op.execute(f"DROP TRIGGER {trigger}")
    op.drop_table("alarm_hours")
    op.drop_table("alarm_sums")


def _second(row: str, postgresql: bool) -> str:
    """Whole seconds: a division of what is not whole may round up into the next day."""
    return f"CAST(FLOOR({row}.wall) AS BIGINT)" if postgresql else f"CAST({row}.wall AS INTEGER)"


def _figures(row: str) -> list[str]:
    took = f"({row}.answered - {row}.raised)"
    return [
        "1",
        f"CASE WHEN {row}.answered IS NULL THEN 0 ELSE 1 END",
        f"COALESCE(CAST(ROUND({took} * 1000) AS BIGINT), 0)",
        *(f"CASE WHEN {took} <= {step} THEN 1 ELSE 0 END" for step in _STEPS),
    ]


def _quarters(row: str, postgresql: bool) -> list[str]:
    quarter = f"{_second(row, postgresql)} / 900 % 4"
    return [f"CASE WHEN {quarter} = {number} THEN 1 ELSE 0 END" for number in range(4)]


def _listed(names: tuple[str, ...], row: str = "") -> str:
    return ", ".join(f"{row}.{name}" if row else name for name in names)


def _fill(postgresql: bool) -> Iterator[str]:
    """From what is there, one span after another: sums of all alarms by day would not be made thrice from the rows."""
    sums = ", ".join(f"SUM({figure})" for figure in _figures("alarms"))
    second = _second("alarms", postgresql)
    yield (
        f"INSERT INTO alarm_sums (span, block, {_listed(_KEYS)}, {_listed(_FIGURES)}) "
        f"SELECT 1, {second} / 86400, {_listed(_KEYS, 'alarms')}, {sums} FROM alarms "
        f"GROUP BY {second} / 86400, {_listed(_KEYS, 'alarms')}"
    )
    for span in (8, 64):
        yield (
            f"INSERT INTO alarm_sums (span, block, {_listed(_KEYS)}, {_listed(_FIGURES)}) "
            f"SELECT {span}, block / {span}, {_listed(_KEYS)}, {', '.join(f'SUM({name})' for name in _FIGURES)} "
            f"FROM alarm_sums WHERE span = 1 GROUP BY block / {span}, {_listed(_KEYS)}"
        )
    quarters = ", ".join(f"SUM({quarter})" for quarter in _quarters("alarms", postgresql))
    yield (
        f"INSERT INTO alarm_hours (camera, hour, {_listed(_QUARTERS)}) "
        f"SELECT camera, {second} / 3600, {quarters} FROM alarms GROUP BY camera, {second} / 3600"
    )
    yield (
        f"INSERT INTO alarm_hours (camera, hour, {_listed(_QUARTERS)}) "
        f"SELECT '', hour, {', '.join(f'SUM({name})' for name in _QUARTERS)} FROM alarm_hours GROUP BY hour"
    )


def _add(row: str, postgresql: bool) -> list[str]:
    second = _second(row, postgresql)
    more = ", ".join(f"{name} = alarm_sums.{name} + excluded.{name}" for name in _FIGURES)
    more_quarters = ", ".join(f"{name} = alarm_hours.{name} + excluded.{name}" for name in _QUARTERS)
    return [
        f"INSERT INTO alarm_sums (span, block, {_listed(_KEYS)}, {_listed(_FIGURES)}) "
        f"SELECT spans.span, {second} / 86400 / spans.span, {_listed(_KEYS, row)}, {', '.join(_figures(row))} "
        f"FROM {_SPANS} AS spans WHERE true "
        f"ON CONFLICT (span, block, {_listed(_KEYS)}) DO UPDATE SET {more}",
        f"INSERT INTO alarm_hours (camera, hour, {_listed(_QUARTERS)}) "
        f"SELECT who.camera, {second} / 3600, {', '.join(_quarters(row, postgresql))} "
        f"FROM (SELECT '' AS camera UNION ALL SELECT {row}.camera) AS who WHERE true "
        f"ON CONFLICT (camera, hour) DO UPDATE SET {more_quarters}",
    ]


def _take(row: str, postgresql: bool) -> list[str]:
    """What counts nothing any more goes: most states are passed through within minutes."""
    second = _second(row, postgresql)
    less = ", ".join(
        f"{name} = {name} - {figure}" for name, figure in zip(_FIGURES, _figures(row), strict=True)
    )  # fmt: skip
    less_quarters = ", ".join(
        f"{name} = {name} - {quarter}" for name, quarter in zip(_QUARTERS, _quarters(row, postgresql), strict=True)
    )
    # Each span's key is written out whole, so that each is one look into the primary key.
    keys = " AND ".join(f"{name} = {row}.{name}" for name in _KEYS)
    here = " OR ".join(f"(span = {span} AND block = {second} / 86400 / {span} AND {keys})" for span in (1, 8, 64))
    hours = f"camera IN ('', {row}.camera) AND hour = {second} / 3600"
    return [
        f"UPDATE alarm_sums SET {less} WHERE {here}",
        f"DELETE FROM alarm_sums WHERE ({here}) AND count = 0",
        f"UPDATE alarm_hours SET {less_quarters} WHERE {hours}",
        f"DELETE FROM alarm_hours WHERE {hours} AND q0 = 0 AND q1 = 0 AND q2 = 0 AND q3 = 0",
    ]


def _sqlite() -> Iterator[str]:
    added, changed, removed = _TRIGGERS
    differs = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _SUMMED)
    add, take = "; ".join(_add("NEW", False)), "; ".join(_take("OLD", False))
    yield f"CREATE TRIGGER {added} AFTER INSERT ON alarms BEGIN {add}; END"
    yield (
        f"CREATE TRIGGER {changed} AFTER UPDATE OF {_listed(_SUMMED)} ON alarms WHEN {differs} BEGIN {take}; {add}; END"
    )
    yield f"CREATE TRIGGER {removed} AFTER DELETE ON alarms BEGIN {take}; END"


def _postgresql() -> Iterator[str]:
    added, changed, removed = _TRIGGERS
    for name, statements in (("add", _add("gone_or_come", True)), ("take", _take("gone_or_come", True))):
        yield (
            f"CREATE FUNCTION alarm_sums_{name}(gone_or_come alarms) RETURNS void LANGUAGE plpgsql AS $$ "
            f"BEGIN {'; '.join(statements)}; END $$"
        )
    yield """
        CREATE FUNCTION alarm_sums_follow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM chain_heads WHERE name = 'alarms' FOR UPDATE;
            IF NOT FOUND THEN
                INSERT INTO chain_heads (name, number, hash) VALUES ('alarms', 0, repeat('0', 64))
                    ON CONFLICT DO NOTHING;
                PERFORM 1 FROM chain_heads WHERE name = 'alarms' FOR UPDATE;
            END IF;
            IF TG_OP <> 'INSERT' THEN PERFORM alarm_sums_take(OLD); END IF;
            IF TG_OP <> 'DELETE' THEN PERFORM alarm_sums_add(NEW); END IF;
            RETURN NULL;
        END $$
    """
    follow = "FOR EACH ROW EXECUTE FUNCTION alarm_sums_follow()"
    differs = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _SUMMED)
    yield f"CREATE TRIGGER {added} AFTER INSERT ON alarms {follow}"
    yield (
        f"CREATE TRIGGER {changed} AFTER UPDATE OF {_listed(_SUMMED)} ON alarms "
        f"FOR EACH ROW WHEN ({differs}) EXECUTE FUNCTION alarm_sums_follow()"
    )
    yield f"CREATE TRIGGER {removed} AFTER DELETE ON alarms {follow}"
