"""The room that finished exports of all kinds may take together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A finished export. `finished`: Unix seconds; `expired`: too old whatever room there is."""

    finished: float
    size: int
    expired: bool
    remove: Callable[[], Awaitable[None]]


class ExportRoom:
    """Whoever keeps exports joins it; the oldest of all go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._shelves: list[Callable[[], Sequence[Shelved]]] = []

    def join(self, shelf: Callable[[], Sequence[Shelved]]) -> None:
        self._shelves.append(shelf)

    async def tidy(self) -> None:
        """Remove what is too old, then the oldest until the rest has room."""
        shelved = sorted((one for shelf in self._shelves for one in shelf()), key=lambda one: one.finished)
        total = sum(one.size for one in shelved)
        for one in shelved:
            if one.expired or total > self._most_bytes:
                total -= one.size
                await one.remove()
