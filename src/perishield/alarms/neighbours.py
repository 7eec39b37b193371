"""Which cameras see adjoining ground: as the settings and groups say, and as the plan shows of those calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, pairwise

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.grouping import Grouping
from perishield.model.geometry import Point, crossing, distance, inside
from perishield.model.ground import GroundPlane
from perishield.store.cameras import camera_grounds
from perishield.store.groups import adjoining_groups, sites_of


async def with_neighbours(session: AsyncSession, how: Grouping) -> Grouping:
    """The same, with the neighbours that groups and the plan make besides those of the settings."""
    if how.within_s <= 0:
        return how
    found = [*how.neighbours, *await adjoining_groups(session)]
    if how.near_m > 0:
        grounds = await camera_grounds(session)
        if len(grounds) > 1:
            found += by_distance(grounds, await sites_of(session), how.near_m)
    return replace(how, neighbours=tuple(found))


def by_distance(
    grounds: Mapping[str, GroundPlane], sites: Mapping[str, frozenset[str]], near_m: float
) -> list[frozenset[str]]:
    """Pairs of cameras whose calibrated ground lies within `near_m` metres of each other.

    Each site has a plan of its own: cameras of different sites are no neighbours, whatever their metres say.
    """
    areas = {camera: outline(tuple(point.site for point in ground.points)) for camera, ground in grounds.items()}
    found = []
    for one, other in combinations(sorted(areas), 2):
        here, there = sites.get(one, frozenset()), sites.get(other, frozenset())
        if (here or there) and not here & there:
            continue
        if apart(areas[one], areas[other]) <= near_m:
            found.append(frozenset({one, other}))
    return found


@lru_cache(maxsize=4096)
def outline(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The convex hull, counter-clockwise (Andrew's monotone chain, 1979).

    >>> outline(((0, 0), (2, 0), (1, 1), (2, 2), (0, 2)))
    ((0, 0), (2, 0), (2, 2), (0, 2))
    """
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)
    return (*_chain(ordered), *_chain(ordered[::-1]))


@lru_cache(maxsize=65_536)
def apart(one: tuple[Point, ...], other: tuple[Point, ...]) -> float:
    """How far two convex outlines are from each other; 0 where they overlap.

    >>> apart(((0, 0), (2, 0), (2, 2), (0, 2)), ((5, 0), (7, 0), (7, 2), (5, 2)))
    3.0
    """
    if inside(one[0], other) or inside(other[0], one):
        return 0.0
    edges, others = _edges(one), _edges(other)
    if any(crossing(a, b, c, d) is not None for a, b in edges for c, d in others):
        return 0.0
    ways = [distance(point, a, b) for point in one for a, b in others]
    ways += [distance(point, a, b) for point in other for a, b in edges]
    return min(ways)


def _edges(outline: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(pairwise([*outline, outline[0]]))


def _chain(points: Sequence[Point]) -> list[Point]:
    """Half of a hull, without its last point."""
    found: list[Point] = []
    for x, y in points:
        while len(found) > 1:
            (x1, y1), (x2, y2) = found[-2:]
            if (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) > 0:
                break
            found.pop()
        found.append((x, y))
    return found[:-1]
