"""One self-contained page: style, tables, plots and explained pictures. No script, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from perishield.model.geometry import Box, Point

_STYLE = """
:root{color-scheme:light dark;--bg:#f3f5f8;--card:#fff;--line:#dde3ea;--text:#17202a;--muted:#566475;
--accent:#2c68e0;--ok:#1f8a56;--bad:#d8352d;--warn:#b26a06}@media(prefers-color-scheme:dark){:root{--bg:#0d1116;
--card:#141a21;--line:#2a3541;--text:#e4eaf0;--muted:#98a5b3;--accent:#6ea2ff;--ok:#3cc485;--bad:#ff625a;
--warn:#efa53c}}*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 48px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;
margin:32px 0 12px}h3{font-size:15px;margin:0}p{margin:4px 0}.muted{color:var(--muted)}.card{
background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px}.tiles{display:grid;
grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin-top:16px}.tile b{display:block;
font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}.tile small{color:var(--muted)}.wide{
overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{
color:var(--muted);font-weight:600}th:first-child,td:first-child{text-align:left}td:first-child{
white-space:normal;overflow-wrap:anywhere;min-width:110px}tr:last-child td{border-bottom:0}.moment{
margin-bottom:12px;break-inside:avoid}.moment header{display:flex;flex-wrap:wrap;gap:2px 12px;
align-items:baseline;margin-bottom:8px}.tag{font-weight:600;font-size:13px;padding:1px 8px;border-radius:9px;
border:1px solid currentColor}.miss,.false,.lost{color:var(--bad)}.hit,.gained{color:var(--ok)}.other,.changed{
color:var(--warn)}.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:8px}figure{
margin:0}figure svg{display:block;width:100%;height:auto;background:#000;border-radius:5px}figcaption{
font-size:12px;color:var(--muted);margin-top:2px}.plot{width:100%;height:auto;display:block}.plot text{
fill:var(--muted);font-size:12px}.grid{stroke:var(--line)}.bar{fill:var(--accent)}.dot{fill:var(--accent)}
.whisker{stroke:var(--accent);stroke-width:3;stroke-linecap:round}.limit{stroke:var(--bad);stroke-dasharray:4 3}
@media print{:root{--bg:#fff;--card:#fff;--line:#ccc;--text:#000;--muted:#444;--accent:#2257c2;--ok:#17693f;
--bad:#b5221b;--warn:#8a5204}body{font-size:11px}main{max-width:none;padding:0}.strip{
grid-template-columns:repeat(3,1fr)}.card{padding:8px}h2{break-after:avoid}*{print-color-adjust:exact;
-webkit-print-color-adjust:exact}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture and what is drawn over it, all coordinates normalised (0..1).

    `boxes`: box, label, and whether it is the one that matters.
    """

    jpeg: bytes
    width: int
    height: int
    caption: str = ""
    boxes: Sequence[tuple[Box, str, bool]] = ()
    lines: Sequence[Sequence[Point]] = ()
    polygons: Sequence[Sequence[Point]] = ()
    path: Sequence[Point] = ()
    point: Point | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One hit, miss, false alarm or would-be alarm with its pictures. `kind`: a class of the style sheet."""

    kind: str
    tag: str
    title: str
    notes: Sequence[str] = ()
    shots: Sequence[Shot] = field(default_factory=tuple)


def page(title: str, lead: Iterable[str], parts: Iterable[str], language: str = "en") -> str:
    """The whole document; `parts` are HTML already, `title` and `lead` are text."""
    lines = "".join(f'<p class="muted">{escape(line)}</p>' for line in lead)
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{lines}"
        f"{''.join(parts)}</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def tiles(items: Iterable[tuple[str, str, str]]) -> str:
    """Name, figure and what qualifies it."""
    cards = "".join(
        f'<div class="card tile"><small>{escape(name)}</small><b>{escape(value)}</b><small>{escape(note)}</small></div>'
        for name, value, note in items
    )
    return f'<div class="tiles">{cards}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="card wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)


def share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %".replace(".0 %", " %")


def between(bounds: Sequence[float] | None, *, percent: bool = False) -> str:
    if bounds is None:
        return "–"
    low, high = (share(bound) if percent else cell(round(bound, 2)) for bound in bounds)
    return f"{low} … {high}"


def moments(found: Iterable[Moment]) -> str:
    return "".join(_moment(one) for one in found)


def _moment(one: Moment) -> str:
    notes = "".join(f'<span class="muted">{escape(note)}</span>' for note in one.notes if note)
    shots = "".join(_figure(shot) for shot in one.shots)
    strip = f'<div class="strip">{shots}</div>' if shots else ""
    return (
        f'<article class="card moment"><header><span class="tag {escape(one.kind)}">{escape(one.tag)}</span>'
        f"<h3>{escape(one.title)}</h3>{notes}</header>{strip}</article>"
    )


def _figure(shot: Shot) -> str:
    """The picture at 320 units of width, so that lines and letters are of one size whatever the camera."""
    wide = 320.0
    high = wide * shot.height / max(shot.width, 1)

    def at(points: Iterable[Point]) -> str:
        return " ".join(f"{x * wide:.1f},{y * high:.1f}" for x, y in points)

    data = base64.b64encode(shot.jpeg).decode("ascii")
    parts = [f'<image href="data:image/jpeg;base64,{data}" width="{wide:g}" height="{high:.1f}"/>']
    parts += [
        f'<polygon points="{at(polygon)}" fill="#ffd23f" fill-opacity=".18" stroke="#ffd23f"/>'
        for polygon in shot.polygons
    ]
    parts += [f'<polyline points="{at(line)}" fill="none" stroke="#ffd23f" stroke-width="2"/>' for line in shot.lines]
    if len(shot.path) > 1:
        parts.append(f'<polyline points="{at(shot.path)}" fill="none" stroke="#35d0ff" stroke-width="2"/>')
    for box, label, main in shot.boxes:
        colour = "#ff4d4d" if main else "#7dff9b"
        x1, y1, x2, y2 = box
        parts.append(
            f'<rect x="{x1 * wide:.1f}" y="{y1 * high:.1f}" width="{max(x2 - x1, 0) * wide:.1f}" '
            f'height="{max(y2 - y1, 0) * high:.1f}" fill="none" stroke="{colour}" stroke-width="{2 if main else 1}"/>'
        )
        if label:
            # Above the box, or inside it where there is no room.
            below = y1 * high + (-3 if y1 * high > 12 else 10)
            parts.append(
                f'<text x="{x1 * wide + 1:.1f}" y="{below:.1f}" fill="{colour}" font-size="10" paint-order="stroke" '
                f'stroke="#000" stroke-width="2.5">{escape(label)}</text>'
            )
    if shot.point is not None:
        x, y = shot.point
        parts.append(f'<circle cx="{x * wide:.1f}" cy="{y * high:.1f}" r="4" fill="#ff4d4d" stroke="#fff"/>')
    name = escape(shot.caption, quote=True)
    caption = f"<figcaption>{escape(shot.caption)}</figcaption>" if shot.caption else ""
    return (
        f'<figure><svg viewBox="0 0 {wide:g} {high:.1f}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
        f"{caption}</figure>"
    )


def whiskers(rows: Sequence[tuple[str, float | None, Sequence[float] | None]], *, top: float, unit: str = "") -> str:
    """Values with their bounds, one a line, from 0 to `top`."""
    left, right, step = 190, 690, 26
    height = step * len(rows) + 30
    scale = (right - left) / top if top > 0 else 0.0
    parts = []
    for number in range(5):
        x = left + (right - left) * number / 4
        mark = f"{top * number / 4:.3g}{unit}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="4" y2="{height - 22}"/>')
        parts.append(f'<text x="{x}" y="{height - 6}" text-anchor="middle">{escape(mark)}</text>')
    for number, (name, value, bounds) in enumerate(rows):
        y = 18 + step * number
        shown = name if len(name) <= 28 else f"…{name[-27:]}"
        parts.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(shown)}</text>')
        if bounds is not None:
            x1, x2 = (left + min(max(bound, 0.0), top) * scale for bound in bounds)
            parts.append(f'<line class="whisker" opacity=".4" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y}" y2="{y}"/>')
        if value is not None:
            parts.append(f'<circle class="dot" cx="{left + min(value, top) * scale:.1f}" cy="{y}" r="5"/>')
    return f'<div class="card"><svg class="plot" viewBox="0 0 720 {height}">{"".join(parts)}</svg></div>'


