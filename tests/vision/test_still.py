from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simplejpeg

from perishield.model.errors import StorageError
from perishield.vision.still import encode_jpeg, jpeg_of_key_frame

Record = Callable[..., Any]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_the_key_frame_of_a_chunk_becomes_a_jpeg(
    record: Record, stamped_pictures: Any, read_stamp: Any, codec: str
) -> None:
    footage = record(stamped_pictures(60), codec=codec, gop=20)
    key = [ref for ref in footage.refs if ref.key][2]
    picture = simplejpeg.decode_jpeg(jpeg_of_key_frame(key, footage.root))
    assert picture.shape == (192, 320, 3)
    assert read_stamp(picture[..., 1]) == 40


def test_brightness_keeps_its_range(record: Record, stamped_pictures: Any) -> None:
    footage = record(stamped_pictures(5), gop=5)
    picture = simplejpeg.decode_jpeg(jpeg_of_key_frame(footage.refs[0], footage.root, quality=95))
    assert np.abs(picture[20:44, 4:28].astype(int) - 20).max() < 12, "video levels were stretched to full range"


def test_a_chunk_without_a_key_frame_says_so(record: Record, stamped_pictures: Any) -> None:
    footage = record(stamped_pictures(20), gop=20)
    with pytest.raises(StorageError, match="no key frame") as caught:
        jpeg_of_key_frame(footage.refs[1], footage.root)
    assert caught.value.code == "missing"


def test_footage_that_is_gone_says_so(record: Record, stamped_pictures: Any) -> None:
    footage = record(stamped_pictures(10), gop=10)
    footage.file.unlink()
    with pytest.raises(StorageError, match="no longer kept") as caught:
        jpeg_of_key_frame(footage.refs[0], footage.root)
    assert caught.value.code == "missing"


def test_a_damaged_key_frame_says_so(record: Record, stamped_pictures: Any) -> None:
    footage = record(stamped_pictures(10), gop=10)
    ref = footage.refs[0]
    content = bytearray(footage.file.read_bytes())
    start = ref.offset + ref.length - sum(ref.sizes)
    content[start : start + ref.sizes[0]] = b"\xff" * ref.sizes[0]
    footage.file.write_bytes(bytes(content))
    with pytest.raises(StorageError) as caught:
        jpeg_of_key_frame(ref, footage.root)
    assert caught.value.code == "corrupt"


def test_odd_sizes_and_other_formats_are_taken(record: Record) -> None:
    from perishield.vision.onnx_model import as_picture

    colour = np.zeros((91, 121, 3), np.uint8)
    colour[..., 0] = 200
    picture = simplejpeg.decode_jpeg(encode_jpeg(as_picture(colour)))
    assert picture.shape == (90, 120, 3)
    assert abs(int(picture[45, 60, 0]) - 200) < 12
