"""Detection networks in ONNX files: loaded, tried, recognised, run.

What a family's outputs look like is in `heads`, how it is recognised in `families`, what a card may declare in
`model_card`. `infer`, `preprocess` and `decode` are the seams of a batcher; `detect` is all of them in a row.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from perishield.model.errors import ModelError
from perishield.model.vision import PERSON, Detections
from perishield.vision import coco, heads
from perishield.vision.decode_yolov8 import Yolov8Head
from perishield.vision.decode_yolox import YoloxHead
from perishield.vision.families import UNDERSTOOD, UnknownFamilyError, input_form, recognise
from perishield.vision.letterbox import Fit, InputForm, Letterbox
from perishield.vision.model_card import Family, ModelCard, card_of
from perishield.vision.model_inputs import ELEMENTS, inputs_of
from perishield.vision.nms import keep_best
from perishield.vision.picture import Picture
from perishield.vision.providers import Runtime, first_line, open_session
from perishield.vision.trial_picture import rendered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]

Raw = Mapping[str, "NDArray[np.float32]"]
"""Outputs by their names, each with the batch as its first axis."""

_DEFAULT_SIDE = 640
_MOST_AT_ONCE = 8
_SUPPRESSED = frozenset({"yolo_end2end", "detr", "rtdetr", "detr_post", "ssd_end2end"})
"""Families whose boxes never mean the same object twice."""


class OnnxDetector:
    """A detection network on ONNX Runtime.

    `name` is the family; `model` the file's name; `provider` what computes it. `least` is the lowest score that is
    reported: low, since the tracker makes use of unsure boxes. `batch` is how many pictures `infer` takes at once.

    The threads of a runtime share one run of a network with an open batch. One with a fixed batch runs several times at
    once instead, each in a thread of its own: that takes no more processor time than one after the other, where threads
    that share the layers of a small network wait for each other at every one.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        least: float | None = None,
        overlap: float | None = None,
        card: ModelCard | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Load and try the network; the card is that beside the file where none is given.

        Raises ModelError (`model_missing`, `model_corrupt`, `model_foreign`, `model_card`, `model_provider`).
        """
        self.model = path.name
        self.card = card_of(path) if card is None else card
        if self.card.sha256 and path.is_file() and file_digest(path) != self.card.sha256:
            raise ModelError(
                f"model {path.name}: is not the file that its card pins (sha256); fetch it again", code="model_corrupt"
            )
        self._least = self.card.least if least is None else least
        self._overlap = self.card.overlap if overlap is None else overlap
        runtime = runtime or Runtime(threads=threads)
        self._session, self.provider = open_session(path, runtime)
        self._input, self._sizes, self._channels_last = inputs_of(self._session, path.name)
        shape = self._input.shape
        height, width = shape[1:3] if self._channels_last else shape[2:4]
        self._height = height if isinstance(height, int) else self.card.height or _DEFAULT_SIDE
        self._width = width if isinstance(width, int) else self.card.width or _DEFAULT_SIDE
        self._fixed_batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        self._rows = self.batch = self._fixed_batch or _MOST_AT_ONCE
        self._lanes: ThreadPoolExecutor | None = None
        if self._fixed_batch and runtime.threads > 1 and self.provider == "cpu":
            self._session, _ = open_session(path, replace(runtime, threads=1, provider="cpu"))
            self._lanes = ThreadPoolExecutor(runtime.threads, "infer-lane")
            self.batch = max(self._rows, _MOST_AT_ONCE)
        raw = self._try_out()
        try:
            self.family: Family = recognise(raw, self._width, self._height, self.card)
        except UnknownFamilyError as error:
            raise self._foreign(str(error)) from None
        self.name: str = self.family
        form = input_form(self.family, raw, self.card)
        if ELEMENTS[self._input.type] is np.uint8:
            # Such networks scale by themselves.
            form = InputForm(order=form.order, divisor=1.0, mode=form.mode, pad=form.pad)
        self._letterbox = Letterbox(self._width, self._height, form)
        try:
            self._read, classes, self._first = self._head(raw)
        except (IndexError, ValueError, KeyError, UnknownFamilyError) as error:
            raise self._foreign(str(error) or f"they do not fit family {self.family!r}") from error
        self.names = coco.known_as(self._class_names(classes), self.card.aliases)
        every = self.names in (coco.NAMES, coco.NAMES_91)
        watched = [index for index, name in enumerate(self.names) if name in coco.WATCHED]
        self._watched = np.array(watched if every else range(len(self.names)), np.int16)
        self._check_boxes()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the network's input."""
        return self._width, self._height

    @property
    def input_name(self) -> str:
        """Of the picture's input."""
        return str(self._input.name)

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Boxes in pixels of each picture."""
        found: list[Detections] = []
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            tensor, fits = self.preprocess(part)
            found += self.decode(self.infer(tensor), part, fits)
        return found

    def preprocess(self, pictures: Sequence[Picture]) -> tuple[NDArray[np.float32], list[Fit]]:
        """(n, 3, height, width) float32, and how each picture lies in it."""
        tensor = np.zeros((len(pictures), 3, self._height, self._width), np.float32)
        return tensor, [self._letterbox.put(picture, tensor[index]) for index, picture in enumerate(pictures)]

    def infer(self, tensor: NDArray[np.float32]) -> Raw:
        """Run the network over (n, 3, height, width); a fixed batch is filled up with zeros, a longer one cut.

        Returns the outputs by name, float32, n rows each.
        """
        cuts = [tensor[at : at + self._rows] for at in range(0, len(tensor), self._rows)]
        if len(cuts) == 1:
            return self._run(cuts[0])
        parts = list(self._lanes.map(self._run, cuts) if self._lanes is not None else map(self._run, cuts))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def decode(self, raw: Raw, pictures: Sequence[Picture], fits: Sequence[Fit]) -> list[Detections]:
        """What `infer` gave as boxes in pixels of each picture."""
        found = []
        for index, (picture, place) in enumerate(zip(pictures, fits, strict=True)):
            boxes, scores, classes = self._read({name: array[index] for name, array in raw.items()}, self._least)
            classes = classes - self._first
            good = np.isin(classes, self._watched) & np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
            boxes, scores, classes = boxes[good], scores[good], classes[good]
            if self.family not in _SUPPRESSED:
                kept = keep_best(boxes, scores, classes, self._overlap)
                boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
            boxes = place.back(boxes, picture.width, picture.height)
            solid = (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
            found.append(
                Detections(boxes[solid], np.minimum(scores[solid], 1), classes[solid].astype(np.int16), self.names)
            )
        return found

    def forget(self, camera: str) -> None:
        """Each picture stands for itself: there is nothing to forget."""

    def _run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        count = len(tensor)
        if self._fixed_batch and count < self._fixed_batch:
            spare = np.zeros((self._fixed_batch - count, *tensor.shape[1:]), np.float32)
            tensor = np.concatenate([tensor, spare])
        fed: NDArray[Any] = tensor.transpose(0, 2, 3, 1) if self._channels_last else tensor
        element = ELEMENTS[self._input.type]
        if element is np.uint8:
            fed = np.clip(np.rint(fed), 0, 255)
        feeds = {self._input.name: np.ascontiguousarray(fed, element)}
        if self._sizes is not None:
            feeds[self._sizes] = np.tile(np.array([self._width, self._height], np.int64), (len(tensor), 1))
        outputs = self._session.run(None, feeds)
        named = zip(self._session.get_outputs(), outputs, strict=True)
        return {item.name: np.asarray(array, np.float32)[:count] for item, array in named if np.ndim(array)}

    def _try_out(self) -> Raw:
        """What the network says of a rendered picture: its real output shapes, and whether it computes at all."""
        trial = rendered(self._height, self._width)[None]
        try:
            raw = self._run(trial)
        except Exception as error:
            raise ModelError(
                f"model {self.model}: fails on a test picture of {self._width}x{self._height}: {first_line(error)}; "
                "export it for a plain image input",
                code="model_foreign",
            ) from error
        if not all(np.isfinite(array).all() for array in raw.values()):
            raise self._foreign("its output is not finite on a test picture")
        return raw

    def _head(self, raw: Raw) -> tuple[Callable[[Raw, float], Found], int, int]:
        """(one picture's outputs to boxes, number of classes or 0 where unknown, number of the first class)."""
        width, height, card = self._width, self._height, self.card
        sole, *others = raw
        first = raw[sole]
        match self.family:
            case "yolox":
                self._in_range(first[:, :, 4:])
                yolox = YoloxHead(width, height, in_pixels=self._is_in_pixels(first))
                return lambda out, least: yolox.boxes(out[sole], least), first.shape[2] - 5, 0
            case "yolov5":
                self._in_range(first[:, :, 4:])
                return lambda out, least: heads.yolov5(out[sole], least), first.shape[2] - 5, 0
            case "yolov8":
                self._in_range(first[:, 4:])
                yolov8 = Yolov8Head()
                return lambda out, least: yolov8.boxes(out[sole], least), first.shape[1] - 4, 0
            case "yolo_end2end":
                self._in_range(first[:, :, 4])
                return lambda out, least: heads.end_to_end(out[sole], least), 0, 0
            case "fastestdet":
                self._in_range(first[:, :1])
                return lambda out, least: heads.fastestdet(out[sole], width, height, least), first.shape[1] - 5, 0
            case "rtdetr":
                self._in_range(first[:, :, 4:])
                return (
                    lambda out, least: heads.shares_of(out[sole][:, :4], out[sole][:, 4:], width, height, least),
                    first.shape[2] - 4,
                    0,
                )
            case "detr_post":
                return (
                    lambda out, least: heads.listed(out["boxes"], out["scores"], out["labels"], least),
                    0,
                    0,
                )
            case "ssd_end2end":
                return self._suppressed_ssd(raw)
            case "detr" | "ssd":
                if len(others) != 1:
                    raise UnknownFamilyError(f"family {self.family!r} has two outputs, boxes and scores")
                places = self._places(raw)
                kinds = next(name for name in raw if name != places)
                count = raw[kinds].shape[2]
                if self.family == "detr":
                    return self._detr(places, kinds), count, 0
                # Logits tell themselves by leaving 0..1; a sigmoid is what most SSDs without softmax have.
                pending: heads.Pending = card.scores or "none"
                if pending == "none":
                    self._in_range(raw[kinds])
                ssd = heads.SsdHead(card.priors, width, height, card.background)
                if ssd.count not in (None, raw[places].shape[1]):
                    raise UnknownFamilyError(f"its card's priors make {ssd.count} boxes, not {raw[places].shape[1]}")
                if card.background is not None:
                    if card.background >= count:
                        raise UnknownFamilyError(f"its card's background {card.background} is not among {count} scores")
                    count -= 1
                return (
                    lambda out, least: ssd.boxes(out[places], heads.applied(out[kinds], pending), least),
                    count,
                    0,
                )

    def _detr(self, places: str, kinds: str) -> Callable[[Raw, float], Found]:
        pending: heads.Pending = self.card.scores or "sigmoid"

        def read(out: Raw, least: float) -> Found:
            scores = heads.applied(out[kinds], pending)
            if self.card.background is not None:
                scores = scores.copy()
                scores[:, self.card.background] = 0
            return heads.shares_of(out[places], scores, self._width, self._height, least)

        return read

    def _suppressed_ssd(self, raw: Raw) -> tuple[Callable[[Raw, float], Found], int, int]:
        size = np.array([self._width, self._height] * 2, np.float32)
        tensorflow = "detection_boxes" in raw
        places = "detection_boxes" if tensorflow else "boxes" if "boxes" in raw else "bboxes"
        scores = "detection_scores" if tensorflow else "scores"
        kinds = "detection_classes" if tensorflow else "labels"
        missing = {places, scores, kinds} - set(raw)
        if missing:
            raise UnknownFamilyError(f"family 'ssd_end2end' needs an output {min(missing)!r}")

        def read(out: Raw, least: float) -> Found:
            boxes = out[places][:, [1, 0, 3, 2]] if tensorflow else out[places]
            return heads.listed(boxes * size, out[scores], out[kinds], least)

        if not tensorflow and not self.card.classes:
            raise UnknownFamilyError(
                "what its labels stand for is not told; declare classes, and background where 0 is"
            )
        # TensorFlow counts classes from 1; NAMES_91 has a name for 0.
        counted_from_1 = bool(self.card.classes) if tensorflow else self.card.background == 0
        return read, 0, int(counted_from_1)

    def _places(self, raw: Raw) -> str:
        """The output that holds boxes."""
        by_name = [name for name in raw if any(word in name.lower() for word in ("box", "dets", "loc"))]
        four = [name for name in raw if raw[name].ndim == 3 and raw[name].shape[2] == 4]
        found = [name for name in by_name if name in four] or four
        if len(found) != 1:
            raise UnknownFamilyError("it does not show which output holds boxes; name it `boxes` in the export")
        return found[0]

    def _in_range(self, scores: NDArray[np.float32]) -> None:
        if scores.size and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
            raise UnknownFamilyError("its scores are not within 0..1; export it with the sigmoid applied")

    def _check_boxes(self) -> None:
        """Boxes of a trial picture, fed as the family wants it, lie in or about the input, not miles away."""
        drawn = rendered(self._height, self._width).transpose(1, 2, 0).astype(np.uint8)
        raw = self.infer(self.preprocess([as_picture(drawn)])[0])
        boxes, scores, classes = self._read({name: array[0] for name, array in raw.items()}, 0.3)
        reach = 4.0 * max(self._width, self._height)
        if len(boxes) and (not np.isfinite(scores).all() or float(np.abs(np.nan_to_num(boxes, nan=1e9)).max()) > reach):
            raise self._foreign("its boxes lie far outside a test picture")
        if len(classes) and int(classes.max()) - self._first >= len(self.names):
            raise self._foreign(
                f"it finds class {int(classes.max())}, but has {len(self.names)} names; declare classes"
            )

    def _class_names(self, count: int) -> tuple[str, ...]:
        """Names of `count` classes, or of as many as are told where the outputs do not show it (0)."""
        if self.card.classes:
            if count and len(self.card.classes) != count:
                raise self._foreign(f"its card names {len(self.card.classes)} classes, but it has {count}")
            return self.card.classes
        stated = self._session.get_modelmeta().custom_metadata_map.get("names", "")
        if stated:
            names = read_names(stated)
            if names is None or (count and len(names) < count):
                raise self._foreign(f"its class names do not fit its {count} classes")
            return names[: count or len(names)]
        if count == len(coco.NAMES_91) or (not count and self.family == "ssd_end2end"):
            return coco.NAMES_91
        if count in (0, len(coco.NAMES)):
            return coco.NAMES
        if count == 1:
            return (PERSON,)
        raise self._foreign(f"{count} classes without names; declare `classes` in a card")

    def _is_in_pixels(self, raw: NDArray[np.float32]) -> bool:
        """Centres relative to their cell stay within a few cells; in pixels they fill the input."""
        return float(np.percentile(np.abs(raw[..., :2]), 90)) > 16.0

    def _foreign(self, reason: str) -> ModelError:
        outputs = ", ".join(f"{output.name} {output.shape}" for output in self._session.get_outputs())
        return ModelError(
            f"model {self.model}: its outputs {outputs} are foreign: {reason}; {UNDERSTOOD}",
            code="model_foreign",
            model=self.model,
            outputs=outputs,
        )


def read_names(stated: str) -> tuple[str, ...] | None:
    """Class names as Ultralytics writes them into a file's metadata, `{0: 'person', ...}` or a list; None: no names."""
    if len(stated) > 262_144:
        return None
    try:
        names = ast.literal_eval(stated)
        ordered = [names[index] for index in range(len(names))]
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError, MemoryError, RecursionError):
        return None
    return tuple(str(name)[:64] for name in ordered) or None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_picture(rgb: NDArray[np.uint8], camera: str = "", stream_time: int = 0) -> Picture:
    """A picture from an (height, width, 3) RGB array, for those who have no video."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv420p")
    return Picture(camera, 0, stream_time, 0.0, 0.0, True, frame)
