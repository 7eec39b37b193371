from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.errors import StorageError
from perishield.model.trajectory import Step
from perishield.store.path_bytes import packed, unpacked


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1))))
def test_a_path_comes_back_to_the_millisecond_and_a_65535th(path: list[Step]) -> None:
    back = unpacked(packed(path))
    assert len(back) == len(path)
    for was, now in zip(path, back, strict=True):
        assert now == pytest.approx(was, abs=6e-4)


@given(st.binary())
def test_any_bytes_are_a_path_or_a_clear_refusal(data: bytes) -> None:
    if len(data) % 8:
        with pytest.raises(StorageError, match="damaged"):
            unpacked(data)
    else:
        assert packed(unpacked(data)) == data
