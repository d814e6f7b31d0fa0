"""Outcomes as the parameters of the ledger's statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from typing import Any

from reportflow_pandas.engine.outcomes import ACCEPTED, MOST_ATTEMPTS, Outcome
from reportflow_pandas.journal.ledger import Changes, spans

__all__ = ["clean", "describe", "spans_by_release"]


def describe(
    changes: Changes, outcomes: Sequence[Outcome], call: int | None, numbers: Sequence[int], moment: float
) -> None:
    """Add what became of the rows of a call to what is written.

    Parameters
    ----------
    changes : Changes
        Added to.
    outcomes : sequence of Outcome
        Of its rows.
    call : int or None
        None for rows that failed before they were sent.
    numbers : sequence of int
        The documents of these rows.
    moment : float
        When it was answered, in seconds since 1970.
    """
    if call is None:
        changes.refused_unsent += [
            (one.status, one.error_kind, clean(one.error), *_of_a_call(one)[:-1], number)
            for one, number in zip(outcomes, numbers, strict=True)
        ]
        return
    shared, own, alike = _split(outcomes)
    changes.answers.append((moment, *shared, call))
    for one, number, values in zip(outcomes, numbers, own, strict=False):
        if one.status in ACCEPTED:
            names = (one.status, one.file_id, clean(one.file_name))
            if alike and one.path is None:
                changes.accepted_alike.append((*names, number, call))
            else:
                changes.accepted.append((*names, one.path, *values, number, call))
            changes.dropped.append(number)
        elif one.status == "not_sent":
            changes.given_back.append((one.error_kind, clean(one.error), *values[:-1], number, call))
        else:
            told = (one.status, one.error_kind, clean(one.error))
            changes.refused.append((*told, *values[:-1], number, call))


def _of_a_call(one: Outcome) -> tuple[Any, ...]:
    """Return what the rows of a call nearly always share, in the order of the columns of ``calls``."""
    return (
        clean(one.request_id),
        clean(one.url),
        one.http_status,
        min(one.attempts, MOST_ATTEMPTS),
        one.elapsed,
        one.accepted_at,
    )


def _split(outcomes: Sequence[Outcome]) -> tuple[tuple[Any, ...], Iterable[tuple[Any, ...]], bool]:
    """Return what is the same for all rows of a call, for each row what is not, and whether that is nothing.

    A call has a value where all its rows have it; else each row has its own.
    """
    lines = [_of_a_call(one) for one in outcomes]
    if lines.count(lines[0]) == len(lines):
        return lines[0], repeat((None,) * len(lines[0])), lines[0][0] is not None
    columns = list(zip(*lines, strict=True))
    alike = [column.count(column[0]) == len(column) for column in columns]
    shared = tuple(column[0] if same else None for column, same in zip(columns, alike, strict=True))
    own = [repeat(None) if same else column for column, same in zip(columns, alike, strict=True)]
    return shared, zip(*own, strict=False), False


def clean(text: str | None) -> str | None:
    """Return a text of the service's as SQLite takes it: without half characters (lone surrogates)."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def spans_by_release(numbers: Sequence[int], released: Collection[int]) -> list[tuple[int, int, bool]]:
    """Return documents as spans, those that were released apart from the others."""
    if not released:
        return [(*span, False) for span in spans(numbers)]
    return [
        (*span, free)
        for free in (True, False)
        for span in spans([number for number in numbers if (number in released) == free])
    ]
