"""Columns for sealed secrets. A migration has no key: what was open is marked so, and sealed when the server starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOVED = (
    ("cameras", "password", "sealed_password", sa.String(256)),
    ("recorders", "password", "sealed_password", sa.String(256)),
    ("accounts", "totp_secret", "sealed_totp", sa.String(64)),
    ("channels", "secrets", "sealed_secrets", sa.LargeBinary()),
)


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if not postgresql:
        # What goes shall not stay legible in the file's free places.
        op.execute("PRAGMA secure_delete = ON")
    for table, before, after, kind in _MOVED:
        op.add_column(table, sa.Column(after, sa.Text(), nullable=False, server_default=sa.text("''")))
        told = before
        if isinstance(kind, sa.LargeBinary):
            told = f"convert_from({before}, 'UTF8')" if postgresql else f"CAST({before} AS TEXT)"
        op.execute(f"UPDATE {table} SET {after} = 'plain:' || {told} WHERE {told} NOT IN ('', '{{}}')")  # noqa: S608
        op.drop_column(table, before)


def downgrade() -> None:
    connection = op.get_bind()
    postgresql = connection.dialect.name == "postgresql"
    for table, before, after, kind in _MOVED:
        count = sa.text(f"SELECT count(*) FROM {table} WHERE {after} LIKE 's1:%'")  # noqa: S608
        if connection.scalar(count):
            raise RuntimeError(f"{table}.{after}: is sealed, which the version before cannot read; empty it first")
        binary = isinstance(kind, sa.LargeBinary)
        default = sa.text("'{}'" if binary else "''")
        op.add_column(table, sa.Column(before, kind, nullable=False, server_default=default))
        told = f"substr({after}, 7)"
        if binary:
            told = f"convert_to({told}, 'UTF8')" if postgresql else f"CAST({told} AS BLOB)"
        op.execute(f"UPDATE {table} SET {before} = {told} WHERE {after} <> ''")  # noqa: S608
        op.drop_column(table, after)
