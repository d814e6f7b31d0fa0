"""What became of each document, in columns: 160 bytes a row instead of 2,000 for a dict each."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

__all__ = [
    "ACCEPTED",
    "COLUMNS",
    "KINDS",
    "MOST_ATTEMPTS",
    "NOT_ACCEPTED",
    "OF_CALL",
    "OF_DOCUMENT",
    "OF_ERROR",
    "STATUSES",
    "AcceptedMeanwhile",
    "ColumnType",
    "FileNames",
    "Outcome",
    "Outcomes",
]

ACCEPTED = ("accepted", "ready")
"""Statuses of documents that the service took: made, and billed."""

NOT_ACCEPTED = ("failed", "unknown", "not_sent")
"""All others, in the order in which they are told: what most needs a person comes first."""

STATUSES = ("not_sent", *ACCEPTED, "failed", "unknown")
"""``not_sent`` is what every row is until something is known of it. Which status an error leads to is decided in
`engine.retry`, and how a document goes from one to the next in `journal.ledger`."""

_CODE = {word: code for code, word in enumerate(STATUSES)}


T = TypeVar("T")

Moment: TypeAlias = Annotated[float, "moment"]
"""Seconds since 1970, UTC."""

OfCall = Annotated[T, "call"]
"""What the documents of a call nearly always share: a ledger keeps it once for all of them."""

OfError = Annotated[T, "error"]
"""What went wrong: nothing of it stays when the document is accepted."""

ColumnType = Literal["text", "count", "optional_count", "seconds", "moment"]
"""What a column holds; a count is never missing."""


class Outcome(NamedTuple):
    """What became of one document: a row of the results frame, in the order of its columns. Missing is None.

    Each field is a column: its type says what the column holds, and how the ledger keeps it. The ledger's
    statements, the frame, the workbook's columns and the answers of a queue's workers follow from it.
    """

    row: int
    status: str
    file_name: str | None = None
    url: OfCall[str | None] = None
    file_id: str | None = None
    request_id: OfCall[str | None] = None
    path: str | None = None
    error_kind: OfError[str | None] = None
    error: OfError[str | None] = None
    http_status: OfCall[int | None] = None
    attempts: OfCall[int] = 0
    elapsed: OfCall[float | None] = None
    accepted_at: OfCall[Moment | None] = None


class AcceptedMeanwhile(Exception):  # noqa: N818 - says what happened, never leaves the package
    """Rows of a call that is about to be sent were found accepted by others: it goes without them.

    Attributes
    ----------
    positions : list of int
        These rows; their outcomes are set.
    """

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"{len(positions)} rows were accepted meanwhile")
        self.positions = positions


_KINDS: dict[Any, ColumnType] = {
    str: "text",
    str | None: "text",
    int: "count",
    int | None: "optional_count",
    float | None: "seconds",
    Moment | None: "moment",
}


def _fields() -> Iterator[tuple[str, ColumnType, str]]:
    """Yield the name of each field of `Outcome`, its kind, and of what it is."""
    for name, hint in get_type_hints(Outcome, include_extras=True).items():
        held, of = get_args(hint) if get_origin(hint) is Annotated else (hint, "document")
        yield name, _KINDS[held], of


_FIELDS = tuple(_fields())

KINDS: dict[str, ColumnType] = {name: kind for name, kind, _ in _FIELDS}
"""What each column of the results frame holds: one column for each field of `Outcome`."""

COLUMNS = list(KINDS)
"""Of the results frame, in its order."""

OF_CALL = tuple(name for name, _, of in _FIELDS if of == "call")
"""Columns of `OfCall`."""

OF_ERROR = tuple(name for name, _, of in _FIELDS if of == "error")
"""Columns of `OfError`."""

OF_DOCUMENT = tuple(name for name, _, of in _FIELDS if of == "document" and name not in ("row", "status"))
"""All others but row and status: what is a document's own, and stays its own."""

_APART = ("row", "status", "file_name")
"""The first fields of `Outcome`, which `Outcomes` keeps in ways of their own."""

