"""Detection networks in ONNX files, recognised by what goes in and what comes out.

    YOLOX              (n, anchors, 5 + classes)   BGR 0..255, picture at the top left of the input
    YOLOv8, v9, 11     (n, 4 + classes, anchors)   RGB 0..1, picture in the middle of the input

`anchors` is that of strides 8, 16 and 32 for the input's size; both pad with grey 114. Whatever else comes out is a
foreign network and refused when it is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np

from perishield.model.errors import ModelError
from perishield.model.vision import PERSON, Detections
from perishield.vision import coco
from perishield.vision.decode_yolov8 import Yolov8Head
from perishield.vision.decode_yolox import YoloxHead, anchors
from perishield.vision.letterbox import Letterbox
from perishield.vision.nms import keep_best
from perishield.vision.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNDERSTOOD = "understood are YOLOX (n, anchors, 5 + classes) and YOLOv8/v9/11 (n, 4 + classes, anchors)"
_DEFAULT_SIDE = 640
_MOST_AT_ONCE = 8

Family = Literal["yolox", "yolov8"]


class OnnxDetector:
    """A detection network on ONNX Runtime.

    `name` is the family; `model` the file's name. `least` is the lowest score that is reported: low, since the
    tracker makes use of unsure boxes.
    """

    def __init__(self, path: Path, *, threads: int = 1, least: float = 0.1, overlap: float = 0.5) -> None:
        """Load and try the network. Raises ModelError (`model_missing`, `model_corrupt`, `model_foreign`)."""
        self.model = path.name
        self._least = least
        self._overlap = overlap
        self._session = _session(path, threads)
        self._input = _sole_input(self._session, path.name)
        shape = self._input.shape
        batch, height, width = shape[0], shape[2], shape[3]
        self._height = height if isinstance(height, int) else _DEFAULT_SIDE
        self._width = width if isinstance(width, int) else _DEFAULT_SIDE
        self._fixed_batch = batch if isinstance(batch, int) else None
        self._half = self._input.type == "tensor(float16)"
        self.batch = self._fixed_batch or _MOST_AT_ONCE
        raw = self._try_out()
        self.family: Family = self._recognise(raw)
        self.name: str = self.family
        self.names = self._class_names(raw)
        yolox = self.family == "yolox"
        self._letterbox = Letterbox(
            self._width,
            self._height,
            order="bgr24" if yolox else "rgb24",
            unit_range=not yolox,
            centred=not yolox,
        )
        self._head: YoloxHead | Yolov8Head = Yolov8Head()
        if yolox:
            self._head = YoloxHead(self._width, self._height, in_pixels=self._is_in_pixels(raw))
        watched = [index for index, name in enumerate(self.names) if name in coco.WATCHED]
        self._watched = np.array(watched if self.names == coco.NAMES else range(len(self.names)), np.int16)

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Boxes in pixels of each picture."""
        found: list[Detections] = []
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            count = self._fixed_batch or len(part)
            tensor = np.zeros((count, 3, self._height, self._width), np.float32)
            fits = [self._letterbox.put(picture, tensor[index]) for index, picture in enumerate(part)]
            raw = self._run(tensor)
            for index, (picture, place) in enumerate(zip(part, fits, strict=True)):
                boxes, scores, classes = self._head.boxes(raw[index], self._least)
                good = np.isin(classes, self._watched) & np.isfinite(boxes).all(axis=1)
                boxes, scores, classes = boxes[good], scores[good], classes[good]
                kept = keep_best(boxes, scores, classes, self._overlap)
                boxes = place.back(boxes[kept], picture.width, picture.height)
                solid = (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
                found.append(
                    Detections(boxes[solid], np.minimum(scores[kept][solid], 1), classes[kept][solid], self.names)
                )
        return found

    def forget(self, camera: str) -> None:
        """Each picture stands for itself: there is nothing to forget."""

    def _run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        fed: NDArray[Any] = tensor.astype(np.float16) if self._half else tensor
        raw = self._session.run(None, {self._input.name: fed})
        return np.asarray(raw[0], np.float32)

    def _try_out(self) -> NDArray[np.float32]:
        """What the network says of a rendered picture: its real output shape, and whether it computes at all."""
        trial = np.stack([_rendered(self._height, self._width)] * (self._fixed_batch or 1)).astype(np.float32)
        try:
            outputs = self._session.run(None, {self._input.name: trial.astype(np.float16) if self._half else trial})
        except Exception as error:
            raise ModelError(
                f"model {self.model}: fails on a test picture of {self._width}x{self._height}: {_first_line(error)}; "
                "export it for a plain image input",
                code="model_foreign",
            ) from error
        if len(outputs) != 1 or outputs[0].ndim != 3:
            raise self._foreign("more or other outputs than one of three dimensions")
        raw = np.asarray(outputs[0], np.float32)
        if not np.isfinite(raw).all():
            raise self._foreign("its output is not finite on a test picture")
        return raw

    def _recognise(self, raw: NDArray[np.float32]) -> Family:
        _, rows, columns = raw.shape
        expected = anchors(self._width, self._height)
        family: Family
        if rows == expected and columns > 5:
            family, scores = "yolox", raw[:, :, 4:]
        elif columns == expected and rows > 4:
            family, scores = "yolov8", raw[:, 4:, :]
        elif columns == 6:
            raise self._foreign("it seems to suppress overlaps itself (end-to-end export); export it without that")
        else:
            raise self._foreign(f"{expected} anchors belong to an input of {self._width}x{self._height}")
        if scores.min() < -1e-3 or scores.max() > 1 + 1e-3:
            raise self._foreign("its scores are not within 0..1; export it with the sigmoid applied")
        return family

    def _class_names(self, raw: NDArray[np.float32]) -> tuple[str, ...]:
        count = raw.shape[2] - 5 if self.family == "yolox" else raw.shape[1] - 4
        stated = self._session.get_modelmeta().custom_metadata_map.get("names", "")
        if stated:
            try:
                names = ast.literal_eval(stated)
                ordered = [names[index] for index in range(count)]
            except (ValueError, SyntaxError, TypeError, KeyError, IndexError, MemoryError, RecursionError) as error:
                raise self._foreign(f"its class names do not fit its {count} classes") from error
            return tuple(str(name) for name in ordered)
        if count == len(coco.NAMES):
            return coco.NAMES
        if count == 1:
            return (PERSON,)
        raise self._foreign(f"{count} classes without names; put a `names` entry into the file's metadata")

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


def _session(path: Path, threads: int) -> Any:
    if not path.is_file():
        raise ModelError(
            f"model {path.name}: there is no such file; see `perishield models list`", code="model_missing"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"model {path.name}: cannot be loaded: {_first_line(error)}; fetch it again", code="model_corrupt"
        ) from error


def _sole_input(session: Any, model: str) -> Any:
    inputs = session.get_inputs()
    stated = ", ".join(f"{item.name} {item.shape} {item.type}" for item in inputs)
    if (
        len(inputs) != 1
        or len(inputs[0].shape) != 4
        or (inputs[0].shape[1] not in (3, None) and not isinstance(inputs[0].shape[1], str))
    ):
        raise ModelError(
            f"model {model}: its inputs {stated} are foreign: one of (n, 3, height, width) is needed; {UNDERSTOOD}",
            code="model_foreign",
        )
    if inputs[0].type not in ("tensor(float)", "tensor(float16)"):
        raise ModelError(
            f"model {model}: its input {stated} is foreign: float or float16 is needed; {UNDERSTOOD}",
            code="model_foreign",
        )
    return inputs[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["unknown reason"])[0][:200]


def _rendered(height: int, width: int) -> NDArray[np.float32]:
    """A picture (3, height, width), 0..255: ground, sky and an upright figure."""
    picture = np.full((3, height, width), 120.0, np.float32)
    picture[:, : height // 2] = 180.0
    middle = width // 2
    picture[:, height // 4 : 3 * height // 4, middle - width // 16 : middle + width // 16] = 40.0
    return picture


def as_picture(rgb: NDArray[np.uint8], camera: str = "", stream_time: int = 0) -> Picture:
    """A picture from an (height, width, 3) RGB array, for those who have no video."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv420p")
    return Picture(camera, 0, stream_time, 0.0, 0.0, True, frame)
