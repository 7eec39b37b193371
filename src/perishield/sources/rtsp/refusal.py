"""What a server's refusals mean to whoever looks after the camera."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.errors import SourceError, mask_url
from perishield.sources.rtsp.framing import Message
from perishield.sources.rtsp.url import Endpoint

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (453, 503)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for TCP, for an answer, without any packet, for the first datagram, for the first key frame; and
    before the next try after a refused password, a wrong path, a camera without a free session, a certificate that is
    not trusted.
    """

    connect_s: float = 5.0
    response_s: float = 10.0
    idle_s: float = 10.0
    datagram_s: float = 3.0
    key_frame_s: float = 30.0
    after_auth_failed_s: float = 60.0
    after_not_found_s: float = 30.0
    after_busy_s: float = 70.0
    after_untrusted_s: float = 30.0
    tick_s: float = 0.5


class Redirected(Exception):  # noqa: N818
    """The server sends us elsewhere."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def accept(answer: Message, method: str, endpoint: Endpoint, patience: Patience) -> Message:
    """The answer, if it is a good one. Otherwise raises SourceError or Redirected."""
    status = answer.status
    if status < 300:
        return answer
    location = answer.header("location")
    if status in _REDIRECTS and location:
        raise Redirected(location)
    address = mask_url(endpoint.url)
    said = f"{status} {answer.reason}".strip()
    if status in (401, 403):
        wanted = "check user and password" if endpoint.username else "it wants a user and a password"
        raise SourceError(
            f"{said} from {address}: {wanted}",
            code="auth_failed",
            retry_after_s=patience.after_auth_failed_s,
            status=status,
        )
    if status in (404, 410) or (status == 454 and method != "PLAY"):
        raise SourceError(
            f"{said} from {address}: there is no such stream, check the path",
            code="not_found",
            retry_after_s=patience.after_not_found_s,
            status=status,
        )
    if status in _BUSY or (status == 500 and method == "SETUP"):
        raise SourceError(
            f"{said} from {address}: the device has no free session, close another viewer",
            code="busy",
            retry_after_s=patience.after_busy_s,
            status=status,
        )
    if status == 461:
        raise SourceError(
            f"{said} from {address}: the device refuses this transport, choose another or automatic",
            code="protocol",
            status=status,
        )
    raise SourceError(f"{method} answered {said} by {address}", code="protocol", status=status)
