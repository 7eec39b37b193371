from __future__ import annotations

import numpy as np
import pytest

from perishield.tracking.kalman import KalmanBank, centre_size, coasted, corners


def walked(pictures_per_s: float, seconds: float) -> KalmanBank:
    """Somebody 100 px high who walks 80 px a second to the right."""
    bank = KalmanBank()
    bank.append(np.array([[0.0, 50, 40, 100]]))
    step = 1 / pictures_per_s
    for picture in range(1, round(seconds * pictures_per_s) + 1):
        bank.predict(step, np.array([step]))
        bank.correct(np.array([0]), np.array([[80 * picture * step, 50, 40, 100]]))
    return bank


def test_corners_and_centre_size_are_inverse() -> None:
    boxes = np.array([[1.0, 2, 30, 40], [-5, 0, 5, 100]])
    assert corners(centre_size(boxes)) == pytest.approx(boxes)


@pytest.mark.parametrize("rate", [5, 6, 12.5, 25])
def test_speed_is_learnt_at_any_picture_rate(rate: float) -> None:
    bank = walked(rate, 2)
    assert bank.speed[0, 0] == pytest.approx(80, rel=0.1)
    bank.predict(0.5, np.array([0.5]))
    assert bank.mean[0, 0] == pytest.approx(80 * 2.5, abs=10)


def test_uncertainty_grows_out_of_sight_and_shrinks_with_detections() -> None:
    bank = walked(10, 1)
    settled = bank.uncertainty(np.array([0]))[0]
    bank.predict(1.0, np.array([1.0]))
    lost = bank.uncertainty(np.array([0]))[0]
    bank.correct(np.array([0]), bank.mean.copy())
    assert settled < lost
    assert bank.uncertainty(np.array([0]))[0] < lost


def test_variances_stay_positive() -> None:
    bank = walked(25, 10)
    for _ in range(50):
        bank.predict(4.0, np.array([4.0]))
        bank.correct(np.array([0]), np.array([[0.0, 0, 3, 5]]))
        assert (bank.covariance[:, 0] > 0).all()
        assert (bank.covariance[:, 2] > 0).all()


def test_coasting_is_full_speed_first_and_runs_out() -> None:
    times = np.array([0.0, 0.5, 1.0, 5.0, 60.0])
    way = coasted(times)
    assert way[:3] == pytest.approx(times[:3])
    assert (np.diff(way) > 0).all()
    assert way[-1] < 3


def test_sizes_never_vanish() -> None:
    bank = KalmanBank()
    bank.append(np.array([[0.0, 0, 40, 100]]))
    bank.speed[0] = [0, 0, -1e4, -1e4]
    bank.predict(10.0, np.array([10.0]))
    assert (bank.mean[0, 2:] > 0).all()
