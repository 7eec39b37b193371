"""What the API knows of the ways out besides its own socket: where they are, who may use them, and the live process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from perishield.api.problems import ProblemError
from perishield.live.credentials import CredentialBook
from perishield.live.desk import Ask, Told, ask
from perishield.live.hls import Windows
from perishield.live.webrtc.peers import ice_servers
from perishield.model.errors import SourceError

_STATUS = {
    "not_found": 404,
    "gone": 503,
    "busy": 503,
    "unsupported_codec": 422,
    "b_frames": 422,
    "protocol": 422,
    "timeout": 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOut:
    """`rtsp_port` 0: no restream. `webrtc` False: none. `transcode`: H.265 is to be had in H.264.
    `masked`: who may not see behind privacy masks gets live video with them.

    `servers` are the ICE servers of the settings.
    """

    run_dir: Path
    windows: Windows
    book: CredentialBook
    rtsp_port: int = 0
    webrtc: bool = False
    transcode: bool = False
    masked: bool = False
    servers: tuple[str, ...] = field(default=(), repr=False)

    @property
    def ice_servers(self) -> list[dict[str, str]]:
        """As browsers take them."""
        return ice_servers(self.servers)

    async def ask(self, question: Ask) -> Told:
        """What the live process answers. Raises ProblemError, and BusError where there is no answer."""
        try:
            return await ask(self.run_dir, question)
        except SourceError as error:
            raise problem(error) from error


def problem(error: SourceError) -> ProblemError:
    """A refusal as the API answers it."""
    status = _STATUS.get(error.code, 503)
    headers = {"Retry-After": "5"} if status == 503 else {}
    return ProblemError(status, error.message, code=error.code, headers=headers, **error.params)
