"""The two cameras of the demo site, and the rules that a user would have drawn on their pictures."""

from __future__ import annotations

from perishield.evaluation.scenes.camera import View
from perishield.evaluation.scenes.scene import (
    Actor,
    Block,
    CameraPose,
    ClimbOver,
    DogLook,
    FenceShape,
    Go,
    Light,
    PersonLook,
    Scene,
    Strip,
    Tree,
    Wait,
    Weather,
)
from perishield.model.geometry import Point
from perishield.model.rules import Fence, Rule

OUTER_Y, INNER_Y = -0.3, 0.9
"""Where the fence rule's lines run on the ground. A climber's foot on the picture first rises with him, to beyond the
outer line, then falls over it in the drop and turns away over the inner one. The inner line keeps so far from the
fence that a shadow that drops beside him does not cross it by itself; people who keep outside stay away from both."""


def demo_scenes() -> tuple[Scene, ...]:
    """North fence by day, south fence at dusk in the rain: a minute each, empty at the seam."""
    return (_north(), _south())


def _line(view: View, y: float, xs: tuple[float, ...]) -> tuple[Point, ...]:
    points = (view.pixel((x, y, 0.0)) for x in xs)
    return tuple(
        (round(min(max(u / view.width, 0.0), 1.0), 4), round(min(max(v / view.height, 0.0), 1.0), 4)) for u, v in points
    )


def _fence_rule(camera: str, title: str, pose: CameraPose, xs: tuple[float, ...], inwards: str) -> Rule:
    view = View(pose, 1280, 720)
    return Fence(
        id=f"{camera}-fence",
        camera=camera,
        name=f"{title}: climbed over",
        level=1,
        outer=_line(view, OUTER_Y, xs),
        inner=_line(view, INNER_Y, xs),
        direction="right_to_left" if inwards == "right_to_left" else "left_to_right",
        within_s=15.0,
    )


def _north() -> Scene:
    pose = CameraPose(position=(0.0, 6.2, 4.3), heading=-32.0, pitch=-14.5)
    intruder = PersonLook(
        top=(0.05, 0.06, 0.09), second=(0.2, 0.03, 0.03), pattern="panels", trousers=(0.07, 0.08, 0.12), hood=True
    )
    second = PersonLook(
        height=1.82,
        top=(0.3, 0.06, 0.05),
        second=(0.06, 0.06, 0.06),
        pattern="plain",
        trousers=(0.05, 0.055, 0.07),
        backpack=True,
    )
    walker = PersonLook(
        height=1.7, top=(0.35, 0.36, 0.4), second=(0.06, 0.1, 0.25), pattern="stripes", trousers=(0.08, 0.11, 0.22)
    )
    loiterer = PersonLook(
        height=1.78,
        girth=1.08,
        top=(0.04, 0.05, 0.12),
        second=(0.4, 0.38, 0.33),
        pattern="check",
        trousers=(0.05, 0.05, 0.055),
    )
    return Scene(
        name="north-fence",
        title="North fence",
        camera=pose,
        seed=11,
        strips=(Strip(near=2.6, far=4.6, material="gravel"), Strip(near=-5.2, far=-2.4, material="dirt")),
        blocks=(Block(low=(26.0, 4.2, 0.0), high=(38.0, 16.0, 4.5), material="brick", colour=(0.42, 0.24, 0.17)),),
        trees=(
            Tree(at=(14.0, -11.0), height=5.2, width=4.2, period_s=5.0),
            Tree(at=(27.0, -12.0), height=6.0, width=5.0, period_s=4.0, colour=(0.085, 0.115, 0.045)),
            Tree(at=(7.5, -10.5), height=2.2, width=3.0, period_s=3.0, colour=(0.075, 0.1, 0.04)),
        ),
        actors=(
            Actor(
                name="intruder-1",
                look=intruder,
                start_s=2.0,
                at=(22.0, -6.5),
                moves=(
                    Go((13.0, -1.6), 1.7),
                    Go((10.5, -0.45), 1.3),
                    ClimbOver(6.5),
                    Go((13.0, 3.0), 2.6),
                    Go((24.0, 8.5), 3.6),
                ),
            ),
            Actor(
                name="dog",
                look=DogLook(),
                start_s=19.0,
                at=(34.0, -3.2),
                moves=(Go((20.0, -1.7), 2.2), Go((1.0, -2.2), 2.2)),
            ),
            Actor(name="walker", look=walker, start_s=20.5, at=(3.0, -4.2), moves=(Go((34.0, -3.6), 1.45),)),
            Actor(
                name="intruder-2",
                look=second,
                start_s=27.0,
                at=(8.0, -8.0),
                moves=(
                    Go((11.5, -2.0), 1.5),
                    Go((13.5, -0.45), 1.2),
                    Wait(0.8),
                    ClimbOver(7.0),
                    Go((15.0, 2.5), 2.4),
                    Go((25.0, 8.5), 3.4),
                ),
            ),
            Actor(
                name="loiterer",
                look=loiterer,
                start_s=40.5,
                at=(27.0, -4.4),
                moves=(Go((16.0, -3.4), 1.55), Wait(2.5), Go((3.6, -4.4), 1.65)),
            ),
        ),
        rules=(_fence_rule("north-fence", "North fence", pose, (4.2, 8.0, 14.0, 26.0), "right_to_left"),),
    )


