"""A node: which processes run on this host, and with what configuration.

Lean processes get plain data; the settings tree stays here.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from perishield.bus import LocalBus
from perishield.bus.process import stop_on_signal
from perishield.bus.topics import ProcessState
from perishield.evaluation.demo_site import DemoSite
from perishield.model.errors import PortTakenError, StorageError
from perishield.roles.supervisor import ProcessSpec, Supervisor
from perishield.settings import Settings
from perishield.settings_people import accounts_plan
from perishield.settings_storage import storage_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What a node is about to run."""

    settings: Settings
    demo: DemoSite | None = None
    on_state: Callable[[ProcessState], None] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        server = self.settings.server
        if server.public_url:
            return server.public_url.rstrip("/")
        host = "127.0.0.1" if server.host in {"0.0.0.0", "::", ""} else server.host  # noqa: S104
        return f"http://{host}:{server.port}"


def specs(plan: NodePlan) -> list[ProcessSpec]:
    """The processes of a plan, in the order in which they start."""
    settings = plan.settings
    data = settings.data.dir.absolute()
    places = {"data_dir": data, "run_dir": data / "run", "media_dir": data / "media"}
    logs = {"log_level": settings.log.level, "log_format": settings.log.format}
    reach = _device_reach(plan)
    found: list[ProcessSpec] = []
    if plan.demo is not None:
        found.append(
            ProcessSpec(
                "cameras",
                "perishield.roles.cameras",
                {
                    "clips": {name: path.absolute() for name, path in plan.demo.clips.items()},
                    "port": plan.demo.port,
                    "timeline": data / "demo" / "timeline.json",
                    **logs,
                },
            )
        )
    if "ingest" in settings.node.roles:
        ingest = settings.ingest
        found.append(
            ProcessSpec(
                "ingest",
                "perishield.roles.ingest",
                {
                    **places,
                    "segment_s": ingest.segment_s,
                    "chunk_s": ingest.chunk_s,
                    "low_delay_chunk_s": ingest.low_delay_chunk_s,
                    "chunk_bytes": ingest.chunk_kib * 1024,
                    "pool_minutes": ingest.pool_minutes,
                    "recordings_days": ingest.recordings_days,
                    "recordings_bytes": int(ingest.recordings_gib * 1024**3),
                    "min_free_bytes": ingest.min_free_mib * 1024 * 1024,
                    "when_full": ingest.when_full,
                    "queue_bytes": ingest.queue_mib * 1024 * 1024,
                    "sync_s": ingest.sync_s,
                    "reach": reach,
                    "file_root": None if ingest.file_root is None else ingest.file_root.absolute(),
                    **logs,
                },
            )
        )
    if "vision" in settings.node.roles:
        found.append(
            ProcessSpec(
                "vision",
                "perishield.roles.vision",
                {
                    **places,
                    "models_dir": data / "models",
                    "detector": settings.vision.detector,
                    "provider": settings.vision.provider,
                    "gpu_mem_mib": settings.vision.gpu_mem_mib,
                    "threads": settings.vision.threads_on(os.cpu_count() or 2),
                    "decoder": settings.vision.decoder,
                    "pieces": settings.vision.pieces,
                    "decoders": settings.vision.decoders or min(4, max(1, (os.cpu_count() or 2) // 2)),
                    **logs,
                },
            )
        )
    if "server" in settings.node.roles and (settings.live.transcode_h265 or settings.live.masked):
        found.append(
            ProcessSpec(
                "transcode",
                "perishield.roles.transcode",
                {
                    "run_dir": places["run_dir"],
                    "media_dir": places["media_dir"],
                    "h265": settings.live.transcode_h265,
                    "masked": settings.live.masked,
                    **logs,
                },
            )
        )
    if "server" in settings.node.roles and (settings.live.rtsp_port or settings.live.webrtc_peers):
        found.append(
            ProcessSpec(
                "live",
                "perishield.roles.live",
                {
                    **places,
                    "host": settings.server.host,
                    "rtsp_port": settings.live.rtsp_port,
                    "most_viewers": settings.live.most_viewers,
                    "webrtc_peers": settings.live.webrtc_peers,
                    "ice_servers": settings.live.ice_servers,
                    **logs,
                },
            )
        )
    if "server" in settings.node.roles:
        found.append(
            ProcessSpec(
                "server",
                "perishield.roles.server",
                {
                    **places,
                    "models_dir": data / "models",
                    "detector": settings.vision.detector,
                    "pieces": settings.vision.pieces,
                    "host": settings.server.host,
                    "port": settings.server.port,
                    "public_url": settings.server.public_url,
                    "accounts": accounts_plan(
                        settings.accounts,
                        settings.oidc,
                        idle_minutes=settings.server.token_minutes,
                        requests_per_s=settings.server.requests_per_s,
                        cors=settings.server.cors_origins,
                    ),
                    "database_url": settings.database.url,
                    "secret_keys": settings.database.keys(),
                    "storage": storage_plan(settings.storage),
                    "pool_minutes": settings.ingest.pool_minutes,
                    "track_days": settings.tracks.keep_days,
                    "grouping": {
                        "within_s": settings.alarms.group_s,
                        "longest_s": settings.alarms.group_longest_s,
                        "neighbours": settings.alarms.neighbours,
                        "near_m": settings.alarms.near_m,
                    },
                    "pre_s": settings.alarms.clip_pre_s,
                    "alarm_days": settings.alarms.keep_days,
                    "site_name": settings.alarms.site_name,
                    "device_reach": reach,
                    "masked_video": settings.alarms.masked_video,
                    "masked_minutes": settings.playback.masked_minutes,
                    "masked_live": settings.live.masked,
                    "post_s": settings.alarms.clip_post_s,
                    "sprites_mib": settings.playback.sprites_mib,
                    "still_decoder": settings.playback.picture_decoder,
                    "export_hours": settings.playback.export_hours,
                    "export_gib": settings.playback.export_gib,
                    "min_free_mib": settings.ingest.min_free_mib,
                    "rtsp_port": settings.live.rtsp_port,
                    "webrtc": settings.live.webrtc_peers > 0,
                    "transcode": settings.live.transcode_h265,
                    "ice_servers": settings.live.ice_servers,
                    "demo": plan.demo is not None,
                    "seed": None
                    if plan.demo is None
                    else {"cameras": list(plan.demo.cameras), "rules": list(plan.demo.rules)},
                    **logs,
                },
            )
        )
    return found


def _device_reach(plan: NodePlan) -> dict[str, object]:
    """Where cameras may be: as the settings say, and at the demo's own door."""
    settings = plan.settings
    demo = () if plan.demo is None else (f"127.0.0.1:{plan.demo.port}",)
    own = {settings.server.port, settings.live.rtsp_port} - {0}
    return {"allowed": (*settings.security.device_addresses, *demo), "own_ports": tuple(sorted(own))}


def prepare(settings: Settings) -> None:
    """Make the data folder, private to its owner. Raises StorageError (`not_writable`)."""
    data = settings.data.dir
    try:
        data.mkdir(mode=0o750, parents=True, exist_ok=True)
        probe = data / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        (data / "run").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"data folder {data}: {error.strerror or error}; choose another by [data] dir or PERISHIELD_DATA__DIR"
        ) from error


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def claim_port(host: str, port: int, key: str) -> None:
    """Raise PortTakenError when `port` cannot be listened on; `key` is the setting that moves it."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise PortTakenError(
            f"{host}:{port}: {error.strerror or error}; end what uses it or set another by {key}", port=port
        ) from error


async def run(plan: NodePlan, on_serving: Callable[[], None] | None = None, stop: asyncio.Event | None = None) -> int:
    """Run the node until `stop` is set (by default on SIGINT and SIGTERM). Returns its exit code."""
    stop = stop or stop_on_signal()
    bus = await LocalBus.open(plan.settings.run_dir.absolute(), "node")
    supervisor = Supervisor(specs(plan), bus, plan.on_state)

    async def obey() -> None:
        await stop.wait()
        supervisor.stop()

    async def announce() -> None:
        if await supervisor.ready() and on_serving is not None:
            on_serving()

    obeying, announcing = asyncio.create_task(obey()), asyncio.create_task(announce())
    try:
        return await supervisor.run()
    finally:
        obeying.cancel()
        announcing.cancel()
        await bus.close()
