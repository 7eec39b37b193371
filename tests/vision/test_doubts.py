"""Doubts about tracks, on a grey picture: what is held back, and that an intruder is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import av
import msgspec
import numpy as np

from perishield.model.doubts import Doubt, Sample
from perishield.model.geometry import Box, Point
from perishield.model.media import TIMESCALE
from perishield.model.vision import MOTION, Detections, TrackBox, TrackFrame
from perishield.vision.doubt_creep import Metres
from perishield.vision.doubt_kind import Expected
from perishield.vision.doubts import Jury
from perishield.vision.picture import Picture

WIDTH, HEIGHT = 640, 360
FPS = 6.0
NAMES = ("person", "dog", "bird", "horse", "car", MOTION)
SHADES = np.rint(16 + np.arange(256) * 219 / 255).astype(np.uint8)
Paint = Callable[[np.ndarray], None]


class Watching:
    """Feeds a jury with tracks, a picture every sixth of a second."""

    def __init__(
        self,
        ignored: tuple[Doubt, ...] = (),
        expected: Expected | None = None,
        *,
        livestock: bool = False,
        metres: Metres | None = None,
    ) -> None:
        self.samples: list[Sample] = []
        self.jury = Jury(lambda doubt: doubt not in ignored, self.samples.append, expected, lambda: livestock, metres)
        self.labels: list[str] = []
        """Of the tracks that rules got to see last."""
        self.time_s = 0.0
        rng = np.random.default_rng(2)
        self._ground = rng.integers(80, 140, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)

    def see(
        self, *tracks: TrackBox, paint: Paint | None = None, opinions: Mapping[str, float] | None = None
    ) -> list[int]:
        """Numbers of the tracks that rules get to see.

        `opinions`: what the detector said at the first track's place; else each track's own label at its own score.
        """
        gray = self._ground.copy()
        if paint is not None:
            paint(gray)
        frame = in_grey(gray)
        picture = Picture("yard", 1, round(self.time_s * TIMESCALE), self.time_s, self.time_s, False, frame)
        tracked = TrackFrame(
            camera="yard",
            epoch=1,
            stream_time=picture.stream_time,
            wall=self.time_s,
            arrival=self.time_s,
            width=WIDTH,
            height=HEIGHT,
            tracks=tracks,
        )
        self.time_s += 1 / FPS
        if opinions is None:
            said = [(track.label, track.score, track.box) for track in tracks]
        else:
            said = [(label, score, tracks[0].box) for label, score in opinions.items()]
        seen = Detections(
            np.array([box for _, _, box in said], np.float32).reshape(-1, 4),
            np.array([score for _, score, _ in said], np.float32),
            np.array([NAMES.index(label) for label, _, _ in said], np.int16),
            NAMES,
        )
        kept = self.jury.sift(picture, tracked, seen).tracks
        self.labels = [track.label for track in kept]
        return [track.id for track in kept]


def in_grey(gray: np.ndarray) -> av.VideoFrame:
    """As cameras send it: brightness from 16 to 235 (ITU-R BT.601), no colour."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    bright, *colours = frame.planes
    bright.update(np.ascontiguousarray(np.pad(SHADES[gray], ((0, 0), (0, bright.line_size - WIDTH)))))
    for plane in colours:
        plane.update(b"\x80" * plane.buffer_size)
    return frame


def body(number: int, x: float, y: float = 200, label: str = "person", size: tuple[int, int] = (24, 70)) -> TrackBox:
    box: Box = (x, y - size[1], x + size[0], y)
    return TrackBox(number, label, 0.8, box, 5)


def test_what_stands_for_long_is_held_back_also_under_new_numbers_until_it_goes() -> None:
    watching = Watching()
    for _ in range(round(40 * FPS)):
        watching.see(body(1, 300))
    assert watching.see(body(1, 300)) == []
    for number in range(2, 6):
        watching.time_s += 20
        assert watching.see(body(number, 301)) == []
    assert watching.jury.counts[Doubt.STILL] == 5
    assert watching.samples[0].jpeg.startswith(b"\xff\xd8")
    # It was a person after all: the first step is a step of the intruder.
    passed = [watching.see(body(5, 301 + step * 6)) for step in range(8)]
    assert passed[-1] == [5]
    assert [5] in passed[:4]


