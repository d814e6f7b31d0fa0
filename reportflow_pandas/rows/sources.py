"""What fills each parameter of the design: a column, a constant, a function of the row, a table, or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Constant, Options
from reportflow_pandas.rows.columns import cells_of, named, names_of
from reportflow_pandas.rows.tables import Nested

__all__ = ["Source", "Sources", "bind", "missing_parameters", "paste"]


@dataclass(eq=False)
class Source:
    """Where the values of one parameter come from.

    Exactly one of ``cells``, ``constant``, ``nested`` and ``blank`` says so; ``kind`` is the parameter's type, or
    ``""`` where nobody looked it up.
    """

    parameter: str
    kind: str = ""
    column: Any = None
    cells: pd.Series[Any] | None = None
    constant: Constant | None = None
    nested: Nested | None = None
    blank: bool = False
    known: bool = True


Sources = list[Source]


def bind(frame: pd.DataFrame, options: Options, parameters: Sequence[Parameter] | None) -> Sources:
    """Return the source of each parameter that gets a value.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        ``params``, ``tables``.
    parameters : sequence of Parameter or None
        The design's parameters; None where nothing was looked up.

    Raises
    ------
    ConfigurationError
        A column that the frame does not have, a mapping the wrong way round, a parameter filled twice.
    InvalidRows
        A function of the row that raised, with the rows.
    """
    kinds = {parameter.name: parameter for parameter in parameters or ()}
    tables = dict(options.tables or {})
    sources = _given(frame, options, kinds) if options.params is not None else _by_name(frame, kinds, tables)
    for parameter, table in tables.items():
        if any(source.parameter == parameter and options.params is not None for source in sources):
            raise ConfigurationError(f"parameter {parameter!r} is filled twice: by params= and by tables=")
        spec = kinds[parameter].spec if parameter in kinds else None
        sources.append(
            Source(
                parameter,
                kind=kinds[parameter].type if parameter in kinds else "",
                nested=Nested(frame, parameter, table, spec, look_up=options.check is not False),
                known=not kinds or parameter in kinds,
            )
        )
    return sources


def missing_parameters(sources: Sources, parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the design's parameters that nothing fills; a None in ``params`` is blank on purpose."""
    filled = {source.parameter for source in sources}
    return [parameter for parameter in parameters if parameter.name not in filled]


def paste(frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]) -> str:
    """Return a ``params={…}`` that a person can paste and correct."""
    used = {source.parameter: source for source in sources}
    lines = []
    for parameter in parameters:
        source = used.get(parameter.name)
        if source is not None and source.nested is not None:
            continue
        if source is not None and source.cells is not None:
            filling = repr(source.column)
        elif source is not None and source.constant is not None:
            filling = f"rf.Constant({source.constant.value!r})"
        else:
            near = nearest(parameter.name, names_of(frame))
            filling = f"{near!r}" if near is not None else "None"
        lines.append(f"    {parameter.name!r}: {filling},")
    return "params={\n" + "\n".join(lines) + "\n}"


def nearest(name: str, candidates: Sequence[Any]) -> Any | None:
    """Return the candidate that was probably meant: ignoring case and punctuation, else by likeness."""
    plain = {_plain(str(candidate)): candidate for candidate in reversed(candidates)}
    if _plain(name) in plain:
        return plain[_plain(name)]
    near = difflib.get_close_matches(_plain(name), list(plain), 1, cutoff=0.75)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _by_name(frame: pd.DataFrame, kinds: Mapping[str, Parameter], tables: Mapping[str, Any]) -> Sources:
    return [
        Source(name, kind=parameter.type, column=name, cells=cells_of(frame, name))
        for name, parameter in kinds.items()
        if named(frame, name) and name not in tables
    ]


def _given(frame: pd.DataFrame, options: Options, kinds: Mapping[str, Parameter]) -> Sources:
    given = _mapping(options.params)
    _refuse_reversed(frame, given, kinds)
    sources = []
    for parameter, filling in given.items():
        source = Source(
            parameter,
            kind=kinds[parameter].type if parameter in kinds else "",
            known=not kinds or parameter in kinds,
        )
        if filling is None:
            source.blank = True
        elif isinstance(filling, Constant):
            source.constant = filling
        elif callable(filling) and not named(frame, filling):
            source.column = getattr(filling, "__name__", "a function")
            source.cells = _called(frame, parameter, filling)
        elif named(frame, filling):
            source.column = filling
            source.cells = cells_of(frame, filling)
        else:
            raise ConfigurationError(_no_such_column(frame, parameter, filling))
        sources.append(source)
    return sources


def _mapping(params: Any) -> dict[str, Any]:
    if isinstance(params, Mapping | pd.Series):
        given = dict(params.items())
    elif isinstance(params, list | tuple | pd.Index):
        given = {name: name for name in params}
    else:
        raise ConfigurationError(
            f"params={params!r}: a list of columns, or {{parameter: column}}, e.g. "
            "params={'Customer': 'customer_name'}"
        )
    for parameter in given:
        if not isinstance(parameter, str):
            raise ConfigurationError(
                f"params: the parameter {parameter!r} is no text. Parameters of a design have names; give "
                f"{{'name': {parameter!r}}}"
            )
    return given


def _refuse_reversed(frame: pd.DataFrame, given: Mapping[str, Any], kinds: Mapping[str, Parameter]) -> None:
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    wrong = [key for key, value in texts.items() if not named(frame, value)]
    if not wrong or not all(named(frame, key) for key in wrong):
        return
    if kinds and not all(texts[key] in kinds for key in wrong):
        return
    turned = ", ".join(f"{value!r}: {key!r}" for key, value in texts.items())
    raise ConfigurationError(
        "params is the wrong way round: it says {parameter: column}, as the design is filled. "
        f"Paste this instead: params={{{turned}}}"
    )


def _no_such_column(frame: pd.DataFrame, parameter: str, filling: Any) -> str:
    near = nearest(str(filling), names_of(frame))
    hint = f" Did you mean {near!r}?" if near is not None else ""
    shown = ", ".join(map(repr, names_of(frame)[:20]))
    return (
        f"params: the frame has no column {filling!r} (for parameter {parameter!r}).{hint} Columns: {shown}. "
        f"For a fixed text write {parameter!r}: rf.Constant({filling!r})"
    )


def _called(frame: pd.DataFrame, parameter: str, function: Callable[[Any], Any]) -> pd.Series[Any]:
    """Call the function once a row, before anything is sent: an error in row 9,000 costs nothing then."""
    names = names_of(frame)
    columns = [cells_of(frame, name).tolist() for name in names]
    values = []
    for position, row in enumerate(zip(*columns, strict=True)):
        try:
            values.append(function(pd.Series(row, index=pd.Index(names), dtype=object)))
        except Exception as reason:
            label = frame.index[position]
            raise InvalidRows(
                f"params[{parameter!r}]: the function raised {type(reason).__name__}: {reason} in row {label!r}",
                [label],
            ) from reason
    return pd.Series(values, dtype=object)
