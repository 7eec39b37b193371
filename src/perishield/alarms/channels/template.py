"""Bodies of others' making: JSON in whose strings `{{names}}` stand for values.

There is no logic in it, and nothing can break out of it: the template is read as JSON, values are put into its strings,
and the whole is written as JSON again. A string that is nothing but one name becomes that value, be it a number or a
list.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from perishield.alarms.channels.payload import names
from perishield.alarms.channels.sender import Message
from perishield.model.errors import ChannelError

_NAME = re.compile(r"\{\{\s*([^{}]{1,64}?)\s*\}\}")
_MOST_BYTES = 64 << 10
_MOST_DEPTH = 20


def check_template(template: Any, known: Mapping[str, Any], field: str) -> None:
    """Raise ChannelError where it names what there is not, or is too large."""
    try:
        size = len(json.dumps(template, allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise ChannelError(f"{field}: is no JSON: {error}", field=field) from error
    if size > _MOST_BYTES:
        raise ChannelError(f"{field}: has {size} bytes; at most {_MOST_BYTES} are sent", field=field)
    _walk(template, known, field, 0)


def check_address(address: str, known: Mapping[str, Any], field: str) -> None:
    """Raise ChannelError where an address names what there is not."""
    _check_text(address, known, field)


def render(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with values in its strings."""
    if isinstance(template, dict):
        return {key: render(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, values) for value in template]
    if not isinstance(template, str):
        return template
    alone = _NAME.fullmatch(template)
    if alone:
        return values.get(alone[1], "")
    return _NAME.sub(lambda found: _text(values.get(found[1], "")), template)


def render_address(address: str, values: Mapping[str, Any]) -> str:
    """An address with values in it, each quoted whole: none can add a path or a parameter."""
    return _NAME.sub(lambda found: quote(_text(values.get(found[1], "")), safe=""), address)


def render_body(template: Any, message: Message) -> bytes:
    return json.dumps(render(template, names(message)), ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _walk(template: Any, known: Mapping[str, Any], field: str, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise ChannelError(f"{field}: is nested deeper than {_MOST_DEPTH}", field=field)
    if isinstance(template, dict):
        for key, value in template.items():
            if "{{" in str(key):
                raise ChannelError(f"{field}: names stand in values, not in keys like {key[:40]!r}", field=field)
            _walk(value, known, field, depth + 1)
    elif isinstance(template, list):
        for value in template:
            _walk(value, known, field, depth + 1)
    elif isinstance(template, str):
        _check_text(template, known, field)


def _check_text(text: str, known: Mapping[str, Any], field: str) -> None:
    for name in _NAME.findall(text):
        if name not in known:
            close = difflib.get_close_matches(name, list(known), n=1)
            guess = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
            raise ChannelError(f"{field}: there is no {name!r}; {guess}", field=field)
    rest = _NAME.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise ChannelError(f"{field}: braces do not match in {text[:60]!r}", field=field)
