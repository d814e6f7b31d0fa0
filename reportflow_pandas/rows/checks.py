"""Mistakes found before anything is paid for: the frame held against the design's parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.options import Options
from reportflow_pandas.rows.columns import labels_at, names_of, rows_phrase
from reportflow_pandas.rows.names import equal_names
from reportflow_pandas.rows.sources import Source, Sources, missing_parameters, nearest, paste
from reportflow_pandas.rows.values import NotJson, column_values, json_value

__all__ = ["COLUMNS", "Problem", "compare", "problems_frame", "refuse", "refuse_unsayable"]

COLUMNS = ["level", "column", "row", "count", "problem", "suggestion"]


@dataclass(frozen=True)
class Problem:
    """One line of what ``check`` returns."""

    level: str
    column: str
    problem: str
    suggestion: str
    rows: Sequence[Any] = ()
    count: int = 0


def problems_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    """Return problems as a frame of the columns `COLUMNS`; ``row`` is the first label concerned."""
    return pd.DataFrame(
        {
            "level": [problem.level for problem in problems],
            "column": [problem.column for problem in problems],
            "row": pd.Series(
                [problem.rows[0] if len(problem.rows) else None for problem in problems], dtype=object
            ),
            "count": pd.Series([problem.count or len(problem.rows) for problem in problems], dtype="int64"),
            "problem": [problem.problem for problem in problems],
            "suggestion": [problem.suggestion for problem in problems],
        },
        columns=COLUMNS,
    )


def refuse(
    problems: Sequence[Problem], frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]
) -> None:
    """Raise for the problems of level ``error``, with all of them in the text and a mapping to paste.

    Raises
    ------
    InvalidRows
        ``.problems`` is the frame of all problems, ``.rows`` the labels of the rows concerned.
    """
    errors = [problem for problem in problems if problem.level == "error"]
    if not errors:
        return
    lines = [f"  - {problem.problem}. {problem.suggestion}".rstrip() for problem in errors[:12]]
    if len(errors) > 12:
        lines.append(f"  - and {len(errors) - 12} more: df.reportflow.check(...) lists them")
    rows = list(dict.fromkeys(row for problem in errors for row in problem.rows))
    text = (
        f"the documents would print blank or be refused; nothing was sent ({len(errors)} "
        f"{'problem' if len(errors) == 1 else 'problems'}):\n" + "\n".join(lines)
    )
    if any("params" in problem.suggestion for problem in errors):
        text += f"\nTo correct and paste:\n{paste(frame, sources, parameters)}"
    text += "\ncheck='warn' goes on all the same."
    raise InvalidRows(text, rows, problems_frame(problems))


def compare(
    frame: pd.DataFrame,
    options: Options,
    sources: Sources,
    parameters: Sequence[Parameter] | None,
    names: list[str],
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
    """
    found = [*_names(frame, names, options), *_nested(frame, sources)]
    if parameters is not None:
        found += [*_missing(frame, sources, parameters), *_unknown(sources, parameters)]
        found += [*_unused(frame, options, sources), *_values(frame, options, sources)]
    return sorted(found, key=lambda problem: problem.level)


def refuse_unsayable(frame: pd.DataFrame, sources: Sources) -> None:
    """Raise for values that JSON cannot hold; dtypes that can't hold such values cost nothing.

    Raises
    ------
    InvalidRows
        Names each column and its rows.
    """
    texts, rows = [], []
    for source in sources:
        if source.cells is not None:
            bad = _unsayable(source.cells, source.kind)
            if bad:
                labels = labels_at(frame.index, [position for position, _ in bad])
                rows += labels
                texts.append(f"column {source.column!r}, {rows_phrase(labels)}: {bad[0][1]}")
        elif source.constant is not None:
            try:
                json_value(source.constant.value, source.kind)
            except NotJson as reason:
                texts.append(f"params[{source.parameter!r}]: {reason}")
        elif source.nested is not None:
            lines = source.nested.lines
            for _, column, kind in source.nested.fields:
                bad = _unsayable(lines[column] if column in lines.columns else pd.Series(dtype=object), kind)
                if bad:
                    labels = labels_at(lines.index, [position for position, _ in bad])
                    texts.append(
                        f"tables[{source.parameter!r}], column {column!r}, {rows_phrase(labels)}: {bad[0][1]}"
                    )
    if texts:
        raise InvalidRows("some values cannot be sent; nothing was sent:\n  - " + "\n  - ".join(texts), rows)


