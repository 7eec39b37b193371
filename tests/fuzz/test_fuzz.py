"""Every reader of foreign bytes, for a moment; `make fuzz` does the same for hours."""

from __future__ import annotations

import importlib.util
import random
import sys
import time
import tracemalloc
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MOMENT_S = 1.5
MOST_KEPT = 8 << 20


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"perishield_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


targets, fuzz = _module("targets"), _module("fuzz")
NAMES = list(targets.TARGETS)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_found_once_stays_harmless(name: str) -> None:
    for data in fuzz.seeds(name):
        targets.check(targets.TARGETS[name], data)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_breaks_a_reader(name: str) -> None:
    known = fuzz.seeds(name)
    for data in fuzz.mutations(known, random.Random(name), time.monotonic() + MOMENT_S):
        try:
            targets.check(targets.TARGETS[name], data)
        except Exception as error:
            raise AssertionError(f"{name} fails on {data.hex()}") from error


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_keeps_little(name: str) -> None:
    known = fuzz.seeds(name)
    tracemalloc.start()
    try:
        for data in fuzz.mutations(known, random.Random(name), time.monotonic() + MOMENT_S / 4):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            targets.check(targets.TARGETS[name], data)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < MOST_KEPT + 64 * len(data), f"{name} takes {peak - before} bytes for {data.hex()}"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=400))
def test_noise_breaks_no_reader(name: str, data: bytes) -> None:
    targets.check(targets.TARGETS[name], data)
