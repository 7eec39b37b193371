"""How events that were found compare with events that happened.

Matching is one-to-one and greedy, nearest in time first: same rule, same type, the direction of the truth among those
of the finding, no farther apart than the truth's tolerance. What remains of the truth was missed. What remains of the
findings is a false alarm wherever the labels can tell:

- a clip whose `events` is null is not scored;
- a clip with an empty list, or one in which no person is expected, says that nothing happens: every finding is false;
- otherwise a *type* of event that occurs in the clip's truth was labelled on all of its lines or zones, so that a
  finding of that type that matches nothing is false on every one of them. Types that do not occur in the clip's truth
  were not labelled there; their findings are listed as unscored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from perishield.evaluation.dataset import EventType, LabelledClip, Truth
from perishield.model.geometry import Box, Point

OPERATIONAL_ALERT, EVENT_RECORDING = 0.55, 60.0
"""Recall biases of the Home Office's i-LIDS scheme for its two uses, as quoted; its user guide, in which they are laid
down scenario by scenario, was not at hand to check them against."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding. `directions`: screen directions that describe the way across, the plainest first.

    `time_s`: the crossing; `raised_s`: the picture that decided it, when the alarm goes out (None: not known). `point`
    and `path`: where, and how the track came there, as (seconds, x, y), normalised to the picture like `box`.
    """

    rule: str
    type: EventType
    time_s: float
    directions: tuple[str, ...] = ()
    label: str = ""
    score: float = 0.0
    track: int = 0
    raised_s: float | None = None
    point: Point | None = None
    box: Box | None = None
    path: tuple[tuple[float, float, float], ...] = ()


@dataclass(slots=True)
class Score:
    """Counts add up: `total = sum(scores, Score())` is the score of the whole set."""

    pairs: list[tuple[Truth, Found]] = field(default_factory=list)
    missed: list[Truth] = field(default_factory=list)
    false: list[Found] = field(default_factory=list)
    unscored: list[Found] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.pairs + other.pairs,
            self.missed + other.missed,
            self.false + other.false,
            self.unscored + other.unscored,
        )

    @property
    def events(self) -> int:
        return len(self.pairs) + len(self.missed)

    @property
    def recall(self) -> float | None:
        """Share of the truth that was found; None where nothing happens."""
        return len(self.pairs) / self.events if self.events else None

    @property
    def precision(self) -> float | None:
        """Share of the scored findings that are true; None where nothing was found."""
        found = len(self.pairs) + len(self.false)
        return len(self.pairs) / found if found else None

    @property
    def f1(self) -> float | None:
        weight = 2 * len(self.pairs) + len(self.missed) + len(self.false)
        return 2 * len(self.pairs) / weight if weight else None

    def f_biased(self, alpha: float) -> float | None:
        """(alpha + 1) R P / (R + alpha P): i-LIDS' F1 with recall bias `alpha`.

        The same as F-beta (van Rijsbergen, "Information Retrieval", 1979, chapter 7) with beta squared = alpha. None
        where nothing happens and nothing was found.
        """
        found, missed, false = len(self.pairs), len(self.missed), len(self.false)
        weight = (1 + alpha) * found + alpha * missed + false
        return (1 + alpha) * found / weight if weight else None

    @property
    def delays_s(self) -> list[float]:
        """Seconds from each found event to the picture that raised its alarm; below 0 where the label lies later."""
        return [found.raised_s - truth.time_s for truth, found in self.pairs if found.raised_s is not None]

    @property
    def mean_dt_s(self) -> float | None:
        """Mean distance in time of the matched pairs, seconds."""
        if not self.pairs:
            return None
        return sum(abs(found.time_s - truth.time_s) for truth, found in self.pairs) / len(self.pairs)


def score(clip: LabelledClip, found: Sequence[Found]) -> Score:
    """Compare the findings on one clip with its truth."""
    if clip.events is None:
        if clip.expect_no_person_events:
            return Score(false=list(found))
        return Score(unscored=list(found))
    candidates = sorted(
        (abs(finding.time_s - truth.time_s), truth_index, found_index)
        for truth_index, truth in enumerate(clip.events)
        for found_index, finding in enumerate(found)
        if _matches(truth, finding)
    )
    truth_of: dict[int, int] = {}
    taken: set[int] = set()
    for _, truth_index, found_index in candidates:
        if truth_index not in taken and found_index not in truth_of:
            taken.add(truth_index)
            truth_of[found_index] = truth_index
    labelled = {truth.type for truth in clip.events}
    result = Score(missed=[truth for index, truth in enumerate(clip.events) if index not in taken])
    for index, finding in enumerate(found):
        if index in truth_of:
            result.pairs.append((clip.events[truth_of[index]], finding))
        elif not labelled or finding.type in labelled or clip.expect_no_person_events:
            result.false.append(finding)
        else:
            result.unscored.append(finding)
    return result


def _matches(truth: Truth, found: Found) -> bool:
    return (
        truth.rule == found.rule
        and truth.type == found.type
        and (truth.direction is None or truth.direction in found.directions)
        # Binary fractions: 23.85 - 23.45 is a little more than 0.4.
        and abs(truth.time_s - found.time_s) <= truth.tolerance_s + 1e-6
    )
