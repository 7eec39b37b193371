"""Examples for the API's description, made of its schemas and of what each field is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TIME = "2026-05-04T21:14:07.320Z"
_ID = "0f9c41d2a7b84e6d"
RULE = {
    "id": "south-fence",
    "kind": "tripwire",
    "camera": "gate",
    "name": "South fence",
    "line": [[0.1, 0.6], [0.9, 0.55]],
    "level": 3,
    "enabled": True,
    "armed": True,
    "revision": 4,
}
TRIAL = {
    "id": "k3v9x2",
    "camera": "gate",
    "from": _TIME,
    "to": "2026-05-04T22:14:07.320Z",
    "rules": [{"id": "south-fence", "name": "South fence", "kind": "tripwire"}],
    "created": "2026-05-05T07:02:11.004Z",
    "state": "done",
    "progress": 1.0,
    "code": "",
    "message": "",
    "detector": "yolox_nano_416.onnx",
    "pieces": 2,
    "footage_s": 3600.0,
    "missing_s": 0.0,
    "pictures": 1744,
    "speed": 38.5,
    "would": 0,
    "told": 0,
    "raised": 0,
    "new": 0,
    "spared": 0,
    "suppressed": {"south-fence": {}},
    "alarms": [],
    "spared_alarms": [],
}
LOOSE: Mapping[str, Any] = {"/api/rules": RULE, "/api/shadow": TRIAL}
"""Answers whose schema names no fields, because they depend on what the thing is."""


def file_schema(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Things as a JSON file, in and out; each row names what it sets."""
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"type": "array", "items": {"type": "object", "additionalProperties": True}}},
        "example": {name: [row]},
    }


CAMERA_FILE: Mapping[str, Any] = file_schema(
    "cameras", {"id": "gate", "name": "Gate", "url": "rtsp://192.0.2.10/stream1", "groups": ["Outside"]}
)


def file_body(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a route that takes in such a file, or one in CSV, says of its body."""
    content = {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": file_schema(name, row)},
    }
    return {"requestBody": {"required": True, "content": content}}


BY_NAME: Mapping[str, Any] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl",
    "alarm": _ID,
    "arrival": _TIME,
    "at": _TIME,
    "box": [0.41, 0.3, 0.52, 0.71],
    "camera": "gate",
    "camera_name": "Gate",
    "clock": "camera",
    "codec": "h264",
    "code": "",
    "condition": "live",
    "created": _TIME,
    "detector": "motion",
    "direction": "left_to_right",
    "expires_in": 3600,
    "fps": 25.0,
    "from": _TIME,
    "height": 1080,
    "id": _ID,
    "kind": "tripwire",
    "label": "person",
    "level": 3,
    "line": RULE["line"],
    "mime": 'video/mp4; codecs="avc1.640028"',
    "name": "Gate",
    "next": None,
    "path": [[-0.4, 0.45, 0.6], [0.0, 0.5, 0.7]],
    "point": [0.5, 0.7],
    "raised": _TIME,
    "role": "admin",
    "rule": RULE,
    "rule_name": "South fence",
    "score": 0.87,
    "since": _TIME,
    "start": _TIME,
    "state": "new",
    "status": "ready",
    "timezone": "Europe/Berlin",
    "to": "2026-05-04T21:16:07.320Z",
    "end": "2026-05-04T21:16:07.320Z",
    "token_type": "bearer",
    "total": 1,
    "url": "rtsp://192.0.2.10/stream1",
    "username": "admin",
    "version": "0.1.0",
    "wall": _TIME,
    "width": 1920,
}
"""What a field of this name holds, wherever its schema lets it."""
_BY_TYPE: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0.0, "boolean": True, "null": None}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Examples:
    """Makes examples of the schemas among these components."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def of(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """A value that this schema allows; a schema's own example or default goes before ours."""
        if "$ref" in schema:
            target = str(schema["$ref"]).rpartition("/")[2]
            return self.of(self._schemas[target], name)
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        for key in ("example", "const"):
            if key in schema:
                return schema[key]
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._choice(schema[key], name)
        if schema.get("default") is not None:
            return schema["default"]
        kind = str(schema.get("type", "object"))
        fitting = BY_NAME.get(name)
        if isinstance(fitting, _KINDS[kind]) and self._lets(schema, fitting):
            return fitting
        if kind == "object":
            return {key: self.of(value, key) for key, value in schema.get("properties", {}).items()}
        if kind == "array":
            return self._list(schema, name)
        return self._scalar(schema, kind)

    def _choice(self, choices: list[Mapping[str, Any]], name: str) -> Any:
        if BY_NAME.get(name, "") is None and {"type": "null"} in choices:
            return None
        return self.of(next((each for each in choices if each.get("type") != "null"), choices[0]), name)

    @staticmethod
    def _lets(schema: Mapping[str, Any], value: Any) -> bool:
        """Whether the schema, of this value's type, allows it."""
        if isinstance(value, str):
            return re.search(str(schema.get("pattern", "")), value) is not None
        return isinstance(value, list) or "properties" not in schema

    def _list(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        if "prefixItems" in schema:
            return [self.of(item, name) for item in schema["prefixItems"]]
        one = self.of(schema.get("items", {}), name.removesuffix("s"))
        return [one] * max(1, int(schema.get("minItems", 0)))

    @staticmethod
    def _scalar(schema: Mapping[str, Any], kind: str) -> Any:
        if kind in ("integer", "number"):
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return least + 1 if "exclusiveMinimum" in schema else least
        return "x" * int(schema.get("minLength", 0)) if kind == "string" else _BY_TYPE[kind]
