"""INT8 of a small network that is made here: a stem with outliers, three scales of a YOLOX head, SiLU in between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from perishield.model.errors import ModelError
from perishield.vision.activation_ranges import before_silu, fit
from perishield.vision.onnx_model import OnnxDetector, as_picture
from perishield.vision.picture import Picture
from perishield.vision.quantize import RECIPES, Quantizer, Recipe, left_in_float
from perishield.vision.quantize_compare import Comparison, Original, best

SIDE = 96


def network(path: Path, seed: int = 5) -> Path:
    """Convolutions with strides 2, 2, 2 (stride 8), 2 (16), 2 (32), each followed by a SiLU; at each scale a head."""
    rng = np.random.default_rng(seed)
    nodes, weights = [], []

    def convolution(source: str, name: str, across: tuple[int, int], side: int, stride: int, scale: float) -> str:
        kernel = rng.normal(0, scale / np.sqrt(across[0] * side * side), (across[1], across[0], side, side))
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"{name}.w"))
        weights.append(numpy_helper.from_array(rng.normal(0, 0.1, across[1]).astype(np.float32), f"{name}.b"))
        nodes.append(
            helper.make_node(
                "Conv", [source, f"{name}.w", f"{name}.b"], [name], pads=[side // 2] * 4, strides=[stride] * 2
            )
        )
        return name

    def silu(source: str) -> str:
        nodes.append(helper.make_node("Sigmoid", [source], [f"{source}.gate"]))
        nodes.append(helper.make_node("Mul", [source, f"{source}.gate"], [f"{source}.silu"]))
        return f"{source}.silu"

    at, heads = "images", []
    for number, (inputs, outputs) in enumerate(((3, 8), (8, 16), (16, 16), (16, 16), (16, 16))):
        # Colours of 0 to 255 come in, so the first layer has large values, as in a real YOLOX.
        at = silu(convolution(at, f"c{number}", (inputs, outputs), 3, 2, 0.05 if number == 0 else 1.6))
        if number < 2:
            continue
        box = convolution(at, f"box{number}", (16, 4), 1, 1, 0.5)
        sure = convolution(at, f"sure{number}", (16, 2), 1, 1, 3.0)
        nodes.append(helper.make_node("Sigmoid", [sure], [f"{sure}.s"]))
        nodes.append(helper.make_node("Concat", [box, f"{sure}.s"], [f"cat{number}"], axis=1))
        nodes.append(helper.make_node("Reshape", [f"cat{number}", "flat"], [f"rows{number}"]))
        heads.append(f"rows{number}")
    nodes.append(helper.make_node("Concat", heads, ["all"], axis=2))
    nodes.append(helper.make_node("Transpose", ["all"], ["output"], perm=[0, 2, 1]))
    weights.append(numpy_helper.from_array(np.array([1, 6, -1], np.int64), "flat"))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIDE, SIDE))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 189, 6))],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))
    return path


def pictures(count: int, seed: int) -> list[Picture]:
    """Blocks of colour, now and then a glaring one."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        blocks = rng.integers(40, 120, (8, 8, 3))
        blocks[rng.integers(0, 8), rng.integers(0, 8)] = 255
        found.append(as_picture(blocks.repeat(12, 0).repeat(12, 1).astype(np.uint8)))
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("int8") / "small.onnx")


@pytest.fixture(scope="module")
def quantizer(small: Path) -> Quantizer:
    return Quantizer(small, pictures(12, 1))


