"""What crosses Ray is sealed: its object store may write to a disk whatever it holds, on any machine.

One key for each lease, made by the bridge and told to the machine in a call's arguments, which Ray keeps in
memory. AES-256-GCM (NIST SP 800-38D): nothing is read that was changed, moved to another place in its
stream, or said under another lease. A nonce of 12 bytes is stream, number and offset, and never used twice.
"""

from __future__ import annotations

import enum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NUMBER_BYTES, _OFFSET_BYTES = 5, 6


class Stream(enum.IntEnum):
    """What is said by whom; ``number`` counts within it, but for sound, where it is the order's."""

    SOUND = 1  # bridge to machine, with the offset in the recording
    TAKE = 2  # bridge to machine: whose sound comes next
    ORDERS = 3  # bridge to machine: everything else
    WORDS = 4  # machine to bridge


class UnsealableError(ValueError):
    """What came over Ray is not what was said."""


def make_key() -> bytes:
    """Return a new key."""
    return AESGCM.generate_key(256)


class Seal:
    """Seals and opens under one lease; any thread may."""

    def __init__(self, key: bytes, lease: int) -> None:
        self._cipher = AESGCM(key)
        self._lease = lease.to_bytes(8, "big")

    def close(self, stream: Stream, number: int, data: bytes | memoryview, offset: int = 0) -> bytes:
        """Return the data, sealed: 16 bytes more."""
        return self._cipher.encrypt(_nonce(stream, number, offset), data, self._lease)

    def open(self, stream: Stream, number: int, data: bytes, offset: int = 0) -> bytes:
        """Return what was sealed; raises :class:`UnsealableError`."""
        try:
            return self._cipher.decrypt(_nonce(stream, number, offset), data, self._lease)
        except InvalidTag:
            raise UnsealableError(f"what was said as {stream.name} {number} was changed on its way") from None


def _nonce(stream: Stream, number: int, offset: int) -> bytes:
    return (
        stream.to_bytes(1, "big")
        + number.to_bytes(_NUMBER_BYTES, "big")
        + offset.to_bytes(_OFFSET_BYTES, "big")
    )