_AS_PLANNED = ""


class FileNames(Sequence[str | None]):
    """What the service called each document; None where it did not say.

    Nearly always that is the planned name with ``.pdf``, which is not kept a second time: 80 bytes a row.

    Parameters
    ----------
    planned : sequence of str
        Without ``.pdf``.
    """

    def __init__(self, planned: Sequence[str]) -> None:
        self.planned = planned
        self._given: list[str | None] = [None] * len(planned)

    def __len__(self) -> int:
        return len(self._given)

    @overload
    def __getitem__(self, place: int) -> str | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[str | None]: ...
    def __getitem__(self, place: int | slice) -> str | list[str | None] | None:
        if isinstance(place, slice):
            return self.at(range(len(self))[place])
        given = self._given[place]
        return self.planned[place] + ".pdf" if given == _AS_PLANNED else given

    def __setitem__(self, position: int, name: str | None) -> None:
        self._given[position] = _AS_PLANNED if name == self.planned[position] + ".pdf" else name or None

    def set_from(self, start: int, names: Sequence[str | None]) -> None:
        """Set the names of the documents from a position on."""
        stop = start + len(names)
        self._given[start:stop] = [
            _AS_PLANNED if name == planned + ".pdf" else name or None
            for name, planned in zip(names, self.planned[start:stop], strict=True)
        ]

    def at(self, positions: Sequence[int]) -> list[str | None]:
        """Return the names of some documents."""
        given, planned = self._given, self.planned
        return [planned[place] + ".pdf" if given[place] == _AS_PLANNED else given[place] for place in positions]

    def others(self) -> dict[int, str]:
        """Return the names that are not the planned ones, by position."""
        return {position: name for position, name in enumerate(self._given) if name}


_MISSING: dict[ColumnType, Any] = {
    "text": None,
    "count": 0,
    "optional_count": 0,
    "seconds": math.nan,
    "moment": math.nan,
}
MOST_ATTEMPTS = 65_535
"""What a column of counts holds at most."""


def _column(kind: ColumnType, rows: int) -> Any:
    """Return a column of which nothing is known: 8 bytes a row for a text or a real number, 2 for a whole one."""
    if kind == "text":
        return [None] * rows
    return array("H", bytes(2 * rows)) if kind in ("count", "optional_count") else array("d", [math.nan]) * rows