def test_who_walks_in_and_waits_is_never_held_back() -> None:
    watching = Watching()
    for step in range(60):
        assert watching.see(body(1, 20 + step * 4)) == [1]
    for _ in range(round(90 * FPS)):
        assert watching.see(body(1, 256)) == [1]
    for step in range(20):
        assert watching.see(body(1, 256 + step * 4)) == [1]
    assert not watching.jury.counts


def test_a_branch_sways_and_a_sentry_walks() -> None:
    watching = Watching()
    held = [watching.see(body(1, 300 + 14 * np.sin(step * 1.3), label=MOTION)) for step in range(60)]
    assert held[-1] == []
    assert watching.jury.counts[Doubt.SWAY] == 1
    sentry = Watching()
    for step in range(240):
        assert sentry.see(body(1, 300 + 120 * np.sin(step * 0.06), label=MOTION)) == [1]


def test_who_climbs_where_he_is_and_is_surely_a_person_does_not_sway() -> None:
    watching = Watching()
    for step in range(60):
        assert watching.see(body(1, 300 + 14 * np.sin(step * 1.3))) == [1]
    flag = Watching()
    held = [
        flag.see(msgspec.structs.replace(body(1, 300 + 14 * np.sin(step * 1.3)), score=0.45 + 0.1 * (step % 6 == 0)))
        for step in range(60)
    ]
    assert held[-1] == [], "called a person now and then"


def test_what_comes_with_a_change_of_light_must_go_on() -> None:
    watching = Watching()
    for _ in range(12):
        watching.see()

    def lit(gray: np.ndarray) -> None:
        gray += 60

    assert watching.see(body(1, 300, label=MOTION), paint=lit) == []
    assert watching.jury.counts[Doubt.LIGHT] == 1
    passed = [watching.see(body(1, 300 + step * 10, label=MOTION), paint=lit) for step in range(8)]
    assert passed[-1] == [1]


def test_drops_of_rain_are_held_back_and_who_walks_through_them_is_not() -> None:
    watching = Watching()
    number = 100
    walker: list[int] = []
    drops: list[int] = []
    for step in range(72):
        falling = [body(number + index, 40.0 + 90 * index, 60 + 20 * (step % 3), MOTION, (6, 20)) for index in range(4)]
        if step % 3 == 2:
            number += 4
        seen = watching.see(body(1, 20.0 + 8 * step, label=MOTION), *falling)
        if step >= 36:
            walker += [track for track in seen if track == 1]
            drops += [track for track in seen if track != 1]
    assert len(walker) == 36
    assert not drops
    assert watching.jury.counts[Doubt.WEATHER] > 0