def _unsayable(cells: pd.Series[Any], kind: str) -> list[tuple[int, str]]:
    dtype = cells.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuM":
        return []
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        if not np.isinf(cells.to_numpy()).any():
            return []
    elif not isinstance(dtype, np.dtype | pd.CategoricalDtype) and (
        pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)
    ):
        return []
    try:
        column_values(cells, kind)
    except NotJson:
        pass
    else:
        return []
    bad = []
    for position, cell in enumerate(cells.tolist()):
        try:
            json_value(cell, kind)
        except NotJson as reason:
            bad.append((position, str(reason)))
    return bad


def _names(frame: pd.DataFrame, names: list[str], options: Options) -> Iterator[Problem]:
    column = options.file_name or "file_name"
    equal = equal_names(names)
    for name, positions in list(equal.items())[:20]:
        yield Problem(
            "error",
            column,
            f"{len(positions)} documents would be named {name!r} (ignoring case): "
            f"{rows_phrase(labels_at(frame.index, positions))}",
            "Put what tells them apart into file_name, e.g. file_name='{index}-…'",
            labels_at(frame.index, positions),
        )
    if len(equal) > 20:
        yield Problem(
            "error", column, f"{len(equal) - 20:,} more names occur several times", "", (), len(equal) - 20
        )


