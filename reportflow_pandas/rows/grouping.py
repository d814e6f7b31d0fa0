"""The rows of a call as documents: one row each, or with ``group_by`` the lines that belong together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Options, Table
from reportflow_pandas.reading.locations import placed_as, where
from reportflow_pandas.reading.shown import UnknownValue
from reportflow_pandas.rows.file_names import columns_in
from reportflow_pandas.rows.input_frame import (
    aligned,
    bare,
    called,
    cells_of,
    check_frame,
    columns_there,
    label_shown,
    labels_at,
    named,
    names_of,
    rows_at,
    value_shown,
)
from reportflow_pandas.rows.values import NotJson, json_value, series_of

__all__ = ["Conflict", "DocumentRows", "Groups", "by_document", "lines_of", "source_documents"]

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Conflict:
    """A column that should say one thing for a whole document, and does not.

    Attributes
    ----------
    text : str
        The first group where it differs, the column, both values.
    cure : str
        What can be done about it.
    rows : list
        Labels of the lines that differ from the first one of their group.
    """

    text: str
    cure: str
    rows: list[Any]


class Groups:
    """Which lines of a flat frame make which document.

    Parameters
    ----------
    flat : pandas.DataFrame
        The lines, in any order.
    group_by : str or sequence
        Columns, or named index levels, that name a document.

    Raises
    ------
    ConfigurationError
        No such column.
    InvalidRows
        Lines without a key.
    """

    def __init__(self, flat: pd.DataFrame, group_by: Any) -> None:
        self.flat = flat
        self.columns = [_column(flat, name) for name in _listed(group_by)]
        keys = [cells_of(flat, name) for name in self.columns]
        missing = np.any([key.isna().to_numpy(dtype=bool) for key in keys], axis=0)
        if missing.any():
            places = np.flatnonzero(missing).tolist()
            rows = labels_at(flat.index, places)
            raise InvalidRows(
                f"group_by={group_by!r}: no value in {rows_at(flat, places, self.columns[0])}, so it is not known "
                "which document they belong to; nothing was sent. Where only a group's first line has it: "
                f"df[{self.columns[0]!r}] = df[{self.columns[0]!r}].ffill(); else fill it, or leave such rows out",
                rows,
            )
        for key in keys:
            unknown = (
                [at for at, cell in enumerate(key) if type(cell) is UnknownValue] if key.dtype == object else []
            )
            if unknown:
                raise InvalidRows(
                    f"group_by={group_by!r}: {key.iloc[unknown[0]].why}; nothing was sent",
                    labels_at(flat.index, unknown),
                )
        self.codes = _codes(keys)
        self.first: Positions = np.unique(self.codes, return_index=True)[1]
        self.frame = self._documents(keys)

    def _documents(self, keys: Sequence[pd.Series[Any]]) -> pd.DataFrame:
        """Return the first line of each group, called by the group's key."""
        flat = self.flat
        frame = flat.iloc[self.first]
        for name in names_of(flat):
            if name not in flat.columns and name not in self.columns:
                # a named level counts as a column, and the groups have another index
                frame = frame.copy(deep=False)
                frame[name] = cells_of(flat, name).array[self.first]
        firsts = [pd.Index(key.array[self.first], tupleize_cols=False) for key in keys]
        if len(firsts) == 1:
            index: pd.Index[Any] = firsts[0].rename(self.columns[0])
        else:
            index = pd.MultiIndex.from_arrays(firsts, names=self.columns)
        return placed_as(frame.set_axis(index, axis=0), flat, self.first.tolist())

    def conflict(self, name: Any, what: str) -> Conflict | None:
        """Return how a column differs within a group; None if it says one thing for each document.

        Parameters
        ----------
        name
            Column or index level of the flat frame.
        what : str
            What needs it, for the text.
        """
        cells = cells_of(self.flat, name)
        return self.conflict_in(cells, what, repr(name), self._filling(name, cells), name)

    def conflict_in(
        self, cells: pd.Series[Any], what: str, title: str, cure: str, column: Any = None
    ) -> Conflict | None:
        """Return how values beside the flat frame differ within a group."""
        differ = np.flatnonzero(_differing(cells, self.first[self.codes]))
        if not len(differ):
            return None
        place = int(differ[0])
        group, first = int(self.codes[place]), int(self.first[self.codes[place]])
        index = self.flat.index
        one, other = (where(self.flat, at, column) or f"row {label_shown(index[at])}" for at in (first, place))
        groups = len(np.unique(self.codes[differ]))
        more = f"; so it is in {groups:,} documents" if groups > 1 else ""
        return Conflict(
            f"{what}: {title} has to be the same in all lines of a document, and in that of "
            f"{label_shown(self.frame.index[group])} it is {value_shown(cells.iloc[first])} in "
            f"{one} and {value_shown(cells.iloc[place])} in {other}{more}",
            cure,
            labels_at(index, differ.tolist()),
        )

    def _filling(self, name: Any, cells: pd.Series[Any]) -> str:
        """Return a cure that was tried: blank cells below a group's only value are filled."""
        present = cells.notna().to_numpy(dtype=bool)
        by = self.columns[0] if len(self.columns) == 1 else self.columns
        if len(self.columns) and not present.all() and all(column in self.flat.columns for column in self.columns):
            firsts = np.full(len(self.first), -1, dtype=np.intp)
            places = np.flatnonzero(present)[::-1]
            firsts[self.codes[places]] = places
            filled = firsts[self.codes]
            if not (_differing(cells, filled) & present).any():
                return f"Fill it: df[{name!r}] = df.groupby({by!r}, sort=False)[{name!r}].transform('first')"
        return (
            "Correct the lines; or send it with the lines: tables={…: […, "
            + repr(name)
            + "]}; or, where these are "
            f"several documents: group_by={[*self.columns, name]!r}"
        )

    def constant_columns(self) -> list[Any]:
        """Return the columns that say one thing for each document."""
        spread = self.first[self.codes]
        return [name for name in self.flat.columns if not _differing(self.flat[name], spread).any()]


