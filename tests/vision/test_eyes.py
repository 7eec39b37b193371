"""Several detectors as one: who looks at which camera, and what happens when one fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from perishield.model.errors import ModelError
from perishield.model.vision import Detections
from perishield.vision.eyes import Eyes
from perishield.vision.motion import MotionDetector
from perishield.vision.picture import Picture


@dataclass
class Named:
    """Calls whatever it is shown by its own name."""

    name: str
    batch: int = 2
    fails: bool = False
    shown: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    @property
    def model(self) -> str:
        return f"{self.name}.onnx"

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        if self.fails:
            raise RuntimeError("out of memory")
        self.shown += [picture.camera for picture in pictures]
        return [self._one() for _ in pictures]

    def _one(self) -> Detections:
        box = np.array([[0, 0, 9, 9]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16), (self.name,))

    def forget(self, camera: str) -> None:
        self.forgotten.append(camera)


@dataclass
class Trouble:
    failed: list[tuple[str, ModelError]] = field(default_factory=list)
    site: list[ModelError] = field(default_factory=list)


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


def eyes_of(site: Any, trouble: Trouble) -> Eyes:
    return Eyes(
        site,
        lambda stream: stream.partition("~")[0],
        lambda model, error: trouble.failed.append((model, error)),
        trouble.site.append,
    )


def shown(*cameras: str) -> list[Picture]:
    # A picture is asked for nothing but its camera here.
    return [cast("Picture", type("Shown", (), {"camera": camera})()) for camera in cameras]


def names(found: Sequence[Detections]) -> list[str]:
    return [one.names[0] if len(one) else "" for one in found]


def test_each_picture_goes_to_the_model_of_its_camera_and_keeps_its_place(trouble: Trouble) -> None:
    site, night = Named("site"), Named("night", batch=8)
    eyes = eyes_of(site, trouble)
    eyes.add("night@1", night)
    eyes.assign({"gate": "night@1", "yard": "missing@1"}, {"attic"})
    found = eyes.detect(shown("gate", "yard", "attic", "gate~detect", "hall"))
    assert names(found) == ["night", "site", "", "night", "site"]
    assert (site.shown, night.shown) == (["yard", "hall"], ["gate", "gate~detect"])
    assert (eyes.of("gate~detect").name, eyes.of("yard").name, eyes.name, eyes.batch) == ("night", "site", "site", 8)
    eyes.forget("gate")
    assert site.forgotten == night.forgotten == ["gate"]
    eyes.drop("night@1")
    assert names(eyes.detect(shown("gate"))) == ["site"]


def test_a_tasks_model_that_fails_gives_way_to_the_sites_and_is_told_of(trouble: Trouble) -> None:
    site, night = Named("site"), Named("night", fails=True)
    eyes = eyes_of(site, trouble)
    eyes.add("night@1", night)
    eyes.assign({"gate": "night@1"}, ())
    assert names(eyes.detect(shown("gate", "hall"))) == ["site", "site"]
    ((model, error),) = trouble.failed
    assert (model, error.code, trouble.site) == ("night@1", "model_corrupt", [])
    assert "out of memory" in error.message
    assert names(eyes.detect(shown("gate"))) == ["site"], "it is not tried again"
    assert len(trouble.failed) == 1


def test_a_sites_model_that_fails_gives_way_to_motion_and_tasks_keep_theirs(trouble: Trouble) -> None:
    night = Named("night")
    eyes = eyes_of(Named("site", fails=True), trouble)
    eyes.add("night@1", night)
    eyes.assign({"gate": "night@1"}, {"hall"})
    assert names(eyes.detect(shown("gate", "hall"))) == ["night", ""]
    with pytest.raises(AttributeError):
        # Motion looks at these pictures, which are none.
        eyes.detect(shown("yard"))
    assert isinstance(eyes.site, MotionDetector)
    assert [error.code for error in trouble.site] == ["model_corrupt"]
    assert names(eyes.detect(shown("gate"))) == ["night"]