def _missing(frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    used = {source.column for source in sources if source.column is not None}
    free = [name for name in names_of(frame) if name not in used]
    for parameter in missing_parameters(sources, parameters):
        near = nearest(parameter.name, free)
        if parameter.type in ("array", "collection"):
            suggestion = f"Nest a frame: tables={{{parameter.name!r}: rf.Table(lines, on='…')}}"
        elif near is not None:
            suggestion = f"Did you mean the column {near!r}? params={{…, {parameter.name!r}: {near!r}}}"
        else:
            suggestion = f"Name a column, or leave it blank on purpose: params={{…, {parameter.name!r}: None}}"
        yield Problem(
            "error",
            parameter.name,
            f"the parameter {parameter.name!r} has no column and would print blank",
            suggestion,
        )


def _unknown(sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    names = [parameter.name for parameter in parameters]
    for source in sources:
        if not source.known:
            near = nearest(source.parameter, names)
            yield Problem(
                "error",
                source.parameter,
                f"the design has no parameter {source.parameter!r}: its values would be printed nowhere",
                f"Did you mean {near!r}?" if near is not None else f"It has {', '.join(map(repr, names))}",
            )


def _unused(frame: pd.DataFrame, options: Options, sources: Sources) -> Iterator[Problem]:
    if options.params is not None:
        return
    used = {source.column for source in sources} | set(options.passthrough_columns)
    used |= {key for source in sources if source.nested is not None for key in source.nested.left_keys}
    template = options.file_name or ""
    for column in frame.columns:
        if column not in used and column != template and f"{{{column}" not in template:
            yield Problem(
                "warning", str(column), f"the column {column!r} is no parameter of the design and is not sent", ""
            )


def _nested(frame: pd.DataFrame, sources: Sources) -> Iterator[Problem]:
    for source in sources:
        nested = source.nested
        if nested is None:
            continue
        where = f"tables[{source.parameter!r}]"
        if nested.spec is not None:
            filled = {field for field, _, _ in nested.fields}
            columns = [name for name in nested.lines.columns if name not in nested.keys]
            free = [name for name in columns if name not in {column for _, column, _ in nested.fields}]
            for field in nested.spec:
                if field.name not in filled:
                    near = nearest(field.name, free)
                    pairs = {**{name: column for name, column, _ in nested.fields}, field.name: near or "…"}
                    yield Problem(
                        "error",
                        f"{source.parameter}.{field.name}",
                        f"{where}: the field {field.name!r} has no column and would print blank",
                        f"{f'Did you mean {near!r}? ' if near is not None else ''}rf.Table(…, columns={pairs!r})",
                    )
            known = {field.name for field in nested.spec}
            for field_name, column, _ in nested.fields:
                if known and field_name not in known:
                    yield Problem(
                        "error",
                        f"{source.parameter}.{field_name}",
                        f"{where}: the design has no field {field_name!r}; {column!r} would be printed nowhere",
                        f"It has {', '.join(map(repr, known))}",
                    )
        lonely = nested.documents_without_lines()
        if len(lonely):
            rows = labels_at(frame.index, lonely.tolist())
            yield Problem(
                "warning",
                source.parameter,
                f"{where}: no lines for {rows_phrase(rows)}",
                "Their table is empty",
                rows,
            )
        lost = nested.lines_without_document()
        if len(lost):
            rows = labels_at(nested.lines.index, lost.tolist())
            yield Problem(
                "warning",
                source.parameter,
                f"{where}: {len(lost):,} lines belong to no document ({rows_phrase(rows)} of the table)",
                "They are not sent",
                rows,
            )


def _values(frame: pd.DataFrame, options: Options, sources: Sources) -> Iterator[Problem]:
    for source in sources:
        if source.cells is not None:
            name = str(source.column)
            yield from _cells(source.cells, source.kind, source.parameter, name, frame.index, options)
        elif source.constant is not None:
            cells = pd.Series([source.constant.value], dtype=object)
            yield from _cells(cells, source.kind, source.parameter, source.parameter, None, options)
        elif source.blank and source.kind in ("number", "boolean") and not options.drop_missing:
            yield _null(source, [], 0)
        elif source.nested is not None:
            nested = source.nested
            sent = nested.lines.iloc[nested.lines_with_document()]
            for field, column, kind in nested.fields:
                if column in sent.columns:
                    where = f"{source.parameter}.{field}"
                    yield from _cells(sent[column], kind, where, f"{where}", sent.index, options, nested=True)


def _null(source: Source, rows: Sequence[Any], count: int) -> Problem:
    return Problem(
        "error",
        source.parameter,
        f"{source.parameter!r} is a {source.kind} and would be null, which the service refuses with 400",
        "drop_missing=True leaves missing values out",
        rows,
        count,
    )


def _cells(
    cells: pd.Series[Any],
    kind: str,
    parameter: str,
    column: str,
    index: pd.Index[Any] | None,
    options: Options,
    *,
    nested: bool = False,
) -> Iterator[Problem]:
    def labels(mask: Any) -> list[Any]:
        positions = np.flatnonzero(np.asarray(mask, dtype=bool)).tolist()
        return labels_at(index, positions) if index is not None else []

    if kind in ("number", "boolean") and (nested or not options.drop_missing):
        rows = labels(cells.isna())
        if rows or (index is None and cells.isna().any()):
            yield Problem(
                "error",
                column,
                f"{parameter!r} is a {kind}, and {column!r} is missing in {rows_phrase(rows)}: the service refuses "
                "null there with 400",
                "Fill it, e.g. lines.fillna({…})"
                if nested
                else "Fill it (fillna), or drop_missing=True leaves it out",
                rows,
            )
    wrong = _WRONG.get(kind)
    if wrong is None:
        return
    level, mask, what, suggestion = wrong(cells)
    rows = labels(mask)
    if rows or (index is None and np.asarray(mask, dtype=bool).any()):
        yield Problem(
            level,
            column,
            f"{parameter!r} is {_A[kind]}, and {column!r} holds {what} in {rows_phrase(rows) if rows else 'it'}",
            suggestion,
            rows,
        )


_A = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "text": "a text",
    "array": "a table",
    "collection": "a table",
    "image": "an image",
}

_Verdict = tuple[str, Any, str, str]
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?$")


def _none(cells: pd.Series[Any]) -> Any:
    return np.zeros(len(cells), dtype=bool)


def _each(cells: pd.Series[Any], test: Callable[[Any], bool]) -> Any:
    """Apply a test to the present cells."""
    present = cells.notna().to_numpy()
    return np.fromiter(
        (bool(here) and test(cell) for here, cell in zip(present, cells.tolist(), strict=True)), bool, len(cells)
    )


def _is_numeric_text(cell: Any) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _wrong_number(cells: pd.Series[Any]) -> _Verdict:
    dtype = cells.dtype
    suggestion = "Make it a number: pd.to_numeric(df[column])"
    if pd.api.types.is_bool_dtype(dtype) and not pd.api.types.is_object_dtype(dtype):
        return "error", cells.notna(), "true or false", suggestion
    if pd.api.types.is_numeric_dtype(dtype):
        return "error", _none(cells), "", ""
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "error", cells.notna(), "dates", suggestion
    bad = _each(cells, lambda cell: isinstance(cell, str) and not _is_numeric_text(cell))
    bad |= _each(cells, lambda cell: isinstance(cell, bool | list | dict | tuple | np.bool_ | pd.Timestamp))
    if bad.any():
        return "error", bad, "something else", suggestion
    return "warning", _each(cells, lambda cell: isinstance(cell, str)), "numbers as text", suggestion


def _wrong_boolean(cells: pd.Series[Any]) -> _Verdict:
    suggestion = "Make it boolean: df[column].astype(bool), or df[column] == 'yes'"
    if pd.api.types.is_bool_dtype(cells.dtype) and not pd.api.types.is_object_dtype(cells.dtype):
        return "error", _none(cells), "", ""
    return "error", _each(cells, lambda cell: not isinstance(cell, bool | np.bool_)), "something else", suggestion


def _wrong_date(cells: pd.Series[Any]) -> _Verdict:
    suggestion = "Make it a date: pd.to_datetime(df[column])"
    dtype = cells.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "error", _none(cells), "", ""
    if pd.api.types.is_numeric_dtype(dtype):
        return "error", cells.notna(), "numbers", suggestion
    bad = _each(cells, lambda cell: isinstance(cell, bool | int | float | list | dict | np.number))
    if bad.any():
        return "error", bad, "something else", suggestion
    odd = _each(cells, lambda cell: isinstance(cell, str) and cell != "" and not _DATE.match(cell))
    return "warning", odd, "texts that do not look like 2026-11-23", suggestion


def _wrong_text(cells: pd.Series[Any]) -> _Verdict:
    if not pd.api.types.is_object_dtype(cells.dtype):
        return "error", _none(cells), "", ""
    bad = np.fromiter(
        (isinstance(cell, list | dict | tuple | np.ndarray) for cell in cells.tolist()), bool, len(cells)
    )
    return "error", bad, "lists or dicts", "Join them to one text: df[column].str.join(', ')"


def _wrong_array(cells: pd.Series[Any]) -> _Verdict:
    bad = np.fromiter(
        (
            not (
                isinstance(cell, list | tuple | np.ndarray | dict) or cell is None or cell is pd.NA or cell != cell
            )
            for cell in cells.tolist()
        ),
        bool,
        len(cells),
    )
    return (
        "error",
        bad,
        "no lists",
        "Each cell is a list of dicts; or nest a frame: tables={…: rf.Table(lines, on='…')}",
    )


def _wrong_image(cells: pd.Series[Any]) -> _Verdict:
    bad = _each(cells, lambda cell: not isinstance(cell, str | bytes | bytearray))
    return "error", bad, "no image", "Give bytes, or Base64 text"


_WRONG: dict[str, Callable[[pd.Series[Any]], _Verdict]] = {
    "number": _wrong_number,
    "boolean": _wrong_boolean,
    "date": _wrong_date,
    "text": _wrong_text,
    "array": _wrong_array,
    "collection": _wrong_array,
    "image": _wrong_image,
}
