"""ByteTrack over arrays, for any picture rate (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022).

Three rounds per picture: sure detections against all tracks by overlap; unsure detections against the tracks just
seen that are still unmatched (an occluded person scores low, but is where the track expects it); last, what is left
of both by distance of the centres in box heights, for pictures so far apart that boxes do not overlap.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from perishield.model.vision import MOTION, Detections, TrackBox
from perishield.tracking.association import Indices, assign, iou_matrix, nearness_matrix
from perishield.tracking.kalman import Floats, KalmanBank, centre_size, coasted

_REACH_SIGMAS = 3.0
_TURN_PER_S = 1.5
_REACH_LIMIT = 1.5
_OTHER_CLASS = 0.5
_VOTE_MEMORY = 0.95
_YOUNG = 2
_TENTATIVE_S = 0.25
_BACKWARDS_S = 1.0


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
        lost_s: float = 2.0,
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
        self._clear()

    def _clear(self) -> None:
        self._bank = KalmanBank()
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._hits: NDArray[np.int64] = np.zeros(0, np.int64)
        self._misses: NDArray[np.int64] = np.zeros(0, np.int64)
        self._unseen_s: Floats = np.zeros(0)
        self._scores: Floats = np.zeros(0)
        self._votes: Floats = np.zeros((0, len(self._labels)))

    def reset(self) -> None:
        """Forget every object (the stream was interrupted); ids go on."""
        self._time_s = math.nan
        self._clear()

    def update(self, detections: Detections, time_s: float) -> list[TrackBox]:
        """The objects of the picture taken at `time_s` (monotonic seconds): detected ones, then predicted ones.

        Boxes that are not finite or have no area are ignored. A clock that runs backwards by more than a second
        means another recording: all objects are forgotten.
        """
        boxes, scores, classes = self._usable(detections)
        self._predict(time_s)
        measured = centre_size(boxes)
        matched, unmatched = self._associate(boxes, measured, scores, classes)
        found = np.flatnonzero(matched >= 0)
        self._correct(matched[found], measured[found], scores[found], classes[found])
        least = np.where(self._motion, self.new_motion, self.new)[classes[unmatched]]
        fresh = unmatched[scores[unmatched] >= least]
        matched[fresh] = len(self._bank) + np.arange(len(fresh))
        self._start(measured[fresh], scores[fresh], classes[fresh])
        seen = np.flatnonzero(matched >= 0)
        result = self._report(matched[seen], boxes[seen], seen=True)
        coasting = np.flatnonzero((self._misses > 0) & (self._hits > 1) & (self._unseen_s <= self.coast_s))
        if len(coasting):
            result += self._report(coasting, self._bank.boxes()[coasting], seen=False)
        self._forget()
        return result

    def _usable(self, detections: Detections) -> tuple[Floats, Floats, Indices]:
        boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
        scores = np.asarray(detections.scores, np.float64)
        classes = np.asarray(detections.classes, np.intp)
        if detections.names != self._names:
            self._learn(detections.names)
        good = (
            np.isfinite(boxes).all(axis=1)
            & (boxes[:, 2] > boxes[:, 0])
            & (boxes[:, 3] > boxes[:, 1])
            & (scores >= self.low)
            & (classes >= 0)
            & (classes < len(detections.names))
        )
        return boxes[good], scores[good], self._class_of[classes[good]]

    def _predict(self, time_s: float) -> None:
        elapsed_s = time_s - self._time_s
        if elapsed_s < -_BACKWARDS_S:
            self._clear()
        if not -_BACKWARDS_S <= elapsed_s <= 0 and math.isfinite(time_s):
            self._time_s = time_s
        step_s = elapsed_s if 0 < elapsed_s < math.inf else 0.0
        before = coasted(self._unseen_s)
        self._unseen_s = self._unseen_s + step_s
        self._misses = self._misses + 1
        self._bank.predict(step_s, coasted(self._unseen_s) - before)

    def _associate(self, boxes: Floats, measured: Floats, scores: Floats, classes: Indices) -> tuple[Indices, Indices]:
        """Row of the object per detection, -1 for none; and the sure detections that nobody claimed."""
        matched = np.full(len(boxes), -1, np.intp)
        sure, unsure = np.flatnonzero(scores >= self.high), np.flatnonzero(scores < self.high)
        if not len(self._bank) or not len(boxes):
            return matched, sure
        labels = self._votes.argmax(axis=1)
        same = labels[:, None] == classes[None, :]
        overlap = iou_matrix(self._bank.boxes(), boxes) * np.where(same, 1.0, _OTHER_CLASS)

        rows, columns = assign(overlap[:, sure] * scores[sure], self.match_sure)
        matched[sure[columns]] = rows
        free = np.setdiff1d(np.arange(len(self._bank)), rows, assume_unique=True)
        sure = np.delete(sure, columns)

        recent = free[self._misses[free] == 1]
        if len(recent) and len(unsure):
            rows, columns = assign(overlap[np.ix_(recent, unsure)], self.match_unsure)
            matched[unsure[columns]] = recent[rows]
            free = np.setdiff1d(free, recent[rows], assume_unique=True)

        recent = free[(self._misses[free] == 1) | (self._hits[free] <= _YOUNG)]
        if len(recent) and len(sure):
            reach = _REACH_SIGMAS * self._bank.uncertainty()[recent] + _TURN_PER_S * self._unseen_s[recent]
            reach = np.minimum(reach, _REACH_LIMIT)
            loose = self._motion[labels[recent]]
            near = nearness_matrix(self._bank.mean[recent], measured[sure], reach, loose) * same[np.ix_(recent, sure)]
            rows, columns = assign(near, 1e-6)
            matched[sure[columns]] = recent[rows]
            sure = np.delete(sure, columns)
        return matched, sure

    def _correct(self, rows: Indices, measured: Floats, scores: Floats, classes: Indices) -> None:
        self._bank.correct(rows, measured)
        self._hits[rows] += 1
        self._misses[rows] = 0
        self._unseen_s[rows] = 0.0
        self._scores[rows] = scores
        self._votes[rows] *= _VOTE_MEMORY
        self._votes[rows, classes] += scores

    def _start(self, measured: Floats, scores: Floats, classes: Indices) -> None:
        count = len(measured)
        if not count:
            return
        self._bank.append(measured)
        self._ids = np.concatenate([self._ids, np.arange(self._next_id, self._next_id + count)])
        self._next_id += count
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._misses = np.concatenate([self._misses, np.zeros(count, np.int64)])
        self._unseen_s = np.concatenate([self._unseen_s, np.zeros(count)])
        self._scores = np.concatenate([self._scores, scores])
        votes = np.zeros((count, len(self._labels)))
        votes[np.arange(count), classes] = scores
        self._votes = np.concatenate([self._votes, votes])

    def _forget(self) -> None:
        """Drop who was out of sight for too long.

        A pause between pictures is no absence: an object must have been missed in two pictures at least. One that
        was detected only once gets less patience, since it is noise more often than not.
        """
        patience = np.where(self._hits > 1, self.lost_s, self.tentative_s)
        keep = (self._unseen_s <= patience) | (self._misses <= np.where(self._hits > 1, 1, 0))
        if keep.all():
            return
        self._bank.keep(keep)
        self._ids, self._hits, self._misses = self._ids[keep], self._hits[keep], self._misses[keep]
        self._unseen_s, self._scores, self._votes = self._unseen_s[keep], self._scores[keep], self._votes[keep]

    def _learn(self, names: tuple[str, ...]) -> None:
        """Another network took over: its classes by name, so that objects keep what they are known as."""
        self._names = names
        self._labels += [name for name in dict.fromkeys(names) if name not in self._labels]
        self._class_of = np.array([self._labels.index(name) for name in names], np.intp)
        self._motion = np.array([name == MOTION for name in self._labels], np.bool_)
        wider = np.zeros((len(self._bank), len(self._labels)))
        wider[:, : self._votes.shape[1]] = self._votes
        self._votes = wider

    def _report(self, rows: Indices, boxes: Floats, *, seen: bool) -> list[TrackBox]:
        columns = zip(
            self._ids[rows].tolist(),
            self._votes[rows].argmax(axis=1).tolist() if len(rows) else (),
            self._scores[rows].tolist(),
            boxes.tolist(),
            self._hits[rows].tolist(),
            strict=True,
        )
        return [
            TrackBox(track, self._labels[label], score, (box[0], box[1], box[2], box[3]), hits, seen)
            for track, label, score, box, hits in columns
        ]