def _south() -> Scene:
    pose = CameraPose(position=(0.0, 6.4, 4.4), heading=212.0, pitch=-14.5)
    intruder = PersonLook(
        height=1.74,
        top=(0.3, 0.33, 0.38),
        second=(0.05, 0.06, 0.09),
        pattern="panels",
        trousers=(0.05, 0.055, 0.075),
        backpack=True,
    )
    passer = PersonLook(
        height=1.68, top=(0.4, 0.3, 0.06), second=(0.5, 0.5, 0.45), pattern="vest", trousers=(0.07, 0.08, 0.12)
    )
    light = Light(
        lamp=(-7.0, 4.6, 6.5),
        key=(1.4, 1.28, 1.1),
        sky=(0.33, 0.36, 0.43),
        bounce=(0.09, 0.09, 0.085),
        zenith=(0.15, 0.18, 0.25),
        horizon=(0.27, 0.27, 0.31),
        softness=0.06,
        exposure=1.3,
    )
    return Scene(
        name="south-fence",
        title="South fence",
        camera=pose,
        seed=23,
        fence=FenceShape(height=2.1, colour=(0.2, 0.21, 0.22), bar_pitch=0.07),
        light=light,
        weather=Weather(rain=900, noise=3.0, wind=0.3, haze=0.007, wet=0.75),
        strips=(Strip(near=2.2, far=6.0, material="asphalt"), Strip(near=-5.6, far=-2.2, material="asphalt")),
        blocks=(Block(low=(-40.0, 4.5, 0.0), high=(-27.0, 16.0, 5.5), material="cladding", colour=(0.3, 0.34, 0.38)),),
        trees=(
            Tree(at=(-16.0, -11.5), height=5.0, width=4.2, period_s=4.0),
            Tree(at=(-8.5, -11.0), height=2.4, width=3.2, period_s=3.0),
        ),
        actors=(
            Actor(name="passer-by", look=passer, start_s=1.5, at=(-33.0, -3.8), moves=(Go((-2.0, -4.2), 1.5),)),
            Actor(
                name="intruder",
                look=intruder,
                start_s=16.0,
                at=(-22.0, -7.0),
                moves=(
                    Go((-13.0, -1.6), 1.9),
                    Go((-11.0, -0.45), 1.3),
                    ClimbOver(6.5),
                    Go((-13.0, 3.0), 2.6),
                    Go((-26.0, 9.0), 3.6),
                ),
            ),
            Actor(
                name="fox",
                look=DogLook(height=0.46, length=0.6, coat=(0.33, 0.15, 0.06), belly=(0.45, 0.4, 0.34)),
                start_s=42.0,
                at=(-1.5, -2.4),
                moves=(Go((-12.0, -1.8), 2.0), Wait(1.0), Go((-33.0, -3.0), 2.6)),
            ),
        ),
        rules=(_fence_rule("south-fence", "South fence", pose, (-4.2, -8.0, -14.0, -26.0), "left_to_right"),),
    )
