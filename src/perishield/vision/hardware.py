"""Decoders in hardware, where this host has some; software wherever it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from perishield.log import Log

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

log = Log("decoder")

SOFTWARE = "software"
_unusable: set[str] = set()
"""Hardware that this process tried in vain."""


def decoder_for(codec: str, hardware: str) -> tuple[VideoCodecContext, str]:
    """A decoder and what it runs on: the wanted hardware where this host has it, else software.

    `hardware`: empty for none, `auto` for the first that this host has, or a name such as `cuda`, `vaapi`, `qsv`.
    """
    import av
    import av.error
    from av.codec.hwaccel import HWAccel, hwdevices_available

    for name in hwdevices_available() if hardware else ():
        if hardware in ("auto", name) and name not in _unusable:
            try:
                # Without the fallback: what does not take the stream must not pass for hardware.
                accelerator = HWAccel(name, allow_software_fallback=False)
                return cast("VideoCodecContext", av.CodecContext.create(codec, "r", hwaccel=accelerator)), name
            except (av.error.FFmpegError, ValueError, RuntimeError, NotImplementedError, OSError) as error:
                log.info("decoder.no_hardware", name=name, message=str(error))
                _unusable.add(name)
    return cast("VideoCodecContext", av.CodecContext.create(codec, "r")), SOFTWARE
