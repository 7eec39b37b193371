"""Pictures of a clip's moments, with what was seen and drawn: taken in a second pass, once it is known which matter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perishield.evaluation.clip_run import ClipRun, Seen, rules_of
from perishield.evaluation.report_page import Moment, Shot
from perishield.evaluation.report_texts import Texts
from perishield.evaluation.scorer import Found, Score
from perishield.model.geometry import Point
from perishield.model.rules import Rule, rule_to_dict

WIDTH = 400
MOST = 150
"""Moments with pictures in one report, misses and false alarms first: each takes some 40 kB."""
_AROUND_S = (-1.0, 0.0, 1.0)
_NEAR_S = 0.6
_LINES = ("line", "outer", "inner")
_POLYGONS = ("polygon",)


@dataclass(slots=True)
class Strips:
    """The moments of a whole run, as they come clip by clip."""

    texts: Texts
    misses: list[Moment] = field(default_factory=list)
    falses: list[Moment] = field(default_factory=list)
    hits: list[Moment] = field(default_factory=list)
    others: list[Moment] = field(default_factory=list)
    pictured: int = 0

    def add(self, run: ClipRun, score: Score) -> None:
        """Take the pictures of one clip. A clip that cannot be decoded again has none."""
        hits = sorted(score.pairs, key=lambda pair: pair[0].time_s)
        wanted = [
            *((truth.time_s, None, truth.rule) for truth in score.missed),
            *((found.time_s, found, found.rule) for found in score.false),
            *((found.time_s, found, found.rule) for _, found in hits),
            *((found.time_s, found, found.rule) for found in score.unscored),
        ]
        wanted = wanted[: max(0, MOST - self.pictured)]
        self.pictured += len(wanted)
        times = [max(0.0, time_s + offset) for time_s, _, _ in wanted for offset in _AROUND_S]
        pictures = _pictures(run, times)
        drawn = {rule.id: rule for rule in rules_of(run.clip)}
        strips = [
            [_shot(run, drawn[rule], found, pictures[time_s]) for time_s in _times(at) if time_s in pictures]
            for at, found, rule in wanted
        ]
        strips += [[]] * (len(score.missed) + len(score.false) + len(hits) + len(score.unscored) - len(strips))
        shots = iter(strips)
        file, t = run.clip.file, self.texts
        for truth in score.missed:
            notes = (truth.rule, truth.type, truth.direction or "", t("at", t=f"{truth.time_s:.2f}"))
            self.misses.append(Moment(kind="miss", tag=t("tag_miss"), title=file, notes=notes, shots=next(shots)))
        for found in score.false:
            self.falses.append(_of(found, file, "false", t, next(shots)))
        for _, found in hits:
            self.hits.append(_of(found, file, "hit", t, next(shots)))
        for found in score.unscored:
            self.others.append(_of(found, file, "other", t, next(shots)))


def _times(at: float) -> list[float]:
    return sorted({max(0.0, at + offset) for offset in _AROUND_S})


def _of(found: Found, file: str, kind: str, t: Texts, shots: Sequence[Shot]) -> Moment:
    way = found.directions[0] if found.directions else ""
    notes = (found.rule, found.type, way, t("at", t=f"{found.time_s:.2f}"), f"{found.label} {found.score:.2f}")
    return Moment(kind=kind, tag=t(f"tag_{kind}"), title=file, notes=notes, shots=shots)


def _shot(run: ClipRun, rule: Rule, found: Found | None, picture: tuple[float, bytes, int, int]) -> Shot:
    time_s, jpeg, width, height = picture
    seen = _seen_at(run.seen, time_s)
    boxes = []
    for track in seen.tracks if seen is not None else ():
        x1, y1, x2, y2 = track.box
        w, h = (seen.width, seen.height) if seen is not None else (1, 1)
        main = found is not None and track.id == found.track
        boxes.append(((x1 / w, y1 / h, x2 / w, y2 / h), f"{track.label} {track.score:.2f}", main))
    path = [(x, y) for at, x, y in found.path if at <= time_s + _NEAR_S] if found is not None else []
    lines, polygons = drawn_of(rule)
    return Shot(
        jpeg=jpeg,
        width=width,
        height=height,
        caption=f"{time_s:.2f} s",
        boxes=boxes,
        lines=lines,
        polygons=polygons,
        path=path,
        point=found.point if found is not None and time_s >= found.time_s - 0.2 else None,
    )


def drawn_of(rule: Rule | Mapping[str, Any]) -> tuple[list[Sequence[Point]], list[Sequence[Point]]]:
    """A rule's lines and polygons, whatever its kind; the rule as such or as plain data."""
    plain = rule if isinstance(rule, Mapping) else rule_to_dict(rule)
    lines, polygons = ([plain[name] for name in names if plain.get(name)] for names in (_LINES, _POLYGONS))
    return lines, polygons


def _seen_at(seen: Sequence[Seen], time_s: float) -> Seen | None:
    """What was looked at nearest to that time, if near enough."""
    place = bisect_left(seen, time_s, key=lambda one: one.time_s)
    near = min(seen[max(0, place - 1) : place + 1], key=lambda one: abs(one.time_s - time_s), default=None)
    return near if near is not None and abs(near.time_s - time_s) <= _NEAR_S / 2 else None


def _pictures(run: ClipRun, times: Iterable[float]) -> dict[float, tuple[float, bytes, int, int]]:
    """By time asked for: the time of the picture, its JPEG, and its size; the picture shown at that time."""
    import av

    from perishield.vision.still import encode_frame, fitted

    wanted = sorted(set(times))
    taken: dict[float, tuple[float, bytes, int, int]] = {}
    fps = run.clip.fps
    first: float | None = None
    if not wanted:
        return taken
    try:
        with av.open(str(run.clip.path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                stamp = frame.time or 0.0
                first = stamp if first is None else first
                now = number / fps if fps else stamp - first
                due = bisect_right(wanted, now + 0.5 / (fps or 25.0))
                if due:
                    small = fitted(frame, WIDTH)
                    shot = now, encode_frame(small, 72), small.width, small.height
                    taken.update(dict.fromkeys(wanted[:due], shot))
                    del wanted[:due]
                if not wanted:
                    break
    except (av.FFmpegError, OSError, IndexError):
        return taken
    return taken
