"""Tasks over the API: set, changed, started and stopped, and how they stand as the vision process tells it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import convert

from perishield.api.task_book import SILENT_S, TaskBook
from perishield.bus import topics
from perishield.bus.topics import TasksDo
from perishield.model.media import StreamCondition, StreamState
from perishield.model.task_state import TaskCondition, TaskState
from perishield.model.tasks import Task

NIGHT = {"windows": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1320, "end": 360}], "timezone": "Europe/Berlin"}


async def set_task(node: Any, name: str, **more: Any) -> dict[str, Any]:
    answer = await node.client.post("/api/tasks", json={"id": name, "name": name, "camera": "gate", **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
async def gate(node: Any) -> Any:
    await node.add_camera(id="gate")
    return node


def told(node: Any, *states: TaskState) -> None:
    """What the vision process says of the site as it was published last."""
    node.services.task_book.report(TasksDo(revision=node.services.site.site.revision, states=states))


async def test_a_task_is_set_changed_and_removed_under_optimistic_locking(gate: Any) -> None:
    made = await set_task(gate, "night", schedule=NIGHT, priority=5, fps=2.0)
    assert made["schedule"]["windows"] == [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1320, "end": 360}]
    assert (made["revision"], made["state"]["condition"]) == (1, "pending")
    assert gate.services.site.site.tasks[0]["id"] == "night", "the workers are told"
    answer = await gate.client.get("/api/tasks/night")
    assert answer.headers["etag"] == '"1"'
    body = {"name": "Late", "camera": "gate"}
    changed = await gate.client.put("/api/tasks/night", json=body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["schedule"], changed.json()["fps"]) == (None, None)
    late = await gate.client.put("/api/tasks/night", json=body, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"], late.json()["params"]["revision"]) == (412, "stale", 2)
    late = await gate.client.put("/api/tasks/night", json={**body, "revision": 1})
    assert late.status_code == 412
    assert (await gate.client.delete("/api/tasks/night")).status_code == 204
    assert (await gate.client.get("/api/tasks/night")).status_code == 404
    assert gate.services.site.site.tasks == ()
    booked = (await gate.client.get("/api/audit", params={"search": "night"})).json()["items"]
    assert {entry["action"] for entry in booked} >= {"task.add", "task.change", "task.remove"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"camera": "nowhere"}, "camera"),
        ({"model": "absent@1"}, "model"),
        ({"model": "../../etc/passwd"}, "model"),
        ({"schedule": {"windows": []}}, "schedule.windows"),
        ({"schedule": {**NIGHT, "timezone": "Moon/Sea"}}, "schedule.timezone"),
        ({"fps": 0}, "fps"),
        ({"min_score": 1.5}, "min_score"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(gate: Any, fields: dict[str, Any], field: str) -> None:
    answer = await gate.client.post("/api/tasks", json={"name": "Night", "camera": "gate", **fields})
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["detail"] or answer.json()["params"].get("field") == field
    assert (await gate.client.get("/api/tasks")).json()["total"] == 0


async def test_starting_and_stopping_publishes_at_once_and_changes_no_revision(gate: Any) -> None:
    await set_task(gate, "night", model="motion")
    before = gate.services.site.site.revision
    told(gate, TaskState(task="night", condition=TaskCondition.RUNNING, since=1.0, model="motion"))
    stopped = (await gate.client.post("/api/tasks/night/stop")).json()
    assert (stopped["started"], stopped["revision"], stopped["state"]["condition"]) == (False, 1, "pending")
    assert gate.services.site.site.revision == before + 1
    assert gate.services.site.site.tasks[0]["started"] is False
    told(gate, TaskState(task="night", condition=TaskCondition.STOPPED, since=2.0))
    assert (await gate.client.get("/api/tasks/night")).json()["state"]["condition"] == "stopped"
    await gate.client.post("/api/tasks/night/stop")
    assert gate.services.site.site.revision == before + 1, "nothing to change, nothing to publish"
    kept = await gate.client.put("/api/tasks/night", json={"name": "Night", "camera": "gate", "started": True})
    assert kept.json()["started"] is False, "whoever edits does not undo what somebody has stopped"
    assert (await gate.client.post("/api/tasks/night/start")).json()["started"] is True
    assert (await gate.client.post("/api/tasks/noon/start")).status_code == 404


async def test_the_list_is_paged_and_narrowed(gate: Any) -> None:
    await gate.add_camera(id="yard", name="Yard")
    await set_task(gate, "night", model="motion")
    await set_task(gate, "day", started=False)
    await set_task(gate, "yard-day", camera="yard")
    told(gate, TaskState(task="night", condition=TaskCondition.RUNNING, since=1.0, model="motion", pictures=7))

    async def ids(**params: Any) -> tuple[list[str], int]:
        page = (await gate.client.get("/api/tasks", params=params)).json()
        return [item["id"] for item in page["items"]], page["total"]

    assert await ids() == (["night", "day", "yard-day"], 3)
    assert await ids(limit=1, offset=1) == (["day"], 3)
    assert await ids(camera="yard") == (["yard-day"], 1)
    assert await ids(search="DAY") == (["day", "yard-day"], 2)
    assert await ids(model="") == (["day", "yard-day"], 2)
    assert await ids(model="motion") == (["night"], 1)
    assert await ids(started=False) == (["day"], 1)
    assert await ids(condition="running") == (["night"], 1)
    assert await ids(condition="pending") == (["day", "yard-day"], 2)


async def test_a_waiting_task_says_what_its_stream_says(gate: Any) -> None:
    await set_task(gate, "night")
    told(gate, TaskState(task="night", condition=TaskCondition.WAITING, since=1.0, model="motion"))
    failed = StreamState(
        camera="gate",
        condition=StreamCondition.FAILED,
        since=1.0,
        code="auth_failed",
        message="camera 'gate': 401: check user and password",
    )
    gate.services.streams.report(failed)
    state = (await gate.client.get("/api/tasks/night")).json()["state"]
    assert (state["condition"], state["code"], state["message"]) == ("waiting", "auth_failed", failed.message)


async def test_when_the_vision_process_falls_silent_tasks_have_failed(gate: Any) -> None:
    await set_task(gate, "night")
    services, now = gate.services, [100.0]
    book = TaskBook(services.site, services.streams, services.processes, services.push, clock=lambda: now[0])
    revision = services.site.site.revision
    running = TaskState(task="night", condition=TaskCondition.RUNNING, since=1.0, model="motion")
    book.report(TasksDo(revision=revision, states=(running,)))
    (task,) = services.site.site.tasks
    night = convert(task, Task)
    assert book.state(night) == running
    now[0] += SILENT_S + 0.1
    assert (book.state(night).condition, book.state(night).code) == (TaskCondition.FAILED, "vision_silent")
    services.processes.report(topics.ProcessState(name="vision", state="restarting", since=1.0, message="killed"))
    assert (book.state(night).condition, book.state(night).code) == (TaskCondition.FAILED, "vision_down")
    book.report(TasksDo(revision=revision - 1, states=(running,)))
    assert book.state(night).condition is TaskCondition.PENDING, "it has not heard of the last change"


async def test_listeners_hear_of_a_change_once_and_only_at_their_cameras(gate: Any) -> None:
    await set_task(gate, "night")
    running = TaskState(task="night", condition=TaskCondition.RUNNING, since=1.0, model="motion")
    push = gate.services.push
    before = push.seq
    told(gate, running)
    told(gate, TaskState(task="night", condition=TaskCondition.RUNNING, since=1.0, model="motion", pictures=90))
    heard = push.since(before, frozenset({"streams"}))
    assert [(message.camera, '"type":"task"' in message.text) for message in heard] == [("gate", True)]
    told(gate, TaskState(task="night", condition=TaskCondition.OFF_SCHEDULE, since=2.0))
    assert '"off_schedule"' in push.since(before, frozenset({"streams"}))[-1].text


async def test_tasks_beyond_a_callers_cameras_are_not_there(gate: Any) -> None:
    await gate.add_camera(id="yard", name="Yard")
    await set_task(gate, "night")
    await set_task(gate, "yard-day", camera="yard")
    group = (await gate.client.post("/api/groups", json={"name": "Yards", "cameras": ["yard"]})).json()["id"]
    role = {"name": "Yard keeper", "actions": [], "grants": {group: ["cameras.edit"]}}
    made = (await gate.client.post("/api/roles", json=role)).json()["id"]
    headers = await gate.headers_of(made)
    assert [one["id"] for one in (await gate.client.get("/api/tasks", headers=headers)).json()["items"]] == ["yard-day"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop")):
        answer = await gate.client.request(method, f"/api/tasks/night{path}", headers=headers)
        assert answer.status_code == 404, (method, path)
    body = {"name": "Mine", "camera": "gate"}
    assert (await gate.client.put("/api/tasks/yard-day", json=body, headers=headers)).status_code == 422
    assert (await gate.client.post("/api/tasks", json=body, headers=headers)).status_code == 422
    assert (await gate.client.post("/api/tasks/yard-day/stop", headers=headers)).json()["started"] is False


async def test_a_model_that_a_task_looks_with_cannot_be_deleted(gate: Any) -> None:
    folder = gate.services.models.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people@1.onnx").write_bytes(b"a network")
    await set_task(gate, "night", model="people@1")
    answer = await gate.client.delete("/api/models/people@1")
    assert (answer.status_code, answer.json()["code"]) == (409, "model_in_use")
    assert "'night'" in answer.json()["detail"]
    assert (
        await gate.client.post("/api/tasks", json={"name": "x", "camera": "gate", "model": "people"})
    ).status_code == 422
    await gate.client.delete("/api/tasks/night")
    assert (await gate.client.delete("/api/models/people@1")).status_code == 204
