"""Every family with its real layout of outputs and a box planted in it. The graphs are made here."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from perishield.model.errors import ModelError
from perishield.vision.decode_yolox import anchors
from perishield.vision.heads import prior_boxes
from perishield.vision.letterbox import fit
from perishield.vision.model_card import Priors, parse_card
from perishield.vision.onnx_model import OnnxDetector, as_picture
from perishield.vision.picture import Picture

SIDE = 96
CELLS = anchors(SIDE, SIDE)
MASK_CARD = b"""
family = "ssd"
classes = ["mask", "no mask"]
order = "rgb"
scores = "none"
[priors]
maps = [[33, 33], [17, 17], [9, 9], [5, 5], [3, 3]]
sizes = [[0.04, 0.056], [0.08, 0.11], [0.16, 0.22], [0.32, 0.45], [0.64, 0.72]]
ratios = [[1, 0.62, 0.42], [1, 0.62, 0.42], [1, 0.62, 0.42], [1, 0.62, 0.42], [1, 0.62, 0.42]]
"""


def graph(
    path: Path,
    outputs: dict[str, NDArray[np.float32]],
    *,
    kind: int = TensorProto.FLOAT,
    last: bool = False,
    sizes: bool = False,
) -> Path:
    """A network that answers the same for any picture; its input has a part in the answer, times 0."""
    shape = (1, SIDE, SIDE, 3) if last else (1, 3, SIDE, SIDE)
    inputs = [helper.make_tensor_value_info("images", kind, shape)]
    nodes = [
        helper.make_node("Cast", ["images"], ["plain"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["plain"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    tail = "nothing"
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, (1, 2)))
        nodes += [
            helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["size"], ["sizemean"], keepdims=0),
            helper.make_node("Mul", ["sizemean", "zero"], ["nosize"]),
            helper.make_node("Add", ["nothing", "nosize"], ["none"]),
        ]
        tail = "none"
    stated = []
    for name, answer in outputs.items():
        constants.append(numpy_helper.from_array(answer.astype(np.float32), f"{name}_answer"))
        nodes.append(helper.make_node("Add", [tail, f"{name}_answer"], [name]))
        stated.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, answer.shape))
    made = helper.make_graph(nodes, "toy", inputs, stated, constants)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def plain(width: int = 192, height: int = 96) -> Picture:
    return as_picture(np.zeros((height, width, 3), np.uint8))


def zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros((1, *shape), np.float32)


def test_yolov5_rows_hold_objectness(tmp_path: Path) -> None:
    rows = zeros(3 * CELLS, 85)
    rows[0, 100, :5], rows[0, 100, 5] = (48, 48, 16, 16, 0.9), 0.5
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {"output0": rows}))
    (found,) = detector.detect([plain()])
    assert detector.family == "yolov5"
    assert np.allclose(found.boxes, [[80, 32, 112, 64]])
    assert np.allclose(found.scores, [0.45])


def test_end_to_end_boxes_are_not_suppressed_again(tmp_path: Path) -> None:
    rows = zeros(300, 6)
    rows[0, 0], rows[0, 1] = (40, 40, 56, 56, 0.9, 0), (41, 40, 56, 56, 0.8, 0)
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {"output0": rows}))
    (found,) = detector.detect([plain()])
    assert detector.family == "yolo_end2end"
    assert np.allclose(found.boxes, [[80, 32, 112, 64], [82, 32, 112, 64]])


@pytest.mark.parametrize(
    ("boxes", "kinds", "columns", "label"),
    [("pred_boxes", "logits", 80, 2), ("pred_boxes", "pred_logits", 80, 2), ("dets", "labels", 91, 3)],
)
def test_detr_kin_have_logits_and_shares_of_a_stretched_picture(
    tmp_path: Path, boxes: str, kinds: str, columns: int, label: int
) -> None:
    places, logits = zeros(300, 4), zeros(300, columns) - 9
    places[0, 5], logits[0, 5, label] = (0.5, 0.5, 0.25, 0.5), 2.0
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {boxes: places, kinds: logits}))
    (found,) = detector.detect([plain()])
    assert detector.family == "detr"
    assert [found.names[kind] for kind in found.classes] == ["car"]
    assert np.allclose(found.boxes, [[72, 24, 120, 72]], atol=1e-3)
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-5)


def test_rtdetr_in_one_output(tmp_path: Path) -> None:
    rows = zeros(300, 84)
    rows[0, 7, :5] = 0.5, 0.5, 0.25, 0.5, 0.7
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {"output0": rows}))
    (found,) = detector.detect([plain()])
    assert detector.family == "rtdetr"
    assert np.allclose(found.boxes, [[72, 24, 120, 72]], atol=1e-3)


def test_post_processed_outputs_are_told_the_input_size(tmp_path: Path) -> None:
    labels, boxes, scores = zeros(300), zeros(300, 4), zeros(300)
    labels[0, 0], boxes[0, 0], scores[0, 0] = 0, (36, 24, 60, 72), 0.8
    path = graph(tmp_path / "m.onnx", {"labels": labels, "boxes": boxes, "scores": scores}, sizes=True)
    detector = OnnxDetector(path)
    (found,) = detector.detect([plain()])
    assert detector.family == "detr_post"
    assert np.allclose(found.boxes, [[72, 24, 120, 72]], atol=1e-3)


def test_tensorflow_ssd_takes_bytes_with_colours_last_and_turns_its_boxes(tmp_path: Path) -> None:
    outputs = {"detection_boxes": zeros(100, 4), "detection_scores": zeros(100), "detection_classes": zeros(100)}
    outputs["detection_boxes"][0, 0] = 0.25, 0.375, 0.75, 0.625
    outputs["detection_scores"][0, 0], outputs["detection_classes"][0, 0] = 0.9, 1
    outputs["num_detections"] = np.ones(1, np.float32)
    detector = OnnxDetector(graph(tmp_path / "m.onnx", outputs, kind=TensorProto.UINT8, last=True))
    (found,) = detector.detect([plain()])
    assert detector.family == "ssd_end2end"
    assert [found.names[kind] for kind in found.classes] == ["person"]
    assert np.allclose(found.boxes, [[72, 24, 120, 72]], atol=1e-3)


def test_boxes_and_scores_apart_need_a_card(tmp_path: Path) -> None:
    boxes, scores = zeros(50, 4), zeros(50, 2)
    boxes[0, 3], scores[0, :, 0], scores[0, 3] = (0.375, 0.25, 0.625, 0.75), 1.0, (0.1, 0.9)
    path = graph(tmp_path / "m.onnx", {"boxes": boxes, "scores": scores})
    with pytest.raises(ModelError, match='declare family = "ssd" or "detr"'):
        OnnxDetector(path)
    (tmp_path / "m.card.toml").write_text('family = "ssd"\nbackground = 0\nclasses = ["Pedestrian"]\n')
    (found,) = OnnxDetector(path).detect([plain()])
    assert found.names == ("person",)
    assert np.allclose(found.boxes, [[72, 24, 120, 72]], atol=1e-3)


def test_fastestdet_cells(tmp_path: Path) -> None:
    planes = zeros(85, SIDE // 16, SIDE // 16)
    planes[0, :5, 2, 3] = 0.9, np.arctanh(0.5), np.arctanh(0.25), 0.0, 0.0
    planes[0, 5, 2, 3] = 0.8
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {"758": planes}))
    (found,) = detector.detect([plain()])
    centre = np.array([3.5 / 6 * 192, 2.25 / 6 * 96])
    assert detector.family == "fastestdet"
    assert found.scores[0] == pytest.approx(0.9**0.6 * 0.8**0.4)
    assert np.allclose((found.boxes[0, :2] + found.boxes[0, 2:]) / 2, centre, atol=0.01)


def test_a_card_pins_its_file(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", {"output0": zeros(300, 6)})
    (tmp_path / "m.card.json").write_text('{"sha256": "' + "0" * 64 + '"}')
    with pytest.raises(ModelError, match="pins") as caught:
        OnnxDetector(path)
    assert caught.value.code == "model_corrupt"


def test_boxes_miles_away_are_refused(tmp_path: Path) -> None:
    rows = zeros(300, 6)
    rows[0, 0] = 0, 0, 1e6, 1e6, 0.9, 0
    with pytest.raises(ModelError, match="far outside"):
        OnnxDetector(graph(tmp_path / "m.onnx", {"output0": rows}))


def test_the_lower_seam_splits_and_pads_batches(tmp_path: Path) -> None:
    detector = OnnxDetector(graph(tmp_path / "m.onnx", {"output0": zeros(300, 6)}))
    pictures = [plain(), plain(64, 200), plain()]
    tensor, fits = detector.preprocess(pictures)
    raw = detector.infer(tensor)
    assert raw["output0"].shape == (3, 300, 6)
    assert len(detector.decode(raw, pictures, fits)) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"family = 1", "family"),
        (b'colour = "rgb"', "colour"),
        (b"std = [0.0, 1.0, 1.0]", "std"),
        (b"mean = [nan, 0.0, 0.0]", "mean"),
        (b"[priors]\nmaps = [[3, 3]]\nsizes = []\nratios = [[1.0]]", "priors"),
        (b"[priors]\nmaps = [[99999, 99999]]\nsizes = [[0.1]]\nratios = [[1.0]]", "a million"),
        (b"\xff\xfe", "decode"),
        (b"#" * 300_000, "longer"),
    ],
)
def test_a_bad_card_is_refused_with_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        parse_card(text, "m.card.toml")
    assert caught.value.code == "model_card"


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from(["centre", "top_left", "stretch"]))
def test_boxes_come_back_where_they_were(width: int, height: int, mode: str) -> None:
    place = fit(width, height, 416, 320, mode)  # type: ignore[arg-type]
    box = np.array([[0, 0, width, height]], np.float32)
    scale = np.array([place.scale, place.scale_y] * 2, np.float32)
    moved = box * scale + np.array([place.left, place.top] * 2, np.float32)
    assert np.allclose(place.back(moved, width, height), box, atol=0.5)


def test_priors_are_as_many_as_the_maps_have_cells() -> None:
    priors = Priors(maps=((2, 3),), sizes=((0.1, 0.2),), ratios=((1.0, 4.0),))
    boxes = prior_boxes(priors)
    assert boxes.shape == (2 * 3 * 3, 4)
    assert np.allclose(boxes[:3, 2:], [[0.1, 0.1], [0.2, 0.2], [0.2, 0.05]])


def pictures_of(path: Path, *wanted: int) -> list[Picture]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [Picture("c", 1, index, 0.0, 0.0, False, frames[index]) for index in wanted]


@pytest.mark.devset
def test_fastestdet_finds_people(devset: Path) -> None:
    detector = OnnxDetector(devset / "models/FastestDet.onnx")
    assert detector.family == "fastestdet"
    for found in detector.detect(pictures_of(devset / "clips/street_a.mp4", 10, 60)):
        assert int((found.scores[found.classes == 0] > 0.5).sum()) >= 3


@pytest.mark.devset
def test_the_mask_network_runs_with_its_card(devset: Path) -> None:
    detector = OnnxDetector(devset / "models/face_mask_260.onnx", card=parse_card(MASK_CARD, "mask.toml"), least=0.5)
    right = total = 0
    for label, folder in enumerate(("with_mask", "without_mask")):
        for file in sorted((devset / "mask_images" / folder).iterdir())[:6]:
            with av.open(str(file)) as container:
                frame = next(container.decode(video=0)).reformat(format="yuv420p")
            (found,) = detector.detect([Picture("c", 1, 0, 0.0, 0.0, True, frame)])
            total += 1
            right += bool(len(found) and found.classes[found.scores.argmax()] == label)
    assert right >= 0.75 * total
