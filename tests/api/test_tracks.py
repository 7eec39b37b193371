from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from perishield.bus import topics
from perishield.model.vision import TrackBox, TrackFrame

CORNERS = [((0.1, 0.9), (-4, 5)), ((0.9, 0.9), (4, 5)), ((0.3, 0.4), (-4, 20)), ((0.7, 0.4), (4, 20))]
GROUND = {"points": [{"picture": picture, "site": site} for picture, site in CORNERS]}


def walking(picture: int, begin: float, camera: str = "gate") -> TrackFrame:
    x = 200 + 20 * picture
    track = TrackBox(3, "person", 0.9, (x - 20, 300, x + 20, 400), picture + 1, True, (100.0, 0.0))
    wall = begin + picture / 5
    return TrackFrame(
        camera=camera, epoch=2, stream_time=0, wall=wall, arrival=wall, width=1000, height=500, tracks=(track,)
    )


async def test_who_moves_now_is_asked_live_and_found_in_the_database_afterwards(node: Any) -> None:
    await node.add_camera(name="gate", ground=GROUND)
    begin = time.time()

    async def live() -> list[dict[str, Any]]:
        answer = await node.client.get("/api/tracks/live", params={"camera": "gate"})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async with asyncio.timeout(20):
        while not await live():
            node.peer.publish(topics.TRACKS, "gate", walking(0, begin))
            await asyncio.sleep(0.02)
    for picture in range(1, 10):
        node.peer.publish(topics.TRACKS, "gate", walking(picture, begin))

    async def has_come() -> bool:
        return (await live())[0]["hits"] == 10

    await node.until(has_come)
    (way,) = await live()
    assert (way["track"], way["label"], way["score"]) == (3, "person", 0.9)
    assert way["box"] == pytest.approx([0.36, 0.6, 0.4, 0.8])
    assert way["path"][-1] == pytest.approx([1.8, 0.38, 0.8])
    assert way["metres_per_s"] > 0.5
    assert (await node.client.get("/api/tracks/live", params={"camera": "yard"})).json()["total"] == 0

    book = node.services.tracks
    book._add(book.ways.end_lost(begin + 60))
    await book.flush()
    assert await live() == []

    async def found(**query: Any) -> list[dict[str, Any]]:
        answer = await node.client.get("/api/tracks", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    (stored,) = await found(camera="gate", label="person", region="0.3,0.7,0.5,0.9", **{"from": begin, "to": begin + 1})
    assert len(stored["path"]) == 2
    assert stored["path"][-1] == pytest.approx([1.8, 0.38, 0.8], abs=1e-3)
    assert await found(camera="yard") == []
    assert await found(label="car") == []
    assert await found(region="0.5,0.1,0.9,0.3") == []
    assert await found(**{"from": begin + 10}) == []


@pytest.mark.parametrize("region", ["", "1,2,3", "a,b,c,d", "0.5,0,0.1,1", "nan,0,1,1"])
async def test_a_region_that_is_none_is_refused(node: Any, region: str) -> None:
    answer = await node.client.get("/api/tracks", params={"region": region})
    assert answer.status_code == 422
    assert "left,top,right,bottom" in answer.text


async def test_pages_follow_each_other_and_old_ways_are_forgotten(node: Any) -> None:
    book = node.services.tracks
    for number in range(3):
        for picture in range(4):
            book.take(walking(picture, 1000.0 * number + 1000, camera="yard"))
        book._add(book.ways.end_all())
    await book.flush()
    first = (await node.client.get("/api/tracks", params={"limit": 2})).json()
    rest = (await node.client.get("/api/tracks", params={"limit": 2, "before": first["next"]})).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    book._keep_s = 30 * 86_400.0
    await book._sweep()
    assert (await node.client.get("/api/tracks")).json()["items"] == []


async def test_a_ground_is_kept_published_and_taken_away_again(node: Any) -> None:
    added = await node.add_camera(name="gate", ground=GROUND)
    assert len(added["ground"]["points"]) == 4
    assert added["ground"]["error_m"] == 0
    (camera,) = node.services.site.site.cameras
    assert camera.ground is not None
    assert camera.ground.points[0].site == (-4, 5)
    body = {"name": "gate", "url": "rtsp://10.0.0.4/ch1"}
    kept = (await node.client.put("/api/cameras/gate", json=body)).json()
    assert kept["ground"] == added["ground"]
    gone = (await node.client.put("/api/cameras/gate", json={**body, "ground": None})).json()
    assert gone["ground"] is None


async def test_points_that_make_no_ground_are_refused_with_the_reason(node: Any) -> None:
    line = {"points": [{"picture": [x / 10, 0.5], "site": [x, x]} for x in range(4)]}
    body = {"name": "Gate", "url": "rtsp://10.0.0.4/ch1", "ground": line}
    answer = await node.client.post("/api/cameras", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "ground_invalid")


async def test_a_calibration_is_tried_without_being_kept(node: Any) -> None:
    await node.add_camera(name="gate")
    answer = await node.client.post("/api/cameras/gate/ground/fit", json=GROUND)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["missed_m"] == [0, 0, 0, 0]
    assert found["error_m"] == 0
    h = found["matrix"]
    depth = h[6] * 0.5 + h[7] * 0.9 + h[8]
    assert (h[0] * 0.5 + h[1] * 0.9 + h[2]) / depth == pytest.approx(0, abs=1e-6)
    assert (h[3] * 0.5 + h[4] * 0.9 + h[5]) / depth == pytest.approx(5, abs=1e-6)
    assert (await node.client.get("/api/cameras/gate")).json()["ground"] is None

    points = [*GROUND["points"], {"picture": [0.5, 0.9], "site": [0.9, 5]}]
    missed = (await node.client.post("/api/cameras/gate/ground/fit", json={"points": points})).json()
    assert max(missed["missed_m"]) > missed["error_m"] > 0.1
    wrong = [*GROUND["points"], {"picture": [0.5, 0.9], "site": [9, 30]}]
    refused = await node.client.post("/api/cameras/gate/ground/fit", json={"points": wrong})
    assert (refused.status_code, refused.json()["code"]) == (422, "ground_invalid")
    assert (await node.client.post("/api/cameras/yard/ground/fit", json=GROUND)).status_code == 404
