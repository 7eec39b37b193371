"""`python -m perishield.evaluation.cost_plot FILE... > cost.svg`: how cost grows with the number of cameras.

Every FILE is the JSON of one `perishield bench ingest --json`; ours and the peer's are drawn side by side.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT = 340, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 34, 36
_OURS, _PEER = "#2563eb", "#9ca3af"


def svg(results: Sequence[dict[str, Any]]) -> str:
    """A drawing of processor time and of memory over the number of cameras."""
    points = sorted(results, key=lambda result: int(result["cameras"]))
    panels = [
        _panel(points, 0, "CPU cores", "cpu_cores", "peer_cpu_cores"),
        _panel(points, _WIDTH, "memory, MB (PSS)", "pss_mb", "peer_pss_mb"),
    ]
    legend = (
        f'<text x="{_LEFT}" y="{_HEIGHT + 14}" fill="{_OURS}">PyPeriShield</text>'
        f'<text x="{_LEFT + 110}" y="{_HEIGHT + 14}" fill="{_PEER}">one ffmpeg per camera</text>'
    )
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT + 24}" viewBox="0 0 {2 * _WIDTH} {_HEIGHT + 24}"'
    style = 'font-family="sans-serif" font-size="12" fill="#6b7280"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(panels)}{legend}</svg>\n'


def _panel(points: Sequence[dict[str, Any]], x: int, title: str, ours: str, peer: str) -> str:
    most = max([float(p[key]) for p in points for key in (ours, peer) if p.get(key) is not None], default=1.0)
    farthest = max(int(p["cameras"]) for p in points)
    parts = [f'<text x="{x + _LEFT}" y="18" font-weight="bold">{title}</text>']
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        parts.append(f'<line x1="{x + _LEFT}" x2="{x + _WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x + _LEFT - 6}" y="{y + 4}" text-anchor="end">{_label(most * share)}</text>')
    for key, colour in ((peer, _PEER), (ours, _OURS)):
        places = [
            (x + _x(int(p["cameras"]) / farthest), _y(float(p[key]) / most)) for p in points if p.get(key) is not None
        ]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in places]
    for p in points:
        place = x + _x(int(p["cameras"]) / farthest)
        parts.append(f'<text x="{place:.1f}" y="{_HEIGHT - 16}" text-anchor="middle">{p["cameras"]}</text>')
    return "".join(parts)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT - 10)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


if __name__ == "__main__":
    sys.stdout.write(svg([json.loads(Path(name).read_text()) for name in sys.argv[1:]]))
