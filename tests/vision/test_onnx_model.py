"""Networks recognised by what comes out. Tiny graphs are made here; the devset's real ones are run on real footage."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from perishield.model.errors import ModelError
from perishield.vision.decode_yolox import anchors
from perishield.vision.onnx_model import OnnxDetector, as_picture
from perishield.vision.picture import Picture

SIDE = 96
ANCHORS = anchors(SIDE, SIDE)


def network(
    path: Path,
    answer: NDArray[np.float32],
    *,
    shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    names: str = "",
    probe: tuple[slice, slice, slice] | None = None,
    scale: float = 1.0,
) -> Path:
    """A graph that answers `answer` (1, r, c) for each picture of a batch.

    `probe`: (channel, rows, columns) of the input; its mean times `scale` is added to the answer's last element
    of row 0, so that a test learns what was fed.
    """
    item = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    spot = np.zeros_like(answer)
    spot[0, 0, -1] = scale if probe else 0.0
    starts, ends = zip(*((part.start or 0, part.stop or SIDE) for part in probe or (slice(0, 1),) * 3), strict=True)
    constants = {
        "answer": answer.astype(item),
        "spot": spot.astype(item),
        "starts": np.array(starts, np.int64),
        "ends": np.array(ends, np.int64),
        "axes": np.array([1, 2, 3], np.int64),
        "flat": np.array([-1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["images", "starts", "ends", "axes"], ["part"]),
        helper.make_node("ReduceMean", ["part", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["column"]),
        helper.make_node("Mul", ["column", "spot"], ["told"]),
        helper.make_node("Add", ["told", "answer"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("output", kind, (shape[0], *answer.shape[1:]))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if names:
        model.metadata_props.add(key="names", value=names)
    onnx.save(model, str(path))
    return path


def yolov8(classes: int, *found: tuple[float, float, float, float, int, float]) -> NDArray[np.float32]:
    answer = np.zeros((1, 4 + classes, ANCHORS), np.float32)
    for index, (x, y, width, height, kind, score) in enumerate(found):
        answer[0, :4, index * 7] = x, y, width, height
        answer[0, 4 + kind, index * 7] = score
    return answer


def yolox(classes: int, *found: tuple[int, float, float, float, float, float, int, float]) -> NDArray[np.float32]:
    answer = np.zeros((1, ANCHORS, 5 + classes), np.float32)
    for row, x, y, width, height, objectness, kind, score in found:
        answer[0, row, :5] = x, y, width, height, objectness
        answer[0, row, 5 + kind] = score
    return answer


def plain(width: int, height: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Picture:
    return as_picture(np.full((height, width, 3), colour, np.uint8))


def test_yolov8_boxes_lie_in_the_middle_of_the_input(tmp_path: Path) -> None:
    answer = yolov8(80, (48, 48, 16, 16, 0, 0.9), (49, 48, 16, 16, 0, 0.8), (49, 48, 16, 16, 2, 0.7))
    detector = OnnxDetector(network(tmp_path / "v8.onnx", answer))
    (found,) = detector.detect([plain(192, 96)])
    assert detector.family == "yolov8"
    assert [found.names[kind] for kind in found.classes] == ["person", "car"]
    assert np.allclose(found.scores, [0.9, 0.7])
    assert np.allclose(found.boxes[0], [80, 32, 112, 64])
    assert found.boxes.dtype == np.float32
    assert found.classes.dtype == np.int16


def test_yolox_grid_is_applied_and_boxes_begin_at_the_top_left(tmp_path: Path) -> None:
    row = 12 * 12 + 6 * 1 + 2
    size = float(np.log(24 / 16))
    answer = yolox(1, (row, 0.5, 0.25, size, size, 0.9, 0, 0.9))
    detector = OnnxDetector(network(tmp_path / "x.onnx", answer))
    (found,) = detector.detect([plain(192, 96)])
    assert (detector.family, found.names) == ("yolox", ("person",))
    centre = np.array([(2 + 0.5) * 16, (1 + 0.25) * 16])
    expected = np.concatenate([centre - 12, centre + 12]) * 2
    assert np.allclose(found.boxes, [expected], atol=1e-4)
    assert np.allclose(found.scores, [0.81])


def test_yolox_that_applies_its_grid_itself_is_noticed(tmp_path: Path) -> None:
    answer = yolox(1, (5, 40, 30, 10, 20, 0.9, 0, 1.0))
    rng = np.random.default_rng(1)
    answer[0, :, :2] = np.where(answer[0, :, :2] == 0, rng.uniform(0, SIDE, (ANCHORS, 2)), answer[0, :, :2])
    (found,) = OnnxDetector(network(tmp_path / "x.onnx", answer)).detect([plain(SIDE, SIDE)])
    assert np.allclose(found.boxes, [[35, 20, 45, 40]])


@pytest.mark.parametrize(("family", "channel"), [("yolov8", "red"), ("yolox", "blue")])
def test_each_family_gets_its_order_of_colours_and_its_range(tmp_path: Path, family: str, channel: str) -> None:
    if family == "yolov8":
        answer, scale = yolov8(1, (32, 32, 20, 20, 0, 0.0)), 1.0
        answer[0, 4, :] = 0.0
        answer = np.roll(answer, ANCHORS - 1, axis=2)
        # The probe is added to row 0; here row 0 holds x centres, so read it back from the box.
        answer[0, 4, -1], scale = 0.9, 40.0
        answer[0, 0, -1] = 0.0
    else:
        answer, scale = yolox(1, (0, 1, 1, 0, 0, 1.0, 0, 0.0)), 1 / 255
    path = network(tmp_path / "m.onnx", answer, probe=(slice(0, 1), slice(0, SIDE), slice(0, SIDE)), scale=scale)
    detector = OnnxDetector(path)
    told = {}
    for name, colour in {"red": (255, 0, 0), "blue": (0, 0, 255)}.items():
        (found,) = detector.detect([plain(SIDE, SIDE, colour)])
        if family == "yolov8":
            told[name] = float((found.boxes[0, 0] + found.boxes[0, 2]) / 2) if len(found) else 0.0
        else:
            told[name] = float(found.scores[0]) if len(found) else 0.0
    other = "blue" if channel == "red" else "red"
    assert told[channel] > 3 * max(told[other], 0.05)


def test_the_rest_of_the_input_is_grey_114(tmp_path: Path) -> None:
    answer = yolox(1, (0, 1, 1, 0, 0, 1.0, 0, 0.0))
    low = network(tmp_path / "m.onnx", answer, probe=(slice(0, 3), slice(60, SIDE), slice(0, SIDE)), scale=1 / 255)
    (found,) = OnnxDetector(low).detect([plain(192, 96)])
    assert found.scores[0] == pytest.approx(114 / 255, abs=1e-3)


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_fixed_and_free_batches_give_one_result_per_picture(tmp_path: Path, batch: int | str) -> None:
    answer = yolov8(80, (32, 32, 16, 16, 0, 0.9))
    wide = np.repeat(answer, batch if isinstance(batch, int) else 1, axis=0)
    path = tmp_path / "m.onnx"
    if batch == 4:
        network(path, wide, shape=(4, 3, SIDE, SIDE))
    else:
        network(path, answer, shape=(batch, 3, SIDE, SIDE))
    detector = OnnxDetector(path)
    found = detector.detect([plain(SIDE, SIDE)] * 11)
    assert [len(item) for item in found] == [1] * 11
    assert detector.detect([]) == []


def test_a_fixed_batch_runs_in_several_threads_at_once_and_each_picture_gets_its_own_result(tmp_path: Path) -> None:
    answer = yolov8(1, (32, 32, 16, 16, 0, 0.9))
    path = network(tmp_path / "m.onnx", answer, probe=(slice(0, 1), slice(0, SIDE), slice(0, SIDE)))
    alone = OnnxDetector(path)
    several = OnnxDetector(path, threads=2)
    assert (alone.batch, several.batch) == (1, 8)
    tensor = np.random.default_rng(1).random((21, 3, SIDE, SIDE), np.float32)
    one, other = alone.infer(tensor), several.infer(tensor)
    assert set(one) == set(other)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert len(np.unique(other["output"][:, 0, -1])) == 21, "no two pictures were the same"


def test_half_precision_is_understood(tmp_path: Path) -> None:
    path = network(tmp_path / "h.onnx", yolov8(1, (32, 32, 16, 16, 0, 0.9)), kind=TensorProto.FLOAT16)
    (found,) = OnnxDetector(path).detect([plain(SIDE, SIDE)])
    assert np.allclose(found.boxes, [[24, 24, 40, 40]])


def test_class_names_come_from_the_file(tmp_path: Path) -> None:
    path = network(tmp_path / "n.onnx", yolov8(2, (32, 32, 16, 16, 1, 0.9)), names="{0: 'person', 1: 'forklift'}")
    (found,) = OnnxDetector(path).detect([plain(SIDE, SIDE)])
    assert found.names[found.classes[0]] == "forklift"


@pytest.mark.parametrize(
    ("answer", "names", "reason"),
    [
        (np.full((1, 300, 6), 0.5, np.float32), "", 'declare family = "yolo_end2end"'),
        (np.zeros((1, 85, 17), np.float32), "", "189 anchors"),
        (yolov8(3), "", "3 classes without names"),
        (yolov8(2), "{0: 'person'}", "do not fit"),
        (yolov8(2), "__import__('os').abort()", "do not fit"),
        (yolov8(1) + 7, "", "sigmoid"),
        (yolov8(1) * np.nan, "", "not finite"),
    ],
)
def test_foreign_networks_are_refused_with_a_sentence(
    tmp_path: Path, answer: NDArray[np.float32], names: str, reason: str
) -> None:
    path = network(tmp_path / "odd.onnx", answer, names=names)
    with pytest.raises(ModelError, match=reason) as caught:
        OnnxDetector(path)
    assert caught.value.code == "model_foreign"
    assert "odd.onnx" in caught.value.message
    assert "output" in caught.value.message
    assert "YOLOX" in caught.value.message


def test_a_network_that_wants_no_picture_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["words"], ["output"])],
        "text",
        [helper.make_tensor_value_info("words", TensorProto.INT64, (1, 128))],
        [helper.make_tensor_value_info("output", TensorProto.INT64, (1, 128))],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(tmp_path / "t.onnx")
    )
    with pytest.raises(ModelError, match="words") as caught:
        OnnxDetector(tmp_path / "t.onnx")
    assert caught.value.code == "model_foreign"


def test_a_file_that_is_no_network_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"\x08\x07junk" * 50)
    with pytest.raises(ModelError) as caught:
        OnnxDetector(tmp_path / "junk.onnx")
    assert caught.value.code == "model_corrupt"
    with pytest.raises(ModelError) as caught:
        OnnxDetector(tmp_path / "none.onnx")
    assert caught.value.code == "model_missing"


def pictures(path: Path, *wanted: int) -> list[Picture]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [Picture("c", 1, index, 0.0, 0.0, False, frames[index]) for index in wanted]


@pytest.mark.devset
@pytest.mark.parametrize("model", ["yolox_nano_416", "person_yolox_192"])
def test_real_networks_find_people_where_they_are(devset: Path, model: str) -> None:
    detector = OnnxDetector(devset / f"models/{model}.onnx")
    near, street = pictures(devset / "clips/two_walk_toward.mp4", 20), pictures(devset / "clips/street_a.mp4", 10, 60)
    found = detector.detect(near + street)
    people = [int(((item.scores > 0.5) & (item.classes == item.names.index("person"))).sum()) for item in found]
    assert people[0] >= 1
    assert min(people[1:]) >= 4
    for item, picture in zip(found, near + street, strict=True):
        assert (item.boxes >= 0).all()
        assert (item.boxes[:, 2] <= picture.width).all()
        assert (item.boxes[:, 3] <= picture.height).all()
    boxes = found[0].boxes[found[0].scores > 0.5]
    heights = (boxes[:, 3] - boxes[:, 1]) / 270
    assert (heights > 0.4).all(), "people near the camera fill much of the picture's height"


@pytest.mark.devset
def test_yolox_nano_sees_vehicles_and_no_people_on_the_motorway(devset: Path) -> None:
    detector = OnnxDetector(devset / "models/yolox_nano_416.onnx")
    found = detector.detect(pictures(devset / "clips/vehicles_neg.mp4", 0, 100, 200))
    for item in found:
        sure = [item.names[kind] for kind, score in zip(item.classes, item.scores, strict=True) if score > 0.5]
        assert "person" not in sure
        assert sure.count("car") >= 3


@pytest.mark.devset
@pytest.mark.parametrize("model", ["face_mask_260", "person_reid_0267", "mobilefacenet_112x96", "yunet_n_320_320"])
def test_real_foreign_networks_are_refused(devset: Path, model: str) -> None:
    with pytest.raises(ModelError) as caught:
        OnnxDetector(devset / f"models/{model}.onnx")
    assert caught.value.code == "model_foreign"
    assert caught.value.params["outputs"]
