"""Against published tables and worked examples, and against what must hold whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.evaluation.intervals import (
    garwood,
    mcnemar,
    normal_quantile,
    paired_bootstrap,
    quantile,
    rates_differ,
    wilson,
)


@pytest.mark.parametrize(
    ("hits", "trials", "bounds"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_as_printed(hits: int, trials: int, bounds: tuple[float, float]) -> None:
    assert wilson(hits, trials) == pytest.approx(bounds, abs=6e-5)


@pytest.mark.parametrize(
    ("count", "bounds"),
    [
        # Exact 95 % limits of a Poisson count, as every epidemiology table has them (Ulm 1990; Dobson 1991).
        (0, (0.0, 3.689)),
        (1, (0.0253, 5.572)),
        (2, (0.242, 7.225)),
        (5, (1.623, 11.668)),
        (10, (4.795, 18.390)),
        (20, (12.217, 30.888)),
        (100, (81.364, 121.627)),
    ],
)
def test_garwood_as_printed(count: int, bounds: tuple[float, float]) -> None:
    assert garwood(count, 1.0) == pytest.approx(bounds, abs=1e-3)


@pytest.mark.parametrize(("share", "z"), [(0.5, 0.0), (0.975, 1.959964), (0.995, 2.575829), (0.05, -1.644854)])
def test_normal_quantiles(share: float, z: float) -> None:
    assert normal_quantile(share) == pytest.approx(z, abs=1e-6)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (3, 3, 1.0), (2, 10, 0.0385742)],
)
def test_mcnemar_is_the_binomial_test(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p, abs=1e-7)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_mcnemar_of_thousands_of_pairs() -> None:
    assert mcnemar(2000, 2000) == 1.0
    assert mcnemar(0, 3000) == 0.0


def test_rates_of_unlike_exposure() -> None:
    # Half the hours, half the alarms: no difference. All alarms in half the hours: 2 * 0.5**8 by symmetry.
    assert rates_differ(4, 2.0, 2, 1.0) == pytest.approx(1.0, abs=0.01)
    assert rates_differ(8, 1.0, 0, 1.0) == pytest.approx(2 / 256)
    assert rates_differ(0, 1.0, 0, 1.0) == 1.0


def test_quantiles_interpolate() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3], 0.9) == 3
    assert quantile([4, 1, 2, 3], 0.5) == 2.5


def test_nothing_seen_is_nothing_known() -> None:
    assert wilson(0, 0) is None
    assert garwood(3, 0) is None
    assert paired_bootstrap([]) is None


@given(st.integers(0, 300), st.integers(1, 300), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_holds_the_share(hits: int, trials: int, level: float) -> None:
    hits = min(hits, trials)
    bounds = wilson(hits, trials, level)
    assert bounds is not None
    assert 0 <= bounds[0] <= hits / trials <= bounds[1] <= 1
    mirrored = wilson(trials - hits, trials, level)
    assert mirrored is not None
    assert bounds[0] == pytest.approx(1 - mirrored[1], abs=1e-9)


@given(st.integers(0, 400))
def test_garwood_limits_have_their_tails(count: int) -> None:
    bounds = garwood(count, 1.0)
    assert bounds is not None
    low, high = bounds
    assert low <= count <= high

    def at_most(number: int, mean: float) -> float:
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(number + 1))

    assert at_most(count, high) == pytest.approx(0.025, abs=1e-7)
    if count:
        assert 1 - at_most(count - 1, low) == pytest.approx(0.025, abs=1e-7)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_the_bootstrap_stays_within_what_it_draws_from(differences: list[float]) -> None:
    bounds = paired_bootstrap(differences, rounds=100)
    assert bounds is not None
    assert min(differences) - 1e-9 <= bounds[0] <= bounds[1] <= max(differences) + 1e-9
    assert bounds == paired_bootstrap(differences, rounds=100)
