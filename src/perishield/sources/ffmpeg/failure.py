"""FFmpeg's errors as sentences. Imports PyAV: for the helper only."""

from __future__ import annotations

import errno

import av

from perishield.model.errors import SourceError

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)


def explain(error: BaseException, address: str, timeout_s: float) -> SourceError:
    """`address` is masked already."""
    if isinstance(error, SourceError):
        return error
    number = getattr(error, "errno", None)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError | PermissionError):
        return SourceError(f"access to {address} is denied: check user and password", code="auth_failed")
    if isinstance(error, av.error.HTTPNotFoundError | FileNotFoundError):
        return SourceError(f"{address} does not exist: check the path", code="not_found")
    if isinstance(error, IsADirectoryError):
        return SourceError(f"{address} is a folder: name a file in it", code="not_a_video")
    if isinstance(error, ConnectionRefusedError):
        return SourceError(f"{address} refuses connections: check the port", code="refused")
    if isinstance(error, TimeoutError | av.error.ExitError):
        return SourceError(
            f"{address} does not answer within {timeout_s:g} s: check address and network", code="timeout"
        )
    if isinstance(error, av.error.HTTPError):
        return SourceError(f"{address} answers with an error ({error.strerror})", code="protocol")
    if isinstance(error, av.error.InvalidDataError | av.error.DemuxerNotFoundError | ValueError):
        return SourceError(f"{address} is not a video that can be read", code="not_a_video")
    if isinstance(error, av.error.EOFError):
        return SourceError(f"{address} ends before its video begins", code="truncated")
    if number in _UNREACHABLE:
        return SourceError(f"{address} cannot be reached: check address and network", code="unreachable")
    if isinstance(error, ConnectionError):
        return SourceError(f"{address} broke off the connection", code="gone")
    return SourceError(f"{address} cannot be read ({getattr(error, 'strerror', None) or error})", code="unreachable")
