"""INT8 of a network by static quantisation, calibrated with one's own pictures.

Weights per output channel, activations per tensor, QDQ form: ONNX Runtime makes of it the same integer kernels as of
the operator form, and it alone takes ranges by tensor. What stays in float is decided by where it stands: the last
convolutions and all behind them, since boxes and scores share tensors whose ranges differ by hundreds, and by recipe
the first ones, whose outliers cost most. Needs the `onnx` package: `pip install 'perishield[quantize]'`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from perishield.model.errors import ModelError
from perishield.vision.activation_ranges import Ranges, ranges_of
from perishield.vision.onnx_model import OnnxDetector
from perishield.vision.picture import Picture
from perishield.vision.providers import first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPSET = 17
_WITH_ACTIVATIONS = (
    "Conv", "Sigmoid", "Mul", "Add", "Concat", "Resize", "MaxPool", "LeakyRelu", "Relu", "AveragePool", "Split",
    "Slice", "Reshape", "Transpose",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """`weights`: `s7` are signed and of 7 bits, since AVX2 without VNNI adds two products of 8 bits in 16 and saturates
    (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "reduce range"); `u8` are unsigned,
    which takes a slower kernel that does not. `operators`: `conv` alone, or `all` that have an integer form.
    `ranges`: `seen` or `fitted` (see `Ranges`). `kept`: share of the convolutions, from the input on, left in float.
    """

    weights: Literal["s7", "u8"] = "s7"
    operators: Literal["conv", "all"] = "all"
    ranges: Literal["seen", "fitted"] = "fitted"
    kept: float = 0.0

    @property
    def name(self) -> str:
        """
        >>> Recipe(kept=0.05).name
        's7 all fitted, first 5 % float'
        """
        kept = f", first {self.kept:.0%} float".replace("%", " %") if self.kept else ""
        return f"{self.weights} {self.operators} {self.ranges}{kept}"


RECIPES = (
    Recipe(operators="conv", ranges="seen"),
    Recipe(),
    Recipe(kept=0.03),
    Recipe(kept=0.2),
    Recipe(operators="conv", kept=0.03),
    Recipe(operators="conv", kept=0.2),
    Recipe(weights="u8", kept=0.2),
)
"""Tried one after the other; the first is what most guides begin with, for comparison."""


class Quantizer:
    """One network made ready once, and written in INT8 by any number of recipes."""

    def __init__(self, source: Path, pictures: Sequence[Picture]) -> None:
        """Look at what `pictures` make of the network at `source`. Raises ModelError (`model_quantize`)."""
        self._source = source
        self._detector = OnnxDetector(source)
        self._pictures = pictures
        try:
            self._network = _prepared(source)
            fed = (self._fed(picture) for picture in pictures)
            self._ranges: Ranges = ranges_of(self._network, self._detector.input_name, fed, len(pictures))
        except ImportError as error:
            raise ModelError(
                f"quantising needs the onnx package ({error.name}); install it with "
                "`pip install 'perishield[quantize]'`",
                code="model_quantize",
            ) from error
        except ModelError:
            raise
        except Exception as error:
            raise self._failed(error) from error

    def write(self, target: Path, recipe: Recipe) -> None:
        """Raises ModelError (`model_quantize`)."""
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        name, first = self._detector.input_name, self._fed(self._pictures[0])

        class Feed(CalibrationDataReader):  # type: ignore[misc]
            """One picture, for what the ranges do not name; all else is told."""

            def __init__(self) -> None:
                self._left = [{name: first}]

            def get_next(self) -> dict[str, NDArray[np.float32]] | None:
                return self._left.pop() if self._left else None

        try:
            with _as_file(self._network) as file:
                quantize_static(
                    str(file),
                    str(target),
                    Feed(),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    reduce_range=recipe.weights == "s7",
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8 if recipe.weights == "s7" else QuantType.QUInt8,
                    op_types_to_quantize=list(_WITH_ACTIVATIONS) if recipe.operators == "all" else ["Conv"],
                    nodes_to_exclude=left_in_float(self._network, recipe.kept),
                    extra_options={"TensorQuantOverrides": self._overrides(recipe)},
                )
        except Exception as error:
            raise self._failed(error) from error

    def _fed(self, picture: Picture) -> NDArray[np.float32]:
        return self._detector.preprocess([picture])[0]

    def _overrides(self, recipe: Recipe) -> dict[str, list[dict[str, Any]]]:
        import numpy as np

        ranges = self._ranges.seen if recipe.ranges == "seen" else self._ranges.fitted
        return {
            tensor: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
            for tensor, (low, high) in ranges.items()
            if high - low > 1e-6
        }

    def _failed(self, error: Exception) -> ModelError:
        return ModelError(
            f"model {self._source.name}: cannot be quantised: {first_line(error)}; it takes networks with a float "
            "input that ONNX Runtime's CPU computes",
            code="model_quantize",
        )


def left_in_float(network: Any, kept: float) -> list[str]:
    """Names of the nodes that are not quantised: those before the first convolution that is, the last convolution on
    each way to an output, and whatever comes behind it."""
    nodes = list(network.graph.node)
    convolutions = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    begin = convolutions[min(round(len(convolutions) * kept), len(convolutions) - 1)] if convolutions else 0
    found = {node.name for node in nodes[:begin]}
    maker = {output: node for node in nodes for output in node.output}
    open_ends = [output.name for output in network.graph.output]
    while open_ends:
        node = maker.get(open_ends.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            if node.op_type != "Conv":
                open_ends += node.input
    return [node.name for node in nodes if node.name in found]


def _prepared(source: Path) -> Any:
    """The network with shapes told, batch norms folded into convolutions, an opset that knows scales by channel (13 on)
    and a name for every node."""
    import onnx
    import onnx.version_converter
    from onnxruntime.quantization.shape_inference import quant_pre_process

    network = onnx.load(str(source))
    stated = next((opset.version for opset in network.opset_import if opset.domain in ("", "ai.onnx")), 0)
    if stated < _OPSET:
        network = onnx.version_converter.convert_version(network, _OPSET)
    with _as_file(network) as before:
        after = before.with_name("after.onnx")
        quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
        network = onnx.load(str(after))
    for number, node in enumerate(network.graph.node):
        node.name = node.name or f"node_{number}"
    return network


@contextmanager
def _as_file(network: Any) -> Iterator[Path]:
    """ONNX Runtime wants its networks in files: given one in memory it makes one that `onnx` refuses to read."""
    import onnx

    with tempfile.TemporaryDirectory(prefix="perishield-int8-") as scratch:
        file = Path(scratch) / "network.onnx"
        onnx.save(network, str(file))
        yield file
