"""Who came out of whose box: one body that was taken for two, or somebody who stepped out from behind another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perishield.tracking.association import Indices
from perishield.tracking.kalman import Floats, KalmanBank, corners
from perishield.tracking.rivals import apart

_YOUNG_S = 1.5
_YOUNG_HITS = 3
"""For how long, and in how many detections, who came out of another's box may turn out to be the other one."""
_COMES_S = 4.0
_TOGETHER = 3
"""How soon, and in how many pictures, two must be seen apart of whom one came out of the other's box."""


class Kin:
    """Column i of its table is object i of a tracker: how old it is, out of whose box it came (the number of that one,
    0 for nobody's), and in how many pictures both were seen apart."""

    def __init__(self) -> None:
        self._name(np.zeros((3, 0)))

    def _name(self, table: Floats) -> None:
        self._table = table
        self._age_s, self._beside, self._together = table

    def age(self, step_s: float) -> None:
        self._age_s += step_s

    def append(self, near: Floats, parted: NDArray[np.bool_]) -> None:
        """New objects, each with the number of whom it came out of, and whether both are seen apart already."""
        new = np.zeros((3, len(near)))
        new[1], new[2] = near, parted
        self._name(np.concatenate([self._table, new], axis=1))

    def keep(self, rows: Indices) -> None:
        self._name(self._table[:, rows])

    def of(self, rows: Indices) -> list[int]:
        """The number of whom each came out of, where both have been seen apart; 0 for nobody."""
        if not self._together.any():
            return [0] * len(rows)
        parents: list[int] = np.where(self._together[rows] >= _TOGETHER, self._beside[rows], 0).astype(np.intp).tolist()
        return parents

    def heirs(self, ids: Floats, bank: KalmanBank, misses: Floats, hits: Floats) -> list[tuple[int, int]]:
        """Rows, elder first, of two of whom one came out of the other's box lately and only he was detected now.

        Where both were, it is counted whether they are apart. `ids` are in their order.
        """
        children = ((self._beside > 0) & (self._age_s <= _COMES_S) & (misses == 0)).nonzero()[0]
        if not len(children):
            return []
        parents = np.minimum(np.searchsorted(ids, self._beside[children]), len(ids) - 1)
        there = ids[parents] == self._beside[children]
        children, parents = children[there], parents[there]
        alone = misses[parents] > 0
        both = (~alone).nonzero()[0]
        if len(both):
            shown = apart(corners(bank.mean[parents[both]]), corners(bank.mean[children[both]]))
            self._together[children[both]] += shown
        young = alone & (self._age_s[children] <= _YOUNG_S) & (hits[children] <= _YOUNG_HITS)
        return [(int(parents[index]), int(children[index])) for index in young.nonzero()[0]]
