"""Addresses of cameras and recorders that somebody enters: refused at once where nothing will be fetched from them.

Names are judged when they are connected to (`model.device_reach`): what they lead to may change at any time.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from perishield.api.problems import ProblemError
from perishield.model.device_reach import FORBIDDEN, DeviceReach, literal
from perishield.model.outward import PORTS
from perishield.model.site import Camera


def check_device(url: str, reach: DeviceReach | None, field: str = "url") -> None:
    """Raises ProblemError (422, `address_forbidden`). `url` was read before: it is one."""
    parts = urlsplit(url)
    address = literal(parts.hostname) if parts.hostname else None
    if reach is None or address is None:
        return
    why = reach.refusal(address, parts.port or PORTS.get(parts.scheme.lower(), 0))
    if why:
        raise ProblemError(422, f"{field}: {parts.hostname}: {why}", code=FORBIDDEN, field=field)


def check_camera_address(camera: Camera, before: Camera | None, reach: DeviceReach | None) -> None:
    """The same for both of a camera's addresses, as far as they are others than before."""
    for field in ("url", "detect_url"):
        url = getattr(camera, field)
        if url and (before is None or url != getattr(before, field)):
            check_device(url, reach, field)
