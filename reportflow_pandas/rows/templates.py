"""Templates filled from a row: braces hold a column's name to the letter or ``index``, with an optional format."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.input_frame import (
    called,
    cells_of,
    did_you_mean,
    label_texts,
    labels_at,
    named,
    names_of,
    rows_phrase,
)
from reportflow_pandas.rows.values import NotJson, column_values, json_value, series_of

__all__ = ["columns_of", "filled", "texts_of"]

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def columns_of(frame: pd.DataFrame, template: str) -> set[Any]:
    """Return the columns that a template names."""
    inside = [found[1] for found in _FIELD.finditer(template) if found[1] is not None]
    return {found[0] for found in (_parted(frame, text) for text in inside) if found is not None}


def filled(
    frame: pd.DataFrame,
    template: str,
    *,
    argument: str,
    one_name_each: bool = False,
    blank: bool = False,
    convert: Callable[[str], str] | None = None,
) -> list[str]:
    """Return the template's text for each row.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    template : str
        ``"INV-{InvoiceId:04d}"``; ``{{`` and ``}}`` are braces.
    argument : str
        Name of the argument that holds it, for messages.
    one_name_each : bool
        Refuse a template without a column where there are several rows.
    convert : callable, optional
        Changes each value's text, such as ``html.escape``.
    blank : bool
        Missing values become nothing; else they are refused with their rows.

    Raises
    ------
    ConfigurationError
        The template names no column of the frame, or a brace has no partner.
    InvalidRows
        A value that is missing or does not fit its format.

    Examples
    --------
    >>> filled(pd.DataFrame({"No": [7, 8]}), "INV-{No:04d}", argument="file_name")
    ['INV-0007', 'INV-0008']
    """
    parts: list[Iterable[str] | str] = []
    end = 0
    for found in _FIELD.finditer(template):
        parts.append(template[end : found.start()])
        end = found.end()
        if found[0] in ("{{", "}}"):
            parts.append(found[0][0])
        elif found[1] is None:
            raise ConfigurationError(
                f"{argument}={template!r}: a brace without its partner. Braces hold a column's name, e.g. "
                "'INV-{InvoiceId}'; write {{ for a brace itself"
            )
        else:
            texts = _field(frame, template, found[1], argument=argument, blank=blank)
            parts.append(texts if convert is None else [convert(text) for text in texts])
    parts.append(template[end:])
    if one_name_each and all(isinstance(part, str) for part in parts) and len(frame) > 1:
        raise ConfigurationError(
            f"{argument}={template!r} is neither a column nor a template, so {len(frame):,} documents would have "
            f"one name. {_near(frame, template)}Put a column into braces, e.g. 'INV-{{{_example(frame)}}}'"
        )
    repeated = [[part] * len(frame) if isinstance(part, str) else part for part in parts if part != ""]
    return ["".join(row) for row in zip(*repeated, strict=True)] if repeated else [""] * len(frame)


def _field(frame: pd.DataFrame, template: str, inside: str, *, argument: str, blank: bool) -> list[str]:
    parted = _parted(frame, inside)
    if parted is not None:
        return texts_of(frame, *parted, argument=argument, blank=blank)
    shown = ", ".join(str(name) for name in names_of(frame)[:20])
    raise ConfigurationError(
        f"{argument}={template!r}: the frame has no column {inside!r}. {_near(frame, inside)}Columns: {shown}"
    )


def _parted(frame: pd.DataFrame, inside: str) -> tuple[Any, str] | None:
    """Part what stands in braces into a column, or ``index``, and a format: the longest name that there is."""
    end = len(inside)
    while end >= 0:
        name, spec = inside[:end], inside[end + 1 :]
        column = called(frame, name)
        if column is not None or name == "index":
            return (name if column is None else column), spec
        end = inside.rfind(":", 0, end)
    return None


def texts_of(frame: pd.DataFrame, name: Any, spec: str = "", *, argument: str, blank: bool = False) -> list[str]:
    """Return a column, or the index, as text in a format; missing values are refused unless ``blank``."""
    if name == "index" and not named(frame, name):
        if not spec:
            return label_texts(frame.index)
        column = series_of(frame.index)
    else:
        column = cells_of(frame, name)
    if not spec:
        with contextlib.suppress(NotJson):
            quick = column_values(column, "text")
            if all(isinstance(text, str) for text in quick):
                return quick
    # a day's text is the same wherever it stands, and strftime is slow
    moments = isinstance(column.dtype, np.dtype) and column.dtype.kind == "M"
    places, cells = pd.factorize(column, use_na_sentinel=False) if moments else (None, column)
    texts, bad = [], []
    for position, cell in enumerate(cells.tolist()):
        try:
            texts.append(_text(cell, spec, blank=blank))
        except (ValueError, TypeError) as problem:
            bad.append((position, str(problem)))
            texts.append("")
    if bad:
        wrong = [position for position, _ in bad]
        held = wrong if places is None else np.flatnonzero(np.isin(places, wrong)).tolist()
        rows = labels_at(frame.index, held)
        raise InvalidRows(
            f"{argument}: {name!r} {bad[0][1]} in {rows_phrase(rows)}. Fill or clean the column, or choose "
            "another",
            rows,
        )
    return texts if places is None else [texts[place] for place in places.tolist()]


def _text(cell: Any, spec: str, *, blank: bool) -> str:
    try:
        plain = json_value(cell, "text")
    except NotJson as reason:
        raise ValueError(f"cannot be a name ({reason})") from None
    if plain is None and blank:
        return ""
    if plain is None:
        raise ValueError("is missing")
    if not spec:
        if not isinstance(plain, str):
            raise ValueError("is a list or dict and cannot be a name")
        return plain
    if isinstance(cell, float) and cell.is_integer() and spec[-1] in "bcdoxX":
        cell = int(cell)  # a column of whole numbers becomes floats as soon as one of them was missing
    try:
        return format(cell, spec)
    except (ValueError, TypeError) as reason:
        raise ValueError(f"does not fit the format {spec!r} ({reason})") from None


def _near(frame: pd.DataFrame, name: str) -> str:
    return f"{did_you_mean(frame, name)} ".lstrip()


def _example(frame: pd.DataFrame) -> str:
    return str(frame.columns[0]) if len(frame.columns) else "index"
