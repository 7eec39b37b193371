"""What a detection network takes in: one picture, and for some the size that boxes are to be told in."""

from __future__ import annotations

from typing import Any

import numpy as np

from perishield.model.errors import ModelError
from perishield.vision.families import UNDERSTOOD

ELEMENTS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
"""By ONNX Runtime's names, what a picture may consist of."""


def inputs_of(session: Any, model: str) -> tuple[Any, str | None, bool]:
    """(the picture's input, name of that of `orig_target_sizes` or None, whether colours come last).

    Raises ModelError (`model_foreign`).
    """
    inputs = session.get_inputs()
    stated = ", ".join(f"{item.name} {item.shape} {item.type}" for item in inputs)
    pictures = [item for item in inputs if len(item.shape) == 4]
    sizes = [item.name for item in inputs if item.name == "orig_target_sizes" and item.type == "tensor(int64)"]
    if len(pictures) != 1 or len(pictures) + len(sizes) != len(inputs):
        raise ModelError(
            f"model {model}: its inputs {stated} are foreign: one of (n, 3, height, width) is needed; {UNDERSTOOD}",
            code="model_foreign",
        )
    picture = pictures[0]
    last = picture.shape[3] == 3 and picture.shape[1] != 3
    if not last and isinstance(picture.shape[1], int) and picture.shape[1] != 3:
        raise ModelError(
            f"model {model}: its inputs {stated} are foreign: one of (n, 3, height, width) is needed; {UNDERSTOOD}",
            code="model_foreign",
        )
    if picture.type not in ELEMENTS:
        raise ModelError(
            f"model {model}: its input {stated} is foreign: float, float16 or uint8 is needed; {UNDERSTOOD}",
            code="model_foreign",
        )
    return picture, sizes[0] if sizes else None, last
