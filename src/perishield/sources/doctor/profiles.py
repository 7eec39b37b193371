"""Names of codec profiles and levels, from RFC 6381 codecs strings."""

from __future__ import annotations

_H264 = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4",
}
_H265 = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}


def profile_name(mime: str) -> str:
    """Profile and level in words; the string itself where it is another's.

    >>> profile_name("avc1.64001f")
    'High, level 3.1'
    >>> profile_name("hvc1.1.6.L93.B0")
    'Main, level 3.1'
    """
    kind, _, rest = mime.partition(".")
    try:
        if kind.startswith("avc") and len(rest) == 6:
            number, limits, level = bytes.fromhex(rest)
            constrained = "Constrained " if number == 66 and limits & 0x40 else ""
            return f"{constrained}{_H264.get(number, f'profile {number}')}, level {level / 10:.1f}"
        if kind in ("hvc1", "hev1"):
            words = rest.split(".")
            number, level = int(words[0].lstrip("ABC")), int(words[2][1:])
            tier = ", high tier" if words[2].startswith("H") else ""
            return f"{_H265.get(number, f'profile {number}')}{tier}, level {level / 30:.1f}"
    except (ValueError, IndexError):
        pass
    return mime