@dataclass(eq=False)
class DocumentRows:
    """The frame and the options of a call, as documents.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a document, without the caller's ``attrs``.
    options : Options
        Those of the call, with everything that belongs to rows in the order of ``frame``.
    groups : Groups or None
        With ``group_by``: which lines make which document.
    given : pandas.DataFrame
        The caller's own frame.
    called : dict
        What the functions in ``params`` returned, by parameter: each is called once a row.
    """

    frame: pd.DataFrame
    options: Options
    groups: Groups | None
    given: pd.DataFrame
    called: dict[str, pd.Series[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pd.DataFrame, options: Options) -> Self:
        """Return the documents of a call.

        Raises
        ------
        ConfigurationError, InvalidRows
            The frame's columns can't be told apart, a group has no key, or its lines disagree on what belongs to
            the document.
        """
        check_frame(frame)
        flat = bare(frame)
        if options.group_by is None:
            return cls(flat, options, None, frame)
        groups = Groups(flat, options.group_by)
        return cls(groups.frame, _by_group(groups, options), groups, frame)

    def one(self, place: int) -> DocumentRows:
        """Return a single document of these."""
        cut: dict[str, Any] = {
            name: given.iloc[[place]]
            for name, given in (("share", self.options.share), ("passcode", self.options.passcode))
            if isinstance(given, pd.Series)
        }
        return DocumentRows(
            self.frame.iloc[[place]], replace(self.options, again=None, **cut), self.groups, self.given
        )


def by_document(source: pd.DataFrame, group_by: Sequence[Any]) -> pd.DataFrame:
    """Return a flat frame as one row a document, with the columns that say one thing for each.

    Parameters
    ----------
    source : pandas.DataFrame
        The frame that a run was given.
    group_by : sequence
        What it was grouped by; nothing: it is returned as it is.
    """
    if not group_by or not all(called(source, name) is not None for name in group_by):
        return source
    groups = Groups(bare(source), list(group_by))
    kept = groups.constant_columns()
    return groups.frame[[name for name in groups.frame.columns if name in kept or name not in source.columns]]


def source_documents(source: pd.DataFrame, attrs: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame that a run was given as one row a document, by what its results tell of themselves."""
    told = attrs.get("group_by")
    return by_document(source, json.loads(told)) if told else source


def _by_group(groups: Groups, options: Options) -> Options:
    """Return the options with everything that belongs to lines brought to their documents."""
    changed: dict[str, Any] = {}
    for name in ("share", "passcode"):
        given = getattr(options, name)
        if isinstance(given, pd.Series) and not given.index.equals(groups.frame.index):
            given = aligned(groups.flat, given, name)
            _refuse(groups.conflict_in(given, name, "the Series", "Give each document one value"))
            changed[name] = given.iloc[groups.first].set_axis(groups.frame.index)
    for name, columns in _of_documents(groups.flat, options).items():
        for column in columns:
            _refuse(groups.conflict(column, name))
    if options.again is not None:
        changed["again"] = _again(groups, options.again)
    if options.tables:
        changed["tables"] = {
            parameter: table if isinstance(table, Table) else lines_of(groups, table)
            for parameter, table in options.tables.items()
        }
    return dataclasses.replace(options, **changed) if changed else options


def lines_of(groups: Groups, columns: Any) -> Table:
    """Return columns of the flat frame as the lines of its documents."""
    return Table(groups.flat, on=groups.columns, columns=columns)


def _of_documents(flat: pd.DataFrame, options: Options) -> dict[str, list[Any]]:
    """Return the columns, by argument, that say something about a whole document."""
    file_name = columns_in(flat, options.file_name) if isinstance(options.file_name, str) else set()
    found = {
        "key": _listed(options.key) if options.key is not None else [],
        "file_name": [name for name in file_name if named(flat, name)],
        "passthrough": options.passthrough_columns,
        "tables": [
            key for table in (options.tables or {}).values() if isinstance(table, Table) for key in table.left_keys
        ],
    }
    return {
        name: [column for given in columns if (column := called(flat, given)) is not None]
        for name, columns in found.items()
    }


def _again(groups: Groups, again: Any) -> Any:
    """Return which documents are meant: a mask over the lines has to agree within each document."""
    flat, documents = groups.flat, groups.frame
    if isinstance(again, pd.Series) and pd.api.types.is_bool_dtype(again.dtype):
        if not again.index.equals(flat.index) or again.index.equals(documents.index):
            return again
        mask = pd.Series(again.fillna(value=False).to_numpy(dtype=bool), index=flat.index)
    else:
        listed = list(again) if isinstance(again, list | tuple | np.ndarray | pd.Series) else []
        masked = bool(listed) and all(isinstance(value, bool | np.bool_) for value in listed)
        if not masked or len(listed) != len(flat) or len(flat) == len(documents):
            return again
        mask = pd.Series(listed, index=flat.index, dtype=bool)
    _refuse(groups.conflict_in(mask, "again", "the mask", "Name the documents by their keys: again=[…]"))
    return mask.to_numpy(dtype=bool)[groups.first].tolist()


def _refuse(conflict: Conflict | None) -> None:
    if conflict is not None:
        raise InvalidRows(f"{conflict.text}; nothing was sent. {conflict.cure}", conflict.rows)


def _listed(group_by: Any) -> list[Any]:
    return list(group_by) if isinstance(group_by, list | tuple | pd.Index) else [group_by]


def _column(flat: pd.DataFrame, name: Any) -> Any:
    column = called(flat, name)
    if column is None:
        raise ConfigurationError(f"group_by: the frame has no column {name!r}.{columns_there(flat, name)}")
    return column


def _codes(keys: Sequence[pd.Series[Any]]) -> Positions:
    """Return the number of each line's group, in the order of their first appearance."""
    codes = np.zeros(len(keys[0]), dtype=np.intp)
    for key in keys:
        try:
            more = pd.factorize(key)[0].astype(np.intp)
        except TypeError:
            raise ConfigurationError(
                f"group_by={key.name!r}: the column holds lists or dicts, and they name no document"
            ) from None
        codes = pd.factorize(codes * (int(more.max(initial=0)) + 1) + more)[0].astype(np.intp)
    return codes


def _differing(cells: pd.Series[Any], others: Positions) -> npt.NDArray[np.bool_]:
    """Tell of each cell whether it differs from the cell at the position beside it; missing ones are alike."""
    try:
        codes = pd.factorize(cells, use_na_sentinel=False)[0]
    except TypeError:
        codes = pd.factorize(series_of(pd.Index([_canonical(cell) for cell in cells.tolist()], dtype=object)))[0]
    differ: npt.NDArray[np.bool_] = codes != codes[others]
    return differ


def _canonical(cell: Any) -> str:
    try:
        return json.dumps(json_value(cell), sort_keys=True, default=str)
    except (NotJson, TypeError):
        return repr(cell)
