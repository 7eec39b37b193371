"""Networks that we know where to get, each pinned by its hash. Nothing is shipped: a site's owner fetches them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One network. `address` is pinned to a commit; `sha256` and `size` (bytes) are checked after fetching."""

    name: str
    title: str
    address: str
    sha256: str
    size: int
    licence: str
    decoder: str
    input: str
    classes: str

    @property
    def file(self) -> str:
        return f"{self.name}.onnx"


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        name="yolox-nano",
        title="YOLOX-nano, 416 x 416",
        address=(
            "https://raw.githubusercontent.com/Kazuhito00/YOLOX-ONNX-TFLite-Sample/"
            "3d4f1119d0694200671c08069ecb847aa0d8495a/model/yolox_nano.onnx"
        ),
        sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
        size=3_660_092,
        licence="Apache-2.0",
        decoder="yolox",
        input="1x3x416x416",
        classes="COCO 80",
    ),
)
"""In order of preference: `auto` takes the first that is installed."""


def entry(name: str) -> CatalogueEntry | None:
    """The entry of that name, or None."""
    return next((item for item in CATALOGUE if item.name == name), None)
