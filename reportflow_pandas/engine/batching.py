"""Documents become calls: packed by count, by bytes and by names, one call at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import orjson

from reportflow_pandas.contract import BODY_LIMIT_BYTES as MAX_BODY

__all__ = ["MAX_BODY", "ONE_BY_ONE", "SMALLER", "Call", "Document", "endpoint_for", "pack"]

SMALLER = "make its images or tables smaller, or split it into several documents"
"""What to do about a document that is larger."""

ONE_BY_ONE = 5
"""Up to so many documents go one by one with ``endpoint="auto"``: each has its own answer, few calls are spent."""


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
    batch_size: int = 100,
    max_body: int = MAX_BODY,
) -> Iterator[Call]:
    """Yield the calls for the documents, in their order, each when it is asked for.

    A call holds at most ``batch_size`` documents and ``max_body`` bytes, and no two names that are equal ignoring
    case: a second document of one name waits for the next call. A document that alone is too
    large still gets a call of its own, so that it is refused alone.

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
    room = max_body - len(_head(design_id, version)) - len(b'"contents":[]}') + len(",")
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
