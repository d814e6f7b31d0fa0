"""Documents become calls: packed by count, by bytes and by names, one call at a time, when their turn comes."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import orjson

from reportflow_pandas.contract import BODY_LIMIT_BYTES as MAX_BODY, DOCUMENTS_PER_CALL

__all__ = [
    "HELD_FOR_A_CALL",
    "MAX_BODY",
    "ONE_BY_ONE",
    "SMALLER",
    "Call",
    "Document",
    "Feed",
    "endpoint_for",
    "pack",
    "taken_apart",
]

SMALLER = "make its images or tables smaller, or split it into several documents"
"""What to do about a document that is larger."""

ONE_BY_ONE = 5
"""Up to so many documents go one by one with ``endpoint="auto"``: each has its own answer, few calls are spent."""

MOST_HELD = 10_000
"""Documents held in memory: a minute's worth at the documented limit. More are read from the journal later."""

HELD_FOR_A_CALL = 2 * DOCUMENTS_PER_CALL
"""Documents held before a call is packed: it takes up to a batch, and as many can wait for it by equal names."""


class Document(NamedTuple):
    """One document, ready to be sent.

    Attributes
    ----------
    position : int
        Row in the input, from 0.
    id : str
        Our opaque id in ``passthrough``.
    name : str
        File name without ``.pdf``.
    content : bytes
        The encoded ContentDto.
    """

    position: int
    id: str
    name: str
    content: bytes


@dataclass(slots=True, eq=False)
class Call:
    """Documents that travel together.

    Attributes
    ----------
    design_id, version, endpoint
        Where to.
    documents : tuple of Document
        In the order in which they travel.
    positions : list of int
        Their rows in the input.
    """

    design_id: str
    version: int
    endpoint: str
    documents: tuple[Document, ...]
    positions: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.positions = [document.position for document in self.documents]

    @property
    def multiple(self) -> bool:
        """Whether this is a call for many."""
        return self.endpoint.endswith("multiple")

    @property
    def sync(self) -> bool:
        """Whether the answer is the PDF itself."""
        return self.endpoint.startswith("sync")

    def body(self) -> bytes:
        """Return the body: encoded once and reused by its retries."""
        head = _head(self.design_id, self.version)
        if self.multiple:
            return head + b'"contents":[' + b",".join([document.content for document in self.documents]) + b"]}"
        return head + b'"content":' + self.documents[0].content + b"}"

    def part(self, documents: Iterable[Document]) -> Call:
        """Return a call for some of the documents."""
        return Call(self.design_id, self.version, self.endpoint, tuple(documents))

    def __len__(self) -> int:
        return len(self.documents)


def endpoint_for(endpoint: str, documents: int) -> str:
    """Return the endpoint that ``"auto"`` means for so many documents."""
    if endpoint != "auto":
        return endpoint
    return "async/single" if documents <= ONE_BY_ONE else "async/multiple"


def pack(
    documents: Iterable[Document],
    *,
    design_id: str,
    version: int,
    endpoint: str,
    batch_size: int = DOCUMENTS_PER_CALL,
) -> Iterator[Call]:
    """Yield the calls for the documents, in their order, each when it is asked for.

    A call holds at most ``batch_size`` documents and `MAX_BODY` bytes, and no two names that are equal ignoring
    case: a second document of one name waits for the next call. A document that alone is too large still gets a
    call of its own, so that it is refused alone.

    Examples
    --------
    >>> names = ["a", "b", "A"]
    >>> documents = [Document(i, str(i), name, b"{}") for i, name in enumerate(names)]
    >>> calls = pack(documents, design_id="d", version=1, endpoint="async/multiple", batch_size=2)
    >>> [[document.name for document in call.documents] for call in calls]
    [['a', 'b'], ['A']]
    """
    if endpoint.endswith("single"):
        for document in documents:
            yield Call(design_id, version, endpoint, (document,))
        return
    # each document is counted with a comma, and the first one has none
    room = MAX_BODY - len(_head(design_id, version)) - len(b'"contents":[]}') + len(",")
    incoming = iter(documents)
    waiting: deque[Document] = deque()
    while True:
        chosen: list[Document] = []
        later: list[Document] = []
        names: set[str] = set()
        size = 0
        while len(chosen) < batch_size and len(later) < batch_size:
            try:
                document = waiting.popleft() if waiting else next(incoming)
            except StopIteration:
                break
            name, length = document.name.casefold(), len(document.content) + len(",")
            if name in names:
                later.append(document)
                continue
            if chosen and size + length > room:
                later.append(document)
                break
            chosen.append(document)
            names.add(name)
            size += length
        if not chosen:
            return
        waiting.extendleft(reversed(later))
        yield Call(design_id, version, endpoint, tuple(chosen))


