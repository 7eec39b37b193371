"""The helper process: `python -m perishield.sources.ffmpeg.helper`, an order as JSON on stdin, messages on stdout.

Writing to a full pipe waits: that is all the back-pressure there is. It ends with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import sys
from typing import BinaryIO

from perishield.sources.ffmpeg.demux import Demuxer
from perishield.sources.ffmpeg.failure import explain
from perishield.sources.ffmpeg.order import Order
from perishield.sources.ffmpeg.wire import FAILURE, HEAD

_PR_SET_PDEATHSIG = 1


def main() -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = Order(**json.load(sys.stdin))
    out: BinaryIO = sys.stdout.buffer

    def emit(kind: bytes, body: bytes) -> None:
        out.write(HEAD.pack(kind, len(body)) + body)
        out.flush()

    try:
        Demuxer(order, emit).run()
    except Exception as error:  # noqa: BLE001 - whatever FFmpeg raises is told to the parent, who reports it
        failure = explain(error, order.address, order.timeout_s)
        with contextlib.suppress(BrokenPipeError):
            emit(FAILURE, json.dumps({"code": failure.code, "message": failure.message}).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
