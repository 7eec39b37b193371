"""What the server process is told when it starts, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from perishield.alarms.grouping import Grouping
from perishield.log import LogFormat
from perishield.model.device_reach import DeviceReach
from perishield.model.people import AccountsPlan
from perishield.model.storage import StoragePlan
from perishield.roles.server_seed import Seed


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """`database_url` empty: SQLite in `data_dir`. `public_url` empty: made of host and port. `static`: the console."""

    data_dir: Path
    run_dir: Path
    media_dir: Path
    models_dir: Path | None = None
    detector: str = "auto"
    """What the vision process sees with; trials on recordings see with the same."""
    pieces: int = 2
    """Of a picture that both look at again."""
    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    accounts: AccountsPlan = field(default_factory=AccountsPlan)
    database_url: str = ""
    secret_keys: str = field(default="", repr=False)
    """What secrets in the database are sealed with; empty: a file in `data_dir`."""
    track_days: float = 30.0
    grouping: Grouping = field(default_factory=Grouping)
    alarm_days: float = 183.0
    site_name: str = ""
    device_reach: DeviceReach | None = None
    """Where cameras and recorders may be; None: anywhere."""
    masked_video: bool = True
    masked_minutes: float = 60.0
    masked_live: bool = False
    pre_s: float = 5.0
    post_s: float = 5.0
    rtsp_port: int = 0
    webrtc: bool = False
    ice_servers: tuple[str, ...] = ()
    transcode: bool = False
    pool_minutes: float = 30.0
    sprites_mib: int = 512
    still_decoder: str = ""
    export_hours: float = 72.0
    export_gib: float = 50.0
    min_free_mib: int = 1024
    compare_footage: bool = True
    """False only for a benchmark whose index has more rows than there are files."""
    storage: StoragePlan = field(default_factory=StoragePlan)
    demo: bool = False
    seed: Seed | None = None
    static: Path | None = None
    log_level: str = "info"
    log_format: LogFormat = "text"
