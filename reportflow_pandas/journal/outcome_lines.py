"""Outcomes as the parameters of the ledger's statements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from reportflow_pandas.engine.outcomes import ACCEPTED, COLUMNS, KINDS, OF_CALL, OF_ERROR, Outcome
from reportflow_pandas.journal.ledger import OF_ANSWER, Changes, spans

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
            (*_refusal(outcome), *_of_call(outcome), number)
            for outcome, number in zip(outcomes, numbers, strict=True)
        ]
        return
    shared, owned, alike = _split(outcomes)
    changes.answers.append((moment, *shared, call))
    for outcome, number, values in zip(outcomes, numbers, owned, strict=False):
        if outcome.status in ACCEPTED:
            said = _answer(outcome)
            if alike and outcome.path is None:
                changes.accepted_alike.append((*said, number, call))
            else:
                own = _with_own_request(values, outcome)
                changes.accepted.append((*said, outcome.path, *own, number, call))
            changes.dropped.append(number)
        else:
            told = _refusal(outcome)
            if outcome.status == "not_sent":
                changes.given_back.append((*told[1:], *values, number, call))
            else:
                changes.refused.append((*told, *values, number, call))


def _fields(*names: str) -> Callable[[Outcome], tuple[Any, ...]]:
    """Return what reads fields of an outcome, in this order."""
    return itemgetter(*map(COLUMNS.index, names))


def _clean_fields(*names: str) -> Callable[[Outcome], tuple[Any, ...]]:
    """Return what reads fields of an outcome as SQLite takes them; hardly ever is there anything to `clean`."""
    read, texts = _fields(*names), _fields(*(name for name in names if KINDS[name] == "text"))

    def values(outcome: Outcome) -> tuple[Any, ...]:
        for text in texts(outcome):
            if text is not None and not text.isascii() and clean(text) != text:
                return tuple(map(clean, read(outcome)))
        return read(outcome)

    return values


_answer = _clean_fields("status", *OF_ANSWER)
_refusal = _clean_fields("status", *OF_ERROR)
_shareable, _of_call = _fields(*OF_CALL), _clean_fields(*OF_CALL)


_REQUEST = OF_CALL.index("request_id")


def _with_own_request(values: tuple[Any, ...], outcome: Outcome) -> tuple[Any, ...]:
    """Return a row's own values with its request: what the row had of an earlier call would stay else."""
    return (*values[:_REQUEST], clean(outcome.request_id), *values[_REQUEST + 1 :])


_NOTHING_OWN = (None,) * len(OF_CALL)


def _are_alike(outcomes: Sequence[Outcome]) -> bool:
    lines = list(map(_shareable, outcomes))
    return lines.count(lines[0]) == len(lines)


def _split(outcomes: Sequence[Outcome]) -> tuple[tuple[Any, ...], Iterable[tuple[Any, ...]], bool]:
    """Return what is the same for all rows of a call, for each row what is not, and whether that is nothing.

    A call has a value where all its rows have it; else each row has its own.
    """
    if len(outcomes) == 1 or _are_alike(outcomes):
        return _of_call(outcomes[0]), repeat(_NOTHING_OWN), outcomes[0].request_id is not None
    columns = list(zip(*map(_of_call, outcomes), strict=True))
    alike = [column.count(column[0]) == len(column) for column in columns]
    shared = tuple(column[0] if same else None for column, same in zip(columns, alike, strict=True))
    own = [repeat(None) if same else column for column, same in zip(columns, alike, strict=True)]
    return shared, zip(*own, strict=False), False


def clean(value: Any) -> Any:
    """Return a value as SQLite takes it: a text of the service's without half characters (lone surrogates)."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def spans_by_release(numbers: Sequence[int], released: Collection[int]) -> list[tuple[int, int, bool]]:
    """Return documents as spans, those that were released apart from the others."""
    if not released:
        return [(*span, False) for span in spans(numbers)]
    return [
        (*span, free)
        for free in (True, False)
        for span in spans([number for number in numbers if (number in released) == free])
    ]