def test_a_busy_street_of_people_named_with_little_certainty_is_no_weather() -> None:
    watching = Watching()
    for step in range(60):
        people = [
            msgspec.structs.replace(body(10 * (step // 4) + index, 30.0 + 70 * index + 6 * (step % 4)), score=0.35)
            for index in range(8)
        ]
        assert len(watching.see(*people)) == 8
    assert Doubt.WEATHER not in watching.jury.counts


def test_headlights_are_broad_and_white_in_the_dark() -> None:
    watching = Watching()

    def night(gray: np.ndarray) -> None:
        gray //= 4
        gray[150:200, 300:380] = 250

    beam = TrackBox(1, MOTION, 0.8, (300, 150, 380, 200), 5)
    assert watching.see(beam, paint=night) == []
    assert watching.jury.counts[Doubt.HEADLIGHTS] == 1
    assert watching.see(body(2, 100, label=MOTION), paint=night) == [2]


def test_an_animal_now_and_then_called_a_person_is_an_animal() -> None:
    watching = Watching()
    for step in range(6):
        watching.see(body(1, 100 + 5 * step, label="dog", size=(50, 35)))
    assert watching.see(body(1, 135, size=(50, 35))) == []
    assert watching.jury.counts[Doubt.ANIMAL] == 1


def test_all_opinions_about_a_thing_count_and_not_only_the_first() -> None:
    dog = {"person": 0.4, "dog": 0.3, "bird": 0.2}
    watching = Watching()
    shown = [watching.see(body(1, 100 + 5 * step, size=(50, 35)), opinions=dog) for step in range(6)]
    assert shown[:2] == [[1], [1]], "two pictures are no reason"
    assert shown[2:] == [[]] * 4
    assert watching.jury.counts[Doubt.ANIMAL] == 1


def test_whom_movement_alone_keeps_nobody_has_called_a_person_again() -> None:
    watching = Watching()
    dog, passer_by = body(1, 100, size=(50, 35)), body(2, 400)
    for _ in range(3):
        shown = watching.see(dog, passer_by, opinions={"person": 0.4, "dog": 0.6})
    assert shown == [2]
    for _ in range(6):
        assert watching.see(passer_by, dog, opinions={"person": 0.8}) == [2], "who was named is the other one"
    for _ in range(6):
        shown = watching.see(dog, passer_by, opinions={"person": 0.8})
    assert shown == [1, 2], "now it was called one, and often"


def test_a_person_now_and_then_called_an_animal_is_a_person() -> None:
    watching = Watching()
    for step in range(12):
        label = "dog" if step % 4 == 3 else "person"
        assert watching.see(body(1, 100 + 5 * step, label=label)) == [1]
        assert watching.labels == ["person"]
    other = [watching.see(body(1, 160 + 5 * step), body(2, 400)) for step in range(4)]
    assert other == [[1, 2]] * 4, "what is said of one says nothing of another"


def test_who_is_called_a_horse_creeps_unless_there_are_horses() -> None:
    creeper = {"horse": 0.5, "dog": 0.3, "person": 0.1}
    for livestock, label in ((False, "person"), (True, "horse")):
        watching = Watching(livestock=livestock)
        for step in range(6):
            watching.see(body(1, 100 + 5 * step, label="horse", size=(60, 35)), opinions=creeper)
            assert watching.labels == [label]
    watching = Watching()
    watching.see(body(1, 100, label="horse", size=(60, 35)), opinions=creeper)
    watching.see(body(1, 104, label="horse", size=(60, 35)), body(2, 120, size=(30, 30)), opinions=creeper)
    assert watching.labels == ["horse", "person"], "one person, told once"
    rider = {"person": 0.7, "horse": 0.5}
    watching = Watching(livestock=True)
    for step in range(6):
        assert watching.see(body(1, 100 + 5 * step), opinions=rider) == [1]


def test_a_car_is_never_a_person() -> None:
    watching = Watching()
    for step in range(6):
        watching.see(body(1, 100 + 5 * step, label="car", size=(90, 50)), opinions={"car": 0.4, "person": 0.6})
        assert watching.labels == ["car"]


def test_size_is_learned_from_those_who_walk_and_creeping_is_no_doubt() -> None:
    watching = Watching()
    for number in range(1, 9):
        for step in range(40):
            watching.see(body(number, 30 + step * 14, y=180 + number * 12, size=(22, 60 + number * 4)))
        watching.time_s += 1
    tiny = [watching.see(body(20, 100 + step * 4, y=250, size=(5, 14))) for step in range(6)]
    assert all(shown == [] for shown in tiny)
    assert watching.jury.counts[Doubt.SIZE] == 1
    assert watching.see(body(21, 300, y=250, size=(80, 30))) == [21]


def test_size_is_known_at_once_where_the_ground_is_calibrated() -> None:
    watching = Watching(expected=lambda at, width, height: at[1] / height * 100 if at[1] > 100 else None)
    assert watching.see(body(1, 300, y=250, size=(8, 20))) == []
    assert watching.see(body(2, 300, y=250, size=(24, 66))) == [2]
    assert watching.see(body(3, 300, y=90, size=(8, 20))) == [3], "nobody knows there"


def test_a_dog_that_comes_nearer_is_thin_and_half_as_high_as_a_person() -> None:
    often = {"person": 0.7, "dog": 0.1}
    for size, opinions, told in (
        ((18, 58), often, False),
        ((18, 58), {"person": 0.7}, True),  # a child
        ((40, 58), often, True),  # somebody on hands and knees
        ((28, 42), often, False),  # a dog, from the front
        ((28, 42), {"person": 0.7}, True),
        ((24, 90), often, True),
    ):
        watching = Watching(expected=lambda at, width, height: 100.0)
        for step in range(5):
            shown = watching.see(body(1, 300, y=250 + 4 * step, size=size), opinions=opinions)
        assert shown == ([1] if told else []), (size, opinions)
    dog = Watching(expected=lambda at, width, height: 100.0)
    for size in (*[(18, 58)] * 4, *[(80, 50)] * 6):
        shown = dog.see(body(1, 300, y=250, size=size), opinions=often)
    assert shown == [], "it has turned, and is as long as somebody who creeps"
    for _ in range(3):
        shown = dog.see(body(1, 300, y=250, size=(30, 90)), opinions=often)
    assert shown == [1], "it was somebody all the same"


def upright(at: Point, width: int, height: int) -> float:
    return 100.0


def on_ground(at: Point, width: int, height: int) -> Point:
    """A person is 100 pixels high there, whoever moves towards the camera goes twice as far as it seems."""
    return at[0] * 1.72 / 100, at[1] * 3.44 / 100


def crawls(watching: Watching, pace: float, pictures: int = 24, size: tuple[int, int] = (42, 56)) -> list[str]:
    """Labels of a thing that comes on at `pace` metres a second and is a dog to the network, whatever it does."""
    shown = []
    for step in range(pictures):
        y = 150 + step / FPS * pace * 100 / 3.44
        watching.see(body(1, 300, y=y + step % 2, label="dog", size=size), opinions={"dog": 0.4, "horse": 0.1})
        shown += watching.labels
    return shown


def test_what_goes_on_slower_than_animals_walk_creeps() -> None:
    shown = crawls(Watching(expected=upright, metres=on_ground), 0.5)
    assert shown[:12] == ["dog"] * 12, "two seconds are not enough"
    assert shown[-6:] == ["person"] * 6
    assert "person" not in crawls(Watching(expected=upright), 0.5), "without calibrated ground nobody knows"
    for pace, size in ((1.2, (42, 56)), (0.0, (42, 56)), (0.5, (24, 30))):
        assert set(crawls(Watching(expected=upright, metres=on_ground), pace, size=size)) == {"dog"}, (pace, size)


def test_an_animal_that_stops_and_goes_on_does_not_creep() -> None:
    watching = Watching(expected=upright, metres=on_ground)
    y = 150.0
    for step in range(90):
        y += (step // 9 % 2) * 1.3 / FPS * 100 / 3.44
        watching.see(body(1, 300, y=y, label="dog", size=(42, 56)))
        assert watching.labels == ["dog"], step


def test_with_livestock_about_nobody_is_told_by_how_slowly_he_goes() -> None:
    assert set(crawls(Watching(expected=upright, metres=on_ground, livestock=True), 0.5)) == {"dog"}


def test_who_creeps_is_no_dog_that_comes_nearer() -> None:
    often = {"person": 0.7, "dog": 0.1}
    for pace, told in ((0.5, True), (1.3, False)):
        watching = Watching(expected=upright, metres=on_ground)
        for step in range(24):
            y = 180 + step / FPS * pace * 100 / 3.44
            shown = watching.see(body(1, 300, y=y, size=(18, 58) if step < 6 else (40, 58)), opinions=often)
        assert shown == ([1] if told else []), pace


def test_a_leap_gives_a_new_number() -> None:
    watching = Watching()
    for step in range(10):
        assert watching.see(body(1, 50 + step * 3)) == [1]
    assert watching.see(body(1, 500)) == []
    shown = [watching.see(body(1, 500 + step * 3)) for step in range(1, 8)]
    assert shown[-1]
    assert shown[-1] != [1]
    assert watching.jury.counts[Doubt.SPEED] == 1


def test_a_doubt_that_does_not_count_holds_nothing_back() -> None:
    watching = Watching(ignored=(Doubt.STILL,))
    for _ in range(round(45 * FPS)):
        assert watching.see(body(1, 300)) == [1]
