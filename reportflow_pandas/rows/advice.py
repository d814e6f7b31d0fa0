"""What to do about values of the wrong type: advice that was tried on the very values before it is printed.

A cure is printed only if it turns every value into what a person reads in it. What the values alone don't tell (is
``05/11/2026`` in May or in November?) is asked, not guessed. Booleans, lists and bytes are here; numbers and
dates have modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.rows.input_frame import value_shown

__all__ = [
    "Cure",
    "Mask",
    "boolean_advice",
    "bytes_advice",
    "cell_list",
    "examples",
    "first_that_works",
    "is_real",
    "list_advice",
]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cure:
    """An expression, ``{}`` standing for the column in code, and what it does."""

    code: str
    apply: Callable[[pd.Series[Any]], pd.Series[Any]]


def first_that_works(cells: pd.Series[Any], cures: Iterable[Cure], wanted: Sequence[Any], code: str) -> str | None:
    """Return the first expression that turns the cells into what is wanted; None if none does."""
    for cure in cures:
        try:
            result = cure.apply(cells).tolist()
        except Exception:  # noqa: BLE001, S112 - whatever it raises: this is no advice
            continue
        if len(result) == len(wanted) and all(map(_same, result, wanted)):
            return cure.code.format(code)
    return None


def _same(result: Any, wanted: Any) -> bool:
    if wanted is None:
        return bool(pd.isna(result))
    if isinstance(wanted, bool):
        return isinstance(result, bool | np.bool_) and bool(result) is wanted
    if isinstance(wanted, float):
        return not isinstance(result, str) and bool(result == wanted)
    return bool(result == wanted)


def cell_list(cells: pd.Series[Any]) -> list[Any]:
    """Return the cells, None for missing ones."""
    present = cells.notna().tolist()
    return [cell if there else None for cell, there in zip(cells.tolist(), present, strict=True)]


def is_real(value: Any) -> bool:
    """Tell whether a value is a real number."""
    return isinstance(value, int | float | Decimal | np.number | np.bool_)


def examples(values: Iterable[Any], most: int = 3) -> str:
    """Return a few different values, as messages show them."""
    return ", ".join(list(dict.fromkeys(value_shown(value) for value in values))[:most])


# -- booleans ------------------------------------------------------------------------------------------------

_WORDS = {
    True: "true yes y ja j oui vrai si sí sim tak да on wahr verdadero 1 1.0 はい 有 有り ○ ◯ ✓ ✔ 是",
    False: "false no n nein non faux não nie нет off falsch falso 0 0.0 いいえ 無 無し \u00d7 ✗ ✘ 否",
}
_BOOLEANS = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}


def boolean_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes true and false of cells, or the question that has to be answered first."""
    values = cell_list(cells)
    distinct: dict[Any, bool] = {}
    unknown = []
    for value in dict.fromkeys(value for value in values if value is not None and value.__hash__):
        known = _boolean(value)
        if known is None:
            unknown.append(value)
        else:
            distinct[value.item() if isinstance(value, np.generic) else value] = known
    if unknown or not distinct:
        return f"Say which of them is true: {examples(unknown or values)}"
    wanted = [None if value is None else _boolean(value) for value in values]
    told = first_that_works(
        cells, [Cure(f"{{}}.map({_braced(distinct)})", lambda given: given.map(distinct))], wanted, code
    )
    return f"Make it boolean: {told}" if told else f"Make true and false of {examples(values)}"


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        return bool(value) if value in (0, 1) else None
    return _BOOLEANS.get(value.strip().casefold()) if isinstance(value, str) else None


def _braced(mapping: dict[Any, bool]) -> str:
    """Return a dict in code that survives ``str.format``."""
    return repr(mapping).replace("{", "{{").replace("}", "}}")


# -- texts ---------------------------------------------------------------------------------------------------


def list_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes one text of lists, or the question that has to be answered first."""
    values = cell_list(cells)
    items = [item for value in values if isinstance(value, list | tuple | np.ndarray) for item in value]
    if any(isinstance(value, dict) for value in values) or not all(
        isinstance(item, str | int | np.integer) and not isinstance(item, bool) for item in items
    ):
        return "Choose what of it is printed, and make one text of it"
    wanted = [
        ", ".join(map(str, value)) if isinstance(value, list | tuple | np.ndarray) else value for value in values
    ]
    told = first_that_works(
        cells,
        [
            Cure("{}.str.join(', ')", lambda given: given.str.join(", ")),
            Cure("{}.map(lambda items: ', '.join(map(str, items)))", lambda given: given.map(_joined)),
            Cure(
                "{}.map(lambda items: ', '.join(map(str, items)), na_action='ignore')",
                lambda given: given.map(_joined, na_action="ignore"),
            ),
            Cure(
                "{}.map(lambda cell: ', '.join(map(str, cell)) if isinstance(cell, (list, tuple)) else cell)",
                lambda given: given.map(
                    lambda items: _joined(items) if isinstance(items, list | tuple) else items
                ),
            ),
        ],
        wanted,
        code,
    )
    return f"Join them to one text: {told}" if told else "Join them to one text"


def _joined(items: Any) -> str:
    return ", ".join(map(str, items))


def bytes_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes texts of bytes, or the question that has to be answered first."""
    values = cell_list(cells)
    try:
        wanted = [
            bytes(value).decode("utf-8") if isinstance(value, bytes | bytearray | memoryview) else value
            for value in values
        ]
    except UnicodeDecodeError:
        return "They are no UTF-8: decode them with the encoding that they were written in, or leave them out"
    if not all(value.replace("\n", " ").isprintable() for value in wanted if isinstance(value, str)):
        return "They are no text: leave them out, or give them to a parameter for images"
    told = first_that_works(
        cells,
        [
            Cure("{}.str.decode('utf-8')", lambda given: given.str.decode("utf-8")),
            Cure(
                "{}.map(lambda cell: cell.decode('utf-8') if isinstance(cell, bytes) else cell)",
                lambda given: given.map(lambda cell: cell.decode("utf-8") if isinstance(cell, bytes) else cell),
            ),
        ],
        wanted,
        code,
    )
    return f"Decode them: {told}" if told else "Decode them as UTF-8"
