"""Mistakes found before anything is paid for: the frame held against the design's parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.options import Options
from reportflow_pandas.reading.locations import notes
from reportflow_pandas.reading.shown import with_values
from reportflow_pandas.rows.document_checks import (
    duplicates,
    missing_glyphs,
    total_lines,
    total_rows,
    wrong_totals,
)
from reportflow_pandas.rows.file_names import columns_in, equal_names
from reportflow_pandas.rows.grouping import Groups
from reportflow_pandas.rows.input_frame import (
    called,
    cells_of,
    label_shown,
    labels_at,
    names_of,
    nearest,
    rows_at,
    rows_phrase,
    same_name,
)
from reportflow_pandas.rows.key_matches import NearKeys, split_keys
from reportflow_pandas.rows.mapping import SCALARS, Source, Sources, missing_parameters, paste
from reportflow_pandas.rows.plausibility import odd_values
from reportflow_pandas.rows.problems import COLUMNS, Problem, problems_frame, refuse
from reportflow_pandas.rows.tables import Nested
from reportflow_pandas.rows.value_checks import (
    NEVER_NULL,
    Place,
    constant_problems,
    null_problem,
    refuse_unsayable,
    value_problems,
)

__all__ = ["COLUMNS", "Problem", "compare", "inconstant", "problems_frame", "refuse", "refuse_unsayable"]

NAMES_SHOWN = 20
"""Equal names with a line of their own; a wrong column makes thousands."""


def compare(
    frame: pd.DataFrame,
    options: Options,
    sources: Sources,
    parameters: Sequence[Parameter] | None,
    names: list[str],
    *,
    groups: Groups | None = None,
) -> list[Problem]:
    """Return what is wrong or looks wrong, errors first.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        The shared arguments.
    sources : Sources
        What fills the parameters.
    parameters : sequence of Parameter or None
        The design's parameters; None skips everything that needs them.
    names : list of str
        File names.
    groups : Groups, optional
        With ``group_by``: which lines make which document.
    """
    found = [
        *_empty(frame),
        *_equal(frame, names, options),
        *inconstant(groups, sources),
        *_split(groups),
        *_lonely(frame, sources),
    ]
    if parameters is not None:
        found += [*_missing(frame, sources, parameters, groups), *_unknown(sources, parameters)]
        found += [*_fields(sources, groups), *_records(frame, sources, parameters)]
        found += [*_unused(frame, options, sources, groups), *_values(frame, options, sources)]
        found += [*missing_glyphs(frame, sources, parameters), *_noted(frame, sources)]
        totals = total_rows(frame, sources)
        found += [
            *total_lines(frame, totals),
            *_odd(frame, sources, totals),
            *wrong_totals(frame, sources, parameters),
            *duplicates(frame, sources),
        ]
    return sorted(found, key=lambda problem: problem.level)


def _empty(frame: pd.DataFrame) -> Iterator[Problem]:
    if not len(frame):
        yield Problem("warning", "", "the frame has no rows, so no document is made", "", kind="rest")


def _equal(frame: pd.DataFrame, names: list[str], options: Options) -> Iterator[Problem]:
    column = str(options.file_name) if options.file_name is not None else "file_name"
    equal = equal_names(names)
    for name, positions in list(equal.items())[:NAMES_SHOWN]:
        rows = labels_at(frame.index, positions)
        yield Problem(
            "error",
            column,
            f"{len(rows):,} documents would be named {name!r} (ignoring case): {rows_phrase(rows)}",
            "Put what tells them apart into file_name, e.g. file_name='{index}-…'",
            rows,
        )
    if len(equal) > NAMES_SHOWN:
        more = len(equal) - NAMES_SHOWN
        yield Problem("error", column, f"{more:,} more names occur several times", "", (), more)


def inconstant(groups: Groups | None, sources: Sources) -> Iterator[Problem]:
    """Yield the columns that should say one thing for a whole document, and differ within a group."""
    for source in sources if groups is not None else ():
        if groups is not None and source.column is not None and source.cells is not None:
            conflict = groups.conflict(source.column, f"the parameter {source.parameter!r}")
            if conflict is not None:
                yield Problem("error", source.title, conflict.text, conflict.cure, conflict.rows)


def _split(groups: Groups | None) -> Iterator[Problem]:
    """Yield documents whose keys are one key written in several ways: ``"A1"`` and ``"A1 "``."""
    if groups is None:
        return
    keys = [key if isinstance(key, tuple) else (key,) for key in groups.frame.index.tolist()]
    found = split_keys(keys)
    if found is not None:
        near, positions = found
        labels = labels_at(groups.frame.index, positions)
        column = f"df[{groups.columns[0]!r}]"
        yield Problem(
            "warning",
            str(groups.columns[0]),
            f"group_by: {near.count:,} documents have keys that are the same {near.how}: "
            f"{', '.join(map(label_shown, labels[:2]))}{', …' if len(labels) > 2 else ''}",
            f"If they are one document: {column} = {near.code.format(column)}",
            labels,
        )


def _missing(
    frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter], groups: Groups | None
) -> Iterator[Problem]:
    free = _free(frame, sources)
    missing = missing_parameters(sources, parameters)
    alike = [
        parameter for parameter in missing if parameter.type in SCALARS and nearest(parameter.name, free) is None
    ]
    if len(alike) > 1:  # the same advice for each
        names = ", ".join(repr(parameter.name) for parameter in alike)
        yield Problem(
            "error",
            ", ".join(parameter.name for parameter in alike),
            f"{len(alike)} parameters have no column and would print blank: {names}",
            f"Name their columns, None for blank on purpose: {paste(frame, sources, parameters, in_a_line=True)}",
            kind="unnamed",
            each=[_missing_one(parameter, free, groups) for parameter in alike],
        )
        missing = [parameter for parameter in missing if parameter not in alike]
    for parameter in missing:
        yield _missing_one(parameter, free, groups)


def _missing_one(parameter: Parameter, free: Sequence[Any], groups: Groups | None) -> Problem:
    near = nearest(parameter.name, free)
    if parameter.type not in SCALARS:
        suggestion = f"Nest a frame: tables={{{parameter.name!r}: rf.Table(lines, on='…')}}"
        if groups is not None:
            fields = [field.name for field in parameter.spec] or ["…"]
            suggestion = f"Name the columns that are its fields: tables={{{parameter.name!r}: {fields!r}}}"
    elif near is not None:
        suggestion = f"Did you mean the column {near!r}? params={{…, {parameter.name!r}: {near!r}}}"
    else:
        suggestion = f"Name a column, or leave it blank on purpose: params={{…, {parameter.name!r}: None}}"
    told = f"the parameter {parameter.name!r} has no column and would print blank"
    return Problem("error", parameter.name, told, suggestion)


def _free(frame: pd.DataFrame, sources: Sources) -> list[Any]:
    used = {source.column for source in sources if source.column is not None}
    return [name for name in names_of(frame) if name not in used]


def _unknown(sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    known = [parameter.name for parameter in parameters]
    missing = [parameter.name for parameter in missing_parameters(sources, parameters)]
    for source in sources:
        if not source.known:
            yield Problem(
                "error",
                source.parameter,
                f"the design has no parameter {source.parameter!r}: its values would be printed nowhere",
                _meant(source.parameter, missing, known),
            )


def _meant(name: str, missing: Sequence[str], known: Collection[str]) -> str:
    near = nearest(name, missing)
    near = nearest(name, list(known)) if near is None else near
    if near is not None:
        return f"Did you mean {near!r}?"
    return f"It has {', '.join(map(repr, known))}" if known else "It has none"


def _unused(frame: pd.DataFrame, options: Options, sources: Sources, groups: Groups | None) -> Iterator[Problem]:
    for source in sources:
        if source.nested is not None:
            for column in source.nested.unused_columns():
                yield Problem(
                    "warning",
                    f"{source.parameter}.{column}",
                    f"tables[{source.parameter!r}]: {column!r} is no field of the design and is not sent",
                    "",
                    kind="extra",
                )
    if options.params is not None:
        return
    used = {source.column for source in sources} | {called(frame, name) for name in options.passthrough_columns}
    used |= {key for source in sources if source.nested is not None for key in source.nested.left_keys}
    if groups is not None:
        used |= {*groups.columns}
        used |= {
            column
            for source in sources
            if source.nested is not None and source.nested.lines is groups.flat
            for _, column, _ in source.nested.fields
        }
    used |= columns_in(frame, options.file_name)
    used |= {given.name for given in (options.share, options.passcode) if isinstance(given, pd.Series)}
    extra = [column for column in frame.columns if column not in used]
    each = [
        Problem(
            "warning",
            str(column),
            f"the column {column!r} is no parameter of the design and is not sent",
            "",
            kind="extra",
        )
        for column in extra
    ]
    if len(each) > 1:
        told = f"{len(extra):,} columns are no parameter of the design and are not sent: "
        told += ", ".join(map(repr, extra))
        yield Problem("warning", ", ".join(map(str, extra)), told, "", kind="extra", each=each)
    else:
        yield from each


def _fields(sources: Sources, groups: Groups | None) -> Iterator[Problem]:
    """Yield fields of tables that have no column, and columns that have no field."""
    for source in sources:
        nested = source.nested
        if nested is None or not nested.spec:
            continue
        where = f"tables[{source.parameter!r}]"
        pairs = {field: column for field, column, _ in nested.fields}
        known = [field.name for field in nested.spec]
        missing = [field.name for field in nested.spec if field.name not in pairs and field.default is None]
        free = [name for name in names_of(nested.lines) if name not in {*pairs.values(), *nested.keys}]
        for name in missing:
            near = nearest(name, free)
            hint = f"Did you mean {near!r}? " if near is not None else ""
            yield Problem(
                "error",
                f"{source.parameter}.{name}",
                f"{where}: the field {name!r} has no column and would print blank",
                hint + _columns_of(source, groups, {**pairs, name: same_name(name, free) or "…"}),
            )
        for name, column in pairs.items():
            if name not in known:
                yield Problem(
                    "error",
                    f"{source.parameter}.{name}",
                    f"{where}: the design has no field {name!r}; {column!r} would be printed nowhere",
                    _meant(name, missing, known),
                )


def _columns_of(source: Source, groups: Groups | None, columns: dict[str, Any]) -> str:
    """Return how the columns of a table are named in code."""
    if groups is not None and source.nested is not None and source.nested.lines is groups.flat:
        return f"tables={{{source.parameter!r}: {columns!r}}}"
    return f"rf.Table(…, columns={columns!r})"


def _records(frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    """Yield what the fields of lists of dicts have no place for, or lack in every row."""
    specs = {parameter.name: [field.name for field in parameter.spec] for parameter in parameters}
    for source in sources:
        known = specs.get(source.parameter)
        if source.cells is None or not known:
            continue
        first = _first_with(source.cells)
        missing = [name for name in known if name not in first] if first else []
        for name in missing:
            yield Problem(
                "error",
                f"{source.parameter}.{name}",
                f"no row of {source.title!r} has the field {name!r}: it would print blank",
                f"They have {', '.join(map(repr, first))}",
            )
        for name, position in first.items():
            if name not in known:
                yield Problem(
                    "warning",
                    f"{source.parameter}.{name}",
                    f"{source.title!r} has the field {name!r}, the design has not: it would be printed nowhere",
                    _meant(name, missing, known),
                    [frame.index[position]],
                )


def _first_with(cells: pd.Series[Any]) -> dict[Any, int]:
    """Return the fields of records in cells, each with the position where it comes first."""
    first: dict[Any, int] = {}
    for position, cell in enumerate(cells.tolist()):
        for record in (cell,) if isinstance(cell, Mapping) else cell if isinstance(cell, list | tuple) else ():
            if isinstance(record, Mapping):
                for name in record:
                    first.setdefault(name, position)
    return first


def _lonely(frame: pd.DataFrame, sources: Sources) -> Iterator[Problem]:
    """Yield documents without lines, lines without a document, and documents that share their lines."""
    for source in sources:
        nested = source.nested
        if nested is None:
            continue
        where = f"tables[{source.parameter!r}]"
        near = nested.near_keys()
        alone = nested.documents_without_lines().tolist()
        if alone:
            yield Problem(
                "warning",
                source.parameter,
                f"{where}: no lines for {rows_at(frame, alone, nested.left_keys[0])}",
                _written_alike(nested, near) if near is not None else "Their table is empty",
                labels_at(frame.index, alone),
                kind="lines",
            )
        lost = nested.lines_without_document().tolist()
        if lost:
            lines = f"{len(lost):,} lines belong" if len(lost) > 1 else "one line belongs"
            would = f"; {near.count:,} of them would {near.how}" if near is not None else ""
            yield Problem(
                "warning",
                source.parameter,
                f"{where}: {lines} to no document "
                f"({rows_at(nested.lines, lost, nested.keys[0])} of the table){would}",
                _written_alike(nested, near)
                if near is not None
                else "Not sent; look at the key if they should be",
                labels_at(nested.lines.index, lost),
                # the lines of all orders beside some of the orders: chosen so, when each order has its lines
                kind="rest" if not alone and near is None and 2 * len(lost) > len(nested.lines) else "lines",
            )
        same = nested.documents_with_the_same_lines().tolist()
        if same:
            yield Problem(
                "warning",
                source.parameter,
                f"{where}: {rows_at(frame, same, nested.left_keys[0])} have a key that another row has too, so "
                "each of them is a document with the same lines",
                f"Did a merge multiply the rows? df.drop_duplicates({nested.left_keys!r}) keeps one of each",
                labels_at(frame.index, same),
            )


def _written_alike(nested: Nested, near: NearKeys) -> str:
    """Return how the keys are written alike, in both frames."""
    pairs = [
        f"{frame}[{name!r}] = {near.code.format(f'{frame}[{name!r}]')}"
        for names, frame in ((nested.left_keys, "df"), (nested.keys, "lines"))
        for name in names
    ]
    return f"{near.how[0].upper()}{near.how[1:]} they meet: {'; '.join(pairs)}"


def _values(frame: pd.DataFrame, options: Options, sources: Sources) -> Iterator[Problem]:
    drop = options.drop_missing
    for source in sources:
        if source.cells is not None:
            code = f"df[{source.column!r}]" if source.column is not None else "the function's result"
            place = Place(source.parameter, source.title, code, source.column)
            yield from value_problems(source.cells, source.kind, place, frame, drop_missing=drop)
        elif source.constant is not None:
            yield from constant_problems(source.parameter, source.constant.value, source.kind, drop_missing=drop)
        elif source.blank and source.kind in NEVER_NULL and not drop:
            yield null_problem(source.parameter, source.kind)
        elif source.nested is not None:
            yield from _line_values(source.parameter, source.nested, drop_missing=drop)


def _odd(frame: pd.DataFrame, sources: Sources, totals: npt.NDArray[np.bool_]) -> Iterator[Problem]:
    """Yield what looks odd in columns and in the lines that are sent."""
    for source in sources:
        if source.cells is not None:
            code = f"df[{source.column!r}]" if source.column is not None else "the function's result"
            place = Place(source.parameter, source.title, code, source.column)
            yield from odd_values(source.cells, source.kind, place, frame, aside=totals)
        elif source.nested is not None:
            sent = source.nested.lines.iloc[source.nested.lines_with_document()]
            for field, column, kind in source.nested.fields:
                title = f"{source.parameter}.{field}"
                place = Place(title, title, f"lines[{column!r}]", column)
                yield from odd_values(with_values(cells_of(sent, column), kind), kind, place, sent)


def _noted(frame: pd.DataFrame, sources: Sources) -> Iterator[Problem]:
    """Yield what a reader of the file sees otherwise than a document would print it."""
    for source in sources:
        if source.nested is not None:
            used = [(column, kind) for _, column, kind in source.nested.fields]
            told = notes(source.nested.lines)
        else:
            used, told = [(source.column, source.kind)], notes(frame)
        for note in told:
            if any(column == note.column and (not note.types or kind in note.types) for column, kind in used):
                # a number that can't be told is a text, which the service refuses in a number
                level = "error" if note.kind == "ambiguous" else "warning"
                yield Problem(level, note.column, note.problem, note.suggestion, note.labels, note.count)


def _line_values(parameter: str, nested: Nested, *, drop_missing: bool) -> Iterator[Problem]:
    sent = nested.lines.iloc[nested.lines_with_document()]
    for field, column, kind in nested.fields:
        if called(sent, column) is not None:
            place = Place(f"{parameter}.{field}", f"{parameter}.{field}", f"lines[{column!r}]", column)
            cells = with_values(cells_of(sent, column), kind)
            yield from value_problems(cells, kind, place, sent, drop_missing=drop_missing)
