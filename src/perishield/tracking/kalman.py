"""Constant-velocity Kalman filters for many boxes at once.

Centre x, centre y, width and height of a box are four independent two-state filters (value and its speed), after
SORT (Bewley et al. 2016) and ByteTrack (Zhang et al. 2022). Noise scales with the box's height, as in DeepSORT, and
with the elapsed seconds, so that the picture rate does not matter. All four begin with and meet the same noise, so one
2 x 2 covariance serves them, in closed form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Standard deviations in box heights. Measurement: 1/20 as in DeepSORT. Per second of prediction: DeepSORT's figures
# per picture, taken at 25 pictures a second.
_MEASURED = 1 / 20
_DRIFT_PER_S = (1 / 40) ** 2 * 25
_SURGE_PER_S = (25 / 250) ** 2 * 25
_FIRST_VALUE = 1 / 10
_FIRST_SPEED = 25 / 16
_COAST_S = 1.5
_COAST_TAIL_S = 1.0
_GROWTH_S = 0.2
_SMALLEST = 2.0


def centre_size(boxes: Floats) -> Floats:
    """(n, 4) xyxy as (n, 4) centre x, centre y, width, height."""
    result = np.empty_like(boxes)
    np.subtract(boxes[:, 2:], boxes[:, :2], out=result[:, 2:])
    np.add(boxes[:, 2:], boxes[:, :2], out=result[:, :2])
    result[:, :2] *= 0.5
    return result


def corners(states: Floats) -> Floats:
    """(n, 4) centre x, centre y, width, height as (n, 4) xyxy."""
    half = states[:, 2:] * 0.5
    result = np.empty_like(states)
    np.subtract(states[:, :2], half, out=result[:, :2])
    np.add(states[:, :2], half, out=result[:, 2:])
    return result


def coasted(unseen_s: Floats) -> Floats:
    """Seconds of movement that seconds out of sight are worth.

    Who is not seen for long has not kept on at the same speed: the way is full speed first and runs out afterwards.
    """
    tail = np.maximum(unseen_s - _COAST_S, 0.0)
    return np.minimum(unseen_s, _COAST_S) + _COAST_TAIL_S * (1 - np.exp(-tail / _COAST_TAIL_S))


def way(unseen_s: Floats, step_s: float) -> Floats | float:
    """Seconds of movement that the next `step_s` are worth to who is out of sight for `unseen_s` (n,) already."""
    if not len(unseen_s) or unseen_s.max() + step_s <= _COAST_S:
        return step_s
    return coasted(unseen_s + step_s) - coasted(unseen_s)


class KalmanBank:
    """All filters of one camera. Row i of every array is object i.

    `mean`: (n, 4) centre x, centre y, width, height in pixels. `speed`: (n, 4) pixels a second.
    `covariance`: (n, 3): variance of the value, covariance of value and speed, variance of the speed, for each of the
    four alike. They are columns of one table, which grows, shrinks and is gathered at once.
    """

    def __init__(self) -> None:
        self._name(np.zeros((0, 11)))

    def _name(self, table: Floats) -> None:
        self._table = table
        self.mean: Floats = table[:, :4]
        self.speed: Floats = table[:, 4:8]
        self.covariance: Floats = table[:, 8:]

    def __len__(self) -> int:
        return len(self._table)

    def boxes(self) -> Floats:
        """(n, 4) xyxy."""
        return corners(self.mean)

    def uncertainty(self, rows: NDArray[np.intp]) -> Floats:
        """(m,) standard deviation of the centre in box heights: large for objects whose speed is not known yet."""
        result: Floats = np.sqrt(self._table[rows, 8]) / self._table[rows, 3]
        return result

    def predict(self, elapsed_s: float, way_s: Floats | float) -> None:
        """Move on by `elapsed_s` seconds; the means move by `way_s` (n,) seconds' worth of their speed."""
        mean, table = self.mean, self._table
        scale = table[:, 3] ** 2
        steps = way_s if isinstance(way_s, float) else way_s[:, None]
        if elapsed_s <= _GROWTH_S:
            mean += self.speed * steps
        else:
            # Sizes are not extrapolated beyond the first moment: a speed of growth learnt from a box cut by the
            # picture's border or by an obstacle runs away quickly.
            mean[:, :2] += table[:, 4:6] * steps
            mean[:, 2:] += table[:, 6:8] * np.minimum(steps, _GROWTH_S)
        np.maximum(mean[:, 2:], _SMALLEST, out=mean[:, 2:])
        value, cross, speed = table[:, 8], table[:, 9], table[:, 10]
        gained = speed * way_s
        cross *= 2
        cross += gained
        value += cross * way_s
        cross += gained
        cross *= 0.5
        value += scale * (_DRIFT_PER_S * elapsed_s)
        scale *= _SURGE_PER_S * elapsed_s
        speed += scale

    def shift(self, scale: float, x: float, y: float) -> None:
        """The picture itself has moved: what was at p is at `scale` * p + (x, y)."""
        self.mean *= scale
        self.mean[:, 0] += x
        self.mean[:, 1] += y

    def correct(self, rows: NDArray[np.intp], measured: Floats) -> None:
        """Take in `measured` (m, 4) centre-size boxes for the objects in `rows` (m,)."""
        part = self._table[rows]
        value, cross, mean = part[:, 8], part[:, 9], part[:, :4]
        gain = part[:, 8:10] / (value + (part[:, 3] * _MEASURED) ** 2)[:, None]
        surprise = measured - mean
        mean += gain[:, :1] * surprise
        part[:, 4:8] += gain[:, 1:] * surprise
        part[:, 10] -= gain[:, 1] * cross
        part[:, 8:10] *= 1 - gain[:, :1]
        self._table[rows] = part

    def append(self, measured: Floats) -> None:
        """New objects, standing still as far as anybody knows."""
        table = np.zeros((len(self._table) + len(measured), 11))
        table[: len(self._table)] = self._table
        new = table[len(self._table) :]
        new[:, :4] = measured
        new[:, 8] = (measured[:, 3] * _FIRST_VALUE) ** 2
        new[:, 10] = (measured[:, 3] * _FIRST_SPEED) ** 2
        self._name(table)

    def take(self, row: int, other: int) -> None:
        """Object `row` is where `other` is, and goes as fast."""
        self._table[row] = self._table[other]

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """Drop all objects that `rows` does not mark or list."""
        self._name(self._table[rows])
