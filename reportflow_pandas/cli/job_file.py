"""A job file: the shared arguments of a run in TOML, tables too."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.options import Constant, Options, Table
from reportflow_pandas.reading.locations import origin_of
from reportflow_pandas.reading.read_rows import read_file
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.shown import as_written
from reportflow_pandas.settings import Limits

__all__ = ["JobFile", "arguments_for", "reading_of"]

SHARED = {spec.name for spec in dataclasses.fields(Options)} - {"settings"}
READING = {spec.name for spec in dataclasses.fields(Reading)} - {"say"}
PLACES = {"file", "out", "download"}
OWN = {"design", "show"} | PLACES | READING
TABLE = {"file", "on", "left_on", "right_on", "columns"} | READING
SECRETS = {"settings", "app_key", "client_id", "client_secret", "base_url"}


@dataclass(frozen=True)
class JobFile:
    """What a job file says; paths in it are relative to it.

    Parameters
    ----------
    path : pathlib.Path, optional
        None: no job file, nothing said.
    entries : dict
        Its top-level names, all of them known.
    """

    path: Path | None = None
    entries: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> JobFile:
        """Read and check a job file.

        Raises
        ------
        ConfigurationError
            No such file, no TOML, a name that means nothing.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise ConfigurationError(f"--options: there is no file {str(path)!r}") from None
        except (OSError, UnicodeDecodeError) as reason:
            raise ConfigurationError(f"--options {path}: {reason}") from None
        except (tomllib.TOMLDecodeError, RecursionError) as reason:
            raise ConfigurationError(
                f'{path} is no valid TOML: {reason}. Texts stand in quotes: file_name = "INV-{{InvoiceId}}"'
            ) from None
        for name in values:
            if name in SECRETS:
                raise ConfigurationError(
                    f"{path}: {name} does not belong in a job file. The key and the address come from the "
                    "environment: REPORT_FLOW_APP_KEY, REPORTFLOW_API_BASE_URL"
                )
        _known(values, SHARED | OWN, f"{path}")
        for name in (PLACES | {"design", "design_id", "encoding", "separator", "sheet", "file_name"}) & set(
            values
        ):
            if not isinstance(values[name], str):
                raise ConfigurationError(f"{path}: {name} = {values[name]!r}: a text in quotes")
        for name in {"show", "text"} & set(values):
            if not isinstance(values[name], list):
                raise ConfigurationError(f"{path}: {name} = {values[name]!r}: a list of columns, e.g. ['Total']")
        _check_tables(path, values.get("tables", {}))
        return cls(path, values)

    def place(self, name: str) -> Path | None:
        """Return a path that the job file names, from where the job file is."""
        return self.beside(self.entries[name]) if name in self.entries else None

    def beside(self, place: str) -> Path:
        """Return a path relative to the job file."""
        base = self.path.parent if self.path is not None else Path()
        return base / Path(place).expanduser()


def _check_tables(path: Path, tables: Any) -> None:
    if not isinstance(tables, Mapping):
        raise ConfigurationError(
            f'{path}: a table is written as\n[tables.Lines]\nfile = "lines.csv"\non = "InvoiceId"'
        )
    for parameter, table in tables.items():
        where = f"{path}, [tables.{parameter}]"
        if isinstance(table, list) or (isinstance(table, Mapping) and set(table) == {"columns"}):
            continue  # columns of the same file: with group_by
        if not isinstance(table, Mapping) or not isinstance(table.get("file"), str):
            raise ConfigurationError(
                f'{where}: which file? file = "lines.csv". Or columns of the same file, with group_by: '
                f'{parameter} = ["Track", "Quantity"]'
            )
        _known(table, TABLE, where)


def _known(values: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(sorted(known))}"
            raise ConfigurationError(f"{where}: there is no {name!r}. {hint}")


def reading_of(values: Mapping[str, Any], otherwise: Reading) -> Reading:
    """Return how a file is read, by the words beside it and what holds for all files."""
    given = {name: values[name] for name in READING & set(values)}
    if "text" in given:
        given["text"] = list(map(str, _list(given["text"])))
    if given.get("separator") in ("TAB", "\\t"):
        given["separator"] = "\t"
    return dataclasses.replace(otherwise, **given)


