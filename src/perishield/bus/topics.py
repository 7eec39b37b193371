"""What is said between processes, by whom, and of which type.

All topics here are lossy: the newest wins and losses are counted. What must not be lost goes through the spool, and
`EVENTS` merely wakes its reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from perishield.model.doubts import Suppressed
from perishield.model.health import AcceptView, HealthReport
from perishield.model.media import ChunkRef, SegmentRow, StreamState
from perishield.model.rule_state import RuleState
from perishield.model.task_state import TaskState
from perishield.model.vision import TrackFrame

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Topic(Generic[T]):
    name: str
    kind: type[T]


@dataclass(frozen=True, slots=True)
class SiteChanged:
    """site.json has a new revision. Key: empty."""

    revision: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody looks at this camera live until `until` (Unix seconds): deliver with low delay. Key: camera.

    `closely`: every picture by itself, for players that show it the moment it comes.
    """

    camera: str
    until: float
    closely: bool = False


@dataclass(frozen=True, slots=True)
class EventQueued:
    """An event waits in the spool. Key: camera."""

    id: str


@dataclass(frozen=True, slots=True)
class SegmentRemoved:
    """Retention deleted this file; `path` is relative to the media root. Key: camera."""

    camera: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """How a process of the node is, told by the supervisor. Key: its name. `state`: running, restarting, stopped."""

    name: str
    state: str
    since: float
    restarts: int = 0
    pid: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """What the vision process sees with, told at its start and every few seconds. Key: empty.

    `name` is `motion` or the model's family; `model` its file name or empty; `provider` what computes it; `message`
    a hint or an error's sentence.
    """

    name: str
    model: str = ""
    code: str = ""
    message: str = ""
    pictures: int = 0
    dropped: int = 0
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisState:
    """How the analysis of one stream goes, told every few seconds. Key: the stream.

    `reasons`: why the gate opened or stayed open, how often (`warm_up`, `packets`, `key_frame`, `objects`,
    `sparse_keys`). `units`: access units decoded. `dropped`: chunks and pictures that gave way to newer ones;
    `skipped`: pictures left out while `late`. `decoder`: `software`, or the hardware that decodes.
    """

    camera: str
    gate_open: bool
    reasons: dict[str, int]
    pictures: int = 0
    units: int = 0
    corrupt: int = 0
    dropped: int = 0
    skipped: int = 0
    late: bool = False
    decoder: str = "software"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePressure:
    """How hard it is to write all that comes, told by the recorder on change and every few seconds while `level` > 0.

    Each level asks for what the former ones ask for, too: 1, nobody makes pictures for convenience; 2, analysis looks
    at key frames only; 3, cameras of lower priority are not recorded; 4, recording is refused. Key: empty.
    """

    level: int
    queued_bytes: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesDo:
    """How the rules do, told by the vision process every second. Key: empty.

    `started` (Unix seconds) is another whenever counting began anew.
    """

    started: float
    states: tuple[RuleState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksDo:
    """How the tasks stand, told by the vision process every second and whenever who looks at what changes. Key: empty.

    `revision`: of the site that it has taken up.
    """

    revision: int
    states: tuple[TaskState, ...]


CHUNKS = Topic("chunks", ChunkRef)
STATES = Topic("states", StreamState)
SEGMENTS = Topic("segments", SegmentRow)
REMOVED = Topic("removed", SegmentRemoved)
TRACKS = Topic("tracks", TrackFrame)
EVENTS = Topic("events", EventQueued)
SITE = Topic("site", SiteChanged)
WATCH = Topic("watch", Watch)
PROCESSES = Topic("processes", ProcessState)
DETECTOR = Topic("detector", DetectorState)
ANALYSIS = Topic("analysis", AnalysisState)
PRESSURE = Topic("pressure", StoragePressure)
HEALTH = Topic("health", HealthReport)
ACCEPT_VIEW = Topic("accept-view", AcceptView)
SUPPRESSED = Topic("suppressed", Suppressed)
RULES = Topic("rules", RulesDo)
TASKS = Topic("tasks", TasksDo)
