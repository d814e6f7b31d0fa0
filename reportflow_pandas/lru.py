"""A mapping of bounded size: the least recently used entry goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["LruDict"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruDict(OrderedDict[K, V]):
    """A dict that lets the least recently used entries go when it holds more than ``most``.

    Entries of which ``pinned`` is true stay however many there are.

    Examples
    --------
    >>> kept = LruDict(2)
    >>> kept["a"], kept["b"] = 1, 2
    >>> kept["a"]
    1
    >>> kept["c"] = 3
    >>> list(kept)
    ['a', 'c']
    """

    def __init__(self, most: int, pinned: Callable[[V], bool] = lambda _: False) -> None:
        super().__init__()
        self._most = most
        self._pinned = pinned

    def __getitem__(self, key: K) -> V:
        """Return an entry, which counts as its use."""
        value = super().__getitem__(key)
        self.move_to_end(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        """Take an entry in as the last one used."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self._most:
            old = next((used for used, kept in self.items() if not self._pinned(kept)), None)
            if old is None:
                return
            del self[old]
