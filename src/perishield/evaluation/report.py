"""The page of an evaluation: figures, plots, and every miss and false alarm with its pictures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perishield.evaluation.report_page import (
    between,
    cell,
    histogram,
    moments,
    page,
    section,
    share,
    table,
    tiles,
    whiskers,
)
from perishield.evaluation.report_shots import Strips
from perishield.evaluation.report_texts import Texts

PROMISED_S = 5.0


def report(result: Mapping[str, Any], strips: Strips) -> str:
    """HTML of what `evaluate` gave back, and of the strips that were gathered meanwhile."""
    t = strips.texts
    lead = [
        t(
            "set",
            dataset=result["dataset"],
            clips=len(result["clips"]),
            hours=cell(round(result["scored_hours"], 3)),
            fps=cell(result["fps"]),
            pipeline=result["pipeline"],
        ),
        t("few"),
    ]
    parts = [tiles(_tiles(result, t))]
    if result["failed"]:
        rows = [(one["file"], one["error"]) for one in result["failed"]]
        parts.append(section(t("failed"), table((t("file"), t("warnings")), rows)))
    for key, found in (("misses", strips.misses), ("falses", strips.falses)):
        parts.append(section(f"{t(key)} ({len(found)})", moments(found) or f'<p class="muted">{t("none")}</p>'))
    parts += _plots(result, t)
    columns = ("events", "found", "missed", "false", "unscored", "recall", "precision")
    for key, names in (("by_type", ("type",)), ("by_rule", ("file", "rule")), ("by_clip", ("file",))):
        listed = result["clips"] if key == "by_clip" else result[key]
        if listed:
            counts = [[" · ".join(row[name] for name in names), *_counts(row)] for row in listed]
            parts.append(section(t(key), table([t(names[-1]), *(t(column) for column in columns)], counts)))
    if result["by_label"]:
        labels = [(row["label"], row["found"], row["false_alarms"], row["unscored"]) for row in result["by_label"]]
        parts.append(section(t("by_label"), table([t(k) for k in ("label", "found", "false", "unscored")], labels)))
    remarks = [(clip["file"], text) for clip in result["clips"] for text in clip["warnings"]]
    if remarks:
        parts.append(section(t("warnings"), table((t("file"), t("warnings")), remarks)))
    for key, found in (("hits", strips.hits), ("others", strips.others)):
        if found:
            parts.append(section(f"{t(key)} ({len(found)})", moments(found)))
    return page(t("eval", detector=result["detector"]), lead, parts, t.language)


def _tiles(result: Mapping[str, Any], t: Texts) -> list[tuple[str, str, str]]:
    found, false, delay = result["found"], result["false_alarms"], result["time_to_alarm_s"]
    return [
        (
            t("recall"),
            share(result["recall"]),
            t("of", found=found, events=result["events"], bounds=between(result["recall_ci"], percent=True)),
        ),
        (
            t("precision"),
            share(result["precision"]),
            t("of_found", false=false, total=found + false, bounds=between(result["precision_ci"], percent=True)),
        ),
        (
            t("false_rate"),
            cell(result["false_alarms_per_hour"]),
            t(
                "rate_note",
                false=false,
                hours=cell(round(result["scored_hours"], 3)),
                bounds=between(result["false_alarms_per_hour_ci"]),
            ),
        ),
        (t("delay"), f"{cell(delay['median'])} s", t("delay_note", p90=cell(delay["p90"]))),
        (
            t("f1"),
            cell(result["f1"]),
            t("f1_note", alert=cell(result["f1_operational_alert"]), record=cell(result["f1_event_recording"])),
        ),
    ]


def _plots(result: Mapping[str, Any], t: Texts) -> list[str]:
    parts = []
    rows = [
        (f"{row['file']} · {row['rule']}", row["recall"], row["recall_ci"])
        for row in result["by_rule"]
        if row["events"]
    ]
    if rows:
        parts.append(section(t("recall"), whiskers(rows, top=1.0)))
    waits = [one["delay_s"] for clip in result["clips"] for one in clip["found_events"] if one["delay_s"] is not None]
    if waits:
        note = f'<p class="muted">{t("delay_plot")}</p>'
        parts.append(section(t("delay"), note, histogram(waits, unit=" s", limit=PROMISED_S)))
    return parts


def _counts(row: Mapping[str, Any]) -> Sequence[object]:
    keys = ("events", "found", "missed", "false_alarms", "unscored")
    return [*(row[key] for key in keys), share(row["recall"]), share(row["precision"])]
