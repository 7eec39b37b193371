"""Tasks in the vision process: they decide what it looks at, with which model, and it says how that goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.test_models import network
from tests.roles.test_vision import Node, chunks_of, line, node, site, walk

from perishield.bus import topics
from perishield.bus.site_file import write_site
from perishield.bus.topics import SiteChanged, TasksDo
from perishield.model.media import ChunkRef
from perishield.model.task_state import TaskCondition, TaskState
from perishield.model.tasks import Task

__all__ = ["node", "walk"]


def with_tasks(revision: int, *tasks: Task, **analysis: Any) -> Any:
    given = tuple(msgspec.to_builtins(task) for task in tasks)
    return replace(site(revision, line(0.5), **analysis), tasks=given)


def task(name: str = "day", **more: Any) -> Task:
    return Task(**{"id": name, "name": name, "camera": "yard", **more})


class Told:
    """What the process says of its tasks."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.all: list[TasksDo] = []

    def state(self, name: str = "day") -> TaskState | None:
        states = self.all[-1].states if self.all else ()
        return next((state for state in states if state.task == name), None)

    async def until(self, condition: TaskCondition, name: str = "day", revision: int = 1) -> TaskState:
        def so() -> bool:
            state = self.state(name)
            return state is not None and state.condition is condition and self.all[-1].revision >= revision

        await self.node.until(so)
        found = self.state(name)
        assert found is not None
        return found

    async def publish(self, changed: Any) -> None:
        write_site(self.node.data / "site.json", changed)
        self.node.bus.publish(topics.SITE, "", SiteChanged(changed.revision))


@pytest.fixture
async def told(node: Node) -> AsyncIterator[Told]:
    found = Told(node)

    async def hear() -> None:
        async with node.bus.subscribe(topics.TASKS) as messages:
            async for _, message in messages:
                found.all.append(message)

    hearing = asyncio.create_task(hear())
    yield found
    hearing.cancel()


def halves(walk: Path, node: Node) -> tuple[list[ChunkRef], list[ChunkRef]]:
    """Before and after somebody is about to cross the line."""
    refs = chunks_of(walk, node.media)
    half = next(index for index, ref in enumerate(refs) if ref.stream_time >= 8.2 * 90_000)
    return refs[:half], refs[half:]


async def test_a_task_that_is_started_looks_at_once(node: Node, told: Told, walk: Path) -> None:
    write_site(node.data / "site.json", with_tasks(1, task(started=False)))
    await node.start()
    before, after = halves(walk, node)
    keys = {ref.stream_time for ref in before if ref.key}
    for ref in before:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
        if ref.key:
            await node.until(lambda key=ref.stream_time: node.seen_until() >= key)  # type: ignore[misc]
    assert {frame.stream_time for frame in node.frames} == keys, "for the camera's health nothing but key frames"
    assert not any(frame.tracks for frame in node.frames)
    await told.until(TaskCondition.STOPPED)
    await told.publish(with_tasks(2, task()))
    # The next picture decides, not the next round: what is told first is already after the change.
    running = await told.until(TaskCondition.RUNNING, revision=2)
    assert (running.model, running.code) == ("motion", "")
    await node.feed(after)
    await told.node.until(lambda: any(frame.tracks for frame in node.frames))
    looked = await told.until(TaskCondition.RUNNING)
    await node.until(lambda: (told.state() or looked).pictures > 0)
    assert (await node.stop())[0] == 0


async def test_a_task_that_is_stopped_tells_nothing_any_more(node: Node, told: Told, walk: Path) -> None:
    write_site(node.data / "site.json", with_tasks(1, task()))
    await node.start()
    before, after = halves(walk, node)
    await node.feed(before)
    assert any(frame.tracks for frame in node.frames)
    await told.publish(with_tasks(2, task(started=False)))
    await told.until(TaskCondition.STOPPED, revision=2)
    seen = len(node.frames)
    for ref in after:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
    await node.until(lambda: node.seen_until() >= max(ref.stream_time for ref in after if ref.key))
    late = [frame for frame in node.frames[seen:] if frame.stream_time > before[-1].stream_time + 90_000]
    assert late
    assert {frame.stream_time for frame in late} <= {ref.stream_time for ref in after if ref.key}
    assert node.queued == [], "somebody crossed the line, and nobody was looking"
    assert (await node.stop())[0] == 0


async def test_a_model_that_is_not_there_is_named_and_taken_up_when_it_comes(
    node: Node, told: Told, walk: Path, tmp_path: Path
) -> None:
    write_site(node.data / "site.json", with_tasks(1, task(model="toy@1")))
    await node.start()
    failed = await told.until(TaskCondition.FAILED)
    assert (failed.code, failed.model) == ("model_missing", "motion")
    assert "toy@1" in failed.message
    before, after = halves(walk, node)
    await node.feed(before)
    assert {frame.detector for frame in node.frames} == {"motion"}, "what the site uses sees meanwhile"
    folder = node.data / "models"
    folder.mkdir(exist_ok=True)
    network(folder / "draft")
    (folder / "draft").replace(folder / "toy@1.onnx")
    ready = await told.until(TaskCondition.RUNNING)
    assert (ready.model, ready.code) == ("toy@1", "")
    for ref in after:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
    await node.until(lambda: node.seen_until() >= max(ref.stream_time for ref in after if ref.key))
    assert node.frames[-1].detector != "motion"
    assert not any(track.seen for track in node.frames[-1].tracks), "this network finds nothing in any picture"
    await told.publish(with_tasks(2, task()))
    again = await told.until(TaskCondition.RUNNING, revision=2)
    assert again.model in ("motion", "toy@1")
    _, log = await node.stop()
    assert "tasks.model_ready" in log


async def test_a_camera_of_which_nothing_comes_is_waited_for(node: Node, told: Told) -> None:
    write_site(node.data / "site.json", with_tasks(1, task(priority=1), task("night", model="motion"), task("off")))
    await node.start()
    await told.until(TaskCondition.WAITING)
    assert [(state.task, state.condition, state.first) for state in told.all[-1].states] == [
        ("day", TaskCondition.WAITING, ""),
        ("night", TaskCondition.STANDBY, "day"),
        ("off", TaskCondition.STANDBY, "day"),
    ]
    await told.publish(with_tasks(2, task(), task("night"), enabled=False))
    await told.until(TaskCondition.CAMERA_OFF, revision=2)