def arguments_for(frame: pd.DataFrame, job: JobFile, *, reading: Reading) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the frame and the shared arguments that the job file means.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    job : JobFile
        What was asked.
    reading : Reading
        How the tables' files are read where they do not say themselves.

    Returns
    -------
    pandas.DataFrame
        The rows, their keys of the tables' sort.
    dict
        Keyword arguments of ``generate``.

    Raises
    ------
    ConfigurationError
        A value that cannot be.
    """
    values = job.entries
    arguments = {
        name: values[name]
        for name in SHARED - {"design_id", "params", "tables", "limits", "share", "passcode", "download"}
        if name in values
    }
    if "download" in values:
        arguments["download"] = job.place("download")
    if "params" in values:
        arguments["params"] = _params(values["params"])
    if "limits" in values:
        arguments["limits"] = _limits(values["limits"])
    for name in {"share", "passcode"} & set(values):
        arguments[name] = _column_or_value(frame, name, values[name])
    tables: dict[str, Any] = {}
    for parameter, table in values.get("tables", {}).items():
        if "file" not in table:
            tables[parameter] = table if isinstance(table, list) else table["columns"]
            continue
        path = job.beside(table["file"])
        lines = read_file(path, reading_of(table, reading))
        if _is_text(frame) and _is_text(lines):
            ours = _list(table.get("on", table.get("left_on", [])))
            theirs = _list(table.get("on", table.get("right_on", [])))
            frame, lines = _keys_alike(frame, lines, list(zip(ours, theirs, strict=False)))
        words = {name: table[name] for name in ("on", "left_on", "right_on", "columns") if name in table}
        tables[parameter] = Table(lines, **words)
    if tables:
        arguments["tables"] = tables
    return frame, arguments


def _is_text(frame: pd.DataFrame) -> bool:
    """Tell whether a frame was read from a text file, in which types are only found out."""
    origin = origin_of(frame)
    return origin is not None and origin.unit == "line"


def _keys_alike(
    frame: pd.DataFrame, lines: pd.DataFrame, pairs: Sequence[tuple[Any, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two frames with keys of one sort: one odd id makes a column text in one of them."""
    for ours, theirs in pairs:
        if ours not in frame.columns or theirs not in lines.columns:
            continue
        text, their_text = (
            pd.api.types.is_string_dtype(column.dropna()) for column in (frame[ours], lines[theirs])
        )
        if text and not their_text:
            lines = lines.assign(**{theirs: lines[theirs].astype(object).map(as_written, na_action="ignore")})
        elif their_text and not text:
            frame = frame.assign(**{ours: frame[ours].astype(object).map(as_written, na_action="ignore")})
    return frame, lines


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _params(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    params: dict[str, Any] = {}
    for parameter, filling in given.items():
        if isinstance(filling, str):
            params[parameter] = filling
        elif isinstance(filling, Mapping) and set(filling) == {"constant"}:
            params[parameter] = Constant(filling["constant"])
        elif isinstance(filling, Mapping) and dict(filling) == {"blank": True}:
            params[parameter] = None
        else:
            raise ConfigurationError(
                f"params: {parameter} = {filling!r}: a column's name in quotes, "
                "{ constant = 'the same in every document' }, or { blank = true }"
            )
    return params


def _limits(given: Any) -> Any:
    if given is False:
        return False
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"limits = {given!r}: false for none, or {{ async_calls = 100, sync_calls = 30, window = 60.0 }}"
        )
    _known(given, {spec.name for spec in dataclasses.fields(Limits)}, "limits")
    return Limits(**given)


def _column_or_value(frame: pd.DataFrame, name: str, given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    column = given.get("column")
    if set(given) != {"column"} or column not in frame.columns:
        raise ConfigurationError(
            f"{name} = {dict(given)!r}: one value, or {{ column = 'a column of the file' }}. "
            f"Columns: {', '.join(map(repr, frame.columns[:20].tolist()))}"
        )
    return frame[column]
