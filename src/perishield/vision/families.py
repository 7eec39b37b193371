"""Which family a network belongs to, from what a trial run gives; and how each family wants its pictures.

Only what leaves no choice is recognised. Where two families look alike, the refusal says what the card must declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from perishield.vision.decode_yolox import anchors
from perishield.vision.letterbox import InputForm
from perishield.vision.model_card import Family, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[np.float32]]

UNDERSTOOD = (
    "understood are YOLOX, YOLOv5, YOLOv8/v9/11, end-to-end YOLO, RT-DETR and its kin, SSD and FastestDet; "
    "a model card beside the file (docs/guides/models.md) declares what the file leaves open"
)

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_FORMS: dict[Family, InputForm] = {
    "yolox": InputForm(order="bgr", divisor=1.0, mode="top_left"),
    "yolov5": InputForm(),
    "yolov8": InputForm(),
    "yolo_end2end": InputForm(),
    "detr": InputForm(mode="stretch"),
    "rtdetr": InputForm(mode="stretch"),
    "detr_post": InputForm(mode="stretch"),
    "ssd": InputForm(mode="stretch"),
    "ssd_end2end": InputForm(mode="stretch"),
    "fastestdet": InputForm(order="bgr", mode="stretch"),
}


class UnknownFamilyError(Exception):
    """The reason why a network is not recognised, and what to declare."""


def recognise(outputs: Outputs, width: int, height: int, card: ModelCard) -> Family:
    """The family of a network with an input of that size. Raises UnknownFamilyError."""
    if card.family is not None:
        return card.family
    names = set(outputs)
    if {"labels", "boxes", "scores"} <= names and outputs["scores"].ndim == 2:
        boxes = outputs["boxes"]
        # Pixels of `orig_target_sizes`, or shares of the input.
        return "detr_post" if boxes.size and float(np.abs(boxes).max()) > 2.0 else "ssd_end2end"
    if {"detection_boxes", "detection_scores", "detection_classes"} <= names or {"bboxes", "labels", "scores"} <= names:
        return "ssd_end2end"
    shapes = [array.shape for array in outputs.values()]
    if len(shapes) == 1:
        return _of_one(next(iter(outputs.values())), width, height)
    if names in ({"logits", "pred_boxes"}, {"pred_logits", "pred_boxes"}, {"dets", "labels"}):
        return "detr"
    if len(shapes) == 2 and all(len(shape) == 3 for shape in shapes) and 4 in (shapes[0][2], shapes[1][2]):
        raise UnknownFamilyError('boxes and scores apart may be an SSD or a DETR; declare family = "ssd" or "detr"')
    raise UnknownFamilyError("these belong to no family of detectors; if one of them decodes it, declare family")


def _of_one(raw: NDArray[np.float32], width: int, height: int) -> Family:
    if raw.ndim == 4 and raw.shape[1] > 5 and raw.shape[2:] == (height // 16, width // 16):
        return "fastestdet"
    if raw.ndim != 3:
        raise UnknownFamilyError("more or other outputs than one of three dimensions")
    _, rows, columns = raw.shape
    cells = anchors(width, height)
    if rows == cells and columns > 5:
        return "yolox"
    if rows == 3 * cells and columns > 5:
        return "yolov5"
    if columns == cells and rows > 4:
        return "yolov8"
    if columns == 6 and rows <= 1000:
        kinds = raw[..., 5]
        if np.array_equal(kinds, np.round(kinds)):
            return "yolo_end2end"
        raise UnknownFamilyError(
            'six columns may be an end-to-end export or an RT-DETR of two classes; declare family = "yolo_end2end" '
            'or "rtdetr"'
        )
    if columns > 4 and rows in (100, 300, 900):
        return "rtdetr"
    raise UnknownFamilyError(
        f"{cells} anchors (YOLOX, YOLOv8) or {3 * cells} (YOLOv5) belong to an input of {width}x{height}"
    )


def input_form(family: Family, outputs: Outputs, card: ModelCard) -> InputForm:
    """The family's habits, where the card says nothing else."""
    habit = _FORMS[family]
    # RF-DETR names its outputs so, and is trained on normalised pictures; so is ONNX's own SSD.
    normalised = set(outputs) in ({"dets", "labels"}, {"bboxes", "labels", "scores"})
    nowhere, plain = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return InputForm(
        order=card.order or habit.order,
        divisor=card.divisor or habit.divisor,
        mean=card.mean or (_IMAGENET["mean"] if normalised else nowhere),
        std=card.std or (_IMAGENET["std"] if normalised else plain),
        mode=card.fit or habit.mode,
        pad=habit.pad if card.pad is None else card.pad,
    )
