"""File names of documents: from a column, a template, or the design's label and the index."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.contract import FORBIDDEN_IN_FILE_NAMES, LONGEST_FILE_NAME as LONGEST, without_pdf
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.input_frame import (
    called,
    label_texts,
    labels_at,
    rows_phrase,
)
from reportflow_pandas.rows.templates import columns_of, filled, texts_of

__all__ = ["LONGEST", "columns_in", "equal_names", "file_names"]

FORBIDDEN = re.compile(rf"[{FORBIDDEN_IN_FILE_NAMES}\ud800-\udfff]")
"""What the service refuses; and halves of characters, which no file name can hold."""


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
    if (column := called(frame, file_name)) is not None:
        names = texts_of(frame, column, argument="file_name")
    elif isinstance(file_name, str):
        names = filled(frame, file_name, argument="file_name", one_name_each=True)
    else:
        raise ConfigurationError(f"file_name={file_name!r}: a column, or a template such as 'INV-{{InvoiceId}}'")
    return _valid(frame, [without_pdf(name) for name in names], file_name)


def columns_in(frame: pd.DataFrame, file_name: str | None) -> set[Any]:
    """Return the columns that the names are made of."""
    if file_name is None or called(frame, file_name) is not None:
        return {called(frame, file_name)} - {None}
    return columns_of(frame, file_name)


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
    if isinstance(frame.index.dtype, np.dtype) and frame.index.dtype.kind == "i" and frame.index.is_unique:
        return [f"{stem}-{number}" for number in frame.index.tolist()]  # nothing to clean, no two alike
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
