"""Rules through the API: every kind, what is refused, arming, conditions, states."""

from __future__ import annotations

from typing import Any

import pytest

from perishield.api.rule_book import RuleBook
from perishield.bus import topics
from perishield.bus.site_file import read_site
from perishield.bus.topics import RulesDo
from perishield.model.rule_state import RuleState

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
LINE = {"kind": "tripwire", "camera": "gate", "name": "Line", "line": [[0.1, 0.5], [0.9, 0.5]]}
KINDS: list[dict[str, Any]] = [
    {"kind": "zone", "polygon": SQUARE, "on": ["inside"], "stay_s": 5, "every_s": 60},
    {"kind": "fence", "outer": [[0, 0.2], [1, 0.2]], "depth": 0.5},
    {"kind": "loiter", "polygon": SQUARE, "stay_s": 20, "radius": 2},
    {"kind": "wrong_way", "polygon": SQUARE, "way": [[0.2, 0.2], [0.8, 0.2]]},
    {"kind": "count", "polygon": SQUARE, "at_most": 0, "for_s": 60},
    {"kind": "line_count", "line": [[0, 0.2], [1, 0.2]], "each": 10},
    {"kind": "left_object", "polygon": SQUARE, "labels": ["suitcase"]},
]


@pytest.mark.parametrize("body", KINDS, ids=lambda body: str(body["kind"]))
async def test_every_kind_is_kept_as_it_was_drawn(node: Any, body: dict[str, Any]) -> None:
    await node.add_camera()
    night = {"timezone": "Asia/Shanghai", "windows": [{"days": [4, 5], "start": 1320, "end": 360}]}
    whole = {"camera": "gate", "name": "R", **body, "condition": "speed > 0.5", "min_height": 0.1}
    answer = await node.client.post("/api/rules", json={**whole, "schedule": night})
    assert answer.status_code == 201, answer.text
    shown = (await node.client.get(f"/api/rules/{answer.json()['id']}")).json()
    assert {**shown, **whole} == shown
    assert shown["schedule"]["windows"] == night["windows"]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"condition": "speeed > 1.0"}, "condition", "no field 'speeed'"),
        ({"min_height": 1.0, "height_unit": "m"}, "min_height", "not calibrated"),
        ({"schedule": {"windows": []}}, "schedule.windows", "never watch"),
        (
            {"schedule": {"windows": [{"days": [1]}], "timezone": "Mars/Olympus"}},
            "schedule.timezone",
            "no time zone",
        ),
        ({"min_speed": 3, "max_speed": 1}, "max_speed", "below"),
        ({"kind": "count", "polygon": SQUARE}, "at_least", "either"),
        ({"kind": "fence", "outer": [[0, 0], [1, 0]]}, "inner", "how deep"),
        ({"kind": "wrong_way", "polygon": SQUARE, "way": [[0, 0], [1, 0], [1, 1]]}, "way", "one arrow"),
    ],
)
async def test_what_makes_no_sense_is_named(node: Any, change: dict[str, Any], field: str, says: str) -> None:
    await node.add_camera()
    answer = await node.client.post("/api/rules", json={**LINE, **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["params"]["field"] == field
    assert says in answer.json()["detail"]


async def test_arming_reaches_the_workers_and_leaves_the_revision(node: Any) -> None:
    await node.add_camera()
    rule = (await node.client.post("/api/rules", json=LINE)).json()
    path = f"/api/rules/{rule['id']}"
    for way, arming in (("disarm", "disarmed"), ("arm", "scheduled"), ("arm?always=true", "armed")):
        async with node.services.bus.subscribe(topics.SITE) as told:
            answer = (await node.client.post(f"{path}/{way}")).json()
            await told.get()
        assert (answer["arming"], answer["revision"]) == (arming, rule["revision"])
        site = read_site(node.folder / "site.json")
        assert site is not None
        assert site.rules[0]["arming"] == arming
    edited = (await node.client.put(path, json={**rule, "name": "Edited meanwhile"})).json()
    assert (edited["name"], edited["arming"]) == ("Edited meanwhile", "armed")
    assert (await node.client.post(f"{path}/rearm")).json()["rearmed"] > 0
    assert (await node.client.post("/api/rules/none/arm")).status_code == 404


async def test_conditions_are_tried_without_saving(node: Any) -> None:
    fields = (await node.client.get("/api/rules/condition")).json()["fields"]
    assert {"label", "speed", "hour"} <= fields.keys()
    good = await node.client.post("/api/rules/condition", json={"condition": "speed > 0.5"})
    assert good.json() == {"valid": True, "message": "", "column": 0}
    bad = (await node.client.post("/api/rules/condition", json={"condition": "speed >"})).json()
    assert (bad["valid"], bad["column"]) == (False, 8)


async def test_the_state_tells_what_was_counted_and_held_back(node: Any) -> None:
    await node.add_camera()
    rule = (await node.client.post("/api/rules", json=LINE)).json()["id"]
    quiet = (await node.client.get(f"/api/rules/{rule}/state")).json()
    assert (quiet["judged"], quiet["events"], quiet["since"]) == (False, 0, None)
    node.services.rule_book.report(
        RulesDo(started=1.0, states=(RuleState(rule=rule, events=2, suppressed={"band": 3}, left_to_right=4),))
    )
    state = (await node.client.get(f"/api/rules/{rule}/state")).json()
    assert (state["judged"], state["events"], state["suppressed"], state["left_to_right"]) == (True, 2, {"band": 3}, 4)
    assert (await node.client.get("/api/rules/none/state")).status_code == 404


def test_counts_go_on_where_the_judging_process_began_anew() -> None:
    book = RuleBook()
    one = RuleState(rule="r", events=1, suppressed={"band": 1}, left_to_right=5, since=10.0)
    for started in (1.0, 1.0, 2.0):
        book.report(RulesDo(started=started, states=(one,)))
    assert book.state("r") == RuleState(
        rule="r", events=2, suppressed={"band": 2}, left_to_right=10, right_to_left=0, since=10.0
    )
    book.report(RulesDo(started=2.0, states=()))
    assert book.state("r").events == 0
