"""What fills each parameter of the design: a column, a constant, a function of the row, a table, or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Constant, Options, Table
from reportflow_pandas.reading.shown import with_values
from reportflow_pandas.rows.grouping import Groups, lines_of
from reportflow_pandas.rows.input_frame import (
    called,
    cells_of,
    columns_there,
    heading_text,
    names_of,
    nearest,
    same_name,
)
from reportflow_pandas.rows.tables import Nested

__all__ = ["SCALARS", "Source", "Sources", "bind", "missing_parameters", "paste"]


@dataclass(eq=False)
class Source:
    """Where the values of one parameter come from.

    Exactly one of ``cells``, ``constant``, ``nested`` and ``blank`` says so. Cells come from a ``column`` or a
    ``function`` of the row; ``kind`` is the parameter's type, or ``""`` where it was not looked up; ``known`` says
    whether the design has the parameter.
    """

    parameter: str
    kind: str = ""
    column: Any = None
    cells: pd.Series[Any] | None = None
    function: Callable[[Any], Any] | None = None
    constant: Constant | None = None
    nested: Nested | None = None
    blank: bool = False
    known: bool = True

    @property
    def title(self) -> str:
        """The column for people; the parameter where there is none."""
        return str(self.column) if self.column is not None else self.parameter


Sources = list[Source]

SCALARS = ("text", "number", "boolean", "date", "image")
"""Types of parameters that no table fits into."""


def bind(
    frame: pd.DataFrame,
    options: Options,
    parameters: Sequence[Parameter] | None,
    *,
    results: dict[str, pd.Series[Any]] | None = None,
    groups: Groups | None = None,
) -> Sources:
    """Return the source of each parameter that gets a value.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        ``params``, ``tables``.
    parameters : sequence of Parameter or None
        The design's parameters; None where nothing was looked up.
    results : dict, optional
        What the functions in ``params`` returned before; those that are called here are added.
    groups : Groups, optional
        With ``group_by``: its flat frame fills the tables whose fields are its columns.

    Raises
    ------
    ConfigurationError
        A column that the frame does not have, a mapping the wrong way round, a parameter filled twice.
    InvalidRows
        A function of the row that raised, with the rows.
    """
    kinds = {parameter.name: parameter for parameter in parameters or ()}
    tables = {**_own_lines(groups, options, kinds), **(options.tables or {})}
    if options.params is not None:
        known = None if parameters is None else kinds
        sources = _given(frame, options.params, known, {} if results is None else results)
    else:
        sources = _by_name(frame, kinds, tables)
    for parameter, table in tables.items():
        if any(source.parameter == parameter and options.params is not None for source in sources):
            raise ConfigurationError(f"parameter {parameter!r} is filled twice: by params= and by tables=")
        own = kinds.get(parameter)
        if own is not None and own.type in SCALARS:
            arrays = [name for name, other in kinds.items() if other.type not in SCALARS]
            raise ConfigurationError(
                f"tables[{parameter!r}]: the design's parameter {parameter!r} is a {own.type}, not a table. "
                + (f"Its tables: {', '.join(map(repr, arrays))}" if arrays else "It has no tables")
            )
        if not isinstance(table, Table):
            raise ConfigurationError(f"tables[{parameter!r}]: columns of the same frame need group_by=")
        sources.append(
            Source(
                parameter,
                kind=own.type if own is not None else "",
                nested=Nested(
                    frame,
                    parameter,
                    table,
                    own.spec if own is not None else None,
                    look_up=options.check is not False,
                ),
                known=parameters is None or own is not None,
            )
        )
    return sources


def _own_lines(groups: Groups | None, options: Options, kinds: Mapping[str, Parameter]) -> dict[str, Table]:
    """Return the tables that a grouped frame fills by its own columns, where none is named."""
    if groups is None or options.params is not None:
        return {}
    found = {}
    for name, parameter in kinds.items():
        if parameter.type not in SCALARS and parameter.spec and called(groups.flat, name) is None:
            pairs = {field.name: called(groups.flat, field.name) for field in parameter.spec}
            columns = {field: column for field, column in pairs.items() if column is not None}
            if columns:
                found[name] = lines_of(groups, columns)
    return found


def missing_parameters(sources: Sources, parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the design's parameters that nothing fills; a None in ``params`` is blank on purpose.

    What has a default prints without a column.
    """
    filled = {source.parameter for source in sources}
    return [parameter for parameter in parameters if parameter.name not in filled and parameter.default is None]


def paste(
    frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter], *, in_a_line: bool = False
) -> str:
    """Return a ``params={…}`` to paste; what is in doubt is left open, and refused if it stays so."""
    used = {source.parameter: source for source in sources}
    taken = {source.column for source in sources}
    free = [name for name in names_of(frame) if name not in taken]
    fillings = [
        (parameter.name, *_filling(parameter.name, used.get(parameter.name), free))
        for parameter in parameters
        if parameter.name not in used or used[parameter.name].nested is None
        if parameter.name in used or (parameter.type in SCALARS and parameter.default is None)
    ]
    if in_a_line:
        return f"params={{{', '.join(f'{name!r}: {code}' for name, code, _ in fillings)}}}"
    lines = [f"    {name!r}: {code}," + (f"  # {note}" if note else "") for name, code, note in fillings]
    return "params={\n" + "\n".join(lines) + "\n}"


