"""What privacy masks cover leaves the platform for nobody without the right to see it, by no way."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import simplejpeg
from tests.alarms.evidence_site import picture
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from perishield.alarms.bundle_check import check_bundle
from perishield.alarms.clips import evidence_path
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.intake import Announcement, raise_alarm
from perishield.api import masked_exports
from perishield.api.feeds import Feeds
from perishield.api.sight import let_see
from perishield.model.access import EVERYTHING, Action, Reach
from perishield.model.alarms import Alarm, ClipState
from perishield.model.doubts import Doubt, Sample, Suppressed
from perishield.recording.clip import cut_clip
from perishield.recording.sprites import masked_sheet
from perishield.store.alarms import add_alarm, alarms_since, save_clip

WALL = 1_790_000_000.0
LEFT_HALF = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]


@pytest.fixture
async def masked(node: Any, make_recorder: Callable[..., Any], make_event: Any) -> Any:
    """A camera with footage, an alarm of it, and its left half covered."""
    await node.add_camera()
    make_recorder(wall=WALL).record(0, 8)
    await node.services.footage.compare()
    alarm = raise_alarm(make_event("a1", wall=WALL + 4, arrival=WALL + 4), "Gate", WALL + 4)
    path, clip = evidence_path(alarm, ".jpg"), evidence_path(alarm, ".mp4")
    (node.services.media / path).parent.mkdir(parents=True, exist_ok=True)
    (node.services.media / path).write_bytes(picture(192, 128))
    cut_clip(node.services.media, "gate", WALL + 2, WALL + 6, node.services.media / clip)
    alarm = replace(alarm, event=replace(alarm.event, snapshot=path), clip_state=ClipState.UNAVAILABLE)
    async with node.services.database.write() as session:
        await add_alarm(session, alarm)
        await save_clip(session, replace(alarm, clip_state=ClipState.READY, clip=clip, clip_duration=4.0))
    await EvidenceIntake(node.services.database, node.services.media).catch_up()
    answer = await node.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})
    assert answer.status_code == 200, answer.text
    return node


def viewer(node: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {node.services.tokens.issue_machine(600)}"}


async def exporter(node: Any) -> dict[str, str]:
    """Somebody who may export and may not see what is covered."""
    body = {"name": "Exporter", "actions": ["recordings.view", "recordings.export"], "grants": {}}
    made = await node.client.post("/api/roles", json=body)
    assert made.status_code == 201, made.text
    headers: dict[str, str] = await node.headers_of(made.json()["id"])
    return headers


def left_is_black(jpeg: bytes) -> bool:
    pixels = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    half = pixels.shape[1] // 2
    assert pixels[:, half + 8 :].max() > 60, "the rest is to be seen"
    return bool(pixels[:, : half - 8].max() < 20)


def hashes(media: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in media.rglob("evidence/**/*.*")}


async def test_pictures_of_alarms_are_masked_for_guards_and_clear_for_administrators(masked: Any) -> None:
    stored = hashes(masked.services.media)
    alarm = (await masked.client.get("/api/alarms/a1")).json()
    evidence = (await masked.client.get("/api/alarms/a1/evidence")).json()["items"]
    for url in (alarm["snapshot_url"], evidence[0]["url"], evidence[1]["url"]):
        assert not left_is_black((await masked.client.get(url)).content)
    guest = viewer(masked)
    alarm = (await masked.client.get("/api/alarms/a1", headers=guest)).json()
    evidence = (await masked.client.get("/api/alarms/a1/evidence", headers=guest)).json()["items"]
    for url in (alarm["snapshot_url"], evidence[0]["url"], evidence[1]["url"]):
        shown = await masked.client.get(url, headers={"Authorization": ""})
        assert left_is_black(shown.content)
        assert shown.headers["cache-control"] == "no-store"
    assert hashes(masked.services.media) == stored, "what is stored is never touched"


async def test_clips_of_alarms_are_encoded_anew_with_masks(masked: Any, tmp_path: Path) -> None:
    clear = (await masked.client.get("/api/alarms/a1")).json()["clip"]["url"]
    covered = (await masked.client.get("/api/alarms/a1", headers=viewer(masked))).json()["clip"]["url"]
    original = await masked.client.get(clear)
    shown = await masked.client.get(covered, headers={"Authorization": ""})
    assert (shown.status_code, shown.headers["content-type"]) == (200, "video/mp4")
    assert original.content != shown.content

    def frames(content: bytes) -> list[Any]:
        with av.open(io.BytesIO(content)) as found:
            return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in found.decode(video=0)]

    before, after = frames(original.content), frames(shown.content)
    assert len(before) == len(after) > 90
    assert [time for time, _ in after] == pytest.approx([time - before[0][0] for time, _ in before], abs=0.002)
    for (_, one), (_, two) in zip(before[::20], after[::20], strict=True):
        assert two[:, :88].max() < 24
        assert np.abs(one[:, 110:].astype(int) - two[:, 110:]).mean() < 12, "the rest is the same"
    again = await masked.client.get(covered)
    assert again.content == shown.content, "kept"
    part = await masked.client.get(covered, headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)


async def test_thumbnails_sprites_and_snapshots_are_masked(masked: Any) -> None:
    guest = viewer(masked)
    sheets = (await masked.client.get(f"/api/video/sprites/gate?from={WALL}&to={WALL + 8}", headers=guest)).json()
    for path in (
        f"/api/video/thumbnail/gate?at={WALL + 3}",
        f"/api/video/thumbnail/gate?at={WALL + 3}&exact=true&width=64",
        "/api/video/snapshot/gate",
    ):
        assert left_is_black((await masked.client.get(path, headers=guest)).content), path
        assert not left_is_black((await masked.client.get(path)).content), path
    snapshot = (await masked.client.get("/api/cameras/gate", headers=guest)).json()["snapshot_url"]
    assert left_is_black((await masked.client.get(snapshot, headers={"Authorization": ""})).content)
    url = sheets["items"][0]["url"]
    sheet = simplejpeg.decode_jpeg((await masked.client.get(url, headers={"Authorization": ""})).content)
    clear = (await masked.client.get(f"/api/video/sprites/gate?from={WALL}&to={WALL + 8}")).json()["items"][0]["url"]
    plain = simplejpeg.decode_jpeg((await masked.client.get(clear)).content)
    tile = next(
        (y, x) for y in range(0, 540, 90) for x in range(0, 1600, 160) if plain[y : y + 90, x : x + 160].max() > 60
    )
    covered = sheet[tile[0] : tile[0] + 90, tile[1] : tile[1] + 160]
    assert covered[:, :74].max() < 20
    assert covered[:, 90:].max() > 60


async def test_what_cannot_be_masked_is_refused_with_a_reason(masked: Any) -> None:
    guest = viewer(masked)
    span = {"from": WALL, "to": WALL + 8}
    segments = (await masked.client.get("/api/video/recordings/gate", headers=guest)).json()["items"]
    plan = (await masked.client.get("/api/video/playback/gate", params=span, headers=guest)).json()
    ways = [segments[0]["url"], plan["url"], plan["hls_url"]]
    assert "clear=" not in segments[0]["url"] + plan["url"]
    for url in ways:
        answer = await masked.client.get(url, headers={"Authorization": ""})
        assert (answer.status_code, answer.json()["code"]) == (403, "masked"), url
        assert "privacy.unmask" in answer.json()["detail"]
    segments = (await masked.client.get("/api/video/recordings/gate")).json()["items"]
    plan = (await masked.client.get("/api/video/playback/gate", params=span)).json()
    for url in (segments[0]["url"], plan["url"], plan["hls_url"]):
        assert (await masked.client.get(url, headers={"Authorization": ""})).status_code == 200, url


async def test_a_guard_cannot_fetch_what_an_administrator_exported(masked: Any) -> None:
    job = (await masked.client.post("/api/exports", json={"camera": "gate", "from": WALL, "to": WALL + 6})).json()

    async def done() -> bool:
        nonlocal job
        job = (await masked.client.get(f"/api/exports/{job['id']}")).json()
        return bool(job["state"] == "done")

    await masked.until(done)
    assert (await masked.client.get(job["files"][0]["url"])).status_code == 200
    seen = (await masked.client.get("/api/exports", headers=await exporter(masked))).json()["items"][0]
    answer = await masked.client.get(seen["files"][0]["url"], headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (403, "masked")


async def ended(node: Any, job: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    found = job

    async def over() -> bool:
        nonlocal found
        found = (await node.client.get(f"/api/exports/{job['id']}", headers=headers)).json()
        return found["state"] not in ("queued", "running")

    await node.until(over, seconds=60)
    return found


async def test_an_export_for_who_may_not_see_has_masks_burnt_in(masked: Any, tmp_path: Path) -> None:
    before = hashes(masked.services.media)
    headers = await exporter(masked)
    body = {"camera": "gate", "from": WALL + 1.52, "to": WALL + 5.52}
    answer = await masked.client.post("/api/exports", json=body, headers=headers)
    assert (answer.status_code, answer.json()["masked"]) == (201, True)
    job = await ended(masked, answer.json(), headers)
    assert (job["state"], job["progress"]) == ("done", 1.0), job["message"]
    assert "1 privacy mask(s) burnt in" in job["note"]
    assert [(one["code"], one["params"]) for one in job["remarks"]] == [("masks_burnt", {"count": 1})]
    (file,) = job["files"]
    got = await masked.client.get(file["url"], headers={"Authorization": ""})
    assert got.status_code == 200
    assert (len(got.content), hashlib.sha256(got.content).hexdigest()) == (file["size"], file["sha256"])
    (tmp_path / "export.mp4").write_bytes(got.content)
    with av.open(str(tmp_path / "export.mp4")) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == pytest.approx(100, abs=1), "four seconds, exact to the frame"
    assert float(frames[-1].time - frames[0].time) == pytest.approx(3.96, abs=0.05)
    for frame in frames[::20]:
        pixels = frame.to_ndarray(format="rgb24")
        half = pixels.shape[1] // 2
        assert pixels[:, : half - 4].max() < 30
        assert pixels[:, half + 4 :].max() > 60
    folder = masked.folder / "exports" / job["id"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(["job.json", file["name"]]), "no plain copy stays"
    assert hashes(masked.services.media) == before


async def test_a_masked_export_is_worth_no_more_once_another_mask_is_drawn(masked: Any) -> None:
    headers = await exporter(masked)
    body = {"camera": "gate", "from": WALL, "to": WALL + 2}
    made = (await masked.client.post("/api/exports", json=body, headers=headers)).json()
    job = await ended(masked, made, headers)
    url = job["files"][0]["url"]
    assert (await masked.client.get(url, headers={"Authorization": ""})).status_code == 200
    more = [*LEFT_HALF, [[0.8, 0], [1, 0], [1, 1]]]
    await masked.client.put("/api/cameras/gate/privacy", json={"masks": more})
    answer = await masked.client.get(url, headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (403, "masked")
    await masked.client.put("/api/cameras/gate/privacy", json={"masks": []})
    assert (await masked.client.get(url, headers={"Authorization": ""})).status_code == 200


async def test_a_masked_export_that_is_cancelled_leaves_nothing(masked: Any) -> None:
    headers = await exporter(masked)
    body = {"camera": "gate", "from": WALL, "to": WALL + 8}
    with masked_exports._one_at_a_time:
        job = (await masked.client.post("/api/exports", json=body, headers=headers)).json()
        folder = masked.folder / "exports" / job["id"]
        await masked.until(lambda: any(path.suffix == ".mp4" for path in folder.iterdir()))
        plain = next(path.name for path in folder.iterdir() if path.suffix == ".mp4")
        url = f"/api/exports/{job['id']}/files/{plain}"
        assert (await masked.client.get(url, headers=headers)).status_code == 404, "the plain file is served to nobody"
        assert (await masked.client.delete(f"/api/exports/{job['id']}", headers=headers)).status_code == 204
    assert not folder.exists()


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"masked_minutes": 0.05}, 422, "too_long"),
        ({"masked_minutes": 0}, 403, "masked"),
        ({"masked_video": False}, 403, "masked"),
    ],
)
async def test_masked_exports_are_bounded_by_the_settings(
    node_with: Any, make_recorder_for: Any, settings: dict[str, Any], status: int, code: str
) -> None:
    node = await node_with(**settings)
    await node.add_camera()
    make_recorder_for(node, wall=WALL).record(0, 8)
    await node.services.footage.compare()
    await node.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})
    body = {"camera": "gate", "from": WALL, "to": WALL + 8}
    answer = await node.client.post("/api/exports", json=body, headers=await exporter(node))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await node.client.post("/api/exports", json=body)).json()["masked"] is False


async def test_nobody_makes_a_clear_link_of_a_masked_one(masked: Any) -> None:
    url = (await masked.client.get("/api/alarms/a1", headers=viewer(masked))).json()["snapshot_url"]
    for forged in (f"{url}&clear=*", url.replace("?", "?clear=*&")):
        assert (await masked.client.get(forged, headers={"Authorization": ""})).status_code == 403


async def test_the_right_may_be_had_for_some_cameras(masked: Any) -> None:
    let_see(frozenset({"yard", "gate"}))
    mine = masked.services.links.sign("/api/video/snapshot/gate")
    let_see(frozenset({"yard"}))
    theirs = masked.services.links.sign("/api/video/snapshot/gate")
    let_see(frozenset(f"camera-{number}" for number in range(100)) | {"gate"})
    many = masked.services.links.sign("/api/video/snapshot/gate")
    let_see(frozenset({"1"}))
    odd = masked.services.links.sign("/api/video/snapshot/gate")
    let_see(frozenset())
    shown = [left_is_black((await masked.client.get(url)).content) for url in (mine, theirs, many, odd)]
    assert shown == [False, True, True, True], "too many to be named: rather too little is seen"


async def test_what_is_pushed_to_all_is_masked_whoever_set_it_off(masked: Any) -> None:
    alarm = next(iter(await _stored(masked)))
    with masked.services.push.listening(Reach(EVERYTHING)) as listener:
        listener.narrow(frozenset({"alarms"}), None)
        let_see(None)
        Feeds(masked.services).announce(Announcement(alarm, new=False))
        told = json.loads(await listener.next())
    assert "clear=%2A" in masked.services.links.sign("/media/x"), "the caller keeps his own sight"
    assert "clear" not in told["data"]["snapshot_url"]
    assert left_is_black((await masked.client.get(told["data"]["snapshot_url"])).content)


async def _stored(node: Any) -> list[Alarm]:
    async with node.services.database.read() as session:
        return list(await alarms_since(session, 0))


async def test_hls_of_a_masked_camera_is_refused(masked: Any, live_state: Any) -> None:
    await masked.heard_by_server(live_state())
    address = (await masked.client.get("/api/live/ways/gate", headers=viewer(masked))).json()["hls"]
    answer = await masked.client.get(address, headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (403, "masked")


async def test_webrtc_of_a_masked_camera_is_refused(node_with: Any) -> None:
    node = await node_with(webrtc=True)
    await node.add_camera()
    await node.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})
    let_see(frozenset())
    link = node.services.links.sign("/api/whep/gate")
    for headers, path in ((viewer(node), "/api/whep/gate"), ({"Authorization": ""}, link)):
        answer = await node.client.post(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "masked")
    answer = await node.client.post("/api/whep/gate")
    assert answer.status_code == 415, "an administrator gets further"


async def test_pictures_of_what_was_held_back_are_left_out(masked: Any, live_state: Any) -> None:
    await masked.heard_by_server(live_state())
    sample = Sample(
        doubt=Doubt.STILL, wall=WALL, track=1, label="person", score=0.5, box=(0.1, 0.1, 0.2, 0.2), jpeg=b"jpeg"
    )
    masked.services.health.held_back(Suppressed(camera="gate", counts={}, since=WALL, samples=(sample,)))
    path = "/api/cameras/gate/suppressed"
    assert (await masked.client.get(path)).json()["samples"][0]["picture"]
    assert (await masked.client.get(path, headers=viewer(masked))).json()["samples"][0]["picture"] is None


async def test_a_sheet_whose_footage_is_gone_shows_nothing() -> None:
    grey = np.full((540, 1600, 3), 128, np.uint8)
    sheet = bytes(simplejpeg.encode_jpeg(grey, quality=90, colorspace="RGB"))
    polygon = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))
    assert simplejpeg.decode_jpeg(masked_sheet(sheet, (), [polygon])).max() < 5


async def test_sockets_refuse_masked_cameras(served: Any) -> None:
    await served.add_camera()
    assert (await served.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})).status_code == 200
    token = served.services.tokens.issue_machine(600)

    async def ended(path: str, *messages: dict[str, Any]) -> tuple[int, str]:
        async with connect(f"{served.url}{path}") as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            for message in messages:
                await socket.send(json.dumps(message))

            async def listen() -> None:
                while True:
                    await socket.recv()

            with pytest.raises(ConnectionClosed) as closed:
                await listen()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    code, reason = await ended("/ws/live/gate")
    assert code == 4406
    assert "privacy masks" in reason
    opened = {"type": "open", "cameras": ["gate"], "from": WALL, "to": WALL + 5}
    code, reason = await ended("/ws/playback", opened)
    assert code == 4400
    assert "privacy masks" in reason


async def test_live_video_comes_with_masks_where_that_is_switched_on(served_with: Any, make_recorder_for: Any) -> None:
    """Who may not see behind masks is handed the stream that has them burnt in, and no chunk of the other."""
    node = await served_with(masked_live=True)
    await node.add_camera()
    assert (await node.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})).status_code == 200
    published = json.loads((node.folder / "run" / "masks.json").read_bytes())
    assert published == {"gate": LEFT_HALF}
    plain, burnt = make_recorder_for(node, "gate"), make_recorder_for(node, "gate~masked", epoch=9)
    for recorder in (plain, burnt):
        recorder.record(0, 2)

    async def first(token: str) -> dict[str, Any]:
        async with connect(f"{node.url}/ws/live/gate") as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            for ref in (*plain.refs, *burnt.refs):
                node.services.live.feed(ref)
            while True:
                message = await socket.recv()
                if isinstance(message, str) and (told := json.loads(message))["type"] == "init":
                    found: dict[str, Any] = told
                    return found

    assert (await first(node.services.tokens.issue_machine(600)))["epoch"] == 9
    assert (await first(node.token))["epoch"] == 7, "an administrator sees what the camera sends"
    answer = await node.client.get("/media/live/gate/index.m3u8", headers={"Authorization": ""})
    assert answer.status_code == 403, "other ways out stay closed"


async def test_clips_are_refused_where_encoding_is_switched_off(
    node_with: Any, make_recorder_for: Any, make_event: Any
) -> None:
    node = await node_with(masked_video=False)
    await node.add_camera()
    alarm = raise_alarm(make_event("a1", wall=WALL, arrival=WALL), "Gate", WALL)
    clip = evidence_path(alarm, ".mp4")
    (node.services.media / clip).parent.mkdir(parents=True)
    (node.services.media / clip).write_bytes(b"film")
    async with node.services.database.write() as session:
        await add_alarm(session, alarm)
    await node.client.put("/api/cameras/gate/privacy", json={"masks": LEFT_HALF})
    answer = await node.client.get(f"/media/{clip}")
    assert answer.status_code == 403
    let_see(frozenset())
    answer = await node.client.get(node.services.links.sign(f"/media/{clip}"))
    assert (answer.status_code, answer.json()["code"]) == (403, "masked")
    assert "masked_video" in answer.json()["detail"]


async def test_an_archive_for_who_may_not_see_has_masked_copies(
    masked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perishield.model.access import LOOKING, Reach

    guard = Reach(LOOKING | {Action.EVIDENCE_EXPORT})
    monkeypatch.setattr(masked.services.people.access, "reach", lambda _role: guard)
    job = (await masked.client.post("/api/alarms/a1/evidence")).json()

    async def done() -> bool:
        nonlocal job
        job = (await masked.client.get(f"/api/evidence/exports/{job['id']}")).json()
        return job["state"] not in ("queued", "running")

    await masked.until(done)
    assert (job["state"], job["masked"]) == ("done", True), job["message"]
    path = tmp_path / "archive.zip"
    path.write_bytes((await masked.client.get(job["url"], headers={"Authorization": ""})).content)
    verdict = check_bundle(path, masked.services.site_keys.current().public)
    assert verdict.accepted, verdict.items
    assert verdict.manifest is not None
    assert all(piece.masked for piece in verdict.manifest.alarms[0].evidence)
    with zipfile.ZipFile(path) as archive:
        assert left_is_black(archive.read("alarms/a1/clean.jpg"))
        assert left_is_black(archive.read("alarms/a1/annotated.jpg"))


async def test_masks_outlive_the_camera_and_are_checked(masked: Any) -> None:
    assert (await masked.client.get("/api/cameras/gate/privacy")).json()["masks"] == LEFT_HALF
    for body in ({}, {"masks": [[[0, 0], [1, 1]]]}, {"masks": [[[0, 0], [1, 1], [2, 0]]]}, {"masks": "x"}):
        assert (await masked.client.put("/api/cameras/gate/privacy", json=body)).status_code == 422
    assert (await masked.client.put("/api/cameras/none/privacy", json={"masks": []})).status_code == 404
    assert (
        await masked.client.put("/api/cameras/gate/privacy", json={"masks": []}, headers=viewer(masked))
    ).status_code == 403
    url = (await masked.client.get("/api/alarms/a1", headers=viewer(masked))).json()["snapshot_url"]
    assert (await masked.client.delete("/api/cameras/gate")).status_code == 204
    assert left_is_black((await masked.client.get(url, headers={"Authorization": ""})).content)
