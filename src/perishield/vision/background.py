"""What a camera usually sees: mean and variance of every pixel's brightness.

A running Gaussian per pixel (Wren et al., "Pfinder", PAMI 1997), made for slow analysis rates: learning goes by time,
not by picture; light that changes over the whole picture or over parts of it is taken out before anything is called
foreground; where leaves move, the variance grows until they are background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELL = 20
"""Side, in pixels, of the cells over which local light is estimated."""

_UNREST_S = 60.0
"""Time constant with which it is forgotten that a pixel differed."""


class Background:
    """One camera's model, for pictures of (height, width) float32 brightness 0..255.

    `least`: grey levels that a pixel must differ by at any rate. `deviations`: and in its own standard deviations.
    `learn_s`: time constant of learning; `keep_s`: that of pixels which belong to an object on its way.
    """

    def __init__(
        self,
        first: NDArray[np.float32],
        *,
        least: float = 7.0,
        deviations: float = 4.0,
        learn_s: float = 8.0,
        patience_s: float = 2.0,
        keep_s: float = 90.0,
    ) -> None:
        self.pictures = 1
        self._least = np.float32(least)
        self._deviations = np.float32(deviations)
        self._learn_s = learn_s
        self._keep_s = keep_s
        self._patience_s = np.float32(patience_s)
        self._unrest = np.zeros(first.shape, np.float32)
        self._mean = first.copy()
        self._variance = np.full(first.shape, 25.0, np.float32)
        height, width = first.shape
        self._rows = np.arange(0, height, _CELL)
        self._columns = np.arange(0, width, _CELL)
        self._down = _Spread.over(height, len(self._rows))
        self._across = _Spread.over(width, len(self._columns))
        self._cell_sizes = np.outer(
            np.diff(np.append(self._rows, height)), np.diff(np.append(self._columns, width))
        ).astype(np.float32)
        self._change = np.zeros(first.shape, np.float32)

    def compare(self, luma: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(difference without light changes, signed, grey levels; the same as a share of the threshold, unsigned)."""
        samples = np.s_[2::5, 2::5]
        gain = np.median((luma[samples] + 8) / (self._mean[samples] + 8))
        change = np.subtract(luma, self._mean * np.float32(gain), dtype=np.float32)
        change -= np.float32(np.median(change[samples]))
        limit = self._threshold(self._variance)
        clipped = np.clip(change, -limit, limit)
        sums = np.add.reduceat(np.add.reduceat(clipped, self._rows, axis=0), self._columns, axis=1)
        cells = (sums / self._cell_sizes).astype(np.float32, copy=False)
        # Across first: the few rows of cells are spread over columns, then these over rows.
        change -= self._down.of(self._across.of(cells.T).T)
        self._change = change
        excess: NDArray[np.float32] = np.abs(change) / self._threshold(_widest(self._variance))
        return change, excess

    def learn(
        self, luma: NDArray[np.float32], elapsed_s: float, different: NDArray[np.bool_], kept: NDArray[np.bool_]
    ) -> None:
        """Take in the picture last compared.

        `different` marks its foreground, `kept` the pixels of objects on their way. What differs elsewhere is left
        alone at first, since it may be an object that has not shown yet that it travels; where a pixel has differed
        for `patience_s` in all, it is learned as what this place looks like.
        """
        self.pictures += 1
        rate = max(1 - np.exp(-elapsed_s / self._learn_s), 1 / self.pictures)
        slow = min(rate, 1 - np.exp(-elapsed_s / self._keep_s))
        self._unrest *= np.float32(np.exp(-elapsed_s / _UNREST_S))
        self._unrest += np.float32(min(elapsed_s, 1.0)) * (different & ~kept)
        still = kept | (different & (self._unrest < self._patience_s))
        rates = np.where(still, np.float32(slow), np.float32(rate))
        self._mean += rates * (luma - self._mean)
        squared = np.minimum(np.square(self._change), 3600.0)
        self._variance += np.where(still, np.float32(0), rates) * (squared - self._variance)

    def restart(self, luma: NDArray[np.float32]) -> None:
        """Another view: begin with this picture, knowing what usually moves where."""
        self._mean = luma.copy()
        self._variance = np.maximum(self._variance, 9.0)

    def _threshold(self, variance: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(self._least, self._deviations * np.sqrt(variance)).astype(np.float32)


def _widest(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest value within one pixel's reach."""
    wide = plane.copy()
    np.maximum(wide[:, 1:], plane[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], plane[:, 1:], out=wide[:, :-1])
    tall = wide.copy()
    np.maximum(tall[1:], wide[:-1], out=tall[1:])
    np.maximum(tall[:-1], wide[1:], out=tall[:-1])
    return tall


@dataclass(frozen=True, slots=True)
class _Spread:
    """Linear interpolation of cell values along one axis."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    share: NDArray[np.float32]

    @classmethod
    def over(cls, length: int, cells: int) -> _Spread:
        position = np.clip((np.arange(length) + 0.5) / _CELL - 0.5, 0, cells - 1)
        low = np.minimum(position.astype(np.intp), cells - 1)
        return cls(low, np.minimum(low + 1, cells - 1), (position - low).astype(np.float32))

    def of(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        share = self.share[:, None]
        spread: NDArray[np.float32] = cells[self.low] * (1 - share) + cells[self.high] * share
        return spread
