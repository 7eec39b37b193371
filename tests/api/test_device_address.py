"""Addresses that somebody enters for cameras and recorders: none leads to the node unless the settings say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from perishield.model.device_reach import DeviceReach

Make = Callable[..., Awaitable[Any]]
REACH = DeviceReach(allowed=("127.0.0.1:8655",), own_ports=(8480,))


@pytest.fixture
async def guarded(node_with: Make) -> Any:
    return await node_with(device_reach=REACH)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "rtsp://127.0.0.1/x"},
        {"url": "rtsp://[::1]:8554/x"},
        {"url": "http://localhost:9000/x"},
        {"url": "rtsp://0x7f000001/x"},
        {"url": "rtsp://169.254.3.3/x"},
        {"url": "rtsp://10.0.0.4/x", "detect_url": "rtsp://127.0.0.1/y"},
    ],
)
async def test_a_camera_at_the_node_is_refused(guarded: Any, fields: dict[str, str]) -> None:
    answer = await guarded.client.post("/api/cameras", json={"name": "Gate", **fields})
    assert (answer.status_code, answer.json()["code"]) == (422, "address_forbidden")
    assert answer.json()["params"]["field"] == list(fields)[-1]
    listed = await guarded.client.post("/api/bulk/cameras", json={"cameras": [{"name": "Gate", **fields}]})
    assert (listed.status_code, listed.json()["code"]) == (422, "import_invalid")
    assert (await guarded.client.get("/api/cameras")).json()["total"] == 0


async def test_what_is_allowed_or_was_there_before_stays_editable(guarded: Any) -> None:
    await guarded.add_camera(id="demo", url="rtsp://127.0.0.1:8655/gate")
    await guarded.add_camera(id="gate", url="rtsp://10.0.0.4/x")
    body = {"name": "Demo gate", "url": "rtsp://127.0.0.1:8655/gate"}
    assert (await guarded.client.put("/api/cameras/demo", json=body)).status_code == 200
    moved = await guarded.client.put("/api/cameras/gate", json={"name": "Gate", "url": "rtsp://127.0.0.1:8480/x"})
    assert (moved.status_code, moved.json()["code"]) == (422, "address_forbidden")


async def test_a_recorder_at_the_node_is_refused_and_the_doctor_does_not_go_there(guarded: Any) -> None:
    await guarded.add_camera(id="gate", url="rtsp://10.0.0.4/x")
    body = {"kind": "hikvision", "url": "http://127.0.0.1:8480", "username": "admin", "password": "x"}
    answer = await guarded.client.put("/api/recorders/gate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "address_forbidden")
    probe = {"url": "rtsp://127.0.0.1:8480/x", "seconds": 2}
    steps = (await guarded.client.post("/api/video/probe", json=probe)).json()["steps"]
    assert steps[-1]["code"] == "tcp_forbidden"
