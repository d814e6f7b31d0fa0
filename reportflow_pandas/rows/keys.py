"""By what a document is known in its run, and which rows are meant by ``again=``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.columns import cells_of, labels_at, named, rows_phrase
from reportflow_pandas.rows.values import NotJson, json_value

__all__ = ["Keys", "positions_of"]


class Keys:
    """The user's own key of each row: an invoice number stays the same document when its content changes.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    key : str or list of str
        Column(s).

    Raises
    ------
    ConfigurationError
        No such column.
    InvalidRows
        A missing key, or one that two rows have.
    """

    def __init__(self, frame: pd.DataFrame, key: Any) -> None:
        names = list(key) if isinstance(key, list | tuple) else [key]
        for name in names:
            if not named(frame, name):
                raise ConfigurationError(
                    f"key: the frame has no column {name!r}. Columns: {', '.join(map(repr, frame.columns[:20]))}"
                )
        columns = [cells_of(frame, name) for name in names]
        missing = np.any([column.isna().to_numpy() for column in columns], axis=0)
        if missing.any():
            rows = labels_at(frame.index, np.flatnonzero(missing).tolist())
            raise InvalidRows(f"key={key!r} is missing in {rows_phrase(rows)}: it identifies a document", rows)
        try:
            # as texts: a column of numbers becomes one of texts as soon as one id is none, and 17 stays 17
            values = [[json_value(cell, "text") for cell in column.tolist()] for column in columns]
        except NotJson as reason:
            raise ConfigurationError(f"key={key!r}: {reason}") from None
        self._keys = [orjson.dumps(row).decode() for row in zip(*values, strict=True)]
        if len(set(self._keys)) < len(self._keys):
            twice = pd.Series(self._keys).duplicated(keep=False).to_numpy()
            rows = labels_at(frame.index, np.flatnonzero(twice).tolist())
            raise InvalidRows(
                f"key={key!r} is the same in {rows_phrase(rows)}: a key names one document. Add a column that "
                "tells them apart, e.g. key=['InvoiceId', 'Page'], or leave key= out",
                rows,
            )

    def between(self, start: int, stop: int, told: Callable[[str], bytes]) -> list[bytes]:
        """Return the keys from ``start`` up to ``stop``."""
        return [told("key " + key) for key in self._keys[start:stop]]


def positions_of(frame: pd.DataFrame, rows: Any, *, verb: str = "again") -> frozenset[int]:
    """Return the positions that rows mean: a boolean mask, or index labels.

    Parameters
    ----------
    frame : pandas.DataFrame
        Whose rows they are.
    rows : mask or index labels
        As the user gave them.
    verb : str
        What takes them, for its refusals: ``again=``, or ``settle``.

    Raises
    ------
    ConfigurationError
        A mask of another length or index, or labels that the frame does not have.
    """
    if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
        if not rows.index.equals(frame.index):
            if not rows.index.is_unique or not rows.index.isin(frame.index).all():
                example = ", e.g. again=review.decision == 'redo'" if verb == "again" else ""
                raise ConfigurationError(
                    f"{verb}: the mask has another index than the frame. Derive it from a frame with the same "
                    f"index{example}"
                )
            rows = rows.reindex(frame.index, fill_value=False)
        return frozenset(np.flatnonzero(rows.fillna(value=False).to_numpy(dtype=bool)).tolist())
    if not isinstance(rows, np.ndarray | list | tuple | set | frozenset | pd.Index | pd.Series):
        rows = [rows]
    listed = list(rows)
    if listed and all(isinstance(value, bool | np.bool_) for value in listed):
        if len(listed) != len(frame):
            raise ConfigurationError(f"{verb}: a mask of {len(listed)} values for a frame of {len(frame)} rows")
        return frozenset(position for position, value in enumerate(listed) if value)
    chosen = frame.index.isin(listed)
    absent = [label for label in listed if label not in frame.index]
    if absent:
        raise ConfigurationError(f"{verb}: the frame's index has no {', '.join(map(repr, absent[:5]))}")
    return frozenset(np.flatnonzero(chosen).tolist())
