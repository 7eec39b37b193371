"""Columns out of sight of SQLite's planner.

Without statistics it takes one index for as good as another, and statistics would say nothing of a state that one alarm
in a thousand has. Who knows better hides the columns that must not lead the way behind a unary plus, which changes no
value. PostgreSQL knows its data; there the column stays as it is.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op


def is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def hidden(column: InstrumentedAttribute[Any], sqlite: bool) -> ColumnElement[Any]:
    """The column as something that no index is on."""
    plain: ColumnElement[Any] = column.expression
    return UnaryExpression(plain, operator=custom_op("+"), type_=column.type) if sqlite else plain
