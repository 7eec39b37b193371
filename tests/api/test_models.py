"""Models over the API: real files, real trials in their own processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from toy_network import network


async def test_a_model_is_uploaded_enabled_rolled_back_and_deleted(node: Any, tmp_path: Path) -> None:
    body = network(tmp_path / "toy.onnx")
    card = '{"classes": ["worker"], "licence": "MIT"}'
    answer = await node.client.post("/api/models", params={"name": "toy", "version": "1", "card": card}, content=body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["id"], answer.json()["who"], answer.json()["licence"]) == ("toy@1", "admin", "MIT")
    assert answer.json()["test"]["classes"] == ["worker"]
    assert not answer.json()["enabled"]
    again = await node.client.post("/api/models", params={"name": "toy", "version": "1"}, content=body)
    assert (again.status_code, again.json()["code"]) == (409, "model_exists")
    assert (await node.client.post("/api/models/toy@1/enable")).json()["enabled"]
    refused = await node.client.delete("/api/models/toy@1")
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert (await node.client.post("/api/models/rollback")).json() == {"enabled": ""}
    assert (await node.client.delete("/api/models/toy@1")).status_code == 204
    listed = (await node.client.get("/api/models")).json()
    assert listed["items"] == []
    assert [line["action"] for line in listed["history"]] == ["remove", "rollback", "enable", "add"]


async def test_junk_and_foreign_networks_are_refused_and_leave_nothing(node: Any, tmp_path: Path) -> None:
    for body, code in ((b"\x08\x07junk" * 100, "model_corrupt"), (network(tmp_path / "odd.onnx", 9), "model_foreign")):
        answer = await node.client.post("/api/models", params={"name": "odd"}, content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    answer = await node.client.post("/api/models", params={"name": "odd", "card": "{"}, content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (422, "model_card")
    assert (await node.client.post("/api/models/none@1/enable")).status_code == 404
    assert [path.name for path in node.services.models.folder.iterdir()] == []


async def test_a_version_is_tried_anew_and_what_it_says_is_kept(node: Any, tmp_path: Path) -> None:
    folder = node.services.models.folder
    folder.mkdir(parents=True, exist_ok=True)
    network(folder / "toy.onnx")
    (before,) = (await node.client.get("/api/models")).json()["items"]
    assert before["test"] is None
    tried = await node.client.post("/api/models/toy/test")
    assert tried.status_code == 200, tried.text
    listed = (await node.client.get("/api/models")).json()
    assert listed["items"] == [tried.json()]
    assert tried.json()["test"]["family"] == "yolo_end2end"
    assert [line["action"] for line in listed["history"]] == ["test"]
    (folder / "toy.onnx").write_bytes(b"\x08\x07junk" * 100)
    broken = await node.client.post("/api/models/toy/test")
    assert (broken.status_code, broken.json()["code"]) == (422, "model_corrupt")
    assert (await node.client.post("/api/models/none/test")).status_code == 404


async def test_the_catalogue_says_what_is_installed(node: Any) -> None:
    (known,) = (await node.client.get("/api/models")).json()["catalogue"]
    assert (known["name"], known["installed"], known["size"]) == ("yolox-nano", False, 3_660_092)
    folder = node.services.models.folder
    folder.mkdir(parents=True, exist_ok=True)
    network(folder / "yolox-nano.onnx")
    (known,) = (await node.client.get("/api/models")).json()["catalogue"]
    assert known["installed"]