class Outcomes:
    """The outcomes of a run, by position.

    Parameters
    ----------
    names : sequence of str
        File names without ``.pdf``: what a row is called until the service has answered.
    """

    # columns that code asks for by their names
    url: list[str | None]
    file_id: list[str | None]
    request_id: list[str | None]
    path: list[str | None]
    error_kind: list[str | None]
    error: list[str | None]
    http_status: array[int]
    attempts: array[int]
    elapsed: array[float]
    accepted_at: array[float]

    def __init__(self, names: Sequence[str]) -> None:
        rows = len(names)
        self.status = bytearray(rows)
        self.file_name = FileNames(names)
        stored = {name: kind for name, kind in KINDS.items() if name not in _APART}
        for name, kind in stored.items():
            setattr(self, name, _column(kind, rows))
        self._counts = [rows, *[0] * (len(STATUSES) - 1)]
        self._stored = [(name, getattr(self, name), _MISSING[kind]) for name, kind in stored.items()]
        """Names, columns, and what a row has there of which nothing is known."""
        self.columns = (("file_name", self.file_name), *((name, column) for name, column, _ in self._stored))

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, position: int) -> Outcome:
        """Return one row as a value."""
        values = {
            name: column[position]
            for name, column, missing in self._stored
            # NaN is equal to nothing, itself included
            if (value := column[position]) != missing and value == value  # noqa: PLR0124
        }
        name = self.file_name[position] or self.file_name.planned[position] + ".pdf"
        return Outcome(position, STATUSES[self.status[position]], name, **values)

    def as_answered(self, positions: Sequence[int]) -> list[Outcome]:
        """Return rows as values, with the names that the service answered and None where it named none."""
        return [self[position]._replace(file_name=self.file_name[position]) for position in positions]

    def __iter__(self) -> Iterator[Outcome]:
        return (self[position] for position in range(len(self)))

    def status_of(self, position: int) -> str:
        """Return the status of one row."""
        return STATUSES[self.status[position]]

    def counts(self) -> dict[str, int]:
        """Return how many rows have each status; costs nothing however many there are."""
        return dict(zip(STATUSES, self._counts, strict=True))

    def first_failed(self, most: int) -> list[int]:
        """Return the positions of the first rows that failed."""
        return list(islice(self._having("failed"), most))

    def kinds(self) -> Counter[str]:
        """Return how many rows have each kind of error."""
        return Counter(kind for kind in self.error_kind if kind is not None)

    def refused(self, position: int, status: str, kind: str | None, text: str, http_status: int | None) -> None:
        """Record that a document failed, was not sent, or that its outcome is not known."""
        self._mark(position, status)
        self.error_kind[position] = kind
        self.error[position] = text
        self.http_status[position] = http_status or 0

    def cut_off(self, text: str) -> None:
        """Say why each row was not sent of which nothing else is known: its run ended before its turn."""
        for position in self._having("not_sent"):
            if self.error_kind[position] is None:
                self.error_kind[position] = "cancelled"
                self.error[position] = text

    def tried(self, position: int, attempts: int, elapsed: float) -> None:
        """Record how many tries a document took, and how many seconds."""
        self.attempts[position] = min(attempts, MOST_ATTEMPTS)
        self.elapsed[position] = elapsed

    def saved(self, position: int, path: str) -> None:
        """Record that the PDF is on disk, hence ready."""
        self._mark(position, "ready")
        self.path[position] = path
        self.error_kind[position] = self.error[position] = None

    def not_fetched(self, position: int, kind: str, text: str, http_status: int | None) -> None:
        """Record that a download failed: the document stays accepted and is never paid for again."""
        self.error_kind[position] = kind
        self.error[position] = text
        self.http_status[position] = http_status or self.http_status[position]

    def put(self, outcome: Outcome) -> None:
        """Set a row to what is known of it: from an answer, a ledger, or a results frame."""
        position = outcome.row
        self._mark(position, outcome.status)
        self.file_name[position] = outcome.file_name
        for value, (_, column, missing) in zip(outcome[len(_APART) :], self._stored, strict=True):
            column[position] = missing if value is None else value

    def put_all(self, outcomes: Sequence[Outcome]) -> None:
        """Do as `put` with many, in order of their rows; where no row is left out, a column at a time."""
        if not outcomes or outcomes[-1].row - outcomes[0].row != len(outcomes) - 1:
            for outcome in outcomes:
                self.put(outcome)
            return
        rows, statuses, names, *columns = zip(*outcomes, strict=True)
        span = slice(rows[0], rows[-1] + 1)
        before, self.status[span] = self.status[span], bytes(map(_CODE.__getitem__, statuses))
        for code in range(len(STATUSES)):
            self._counts[code] += self.status.count(code, span.start, span.stop) - before.count(code)
        self.file_name.set_from(rows[0], names)
        for values, (_, column, missing) in zip(columns, self._stored, strict=True):
            if isinstance(column, list):
                column[span] = values
            else:
                column[span] = array(column.typecode, [missing if value is None else value for value in values])

    def forget(self, position: int) -> None:
        """Set a row back to what it was before anything was known of it."""
        self.put(Outcome(position, "not_sent"))

    def _having(self, status: str) -> Iterator[int]:
        """Yield the positions of the rows that have a status."""
        position = self.status.find(_CODE[status])
        while position >= 0:
            yield position
            position = self.status.find(_CODE[status], position + 1)

    def _mark(self, position: int, status: str) -> None:
        code = _CODE[status]
        self._counts[self.status[position]] -= 1
        self._counts[code] += 1
        self.status[position] = code
