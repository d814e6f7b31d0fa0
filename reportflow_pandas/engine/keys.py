"""Keys of a frame's documents, to tell equal ones apart: 24 bytes each of a million, where a set takes 100."""

from __future__ import annotations

__all__ = ["KeySet"]

_HEAD = 2
_REST = 14


class KeySet:
    """Keys of 16 bytes, as even as a digest's.

    The first two bytes choose one of 65,536 buckets; a bucket is the rest of its keys, one after the other.
    """

    def __init__(self) -> None:
        self._buckets = [b""] * 256**_HEAD

    def add(self, key: bytes) -> bool:
        """Take a key in; return whether it is new."""
        place, rest = key[0] << 8 | key[1], key[_HEAD:]
        bucket = self._buckets[place]
        if rest in bucket:
            at = bucket.find(rest)
            while at > 0 and at % _REST:  # the end of one key and the beginning of the next
                at = bucket.find(rest, at + 1)
            if at >= 0:
                return False
        self._buckets[place] = bucket + rest
        return True
