"""The API's description (OpenAPI): what FastAPI finds in the routes, and what holds for all of them alike.

Problem answers, examples, tags and the types of files are put in here, once, so that a route says only what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from perishield.api.examples import CAMERA_FILE, LOOSE, Examples, file_schema
from perishield.api.problems import MEDIA_TYPE, title_of

TAGS = {
    "entry": "Setting up and logging in.",
    "cameras": "Cameras and their settings.",
    "rules": "What is watched for, where and when; and why a rule kept silent.",
    "schedules": "Hours set down once, by a name, for rules, tasks and channels to go by.",
    "tasks": "Which model looks at which camera, and when; started, stopped, and how that goes.",
    "alarms": "What rules found, newest first.",
    "video": "Streams, footage, playback and the footage ledger.",
    "pictures": "Thumbnails, sheets of small pictures, key frames.",
    "exports": "Footage cut out exactly, to take along.",
    "holds": "Footage that is kept beyond its time.",
    "storage": "Other storages, and taking in segments from other nodes.",
    "models": "Networks that look at pictures.",
    "tracks": "Ways of objects.",
    "trials": "Rules and models tried on recorded footage.",
    "health": "What is wrong with cameras' pictures.",
    "live": "Watching now: WebRTC, HLS, RTSP.",
    "profile": "One's own account: name, password, second factor, logins.",
    "people": "Accounts, roles, groups of cameras, API keys.",
    "audit": "Who did what, and the proof that nothing of it was changed.",
    "statistics": "Alarms, cameras and verdicts, counted.",
    "evidence": "What proves an alarm, signed to take along; what is kept, and what is masked.",
    "channels": "Where news of alarms go, and what became of each delivery.",
    "recorders": "What cameras' own recorders hold.",
    "media": "Files behind signed links.",
    "system": "The node itself.",
}
_PLAYLIST = "application/vnd.apple.mpegurl"
FILES: Mapping[str, tuple[str, ...]] = {
    "/api/video/recordings/{stream}/segments/{name}": ("video/mp4",),
    "/api/shadow/{trial}/pictures/{name}": ("image/jpeg",),
    "/api/exports/{export_id}/files/{name}": ("video/mp4",),
    "/api/evidence/exports/{export_id}/archive": ("application/zip",),
    "/media/live/{camera}/index.m3u8": (_PLAYLIST,),
    "/media/live/{camera}/stream.m3u8": (_PLAYLIST,),
    "/media/live/{camera}/{name}": ("video/mp4",),
    "/media/playback/{camera}.mp4": ("video/mp4",),
    "/media/playback/{camera}.m3u8": (_PLAYLIST,),
    "/media/{path}": ("video/mp4", "image/jpeg"),
}
"""Routes that answer a file, and of which type."""
_TABLE = "text/csv"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLES: Mapping[str, tuple[str, ...]] = {
    "/api/alarms/export": (_TABLE, _SHEET),
    "/api/audit/export": (_TABLE, "application/jsonl"),
    **{
        f"/api/bulk/{name}": (_TABLE, "application/json")
        for name in ("cameras", "channels", "groups", "rules", "schedules", "tasks")
    },
    "/api/statistics/alarms/export": (_TABLE, _SHEET),
    "/api/statistics/cameras/export": (_TABLE, _SHEET),
}
"""Routes whose GET answers a table to take along, made as it goes out; `format` says of which type."""
_STEPS = frozenset(
    f"/api/alarms/{{alarm}}/{step}" for step in ("acknowledge", "confirm", "dismiss", "close", "reopen", "assign")
)
"""Routes that want to be told which revision was seen: they answer 428 without `If-Match`."""
_ANYWHERE = (429, 503)
"""Too many requests; the database or the disk does not answer."""
_ALWAYS_SIGNED = "/media/"
_CHANGING = frozenset({"post", "put", "patch", "delete"})
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "params"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, why, and the way out."},
        "code": {"type": "string", "description": "Stable: programs may rely on it."},
        "params": {"type": "object", "additionalProperties": True, "description": "What the sentence speaks of."},
    },
}
_CODES = {
    400: ("invalid", "There was an error parsing the body"),
    401: ("unauthorized", "log in first"),
    403: ("forbidden", "this needs a permission which your role lacks"),
    404: ("not_found", "camera 'gate': there is none"),
    409: ("conflict", "user 'ann': the name is taken; choose another one"),
    412: ("stale", "camera 'gate': somebody else has changed it; load it again"),
    413: ("too_large", "request body: more than 1048576 bytes"),
    415: ("invalid", "content-type: send application/sdp"),
    416: ("range_invalid", "the byte range lies outside the file"),
    422: ("invalid", "name: Field required"),
    428: ("revision_needed", "If-Match: send the ETag of the alarm as you have seen it"),
    429: ("rate_limited", "too many attempts; wait 30 s"),
    503: ("not_writable", "the database does not answer; check the disk and try again"),
    504: ("timeout", "the camera took too long to answer"),
    507: ("disk_full", "the disk is full; free some space"),
}


class DescribedApp(FastAPI):
    """FastAPI with our description."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_tags = [{"name": name, "description": text} for name, text in TAGS.items()]
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def complete(described: dict[str, Any]) -> dict[str, Any]:
    """The description with what holds for all routes; changes it in place."""
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    examples = Examples(schemas)
    for path, method, operation in operations(described):
        responses: dict[str, Any] = operation["responses"]
        _add_files(path, method, responses)
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["schema"].get("type") == "string":
                # An empty one is another address.
                parameter["schema"].setdefault("minLength", 1)
        if path in _STEPS:
            _need_match(operation)
        for status in sorted(_problems(path, method, operation)):
            responses[str(status)] = problem_answer(status)
        for answer in [*responses.values(), operation.get("requestBody", {})]:
            _add_example(path, method, answer, examples)
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return described


