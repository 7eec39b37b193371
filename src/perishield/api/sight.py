"""Of which cameras a caller may see what privacy masks cover: settled where he is let in, asked where pictures go out.

It travels with the request's own context, so that no route can forget to hand it on. Who was not let in sees nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CLEAR = "clear"
"""The parameter of a signed link: its holder may see everything (`*`), or everything of cameras (`gate,yard`)."""

_ALL = "*"
_MOST_NAMED = 32
"""Links stay short: who may see behind the masks of more cameras, but not of all, gets masked links."""

_seen: ContextVar[frozenset[str] | None] = ContextVar("seen", default=frozenset())


def let_see(cameras: frozenset[str] | None) -> None:
    """Whoever asks may see what is covered at these cameras; None: at all."""
    _seen.set(cameras)


def let_see_by(mark: str | None) -> None:
    """The same, as a signed link says."""
    _seen.set(None if mark == _ALL else frozenset((mark or "").split(",")) - {""})


def sees(camera: str) -> bool:
    found = _seen.get()
    return found is None or camera in found


def sees_everything() -> bool:
    return _seen.get() is None


def mark() -> str:
    """What links that are signed now say; empty: nothing."""
    found = _seen.get()
    if found is None:
        return _ALL
    return ",".join(sorted(found)) if len(found) <= _MOST_NAMED else ""


@contextmanager
def seen_by_all() -> Iterator[None]:
    """For what is made once and goes to many: nobody sees more than the least of them may, whoever set it off."""
    before = _seen.set(frozenset())
    try:
        yield
    finally:
        _seen.reset(before)
