"""The columns of the run's source that a reviewer needs beside the results."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.texts import plain
from reportflow_pandas.results.results_frame import COLUMNS, known
from reportflow_pandas.rows.grouping import source_documents

__all__ = ["Beside", "beside", "column_of", "distinct", "documents_of"]

_RESULT_COLUMNS = (*COLUMNS, "mail_status", "mail_error", "mailed_at")


class Beside(NamedTuple):
    """Columns of the source, one line for each line of the results: the values numbered, the names apart."""

    frame: pd.DataFrame
    names: list[Any]

    def lines(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Beside:
        """Return some of the lines."""
        return Beside(self.frame.loc[chosen], self.names)


def beside(results: pd.DataFrame, source: pd.DataFrame | pd.Series[Any] | Sequence[str] | None) -> Beside:
    """Return the source's columns, one line for each line of the results, in their order.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame or a part of it.
    source : pandas.DataFrame or list of str, optional
        The frame that the run came from, with all its rows or exactly those of ``results``; some of its
        columns are enough. Or the names of columns that were added to ``results``.

    Returns
    -------
    Beside
        As long as ``results``.

    Raises
    ------
    ConfigurationError
        The rows of the source are not those of the run, or a column is not there.
    """
    if source is None:
        return _numbered(results.iloc[:, :0])
    if isinstance(source, pd.Series):
        source = source.to_frame()
    if not isinstance(source, pd.DataFrame):
        return _numbered(_added(results, source))
    source = source_documents(source, known(results))
    rows = results["row"].to_numpy(dtype="int64")
    total = _run_rows(results)
    if (total is None or len(source) == total) and len(source) > (rows.max() if len(rows) else -1):
        if source.index.take(rows).equals(results.index):
            return _numbered(source.iloc[rows])
        if len(source) != len(results) or not source.index.equals(results.index):
            at = _first_difference(source.index.take(rows), results.index)
            raise ConfigurationError(
                f"source= is not in the order of the run: row {rows[at]} is {source.index[rows[at]]!r} there and "
                f"{results.index[at]!r} in the results. Pass the frame that the run came from, unsorted and "
                "with its "
                "index"
            )
    if len(source) == len(results) and source.index.equals(results.index):
        return _numbered(source)
    raise ConfigurationError(
        f"source= has {len(source):,} rows, the run had {'other ones' if total is None else f'{total:,}'}. "
        "Pass the "
        "frame that the run came from, or the same part of it as the results"
    )


def documents_of(results: pd.DataFrame, source: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the source of a run as one row a document; a run that was not grouped has one already."""
    return source_documents(source, known(results)) if isinstance(source, pd.DataFrame) else source


def column_of(
    results: pd.DataFrame, source: pd.DataFrame | None, column: Hashable, argument: str, refused: str = ""
) -> pd.Series[Any]:
    """Return a column of the source beside the results, else of the results; ``source`` is one of `documents_of`.

    Raises
    ------
    ConfigurationError
        Neither has it: ``argument`` names it so, and ``refused`` says what was not done.
    """
    if source is not None and column in source.columns:
        return beside(results, source[[column]]).frame[0]
    if column in results.columns:
        return results[column]
    where = "the results have" if source is None else "source has"
    way = (
        f". Pass the frame that the run came from: source=df, with its column {column!r}" if source is None else ""
    )
    raise ConfigurationError(f"{argument}={column!r}: {where} no such column{refused}{way}")


def distinct(headings: Sequence[Any], taken: Collection[str], suffix: str = "_source") -> list[str]:
    """Return headings that differ from those taken and from each other, ignoring case and spaces.

    Examples
    --------
    >>> distinct(["Status", "Amount", "amount"], ["status"])
    ['Status_source', 'Amount', 'amount_2']
    """
    used = {plain(name) for name in taken}
    out = []
    for heading in headings:
        text = " / ".join(map(str, heading)) if isinstance(heading, tuple) else str(heading)
        if plain(text) in used:
            name, number = f"{text}{suffix}", 1
            if not any(plain(text) == plain(name_taken) for name_taken in taken):
                name = f"{text}_2"
                number = 2
            base = name.removesuffix("_2") if number == 2 else name
            while plain(name) in used:
                number += 1
                name = f"{base}_{number}"
            text = name
        used.add(plain(text))
        out.append(text)
    return out


def _added(results: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    if isinstance(names, str):
        names = [names]
    missing = [name for name in names if name not in results.columns]
    if missing:
        raise ConfigurationError(
            f"source={list(names)!r}: the results have no column {', '.join(map(repr, missing))}. To show "
            "columns of "
            f"the frame that the run came from, pass them with their values: source=df[{list(names)!r}]"
        )
    return results.loc[:, [name for name in dict.fromkeys(names) if name not in _RESULT_COLUMNS]]


def _numbered(frame: pd.DataFrame) -> Beside:
    names = list(frame.columns)
    frame = frame.set_axis(range(frame.shape[1]), axis=1)
    frame.attrs = {}  # pandas copies them, deeply, for every column and every chunk of it
    return Beside(frame, names)


def _run_rows(results: pd.DataFrame) -> int | None:
    told = str(known(results).get("rows") or "")
    return int(told) if told.isdecimal() else None


def _first_difference(one: pd.Index[Any], other: pd.Index[Any]) -> int:
    differs = [a is not b and a != b for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return int(np.argmax(differs))
