"""Remarks as one column of text: JSON, so that codes and sentences stay together.

Rows of earlier versions hold a bare sentence. They are read as a remark without a code, and never rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perishield.model.remarks import Remark

_BEGINNING = '[{"code":'
_decoder = msgspec.json.Decoder(tuple[Remark, ...])


def written(remarks: Sequence[Remark]) -> str:
    """Empty for none."""
    return msgspec.json.encode(remarks).decode() if remarks else ""


def read(text: str) -> tuple[Remark, ...]:
    if not text.startswith(_BEGINNING):
        return (Remark("", text),) if text else ()
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return (Remark("", text),)