def operations(described: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each (path, method in small letters, operation)."""
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def problem_answer(status: int) -> dict[str, Any]:
    code, detail = _CODES[status]
    example = {
        "type": f"urn:perishield:problem:{code}",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "params": {},
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title_of(status), "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


def _problems(path: str, method: str, operation: Mapping[str, Any]) -> set[int]:
    """Which refusals this operation may answer with."""
    found = set(_ANYWHERE)
    signed = path.startswith(_ALWAYS_SIGNED)
    if operation.get("security"):
        found |= {401, 403}
    if signed:
        found |= {400, 403, 404, 416}
    named = {str(parameter["name"]) for parameter in operation.get("parameters", ())}
    if "{" in path or method in _CHANGING or "group" in named:
        found.add(404)
    if operation.get("parameters") or method in _CHANGING:
        found.add(422)
    if method in _CHANGING:
        found |= {401, 403, 409}
    if method in _CHANGING - {"delete"}:
        found |= {413, 507}
        # Without a declared body the route reads its bytes itself, and looks at their type.
        if set(operation.get("requestBody", {}).get("content", {})) != {"application/json"}:
            found.add(415)
    if "requestBody" in operation:
        found.add(400)
    if any(parameter["name"].lower() == "if-match" for parameter in operation.get("parameters", ())):
        found.add(412)
    if path in _STEPS:
        found.add(428)
    if path in FILES or "image/jpeg" in operation["responses"].get("200", {}).get("content", {}):
        found |= {400, 404, 416, 504}
    # What a route declares itself stays, if we have words for it.
    return found | {int(status) for status in operation["responses"] if status.isdigit() and int(status) in _CODES}


def _need_match(operation: Mapping[str, Any]) -> None:
    """Call `If-Match` required. The routes take it as optional, to answer 428 themselves where it is missing."""
    for parameter in operation["parameters"]:
        if parameter["name"] == "If-Match":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'}
            # The star alone fits an alarm whatever was done to it before.
            parameter["examples"] = {
                "seen": {"summary": "The alarm as it was seen", "value": '"3"'},
                "any": {"summary": "Whatever it is by now", "value": "*"},
            }


def _add_files(path: str, method: str, responses: dict[str, Any]) -> None:
    if path in TABLES and method == "get":
        tables: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in TABLES[path]}
        if _SHEET in tables:
            tables[_SHEET]["schema"]["format"] = "binary"
        if "application/json" in tables:
            name = path.rpartition("/")[2]
            row = {"id": "gate", "name": "Gate"}
            tables["application/json"]["schema"] = CAMERA_FILE if name == "cameras" else file_schema(name, row)
        responses["200"] = {"description": "The table", "content": tables}
    if path not in FILES:
        return
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FILES[path]}
    responses["200"] = {"description": "The file", "content": content}
    if not content.keys().isdisjoint(("video/mp4", "application/zip")):
        responses["206"] = {"description": "The bytes that `Range` asks for", "content": content}
        responses["304"] = {"description": "The same as `If-None-Match` names"}


def _add_example(path: str, method: str, answer: Mapping[str, Any], examples: Examples) -> None:
    for kind, content in answer.get("content", {}).items():
        if kind != "application/json" or "example" in content or "examples" in content:
            continue
        made = examples.of(content.get("schema", {}))
        if made == {}:
            made = next((example for start, example in LOOSE.items() if path.startswith(start)), {})
            made = {"items": [made], "total": 1} if method == "get" and path in LOOSE else made
        content["example"] = made
