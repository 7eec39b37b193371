"""Statistics, suggestions and tables to take along, over HTTP."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from perishield.alarms.intake import raise_alarm
from perishield.api.sheets import harmless
from perishield.model.alarms import AlarmState, Event, Verdict
from perishield.model.health import Ailment, Spell
from perishield.model.media import SegmentRow
from perishield.store.alarms import add_alarm
from perishield.store.health import keep_spells
from perishield.store.segments import save_segments

MakeEvent = Callable[..., Event]
SPAN = "from=2026-09-21T00:00:00Z&to=2026-09-22T00:00:00Z"
WALL = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def decided(node: Any, make_event: MakeEvent) -> Any:
    """Twelve confirmed from 0.5 up and twenty dismissed from 0.2 up, by the rule `line`."""
    await node.add_camera(id="gate", name="Gate")
    rule = {"id": "line", "camera": "gate", "name": "north fence", "kind": "tripwire", "line": [[0.1, 0.5], [0.9, 0.5]]}
    answer = await node.client.post("/api/rules", json=rule)
    assert answer.status_code == 201, answer.text
    async with node.services.database.write() as session:
        for number in range(32):
            right = number < 12
            score = 0.5 + number * 0.02 if right else 0.2 + (number - 12) * 0.01
            event = make_event(f"e{number}", score=score, wall=WALL + number)
            state = AlarmState.CONFIRMED if right else AlarmState.DISMISSED
            alarm = replace(
                raise_alarm(event, "=Gate", WALL + number),
                state=state, verdict=Verdict(state.value), reason="" if right else "vegetation",
                answered=WALL + number + 20,
            )  # fmt: skip
            await add_alarm(session, alarm)
    return node


async def test_alarms_are_summed_up_in_the_hours_of_a_place(decided: Any) -> None:
    found = (await decided.client.get(f"/api/statistics/alarms?{SPAN}&timezone=Asia/Shanghai")).json()
    assert (found["total"], found["confirmed"], found["dismissed"], found["open"]) == (32, 12, 20, 0)
    assert found["by_hour"][22] == 32
    assert found["by_day"] == [{"day": "2026-09-21", "count": 32}]
    assert found["by_weekday"] == [32, 0, 0, 0, 0, 0, 0]
    assert [(row["id"], row["name"]) for row in found["by_rule"]] == [("line", "north fence")]
    assert [(row["id"], row["count"]) for row in found["by_reason"]] == [("vegetation", 20)]
    assert (found["answer"]["mean_s"], found["answer"]["median_within_s"]) == (20.0, 30)
    empty = (await decided.client.get("/api/statistics/alarms?from=2020-01-01&to=2020-01-02")).json()
    assert (empty["total"], empty["answer"]["mean_s"], empty["by_camera"]) == (0, None, [])


@pytest.mark.parametrize(
    "query",
    [
        "timezone=Mars/Base",
        "timezone=../../etc/passwd",
        "from=2026-01-02&to=2026-01-01",
        "from=1990-01-01&to=2026-01-01",
    ],
)
async def test_questions_that_make_no_sense_are_refused(node: Any, query: str) -> None:
    assert code_of(await node.client.get(f"/api/statistics/alarms?{query}")) == (422, "invalid")


async def test_a_site_is_summed_up_by_itself(decided: Any) -> None:
    await decided.add_camera(id="yard", name="Yard")
    site = (
        await decided.client.post("/api/groups", json={"name": "North", "kind": "site", "cameras": ["yard"]})
    ).json()
    other = (await decided.client.post("/api/groups", json={"name": "South", "cameras": ["gate"]})).json()
    sums = [
        (await decided.client.get(f"/api/statistics/alarms?{SPAN}&group={group['id']}")).json()["total"]
        for group in (site, other)
    ]
    assert sums == [0, 32]
    both = await decided.client.get(f"/api/statistics/alarms?{SPAN}&group={other['id']}&camera=yard")
    assert both.json()["total"] == 0, "of the site, that camera: there is none"
    rows = (await decided.client.get(f"/api/statistics/cameras?group={site['id']}")).json()["items"]
    assert [row["id"] for row in rows] == ["yard"]
    verdicts = await decided.client.get(f"/api/statistics/verdicts?from=2026-09-01&group={site['id']}")
    assert verdicts.json()["items"] == []
    table = await decided.client.get(f"/api/statistics/alarms/export?{SPAN}&group={site['id']}")
    assert table.text.splitlines()[1].split(",")[3] == "0"
    assert code_of(await decided.client.get("/api/statistics/alarms?group=nowhere")) == (404, "not_found")


async def test_verdicts_suggest_and_change_nothing(decided: Any) -> None:
    before = (await decided.client.get("/api/rules/line")).json()
    (found,) = (await decided.client.get("/api/statistics/verdicts?from=2026-09-01")).json()["items"]
    assert (found["rule_name"], found["confirmed"], found["wrongly"], found["min_score"]) == (
        "north fence",
        12,
        20,
        0.0,
    )
    assert found["suggestion"] == {
        "score": 0.4,
        "spared": 20,
        "dismissed": 20,
        "confirmed": 12,
        "text": "raise the score of rule north fence to 0.40: would have spared 20 of 20 dismissed, "
        "lost none of 12 confirmed",
    }
    assert (await decided.client.get("/api/rules/line")).json() == before
    await decided.client.put("/api/rules/line", json={**before, "min_score": 0.4})
    (found,) = (await decided.client.get("/api/statistics/verdicts?from=2026-09-01&rule=line")).json()["items"]
    assert found["suggestion"] is None, "it is so already"


async def test_tables_hold_the_same_and_no_formula(decided: Any) -> None:
    answer = await decided.client.get(f"/api/alarms/export?{SPAN}&verdict=confirmed")
    assert answer.headers["content-disposition"] == 'attachment; filename="alarms.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [f"e{number}" for number in reversed(range(12))]
    assert {row["camera name"] for row in rows} == {"'=Gate"}
    assert {row["answered after s"] for row in rows} == {"20.0"}
    answer = await decided.client.get(f"/api/alarms/export?{SPAN}&format=xlsx")
    sheet = load_workbook(io.BytesIO(answer.content)).active
    lines = list(sheet.values)
    assert len(lines) == 33
    assert {line[4] for line in lines[1:]} == {"'=Gate"}
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    for kind in ("csv", "xlsx"):
        table = await decided.client.get(f"/api/statistics/alarms/export?{SPAN}&format={kind}")
        assert (table.status_code, len(table.content) > 500) == (200, True)
    assert code_of(await decided.client.get("/api/alarms/export?format=exe")) == (422, "invalid")


async def test_a_long_table_is_whole(node: Any, make_event: MakeEvent) -> None:
    async with node.services.database.write() as session:
        for number in range(1203):
            await add_alarm(session, raise_alarm(make_event(f"e{number}"), "Gate", WALL))
    answer = await node.client.get("/api/alarms/export")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [f"e{number}" for number in reversed(range(1203))]


async def test_cameras_are_summed_up(node: Any) -> None:
    await node.add_camera(id="gate", name="Gate")
    folder = node.folder / "journal"
    folder.mkdir(exist_ok=True)
    with (folder / "2026-09-21.ndjson").open("a") as file:
        for at, camera, state in ((-50, "", "started"), (-49, "gate", "recording"), (30, "gate", "camera_down")):
            line = {"wall": WALL + at, "mono": 1e6 + at, "boot": "b", "camera": camera, "state": state, "detail": ""}
            file.write(json.dumps(line) + "\n")
    (folder / "alive").write_text(json.dumps({"wall": time.time() + 3600, "mono": 1.0, "boot": "b"}))
    rows = [
        SegmentRow(
            camera="gate", pool="recordings", path=f"recordings/gate/2026-09-21/14/{int(WALL) + 10 * number}.mp4",
            epoch=1, start=WALL + 10 * number, duration=10.0, size=1000, frames=250, stream_time=900_000 * number,
            codec="h264", mime="avc1", width=1, height=1, init_length=9, keyframes=(), complete=True,
        )
        for number in range(3)
    ]  # fmt: skip
    async with node.services.database.write() as session:
        await save_segments(session, rows)
        spell = Spell(id="s1", camera="gate", ailment=Ailment.DARK, began=WALL + 10)
        await keep_spells(session, "gate", [spell], WALL + 20)
    query = f"from={WALL}&to={WALL + 40}"
    found = (await node.client.get(f"/api/statistics/cameras?{query}")).json()
    (gate,) = found["items"]
    assert (gate["id"], gate["name"], gate["seconds"]) == ("gate", "Gate", {"recorded": 30.0, "camera_down": 10.0})
    assert (gate["availability"], gate["completeness"], gate["impaired_s"]) == (0.75, 0.75, {"dark": 30.0})
    table = await node.client.get(f"/api/statistics/cameras/export?{query}")
    assert table.text.splitlines()[1].startswith("gate,Gate,0.75,0.75,10.0")
    assert code_of(await node.client.get("/api/statistics/cameras?from=2999-01-01&to=2999-01-02")) == (422, "invalid")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_work_out_is_text(text: str) -> None:
    assert str(harmless(text)).startswith("'")


def test_figures_stay_figures() -> None:
    assert [harmless(cell) for cell in (-1, 2.5, None, "a\x00b")] == [-1, 2.5, None, "a b"]
