"""Several detectors as one: each camera is looked at by the model that its task names, all others by the site's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from perishield.log import Log
from perishield.model.errors import ModelError
from perishield.model.vision import Detections
from perishield.vision.detector import nothing
from perishield.vision.motion import MotionDetector

if TYPE_CHECKING:
    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

log = Log("vision")


class Eyes:
    """A detector by the camera. Used by the thread that infers.

    `camera_of`: from a stream's name to its camera's. `on_failed` is told of a task's model that fails while it looks,
    `on_trouble` of the site's; then the site's, or motion, sees on until a restart.
    """

    def __init__(
        self,
        site: Detector,
        camera_of: Callable[[str], str],
        on_failed: Callable[[str, ModelError], None],
        on_trouble: Callable[[ModelError], None],
    ) -> None:
        self.site = site
        self._camera_of = camera_of
        self._on_failed = on_failed
        self._on_trouble = on_trouble
        self._models: dict[str, Detector] = {}
        self._choice: Mapping[str, str] = {}
        self._resting: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def model(self) -> str:
        return self.site.model

    @property
    def batch(self) -> int:
        return max(each.batch for each in self.all())

    def all(self) -> list[Detector]:
        return [self.site, *self._models.values()]

    def assign(self, choice: Mapping[str, str], resting: Collection[str]) -> None:
        """Which model looks at which camera, where it is not the site's; and at which cameras nothing looks."""
        self._choice, self._resting = choice, frozenset(resting)

    def add(self, model: str, detector: Detector) -> None:
        self._models[model] = detector

    def drop(self, model: str) -> None:
        self._models.pop(model, None)

    def of(self, stream: str) -> Detector:
        """What looks at a stream: the site's where the model of its task is not there."""
        return self._models.get(self._choice.get(self._camera_of(stream), ""), self.site)

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        found: list[Detections] = [nothing(()) for _ in pictures]
        shares: dict[int, tuple[Detector, list[int]]] = {}
        for index, picture in enumerate(pictures):
            if self._camera_of(picture.camera) not in self._resting:
                detector = self.of(picture.camera)
                shares.setdefault(id(detector), (detector, []))[1].append(index)
        for detector, indices in shares.values():
            seen = self._look(detector, [pictures[index] for index in indices])
            for index, detections in zip(indices, seen, strict=True):
                found[index] = detections
        return found

    def forget(self, camera: str) -> None:
        for each in self.all():
            each.forget(camera)

    def _look(self, detector: Detector, pictures: list[Picture]) -> list[Detections]:
        try:
            return detector.detect(pictures)
        except Exception as error:
            if isinstance(detector, MotionDetector):
                raise
            log.exception("vision.detector_failed", name=detector.name)
            self._replace(detector, error)
            return self._look(self.site, pictures)

    def _replace(self, detector: Detector, error: Exception) -> None:
        model = next((name for name, each in self._models.items() if each is detector), "")
        if model:
            self.drop(model)
            why = f"model {model}: failed while it looked ({error}); what the site uses sees on until a restart"
            self._on_failed(model, ModelError(why, code="model_corrupt"))
            return
        self.site = MotionDetector()
        why = f"model {detector.model}: failed while it ran ({error}); seeing motion only until a restart"
        self._on_trouble(ModelError(why, code="model_corrupt"))
