"""Addresses of an alarm for whoever is told of it elsewhere."""

from __future__ import annotations

from urllib.parse import quote

from perishield.alarms.channels.sender import Links as AlarmAddresses
from perishield.api.signing import Links
from perishield.model.alarms import Alarm, ClipState

_LIFETIME_S = 7 * 86_400.0
"""Messages are read days later, too."""


class AlarmLinks:
    """Makes them, signed at the moment of asking. `public`: an operator has said how the node is reached."""

    def __init__(self, links: Links, address: str, *, public: bool) -> None:
        self._links = links
        self._address = address.rstrip("/")
        self._public = public

    def __call__(self, alarm: Alarm) -> AlarmAddresses:
        ready = alarm.clip_state is ClipState.READY
        return AlarmAddresses(
            console=f"{self._address}/alarms/{quote(alarm.id, safe='')}",
            snapshot=self._media(alarm.event.snapshot),
            clip=self._media(alarm.clip) if ready else "",
            public=self._public,
        )

    def _media(self, path: str) -> str:
        return self._address + self._links.sign(f"/media/{path}", lifetime_s=_LIFETIME_S) if path else ""
