"""Calls for a run: packed when their turn comes, of documents that are written down already."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from reportflow_pandas.engine.batching import Call, Document

__all__ = ["AHEAD", "Feed"]

AHEAD = 10_000
"""Documents held in memory: a minute's worth at the documented limit. More are read from the journal later."""


_BATCH = 100


class Feed:
    """Takes documents in, in their order, and gives calls out.

    Parameters
    ----------
    pack : callable
        Makes calls of documents, lazily (`plan.pack` with its arguments).
    """

    def __init__(self, pack: Callable[[Iterator[Document]], Iterator[Call]]) -> None:
        self._held: deque[Document] = deque()
        self._rest: Iterator[Document] = iter(())
        self._calls = pack(self._documents())
        self._ended = False
        self._error: Exception | None = None
        self._more = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def full(self) -> bool:
        """Whether as many documents are held as should be."""
        return len(self._held) >= AHEAD

    def add(self, documents: Sequence[Document]) -> None:
        """Take the next documents."""
        self._held.extend(documents)
        self._more.set()

    def end(self, rest: Iterable[Document] = ()) -> None:
        """Say that these were all, but for those that ``rest`` reads from the journal."""
        self._rest = iter(rest)
        self._ended = True
        self._more.set()

    def fail(self, error: Exception) -> None:
        """Say that no more will come, and why."""
        self._error = error
        self.end()

    def at_hand(self) -> Call | None:
        """Return the next call if there is one without waiting; None leaves it to `next`."""
        if (self._ended or len(self._held) > 2 * _BATCH) and self._error is None and not self._turn.locked():
            return next(self._calls, None)
        return None

    async def next(self) -> Call | None:
        """Return the next call; None when there is no more.

        Raises
        ------
        Exception
            What `fail` was told.
        """
        async with self._turn:
            # one call takes up to a batch, and up to another batch can wait for it because of equal names
            while len(self._held) <= 2 * _BATCH and not self._ended:
                self._more.clear()
                await self._more.wait()
            if self._error is not None:
                raise self._error
            return next(self._calls, None)

    def _documents(self) -> Iterator[Document]:
        while self._held:
            yield self._held.popleft()
        yield from self._rest
