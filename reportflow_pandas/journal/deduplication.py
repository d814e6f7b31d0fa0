"""Which document of the ledger each row of a frame is, and so whether it is sent: once, unless asked for again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import ACCEPTED, Outcome

__all__ = ["Edition", "Known", "Place", "Planned", "Rows", "Terms"]

MAY_EXIST = (*ACCEPTED, "unknown", "in_flight")
"""Statuses of documents that were, or may have been, accepted: not sent again by themselves."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the rows of a frame are sent: enough to go on without the frame.

    Attributes
    ----------
    design_id, design : str
        The design and its label.
    version : int
        Pinned.
    endpoint : str
        One of the four.
    options : dict
        What else a resumed run needs, as JSON holds it: ``batch_size``, ``attempts``, ``backoff``, ``timeout``,
        ``download``, ``wait``, ``limits``, ``concurrency``, ``on_error``. No credential.
    key : list of str or None
        The columns by which the run knows its documents; None: by their content.
    """

    design_id: str
    design: str
    version: int
    endpoint: str
    options: dict[str, Any] = field(default_factory=dict)
    key: list[str] | None = None


class Rows(NamedTuple):
    """Some rows of a frame.

    Attributes
    ----------
    documents : sequence of Document
        In the frame's order, without a gap.
    keys : sequence of bytes
        16 bytes each.
    digests : sequence of bytes or None
        Of the contents, where the user's key is the key.
    labels : sequence of sequence or None
        Index labels as JSON holds them.
    folders : sequence of str or None
        Below the download folder.
    """

    documents: Sequence[Document]
    keys: Sequence[bytes]
    digests: Sequence[bytes] | None
    labels: Sequence[Sequence[Any]] | None
    folders: Sequence[str] | None = None

    def part(self, start: int, stop: int) -> Rows:
        """Return some of them."""
        digests = None if self.digests is None else self.digests[start:stop]
        labels = None if self.labels is None else self.labels[start:stop]
        folders = None if self.folders is None else self.folders[start:stop]
        return Rows(self.documents[start:stop], self.keys[start:stop], digests, labels, folders)


class Planned(NamedTuple):
    """What became of some rows of a frame.

    Attributes
    ----------
    numbers : list of int
        The document of each.
    fresh : list of int
        Which of them, counted from the first, are to be sent.
    known : list of Outcome
        Of the others.
    new : int
        How many documents were added.
    """

    numbers: list[int]
    fresh: list[int]
    known: list[Outcome]
    new: int


class Edition(NamedTuple):
    """One document of the ledger among those of its key."""

    nth: int
    edition: int
    number: int
    status: str
    digest: bytes | None


class Place(NamedTuple):
    """What becomes of a row of a frame.

    Attributes
    ----------
    nth, edition : int
        Of its document.
    document : Edition or None
        The one that it is, or takes over; None: a new one.
    fresh : bool
        Whether it is to be sent.
    changed : bool
        Whether its document was accepted with other content.
    """

    nth: int
    edition: int
    document: Edition | None
    fresh: bool
    changed: bool


@dataclass(slots=True)
class _OfOneKey:
    editions: dict[int, list[Edition]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    next: int = 0


class Known:
    """The documents that a ledger has of some keys, and which of them rows of this frame have taken.

    Parameters
    ----------
    lines : iterable of tuple
        Key, nth, edition, number, status, digest, and whether a row has it; older editions first.
    """

    def __init__(self, lines: Iterable[tuple[Any, ...]] = ()) -> None:
        self._keys: dict[bytes, _OfOneKey] = {}
        for key, nth, edition, number, status, digest, taken in lines:
            known = self._keys.setdefault(key, _OfOneKey())
            known.editions.setdefault(nth, []).append(Edition(nth, edition, number, status, digest))
            if taken:
                known.taken.add(nth)

    def place(self, key: bytes, digest: bytes | None, *, again: bool) -> Place:
        """Return what becomes of the next row with this key.

        A row takes the newest edition that was or may have been accepted. A document that certainly was not is
        taken over, so that a count of the file shows no ghosts. Asked for ``again``, a row becomes a new edition.
        """
        known = self._keys.setdefault(key, _OfOneKey())
        while known.next in known.taken:
            known.next += 1
        nth = known.next
        known.taken.add(nth)
        editions: Sequence[Edition] = known.editions.get(nth, ())
        if not editions:
            return Place(nth, 0, None, fresh=True, changed=False)
        exist = [edition for edition in editions if edition.status in MAY_EXIST]
        if exist and not again:
            standing = exist[-1]
            differs = digest is not None and standing.digest is not None and standing.digest != digest
            return Place(
                nth, standing.edition, standing, fresh=False, changed=differs and standing.status in ACCEPTED
            )
        newest = editions[-1]
        if newest.status in MAY_EXIST:
            return Place(nth, newest.edition + 1, None, fresh=True, changed=False)
        return Place(nth, newest.edition, newest, fresh=True, changed=False)

    def places(
        self, keys: Sequence[bytes], digests: Sequence[bytes] | None, first: int, again: Collection[int]
    ) -> list[Place]:
        """Return what becomes of rows from position ``first`` on."""
        return [
            self.place(key, None if digests is None else digests[offset], again=first + offset in again)
            for offset, key in enumerate(keys)
        ]
