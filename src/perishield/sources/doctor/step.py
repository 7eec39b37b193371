"""One line of a camera's examination."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Step:
    """What was tried or measured, and how it went.

    `name`: `dns`, `tcp`, `tls`, `options`, `describe`, `authentication`, `setup`, `play`, `first_packet`, `key_frame`,
    then what was measured: `video`, `rate`, `gop`, `loss`, `jitter`, `clock`, `reordering`, `sound`, `picture`.
    `code` is stable and, with `params`, what the console translates by; `says` and `way_out` are the same in English,
    without secrets. `ms` is how long it took, where it took time.
    """

    name: str
    verdict: Verdict
    code: str
    says: str
    way_out: str = ""
    ms: float | None = None
    params: dict[str, object] = field(default_factory=dict)


def ok(name: str, code: str, says: str, ms: float | None = None, **params: object) -> Step:
    return Step(name, Verdict.OK, code, says, "", ms, params)


def warn(name: str, code: str, says: str, way_out: str, ms: float | None = None, **params: object) -> Step:
    return Step(name, Verdict.WARN, code, says, way_out, ms, params)


def fail(name: str, code: str, says: str, way_out: str, ms: float | None = None, **params: object) -> Step:
    return Step(name, Verdict.FAIL, code, says, way_out, ms, params)
