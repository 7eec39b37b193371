"""How sure figures from few events are: intervals and tests, with nothing but `math`.

Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927); Garwood, "Fiducial
limits for the Poisson distribution", Biometrika 28 (1936); McNemar, "Note on the sampling error of the difference
between correlated proportions", Psychometrika 12 (1947), here in its exact, binomial form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

LEVEL = 0.95
"""Confidence of every interval unless told otherwise."""

_STEPS = 200
_TINY = 1e-300


def wilson(hits: int, trials: int, level: float = LEVEL) -> tuple[float, float] | None:
    """Bounds of a proportion of which `hits` of `trials` were seen; None without trials.

    >>> [round(bound, 4) for bound in wilson(10, 10)]
    [0.7225, 1.0]
    """
    if trials <= 0:
        return None
    z = normal_quantile(0.5 + level / 2)
    share, square = hits / trials, z * z
    middle = share + square / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    whole = 1 + square / trials
    low = 0.0 if hits == 0 else max(0.0, (middle - reach) / whole)
    high = 1.0 if hits == trials else min(1.0, (middle + reach) / whole)
    return low, high


def garwood(count: int, exposure: float, level: float = LEVEL) -> tuple[float, float] | None:
    """Exact bounds of a Poisson rate: `count` events in `exposure` hours, say; None without exposure.

    >>> [round(bound, 3) for bound in garwood(0, 1.0)]
    [0.0, 3.689]
    """
    if exposure <= 0:
        return None
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _gamma_quantile(count, tail)
    return low / exposure, _gamma_quantile(count + 1, 1 - tail) / exposure


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided probability of so uneven a split, or a worse one, were gaining and losing equally likely.

    >>> mcnemar(0, 5)
    0.0625
    """
    total = gained + lost
    if total == 0:
        return 1.0
    least = min(gained, lost)
    tail = sum(math.comb(total, number) for number in range(least + 1))
    # Whole numbers up to the division: 2**total outgrows a float from 1024 pairs on.
    return min(1.0, tail * 2 / (1 << total))


def rates_differ(first: int, first_exposure: float, second: int, second_exposure: float) -> float:
    """Two-sided probability that two Poisson rates, if equal, would differ this much: the conditional binomial test.

    Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31 (1940).
    """
    total, exposure = first + second, first_exposure + second_exposure
    if total == 0 or first_exposure <= 0 or second_exposure <= 0:
        return 1.0
    share = first_exposure / exposure
    seen = _binomial(first, total, share)
    # Outcomes no likelier than the one seen; a hair of slack, since equal ones differ in their last bits.
    return min(1.0, sum(p for p in (_binomial(k, total, share) for k in range(total + 1)) if p <= seen * (1 + 1e-9)))


def paired_bootstrap(
    differences: Sequence[float], *, level: float = LEVEL, rounds: int = 2000, seed: int = 1
) -> tuple[float, float] | None:
    """Percentile bounds of the mean of paired differences, by drawing the pairs again; the same for the same seed."""
    if not differences:
        return None
    random = Random(seed)
    count = len(differences)
    means = sorted(sum(random.choices(differences, k=count)) / count for _ in range(rounds))
    tail = (1 - level) / 2
    return means[int(tail * rounds)], means[min(rounds - 1, int((1 - tail) * rounds))]


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linearly interpolated between the sorted values, as most tools do (Hyndman and Fan's type 7)."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def normal_quantile(probability: float) -> float:
    """z with P(Z <= z) = `probability`, by bisection of `math.erfc`.

    >>> round(normal_quantile(0.975), 6)
    1.959964
    """
    low, high = -40.0, 40.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if math.erfc(-middle / math.sqrt(2)) / 2 < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _binomial(hits: int, trials: int, share: float) -> float:
    log = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    return math.exp(log + hits * math.log(share) + (trials - hits) * math.log1p(-share))


def _gamma_quantile(shape: float, probability: float) -> float:
    """x with P(shape, x) = `probability`; half the chi-square quantile with 2 `shape` degrees of freedom."""
    low, high = 0.0, max(1.0, shape)
    while _gamma_share(shape, high) < probability:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _gamma_share(shape, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _gamma_share(shape: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(shape, x): series below, continued fraction (DLMF 8.9.2) above."""
    if x <= 0:
        return 0.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        n = shape
        while term > total * 1e-17:
            n += 1
            term *= x / n
            total += term
        return min(1.0, total * scale)
    # Lentz's way through the fraction.
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / b
    fraction = d
    for number in range(1, 10_000):
        a = number * (shape - number)
        b += 2
        d = 1 / (a * d + b or _TINY)
        c = b + a / c or _TINY
        change = c * d
        fraction *= change
        if abs(change - 1) < 1e-16:
            break
    return 1 - scale * fraction
