"""Sums of alarms as the API, the dashboard and tables show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from perishield.api.sheets import Line
from perishield.api.times import iso
from perishield.model.alarms import AlarmState, Verdict
from perishield.model.statistics import ANSWER_STEPS_S, BUCKET_S, AlarmCount, AlarmSums

_OPEN = (AlarmState.NEW.value, AlarmState.ACKNOWLEDGED.value)


class AnswerOut(TypedDict):
    """Times from an alarm's raising to its first answer.

    `median_within_s`, `p95_within_s`: so many seconds sufficed for half, and for 95 in 100, of those that were
    answered; null: more than a day, or nothing was answered.
    """

    answered: int
    mean_s: float | None
    median_within_s: int | None
    p95_within_s: int | None
    within: dict[str, int]


class RowOut(TypedDict):
    """One camera, rule, kind, level, verdict or reason. `open`: not decided yet."""

    id: str
    name: str
    count: int
    open: int
    confirmed: int
    dismissed: int
    answer: AnswerOut


class DayOut(TypedDict):
    day: str
    count: int


AlarmSumsOut = TypedDict(
    "AlarmSumsOut",
    {
        "from": str,
        "to": str,
        "timezone": str,
        "total": int,
        "open": int,
        "confirmed": int,
        "dismissed": int,
        "answer": AnswerOut,
        "by_hour": list[int],
        "by_weekday": list[int],
        "by_day": list[DayOut],
        "by_camera": list[RowOut],
        "by_rule": list[RowOut],
        "by_kind": list[RowOut],
        "by_level": list[RowOut],
        "by_reason": list[RowOut],
    },
)


def sums_out(
    sums: AlarmSums,
    start: float,
    end: float,
    zone: ZoneInfo,
    cameras: Mapping[str, str],
    rules: Mapping[str, str],
) -> AlarmSumsOut:
    """`cameras`, `rules`: names by id; what is gone has its id for a name. `by_weekday` begins on Monday."""
    hours, weekdays, days = [0] * 24, [0] * 7, Counter[str]()
    for bucket, count in sums.buckets:
        moment = datetime.fromtimestamp(bucket * BUCKET_S, UTC).astimezone(zone)
        hours[moment.hour] += count
        weekdays[moment.weekday()] += count
        days[moment.date().isoformat()] += count
    counts = sums.counts
    whole = row_out("", "", counts)
    decided = [one for one in counts if one.verdict == Verdict.DISMISSED.value]
    return {
        "from": iso(start),
        "to": iso(end),
        "timezone": zone.key,
        "total": whole["count"],
        "open": whole["open"],
        "confirmed": whole["confirmed"],
        "dismissed": whole["dismissed"],
        "answer": whole["answer"],
        "by_hour": hours,
        "by_weekday": weekdays,
        "by_day": [{"day": day, "count": days[day]} for day in sorted(days)],
        "by_camera": _rows(counts, lambda one: one.camera, cameras),
        "by_rule": _rows(counts, lambda one: one.rule, rules),
        "by_kind": _rows(counts, lambda one: one.kind, {}),
        "by_level": sorted(_rows(counts, lambda one: str(one.level), {}), key=lambda row: row["id"]),
        "by_reason": _rows(decided, lambda one: one.reason, {}),
    }


def row_out(key: str, name: str, counts: Iterable[AlarmCount]) -> RowOut:
    listed = list(counts)
    return {
        "id": key,
        "name": name or key,
        "count": sum(one.count for one in listed),
        "open": sum(one.count for one in listed if one.state in _OPEN),
        "confirmed": sum(one.count for one in listed if one.verdict == Verdict.CONFIRMED.value),
        "dismissed": sum(one.count for one in listed if one.verdict == Verdict.DISMISSED.value),
        "answer": _answer(listed),
    }


def sums_lines(out: AlarmSumsOut) -> Iterator[Line]:
    """The same as one table: what it is sorted by, which, and the figures."""
    yield (
        "by",
        "id",
        "name",
        "alarms",
        "open",
        "confirmed",
        "dismissed",
        "answered",
        "mean s to answer",
        "half within s",
        "95 % within s",
    )
    yield ("all", "", f"{out['from']} to {out['to']} ({out['timezone']})", *_figures(out))
    sections: Sequence[tuple[str, list[RowOut]]] = (
        ("camera", out["by_camera"]),
        ("rule", out["by_rule"]),
        ("kind", out["by_kind"]),
        ("level", out["by_level"]),
        ("reason", out["by_reason"]),
    )
    for name, rows in sections:
        for row in rows:
            yield (
                name, row["id"], row["name"], row["count"], row["open"], row["confirmed"], row["dismissed"],
                *_answers(row["answer"]),
            )  # fmt: skip
    for hour, count in enumerate(out["by_hour"]):
        yield ("hour", f"{hour:02d}", "", count)
    for weekday, count in enumerate(out["by_weekday"], 1):
        yield ("weekday", str(weekday), "", count)
    for day in out["by_day"]:
        yield ("day", day["day"], "", day["count"])


def _figures(out: AlarmSumsOut) -> Line:
    return (out["total"], out["open"], out["confirmed"], out["dismissed"], *_answers(out["answer"]))


def _answers(answer: AnswerOut) -> Line:
    return (answer["answered"], answer["mean_s"], answer["median_within_s"], answer["p95_within_s"])


def _rows(counts: Sequence[AlarmCount], key: Callable[[AlarmCount], str], names: Mapping[str, str]) -> list[RowOut]:
    """The most alarms first."""
    sorted_out: dict[str, list[AlarmCount]] = {}
    for one in counts:
        sorted_out.setdefault(key(one), []).append(one)
    rows = [row_out(name, names.get(name, ""), some) for name, some in sorted_out.items()]
    return sorted(rows, key=lambda row: (-row["count"], row["id"]))


def _answer(counts: Sequence[AlarmCount]) -> AnswerOut:
    answered = sum(one.answered for one in counts)
    within = [sum(one.within[index] for one in counts) for index in range(len(ANSWER_STEPS_S))]
    return {
        "answered": answered,
        "mean_s": round(sum(one.answered_s for one in counts) / answered, 1) if answered else None,
        "median_within_s": _sufficed(within, answered * 0.5),
        "p95_within_s": _sufficed(within, answered * 0.95),
        "within": {str(step): count for step, count in zip(ANSWER_STEPS_S, within, strict=True)},
    }


def _sufficed(within: Sequence[int], wanted: float) -> int | None:
    if wanted <= 0:
        return None
    return next((step for step, count in zip(ANSWER_STEPS_S, within, strict=True) if count >= wanted), None)
