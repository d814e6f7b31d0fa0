"""Outcomes as a results frame, and what such a frame tells about itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.engine.outcomes import COLUMNS, KINDS, STATUSES, ColumnType, FileNames, Outcome, Outcomes
from reportflow_pandas.errors import ConfigurationError

__all__ = [
    "ATTRS",
    "COLUMNS",
    "is_results",
    "known",
    "moments",
    "outcome_of",
    "provenance",
    "results_frame",
    "text_column",
]

ATTRS = "reportflow"
"""Where ``results.attrs`` keeps the run it came from, as plain strings."""


_NO_MOMENT_SECONDS = 1e11
"""Beyond any time of day: what a damaged ledger may hold."""


def results_frame(outcomes: Outcomes, index: pd.Index[Any], attrs: dict[str, str]) -> pd.DataFrame:
    """Return the results: one line for each row of the input, same index, same order.

    Parameters
    ----------
    outcomes : Outcomes
        By position.
    index : pandas.Index
        The input's index.
    attrs : dict of str
        The run: kept in ``attrs["reportflow"]``, so that a filtered or sorted frame still knows it.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`, by their kinds: text; int64 for a count; Int64 for an optional count, missing where
        there is none; float64 for seconds; datetime64, UTC, for a moment.
    """
    columns: dict[str, Any] = {}
    # first what takes the most room while it is made
    for name in sorted(COLUMNS, key=lambda name: KINDS[name] != "moment"):
        columns[name] = _column(outcomes, name)
    # every column is the frame's own already
    frame = pd.DataFrame(columns, index=index, columns=COLUMNS, copy=False)
    frame.attrs[ATTRS] = dict(attrs)
    return frame


def _column(outcomes: Outcomes, name: str) -> Any:  # noqa: PLR0911 - one return for each kind
    """Return one column, by what it holds."""
    if name == "row":
        return np.arange(len(outcomes), dtype="int64")
    if name == "status":
        codes = np.frombuffer(bytes(outcomes.status), dtype=np.uint8).astype("intp")
        return text_column(STATUSES).take(codes)
    if name == "file_name":
        return _names(outcomes.file_name)
    values = getattr(outcomes, name)
    match KINDS[name]:
        case "text":
            return text_column(values)
        case "moment":
            return moments(np.asarray(values, dtype="float64"))
        case "seconds":
            return np.array(values, dtype="float64")
        case "count":
            return np.array(values, dtype="int64")
        case "optional_count":
            codes = np.array(values, dtype="int64")
            return pd.arrays.IntegerArray(codes, codes == 0)


def moments(seconds: npt.NDArray[np.float64]) -> Any:
    """Return seconds since 1970 as a UTC column; NaN, and what is no time of day, becomes NaT.

    By whole microseconds: pandas 2.2 now and then overflows on NaN when it converts floats itself.
    """
    missing = ~(np.abs(seconds) < _NO_MOMENT_SECONDS)
    stamps = np.round(np.where(missing, 0.0, seconds) * 1e6).astype("int64").astype("datetime64[us]")
    stamps[missing] = np.datetime64("NaT", "us")
    return pd.DatetimeIndex(stamps).tz_localize("UTC").array


def text_column(values: Sequence[str | None]) -> Any:
    """Return a text column of pandas' own default dtype, also when every value is missing."""
    return pd.Series(cast("Sequence[str]", values), dtype=pd.Series(["text"]).dtype).array


def _names(names: FileNames) -> Any:
    """Return what the documents are called, without a second Python text for each."""
    called = text_column(names.planned) + ".pdf"
    if others := names.others():
        called[list(others)] = list(others.values())
    return called


def is_results(frame: pd.DataFrame) -> bool:
    """Tell whether a frame is a results frame, whole or a part."""
    return ATTRS in frame.attrs and {"row", "status", "request_id"} <= set(map(str, frame.columns))


def known(results: pd.DataFrame) -> dict[str, Any]:
    """Return what a frame knows about its run; nothing if it forgot."""
    about = results.attrs.get(ATTRS)
    return about if isinstance(about, dict) else {}


def provenance(frame: pd.DataFrame, verb: str) -> dict[str, str]:
    """Return the run that a results frame came from.

    Raises
    ------
    ConfigurationError
        The frame holds rows, not results; the text names the right verb.
    """
    if not is_results(frame):
        attribute = verb in ("failed", "unknown")
        written, used = (verb, verb) if attribute else (f"{verb}()", f"{verb}(…)")
        if {"row", "status", "request_id", "file_id"} <= set(frame.columns):
            raise ConfigurationError(
                f".{written} is for the results of one run, and these don't say which run they are of: they were "
                "put together from several, or read from a file. First results = rf.load(run), then "
                f"results.reportflow.{used}, run by run; pd.concat puts together what comes of it"
            )
        raise ConfigurationError(
            f".{written} is for a results frame, and this one holds no results. "
            "First results = df.reportflow.generate(design_id=…), then "
            f"results.reportflow.{used}. (A frame that was merged or rebuilt may have lost its attrs: "
            "use the frame that generate returned.)"
        )
    return dict(frame.attrs[ATTRS])


def outcome_of(row: Any) -> Outcome:
    """Return one line of a results frame (a named tuple of its columns) as a value."""
    return Outcome(**{name: _value(getattr(row, name), kind) for name, kind in KINDS.items()})


def _value(cell: Any, kind: ColumnType) -> Any:
    """Return a cell as an outcome holds it."""
    if pd.isna(cell):
        return None
    match kind:
        case "text":
            return str(cell)
        case "moment":
            return cell.timestamp()
        case "seconds":
            return float(cell)
        case "count" | "optional_count":
            return int(cell)
