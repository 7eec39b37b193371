"""Plain Python in place of what was compiled: for debuggers, profilers, fuzzers, and to compare the two."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType


class _Sources:
    """Finds this package's modules by their sources alone."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith("perishield."):
            return None
        found = (FileFinder(folder, (SourceFileLoader, [".py"])).find_spec(name) for folder in path)
        return next((spec for spec in found if spec is not None), None)


def prefer_sources() -> None:
    """From here on nothing compiled is imported."""
    sys.meta_path.insert(0, _Sources)
