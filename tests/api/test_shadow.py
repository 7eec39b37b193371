"""Trials as jobs of the server: started, watched, cancelled, read; by those who may draw rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "evaluation"))
from recorded_scene import WALL, Crossing, crossing, record, rendered

from perishield.model.alarms import Alarm, AlarmState, ClipState
from perishield.store.alarms import add_alarm

# Trials give way to whatever else the machine does.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Crossing]:
    clip, truth = rendered(tmp_path_factory.mktemp("walker"))
    return clip, crossing(truth)


@pytest.fixture
async def site(node: Any, walker: tuple[Path, Crossing]) -> Any:
    await node.add_camera()
    record(node.services.media, walker[0], "gate")
    return node


def body(crossing: Crossing, **more: Any) -> dict[str, Any]:
    line = [[crossing.x, 0.0], [crossing.x, 1.0]]
    rule = {"kind": "tripwire", "camera": "gate", "name": "Line", "line": line}
    return {"camera": "gate", "from": WALL, "to": WALL + 16, "rule": rule, "model": "", **more}


async def ended(node: Any, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        found = (await node.client.get(f"/api/shadow/{job['id']}")).json()
        return found["state"] not in ("queued", "running")

    await node.until(over, 240)
    return found


async def test_a_draft_is_tried_and_explained(
    site: Any, walker: tuple[Path, Crossing], make_event: Callable[..., Any]
) -> None:
    at = WALL + walker[1].time_s
    async with site.services.database.write() as session:
        for name, wall in (("same", at + 0.5), ("other", at - 30)):
            event = make_event(name, wall=wall)
            await add_alarm(
                session,
                Alarm(
                    id=name,
                    event=event,
                    state=AlarmState.NEW,
                    level=2,
                    raised=wall,
                    camera_name="Gate",
                    clip_state=ClipState.PENDING,
                ),
            )
    answer = await site.client.post("/api/shadow", json=body(walker[1]))
    assert answer.status_code == 201, answer.text
    job = await ended(site, answer.json())
    assert (job["state"], job["progress"], job["message"]) == ("done", 1.0, "")
    assert (job["would"], job["new"], job["raised"], job["spared"]) == (1, 0, 1, 0)
    assert site.services.shadow.get(job["id"]).order.pieces == 2, "as the vision process"
    assert job["pieces"] == 0, "movement has no second look"
    (alarm,) = job["alarms"]
    assert (alarm["match"], alarm["direction"], alarm["rule"]["name"]) == ("same", walker[1].direction, "Line")
    del site.client.headers["Authorization"]
    picture = await site.client.get(alarm["snapshot_url"])
    assert (picture.status_code, picture.content[:2]) == (200, b"\xff\xd8")
    assert (await site.client.get(alarm["snapshot_url"].replace("0001", "0002"))).status_code in (401, 403)
    site.client.headers.update(site.headers)
    listed = (await site.client.get("/api/shadow")).json()
    assert (listed["total"], "alarms" in listed["items"][0]) == (1, False)
    folder = site.folder / "cache" / "shadow" / job["id"]
    assert folder.is_dir()
    assert (await site.client.delete(f"/api/shadow/{job['id']}")).status_code == 204
    assert not folder.exists()
    assert (await site.client.get(f"/api/shadow/{job['id']}")).status_code == 404


async def test_what_cannot_be_tried_is_told(site: Any, walker: tuple[Path, Crossing]) -> None:
    for changes, status, code in (
        ({"to": WALL}, 422, "shadow_range"),
        ({"to": WALL + 90_000}, 422, "shadow_range"),
        ({"camera": "nobody"}, 404, "not_found"),
        ({"rule": None}, 422, "shadow_invalid"),
        ({"rule": None, "rule_id": "nobody"}, 422, "shadow_invalid"),
        ({"model": "../../etc/passwd"}, 422, "shadow_invalid"),
        ({"from": "yesterday"}, 422, "invalid"),
    ):
        answer = await site.client.post("/api/shadow", json=body(walker[1], **changes))
        assert (answer.status_code, answer.json()["code"]) == (status, code), changes
    empty = body(walker[1], **{"from": WALL - 9000, "to": WALL - 8000})
    job = await ended(site, (await site.client.post("/api/shadow", json=empty)).json())
    assert (job["state"], job["code"]) == ("failed", "missing")


async def test_a_trial_ends_when_it_is_cancelled_and_few_wait(site: Any, walker: tuple[Path, Crossing]) -> None:
    answers = [await site.client.post("/api/shadow", json=body(walker[1])) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [503]
    assert answers[-1].json()["code"] == "busy"
    for answer in answers[:-1]:
        assert (await site.client.delete(f"/api/shadow/{answer.json()['id']}")).status_code == 204
    assert (await site.client.get("/api/shadow")).json()["total"] == 0
    assert not list((site.folder / "cache" / "shadow").iterdir())


async def test_strangers_and_viewers_start_none(site: Any, walker: tuple[Path, Crossing]) -> None:
    viewer = site.services.tokens.issue_machine(60)
    answer = await site.client.post("/api/shadow", json=body(walker[1]), headers={"Authorization": f"Bearer {viewer}"})
    assert answer.status_code == 403
    del site.client.headers["Authorization"]
    assert (await site.client.post("/api/shadow", json=body(walker[1]))).status_code == 401
    assert (await site.client.get("/api/shadow")).status_code == 401
