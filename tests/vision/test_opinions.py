"""Horses and people in one place are one person, where there are no horses."""

from __future__ import annotations

import numpy as np

from perishield.model.vision import Detections
from perishield.vision.opinions import as_people

NAMES = ("person", "dog", "horse", "cow", "car")


def seen(*found: tuple[str, float, tuple[float, float, float, float]], names: tuple[str, ...] = NAMES) -> Detections:
    return Detections(
        np.array([box for _, _, box in found], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in found], np.float32),
        np.array([names.index(name) for name, _, _ in found], np.int16),
        names,
    )


def said(detections: Detections) -> list[tuple[str, float]]:
    pairs = zip(detections.classes, detections.scores, strict=True)
    return sorted((detections.names[kind], round(float(score), 2)) for kind, score in pairs)


def test_who_is_a_person_and_a_horse_and_a_cow_is_one_person_as_likely_as_that_one_of_them_is_right() -> None:
    creeps = seen(("person", 0.3, (10, 10, 50, 40)), ("horse", 0.6, (12, 10, 52, 42)), ("cow", 0.2, (9, 11, 50, 41)))
    assert said(as_people(creeps)) == [("person", round(1 - 0.7 * 0.4 * 0.8, 2))]


def test_a_class_that_is_told_twice_counts_once() -> None:
    twice = seen(("horse", 0.4, (10, 10, 50, 40)), ("horse", 0.3, (16, 12, 56, 44)), ("person", 0.5, (11, 10, 51, 41)))
    assert said(as_people(twice)) == [("person", 0.7)]


def test_others_stay_what_they_are() -> None:
    yard = seen(
        ("horse", 0.5, (10, 10, 50, 40)), ("person", 0.7, (200, 10, 230, 90)), ("dog", 0.4, (12, 12, 52, 40)),
        ("car", 0.9, (300, 20, 400, 80)), ("person", 0.6, (215, 12, 245, 92)),
    )  # fmt: skip
    assert said(as_people(yard)) == [("car", 0.9), ("dog", 0.4), ("person", 0.5), ("person", 0.6), ("person", 0.7)]


def test_nothing_is_copied_where_there_is_no_horse() -> None:
    for plain in (
        seen(("person", 0.7, (10, 10, 50, 90))),
        seen(),
        seen(("motion", 0.9, (1, 1, 9, 9)), names=("motion",)),
    ):
        assert as_people(plain) is plain


def test_a_network_that_knows_no_people_keeps_its_horses() -> None:
    stable = seen(("horse", 0.5, (10, 10, 50, 40)), names=("horse", "cow"))
    assert as_people(stable) is stable