def _filling(parameter: str, source: Source | None, free: Sequence[Any]) -> tuple[str, str]:
    """Return what fills a parameter in code, and a note for what is left open."""
    if source is None:
        same = same_name(parameter, free)
        if same is not None:
            return repr(same), ""
        near = nearest(parameter, free)
        return "...", f"{near!r}?" if near is not None else "which column? None: blank on purpose"
    if source.function is not None:
        name = getattr(source.function, "__name__", "")
        return name if name.isidentifier() else "lambda row: ...", ""
    if source.constant is not None:
        return f"rf.Constant({source.constant.value!r})", ""
    return repr(source.column), ""


def _by_name(frame: pd.DataFrame, kinds: Mapping[str, Parameter], tables: Mapping[str, Any]) -> Sources:
    columns = {name: called(frame, name) for name in kinds if name not in tables}
    return [
        Source(
            name,
            kind=kinds[name].type,
            column=column,
            cells=with_values(cells_of(frame, column), kinds[name].type),
        )
        for name, column in columns.items()
        if column is not None
    ]


def _given(
    frame: pd.DataFrame, params: Any, kinds: Mapping[str, Parameter] | None, results: dict[str, pd.Series[Any]]
) -> Sources:
    given = _mapping(params)
    _refuse_reversed(frame, given, kinds or {})
    sources = []
    for parameter, filling in given.items():
        source = Source(
            parameter,
            kind=kinds[parameter].type if kinds and parameter in kinds else "",
            known=kinds is None or parameter in kinds,
        )
        if _is_missing(filling):
            source.blank = True
        elif isinstance(filling, Constant):
            source.constant = filling
        elif (column := called(frame, filling)) is not None:
            source.column = column
            source.cells = with_values(cells_of(frame, column), source.kind)
        elif callable(filling):
            source.function = filling
            if parameter not in results:
                results[parameter] = _results_of(frame, parameter, filling)
            source.cells = results[parameter]
        else:
            raise ConfigurationError(_no_such_column(frame, parameter, filling))
        sources.append(source)
    return sources


def _is_missing(filling: Any) -> bool:
    # a Series of texts turns None into NaN
    return filling is None or filling is pd.NA or (isinstance(filling, float) and math.isnan(filling))


def _mapping(params: Any) -> dict[str, Any]:
    if isinstance(params, Mapping | pd.Series):
        given = dict(params.items())
    elif isinstance(params, list | tuple | pd.Index):
        given = {heading_text(name) or name: name for name in params}
    else:
        raise ConfigurationError(
            f"params: a list of columns, or {{parameter: column}}, not a {type(params).__name__}; e.g. "
            "params={'Customer': 'customer_name'}"
        )
    for parameter in given:
        if not isinstance(parameter, str):
            raise ConfigurationError(
                f"params: the parameter {parameter!r} is no text, and parameters of a design are. Give it the "
                f"design's name: params={{'…': {parameter!r}}}"
            )
    return given


def _refuse_reversed(frame: pd.DataFrame, given: Mapping[str, Any], kinds: Mapping[str, Parameter]) -> None:
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    wrong = [key for key, value in texts.items() if called(frame, value) is None]
    if not wrong or not all(called(frame, key) is not None for key in wrong):
        return
    if kinds and not all(texts[key] in kinds for key in wrong):
        return
    turned = ", ".join(
        f"{filling!r}: {key!r}" if key in wrong else f"{key!r}: {_written(filling)}"
        for key, filling in given.items()
    )
    raise ConfigurationError(
        "params is the wrong way round: it says {parameter: column}, as the design is filled. "
        f"Paste this instead: params={{{turned}}}"
    )


def _written(filling: Any) -> str:
    if isinstance(filling, Constant):
        return f"rf.Constant({filling.value!r})"
    return getattr(filling, "__name__", "lambda row: ...") if callable(filling) else repr(filling)


def _no_such_column(frame: pd.DataFrame, parameter: str, filling: Any) -> str:
    if filling is ...:
        return (
            f"params[{parameter!r}] is still open: put the name of a column in place of ..., or None to leave the "
            "parameter blank on purpose"
        )
    if isinstance(filling, pd.Series | pd.Index | list | tuple | dict):
        return (
            f"params[{parameter!r}]: a column's name, not a {type(filling).__name__}. Make it a column first: "
            f"df.assign(new=…), then params={{{parameter!r}: 'new'}}; one value for all: rf.Constant(…)"
        )
    there = columns_there(frame, filling)
    return (
        f"params: the frame has no column {filling!r} (for parameter {parameter!r}).{there}. "
        f"For a fixed text write {parameter!r}: rf.Constant({filling!r})"
    )


def _results_of(frame: pd.DataFrame, parameter: str, function: Callable[[Any], Any]) -> pd.Series[Any]:
    """Call the function once a row, before anything is sent: an error in row 9,000 costs nothing then."""
    names = names_of(frame)
    columns = [cells_of(frame, name).tolist() for name in names]
    header = pd.Index(names, dtype=object, tupleize_cols=False)
    values = []
    for position, row in enumerate(zip(*columns, strict=True)):
        try:
            values.append(function(pd.Series(row, index=header, dtype=object, name=frame.index[position])))
        except Exception as reason:
            label = frame.index[position]
            raise InvalidRows(
                f"params[{parameter!r}]: the function raised {type(reason).__name__}: {reason} in row {label!r}",
                [label],
            ) from reason
    return pd.Series(values, dtype=object)
