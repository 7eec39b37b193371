"""What a network's owner declares about it, in a file beside the model: `NAME.card.toml` or `NAME.card.json`.

Everything is optional where the network itself says enough:

    family = "ssd"            # see `FAMILIES`
    classes = ["mask", "no mask"]
    order = "rgb"             # or "bgr"
    divisor = 255.0           # samples 0..255 are divided by this, then (x - mean) / std
    mean = [0.0, 0.0, 0.0]
    std = [1.0, 1.0, 1.0]
    fit = "stretch"           # "centre" and "top_left" keep the proportions and pad with `pad`
    pad = 114
    width = 640               # only where the file leaves its input's size open
    height = 640
    least = 0.1               # lowest score reported
    overlap = 0.5             # IoU above which the lesser box falls
    scores = "sigmoid"        # what is still to be applied: "none", "sigmoid", "softmax"
    background = 0            # column of the scores that means nothing
    aliases = { worker = "person" }
    licence = "Apache-2.0"
    source = "https://..."
    version = "1"
    sha256 = "..."            # of the .onnx file; another one is refused

    [priors]                  # family "ssd": leave out where boxes come decoded, as shares of the input
    maps = [[33, 33], [17, 17]]
    sizes = [[0.04, 0.056], [0.08, 0.11]]
    ratios = [[1.0, 0.62], [1.0, 0.62]]
    variances = [0.1, 0.1, 0.2, 0.2]
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perishield.model.errors import ModelError

Family = Literal[
    "yolox", "yolov5", "yolov8", "yolo_end2end", "detr", "rtdetr", "detr_post", "ssd", "ssd_end2end", "fastestdet"
]
MOST_BYTES = 262_144

Number = float
_Triple = tuple[Number, Number, Number]
_Sizes = tuple[tuple[float, ...], ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Priors(_Strict):
    """Prior boxes of an SSD (Liu et al., 2016): per feature map its (rows, columns), sizes and ratios.

    A cell has a box per size at the first ratio, then one per further ratio at the first size; sizes are shares of
    the input, a ratio is width over height.
    """

    maps: tuple[tuple[int, int], ...] = Field(min_length=1, max_length=16)
    sizes: _Sizes = Field(min_length=1, max_length=16)
    ratios: _Sizes = Field(min_length=1, max_length=16)
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)


class ModelCard(_Strict):
    """A read card. What is None is left to the family's habits."""

    family: Family | None = None
    classes: tuple[str, ...] = Field(default=(), max_length=10_000)
    order: Literal["rgb", "bgr"] | None = None
    divisor: float | None = Field(default=None, gt=0, le=65_536)
    mean: _Triple | None = None
    std: _Triple | None = None
    fit: Literal["centre", "top_left", "stretch"] | None = None
    pad: int | None = Field(default=None, ge=0, le=255)
    width: int | None = Field(default=None, ge=32, le=4096)
    height: int | None = Field(default=None, ge=32, le=4096)
    least: float = Field(default=0.1, ge=0.01, le=1)
    overlap: float = Field(default=0.5, gt=0, le=1)
    scores: Literal["none", "sigmoid", "softmax"] | None = None
    background: int | None = Field(default=None, ge=0, le=10_000)
    aliases: dict[str, str] = Field(default_factory=dict, max_length=1000)
    licence: str = Field(default="", max_length=200)
    source: str = Field(default="", max_length=2000)
    version: str = Field(default="", max_length=64)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    priors: Priors | None = None


def parse_card(data: bytes, name: str) -> ModelCard:
    """A card from its bytes; `name` tells TOML from JSON and goes into messages. Raises ModelError (`model_card`)."""
    if len(data) > MOST_BYTES:
        raise _refused(name, f"it is longer than {MOST_BYTES} bytes")
    tree: Any
    try:
        text = data.decode()
        tree = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(name, str(error)[:200]) from error
    try:
        card = ModelCard.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _refused(
            name, f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg'].lower()}"
        ) from None
    if card.std is not None and min(map(abs, card.std)) < 1e-6:
        raise _refused(name, "std: none of the three may be 0")
    if card.priors is not None:
        priors = card.priors
        if not len(priors.maps) == len(priors.sizes) == len(priors.ratios):
            raise _refused(name, "priors: maps, sizes and ratios are not as many")
        total = sum(
            r * c * (len(s) + len(k) - 1) for (r, c), s, k in zip(priors.maps, priors.sizes, priors.ratios, strict=True)
        )
        bad = any(r < 1 or c < 1 for r, c in priors.maps) or not all(priors.sizes) or not all(priors.ratios)
        if bad or total > 1_000_000 or min(min(row) for row in (*priors.sizes, *priors.ratios)) <= 0:
            raise _refused(name, "priors: sizes, ratios and maps are above 0, and a million boxes at most")
    return card


def card_of(path: Path) -> ModelCard:
    """The card beside a model's file, or an empty one. Raises ModelError (`model_card`)."""
    for suffix in (".card.toml", ".card.json"):
        file = path.with_name(path.name.removesuffix(".onnx") + suffix)
        if file.is_file():
            with file.open("rb") as stream:
                return parse_card(stream.read(MOST_BYTES + 1), file.name)
    return ModelCard()


def _refused(name: str, reason: str) -> ModelError:
    return ModelError(f"model card {name}: {reason}; docs/guides/models.md shows every key", code="model_card")
