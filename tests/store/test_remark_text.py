"""Remarks come back from their column as they went in, and sentences of earlier versions as sentences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.errors import StorageError
from perishield.model.remarks import Remark, begins_late, of_error, sentence, within
from perishield.store.remark_text import read, written

# What UTF-8 can carry; surrogates alone never reach a store.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = words | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
remarks = st.lists(st.builds(Remark, words, words, st.dictionaries(words, values, max_size=4)), max_size=4)


@given(remarks)
def test_what_is_written_is_read(found: list[Remark]) -> None:
    assert read(written(found)) == tuple(found)
    assert bool(written(found)) is bool(found)


@given(words)
def test_a_sentence_of_an_earlier_version_stays_one(text: str) -> None:
    assert sentence(read(text)) == text


def test_what_only_looks_like_ours_is_shown_as_it_is() -> None:
    for text in ('[{"code":', '[{"code":7}]', '[{"code":"a","text":"b","params":{"c":[]}}]'):
        assert read(text) == (Remark("", text),)


def test_of_an_error_stays_what_can_be_kept() -> None:
    error = StorageError("full", code="disk_full", free=3, share=float("nan"), sure=True, at=None, folder="/media")
    (found,) = read(written([of_error(error)]))
    assert (found.code, found.text, found.params) == ("disk_full", "full", {"free": 3, "folder": "/media"})


@given(st.integers(0, 40), st.integers(0, 400))
def test_more_than_there_is_room_for_is_counted(count: int, most: int) -> None:
    found = within([begins_late(1.0)] * count, most)
    shown = [one for one in found if one.code != "more"]
    assert len(sentence(shown)) <= most
    assert len(shown) + sum(int(one.params["count"]) for one in found if one.code == "more") == count
