"""A camera's usual view: the contours that are always there. Who passes leaves none behind, nor does noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perishield.vision.health_look import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELL = 10
"""Side of a cell in pixels of the halved thumbnail: 9 by 16 cells."""
_LASTING = 0.2
"""Mean distinctness from which a contour is one of the view's own."""
_LEAST_CONTOURS = 120
"""Pixels of lasting contours without which there is nothing to recognise a view by."""
_LEARN_S = 240.0
_LEAST_LOOKS = 6
_LEAST_S = 12.0
_SHOWN = 0.3
_WELL = 0.3
"""Share of missing cells up to which it is plainly the same place, and no other need be looked for."""
_EMPTY = 0.4


@dataclass(frozen=True, slots=True)
class Likeness:
    """A look beside the usual view; shares 0..1, or about that.

    `shown`: of the cells that have contours, those that still show them. `empty`: those whose contours are gone with
    nothing in their place. `same_place`: how much the contours agree where they belong, over chance. `elsewhere`: the
    same for the best other place, which is `shift` (pixels of the halved thumbnail, right and down) away.
    `sharpness`: fine against coarse detail along lasting contours, 1 as usual, NaN where these are gone. `crispness`:
    the same along whatever contours there are. `layout`: correlation of the brightness of regions. `bright`: share of
    white pixels beyond what is usual.
    """

    shown: float
    empty: float
    same_place: float
    elsewhere: float
    shift: tuple[int, int]
    sharpness: float
    crispness: float
    layout: float
    bright: float


class View:
    """The mean of many looks; learns by time, the first ones faster."""

    def __init__(self) -> None:
        self.looks = 0
        self.since_s = math.nan
        self.light = 0.0
        """Usual brightness that 99 of 100 pixels do not exceed."""
        self._contours: NDArray[np.complex64] = np.zeros((90, 160), np.complex64)
        self._distinct: NDArray[np.float32] = np.zeros((90, 160), np.float32)
        self._slopes: NDArray[np.complex64] = np.zeros((180, 320), np.complex64)
        self._layout: NDArray[np.float32] = np.zeros((9, 16), np.float32)
        self._detail = math.nan
        self._crisp = math.nan
        self._bright = 0.0
        self._last_s = math.nan

    @property
    def known(self) -> bool:
        return self.looks >= _LEAST_LOOKS and self._last_s - self.since_s >= _LEAST_S

    def learn(self, look: Look, time_s: float) -> None:
        if not self.looks:
            self.since_s = time_s
        elapsed = max(time_s - self._last_s, 0.0) if self.looks else 0.0
        self._last_s = time_s
        self.looks += 1
        rate = np.float32(max(1 / self.looks, 1 - math.exp(-elapsed / _LEARN_S)))
        self._contours += rate * (look.contours - self._contours)
        self._distinct += rate * (np.abs(look.contours) - self._distinct)
        self._slopes += rate * (look.slopes - self._slopes)
        self._layout += rate * (look.layout - self._layout)
        self.light += float(rate) * (look.light - self.light)
        self._bright += float(rate) * (look.bright - self._bright)
        sharp, crisp = self._detail_of(look)
        self._detail = _nearer(self._detail, sharp, float(rate))
        self._crisp = _nearer(self._crisp, crisp, float(rate))

    def beside(self, look: Look) -> Likeness | None:
        """How alike it is; None where the view has too few contours to tell."""
        lasting = np.where(np.abs(self._contours) >= _LASTING, self._contours, np.complex64(0))
        if np.count_nonzero(lasting) < _LEAST_CONTOURS:
            return None
        weight = _cells(np.square(np.abs(lasting)))
        agreeing = _cells((look.contours * lasting.conj()).real)
        there = weight >= max(1.0, 0.1 * float(weight.max()))
        share = agreeing[there] / weight[there]
        now, usual = _cells(np.abs(look.contours))[there], _cells(self._distinct)[there]
        missing = share < _SHOWN
        count = max(int(np.count_nonzero(there)), 1)
        missed = float(np.count_nonzero(missing)) / count
        same, elsewhere, shift = _placed(look.contours, lasting) if missed > _WELL else (1.0 - missed, 0.0, (0, 0))
        sharp, crisp = self._detail_of(look)
        return Likeness(
            shown=1 - missed,
            empty=float(np.count_nonzero(missing & (now < _EMPTY * usual))) / count,
            same_place=same,
            elsewhere=elsewhere,
            shift=shift,
            sharpness=sharp / self._detail,
            crispness=crisp / self._crisp,
            layout=_correlation(look.layout, self._layout),
            bright=look.bright - self._bright,
        )

    def _detail_of(self, look: Look) -> tuple[float, float]:
        """Fine slope over coarse: across the view's lasting contours, where noise averages out; and across the look's
        own strongest ones. NaN where there are none."""
        wide = _spread(look.slopes)
        return _fineness(look.slopes, wide, self._slopes), _fineness(look.slopes, wide, look.slopes)