@lru_cache
def _head(design_id: str, version: int) -> bytes:
    return b'{"designId":' + orjson.dumps(design_id) + b',"version":' + str(version).encode() + b","


_ENTRY = re.compile(r"\bcontents(?:\.(\d+)|\[(\d+)\])")
"""How validation messages name an entry of a batch (assumed from the service's framework)."""


def taken_apart(call: Call, messages: Sequence[str]) -> list[Call]:
    """Return a refused batch in parts: rows the message names alone, the rest at once; else two halves.

    One bad row in a batch fails alone: it costs a handful of calls, and every good row is accepted.
    """
    named = _named(call, messages)
    if named and len(named) < len(call):
        rest = [document for number, document in enumerate(call.documents) if number not in named]
        return [call.part(rest), *(call.part([call.documents[number]]) for number in sorted(named))]
    half = len(call) // 2
    return [call.part(call.documents[:half]), call.part(call.documents[half:])]


def _named(call: Call, messages: Sequence[str]) -> set[int]:
    numbers: set[int] = set()
    for message in messages:
        for found in _ENTRY.finditer(message):
            number = int(found[1] or found[2])
            if number < len(call):
                numbers.add(number)
    return numbers


class Feed:
    """Takes documents in, in their order, and gives calls out.

    Parameters
    ----------
    pack : callable
        Makes calls of documents, lazily (`pack` with its arguments).
    """

    def __init__(self, pack: Callable[[Iterator[Document]], Iterator[Call]]) -> None:
        self._held: deque[Document] = deque()
        self._calls = pack(self._documents())
        self._ended = self._closed = False
        self._error: Exception | None = None
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._turn = asyncio.Lock()
        self.abandoned = False
        """Whether the run was interrupted, so that its calls are not pulled any more."""

    @property
    def full(self) -> bool:
        """Whether as many documents are held as should be."""
        return len(self._held) >= MOST_HELD

    def add(self, documents: Sequence[Document]) -> None:
        """Take the next documents."""
        self._held.extend(documents)
        self._more.set()

    async def has_room(self) -> bool:
        """Wait until more documents should be held; False: none is taken any more."""
        while self.full and not self._closed:
            self._room.clear()
            await self._room.wait()
        return not self._closed

    def end(self) -> None:
        """Say that these were all."""
        self._ended = True
        self._more.set()

    def close(self) -> None:
        """Take no more: the run has ended, perhaps early."""
        self._closed = True
        self._room.set()

    def fail(self, error: Exception) -> None:
        """Say that no more will come, and why."""
        self._error = error
        self.end()

    def at_hand(self) -> Call | None:
        """Return the next call if there is one without waiting; None leaves it to `next`."""
        if (self._ended or len(self._held) > HELD_FOR_A_CALL) and self._error is None and not self._turn.locked():
            return self._call()
        return None

    async def next(self) -> Call | None:
        """Return the next call; None when there is no more.

        Raises
        ------
        Exception
            What `fail` was told.
        """
        async with self._turn:
            while len(self._held) <= HELD_FOR_A_CALL and not self._ended:
                self._more.clear()
                await self._more.wait()
            if self._error is not None:
                raise self._error
            return self._call()

    def _call(self) -> Call | None:
        call = next(self._calls, None)
        self._room.set()
        return call

    def _documents(self) -> Iterator[Document]:
        while self._held:
            yield self._held.popleft()
