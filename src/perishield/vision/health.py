"""Camera health from thumbnails of key frames: covered, blurred, turned away, frozen, flooded, dark, no signal.

Each look is compared with the camera's usual view, of which there is one in colour and one of infrared. What seems
wrong must seem so for a while before it is told, and must be gone for a while before it is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.health import Ailment
from perishield.vision.health_look import Look, measured
from perishield.vision.health_view import Likeness, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BEGINS_S = {
    Ailment.NO_SIGNAL: 5.0,
    Ailment.FROZEN: 14.0,
    Ailment.DARK: 20.0,
    Ailment.COVERED: 8.0,
    Ailment.GLARE: 10.0,
    Ailment.MOVED: 12.0,
    Ailment.BLURRED: 20.0,
}
"""How long it must look so. A lorry before the lens, a passing beam, a camera that focuses are over sooner."""
_ENDS_S = 6.0
_GAP_S = 30.0
"""A pause between looks from which nothing is known of the time between."""
_SAME_PLACE = 0.12
"""Agreement from which a picture of other light is of the same place; other places reach 0.08."""
_USUAL_DIFFERENCES = 15
_STILL = 0.35
_STILL_LEVELS = 1.0
"""A frozen picture differs from itself by what coding does to it, in grey levels and as a share of the usual."""


class CameraHealth:
    """One camera's health. Looks come in the order of their time; `wanted` tells what to look for.

    >>> import numpy as np
    >>> health = CameraHealth()
    >>> grey = np.full((180, 320), 126, np.uint8)
    >>> [health.look(grey, float(second)) for second in range(0, 9, 2)][-1]
    [<Ailment.NO_SIGNAL: 'no_signal'>]
    """

    def __init__(self, wanted: Callable[[Ailment], bool] = lambda ailment: True) -> None:
        self.wanted = wanted
        self._views: dict[bool, View] = {False: View(), True: View()}
        self._colourless = False
        self._former: Look | None = None
        self._former_s = 0.0
        self._differences: deque[float] = deque(maxlen=_USUAL_DIFFERENCES)
        self._seems: dict[Ailment, float] = {}
        self._well: dict[Ailment, float] = {}

    @property
    def ready(self) -> bool:
        """The usual view is known."""
        return any(view.known for view in self._views.values())

    @property
    def ailments(self) -> list[Ailment]:
        """What is wrong now."""
        return list(self._well)

    def accept(self) -> None:
        """What the camera sees from now on is its view."""
        self._views = {False: View(), True: View()}
        self._seems.pop(Ailment.MOVED, None)
        self._well.pop(Ailment.MOVED, None)

    def restart(self) -> None:
        """The stream was interrupted: nothing is known of what it looked like just now, all of how it should."""
        self._former = None
        self._seems.clear()

    def look(self, luma: NDArray[np.uint8], time_s: float, chroma: tuple[float, float] | None = None) -> list[Ailment]:
        """What is wrong, after a thumbnail of brightness, uint8 (180, 320), and the picture's mean colour differences.

        `time_s`: monotonic seconds.
        """
        look = measured(luma, chroma)
        if self._former is not None and not 0 <= time_s - self._former_s < _GAP_S:
            self.restart()
        view, likeness = self._compared(look)
        seems = self._seeming(look, likeness)
        if seems is not None and not self.wanted(seems):
            seems = None
        self._count(seems, time_s)
        if seems is None and not self._well:
            view.learn(look, time_s)
        self._former, self._former_s = look, time_s
        return self.ailments

    def _compared(self, look: Look) -> tuple[View, Likeness | None]:
        """The view of this kind of light, and how alike the look is to the view that it resembles most."""
        views = [(light, view) for light, view in self._views.items() if view.known]
        found = [(light, likeness) for light, view in views if (likeness := view.beside(look)) is not None]
        if not found:
            self._colourless = look.colourless
            return self._views[look.colourless], None
        light, likeness = max(found, key=lambda known: known[1].same_place)
        same = likeness.same_place >= _SAME_PLACE and likeness.shown >= 0.2 and likeness.bright < 0.06
        if look.colourless != self._colourless and same:
            # The camera changed to infrared or back, and still looks at the same place: cloths and torches are
            # colourless, too.
            self._colourless = look.colourless
        if not self._views[self._colourless].known:
            return self._views[self._colourless], None
        return self._views[light], likeness

    def _seeming(self, look: Look, likeness: Likeness | None) -> Ailment | None:
        apart = self._difference(look)
        if look.spread < 2.5 and (_is_blue(look) or (look.light > 60 and apart == 0 and look.spread < 0.7)):
            return Ailment.NO_SIGNAL
        if likeness is None:
            return Ailment.DARK if _is_dark(look) else None
        hidden = likeness.empty >= (0.45 if Ailment.COVERED in self._well else 0.6)
        lost = likeness.shown < 0.35
        sharp = not likeness.crispness < 0.85
        if apart is not None and sharp and likeness.shown >= 0.5 and look.spread >= 4 and self._is_frozen(apart):
            return Ailment.FROZEN
        if _is_dark(look):
            # A lamp went out, and something of the place is left; or nothing is.
            gone = look.spread < 2.5 and self._was_bright()
            return Ailment.COVERED if gone or Ailment.COVERED in self._well else Ailment.DARK
        glaring = 0.15 if Ailment.GLARE in self._well else 0.25
        if likeness.bright >= glaring or (likeness.bright >= 0.06 and likeness.shown < 0.65):
            return Ailment.GLARE
        # Out of focus the regions keep their brightness; behind a cloth they do not.
        if (hidden or (lost and likeness.empty >= 0.3)) and likeness.layout < 0.6:
            return Ailment.COVERED
        soft = _under(likeness.crispness, 0.78 if Ailment.BLURRED in self._well else 0.68)
        if soft and (_under(likeness.sharpness, 0.78 if Ailment.BLURRED in self._well else 0.66) or hidden):
            return Ailment.BLURRED
        if hidden:
            return Ailment.BLURRED if likeness.layout >= 0.6 else Ailment.COVERED
        if not soft and _is_elsewhere(likeness, known=Ailment.MOVED in self._well):
            return Ailment.MOVED
        return None

    def _count(self, seems: Ailment | None, time_s: float) -> None:
        if seems is None:
            self._seems.clear()
        else:
            self._seems = {seems: self._seems.get(seems, time_s)}
            if time_s - self._seems[seems] >= _BEGINS_S[seems]:
                self._well[seems] = time_s
        for ailment in list(self._well):
            if ailment is seems:
                self._well[ailment] = time_s
            elif time_s - self._well[ailment] >= _ENDS_S or not self.wanted(ailment):
                del self._well[ailment]

    def _difference(self, look: Look) -> float | None:
        """By how many grey levels half of the picture's regions differ from the last look; None where there was none.

        Half of them: a clock in the picture goes on, and coding errors spread from it.
        """
        if self._former is None:
            return None
        apart = np.abs(look.luma.astype(np.int16) - self._former.luma)
        return float(np.median(apart.reshape(9, 20, 16, 20).mean(axis=(1, 3))))

    def _is_frozen(self, difference: float) -> bool:
        """True where next to nothing changed at a camera whose pictures never are the same twice.

        Where a still scene and a camera that smooths its noise away give the same picture again and again anyway,
        nothing can be said.
        """
        quiet = sorted(self._differences)[len(self._differences) // 5] if len(self._differences) >= 5 else 0.0
        frozen = quiet >= 0.5 and difference <= min(_STILL * quiet, _STILL_LEVELS)
        if not frozen and Ailment.FROZEN not in self._seems:
            self._differences.append(difference)
        return frozen

    def _was_bright(self) -> bool:
        """The last good looks were by plain light: such does not fail between two key frames."""
        view = self._views[self._colourless]
        return view.known and view.light >= 90


def _is_dark(look: Look) -> bool:
    return look.light < 45 and look.spread < 6


def _is_blue(look: Look) -> bool:
    return look.chroma is not None and look.chroma[0] >= 30 and look.chroma[1] <= 10


def _under(value: float, limit: float) -> bool:
    """Not for what could not be measured."""
    return value < limit


def _is_elsewhere(likeness: Likeness, *, known: bool) -> bool:
    if likeness.elsewhere > likeness.same_place and likeness.same_place < 0.5:
        return True
    return likeness.same_place < (0.2 if known else 0.14) and likeness.shown < 0.5
