"""Versions side by side, on real files and with real processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from perishield.model.errors import ModelError
from perishield.vision.model_registry import ModelRegistry
from perishield.vision.model_store import choose_detector
from perishield.vision.providers import Runtime, order, provider_options
from perishield.vision.self_test import try_apart


def network(path: Path, shape: tuple[int, ...] = (1, 300, 6)) -> Path:
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "answer"], ["output0"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.zeros(shape, np.float32), "answer"),
    ]
    made = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 96, 96))],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
        constants,
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def test_versions_are_enabled_rolled_back_and_remembered(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    source = network(tmp_path / "toy.onnx")
    first = registry.add(source, who="eva", version="1")
    second = registry.add(source, who="eva", version="2")
    assert (first.id, first.enabled, second.id) == ("toy@1", False, "toy@2")
    assert first.test is not None
    assert first.test.family == "yolo_end2end"
    before = registry.stamp()
    registry.enable("toy@1", who="eva")
    registry.enable("toy@2", who="bob")
    assert registry.stamp() != before
    assert registry.current() == "toy@2"
    assert choose_detector("auto", registry.folder).model == "toy@2.onnx"
    assert registry.roll_back(who="eva") == "toy@1"
    assert choose_detector("auto", registry.folder).model == "toy@1.onnx"
    assert registry.roll_back(who="eva") == ""
    assert choose_detector("auto", registry.folder).name == "motion"
    with pytest.raises(ModelError, match="nothing to go back to"):
        registry.roll_back(who="eva")
    assert [(change.action, change.model, change.who) for change in reversed(registry.history())] == [
        ("add", "toy@1", "eva"),
        ("add", "toy@2", "eva"),
        ("enable", "toy@1", "eva"),
        ("enable", "toy@2", "bob"),
        ("rollback", "toy@1", "eva"),
        ("rollback", "", "eva"),
    ]


def test_what_is_in_use_stays_and_what_is_removed_leaves_nothing(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    registry.add(network(tmp_path / "toy.onnx"), who="eva", version="1")
    registry.enable("toy", who="eva")
    with pytest.raises(ModelError) as caught:
        registry.remove("toy@1", who="eva")
    assert caught.value.code == "model_in_use"
    registry.roll_back(who="eva")
    registry.remove("toy@1", who="eva")
    assert sorted(path.name for path in registry.folder.iterdir()) == [".choice.lock", "choice.json"]


def test_a_refused_network_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    source = network(tmp_path / "odd.onnx", (1, 7, 9))
    with pytest.raises(ModelError, match=r"odd\.onnx.*anchors") as caught:
        registry.add(source, who="eva")
    assert caught.value.code == "model_foreign"
    assert list(registry.folder.iterdir()) == []
    with pytest.raises(ModelError, match="small letters") as caught:
        registry.add(network(tmp_path / "toy.onnx"), who="eva", version="../../1")
    assert caught.value.code == "model_name"


def test_a_changed_file_is_not_enabled(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    row = registry.add(network(tmp_path / "toy.onnx"), who="eva", version="1")
    network(registry.folder / row.file, (1, 200, 6))
    with pytest.raises(ModelError) as caught:
        registry.enable("toy@1", who="eva")
    assert caught.value.code == "model_corrupt"
    assert registry.current() == ""


def test_a_card_decides_and_is_kept(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    card = tmp_path / "mine.toml"
    card.write_text('version = "7"\nlicence = "MIT"\nclasses = ["worker"]\naliases = { worker = "person" }\n')
    row = registry.add(network(tmp_path / "toy.onnx"), who="eva", card=card)
    assert (row.id, row.licence) == ("toy@7", "MIT")
    assert row.test is not None
    assert row.test.classes == ("person",)


def test_a_trial_that_wants_too_much_memory_or_time_is_refused(tmp_path: Path) -> None:
    path = network(tmp_path / "toy.onnx")
    with pytest.raises(ModelError) as caught:
        try_apart(path, memory_mib=64)
    assert caught.value.code == "model_selftest"
    start = time.monotonic()
    with pytest.raises(ModelError, match="more than") as caught:
        try_apart(path, timeout_s=0.01)
    assert caught.value.code == "model_selftest"
    assert time.monotonic() - start < 30
    assert os.getpid() > 0


@pytest.mark.parametrize(
    ("setting", "there", "expected"),
    [
        ("auto", ["CPUExecutionProvider"], ("cpu",)),
        ("auto", ["AzureExecutionProvider", "CPUExecutionProvider"], ("cpu",)),
        (
            "auto",
            ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
            ("tensorrt", "cuda", "cpu"),
        ),
        ("cuda", ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], ("cuda", "cpu")),
        ("openvino", ["CPUExecutionProvider"], ("cpu",)),
        ("cpu", ["CUDAExecutionProvider", "CPUExecutionProvider"], ("cpu",)),
    ],
)
def test_providers_are_taken_by_what_is_there(setting: str, there: list[str], expected: tuple[str, ...]) -> None:
    assert order(setting, there) == expected


def test_memory_and_caches_reach_the_providers(tmp_path: Path) -> None:
    runtime = Runtime(gpu_mem_mib=512, cache_dir=tmp_path)
    assert provider_options("cuda", runtime)["gpu_mem_limit"] == str(512 << 20)
    assert provider_options("tensorrt", runtime)["trt_engine_cache_path"] == str(tmp_path)
    with pytest.raises(ModelError) as caught:
        order("npu", [])
    assert caught.value.code == "model_provider"
