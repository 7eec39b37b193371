"""What every test may ask for: the development set, free ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def devset() -> Path:
    """Clips, models and tracker data for tests; never shipped."""
    return Path(os.environ["PERISHIELD_DEVSET"]).resolve()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
