"""A file of rows becomes a frame in which every identifier is still what the file says."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError

__all__ = ["Reading", "key_columns_alike", "read_frame"]

_WHOLE = r"0|-?[1-9]\d{0,14}"
_NUMBER = rf"{_WHOLE}|-?(?:0|[1-9]\d{{0,14}})\.\d+"
_DATE = r"\d{4}-\d{2}-\d{2}"
_MIDNIGHT = rf"{_DATE}[ T]00:00:00"
"""How databases export dates. Another time of day stays text: it is sent as it stands."""
_NO_NUMBER = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "#N/A")
"""Missing in a column of numbers or dates only: elsewhere ``NA`` is Namibia."""


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Parameters
    ----------
    text : sequence of str
        Columns that stay as they stand in the file.
    encoding : str
        Of a CSV file.
    separator : str, optional
        Between the fields of a CSV file; None: a comma, in ``.tsv`` a tab.
    sheet : str, optional
        Of a workbook; None: the first.
    say : callable
        Told what people should know.
    """

    text: Sequence[str] = ()
    encoding: str = "utf-8-sig"
    separator: str | None = None
    sheet: str | None = None
    say: Callable[[str], None] = lambda _: None


def read_frame(path: Path, reading: Reading) -> pd.DataFrame:
    """Return the rows of a file.

    From a CSV file a column of plain numbers, ISO dates or true/false becomes numbers, dates or booleans only if
    every value would be written again as it stands there: ``0171``, ``+81 3 1234``, ``1e5`` and identifiers of
    more than 15 digits stay text, ``10.50`` keeps its digits. An empty field is missing. A workbook and a Parquet
    file say themselves what is text; their cells stay what they are.

    Parameters
    ----------
    path : pathlib.Path
        Ends in ``.csv``, ``.tsv``, ``.xlsx``, ``.xlsm`` or ``.parquet``.
    reading : Reading
        How.

    Returns
    -------
    pandas.DataFrame
        Index 0, 1, 2 …; lines without any value are left out.

    Raises
    ------
    ConfigurationError
        No such file, another kind of file, a damaged one, ``text`` names no column.
    """
    readers: dict[str, Callable[[Path, Reading], pd.DataFrame]] = {
        ".csv": _csv,
        ".tsv": _csv,
        ".xlsx": _workbook,
        ".xlsm": _workbook,
        ".parquet": _parquet,
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise ConfigurationError(
            f"{str(path)!r}: rows are read from .csv, .tsv, .xlsx and .parquet files. Save it as one of these"
        )
    if not path.is_file():
        near = ", ".join(repr(one.name) for one in _like(path))
        raise ConfigurationError(f"there is no file {str(path)!r}." + (f" The folder has {near}" if near else ""))
    return read(path, reading)


def key_columns_alike(
    frame: pd.DataFrame, lines: pd.DataFrame, pairs: Sequence[tuple[Any, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two frames from CSV files with keys of one sort: one odd id makes a column text in one of them.

    Parameters
    ----------
    frame, lines : pandas.DataFrame
        As `read_frame` made them from CSV files.
    pairs : sequence of tuple
        Names of the key columns, in ``frame`` and in ``lines``.
    """
    for ours, theirs in pairs:
        if ours not in frame.columns or theirs not in lines.columns:
            continue
        if _is_text(frame[ours]) and not _is_text(lines[theirs]):
            lines = lines.assign(**{theirs: _as_written(lines[theirs])})
        elif _is_text(lines[theirs]) and not _is_text(frame[ours]):
            frame = frame.assign(**{ours: _as_written(frame[ours])})
    return frame, lines


def _is_text(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_string_dtype(column.dropna()))


def _as_written(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype(object).map(str, na_action="ignore")


def _like(path: Path) -> Iterator[Path]:
    folder = path.parent
    found = sorted(one for one in folder.iterdir() if one.suffix == path.suffix) if folder.is_dir() else []
    yield from found[:5]


# CSV


def _csv(path: Path, reading: Reading) -> pd.DataFrame:
    separator = reading.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        raw = pd.read_csv(
            path,
            sep=separator,
            header=None,  # pandas would rename the second of two equal names, and nobody would hear of it
            dtype=str,
            keep_default_na=False,
            encoding=reading.encoding,
        )
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{str(path)!r} is not written in {reading.encoding.removesuffix('-sig')}. Add --encoding cp932 "
            "(Excel in Japan), --encoding cp1252 (Excel in Western Europe), or save it as 'CSV UTF-8'"
        ) from None
    except LookupError:
        raise ConfigurationError(
            f"--encoding {reading.encoding}: there is none of this name; utf-8, cp932 and cp1252 are common"
        ) from None
    except pd.errors.EmptyDataError:
        raise ConfigurationError(f"{str(path)!r} is empty; its first line must name the columns") from None
    except (pd.errors.ParserError, ValueError) as reason:
        raise ConfigurationError(
            f"{str(path)!r} cannot be read as a table: {' '.join(str(reason).split())}. Is a comma in a field "
            "without quotes, or is the separator another one (--separator ';')?"
        ) from None
    named = _with_header(raw.fillna(""), path, reading, empty="")
    if len(named.columns) == 1:
        for other in (";", "\t", ","):
            if other in str(named.columns[0]):
                raise ConfigurationError(
                    f"{str(path)!r} has one column only, {named.columns[0]!r}. Its separator seems to be another "
                    f"one: --separator {'TAB' if other == chr(9) else repr(other)}"
                )
    columns = [
        _missing(column) if str(column.name) in reading.text else _inferred(column)
        for column in (named.iloc[:, position] for position in range(len(named.columns)))
    ]
    frame = pd.concat(columns, axis=1) if columns else named
    frame.columns = named.columns
    return frame


def _missing(cells: pd.Series[Any]) -> pd.Series[Any]:
    return cells.where(cells != "", None)


def _inferred(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Return numbers, dates or booleans where each value says so beyond doubt, else the text."""
    present = cells[(cells != "") & ~cells.isin(_NO_NUMBER)]
    if present.empty:
        return _missing(cells)

    def all_are(pattern: str) -> bool:
        return bool(present.str.fullmatch(pattern).all())

    found: pd.Series[Any]
    if all_are(_WHOLE):
        found = present.astype("int64")
        return found if len(found) == len(cells) else found.astype("Int64").reindex(cells.index)
    if all_are(_NUMBER):
        plain = all(map(_survives, present.unique()))
        found = present.astype("float64") if plain else present.astype(object).map(Decimal)
        return found.reindex(cells.index)
    if all_are(_DATE) or all_are(_MIDNIGHT):
        with contextlib.suppress(ValueError):  # the 31st of February stays as it stands
            return pd.to_datetime(present, format="ISO8601").reindex(cells.index)
    elif present.isin(("true", "false")).all() and len(present) == int((cells != "").sum()):
        found = present == "true"
        return found if len(found) == len(cells) else found.astype("boolean").reindex(cells.index)
    return _missing(cells)


def _survives(number: str) -> bool:
    """Tell whether a float of this number is written as it stands here."""
    return "." not in number or (str(float(number)) == number and not number.endswith("0"))


# the others


def _workbook(path: Path, reading: Reading) -> pd.DataFrame:
    try:
        raw = pd.read_excel(
            path,
            sheet_name=reading.sheet if reading.sheet is not None else 0,
            header=None,
            dtype=object,  # else a text cell 0171 becomes the number 171
            keep_default_na=False,
            na_values=[""],
            engine="openpyxl",
        )
    except ValueError as reason:
        raise ConfigurationError(f"{str(path)!r}: {reason}") from None
    except (OSError, KeyError, zipfile.BadZipFile) as reason:
        raise ConfigurationError(
            f"{str(path)!r} cannot be read as a workbook ({reason}). Open it in Excel and save it as .xlsx"
        ) from None
    if raw.empty:
        raise ConfigurationError(f"{str(path)!r} is empty; the first line of its sheet must name the columns")
    named = _with_header(raw, path, reading, empty=None)
    columns = [named.iloc[:, position] for position in range(len(named.columns))]
    typed = [
        column.map(str, na_action="ignore") if str(column.name) in reading.text else column.infer_objects()
        for column in columns
    ]
    frame = pd.concat(typed, axis=1)
    frame.columns = named.columns
    return frame


def _parquet(path: Path, reading: Reading) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise ConfigurationError(
            f"{str(path)!r}: Parquet needs one more package: pip install 'reportflow-pandas[parquet]'. "
            "Or save the rows as .csv or .xlsx"
        ) from None
    except (OSError, ValueError) as reason:
        raise ConfigurationError(f"{str(path)!r} cannot be read as a Parquet file: {reason}") from None
    _known_text(frame, path, reading)
    texts = {name: _as_written(frame[name]) for name in reading.text}
    return frame.assign(**texts)


def _with_header(raw: pd.DataFrame, path: Path, reading: Reading, empty: str | None) -> pd.DataFrame:
    """Return the rows below the first line, which names the columns."""
    names = [
        f"column {position + 1}" if pd.isna(name) or name == "" else name
        for position, name in enumerate(raw.iloc[0].tolist())
    ]
    rows = raw.iloc[1:]
    blank = (rows == empty).all(axis=1) if empty is not None else rows.isna().all(axis=1)
    if blank.any():
        count = int(blank.sum())
        reading.say(f"{path.name}: {count:,} empty line{'s' if count > 1 else ''} left out")
    frame = rows[~blank].reset_index(drop=True)
    frame.columns = pd.Index(names)
    _known_text(frame, path, reading)
    return frame


def _known_text(frame: pd.DataFrame, path: Path, reading: Reading) -> None:
    for name in reading.text:
        if name not in frame.columns:
            raise ConfigurationError(
                f"--text {name}: {path.name} has no such column. Columns: "
                f"{', '.join(map(repr, frame.columns[:20].tolist()))}"
            )
