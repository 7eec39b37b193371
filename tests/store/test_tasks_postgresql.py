"""The tests of `test_tasks.py` once more, each on a fresh database of a private PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from perishield.store.database import Database

sys.path.insert(0, str(Path(__file__).parent))
from test_tasks import *  # noqa: F403

pytestmark = pytest.mark.real("postgresql")


@pytest.fixture
async def database(cluster: str) -> AsyncIterator[Database]:
    name = f"tasks_{uuid4().hex[:12]}"
    engine = create_async_engine(cluster, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    opened = await Database.open(cluster.replace("/postgres?", f"/{name}?"))
    yield opened
    await opened.close()
