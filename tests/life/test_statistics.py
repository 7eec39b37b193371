"""What the database adds up is what a plain count adds up; on both databases."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.alarms.intake import raise_alarm
from perishield.alarms.suggestion import LEAST_CONFIRMED, LEAST_SPARED, suggest
from perishield.api.camera_sums import camera_sums
from perishield.api.statistics_out import sums_lines, sums_out
from perishield.model.alarms import Alarm, AlarmState, Event, EventKind, Verdict
from perishield.model.footage import LedgerSpan
from perishield.model.health import Ailment, Spell
from perishield.store.alarms import add_alarm
from perishield.store.database import Database
from perishield.store.statistics import alarm_sums
from perishield.store.verdicts import verdicts_by_rule

MakeEvent = Callable[..., Event]
BERLIN = ZoneInfo("Europe/Berlin")
# The night in which Berlin's clocks go back: 2026-10-25, 03:00 CEST.
NIGHT = datetime(2026, 10, 24, 20, 0, tzinfo=UTC).timestamp()


def made(rng: random.Random, make_event: MakeEvent, number: int) -> Alarm:
    wall = NIGHT + rng.uniform(0, 14 * 3600)
    camera = rng.choice(["gate", "yard", "roof"])
    event = make_event(
        f"e{number}", camera=camera, rule={"id": f"{camera}-line"}, kind=rng.choice(list(EventKind)[:3]), wall=wall,
        score=round(rng.uniform(0.3, 0.9), 3), level=rng.randint(1, 4),
    )  # fmt: skip
    state = rng.choice(list(AlarmState))
    verdict = Verdict(state.value) if state.value in ("confirmed", "dismissed") else Verdict.NONE
    answered = wall + rng.choice([5.0, 15.0, 100.0, 100_000.0]) if state is not AlarmState.NEW else None
    reason = rng.choice(["animal", "authorised_person"]) if verdict is Verdict.DISMISSED else ""
    return replace(
        raise_alarm(event, camera, wall), state=state, verdict=verdict, reason=reason, answered=answered
    )  # fmt: skip


@pytest.fixture
async def alarms(database: Database, make_event: MakeEvent) -> list[Alarm]:
    rng = random.Random(5)
    found = [made(rng, make_event, number) for number in range(300)]
    async with database.write() as session:
        for alarm in found:
            await add_alarm(session, alarm)
    return found


async def test_sums_are_those_of_a_plain_count(database: Database, alarms: list[Alarm]) -> None:
    start, end = NIGHT + 3600, NIGHT + 12 * 3600
    for reach in (None, frozenset({"gate", "roof"}), frozenset[str]()):
        async with database.read() as session:
            sums = await alarm_sums(session, start, end, reach)
        out = sums_out(sums, start, end, BERLIN, {"gate": "Gate"}, {"gate-line": "Line"})
        mine = [one for one in alarms if start <= one.event.wall < end and (reach is None or one.event.camera in reach)]
        local = [datetime.fromtimestamp(one.event.wall, UTC).astimezone(BERLIN) for one in mine]
        assert out["total"] == len(mine)
        assert out["by_hour"] == [Counter(when.hour for when in local)[hour] for hour in range(24)]
        assert out["by_weekday"] == [Counter(when.weekday() for when in local)[day] for day in range(7)]
        days = Counter(when.date().isoformat() for when in local)
        assert {row["day"]: row["count"] for row in out["by_day"]} == dict(days)
        assert {row["id"]: row["count"] for row in out["by_camera"]} == Counter(one.event.camera for one in mine)
        assert {row["id"]: row["count"] for row in out["by_kind"]} == Counter(one.event.kind.value for one in mine)
        assert {row["id"]: row["count"] for row in out["by_level"]} == Counter(str(one.level) for one in mine)
        assert out["confirmed"] == sum(one.verdict is Verdict.CONFIRMED for one in mine)
        assert out["open"] == sum(one.state.value in ("new", "acknowledged") for one in mine)
        assert {row["id"] for row in out["by_reason"]} == {one.reason for one in mine if one.reason}
        took = [one.answered - one.raised for one in mine if one.answered is not None]
        assert out["answer"]["answered"] == len(took)
        assert out["answer"]["within"]["15"] == sum(one <= 15 for one in took)
        assert out["answer"]["within"]["86400"] == sum(one <= 86_400 for one in took)
        if took:
            assert out["answer"]["mean_s"] == pytest.approx(sum(took) / len(took), abs=0.06)
        lines = list(sums_lines(out))
        assert lines[1][3] == len(mine)
        assert sum(int(line[3] or 0) for line in lines if line[0] == "hour") == len(mine)


async def test_verdicts_are_sorted_by_rule(database: Database, alarms: list[Alarm]) -> None:
    async with database.read() as session:
        found = await verdicts_by_rule(session, NIGHT + 3600, frozenset({"gate", "yard"}))
        one = await verdicts_by_rule(session, 0.0, None, "roof-line")
    assert [verdicts.rule for verdicts in found] == ["gate-line", "yard-line"]
    for verdicts in (*found, *one):
        since = 0.0 if verdicts.rule == "roof-line" else NIGHT + 3600
        mine = [alarm for alarm in alarms if alarm.event.rule["id"] == verdicts.rule and alarm.event.wall >= since]
        assert sorted(verdicts.confirmed) == sorted(
            alarm.event.score for alarm in mine if alarm.verdict is Verdict.CONFIRMED
        )
        assert sorted(verdicts.dismissed) == sorted(alarm.event.score for alarm in mine if alarm.reason == "animal")
        assert verdicts.others == sum(alarm.reason == "authorised_person" for alarm in mine)


SCORES = st.lists(st.floats(0, 1), max_size=40)


@given(confirmed=SCORES, dismissed=SCORES, now=st.sampled_from([0.0, 0.3, 0.6]))
def test_a_suggestion_loses_nobody_and_spares_what_it_says(
    confirmed: list[float], dismissed: list[float], now: float
) -> None:
    found = suggest(confirmed, dismissed, now)
    if found is None:
        return
    assert len(confirmed) >= LEAST_CONFIRMED
    assert all(score >= found.score for score in confirmed), "a rule tells what has at least its least score"
    assert found.spared == sum(score < found.score for score in dismissed) >= LEAST_SPARED
    assert found.score > now
    assert round(found.score * 100) == pytest.approx(found.score * 100)
    higher = round(found.score + 0.01, 2)
    assert any(score < higher for score in confirmed) or sum(score < higher for score in dismissed) == found.spared
    assert sum(score < round(found.score - 0.01, 2) for score in dismissed) < found.spared


@given(st.lists(st.floats(0, 1), min_size=LEAST_CONFIRMED), st.lists(st.floats(0, 1), max_size=30))
def test_what_could_be_spared_is_suggested(confirmed: list[float], dismissed: list[float]) -> None:
    """Found by trying every hundredth."""
    best = max(
        (sum(score < level / 100 for score in dismissed) for level in range(101) if level / 100 <= min(confirmed)),
        default=0,
    )
    found = suggest(confirmed, dismissed)
    assert (found.spared if found else 0) == (best if best >= LEAST_SPARED else 0)


def test_the_suggestion_of_the_north_fence() -> None:
    confirmed = [0.47 + 0.03 * number for number in range(12)]
    dismissed = [0.2 + 0.008 * number for number in range(31)] + [0.455, 0.6]
    found = suggest(confirmed, dismissed)
    assert found is not None
    assert (found.score, found.spared, found.dismissed, found.confirmed) == (0.46, 32, 33, 12)
    assert suggest(confirmed[:4], dismissed) is None
    assert suggest(confirmed, dismissed, now=0.46) is None


def test_cameras_are_summed_up_by_what_was_asked_of_them() -> None:
    spans = [
        LedgerSpan(0, 100, "disabled"),
        LedgerSpan(100, 800, "recorded"),
        LedgerSpan(800, 900, "camera_down", "timeout"),
        LedgerSpan(900, 1000, "node_down"),
    ]
    spells = [
        Spell(id="1", camera="gate", ailment=Ailment.DARK, began=-50.0, ended=50.0),
        Spell(id="2", camera="gate", ailment=Ailment.DARK, began=950.0),
        Spell(id="3", camera="yard", ailment=Ailment.MOVED, began=0.0),
    ]
    out = camera_sums(0.0, 1000.0, {"gate": spans, "new": []}, spells, {"gate": "Gate"})
    gate, new = out["items"]
    assert (gate["name"], gate["availability"], gate["down_s"]) == ("Gate", 0.875, 100.0)
    assert (gate["unknown_s"], new["unknown_s"], out["unknown_s"]) == (100.0, 0.0, 100.0), "the node's own downtime"
    assert gate["impaired_s"] == {"dark": 100.0}
    assert gate["completeness"] is not None
    assert (new["availability"], new["completeness"]) == (None, None)
    assert out["availability"] == 0.875
