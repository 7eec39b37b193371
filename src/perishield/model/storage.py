"""Storage beyond the recorder's own disk: where copies of footage may lie, and what becomes of each copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

DAY_S = 86_400.0
LOCAL = "local"
"""The recorder's own disk, as a place of copies. No target bears this name."""


class Tier(StrEnum):
    """How far down footage has moved with age."""

    HOT = "hot"
    """Beside the recorder's own disk, from the moment a segment is closed: backups and replicas."""
    WARM = "warm"
    COLD = "cold"


TIERS = (Tier.HOT, Tier.WARM, Tier.COLD)


class TargetKind(StrEnum):
    LOCAL = "local"
    """A folder on another disk of this host."""
    NAS = "nas"
    """A folder on a mounted network share."""
    S3 = "s3"
    NVR_HTTP = "nvr_http"
    """A recorder that takes segments over HTTP, such as another node of ours."""


class CopyState(StrEnum):
    WAITING = "waiting"
    COPYING = "copying"
    """On its way; after a restart it begins anew."""
    KEPT = "kept"
    """There, and its SHA-256 was found right."""
    FAILED = "failed"
    """The last attempt failed; another follows."""
    LOST = "lost"
    """Every source was gone before it could be copied."""
    REMOVED = "removed"
    """Was there, and was removed after the footage had been copied further down. Only of the recorder's own disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTarget:
    """A named place for copies. Which fields count depends on `kind`; `settings.py` checks them.

    `path`: folder of `local` and `nas`. `url`: of `nvr_http`. `bucket`, `endpoint`, `region`, `path_style`, `prefix`,
    `access_key`, `secret_key`: of `s3`; an empty endpoint means AWS, empty keys mean the host's own AWS role.
    `key`: of `nvr_http`. `cameras`: only these; empty: all. `verify`: `read` reads every copy back before it counts,
    `answer` trusts the store's own check of the SHA-256 that came with the bytes.
    """

    name: str
    kind: TargetKind
    tier: Tier
    path: str = ""
    url: str = ""
    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = True
    prefix: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    ca_file: str = ""
    cameras: tuple[str, ...] = ()
    verify: str = "read"
    timeout_s: float = 60.0
    max_bytes_s: int = 0

    @property
    def place(self) -> str:
        """Where it is, for people; without secrets."""
        if self.kind is TargetKind.S3:
            return f"{self.endpoint or 'aws'}/{self.bucket}/{self.prefix}".rstrip("/")
        return self.url or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlan:
    """Targets and the rules by which footage moves. Days count from when a segment was written, by this host's clock.

    Footage stays `hot_days` on the recorder's disk, then moves to the warm targets, `warm_days` later to the cold ones,
    where it is deleted after `cold_days`. A tier without targets is left out. `copies`: how many hot targets get a copy
    of each segment, those that work first; 0: all. `window`: minutes of the local day [from, until) in which moving is
    allowed; None: always. `max_bytes_s` bounds all copying together; 0: not.
    """

    targets: tuple[StorageTarget, ...] = ()
    hot_days: float = 7.0
    warm_days: float = 30.0
    cold_days: float = 90.0
    copies: int = 0
    window: tuple[int, int] | None = None
    max_bytes_s: int = 0
    cache_bytes: int = 64 << 20
    upload_key: str = field(default="", repr=False)
    """Who brings it may upload segments to this node; empty: nobody."""
    upload_bytes: int = 1 << 30

    def of_tier(self, tier: Tier) -> tuple[StorageTarget, ...]:
        return tuple(target for target in self.targets if target.tier is tier)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCopy:
    """One segment at one target. `recorded`, `changed`, `due`: Unix seconds of this host's clock.

    `sha256` is hexadecimal; empty until it is known. `due`: when the next attempt may be made.
    """

    segment: str
    target: str
    state: CopyState
    size: int
    recorded: float
    changed: float
    sha256: str = ""
    attempts: int = 0
    due: float = 0.0
    error: str = ""
