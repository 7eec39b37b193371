"""The tests of `test_people.py` once more, each on a fresh database of a private PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perishield.store.database import Database
from perishield.store.sealing import KEY_FILE, Keyring

sys.path.insert(0, str(Path(__file__).parent))
from test_people import *  # noqa: F403

pytestmark = pytest.mark.real("postgresql")


@pytest.fixture
async def database(own_database: str, tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(own_database, Keyring(tmp_path / KEY_FILE))
    yield opened
    await opened.close()
