"""The page of a shadow run: what would have been new, what would have been spared, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perishield.evaluation.report_page import Moment, Shot, cell, moments, page, section, table, tiles
from perishield.evaluation.report_shots import drawn_of
from perishield.evaluation.report_texts import Texts
from perishield.model.rules import Rule

_MOST = 200


def shadow_report(result: Mapping[str, Any], rules: Sequence[Rule], pictures: Path, media: Path, t: Texts) -> str:
    """HTML of what `shadow` gave back; `pictures` is the folder that it filled."""
    drawn = {rule.id: drawn_of(rule) for rule in rules}
    would = result["alarms"]
    new = [_would(one, drawn, pictures, "changed", t("tag_new")) for one in would if one["match"] is None]
    also = [_would(one, drawn, pictures, "hit", t("tag_also")) for one in would if one["match"] is not None]
    spared = [_spared(one, drawn, media, t) for one in result["spared_alarms"]]
    lead = t(
        "shadow_lead",
        start=_moment(result["from"]),
        end=_moment(result["to"]),
        footage=_span(result["footage_s"]),
        missing=_span(result["missing_s"]),
    )
    names = ", ".join(rule["name"] for rule in result["rules"])
    parts = [
        tiles(
            [
                (t("would"), str(result["would"]), f"{t('new')}: {result['new']}"),
                (t("raised"), str(result["raised"]), f"{t('also')}: {len(also)}"),
                (t("spared"), str(result["spared"]), ""),
                (t("speed"), f"{cell(result['speed'])}×", t("speed_note", pictures=result["pictures"])),
            ]
        )
    ]
    if any(result["suppressed"].values()):
        rows = [
            (rule, reason, count) for rule, reasons in result["suppressed"].items() for reason, count in reasons.items()
        ]
        parts.append(section(t("suppressed"), table((t("rule"), t("reason"), t("count")), rows)))
    for key, found in (("new", new), ("spared", spared), ("also", also)):
        shown = moments(found[:_MOST]) or f'<p class="muted">{t("none")}</p>'
        rest = f'<p class="muted">{t("left_out", count=len(found) - _MOST)}</p>' if len(found) > _MOST else ""
        parts.append(section(f"{t(key)} ({len(found)})", shown, rest))
    return page(t("shadow", camera=result["camera"]), [lead, f"{names} · {result['detector']}"], parts, t.language)


Drawn = Mapping[str, tuple[Sequence[Any], Sequence[Any]]]


def _would(one: Mapping[str, Any], drawn: Drawn, folder: Path, kind: str, tag: str) -> Moment:
    lines, polygons = drawn.get(one["rule"], ((), ()))
    shots = _shots(
        folder / one["picture"] if one["picture"] else None,
        boxes=[(tuple(one["box"]), f"{one['label']} {one['score']:.2f}", True)],
        lines=lines,
        polygons=polygons,
        path=[(x, y) for _, x, y in one["path"]],
        point=tuple(one["point"]),
    )
    notes = (one["kind"], one["direction"], f"{one['label']} {one['score']:.2f}", one["rule_name"])
    return Moment(kind=kind, tag=tag, title=_moment(one["wall"]), notes=notes, shots=shots)


def _spared(one: Mapping[str, Any], drawn: Drawn, media: Path, t: Texts) -> Moment:
    lines, polygons = drawn.get(one["rule"], ((), ()))
    shots = _shots(media / one["snapshot"] if one["snapshot"] else None, lines=lines, polygons=polygons)
    notes = (one["kind"], one["label"], one["rule_name"])
    return Moment(kind="hit", tag=t("tag_spared"), title=_moment(one["wall"]), notes=notes, shots=shots)


def _shots(file: Path | None, **drawn: Any) -> list[Shot]:
    """The picture at that path, unless it is gone by now."""
    import simplejpeg

    if file is None:
        return []
    try:
        jpeg = file.read_bytes()
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    except (OSError, ValueError):
        return []
    return [Shot(jpeg=jpeg, width=width, height=height, **drawn)]


def _moment(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
