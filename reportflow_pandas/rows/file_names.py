"""File names of documents: from a column, a template, or the design's label and the index."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.contract import FORBIDDEN_IN_FILE_NAMES, LONGEST_FILE_NAME as LONGEST, without_pdf
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.input_frame import (
    called,
    cells_of,
    label_texts,
    labels_at,
    named,
    names_of,
    nearest,
    rows_phrase,
)
from reportflow_pandas.rows.values import NotJson, column_values, json_value, series_of

__all__ = ["LONGEST", "columns_in", "equal_names", "file_names"]

FORBIDDEN = re.compile(rf"[{FORBIDDEN_IN_FILE_NAMES}\ud800-\udfff]")
"""What the service refuses; and halves of characters, which no file name can hold."""

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def file_names(frame: pd.DataFrame, file_name: str | None, label: str) -> list[str]:
    """Return each row's file name, without ``.pdf``.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    file_name : str or None
        A column, a template, or None for ``"{design label}-{index}"``, where equal labels get ``-2``, ``-3``.
    label : str
        The design's label.

    Returns
    -------
    list of str
        As long as the frame.

    Raises
    ------
    InvalidRows
        A name with nothing in it or with characters that the service refuses.
    ConfigurationError
        The template names no column of the frame.

    Examples
    --------
    >>> import pandas as pd
    >>> file_names(pd.DataFrame({"No": [7, 8]}), "INV-{No:04d}", "Invoice")
    ['INV-0007', 'INV-0008']
    """
    if file_name is None:
        return _default(frame, label)
    if named(frame, file_name):
        names = _texts(frame, file_name, "")
    elif isinstance(file_name, str):
        names = _filled(frame, file_name)
    else:
        raise ConfigurationError(f"file_name={file_name!r}: a column, or a template such as 'INV-{{InvoiceId}}'")
    return _valid(frame, [without_pdf(name) for name in names], file_name)


def columns_in(frame: pd.DataFrame, file_name: str | None) -> set[Any]:
    """Return the columns that the names are made of."""
    if file_name is None or named(frame, file_name):
        return {file_name} - {None}
    inside = [found[1] for found in _FIELD.finditer(file_name) if found[1] is not None]
    return {found[0] for found in (_parted(frame, text) for text in inside) if found is not None}


def equal_names(names: list[str]) -> dict[str, list[int]]:
    """Return the names that occur more than once, ignoring case, with their positions."""
    folded = [name.casefold() for name in names]
    if len(set(folded)) == len(folded):
        return {}
    often = {name for name, count in Counter(folded).items() if count > 1}
    found: dict[str, list[int]] = {}
    for position, name in enumerate(folded):
        if name in often:
            found.setdefault(name, []).append(position)
    return {names[positions[0]]: positions for positions in found.values()}


def _default(frame: pd.DataFrame, label: str) -> list[str]:
    stem = FORBIDDEN.sub("_", without_pdf(label))[:100].strip() or "document"
    names = [without_pdf(FORBIDDEN.sub("_", f"{stem}-{text}")[:180]) for text in label_texts(frame.index)]
    used: set[str] = set()
    if len(set(map(str.casefold, names))) == len(names):
        return names
    often: Counter[str] = Counter()
    for position, name in enumerate(names):
        unique = name
        while unique.casefold() in used:
            often[name.casefold()] += 1
            unique = f"{name}-{often[name.casefold()] + 1}"
        used.add(unique.casefold())
        names[position] = unique
    return names


def _filled(frame: pd.DataFrame, template: str) -> list[str]:
    parts: list[Iterable[str] | str] = []
    end = 0
    for found in _FIELD.finditer(template):
        parts.append(template[end : found.start()])
        end = found.end()
        if found[0] in ("{{", "}}"):
            parts.append(found[0][0])
        elif found[1] is None:
            raise ConfigurationError(
                f"file_name={template!r}: a brace without its partner. Braces hold a column's name, e.g. "
                "'INV-{InvoiceId}'; write {{ for a brace itself"
            )
        else:
            parts.append(_field(frame, template, found[1]))
    parts.append(template[end:])
    if all(isinstance(part, str) for part in parts) and len(frame) > 1:
        raise ConfigurationError(
            f"file_name={template!r} is neither a column nor a template, so {len(frame):,} documents would have "
            f"one name. {_near(frame, template)}Put a column into braces, e.g. 'INV-{{{_example(frame)}}}'"
        )
    repeated = [[part] * len(frame) if isinstance(part, str) else part for part in parts if part != ""]
    return ["".join(row) for row in zip(*repeated, strict=True)] if repeated else [""] * len(frame)


def _field(frame: pd.DataFrame, template: str, inside: str) -> list[str]:
    parted = _parted(frame, inside)
    if parted is not None:
        return _texts(frame, *parted)
    shown = ", ".join(str(name) for name in names_of(frame)[:20])
    raise ConfigurationError(
        f"file_name={template!r}: the frame has no column {inside!r}. {_near(frame, inside)}Columns: {shown}"
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


def _texts(frame: pd.DataFrame, name: Any, spec: str) -> list[str]:
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
            texts.append(_text(cell, spec))
        except (ValueError, TypeError) as problem:
            bad.append((position, str(problem)))
            texts.append("")
    if bad:
        wrong = [position for position, _ in bad]
        rows = labels_at(frame.index, wrong if places is None else np.flatnonzero(np.isin(places, wrong)).tolist())
        raise InvalidRows(
            f"file_name: {name!r} {bad[0][1]} in {rows_phrase(rows)}. Fill or clean the column, or choose another",
            rows,
        )
    return texts if places is None else [texts[place] for place in places.tolist()]


def _text(cell: Any, spec: str) -> str:
    try:
        plain = json_value(cell, "text")
    except NotJson as reason:
        raise ValueError(f"cannot be a name ({reason})") from None
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


def _valid(frame: pd.DataFrame, names: list[str], file_name: str) -> list[str]:
    if not FORBIDDEN.search("".join(names)) and all(names) and max(map(len, names), default=0) <= LONGEST:
        blank = [position for position, name in enumerate(names) if name.isspace()]
        if not blank:
            return names
    for problem, test in (
        ("nothing in it", lambda name: not name.strip()),
        ('characters that the service refuses (/ \\ : * ? " < > | or a line break)', FORBIDDEN.search),
        (f"more than {LONGEST} characters", lambda name: len(name) > LONGEST),
    ):
        bad = [position for position, name in enumerate(names) if test(name)]
        if bad:
            rows = labels_at(frame.index, bad)
            raise InvalidRows(
                f"file_name={file_name!r} gives a name with {problem} in {rows_phrase(rows)}, "
                f"e.g. {names[bad[0]]!r}. Clean the column first, e.g. df['name'] = "
                "df['name'].str.replace('/', '-'), or leave file_name out",
                rows,
            )
    return names


def _near(frame: pd.DataFrame, name: str) -> str:
    near = nearest(name, names_of(frame))
    return f"Did you mean {near!r}? " if near is not None else ""


def _example(frame: pd.DataFrame) -> str:
    return str(frame.columns[0]) if len(frame.columns) else "index"
