"""Outcomes as the parameters of the ledger's statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from reportflow_pandas.engine.outcomes import STATUSES, Outcomes
from reportflow_pandas.journal.ledger import Changes, Span

__all__ = ["clean", "describe", "spans"]

_ACCEPTED, _READY, _NOT_SENT = (STATUSES.index(word) for word in ("accepted", "ready", "not_sent"))


def describe(  # noqa: PLR0917 - a call and its rows have so many parts
    changes: Changes,
    outcomes: Outcomes,
    call: int | None,
    positions: Sequence[int],
    numbers: Sequence[int],
    moment: float,
) -> None:
    """Add what became of the rows of a call to what is written.

    Parameters
    ----------
    changes : Changes
        Added to.
    outcomes : Outcomes
        By position.
    call : int or None
        None for rows that failed before they were sent.
    positions, numbers : sequence of int
        Its rows, and their documents.
    moment : float
        When it was answered, in seconds since 1970.
    """
    if call is None:
        changes.refused_unsent += [
            (
                STATUSES[outcomes.status[place]],
                outcomes.error_kind[place],
                clean(outcomes.error[place]),
                *values,
                number,
            )
            for place, number, values in zip(positions, numbers, _each(outcomes, positions), strict=True)
        ]
        return
    shared, own, alike = _columns(outcomes, positions)
    changes.answers.append((moment, *shared, call))
    status, kinds, errors = outcomes.status, outcomes.error_kind, outcomes.error
    good: list[int] = []
    for place, number, values in zip(positions, numbers, own, strict=False):
        code = status[place]
        if code in (_ACCEPTED, _READY):
            names = (STATUSES[code], outcomes.file_id[place], clean(outcomes.file_name[place]))
            path = outcomes.path[place]
            if alike and path is None:
                changes.accepted_alike.append((*names, number, call))
            else:
                changes.accepted.append((*names, path, *values, number, call))
            good.append(number)
        elif code == _NOT_SENT:
            changes.given_back.append((kinds[place], clean(errors[place]), *values[:-1], number, call))
        else:
            told = (STATUSES[code], kinds[place], clean(errors[place]))
            changes.refused.append((*told, *values[:-1], number, call))
    if good:
        changes.dropped += spans(good)


def _each(outcomes: Outcomes, positions: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Yield request id, url, status, tries and seconds of each row."""
    for place in positions:
        yield (
            outcomes.request_id[place],
            outcomes.url[place],
            outcomes.http_status[place] or None,
            outcomes.attempts[place],
            outcomes.elapsed[place],
        )


def _columns(
    outcomes: Outcomes, positions: Sequence[int]
) -> tuple[tuple[Any, ...], Iterable[tuple[Any, ...]], bool]:
    """Return what is the same for all rows of a call, for each row what is not, and whether that is nothing.

    That is: request id, url, status, tries, seconds, and when it was accepted. A call has a value where all its
    rows have it; else each row has its own.
    """
    columns: list[list[Any]] = [
        [column[place] for place in positions]
        for column in (
            outcomes.request_id,
            outcomes.url,
            outcomes.http_status,
            outcomes.attempts,
            outcomes.elapsed,
            outcomes.accepted_at,
        )
    ]
    shared: list[Any] = []
    own: list[Iterable[Any]] = []
    for column in columns:
        value = column[0]
        # nan, which is no moment, becomes NULL and is equal to nothing
        alike = column.count(value) == len(column) or (value != value and all(one != one for one in column))  # noqa: PLR0124
        shared.append(value if alike else None)
        own.append(repeat(None) if alike else column)
    shared[2] = shared[2] or None
    if own[2] is columns[2]:
        own[2] = columns[2] = [value or None for value in columns[2]]
    nothing = shared[0] is not None and not any(one is column for one, column in zip(own, columns, strict=True))
    return (clean(shared[0]), clean(shared[1]), *shared[2:]), zip(*own, strict=False), nothing


def clean(text: str | None) -> str | None:
    """Return a text of the service's as SQLite takes it: without half characters (lone surrogates)."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def spans(numbers: Sequence[int]) -> list[Span]:
    """Return numbers, in any order, as the first and the last of those that follow each other.

    Examples
    --------
    >>> spans([3, 5, 6, 7])
    [(3, 3), (5, 7)]
    """
    if len(numbers) < 2:
        return [(number, number) for number in numbers]
    ordered = sorted(numbers)
    if ordered[-1] - ordered[0] == len(ordered) - 1:
        return [(ordered[0], ordered[-1])]
    found: list[Span] = []
    for number in ordered:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
