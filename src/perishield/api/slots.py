"""How many WebSockets may be open at once: those that have logged in, and those that have not yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Two counts with a limit each, so that strangers cannot take the places of those who may come in."""

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self.strangers = 0
        self.members = 0

    @contextmanager
    def stranger(self) -> Iterator[bool]:
        """A place while logging in; False where none is free."""
        free = self.strangers < self.limit
        self.strangers += free
        try:
            yield free
        finally:
            self.strangers -= free

    @contextmanager
    def member(self) -> Iterator[bool]:
        """A place for a client that has logged in; False where none is free."""
        free = self.members < self.limit
        self.members += free
        try:
            yield free
        finally:
            self.members -= free
