"""The ledger, holds and figures through the API, over real footage and a real journal."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from perishield.bus import topics
from perishield.bus.topics import ProcessState, StoragePressure
from perishield.model.footage import LedgerSpan
from perishield.model.media import SegmentRow
from perishield.store.coverage import coverage_between
from perishield.store.segments import forget_segments, save_segments
from perishield.streams.journal import Journal

WALL = 1_790_000_000.0


def write_journal(node: Any, *entries: tuple[float, str, str, str], until: float | None = None) -> None:
    """(wall, camera, state, detail); the recorder is alive unless `until` says when it was last."""
    folder = node.folder / "journal"
    folder.mkdir(exist_ok=True)
    for wall, camera, state, detail in entries:
        day = time.strftime("%Y-%m-%d", time.gmtime(wall))
        line = {
            "wall": wall,
            "mono": wall - WALL + 1e6,
            "boot": "b",
            "camera": camera,
            "state": state,
            "detail": detail,
        }
        with (folder / f"{day}.ndjson").open("a") as file:
            file.write(json.dumps(line) + "\n")
    sign = {"wall": until or time.time() + 3600, "mono": 1.0, "boot": "b"}
    (folder / "alive").write_text(json.dumps(sign))


def rows_at(
    first: float, count: int, *, camera: str = "gate", pool: str = "recordings", epoch: int = 1
) -> list[SegmentRow]:
    """`count` adjoining segments of ten seconds that only the index knows."""
    rows = []
    for number in range(count):
        start = first + 10 * number
        folder = time.strftime("%Y-%m-%d/%H", time.gmtime(start))
        rows.append(
            SegmentRow(
                camera=camera, pool=pool, path=f"{pool}/{camera}/{folder}/{int(start)}.mp4", epoch=epoch, start=start,
                duration=10.0, size=1000, frames=250, stream_time=900_000 * number, codec="h264", mime="avc1", width=1,
                height=1, init_length=9, keyframes=(), complete=True,
            )
        )  # fmt: skip
    return rows


async def save(node: Any, rows: list[SegmentRow]) -> None:
    async with node.services.database.write() as session:
        await save_segments(session, rows)


async def ask(node: Any, first: float, last: float, camera: str = "/gate") -> Any:
    answer = await node.client.get(f"/api/video/ledger{camera}", params={"from": first, "to": last})
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(report: Any) -> list[tuple[float, float, str, str]]:
    return [(one["from_s"] - WALL, one["to_s"] - WALL, one["state"], one["detail"]) for one in report["spans"]]


async def test_every_second_of_a_camera_is_told(node: Any) -> None:
    await node.add_camera()
    write_journal(
        node,
        (WALL - 100, "", "started", ""),
        (WALL - 99, "gate", "recording", ""),
        (WALL + 100, "gate", "camera_down", "timeout"),
        (WALL + 160, "gate", "recording", ""),
    )
    await save(node, [*rows_at(WALL - 90, 19), *rows_at(WALL + 160, 30, epoch=2)])
    report = await ask(node, WALL, WALL + 300.4)
    assert told(report) == [
        (0, 100, "recorded", ""),
        (100, 160, "camera_down", "timeout"),
        (160, 301, "recorded", ""),
    ]
    assert report["totals"] == {"recorded": 241.0, "camera_down": 60.0}
    assert report["completeness"] == round(241 / 301, 6)
    assert report["from"] == "2026-09-21T14:13:20.000Z"


async def test_a_day_that_was_summed_up_is_summed_up_anew_when_it_changes(node: Any) -> None:
    await node.add_camera()
    write_journal(node, (WALL - 100, "", "started", ""), (WALL - 99, "gate", "recording", ""))
    rows = rows_at(WALL - 100, 800)
    await save(node, rows)
    before = await ask(node, WALL, WALL + 7200)
    assert told(before) == [(0, 7200, "recorded", "")]
    async with node.services.database.read() as session:
        kept = await coverage_between(session, 0, 10**6, "gate")
    assert len(kept["gate"]) >= 3
    async with node.services.database.write() as session:
        await forget_segments(session, [rows[20].path])
    assert told(await ask(node, WALL, WALL + 7200)) == [
        (0, 100, "recorded", ""),
        (100, 110, "deleted", ""),
        (110, 7200, "recorded", ""),
    ]


async def test_footage_that_is_being_written_counts(node: Any, make_recorder: Any) -> None:
    now = float(int(time.time()))
    await node.add_camera()
    write_journal(node, (now - 100, "", "started", ""), (now - 99, "gate", "recording", ""))
    recorder = make_recorder(wall=now - 8)
    recorder.record(0, 7.9, close=False)
    spans = await node.services.ledger.spans("gate", now - 8, now)
    assert spans == [LedgerSpan(now - 8, now, "recorded")]


async def test_a_recorder_without_a_sign_of_life_is_down(node: Any) -> None:
    await node.add_camera()
    now = float(int(time.time()))
    write_journal(node, (now - 900, "", "started", ""), (now - 899, "gate", "recording", ""), until=now - 300)
    await save(node, rows_at(now - 890, 59))
    spans = await node.services.ledger.spans("gate", now - 600, now - 10)
    assert [(span.state, span.detail) for span in spans] == [("recorded", ""), ("node_down", "died")]


async def test_all_cameras_are_summed_up(node: Any) -> None:
    for name in ("Gate", "Yard", "Door"):
        await node.add_camera(name=name)
    write_journal(
        node,
        (WALL - 100, "", "started", ""),
        *((WALL - 99, camera, "recording", "") for camera in ("gate", "yard")),
        (WALL + 50, "yard", "disk", "disk_full"),
    )
    await save(node, [*rows_at(WALL - 50, 40), *rows_at(WALL - 50, 10, camera="yard")])
    summary = await ask(node, WALL, WALL + 100, "")
    assert {one["camera"]: one["totals"] for one in summary["items"]} == {
        "gate": {"recorded": 100.0},
        "yard": {"recorded": 50.0, "disk": 50.0},
        "door": {"disabled": 100.0},
    }
    assert summary["totals"] == {"recorded": 150.0, "disk": 50.0, "disabled": 100.0}
    assert summary["completeness"] == 0.75
    assert [one["completeness"] for one in summary["items"]] == [1.0, 0.5, None]


async def test_times_that_make_no_ledger_are_refused_by_field(node: Any) -> None:
    await node.add_camera()
    now = time.time()
    for field, first, last in (("to", 100, 100), ("to", 0, 400 * 86_400 + 1), ("from", now + 100, now + 200)):
        answer = await node.client.get("/api/video/ledger/gate", params={"from": first, "to": last})
        assert answer.status_code == 422
        assert answer.json()["params"]["field"] == field
    answer = await node.client.get("/api/video/ledger/nowhere", params={"from": 0, "to": 100})
    assert answer.status_code == 404


async def test_the_journal_as_the_recorder_writes_it_is_understood(node: Any) -> None:
    await node.add_camera()
    journal = Journal(node.folder / "journal")
    journal.start()
    journal.note("gate", "camera_down", "dns")
    journal.close()
    now = float(int(time.time()))
    spans = await node.services.ledger.spans("gate", now - 50, now)
    assert spans[0] == LedgerSpan(now - 50, spans[0].end, "disabled")


# Holds


def held(node: Any) -> Any:
    return json.loads((node.folder / "holds.json").read_bytes())


async def test_a_hold_reaches_the_recorder_and_the_ledger_until_it_is_lifted(node: Any) -> None:
    assert held(node) == []
    await node.add_camera()
    body = {"camera": "gate", "from": WALL, "to": "2026-09-21T15:00:00Z", "reason": "  Break-in, file 4711 "}
    answer = await node.client.post("/api/holds", json=body)
    assert answer.status_code == 201, answer.text
    hold = answer.json()
    assert (hold["who"], hold["reason"], hold["to"]) == ("admin", "Break-in, file 4711", "2026-09-21T15:00:00.000Z")
    assert held(node) == [{"camera": "gate", "start": WALL, "end": 1_790_002_800.0}]
    assert (node.folder / "holds.json").stat().st_mode & 0o077 == 0
    assert [one["id"] for one in (await ask(node, WALL - 100, WALL + 100))["holds"]] == [hold["id"]]
    assert (await ask(node, WALL - 100, WALL))["holds"] == []
    assert (await node.client.get("/api/holds", params={"camera": "yard"})).json()["total"] == 0
    changed = await node.client.put(f"/api/holds/{hold['id']}", json={**body, "to": WALL + 10})
    assert changed.json()["to"] == "2026-09-21T14:13:30.000Z"
    assert held(node) == [{"camera": "gate", "start": WALL, "end": WALL + 10}]
    assert (await node.client.delete(f"/api/holds/{hold['id']}")).status_code == 204
    assert held(node) == []
    for method in ("GET", "PUT", "DELETE"):
        assert (await node.client.request(method, f"/api/holds/{hold['id']}", json=body)).status_code == 404


async def test_holds_outlive_the_camera_and_need_one_or_its_footage(node: Any) -> None:
    await node.add_camera()
    await save(node, rows_at(WALL, 3))
    await node.client.delete("/api/cameras/gate")
    body = {"camera": "gate", "from": WALL, "to": WALL + 10, "reason": "x"}
    assert (await node.client.post("/api/holds", json=body)).status_code == 201
    bad: list[tuple[str, dict[str, Any]]] = [
        ("camera", {"camera": "nowhere"}),
        ("to", {"to": WALL}),
        ("from", {"from": "yesterday"}),
        ("reason", {"reason": " "}),
        ("reason", {"reason": "x" * 501}),
    ]
    for field, change in bad:
        answer = await node.client.post("/api/holds", json={**body, **change})
        assert (answer.status_code, answer.json()["params"]["field"]) == (422, field), change
    assert len(held(node)) == 1


# Figures


async def scrape(node: Any, **headers: str) -> httpx.Response:
    answer: httpx.Response = await node.client.get("/metrics", headers=headers)
    return answer


async def test_figures_need_a_token_and_the_nodes_own_will_do(node: Any) -> None:
    token = (node.folder / "run" / "token").read_text()
    node.client.headers.pop("Authorization")
    assert (await scrape(node)).status_code == 401
    assert (await scrape(node, Authorization=f"Bearer {token}")).status_code == 200


async def test_streams_footage_storage_and_processes_have_figures(node: Any, live_state: Any) -> None:
    await node.add_camera()
    now = float(int(time.time()))
    write_journal(node, (now - 90_000, "", "started", ""), (now - 90_000, "gate", "recording", ""))
    await save(node, rows_at(now - 3600, 354))
    await node.heard_by_server(live_state(frames=1234, frames_lost=7, bitrate=2_000_000, reconnects=3, recording=True))
    process = ProcessState(name="ingest", state="running", since=now, restarts=2, pid=1)
    pressure = StoragePressure(level=2, queued_bytes=5_000_000)

    async def heard() -> bool:
        node.peer.publish(topics.PROCESSES, "ingest", process)
        node.peer.publish(topics.PRESSURE, "", pressure)
        return bool(node.services.processes.all()) and node.services.metrics.pressure == pressure

    await node.until(heard)
    answer = await scrape(node)
    assert answer.headers["content-type"].startswith("text/plain")
    figures = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert figures["perishield_stream_up", "gate"] == 1
    assert figures["perishield_stream_frames_total", "gate"] == 1234
    assert figures["perishield_stream_frames_lost_total", "gate"] == 7
    assert figures["perishield_stream_bitrate_bits", "gate"] == 2_000_000
    assert figures["perishield_stream_reconnects_total", "gate"] == 3
    assert figures["perishield_stream_condition", "", "gate", "live"] == 1
    assert abs(figures["perishield_footage_seconds", "gate", "recorded"] - 3540) <= 2
    assert figures["perishield_footage_seconds", "deleted", "gate"] > 80_000
    assert 0 < figures["perishield_footage_completeness", "gate"] < 0.1
    assert (figures["perishield_storage_pressure",], figures["perishield_storage_queued_bytes",]) == (2, 5_000_000)
    assert 0 < figures["perishield_disk_free_bytes",] <= figures["perishield_disk_size_bytes",]
    assert figures["perishield_process_resident_bytes", "server"] > 10_000_000
    assert figures["perishield_process_cpu_seconds_total", "server"] > 0
    assert figures["perishield_process_restarts_total", "ingest"] == 2
    openmetrics = await scrape(node, Accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
