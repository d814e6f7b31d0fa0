"""What came of one call, as one line of the journal: a letter for each status, JSON for the other columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from reportflow_pandas.engine.outcomes import STATUSES, FileNames, Outcomes
from reportflow_pandas.journal.spans import unbroken

__all__ = ["LETTERS", "columns_of", "decoded", "encoded", "letters", "outcomes_in"]

LETTERS = "narfu"
"""A status as one letter, in the order of `STATUSES`."""

_STATUS_OF = dict(zip(LETTERS, STATUSES, strict=True))
_LETTER_OF = bytes.maketrans(bytes(range(len(LETTERS))), LETTERS.encode())


def encoded(value: Any) -> bytes:
    """Return JSON, also of what orjson refuses: lone surrogates, integers beyond 64 bits."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def decoded(text: str | bytes) -> Any:
    """Return what `encoded` wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def letters(states: bytes) -> str:
    """Return statuses, as codes, as letters: one for all where they are equal."""
    if states.count(states[0]) == len(states):
        return LETTERS[states[0]]
    return states.translate(_LETTER_OF).decode()


def columns_of(outcomes: Outcomes, positions: Sequence[int]) -> tuple[bytes, dict[str, Any]]:
    """Return the statuses of rows as codes, and their other columns: one value where all are equal.

    What is missing in all rows is left out.
    """
    first, last, size = positions[0], positions[-1], len(positions)
    columns: dict[str, Any] = {}
    if size == 1:
        for name, column in outcomes.columns:
            if value := column[first]:
                columns[name] = value
        return bytes((outcomes.status[first],)), columns
    part = slice(first, last + 1) if unbroken(positions) else None
    for name, column in outcomes.columns:
        if part is not None:
            values = list(column[part])
        elif isinstance(column, FileNames):
            values = column.at(positions)
        else:
            values = [column[position] for position in positions]
        if values.count(values[0]) != size:
            columns[name] = values
        elif values[0] is not None and values[0] != 0:
            columns[name] = values[0]
    status = outcomes.status
    states = status[part] if part is not None else [status[position] for position in positions]
    return bytes(states), columns


def outcomes_in(
    numbers: Sequence[int], statuses: str, columns: dict[str, Any]
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each document's number, status and columns."""
    lists = {name: value for name, value in columns.items() if isinstance(value, list)}
    common: dict[str, Any] = _MISSING | columns
    for offset, number in enumerate(numbers):
        letter = statuses if len(statuses) == 1 else statuses[offset]
        yield number, _STATUS_OF[letter], common | {name: values[offset] for name, values in lists.items()}


_MISSING: dict[str, Any] = dict.fromkeys(name for name, _ in Outcomes([]).columns) | {"attempts": 0}
