"""Rows of another frame, nested into an array parameter: an invoice's lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.options import Table
from reportflow_pandas.rows.input_frame import (
    bare,
    called,
    cells_of,
    check_frame,
    columns_there,
    heading_text,
    key_kind,
)
from reportflow_pandas.rows.key_matches import NearKeys, alike_advice, near_keys
from reportflow_pandas.rows.values import column_values

__all__ = ["Nested"]


class Nested:
    """The lines of each document, found by their key and made into JSON when the document's turn comes.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows that become documents.
    parameter : str
        The array parameter, for messages.
    table : Table
        The other frame, its key and columns.
    spec : sequence of Parameter or None
        Fields of the array parameter; None where nothing was looked up.
    look_up : bool
        Whether they will be looked up later; if not, the columns have to be named.

    Raises
    ------
    ConfigurationError
        A key or column that is not there, or keys of different sorts (``"17"`` and ``17``).
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        parameter: str,
        table: Table,
        spec: Sequence[Parameter] | None,
        *,
        look_up: bool,
    ) -> None:
        check_frame(table.frame, f"the table for {parameter!r}")
        self.parameter = parameter
        self.lines = bare(table.frame)
        self.left_keys = [self._key(frame, name, "the frame") for name in table.left_keys]
        self.keys = [self._key(self.lines, name, f"the table for {parameter!r}") for name in table.right_keys]
        self.spec = spec
        self._chosen = table.columns is not None
        self.fields = self._fields(table, spec, look_up=look_up)
        left = [cells_of(frame, name) for name in self.left_keys]
        right = [cells_of(self.lines, name) for name in self.keys]
        self._left, self._right = left, right
        self._same_sort(table, left, right)
        self._codes_left, self._codes_right = _codes(left, right)
        self._order = np.argsort(self._codes_right, kind="stable")
        in_order = self._codes_right[self._order]
        self._starts = np.searchsorted(in_order, self._codes_left, "left")
        self._ends = np.searchsorted(in_order, self._codes_left, "right")
        without_key = self._codes_left < 0
        self._ends[without_key] = self._starts[without_key]

    def rows(self, start: int, stop: int) -> list[list[dict[str, Any]]]:
        """Return the lines of the documents from ``start`` up to ``stop``, in the table's order.

        A missing value is None here, for the caller to leave out or to send as null.
        """
        starts, ends = self._starts[start:stop].tolist(), self._ends[start:stop].tolist()
        chosen = [self._order[first:last] for first, last in zip(starts, ends, strict=True)]
        taken = self.lines.iloc[np.concatenate(chosen)] if chosen else self.lines.iloc[:0]
        names = [field for field, _, _ in self.fields]
        columns = [column_values(cells_of(taken, column), kind) for _, column, kind in self.fields]
        records = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        parts, done = [], 0
        for first, last in zip(starts, ends, strict=True):
            parts.append(records[done : done + last - first])
            done += last - first
        return parts

    def documents_without_lines(self) -> npt.NDArray[np.intp]:
        """Return the positions of documents that no line belongs to."""
        return np.flatnonzero(self._starts == self._ends)

    def key_codes(self) -> npt.NDArray[np.intp]:
        """Return a number for each document's key, the same for equal ones."""
        return self._codes_left

    def sums_of(self, amounts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return of each document how many lines it has, and the sum of their amounts."""
        counts = (self._ends - self._starts).astype(np.int64)
        running = np.concatenate([[0.0], np.cumsum(np.nan_to_num(amounts[self._order]))])
        unknown = np.concatenate([[0], np.cumsum(np.isnan(amounts[self._order]))])
        sums = running[self._ends] - running[self._starts]
        sums[unknown[self._ends] > unknown[self._starts]] = np.nan
        return counts, sums

    def near_keys(self) -> NearKeys | None:
        """Return what would make lines without a document meet one."""
        lost = self.lines_without_document()
        if not len(lost):
            return None
        documents = zip(*(key.tolist() for key in self._left), strict=True)
        return near_keys(
            list(documents), list(zip(*(key.iloc[lost].tolist() for key in self._right), strict=True))
        )

    def documents_with_the_same_lines(self) -> npt.NDArray[np.intp]:
        """Return the positions of documents whose key another one has too, and with it the same lines."""
        found = self._starts < self._ends
        return np.flatnonzero(pd.Series(self._codes_left).duplicated(keep=False).to_numpy() & found)

    def lines_without_document(self) -> npt.NDArray[np.intp]:
        """Return the positions of lines that belong to no document."""
        return np.flatnonzero(~self._sent())

    def lines_with_document(self) -> npt.NDArray[np.intp]:
        """Return the positions of lines that are sent."""
        return np.flatnonzero(self._sent())

    def _sent(self) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = np.isin(self._codes_right, self._codes_left) & (self._codes_right >= 0)
        return found

    def unused_columns(self) -> list[Any]:
        """Return columns that are neither sent nor key; none where the columns were named by hand."""
        if self._chosen:
            return []
        used = {column for _, column, _ in self.fields}
        return [name for name in self.lines.columns if name not in used and name not in self.keys]

    def _fields(
        self, table: Table, spec: Sequence[Parameter] | None, *, look_up: bool
    ) -> list[tuple[str, Any, str]]:
        kinds = {field.name: field.type for field in spec or ()}
        given: Mapping[str, Any]
        if isinstance(table.columns, Mapping):
            given = table.columns
        elif isinstance(table.columns, str):
            given = {table.columns: table.columns}
        elif table.columns is not None:
            given = {heading_text(name) or str(name): name for name in table.columns}
        elif spec is None and look_up:
            given = {}
        elif not kinds:
            raise ConfigurationError(
                f"tables[{self.parameter!r}]: which columns should be sent? Name them: "
                f"rf.Table(…, columns={[str(name) for name in self.lines.columns if name not in self.keys]!r})"
            )
        else:
            given = {name: name for name in kinds if called(self.lines, name) is not None}
        columns = {field: called(self.lines, column) for field, column in given.items()}
        for field, column in given.items():
            if columns[field] is None:
                raise ConfigurationError(
                    f"tables[{self.parameter!r}]: the table has no column {column!r} (for {field!r})."
                    f"{columns_there(self.lines, column)}"
                )
        return [(field, column, kinds.get(field, "")) for field, column in columns.items()]

    def _key(self, frame: pd.DataFrame, name: Any, where: str) -> Any:
        column = called(frame, name)
        if column is None:
            raise ConfigurationError(
                f"tables[{self.parameter!r}]: {where} has no column {name!r} to tie the rows by."
                f"{columns_there(frame, name)}. When the names differ in the two: "
                "rf.Table(lines, left_on=the frame's column, right_on=the table's)"
            )
        return column

    def _same_sort(self, table: Table, left: Sequence[pd.Series[Any]], right: Sequence[pd.Series[Any]]) -> None:
        for name, other, ours, theirs in zip(table.left_keys, table.right_keys, left, right, strict=True):
            kind, other_kind = key_kind(ours), key_kind(theirs)
            if kind and other_kind and kind != other_kind:
                raise ConfigurationError(
                    f"tables[{self.parameter!r}]: {name!r} holds {kind} ({ours.dtype}) in the frame and {other!r} "
                    f"holds {other_kind} ({theirs.dtype}) in the table, so {_sample(ours)} would never find "
                    f"{_sample(theirs)}. {alike_advice(ours, theirs, (name, other), key_kind)}; or read both "
                    "files with that column as text"
                )


def _sample(cells: pd.Series[Any]) -> str:
    first = cells.dropna().iloc[0]
    return repr(first.item() if isinstance(first, np.generic) else first)


def _codes(
    left: Sequence[pd.Series[Any]], right: Sequence[pd.Series[Any]]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return one whole number a key, the same for equal keys on both sides, -1 for a missing one."""
    rows = len(left[0])
    columns = []
    for ours, theirs in zip(left, right, strict=True):
        sides = [ours, theirs]
        if ours.dtype != theirs.dtype or isinstance(ours.dtype, pd.CategoricalDtype):
            # each by its own value: a common dtype would round whole numbers beside a missing one
            sides = [side.astype(object) for side in sides]
        both = pd.concat(sides, ignore_index=True)
        columns.append(pd.factorize(both)[0])
    codes = columns[0].astype(np.intp)
    for more in columns[1:]:
        missing = (codes < 0) | (more < 0)
        codes = pd.factorize(codes * (int(more.max(initial=0)) + 2) + more)[0].astype(np.intp)
        codes[missing] = -1
    return codes[:rows], codes[rows:]
