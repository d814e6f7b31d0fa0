"""What became of each document, in columns: 160 bytes a row instead of 2,000 for a dict each."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

__all__ = ["COLUMNS", "STATUSES", "AcceptedMeanwhile", "FileNames", "Outcome", "Outcomes"]

STATUSES = ("not_sent", "accepted", "ready", "failed", "unknown")
"""``not_sent`` is what every row is until something is known of it."""

_CODE = {word: code for code, word in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document: a row of the results frame, in the order of its columns. Missing is None."""

    row: int
    status: str
    file_name: str | None = None
    url: str | None = None
    file_id: str | None = None
    request_id: str | None = None
    path: str | None = None
    error_kind: str | None = None
    error: str | None = None
    http_status: int | None = None
    attempts: int = 0
    elapsed: float | None = None
    accepted_at: float | None = None


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


COLUMNS = [column.name for column in fields(Outcome)]
"""Of the results frame, in its order."""

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

    def at(self, positions: Sequence[int]) -> list[str | None]:
        """Return the names of some documents."""
        given, planned = self._given, self.planned
        return [planned[place] + ".pdf" if given[place] == _AS_PLANNED else given[place] for place in positions]

    def others(self) -> dict[int, str]:
        """Return the names that are not the planned ones, by position."""
        return {position: name for position, name in enumerate(self._given) if name}


class Outcomes:
    """The outcomes of a run, by position.

    Parameters
    ----------
    names : sequence of str
        File names without ``.pdf``: what a row is called until the service has answered.
    """

    def __init__(self, names: Sequence[str]) -> None:
        rows = len(names)
        self.status = bytearray(rows)
        self.file_name = FileNames(names)
        self.url: list[str | None] = [None] * rows
        self.file_id: list[str | None] = [None] * rows
        self.request_id: list[str | None] = [None] * rows
        self.path: list[str | None] = [None] * rows
        self.error_kind: list[str | None] = [None] * rows
        self.error: list[str | None] = [None] * rows
        self.http_status = array("H", bytes(2 * rows))
        self.attempts = array("H", bytes(2 * rows))
        self.elapsed = array("d", [math.nan]) * rows
        self.accepted_at = array("d", [math.nan]) * rows
        self._counts = [rows, 0, 0, 0, 0]
        self.columns: tuple[tuple[str, Sequence[Any]], ...] = tuple(
            (name, getattr(self, name)) for name in COLUMNS if name not in ("row", "status")
        )
        """All but row and status, by their names; None, 0 and NaN are what a row has of which nothing is known."""

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, position: int) -> Outcome:
        """Return one row as a value."""
        elapsed, accepted_at = self.elapsed[position], self.accepted_at[position]
        return Outcome(
            row=position,
            status=STATUSES[self.status[position]],
            file_name=self.file_name[position] or self.file_name.planned[position] + ".pdf",
            url=self.url[position],
            file_id=self.file_id[position],
            request_id=self.request_id[position],
            path=self.path[position],
            error_kind=self.error_kind[position],
            error=self.error[position],
            http_status=self.http_status[position] or None,
            attempts=self.attempts[position],
            elapsed=None if math.isnan(elapsed) else elapsed,
            accepted_at=None if math.isnan(accepted_at) else accepted_at,
        )

    def __iter__(self) -> Iterator[Outcome]:
        return (self[position] for position in range(len(self)))

    def status_of(self, position: int) -> str:
        """Return the status of one row."""
        return STATUSES[self.status[position]]

    def counts(self) -> dict[str, int]:
        """Return how many rows have each status; costs nothing however many there are."""
        return dict(zip(STATUSES, self._counts, strict=True))

    def next_failed(self, start: int) -> int:
        """Return the first position from ``start`` on that failed; -1 when there is none."""
        return self.status.find(_CODE["failed"], start)

    def kinds(self) -> Counter[str]:
        """Return how many rows have each kind of error."""
        return Counter(kind for kind in self.error_kind if kind is not None)

    def accepted(
        self,
        position: int,
        *,
        request_id: str,
        file_id: str | None,
        file_name: str | None,
        url: str | None,
        http_status: int,
        at: float,
        ready: bool = False,
    ) -> None:
        """Record that the service took the document ``at`` so many seconds since 1970; ``ready``: with its PDF."""
        self._mark(position, "ready" if ready else "accepted")
        self.request_id[position] = request_id or None
        self.file_id[position] = file_id
        self.file_name[position] = file_name
        self.url[position] = url
        self.http_status[position] = http_status
        self.accepted_at[position] = at
        self.error_kind[position] = self.error[position] = None

    def refused(self, position: int, status: str, kind: str | None, text: str, http_status: int | None) -> None:
        """Record that a document failed, was not sent, or that nobody knows."""
        self._mark(position, status)
        self.error_kind[position] = kind
        self.error[position] = text
        self.http_status[position] = http_status or 0

    def cut_off(self, text: str) -> None:
        """Say why each row was not sent of which nothing else is known: its run ended before its turn."""
        position = self.status.find(_CODE["not_sent"])
        while position >= 0:
            if self.error_kind[position] is None:
                self.error_kind[position] = "cancelled"
                self.error[position] = text
            position = self.status.find(_CODE["not_sent"], position + 1)

    def tried(self, position: int, attempts: int, elapsed: float) -> None:
        """Record how many tries a document took, and how many seconds."""
        self.attempts[position] = min(attempts, 65_535)
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

    def restore(self, outcome: Outcome) -> None:
        """Set a row to what is known of it from elsewhere: a journal, or a results frame."""
        position = outcome.row
        self._mark(position, outcome.status)
        self.file_name[position] = outcome.file_name
        self.url[position] = outcome.url
        self.file_id[position] = outcome.file_id
        self.request_id[position] = outcome.request_id
        self.path[position] = outcome.path
        self.error_kind[position] = outcome.error_kind
        self.error[position] = outcome.error
        self.http_status[position] = outcome.http_status or 0
        self.attempts[position] = outcome.attempts
        self.elapsed[position] = math.nan if outcome.elapsed is None else outcome.elapsed
        self.accepted_at[position] = math.nan if outcome.accepted_at is None else outcome.accepted_at

    def forget(self, position: int) -> None:
        """Set a row back to what it was before anything was known of it."""
        self.restore(Outcome(position, "not_sent"))

    def _mark(self, position: int, status: str) -> None:
        code = _CODE[status]
        self._counts[self.status[position]] -= 1
        self._counts[code] += 1
        self.status[position] = code
