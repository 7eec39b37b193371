"""A camera behind an RTSP address, kept connected."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

from perishield.log import Log
from perishield.model.device_reach import DeviceReach
from perishield.model.errors import PeriShieldError, SourceError, mask_url
from perishield.model.media import PacketSink
from perishield.model.site import Camera, Transport
from perishield.sources.backoff import BackOff
from perishield.sources.rtsp.audio_delivery import AudioDelivery
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.observer import NOBODY, Observer
from perishield.sources.rtsp.refusal import Patience, Redirected
from perishield.sources.rtsp.session import Session, SilenceError, Terms
from perishield.sources.rtsp.url import Endpoint, parse_url
from perishield.sources.status import OnState, SourceStatus
from perishield.sources.supervision import keep_connected

log = Log("rtsp")

_MOST_REDIRECTS = 3
_UDP_AGAIN_S = 600.0
"""After UDP brought nothing, TCP is used for so long."""


class RtspSource:
    """Delivers a camera's video to `sink` until `run` is cancelled; `on_state` hears how it is.

    `low_delay` False lets packets gather for about 200 ms before they are read, which saves processor time.
    `patience` overrides every pause and timeout; `connect_timeout_s` and `idle_timeout_s` are its usual two.
    """

    def __init__(
        self,
        camera: Camera,
        sink: PacketSink,
        on_state: OnState,
        *,
        epoch: int = 0,
        connect_timeout_s: float = 5.0,
        idle_timeout_s: float = 10.0,
        first_retry_s: float = 1.0,
        patience: Patience | None = None,
        observer: Observer = NOBODY,
        reach: DeviceReach | None = None,
    ) -> None:
        self._camera = camera
        self._status = SourceStatus(camera.id, epoch, on_state)
        self._delivery = Delivery(sink, self._status)
        self._sound = AudioDelivery(sink, self._delivery) if camera.audio else None
        self._patience = patience or Patience(connect_s=connect_timeout_s, idle_s=idle_timeout_s)
        self._back_off = BackOff(first_retry_s)
        self._observer = observer
        self._reach = reach
        self._low_delay = False
        self._session: Session | None = None
        self._udp_again = 0.0

    @property
    def low_delay(self) -> bool:
        return self._low_delay

    @low_delay.setter
    def low_delay(self, wanted: bool) -> None:
        self._low_delay = wanted
        if self._session is not None:
            self._session.low_delay = wanted

    async def run(self) -> None:
        """Never returns; every failure becomes a state, then a pause, then another try."""
        await keep_connected(self._connect, self._status, self._back_off, log, self._clock)

    def _clock(self) -> str:
        self._status.reception.time_jumps = self._delivery.jumps
        return "camera" if self._delivery.wall_clock.trusted else "arrival"

    async def _connect(self) -> PeriShieldError:
        """One connection, from its beginning to the error that ended it."""
        try:
            endpoint = parse_url(self._camera.url, self._camera.username, self._camera.password)
            for _ in range(_MOST_REDIRECTS + 1):
                try:
                    await self._play_by_any_way(endpoint)
                except Redirected as redirected:
                    endpoint = self._follow(endpoint, redirected.location)
            raise SourceError("redirected too often: check the address", code="protocol")
        except SourceError as error:
            return SourceError(
                f"camera {self._camera.id!r}: {error.message}",
                code=error.code,
                retry_after_s=error.retry_after_s,
                camera=self._camera.id,
                **error.params,
            )
        except PeriShieldError as error:
            return error
        except (OSError, UnicodeError) as error:
            return self._network_error(error)

    async def _play_by_any_way(self, endpoint: Endpoint) -> None:
        """Where UDP is wanted and nothing comes of it, TCP is better than no recording."""
        transport = self._camera.transport
        if transport is Transport.UDP and time.monotonic() < self._udp_again:
            transport = Transport.TCP
        try:
            await self._play(endpoint, transport)
        except SilenceError as error:
            if transport is not Transport.UDP:
                raise
            log.warning("rtsp.transport", camera=self._camera.id, refused="udp", message=error.message)
            self._udp_again = time.monotonic() + _UDP_AGAIN_S
            await self._play(endpoint, Transport.TCP)

    async def _play(self, endpoint: Endpoint, transport: Transport) -> None:
        session = Session(
            endpoint,
            self._delivery,
            self._patience,
            low_delay=self._low_delay,
            observer=self._observer,
            terms=Terms(transport, self._camera.tls_fingerprint, self._reach),
            reception=self._status.reception,
            sound=self._sound,
        )
        self._session = session
        try:
            await session.open()
            log.info(
                "camera.connected",
                camera=self._camera.id,
                url=mask_url(endpoint.url),
                transport=self._status.reception.transport,
            )
            await session.stream()
        finally:
            self._session = None
            await session.leave()

    def _follow(self, endpoint: Endpoint, location: str) -> Endpoint:
        """Raises SourceError where a redirect leads out of RTSP, or out of TLS."""
        if location.startswith("/"):
            location = endpoint.origin + location
        try:
            target = parse_url(location)
        except SourceError:
            raise SourceError(
                f"redirected to {mask_url(location)!r}, which is no RTSP address: write the right one yourself",
                code="protocol",
            ) from None
        if endpoint.tls and not target.tls:
            raise SourceError(
                f"redirected to {mask_url(location)!r}, out of TLS: write that address yourself if you want it",
                code="protocol",
            )
        if not target.username:
            target = replace(target, username=endpoint.username, password=endpoint.password)
        return target

    def _network_error(self, error: OSError | UnicodeError) -> SourceError:
        address = mask_url(self._camera.url)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, socket.gaierror | UnicodeError):
            code, text = "dns", f"the host name in {address} is unknown: check the address"
        elif isinstance(error, ConnectionRefusedError):
            code, text = "refused", f"{address} refuses connections: check the port, and that RTSP is switched on"
        elif isinstance(error, TimeoutError):
            code = "timeout"
            text = f"{address} does not answer within {self._patience.connect_s:g} s: check address, cable and power"
        elif isinstance(error, ConnectionResetError | BrokenPipeError):
            code, text = "gone", f"{address} broke off the connection: the device restarted or has too many viewers"
        else:
            code, text = "unreachable", f"{address} cannot be reached ({reason}): check address, cable and power"
        return SourceError(f"camera {self._camera.id!r}: {text}", code=code, camera=self._camera.id)
