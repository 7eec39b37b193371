"""ByteTrack over arrays, for any picture rate (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022).

Three rounds per picture: sure detections against all tracks by overlap; unsure detections against the tracks just
seen that are still unmatched (an occluded person scores low, but is where the track expects it); last, what is left
of both by distance of the centres in box heights, for pictures so far apart that boxes do not overlap.

Beyond the paper, a fourth: who was lost a moment ago goes on as whoever appears near there, with nobody else around.
Who comes down from a fence has stopped, while his filter still falls.

Who is taken for two for a moment, and for one again, stays who he was: see `rivals.same_place`.

Beyond it as well: what moves where an object is expected shows that it is still there, also in pictures in which no
network named it (a climber by infrared light is named in every other one). Such evidence moves an object along and
keeps it; it starts none, names none, and is no detection.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from perishield.model.vision import LARGE_ANIMALS, MOTION, PERSON, SMALL_ANIMALS, Detections, TrackBox
from perishield.tracking.association import Indices, assign, assign_pairs, nearness_matrix, overlapping, usable
from perishield.tracking.camera_motion import STILL, Shift
from perishield.tracking.kalman import Floats, KalmanBank, centre_size, corners, way
from perishield.tracking.kin import Kin
from perishield.tracking.rivals import apart, beside, in_company, moved_on, same_place, twins

_REACH_SIGMAS = 3.0
_TURN_PER_S = 1.5
_REACH_LIMIT = 1.5
_OTHER_CLASS = 0.75
_VOTE_MEMORY = 0.95
_YOUNG = 2
_UNLIKE = 1.8
_UNLIKE_MOTION = 4.0
"""Blobs of motion tear and merge."""
_ALONE_S = 1.2
_ALONE_REACH = 0.6
_ALONE_PER_S = 1.2
_ALONE_UNLIKE = 2.6
"""Of a person in the dark a network sees the jacket in one picture and all of him in the next."""
_TENTATIVE_S = 0.25
_BESIDE_S = 0.6
_CROWD = 20
"""From so many on everybody comes out of somebody's box."""
_BACKWARDS_S = 1.0
_NAMED = 3
"""Detections from which an object that merely moves is reported as seen."""
_MOVES_S = 4.0
"""How long movement alone keeps an object."""
_LIVING = SMALL_ANIMALS | LARGE_ANIMALS | {PERSON}
_COLUMNS = 11
_NOTHING: Floats = np.zeros((0, 4))


