"""Who looks over a session's shoulder: the doctor. It changes nothing and costs nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable

from perishield.sources.rtsp.framing import Message
from perishield.sources.rtsp.rtcp import SenderReport

TakePacket = Callable[[bytes, int, int], None]
"""(data, start, end): the RTP packet data[start:end]."""


class Observer:
    """Override what you want to hear of; calls come on the session's event loop, in the order of things."""

    def asking(self, method: str, url: str) -> None:
        """A request is about to be sent; the address bears no credentials."""

    def challenged(self, message: Message) -> None:
        """A 401 came; another try may follow within the same request."""

    def answered(self, method: str, message: Message, scheme: str) -> None:
        """The final answer. `scheme`: the authentication in use, such as `Digest MD5`; empty without."""

    def playing(self) -> None:
        """PLAY was accepted."""

    def report(self, report: SenderReport) -> None:
        """A sender report of the video track."""

    def tap(self, take: TakePacket) -> TakePacket:
        """What gets the video track's RTP packets, in order, in place of `take`, and hands them on to it."""
        return take


NOBODY = Observer()
