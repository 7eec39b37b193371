"""The live process: RTSP restream and WebRTC, for viewers that do not come to the API's own sockets.

It stands apart so that a stall of the API's event loop never shows in a picture, nor encryption for viewers in an alarm
(docs/decisions/0012-live-out.md).
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from perishield import log as logs
from perishield.bus import LocalBus, topics
from perishield.bus.process import EXIT_CONFIG, read_config, say_ready, stop_on_signal
from perishield.bus.site_file import read_site
from perishield.live.credentials import CredentialBook
from perishield.live.desk import Ask, Told, open_desk
from perishield.live.hub import LiveHub
from perishield.live.line import Lines
from perishield.live.rtsp.server import RestreamServer
from perishield.live.webrtc.peers import Peers
from perishield.log import Log, LogFormat
from perishield.model.errors import ConfigError, PeriShieldError, PortTakenError, SourceError

log = Log("live")

_SITE_EVERY_S = 1.0
_SWEEP_EVERY_S = 5.0
_LISTEN_AGAIN_S = 5.0
_CHUNKS_WAITING = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """What the supervisor hands over. `rtsp_port` 0: no restream. `webrtc_peers` 0: no WebRTC."""

    data_dir: Path
    run_dir: Path
    media_dir: Path
    host: str = "127.0.0.1"
    rtsp_port: int = 8554
    most_viewers: int = 64
    webrtc_peers: int = 16
    ice_servers: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: LogFormat = "text"


class Live:
    """The process's parts and their work."""

    def __init__(self, config: LiveConfig, bus: LocalBus) -> None:
        self.hub = LiveHub()
        self.lines = Lines(self.hub, config.media_dir)
        self.peers = Peers(self.lines, config.ice_servers, most=config.webrtc_peers)
        self.restream = RestreamServer(
            self.lines,
            CredentialBook(config.data_dir / "restream.json").find,
            lambda camera: camera in self._cameras,
            most=config.most_viewers,
        )
        self._config = config
        self._bus = bus
        self._cameras: frozenset[str] = frozenset()
        self._site_stamp = (0, 0)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        await self._follow_site()
        desk = await open_desk(self._config.run_dir, self._answer)
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in {
                "chunks": self._feed(),
                "site": self._watch_site(),
                "low-delay": self.hub.ask_low_delay(self._bus),
                "listen": self._listen(),
                "sweep": self._sweep(),
            }.items()
        ]
        stopping = asyncio.create_task(stop.wait())
        say_ready()
        try:
            done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            stopping.cancel()
            desk.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.restream.close()
            await self.peers.close()
            await self.lines.close()

    async def _feed(self) -> None:
        async with self._bus.subscribe(topics.CHUNKS, size=_CHUNKS_WAITING) as chunks:
            async for camera, ref in chunks:
                if camera.partition("~")[0] in self._cameras:
                    self.hub.feed(ref)

    async def _watch_site(self) -> None:
        async with self._bus.subscribe(topics.SITE) as changes:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.get(), _SITE_EVERY_S)
                await self._follow_site()

    async def _follow_site(self) -> None:
        path = self._config.data_dir / "site.json"
        try:
            status = await asyncio.to_thread(path.stat)
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._site_stamp:
                return
            site = await asyncio.to_thread(read_site, path)
        except FileNotFoundError:
            return
        except (OSError, ConfigError) as error:
            log.error("site.unreadable", message=str(error))
            return
        self._site_stamp = stamp
        cameras = frozenset(camera.id for camera in site.cameras if camera.enabled) if site else frozenset()
        for gone in self._cameras - cameras:
            self.hub.forget(gone)
            self.lines.end(gone, f"camera '{gone}': it was removed or switched off")
            self.restream.drop(gone)
            self.peers.drop(gone)
        self._cameras = cameras

    async def _listen(self) -> None:
        """A taken port must not stop a node that records; it is tried again until it is free."""
        if not self._config.rtsp_port:
            await asyncio.get_running_loop().create_future()
        said = False
        while not self.restream.port:
            try:
                await self.restream.start(self._config.host, self._config.rtsp_port)
            except PortTakenError as error:
                if not said:
                    log.error("restream.port_taken", message=error.message)
                    said = True
                await asyncio.sleep(_LISTEN_AGAIN_S)
        await asyncio.get_running_loop().create_future()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            try:
                await self.restream.sweep()
            except ConfigError as error:
                log.error("restream.credentials", message=error.message)

    async def _answer(self, question: Ask) -> Told:
        if question.do == "status":
            return Told(
                restream_port=self.restream.port,
                restream_viewers=self.restream.guests,
                webrtc_viewers=len(self.peers),
            )
        if question.do == "offer":
            if question.camera.partition("~")[0] not in self._cameras:
                raise SourceError(f"camera '{question.camera}': there is none that is switched on", code="not_found")
            name, answer = await self.peers.offer(question.camera, question.text)
            return Told(peer=name, text=answer)
        peer = self.peers.find(question.peer)
        if peer is None:
            return Told(found=False)
        if question.do == "candidates":
            await peer.add_candidates(question.text)
        elif question.do == "end":
            peer.end()
        else:
            moment = peer.moment()
            if moment is not None:
                return Told(epoch=moment.epoch, stream_time=moment.stream_time, rtp=moment.rtp, wall=moment.wall)
        return Told()


async def serve(config: LiveConfig) -> None:
    stop = stop_on_signal()
    bus = await LocalBus.open(config.run_dir, "live")
    try:
        await Live(config, bus).run(stop)
    finally:
        await bus.close()


def main() -> int:
    logs.configure()
    try:
        config = read_config(LiveConfig)
        logs.configure(config.log_level, config.log_format)
        uvloop.run(serve(config))
    except PeriShieldError as error:
        log.error("live.failed", code=error.code, message=str(error))
        return EXIT_CONFIG if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
