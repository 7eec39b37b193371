"""Constant-velocity Kalman filters for many boxes at once.

Centre x, centre y, width and height of a box are four independent two-state filters (value and its speed), after
SORT (Bewley et al. 2016) and ByteTrack (Zhang et al. 2022). Noise scales with the box's height, as in DeepSORT, and
with the elapsed seconds, so that the picture rate does not matter.
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


def centre_size(boxes: Floats) -> Floats:
    """(n, 4) xyxy as (n, 4) centre x, centre y, width, height."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def corners(states: Floats) -> Floats:
    """(n, 4) centre x, centre y, width, height as (n, 4) xyxy."""
    half = states[:, 2:] / 2
    return np.concatenate([states[:, :2] - half, states[:, :2] + half], axis=1)


def coasted(unseen_s: Floats) -> Floats:
    """Seconds of movement that seconds out of sight are worth.

    Who is not seen for long has not kept on at the same speed: the way is full speed first and runs out afterwards.
    """
    tail = np.maximum(unseen_s - _COAST_S, 0.0)
    return np.minimum(unseen_s, _COAST_S) + _COAST_TAIL_S * (1 - np.exp(-tail / _COAST_TAIL_S))


class KalmanBank:
    """All filters of one camera. Row i of every array is object i.

    `mean`: (n, 4) centre x, centre y, width, height in pixels. `speed`: (n, 4) pixels a second.
    `covariance`: (3, n, 4): variance of the value, covariance of value and speed, variance of the speed.
    """

    def __init__(self) -> None:
        self.mean: Floats = np.zeros((0, 4))
        self.speed: Floats = np.zeros((0, 4))
        self.covariance: Floats = np.zeros((3, 0, 4))

    def __len__(self) -> int:
        return len(self.mean)

    def boxes(self) -> Floats:
        """(n, 4) xyxy."""
        return corners(self.mean)

    def uncertainty(self) -> Floats:
        """(n,) standard deviation of the centre in box heights: large for objects whose speed is not known yet."""
        variance = np.maximum(self.covariance[0, :, 0], self.covariance[0, :, 1])
        result: Floats = np.sqrt(variance) / self.mean[:, 3]
        return result

    def predict(self, elapsed_s: float, way_s: Floats) -> None:
        """Move on by `elapsed_s` seconds; the means move by `way_s` (n,) seconds' worth of their speed."""
        height = self.mean[:, 3:4]
        scale = height * height
        way = way_s[:, None]
        self.mean[:, :2] += self.speed[:, :2] * way
        # Sizes are not extrapolated beyond the first moment: a speed of growth learnt from a box cut by the
        # picture's border or by an obstacle runs away quickly.
        self.mean[:, 2:] += self.speed[:, 2:] * np.minimum(way, 0.2)
        np.maximum(self.mean[:, 2:], 2.0, out=self.mean[:, 2:])
        value, cross, speed = self.covariance
        self.covariance = np.stack(
            [
                value + way * (2 * cross + way * speed) + scale * (_DRIFT_PER_S * elapsed_s),
                cross + way * speed,
                speed + scale * (_SURGE_PER_S * elapsed_s),
            ]
        )

    def correct(self, rows: NDArray[np.intp], measured: Floats) -> None:
        """Take in `measured` (m, 4) centre-size boxes for the objects in `rows` (m,)."""
        value, cross, speed = self.covariance[:, rows]
        noise = (self.mean[rows, 3:4] * _MEASURED) ** 2
        total = value + noise
        gain, speed_gain = value / total, cross / total
        surprise = measured - self.mean[rows]
        self.mean[rows] += gain * surprise
        self.speed[rows] += speed_gain * surprise
        self.covariance[:, rows] = np.stack([value * (1 - gain), cross * (1 - gain), speed - speed_gain * cross])

    def append(self, measured: Floats) -> None:
        """New objects, standing still as far as anybody knows."""
        scale = measured[:, 3:4] ** 2
        first = np.stack(
            [
                np.repeat(scale * _FIRST_VALUE**2, 4, axis=1),
                np.zeros((len(measured), 4)),
                np.repeat(scale * _FIRST_SPEED**2, 4, axis=1),
            ]
        )
        self.mean = np.concatenate([self.mean, measured])
        self.speed = np.concatenate([self.speed, np.zeros((len(measured), 4))])
        self.covariance = np.concatenate([self.covariance, first], axis=1)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all objects that `rows` (n,) does not mark."""
        self.mean = self.mean[rows]
        self.speed = self.speed[rows]
        self.covariance = self.covariance[:, rows]
