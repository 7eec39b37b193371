"""How a camera itself is: what is wrong with its picture, since when, and what of it becomes an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ailment(StrEnum):
    """What can be wrong with a camera, the gravest first: of two that look alike the former is told.

    `no_signal`: a plain blue or grey picture of the recorder's or encoder's own. `frozen`: the same picture though
    packets come. `dark`: too little light to see anything. `covered`: something before the lens. `glare`: flooded with
    light. `moved`: it looks elsewhere. `blurred`: out of focus, dirty, or in dense fog.
    """

    NO_SIGNAL = "no_signal"
    FROZEN = "frozen"
    DARK = "dark"
    COVERED = "covered"
    GLARE = "glare"
    MOVED = "moved"
    BLURRED = "blurred"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWatch:
    """What is watched of a camera's health. `ignored`: not looked for. `level` of the alarm, 1 to 4; 0: no alarm."""

    enabled: bool = True
    ignored: tuple[Ailment, ...] = ()
    level: int = 4

    def wants(self, ailment: Ailment) -> bool:
        return self.enabled and ailment not in self.ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One ailment from its beginning to its end (Unix seconds UTC); `ended` None while it lasts."""

    id: str
    camera: str
    ailment: Ailment
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """A camera's health now, told on every change and every few seconds: nothing in `spells`, nothing wrong.

    `ready`: its usual view is known, so that all can be judged. `looked`: key frames looked at, which took `cpu_s` of
    processor time in all.
    """

    camera: str
    spells: tuple[Spell, ...] = ()
    ready: bool = False
    looked: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AcceptView:
    """Somebody says that a camera shall look where it looks now. Told to the vision process."""

    camera: str
