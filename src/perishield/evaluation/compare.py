"""Two runs over the same labelled set: what the second gains and loses, and whether that may be chance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perishield.evaluation.intervals import mcnemar, paired_bootstrap, rates_differ
from perishield.evaluation.report_page import Moment, between, cell, moments, page, section, share, table, tiles
from perishield.evaluation.report_texts import Texts
from perishield.model.errors import DatasetError

SIGNIFICANT = 0.05
_SAME_S = 1.0
"""False alarms of the same rule no farther apart than this are the same one."""
_FIGURES = (
    "recall",
    "precision",
    "f1",
    "found",
    "missed",
    "false_alarms",
    "false_alarms_per_hour",
    "mean_dt_s",
    "cpu_ms_per_frame",
)

_Key = tuple[str, str, str, float, int]


def read_run(path: Path) -> dict[str, Any]:
    """What `perishield eval --json` printed. Raises DatasetError where it is something else."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: is no result of `perishield eval --json`: {error}", file=str(path)) from error
    try:
        _events(run)
        _falses(run)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path}: is no result of `perishield eval --json`; make it anew ({type(error).__name__}: {error})",
            file=str(path),
        ) from error
    return dict(run)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data. Events count where both runs met them; `p_recall` is McNemar's exact test on these pairs."""
    before, after = _events(first), _events(second)
    common = sorted(before.keys() & after.keys())
    gained = [key for key in common if after[key] and not before[key]]
    lost = [key for key in common if before[key] and not after[key]]
    moved = [
        {**_named(key), "dt_before": before[key]["dt"], "dt_after": after[key]["dt"]}
        for key in common
        if before[key] and after[key] and abs(before[key]["dt"] - after[key]["dt"]) >= 0.1
    ]
    steps = [float(bool(after[key])) - float(bool(before[key])) for key in common]
    gone, new = _unmatched(_falses(first), _falses(second))
    exposures = [float(run.get("scored_hours") or run.get("seconds", 0.0) / 3600) for run in (first, second)]
    p_false = rates_differ(first["false_alarms"], exposures[0], second["false_alarms"], exposures[1])
    bounds = paired_bootstrap(steps)
    return {
        "first": {"detector": first.get("detector"), **{name: first.get(name) for name in _FIGURES}},
        "second": {"detector": second.get("detector"), **{name: second.get(name) for name in _FIGURES}},
        "events": len(common),
        "only_first": len(before.keys() - after.keys()),
        "only_second": len(after.keys() - before.keys()),
        "both": sum(bool(before[key] and after[key]) for key in common),
        "neither": sum(not before[key] and not after[key] for key in common),
        "gained": [_named(key) for key in gained],
        "lost": [_named(key) for key in lost],
        "changed": moved,
        "recall_difference": round(sum(steps) / len(steps), 4) if steps else None,
        "recall_difference_ci": None if bounds is None else [round(bound, 4) for bound in bounds],
        "p_recall": round(mcnemar(len(gained), len(lost)), 6),
        "false_gone": gone,
        "false_new": new,
        "p_false_alarms": round(p_false, 6),
        "significant": mcnemar(len(gained), len(lost)) < SIGNIFICANT,
    }


def compare_report(result: Mapping[str, Any], t: Texts) -> str:
    """HTML of what `compare` gave back."""
    first, second = result["first"], result["second"]
    difference = result["recall_difference"]
    verdict = t("significant" if result["significant"] else "not_significant")
    bounds = between(result["recall_difference_ci"], percent=True)
    head = tiles(
        [
            (t("gained"), str(len(result["gained"])), t("p_value", p=cell(result["p_recall"]))),
            (t("lost"), str(len(result["lost"])), verdict),
            (t("difference"), share(difference), t("bootstrap", bounds=bounds)),
            (t("both"), str(result["both"]), f"{t('neither')}: {result['neither']}"),
            (t("new_false"), str(len(result["false_new"])), f"{t('gone_false')}: {len(result['false_gone'])}"),
        ]
    )
    rows = [(name, cell(first[name]), cell(second[name])) for name in ("detector", *_FIGURES)]
    parts = [head, section(t("figure"), table((t("figure"), t("first"), t("second")), rows))]
    for key, kind, title in (
        ("lost", "lost", t("lost")),
        ("false_new", "false", t("new_false")),
        ("gained", "gained", t("gained")),
        ("false_gone", "gained", t("gone_false")),
    ):
        if result[key]:
            listed = [_moment(one, kind, title, t) for one in result[key]]
            parts.append(section(f"{title} ({len(listed)})", moments(listed)))
    only = result["only_first"] + result["only_second"]
    lead = [t("compare_lead"), verdict, *([t("only_in", count=only)] if only else [])]
    return page(t("compare", a=second["detector"], b=first["detector"]), lead, parts, t.language)


def _moment(one: Mapping[str, Any], kind: str, title: str, t: Texts) -> Moment:
    return Moment(kind=kind, tag=title, title=one["file"], notes=(one["rule"], one["type"], t("at", t=one["t"])))


def _events(run: Mapping[str, Any]) -> dict[_Key, Any]:
    """Every event of a run by clip, rule, type and time: its finding, or None where it was missed."""
    found: dict[_Key, Any] = {}
    seen: Counter[tuple[str, str, str, float]] = Counter()
    for clip in run["clips"]:
        rows = [(one, one["truth_t"], one) for one in clip["found_events"]]
        rows += [(one, one["t"], None) for one in clip["missed_events"]]
        for one, time_s, finding in rows:
            short = str(clip["file"]), str(one["rule"]), str(one["type"]), float(time_s)
            # The same twice at one time: told apart by number, found ones first, which is fair to both runs.
            found[*short, seen[short]] = None if finding is None else {"dt": float(finding["dt"])}
            seen[short] += 1
    return found


def _falses(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("rule", "type", "t", "label")
    return [
        {"file": clip["file"], **{key: one[key] for key in keys}}
        for clip in run["clips"]
        for one in clip["false_events"]
    ]


def _unmatched(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """False alarms of the one and of the other run alone."""
    gone, rest = [], list(second)
    for one in first:
        same = [
            other
            for other in rest
            if all(one[key] == other[key] for key in ("file", "rule", "type")) and abs(one["t"] - other["t"]) <= _SAME_S
        ]
        if same:
            rest.remove(min(same, key=lambda other: abs(one["t"] - other["t"])))
        else:
            gone.append(one)
    return gone, rest


def _named(key: _Key) -> dict[str, Any]:
    return {"file": key[0], "rule": key[1], "type": key[2], "t": key[3]}