class ByteTracker:
    """Follows the objects of one camera.

    `fps`: the rate at which pictures usually come; gaps and other rates are fine, every prediction uses the real time.
    `high`: score from which a detection is sure. `low`: below it a detection is ignored. `new`: score that starts a
    track; `new_motion` for motion that nobody classified (less merely differs from the background). `lost_s`: seconds
    that an object may be out of sight. `coast_s`: seconds for which its predicted box is still reported
    (`seen=False`). Ids count from 1 and are never used again, not even after `reset`.
    """

    def __init__(
        self,
        fps: float = 6.0,
        *,
        high: float = 0.35,
        low: float = 0.1,
        new: float = 0.35,
        new_motion: float = 0.6,
        lost_s: float = 3.0,
        coast_s: float = 0.5,
        match_sure: float = 0.2,
        match_unsure: float = 0.5,
    ) -> None:
        self.high = high
        self.low = low
        self.new = new
        self.new_motion = new_motion
        self.lost_s = lost_s
        self.coast_s = coast_s
        self.tentative_s = max(_TENTATIVE_S, 1.5 / fps) if fps > 0 else _TENTATIVE_S
        self.match_sure = match_sure
        self.match_unsure = match_unsure
        self._next_id = 1
        self._time_s = math.nan
        self._names: tuple[str, ...] = ()
        self._labels: list[str] = []
        self._class_of: Indices = np.zeros(0, np.intp)
        self._motion: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._living: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._clear()

    def _clear(self) -> None:
        self._bank = KalmanBank()
        self._kin = Kin()
        self._votes: Floats = np.zeros((0, len(self._labels)))
        self._name(np.zeros((_COLUMNS, 0)))

    def _name(self, table: Floats) -> None:
        """Views of one table, so that growing and dropping touches one array and not six."""
        self._table = table
        self._ids, self._hits, self._misses, self._label, self._unseen_s, self._scores, self._unnamed_s = table[:7]
        self._last = table[7:]
        """(4, n) centre and size when last measured."""

    def reset(self) -> None:
        """Forget every object (the stream was interrupted); ids go on."""
        self._time_s = math.nan
        self._clear()

    def update(
        self, detections: Detections, time_s: float, shift: Shift = STILL, moving: Floats = _NOTHING
    ) -> list[TrackBox]:
        """The objects of the picture taken at `time_s` (monotonic seconds): detected ones, then predicted ones.

        `shift`: how the whole picture has moved since the last one, where the camera shakes. `moving`: boxes (n, 4)
        xyxy of what moves, whatever it is. Boxes that are not finite or have no area are ignored. A clock that runs
        backwards by more than a second means another recording: all objects are forgotten.
        """
        boxes, scores, classes = self._usable(detections)
        self._predict(time_s)
        if shift is not STILL:
            self._bank.shift(shift.scale, shift.x, shift.y)
            self._last *= shift.scale
            self._last[:2] += np.array([[shift.x], [shift.y]])
        expected = self._bank.boxes()
        measured = centre_size(boxes)
        matched, unmatched = self._associate(expected, boxes, measured, scores, classes)
        found = (matched >= 0).nonzero()[0]
        self._correct(matched[found], measured[found], scores[found], classes[found])
        self._inherit(expected, boxes, measured, scores, matched)
        moved, where = self._sustain(moving, boxes[found])
        hidden = ((self._misses > 0) & (self._unseen_s <= self.coast_s) & (self._hits > 1)).nonzero()[0]
        if len(unmatched):
            least = np.where(self._motion, self.new_motion, self.new)[classes[unmatched]]
            fresh = unmatched[scores[unmatched] >= least]
            fresh = np.delete(fresh, twins(boxes, classes, fresh, found, scores, self._living))
            if len(fresh):
                matched[fresh] = len(self._bank) + np.arange(len(fresh))
                self._kin.append(*self._beside_whom(boxes[fresh], classes[fresh], expected))
                self._start(measured[fresh], scores[fresh], classes[fresh])
                found = (matched >= 0).nonzero()[0]
        rows, shown = np.concatenate([matched[found], moved]), np.concatenate([boxes[found], where])
        if len(hidden):
            rows, shown = np.concatenate([rows, hidden]), np.concatenate([shown, expected[hidden]])
        result = self._report(rows, shown, len(found) + len(moved))
        self._forget()
        return result

    def _usable(self, detections: Detections) -> tuple[Floats, Floats, Indices]:
        if detections.names != self._names:
            self._learn(detections.names)
        boxes, scores, classes = usable(detections, self.low)
        return boxes, scores, self._class_of[classes]

    def _predict(self, time_s: float) -> None:
        elapsed_s = time_s - self._time_s
        if elapsed_s < -_BACKWARDS_S:
            self._clear()
        if not -_BACKWARDS_S <= elapsed_s <= 0 and math.isfinite(time_s):
            self._time_s = time_s
        step_s = elapsed_s if 0 < elapsed_s < math.inf else 0.0
        self._bank.predict(step_s, way(self._unseen_s, step_s))
        self._unseen_s += step_s
        self._unnamed_s += step_s
        self._kin.age(step_s)
        self._misses += 1

    def _associate(
        self, expected: Floats, boxes: Floats, measured: Floats, scores: Floats, classes: Indices
    ) -> tuple[Indices, Indices]:
        """Row of the object per detection, -1 for none; and the sure detections that nobody claimed."""
        matched = np.full(len(boxes), -1, np.intp)
        sure = scores >= self.high
        if not len(self._bank) or not len(boxes):
            return matched, sure.nonzero()[0]
        free = np.ones(len(self._bank), np.bool_)
        rows, columns, overlap = overlapping(expected, boxes)
        overlap *= np.where(self._label[rows] == classes[columns], 1.0, _OTHER_CLASS)
        likely = sure[columns]

        value = overlap * scores[columns]
        pairs = (likely & (value >= self.match_sure)).nonzero()[0]
        pairs = pairs[assign_pairs(rows[pairs], columns[pairs], value[pairs])]
        matched[columns[pairs]] = rows[pairs]
        free[rows[pairs]] = False

        recent = free & (self._misses == 1)
        pairs = (~likely & (overlap >= self.match_unsure) & recent[rows]).nonzero()[0]
        if len(pairs):
            pairs = pairs[assign_pairs(rows[pairs], columns[pairs], overlap[pairs])]
            matched[columns[pairs]] = rows[pairs]
            free[rows[pairs]] = False

        unclaimed = (sure & (matched < 0)).nonzero()[0]
        if len(unclaimed):
            near = (free & ((self._misses == 1) | (self._hits <= _YOUNG))).nonzero()[0]
            if len(near):
                self._match_near(near, unclaimed, matched, measured, classes)
                unclaimed = unclaimed[matched[unclaimed] < 0]
        if len(unclaimed) and len(self._bank) <= _CROWD:
            free[matched[matched >= 0]] = False
            lost = free & (self._hits > _YOUNG) & (self._unseen_s <= _ALONE_S)
            lost = (lost & ~self._motion[self._label.astype(np.intp)]).nonzero()[0]
            if len(lost):
                self._match_alone(lost, unclaimed, matched, measured, classes, sure)
                unclaimed = unclaimed[matched[unclaimed] < 0]
        return matched, unclaimed

    def _match_near(
        self, near: Indices, unclaimed: Indices, matched: Indices, measured: Floats, classes: Indices
    ) -> None:
        """The third round: by distance of the centres."""
        reach = _REACH_SIGMAS * self._bank.uncertainty(near) + _TURN_PER_S * self._unseen_s[near]
        labels = self._label[near]
        unlike = np.where(self._motion[labels.astype(np.intp)], _UNLIKE_MOTION, _UNLIKE)
        nearness = nearness_matrix(self._bank.mean[near], measured[unclaimed], np.minimum(reach, _REACH_LIMIT), unlike)
        nearness *= labels[:, None] == classes[unclaimed]
        rows, columns = assign(nearness, 1e-6)
        matched[unclaimed[columns]] = near[rows]

    def _match_alone(
        self,
        lost: Indices,
        unclaimed: Indices,
        matched: Indices,
        measured: Floats,
        classes: Indices,
        sure: NDArray[np.bool_],
    ) -> None:
        """The fourth round: by nearness to where the object should be or to where it was, and only one to one.

        In company nobody is taken for somebody else: crowds are full of people who appear where others were lost.
        """
        unclaimed = unclaimed[~in_company(measured, unclaimed, sure)]
        if not len(unclaimed):
            return
        reach = _ALONE_REACH + _ALONE_PER_S * self._unseen_s[lost]
        unlike = np.full(len(lost), _ALONE_UNLIKE)
        places, found = self._last[:, lost].T.copy(), measured[unclaimed]
        near = nearness_matrix(places, found, reach, unlike) > 0
        places[:, :2] = self._bank.mean[lost, :2]
        near |= nearness_matrix(places, found, reach, unlike) > 0
        near &= self._label[lost][:, None] == classes[unclaimed]
        alone = near & (near.sum(axis=0) == 1) & (near.sum(axis=1) == 1)[:, None]
        rows, columns = alone.nonzero()
        matched[unclaimed[columns]] = lost[rows]

    def _correct(self, rows: Indices, measured: Floats, scores: Floats, classes: Indices) -> None:
        if not len(rows):
            return
        self._bank.correct(rows, measured)
        self._last[:, rows] = measured.T
        self._hits[rows] += 1
        self._misses[rows] = 0
        self._unseen_s[rows] = 0.0
        self._unnamed_s[rows] = 0.0
        self._scores[rows] = scores
        if len(self._labels) > 1:
            votes = self._votes[rows]
            votes *= _VOTE_MEMORY
            votes[np.arange(len(rows)), classes] += scores
            self._votes[rows] = votes
            self._label[rows] = votes.argmax(axis=1)

    def _sustain(self, moving: Floats, found: Floats) -> tuple[Indices, Floats]:
        """Move on whom nobody named in this picture, but something moves where he should be.

        `found`: boxes of those who were. Gives rows and boxes of those to report as seen.
        """
        none = np.zeros(0, np.intp), np.zeros((0, 4))
        waiting = (self._misses > 0) & (self._unnamed_s <= _MOVES_S)
        if not len(moving) or not waiting.any():
            return none
        waiting &= ~self._motion[self._label.astype(np.intp)]
        # Who crouched for a picture before he was named no more does not go on shrinking.
        expected = corners(np.concatenate([self._bank.mean[:, :2], self._last[2:].T], axis=1))
        rows, boxes, whole = moved_on(expected, np.asarray(moving, np.float64), found, waiting)
        if not len(rows):
            return none
        places = centre_size(boxes)
        self._bank.correct(rows, places)
        self._last[:, rows] = places.T
        self._misses[rows] = 0
        self._unseen_s[rows] = 0.0
        known = whole & (self._hits[rows] >= _NAMED)
        return rows[known], boxes[known]

    def _inherit(self, expected: Floats, boxes: Floats, measured: Floats, scores: Floats, matched: Indices) -> None:
        """Who came out of somebody's box a moment ago and is left alone there is that one; who is not keeps company."""
        for parent, child in self._kin.heirs(self._ids, self._bank, self._misses, self._hits):
            here = (matched == child).nonzero()[0]
            # Whoever is known by himself is nobody's rival.
            known = (matched >= 0) & (self._hits[matched] > _YOUNG) & (matched != child)
            alone = not in_company(measured, here, (scores >= self.high) & ~known).any()
            if alone and self._misses[parent] and same_place(expected[[parent]], boxes[here]).all():
                # Two rows were one object, which goes on as the elder and where the younger is.
                self._bank.take(parent, child)
                self._votes[parent] += self._votes[child]
                self._last[:, parent] = self._last[:, child]
                self._hits[parent] += 1
                self._misses[parent] = self._unseen_s[parent] = self._unnamed_s[parent] = 0.0
                self._scores[parent] = self._scores[child]
                self._misses[child], self._unseen_s[child], self._unnamed_s[child] = 9, math.inf, math.inf
                matched[here] = parent

    def _beside_whom(self, boxes: Floats, classes: Indices, expected: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Number of the object out of whose box each of these new ones comes; 0 for none, and in crowds. And whether
        both are seen apart in this picture."""
        near, parted = np.zeros(len(boxes)), np.zeros(len(boxes), np.bool_)
        known = ((self._hits > _YOUNG) & (self._unseen_s <= _BESIDE_S)).nonzero()[0]
        if 0 < len(known) <= _CROWD:
            parents = beside(boxes, classes, expected[known], self._label[known])
            some = (parents >= 0).nonzero()[0]
            rows = known[parents[some]]
            near[some] = self._ids[rows]
            parted[some] = (self._misses[rows] == 0) & apart(corners(self._bank.mean[rows]), boxes[some])
        return near, parted

    def _start(self, measured: Floats, scores: Floats, classes: Indices) -> None:
        count = len(measured)
        self._bank.append(measured)
        table = np.zeros((_COLUMNS, self._table.shape[1] + count))
        table[:, :-count] = self._table
        self._name(table)
        self._ids[-count:] = np.arange(self._next_id, self._next_id + count)
        self._hits[-count:] = 1
        self._label[-count:] = classes
        self._scores[-count:] = scores
        self._last[:, -count:] = measured.T
        self._next_id += count
        votes = np.zeros((count, len(self._labels)))
        votes[np.arange(count), classes] = scores
        self._votes = np.concatenate([self._votes, votes])

    def _forget(self) -> None:
        """Drop who was out of sight for too long.

        A pause between pictures is no absence: an object must have been missed in two pictures at least. One that
        was detected only once gets less patience, since it is noise more often than not.
        """
        settled = self._hits > 1
        patience = np.where(settled, self.lost_s, self.tentative_s)
        gone = (self._unseen_s > patience) & (self._misses > settled)
        if not gone.any():
            return
        keep = (~gone).nonzero()[0]
        self._bank.keep(keep)
        self._kin.keep(keep)
        self._name(self._table[:, keep])
        self._votes = self._votes[keep]

    def _learn(self, names: tuple[str, ...]) -> None:
        """Another network took over: its classes by name, so that objects keep what they are known as."""
        self._names = names
        self._labels += [name for name in dict.fromkeys(names) if name not in self._labels]
        self._class_of = np.array([self._labels.index(name) for name in names], np.intp)
        self._motion = np.array([name == MOTION for name in self._labels], np.bool_)
        self._living = np.array([name in _LIVING for name in self._labels], np.bool_)
        wider = np.zeros((len(self._bank), len(self._labels)))
        wider[:, : self._votes.shape[1]] = self._votes
        self._votes = wider

    def _report(self, rows: Indices, boxes: Floats, seen: int) -> list[TrackBox]:
        """The objects in `rows`, of which the first `seen` were detected."""
        labels = self._labels
        speed = self._bank.speed[rows]
        # Of the foot: the lower edge moves with the centre and half of the growth.
        speed[:, 1] += 0.5 * speed[:, 3]
        ids, hits, named = self._table[[[0], [1], [3]], rows].astype(np.intp).tolist()
        velocities = map(tuple, speed[:, :2].tolist())
        is_seen = [True] * seen + [False] * (len(rows) - seen)
        places, scores = map(tuple, boxes.tolist()), self._scores[rows].tolist()
        columns = zip(ids, named, scores, places, hits, is_seen, velocities, self._kin.of(rows), strict=True)
        return [
            TrackBox(track, labels[name], score, box, hit, real, velocity, "", parent)
            for track, name, score, box, hit, real, velocity, parent in columns
        ]
