"""Every error leaves as application/problem+json (RFC 9457) with the house's code and parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from perishield.api.methods import allowed
from perishield.log import Log
from perishield.model.errors import PeriShieldError

log = Log("api")

MEDIA_TYPE = "application/problem+json"

_STATUS_OF_CODE = {
    "rule_invalid": 422,
    "ground_invalid": 422,
    "config_invalid": 422,
    "missing": 404,
    "too_large": 413,
    "evidence_changed": 409,
    "cancelled": 503,
    "corrupt": 422,
    "disk_full": 507,
    "not_writable": 503,
    "bus_unavailable": 503,
    "not_a_segment": 422,
    "conflict": 409,
    "address_refused": 422,
    "address_unknown": 422,
    "address_invalid": 422,
    "mount_gone": 503,
    "storage_auth": 503,
    "storage_missing": 503,
    "storage_unreachable": 503,
    "storage_busy": 503,
    "storage_refused": 503,
    "alarm_state": 409,
    "alarm_reason": 422,
    "alarm_comment": 422,
    "stale": 412,
    "channel_invalid": 422,
    "channel_forbidden": 422,
    "model_missing": 404,
    "model_foreign": 422,
    "model_corrupt": 422,
    "model_card": 422,
    "model_selftest": 422,
    "model_name": 422,
    "model_exists": 409,
    "model_in_use": 409,
    "model_store": 507,
}
_OF_STATUS = {
    400: ("invalid", "Bad request"),
    401: ("unauthorized", "Not logged in"),
    403: ("forbidden", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    412: ("stale", "Changed meanwhile"),
    413: ("too_large", "Too large"),
    415: ("invalid", "Unsupported media type"),
    416: ("range_invalid", "Range not satisfiable"),
    422: ("invalid", "Invalid"),
    428: ("revision_needed", "Say which revision"),
    429: ("rate_limited", "Too many attempts"),
    500: ("internal", "Internal error"),
    503: ("unavailable", "Unavailable"),
    504: ("timeout", "Took too long"),
    507: ("disk_full", "Disk full"),
}


class ProblemError(PeriShieldError):
    """An error with an HTTP status of its own.

    Where one code stands for several mistakes, the parameter `why` tells them apart (`not_after`, `name_taken`): a
    console translates by it, filling in the other parameters.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(message, code=code or _OF_STATUS.get(status, ("error", ""))[0], **params)
        self.status = status
        self.headers = dict(headers or {})


def not_found(kind: str, name: str) -> ProblemError:
    return ProblemError(404, f"{kind} {name!r}: there is none", kind=kind, id=name)


def method_refused(method: str, methods: list[str]) -> ProblemError:
    allow = ", ".join(methods)
    return ProblemError(405, f"{method}: this address takes {allow}", headers={"Allow": allow}, methods=methods)


def title_of(status: int) -> str:
    return _OF_STATUS.get(status, ("error", "Error"))[1]


def problem_body(status: int, code: str, detail: str, params: Mapping[str, object]) -> bytes:
    body = {
        "type": f"urn:perishield:problem:{code}",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "params": dict(params),
    }
    # Escaped to ASCII: a message may quote what somebody sent, lone surrogates included.
    return json.dumps(body, default=str).encode()


def problem_response(
    status: int,
    code: str,
    detail: str,
    params: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(
        problem_body(status, code, detail, params or {}), status, dict(headers or {}), media_type=MEDIA_TYPE
    )


async def _on_known(_request: Request, error: Exception) -> Response:
    if isinstance(error, ProblemError):
        return problem_response(error.status, error.code, error.message, error.params, error.headers)
    if isinstance(error, PeriShieldError):
        status = _STATUS_OF_CODE.get(error.code, 500)
        if status == 500:
            log.error("request.failed", code=error.code, message=str(error))
        return problem_response(status, error.code, error.message, error.params)
    raise error


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 405 and (methods := allowed(request)):
        # A router knows only the methods of the first route of that address.
        return await _on_known(request, method_refused(request.method, methods))
    code = _OF_STATUS.get(error.status_code, ("error", ""))[0]
    return problem_response(error.status_code, code, str(error.detail), headers=error.headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # Never the input itself: it may hold a password.
    wrong = [
        {"field": _field(item["loc"]), "message": str(item["msg"]), "why": str(item["type"]), **_limits(item)}
        for item in error.errors()[:20]
    ]
    first = wrong[0] if wrong else {"field": "", "message": "not valid", "why": ""}
    detail = f"{first['field'] or 'request'}: {first['message']}"
    params = {name: value for name, value in first.items() if name != "message"}
    return problem_response(422, "invalid", detail, {**params, "errors": wrong})


async def _on_database(request: Request, error: Exception) -> Response:
    log.error("request.store_failed", path=request.url.path, message=str(error))
    return problem_response(503, "not_writable", "the database does not answer; check the disk and try again")


async def _on_unforeseen(request: Request, _error: Exception) -> Response:
    log.error("request.crashed", path=request.url.path)
    return problem_response(500, "internal", "the server failed on this request; its log says more")


def _limits(item: Mapping[str, Any]) -> dict[str, object]:
    """The figures that the input was held to, like `min_length`: numbers, and the words of an enumeration.

    Whatever else is in the context may quote the input.
    """
    return {
        name: limit
        for name, limit in item.get("ctx", {}).items()
        if isinstance(limit, (int, float)) or (name == "expected" and isinstance(limit, str))
    }


def _field(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path"))


def install(app: FastAPI) -> None:
    app.add_exception_handler(PeriShieldError, _on_known)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(SQLAlchemyError, _on_database)
    app.add_exception_handler(Exception, _on_unforeseen)
