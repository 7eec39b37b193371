"""The demo's cameras as a process: clips in a loop over real RTSP, with a timeline that tells when each loop began."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from perishield import log as logs
from perishield.bus.process import EXIT_CONFIG, EXIT_PORT_TAKEN, read_config, say_ready, stop_on_signal
from perishield.log import Log, LogFormat
from perishield.model.errors import ConfigError, PeriShieldError, PortTakenError

log = Log("cameras")


@dataclass(frozen=True, slots=True, kw_only=True)
class CamerasConfig:
    """`clips`: served as rtsp://127.0.0.1:port/name. `timeline`: a JSON file for those who compare with the truth."""

    clips: dict[str, Path]
    port: int
    timeline: Path
    log_level: str = "info"
    log_format: LogFormat = "text"


async def serve(config: CamerasConfig) -> None:
    from perishield.sources.simulator import Simulator, SimulatorClip

    stop = stop_on_signal()
    clips = {name: SimulatorClip.load(path) for name, path in config.clips.items()}
    simulator = Simulator(clips, port=config.port)
    await simulator.start()
    try:
        started = {name: simulator.loop_started(name, 0) for name in clips}
        lengths = {name: simulator.loop_started(name, 1) - started[name] for name in clips}
        config.timeline.parent.mkdir(parents=True, exist_ok=True)
        config.timeline.write_text(
            json.dumps({name: {"started": started[name], "length_s": lengths[name]} for name in clips})
        )
        log.info("cameras.serving", port=simulator.port, clips=len(clips))
        say_ready()
        await stop.wait()
    finally:
        await simulator.close()


def main() -> int:
    logs.configure()
    try:
        config = read_config(CamerasConfig)
        logs.configure(config.log_level, config.log_format)
        asyncio.run(serve(config))
    except PortTakenError as error:
        log.error("cameras.failed", code=error.code, message=f"{error}; set another by [demo] rtsp_port")
        return EXIT_PORT_TAKEN
    except PeriShieldError as error:
        log.error("cameras.failed", code=error.code, message=str(error))
        return EXIT_CONFIG if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