def _fineness(fine: NDArray[np.complex64], wide: NDArray[np.complex64], along: NDArray[np.complex64]) -> float:
    strong = np.abs(along)
    edges = strong >= max(float(np.partition(strong.ravel(), -2000)[-2000]), 4.0)
    if np.count_nonzero(edges) < 200:
        return math.nan
    towards = (along[edges] / strong[edges]).conj()
    coarse = float((wide[edges] * towards).real.mean())
    return float((fine[edges] * towards).real.mean()) / coarse if coarse > 0.8 else math.nan


def _nearer(value: float, to: float, rate: float) -> float:
    """The running mean; what is not a number changes nothing."""
    if math.isnan(to):
        return value
    return to if math.isnan(value) else value + rate * (to - value)


def _cells(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    sums: NDArray[np.float32] = plane.reshape(height // _CELL, _CELL, width // _CELL, _CELL).sum(axis=(1, 3))
    return sums


def _spread(slopes: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """The mean over 5 x 5 pixels: what the slope would be in a picture that is no sharper than that."""
    wide = slopes.copy()
    for shift in (1, 2):
        wide[:, shift:] += slopes[:, :-shift]
        wide[:, :-shift] += slopes[:, shift:]
    tall = wide.copy()
    for shift in (1, 2):
        tall[shift:] += wide[:-shift]
        tall[:-shift] += wide[shift:]
    return tall / np.float32(25)


def _placed(contours: NDArray[np.complex64], lasting: NDArray[np.complex64]) -> tuple[float, float, tuple[int, int]]:
    """Agreement where it belongs, within a pixel; the best farther away; and where that is.

    By cross-correlation over all shifts: contours of any two views agree somewhat (upright posts, level kerbs), so
    what counts is how much better this place is than others.
    """
    surface = np.fft.ifft2(np.fft.fft2(contours) * np.fft.fft2(lasting).conj()).real
    length = math.sqrt(float(np.square(np.abs(contours)).sum()) * float(np.square(np.abs(lasting)).sum()))
    if length <= 0:
        return 0.0, 0.0, (0, 0)
    surface = (surface - surface.mean()) / length
    around = np.ix_((-1, 0, 1), (-1, 0, 1))
    same = float(surface[around].max())
    near = np.ix_(range(-3, 4), range(-3, 4))
    surface[near] = -1.0
    index = int(surface.argmax())
    down, right = divmod(index, surface.shape[1])
    shift = ((right + 80) % 160 - 80, (down + 45) % 90 - 45)
    return same, float(surface.flat[index]), shift


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    one, other = a - a.mean(), b - b.mean()
    length = math.sqrt(float(np.square(one).sum()) * float(np.square(other).sum()))
    return float((one * other).sum()) / length if length > 1e-3 else 0.0
