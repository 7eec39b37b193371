"""Reading the bits of a parameter set."""

from __future__ import annotations


class BitstreamError(ValueError):
    """A NAL unit says something impossible, or ends too early."""


class BitReader:
    """Bits of an RBSP: emulation prevention bytes are taken out first (H.264 and H.265 clause 7.3.1).

    Every read past the end raises BitstreamError.
    """

    __slots__ = ("_left", "_value")

    def __init__(self, payload: bytes) -> None:
        rbsp = payload.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(rbsp, "big")
        self._left = len(rbsp) * 8

    def bits(self, count: int) -> int:
        left = self._left - count
        if left < 0:
            raise BitstreamError("parameter set ends too early")
        self._left = left
        return (self._value >> left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.bits(1) == 1

    def unsigned(self) -> int:
        """Exp-Golomb ue(v), clause 9.1 (9.2 in H.265)."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 31:
                raise BitstreamError("Exp-Golomb code is too long")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """Exp-Golomb se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)