def scores(path: Path, seen: list[Picture]) -> NDArray[np.float32]:
    detector = OnnxDetector(path)
    return detector.infer(detector.preprocess(seen)[0])["output"][:, :, 4:]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_makes_a_network_that_answers_alike(
    small: Path, quantizer: Quantizer, tmp_path: Path, recipe: Recipe
) -> None:
    target = tmp_path / "small-int8.onnx"
    quantizer.write(target, recipe)
    made = onnx.load(str(target))
    kinds = {node.op_type for node in made.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    others = pictures(6, 2)
    assert np.abs(scores(target, others) - scores(small, others)).mean() < 0.08


def test_heads_stay_in_float_and_the_first_layers_where_the_recipe_says_so(quantizer: Quantizer) -> None:
    kept = set(left_in_float(quantizer._network, 0.0))
    by_output = {output: node.name for node in quantizer._network.graph.node for output in node.output}
    assert all(by_output[f"{name}{number}"] in kept for name in ("box", "sure") for number in (2, 3, 4))
    assert all(by_output[f"c{number}"] not in kept for number in range(5))
    more = set(left_in_float(quantizer._network, 0.2)) - kept
    assert by_output["c0"] in more
    assert by_output["c0.silu"] in more
    assert by_output["c4"] not in more


def test_an_end_that_hardly_any_value_reaches_is_cut_off() -> None:
    values = np.random.default_rng(3).uniform(0, 1, 1_000_000).astype(np.float32)
    values[0] = 3.0
    low, high = fit(values, (0.0, 3.0))
    assert low == 0.0
    assert 1.0 <= high < 1.6
    # One of a thousand is worth its steps.
    values[:1000] = 3.0
    assert fit(values[:100_000], (0.0, 3.0)) == (0.0, 3.0)


def test_what_a_silu_makes_nothing_of_is_cut_off() -> None:
    values = np.linspace(-60, 6, 10_000).astype(np.float32)
    plain, silu = fit(values, (-60.0, 6.0)), fit(values, (-60.0, 6.0), silu=True)
    assert plain == (-60.0, 6.0)
    assert -20 < silu[0] < -3
    assert silu[1] > 5


def test_only_gated_products_are_silus(small: Path) -> None:
    found = before_silu(onnx.load(str(small)))
    assert found == {f"c{number}" for number in range(5)}, "the heads have a Sigmoid, but no product"


def test_the_original_is_compared_with_itself_and_with_another(small: Path, tmp_path: Path) -> None:
    original = Original(small, pictures(6, 4), 0.5)
    same = original.compare(small)
    assert same.boxes > 0
    assert (same.recall, same.precision, same.f1) == (1.0, 1.0, 1.0)
    assert same.mean_iou == pytest.approx(1.0)
    other = original.compare(network(tmp_path / "other.onnx", seed=6))
    assert other.recall < 1.0


def compared(recall: float, precision: float, ms: float) -> Comparison:
    return Comparison(
        pictures=10, score=0.5, boxes=100, recall=recall, precision=precision, mean_iou=0.9,
        ms_original=20.0, ms_quantized=ms, bytes_original=4, bytes_quantized=1,
    )  # fmt: skip


def test_the_best_is_the_fastest_of_those_that_are_as_accurate_as_any() -> None:
    assert best([compared(0.3, 0.9, 5.0), compared(0.95, 0.95, 19.0), compared(0.945, 0.95, 12.0)]) == 2
    assert best([compared(0.0, 0.0, 1.0), compared(0.9, 0.5, 30.0)]) == 1


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        Quantizer(tmp_path / "broken.onnx", pictures(1, 1))


@pytest.mark.devset
def test_a_real_network_keeps_its_boxes(devset: Path, tmp_path: Path) -> None:
    from perishield.vision.calibration_pictures import pictures_in

    source = devset / "models" / "person_yolox_192.onnx"
    seen = pictures_in(devset / "clips" / "table_a.mp4", 16)
    quantizer, original = Quantizer(source, seen.calibrate), Original(source, seen.compare, 0.5)
    found = []
    for recipe in (Recipe(operators="conv", ranges="seen"), Recipe(kept=0.2)):
        quantizer.write(tmp_path / "int8.onnx", recipe)
        found.append(original.compare(tmp_path / "int8.onnx"))
    assert found[0].boxes >= 8
    assert found[1].f1 >= 0.85
    assert found[1].f1 >= found[0].f1
