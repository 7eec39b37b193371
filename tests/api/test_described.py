"""The API's description says of every route what it is, what it answers, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from perishield.api.app import PUBLIC, routed
from perishield.api.described import TAGS, operations
from perishield.api.problems import MEDIA_TYPE


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return routed().openapi()


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(status or `body`, media type, content)."""
    parts = [*operation["responses"].items(), ("body", operation.get("requestBody", {}))]
    for where, part in parts:
        for kind, content in part.get("content", {}).items():
            yield where, kind, content


def test_every_route_says_what_it_is(described: dict[str, Any]) -> None:
    found = list(operations(described))
    assert len(found) > 60
    for path, method, operation in found:
        assert operation.get("summary"), (method, path)
        assert set(operation["tags"]) <= TAGS.keys(), (method, path)
    assert {tag["name"] for tag in described["tags"]} == TAGS.keys()


def test_every_route_shows_an_answer_that_its_schema_allows(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        good = [status for status in operation["responses"] if status.startswith("2") or status == "302"]
        assert good, (method, path)
        shown = dict.fromkeys(good, False)
        for where, kind, content in contents(operation):
            shown[where] = True
            if not kind.endswith("json"):
                continue
            assert content.get("example") not in (None, {}), (method, path, where)
            schema = {**content["schema"], "components": described["components"]}
            problems = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(content["example"])]
            assert not problems, (method, path, where, problems)
        for status in good:
            answer = operation["responses"][status]
            if status == "302":
                assert "Location" in answer["headers"], (method, path, status)
            elif status == "204":
                # By definition nothing to show (RFC 9110, section 15.3.5).
                assert not shown[status], (method, path, status)
            else:
                empty = not answer.get("content")
                assert shown[status] or (empty and method in ("delete", "patch")), (method, path, status)


def test_every_route_tells_its_refusals_as_problems(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        refusals = {int(status) for status in operation["responses"] if status[0] in "45"}
        wanted = {429, 503}
        if (method.upper(), path) not in PUBLIC:
            wanted |= {403} if path.startswith("/media/") else {401, 403}
        if "{" in path:
            wanted |= {404, 422}
        if "requestBody" in operation:
            wanted |= {413, 422}
        assert wanted <= refusals, (method, path, wanted - refusals)
        for status in refusals:
            assert set(operation["responses"][str(status)]["content"]) == {MEDIA_TYPE}, (method, path, status)
    assert "HTTPValidationError" not in described["components"]["schemas"]
