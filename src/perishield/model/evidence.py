"""Evidence: the files that prove an alarm, holds that keep it, and the place where a chain was cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from perishield.model.remarks import Remark, sentence


class EvidenceKind(StrEnum):
    CLEAN = "clean"
    """The picture of the crossing as the camera sent it."""
    ANNOTATED = "annotated"
    """The same with the box, the way and what the rule draws."""
    CLIP = "clip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file as it was when it was taken in. `path` is relative to the media root; `made`: Unix seconds.

    An empty `sha256` means that there is no file; `remarks` say why.
    """

    alarm: str
    kind: EvidenceKind
    path: str
    size: int
    sha256: str
    made: float
    remarks: tuple[Remark, ...] = ()

    @property
    def note(self) -> str:
        """The remarks in one line."""
        return sentence(self.remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmHold:
    """Keeps an alarm with its evidence and records. `placed`: Unix seconds."""

    alarm: str
    who: str
    reason: str
    placed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The last link that was cut off the beginning of a chain, signed (`signature` in hexadecimal) by key `key`."""

    chain: str
    number: int
    hash: str
    at: float
    key: str
    signature: str

    def signed(self) -> dict[str, object]:
        """What the signature covers, as canonical JSON."""
        return {"at": self.at, "chain": self.chain, "hash": self.hash, "key": self.key, "number": self.number}


Polygon = tuple[tuple[float, float], ...]
"""Corners, shares of the picture (0..1 on both axes)."""