def histogram(values: Sequence[float], *, unit: str, limit: float | None = None, bins: int = 12) -> str:
    """How often which value, with a line at a `limit` that was promised."""
    low, high = min([0.0, *values]), max([limit or 0.0, *values]) * 1.02 or 1.0
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    most = max(counts) or 1
    parts = []
    for number, count in enumerate(counts):
        x, tall = 40 + number * 640 / bins, 110 * count / most
        if count:
            parts.append(
                f'<rect class="bar" x="{x + 1:.1f}" y="{130 - tall:.1f}" width="{640 / bins - 2:.1f}" '
                f'height="{tall:.1f}"/>'
            )
            parts.append(f'<text x="{x + 320 / bins:.1f}" y="{126 - tall:.1f}" text-anchor="middle">{count}</text>')
    parts.append('<line class="grid" x1="40" x2="680" y1="130" y2="130"/>')
    for number in range(5):
        mark = low + (high - low) * number / 4
        parts.append(f'<text x="{40 + 160 * number}" y="148" text-anchor="middle">{mark:.2g}{escape(unit)}</text>')
    if limit is not None:
        x = 40 + 640 * (limit - low) / (high - low)
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="130"/>')
    return f'<div class="card"><svg class="plot" viewBox="0 0 720 156">{"".join(parts)}</svg></div>'
