"""Camera health on pictures made here: what is told, what is not, and when it is over."""

from __future__ import annotations

import numpy as np
import pytest

from perishield.evaluation.sabotage import SABOTAGES, Sabotage
from perishield.model.health import Ailment
from perishield.vision.health import CameraHealth

EVERY_S = 2.0


class Yard:
    """A yard with a fence, sheds and a lamp, seen with noise; 180 by 320, RGB."""

    def __init__(self, seed: int = 3) -> None:
        self._chance = np.random.default_rng(seed)
        self._still = np.full((180, 320, 3), 110, np.float32)
        self._still[:60] = 170
        for _ in range(40):
            x, y = int(self._chance.integers(0, 290)), int(self._chance.integers(30, 160))
            wide, high = int(self._chance.integers(6, 40)), int(self._chance.integers(6, 30))
            self._still[y : y + high, x : x + wide] = self._chance.uniform(40, 215, 3)

    def picture(self, light: float = 1.0) -> np.ndarray:
        noisy = self._still * light + self._chance.normal(0, 3, self._still.shape)
        return noisy.clip(0, 255).astype(np.uint8)


def seen(health: CameraHealth, picture: np.ndarray, time_s: float) -> list[Ailment]:
    luma = picture.astype(np.float32) @ np.array((0.299, 0.587, 0.114), np.float32)
    means = picture.reshape(-1, 3).mean(axis=0)
    light = float(luma.mean())
    return health.look(luma.astype(np.uint8), time_s, (0.564 * (means[2] - light), 0.713 * (means[0] - light)))


def learned(yard: Yard) -> tuple[CameraHealth, float]:
    health, time_s = CameraHealth(), 0.0
    while time_s < 40:
        assert seen(health, yard.picture(), time_s) == []
        time_s += EVERY_S
    assert health.ready
    return health, time_s


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_what_is_done_to_a_camera_is_told_and_over_once_it_is_undone(sabotage: Sabotage) -> None:
    yard = Yard()
    health, time_s = learned(yard)
    last = yard.picture()
    chance = np.random.default_rng(1)
    told: set[Ailment] = set()
    for index in range(16):
        picture = last if sabotage.freezes else yard.picture()
        told |= set(seen(health, sabotage.deed(picture, index, chance), time_s))
        time_s += EVERY_S
    assert told & set(sabotage.right)
    for _ in range(8):
        left = seen(health, yard.picture(), time_s)
        time_s += EVERY_S
    assert left == []


def test_a_moment_is_not_told() -> None:
    yard = Yard()
    health, time_s = learned(yard)
    chance = np.random.default_rng(1)
    for index in range(3):
        assert seen(health, SABOTAGES[0].deed(yard.picture(), index, chance), time_s + index * EVERY_S) == []


def test_evening_comes_without_a_word() -> None:
    yard = Yard()
    health, time_s = learned(yard)
    for light in np.linspace(1, 0.4, 60):
        assert seen(health, yard.picture(float(light)), time_s) == []
        time_s += EVERY_S


def test_a_view_that_is_accepted_is_the_view() -> None:
    health, time_s = learned(Yard())
    other = Yard(seed=8)
    for _ in range(12):
        told = seen(health, other.picture(), time_s)
        time_s += EVERY_S
    assert told == [Ailment.MOVED]
    health.accept()
    for _ in range(20):
        assert seen(health, other.picture(), time_s) == []
        time_s += EVERY_S


def test_what_is_not_wanted_is_not_told() -> None:
    yard = Yard()
    health, time_s = learned(yard)
    health.wanted = lambda ailment: ailment is not Ailment.NO_SIGNAL
    blue = next(sabotage for sabotage in SABOTAGES if Ailment.NO_SIGNAL in sabotage.right)
    for index in range(12):
        told = seen(health, blue.deed(yard.picture(), index, np.random.default_rng(1)), time_s)
        time_s += EVERY_S
        assert Ailment.NO_SIGNAL not in told
