"""Keys of a frame's documents, to tell equal ones apart: 24 bytes each of a million, where a set takes 100."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["KeySet"]

_HEAD = 2
_REST = 14


class KeySet:
    """Keys of 16 bytes, as even as a digest's.

    The first two bytes choose one of 65,536 buckets; a bucket is the rest of its keys, one after the other.
    """

    def __init__(self) -> None:
        self._buckets = [b""] * 256**_HEAD

    def add(self, keys: Collection[bytes]) -> list[int]:
        """Take keys in; return the places of those, counted from the first, that are not new."""
        buckets = self._buckets
        known: list[int] = []
        heads = memoryview(b"".join(keys)).cast("H")[:: (_HEAD + _REST) // _HEAD]
        for number, (place, key) in enumerate(zip(heads, keys, strict=True)):
            bucket, rest = buckets[place], key[_HEAD:]
            if bucket and rest in bucket and _holds(bucket, rest):
                known.append(number)
            else:
                buckets[place] = bucket + rest
        return known


def _holds(bucket: bytes, rest: bytes) -> bool:
    at = bucket.find(rest)
    while at > 0 and at % _REST:  # the end of one key and the beginning of the next
        at = bucket.find(rest, at + 1)
    return at >= 0
