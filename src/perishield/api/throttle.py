"""Slows down who guesses passwords: by name and address together, by address alone, and by name alone.

The last is lenient and its pauses are short, since otherwise anybody could keep a guard from logging in.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from perishield.api.problems import ProblemError

_FORGET_S = 900.0
_LONGEST_S = 300.0
_LONGEST_BY_NAME_S = 10.0
_MOST = 10_000


@dataclass(slots=True)
class _Record:
    failures: int
    last: float


class Throttle:
    """Counts tries. An attempt counts as failed until `succeeded` says otherwise, so parallel tries gain nothing."""

    def __init__(
        self,
        *,
        free: int = 5,
        free_per_address: int = 30,
        free_per_name: int = 50,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = free
        self._free_per_name = free_per_name
        self._free_per_address = free_per_address
        self._clock = clock
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    def attempt(self, name: str, address: str) -> None:
        """Count a try. Raises ProblemError (429, `rate_limited`) when it comes too early."""
        keys = (
            ((name.casefold(), address), self._free, _LONGEST_S),
            (("", address), self._free_per_address, _LONGEST_S),
            ((name.casefold(), ""), self._free_per_name, _LONGEST_BY_NAME_S),
        )
        now = self._clock()
        wait = max(self._wait(key, free, longest, now) for key, free, longest in keys)
        if wait > 0:
            seconds = math.ceil(wait)
            raise ProblemError(
                429,
                f"too many failed attempts; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
                retry_after_s=seconds,
            )
        for key, *_ in keys:
            record = self._records.pop(key, None)
            failures = record.failures if record and now - record.last < _FORGET_S else 0
            self._records[key] = _Record(failures + 1, now)
        while len(self._records) > _MOST:
            self._records.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """All of that name from that address is forgiven."""
        self.excused(name, address)
        self._records.pop((name.casefold(), address), None)

    def excused(self, name: str, address: str) -> None:
        """That try was no guess; those before it still count."""
        for key in ((name.casefold(), address), ("", address), (name.casefold(), "")):
            record = self._records.get(key)
            if record is not None:
                record.failures = max(0, record.failures - 1)

    def _wait(self, key: tuple[str, str], free: int, longest: float, now: float) -> float:
        record = self._records.get(key)
        if record is None or record.failures < free or now - record.last >= _FORGET_S:
            return 0.0
        pause = min(longest, 2.0 ** min(record.failures - free, 16))
        return record.last + pause - now
