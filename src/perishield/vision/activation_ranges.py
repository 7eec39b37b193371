"""Which range of values each tensor of a network needs, when 256 steps have to do.

The range that a tensor was seen to have wastes most of its steps where outliers are rare: in the first layers of a
YOLOX, pre-activations reach from -98 to 94 and 99 % of them lie below 11. So ends are moved inwards until the mean
squared error of what comes back from 8 bits is least. Where a SiLU follows (x * sigmoid(x)), the error is that of its
result: it makes nothing of what lies far below zero, so nothing is lost by cutting it off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 255
_LOWER = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12)
_UPPER = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2, 0.16, 0.12)
"""Shares of the ends seen that are tried."""
_SAMPLES = 40_000
"""Values of each tensor that are looked at, of all pictures together."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """By tensor, (least, most), zero within. `seen`: whatever occurred. `fitted`: what loses least in 8 bits."""

    seen: Mapping[str, tuple[float, float]]
    fitted: Mapping[str, tuple[float, float]]


def ranges_of(network: Any, name: str, fed: Iterable[NDArray[np.float32]], count: int) -> Ranges:
    """Run an ONNX ModelProto over `count` inputs called `name`, and look at every float tensor that it makes."""
    import onnx
    import onnxruntime

    whole = onnx.ModelProto()
    whole.CopyFrom(network)
    told = {output.name for output in whole.graph.output}
    made = [output for node in whole.graph.node for output in node.output if output]
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(one) for one in made if one not in told)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    each = max(100, _SAMPLES // max(1, count))
    ends: dict[str, tuple[float, float]] = {}
    samples: dict[str, list[NDArray[np.float32]]] = {}
    for tensor in fed:
        values = {name: tensor, **dict(zip(made, session.run(made, {name: tensor}), strict=True))}
        for key, value in values.items():
            if value.dtype != np.float32 or not value.size:
                continue
            flat = value.ravel()
            least, most = ends.get(key, (0.0, 0.0))
            ends[key] = (min(least, float(flat.min())), max(most, float(flat.max())))
            samples.setdefault(key, []).append(flat[:: max(1, flat.size // each)].copy())
    silus = before_silu(whole)
    fitted = {key: fit(np.concatenate(parts), ends[key], silu=key in silus) for key, parts in samples.items()}
    return Ranges(ends, fitted)


def fit(values: NDArray[np.float32], ends: tuple[float, float], *, silu: bool = False) -> tuple[float, float]:
    """The range within `ends` that gives `values` (n,) back from 8 bits with the least mean squared error.

    >>> fit(np.array([0.0, 0.5, 1.0], np.float32), (0.0, 1.0))
    (0.0, 1.0)
    """
    meant = _silu(values) if silu else values
    best, least = ends, np.inf
    for low in {ends[0] * share for share in _LOWER}:
        for high in {ends[1] * share for share in _UPPER}:
            back = _through_8_bits(values, low, high)
            error = float(np.mean(np.square((_silu(back) if silu else back) - meant)))
            if error < least:
                best, least = (low, high), error
    return best


def before_silu(network: Any) -> frozenset[str]:
    """Tensors that go into a Sigmoid and into the Mul with its result, and nowhere else."""
    readers: dict[str, list[Any]] = {}
    for node in network.graph.node:
        for tensor in node.input:
            readers.setdefault(tensor, []).append(node)
    found = set()
    for tensor, nodes in readers.items():
        gate = next((node for node in nodes if node.op_type == "Sigmoid"), None)
        product = next((node for node in nodes if node.op_type == "Mul"), None)
        if len(nodes) == 2 and gate is not None and product is not None and gate.output[0] in product.input:
            found.add(tensor)
    return frozenset(found)


def _through_8_bits(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    scale = (high - low) / _STEPS
    if scale <= 0:
        return np.zeros_like(values)
    zero = round(-low / scale)
    steps = np.clip(np.rint(values / np.float32(scale)) + zero, 0, _STEPS)
    back: NDArray[np.float32] = ((steps - zero) * np.float32(scale)).astype(np.float32, copy=False)
    return back


def _silu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    gated: NDArray[np.float32] = (values / (1 + np.exp(-np.clip(values, -60, 60)))).astype(np.float32, copy=False)
    return gated
