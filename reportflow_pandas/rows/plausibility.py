"""Columns that the service would take and that look odd all the same: what a careful reader would ask about.

Each remark is a warning. The thresholds are set so that ordinary columns (optional ones, prices of several
decades) get none.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.reading.table import is_error_word
from reportflow_pandas.rows.input_frame import labels_at, rows_at, value_shown
from reportflow_pandas.rows.mojibake import may_be_mojibake, repaired
from reportflow_pandas.rows.problems import Problem
from reportflow_pandas.rows.value_checks import Place
from reportflow_pandas.rows.values import holds_texts

__all__ = ["ColumnTexts", "odd_values"]

Mask = npt.NDArray[np.bool_]

FEWEST_ROWS = 3
"""A column of fewer rows is not called otherwise full, or empty."""

MOST_BLANKS = 0.05
"""Share of blank cells up to which they are called single ones; a fuller share is an optional column."""

ENOUGH_ROWS = 10
"""Rows from which a column without any value is odd, although its type says that other rows had some."""

FEWEST_NUMBERS = 5
"""Numbers from which it is known what is usual."""

OUTLIER_FACTOR = 30
"""Times that a number is larger or smaller than the median before it is called odd."""

OUTLIER_GAP = 5
"""Times that it is away from the nearest usual number."""

USUAL_SPREAD = 20
"""Times between the 5th and the 95th percentile up to which numbers are alike at all."""

OUTLIER_YEARS, USUAL_YEARS = 20, 10
"""The same for days: so many years away from the median, where the others are within so many."""

MOST_OUTLIERS = 0.01
"""Share of the rows up to which odd ones are outliers; more of them are a second sort of rows."""

EXACT_FLOATS = 2**53
"""Whole numbers from here on lose digits where they are floats."""

_OPTIONAL = re.compile(
    r"postal|post_?code|zip|plz|state|province|region|county|prefecture|fax|address.?2|line.?2|middle|suffix"
    r"|note|comment|remark|memo|郵便|都道府県|備考|摘要"
)
"""Columns that are blank in single rows by nature: some countries have no postal codes, most letters no remark."""

_COUNTRY = re.compile(r"country|nation(?!al)|land$|pays|pa[ií]s|paese|国")
"""Columns of countries."""

_COUNTRY_BOUND = re.compile(r"postal|post_?code|zip|plz|phone|tel|fax|bank|iban|郵便|電話")
"""Columns whose width every country decides."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_SPACE = " \t\r\n\u00a0\u3000\u200b\ufeff"
_ZEROS = re.compile(r"(?:^|\n)0\d+(?:\n|\Z)", re.ASCII)
_SHORTENED = re.compile(r"-?\d(?:[.,]\d+)?E\+\d{2,3}", re.ASCII)
_DIGITS = re.compile(r"^\d+$", re.ASCII | re.MULTILINE)
_YEAR = re.compile(r"(\d{4})-\d{2}-\d{2}", re.ASCII)
_LOST = "\ufffd"


@dataclass(frozen=True)
class ColumnTexts:
    """The distinct texts of a column and where each stands.

    Attributes
    ----------
    codes : numpy.ndarray
        Of each cell the number of its value, -1 for a missing one.
    distinct : list
        The values, each once.
    strings : list of str
        The same as texts; what is none is empty.
    together : str
        All of them, a line each: one search in it costs less than one in each.
    """

    codes: npt.NDArray[np.intp]
    distinct: list[Any]
    strings: list[str]
    together: str

    @classmethod
    def of(cls, cells: pd.Series[Any]) -> ColumnTexts | None:
        """Return those of a column that may hold texts; None for one that holds none or can't be told apart."""
        dtype = cells.dtype
        if not (
            holds_texts(dtype) or pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype)
        ):
            return None
        try:
            codes, values = pd.factorize(cells)
        except TypeError:
            return None
        distinct = values.tolist()
        plain = set(map(type, distinct)) <= {str}
        strings = distinct if plain else [value if isinstance(value, str) else "" for value in distinct]
        return cls(codes.astype(np.intp), distinct, strings, "\n".join(strings))

    @property
    def have_blanks(self) -> bool:
        """Whether one of them may print nothing."""
        invisible = not self.together.isascii() and ("\u200b" in self.together or "\ufeff" in self.together)
        return not all(self.strings) or invisible or any(map(str.isspace, self.strings))

    def where(self, chosen: Sequence[bool]) -> Mask:
        """Tell of each cell whether its value is one of those chosen."""
        marks = np.append(np.asarray(chosen, dtype=bool), False)
        found: Mask = marks[self.codes]
        return found


def odd_values(
    cells: pd.Series[Any], kind: str, place: Place, frame: pd.DataFrame, *, aside: Mask | None = None
) -> Iterator[Problem]:
    """Yield what looks odd in a column.

    Parameters
    ----------
    cells : pandas.Series
        The values.
    kind : str
        The parameter's type.
    place : Place
        What the column is called.
    frame : pandas.DataFrame
        Whose rows the cells belong to.
    aside : numpy.ndarray, optional
        Rows whose blanks are no remark of their own.
    """
    if not len(cells) or kind in ("array", "collection", "image"):
        return
    texts = ColumnTexts.of(cells)
    remark = _Remarks(place, frame)
    blank = _blank(cells, texts)
    if kind not in ("number", "boolean"):
        yield from _blanks(cells, blank if aside is None else blank & ~aside, remark)
    if kind == "number":
        yield from _outliers(cells, remark)
    elif kind == "date":
        yield from _distant_days(cells, texts, remark)
    elif pd.api.types.is_float_dtype(cells.dtype):
        yield from _too_long(cells, remark)
    if texts is not None and kind not in ("number", "boolean", "date"):
        yield from _zeros_lost(texts, remark)
        yield from _lost_in_a_sheet(texts, remark)
        yield from _wrong_script(texts, remark)


@dataclass(frozen=True)
class _Remarks:
    """Makes warnings about one column."""

    place: Place
    frame: pd.DataFrame

    def __call__(self, problem: str, suggestion: str, wrong: Mask | None = None) -> Problem:
        positions = [] if wrong is None else np.flatnonzero(wrong).tolist()
        where = rows_at(self.frame, positions, self.place.name) if positions else ""
        return Problem(
            "warning",
            self.place.column,
            problem.format(column=repr(self.place.column), where=where),
            suggestion,
            labels_at(self.frame.index, positions),
        )


def _blank(cells: pd.Series[Any], texts: ColumnTexts | None) -> Mask:
    """Tell of each cell whether it prints nothing: missing, empty, or white space."""
    blank: Mask = cells.isna().to_numpy(dtype=bool, copy=True)
    if texts is not None and texts.have_blanks:
        empty = [isinstance(value, str) and not value.strip(_SPACE) for value in texts.distinct]
        blank |= texts.where(empty)
    return blank


def _blanks(cells: pd.Series[Any], blank: Mask, remark: _Remarks) -> Iterator[Problem]:
    count, rows = int(blank.sum()), len(blank)
    if not count or rows < FEWEST_ROWS:
        return
    if count == rows:
        if rows >= ENOUGH_ROWS or _never_had_any(cells):
            yield remark("{column} holds nothing: it prints blank in every document", "Is it the right column?")
    elif count <= max(1, int(rows * MOST_BLANKS)) and not _OPTIONAL.search(remark.place.column.casefold()):
        space = all(isinstance(cell, str) and cell for cell in cells[blank].tolist())
        what = "is blank (white space alone)" if space else "is blank"
        yield remark(
            f"{{column}} {what} in {{where}} and filled in all other rows", "Fill it, or leave it so", blank
        )


def _never_had_any(cells: pd.Series[Any]) -> bool:
    """Tell whether nothing says that other rows, filtered out by now, had a value."""
    if pd.api.types.is_object_dtype(cells.dtype):
        return not any(isinstance(cell, float) for cell in cells.tolist())
    return not holds_texts(cells.dtype) or not cells.isna().any()


def _outliers(cells: pd.Series[Any], remark: _Remarks) -> Iterator[Problem]:
    dtype = cells.dtype
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return
    amounts = np.abs(cells.to_numpy(dtype=float, na_value=np.nan))
    usable = np.isfinite(amounts) & (amounts > 0)
    if usable.sum() < FEWEST_NUMBERS:
        return
    logs = np.full(len(amounts), np.nan)
    logs[usable] = np.log10(amounts[usable])
    median = float(np.median(logs[usable]))
    far = usable & (np.abs(np.nan_to_num(logs, nan=median) - median) >= np.log10(OUTLIER_FACTOR))
    usual = logs[usable & ~far]
    if not far.any() or far.sum() > max(1, int(len(cells) * MOST_OUTLIERS)) or len(usual) < FEWEST_NUMBERS - 1:
        return
    low, high = np.percentile(usual, [5, 95])
    gap = np.where(logs > median, logs - usual.max(), usual.min() - logs)
    far &= gap >= np.log10(OUTLIER_GAP)
    if far.any() and high - low <= np.log10(USUAL_SPREAD):
        first = int(np.flatnonzero(far)[0])
        yield remark(
            f"{{column}} is {value_shown(cells.iloc[first])} in {{where}}, and about {10**median:.3g} elsewhere",
            "Is the decimal sign where it belongs?",
            far,
        )


def _distant_days(cells: pd.Series[Any], texts: ColumnTexts | None, remark: _Remarks) -> Iterator[Problem]:
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return
    years = _years(cells, texts)
    there = np.isfinite(years)
    if there.sum() < FEWEST_NUMBERS:
        return
    median = float(np.median(years[there]))
    far = there & (np.abs(np.nan_to_num(years, nan=median) - median) >= OUTLIER_YEARS)
    usual = years[there & ~far]
    if not far.any() or far.sum() > max(1, int(len(cells) * MOST_OUTLIERS)):
        return
    low, high = np.percentile(usual, [5, 95])
    if high - low <= USUAL_YEARS:
        first = int(np.flatnonzero(far)[0])
        yield remark(
            f"{{column}} is {value_shown(cells.iloc[first])} in {{where}}, and about {median:.0f} elsewhere",
            "Is it the day that is meant?",
            far,
        )


def _years(cells: pd.Series[Any], texts: ColumnTexts | None) -> npt.NDArray[np.float64]:
    """Return the year of each day, NaN for what is none."""
    if texts is not None:
        return np.array([*map(_year_of, texts.distinct), np.nan])[texts.codes]
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return np.asarray(cells.dt.year.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)
    return np.array([_year_of(cell) for cell in cells.tolist()], dtype=np.float64)


def _year_of(cell: Any) -> float:
    if isinstance(cell, str):
        found = _YEAR.match(cell)
        return float(found[1]) if found is not None else np.nan
    return float(cell.year) if isinstance(cell, dt.date) and not pd.isna(cell) else np.nan


def _too_long(cells: pd.Series[Any], remark: _Remarks) -> Iterator[Problem]:
    long = np.abs(cells.to_numpy(dtype=float, na_value=0.0)) > EXACT_FLOATS
    if long.any():
        first = int(np.flatnonzero(long)[0])
        yield remark(
            f"{{column}} holds numbers of more digits than a float keeps in {{where}}, e.g. "
            f"{value_shown(cells.iloc[first])}: the last ones may be others than in the file",
            "Read the column as text: rf.read_rows(path, text=[…]), or dtype='Int64'",
            long,
        )


def _zeros_lost(texts: ColumnTexts, remark: _Remarks) -> Iterator[Problem]:
    """Tell of ``171`` beside ``00172``: all have one width with their zeros, and some have lost them."""
    if "\n0" not in f"\n{texts.together}" or not _ZEROS.search(texts.together):
        return
    if texts.strings is texts.distinct and len(set(map(len, _DIGITS.findall(texts.together)))) == 1:
        return  # all digits have one width
    written = [str(value) if type(value) in (str, int) else "" for value in texts.distinct]
    digits = [text if text.isascii() and text.isdigit() else "" for text in written]
    padded = {len(text) for text in digits if text[:1] == "0" and len(text) > 1}
    if len(padded) != 1:
        return
    (width,) = padded
    short = [0 < len(text) < width for text in digits]
    if not any(short) or any(len(text) > width for text in digits):
        return
    wrong = texts.where(short) & ~_narrow_by_country(texts, [len(text) for text in digits], remark)
    if not wrong.any():
        return
    # a line over the whole column would change what is right in it: other widths, and what is no number
    alone = all(digits[at] for at, text in enumerate(written) if text) and wrong.sum() == texts.where(short).sum()
    code = remark.place.code if alone and _COUNTRY_BOUND.search(remark.place.column.casefold()) is None else ""
    example = written[texts.codes[int(np.flatnonzero(wrong)[0])]]
    beside = next(text for text in digits if text.startswith("0") and len(text) == width)
    yield remark(
        f"{{column}} is {example} in {{where}} beside {beside}: did it lose its zeros?",
        f"Give them back: {code}.astype('string').str.zfill({width})"
        if code
        else "If it did, give them back in these rows alone: others may be right with fewer digits",
        wrong,
    )


def _narrow_by_country(texts: ColumnTexts, widths: Sequence[int], remark: _Remarks) -> Mask:
    """Tell of each cell whether all numbers of its country have its width: Australia's have four digits."""
    explained: Mask = np.zeros(len(texts.codes), dtype=bool)
    width = np.array([*widths, 0])[texts.codes]
    enough = 1 if _COUNTRY_BOUND.search(remark.place.column.casefold()) is not None else FEWEST_ROWS
    for name in remark.frame.columns:
        if isinstance(name, str) and _COUNTRY.search(name.casefold()) is not None:
            by = pd.Series(width).where(width > 0).groupby(remark.frame[name].astype(str).to_numpy())
            explained |= ((by.transform("nunique") == 1) & (by.transform("count") >= enough)).to_numpy()
    return explained


def _lost_in_a_sheet(texts: ColumnTexts, remark: _Remarks) -> Iterator[Problem]:
    """Tell of what a spreadsheet wrote in place of a value: its errors, and long numbers that it shortened."""
    if "#" in texts.together or "Err:" in texts.together:
        errors = [text[:1] in ("#", "E") and is_error_word(text) for text in texts.strings]
        if any(errors):
            yield remark(
                f"{{column}} is {value_shown(texts.strings[errors.index(True)])} in {{where}}: what a spreadsheet "
                "shows where it has no value",
                "Correct the formula, or empty the cell",
                texts.where(errors),
            )
    if "E+" in texts.together:
        short = [_SHORTENED.fullmatch(text) is not None for text in texts.strings]
        if any(short):
            yield remark(
                f"{{column}} is {value_shown(texts.strings[short.index(True)])} in {{where}}: a spreadsheet "
                "shortened a long number, and its other digits are not in the file",
                "Format the column as text or 0 in the sheet, and export it again",
                texts.where(short),
            )


def _wrong_script(texts: ColumnTexts, remark: _Remarks) -> Iterator[Problem]:
    """Tell of texts that were read with another encoding than they were written in, and of control characters."""
    strings, together = texts.strings, texts.together
    if not together.isascii():
        foreign = [text for text in strings if not text.isascii()]
        read = {text: repaired(text) for text in foreign} if may_be_mojibake("\n".join(foreign)) else {}
        fixed = [read.get(text) for text in strings] if any(read.values()) else []
        if any(fixed):
            at = next(at for at, text in enumerate(fixed) if text)
            yield remark(
                f"{{column}} was read with a wrong encoding in {{where}}: {value_shown(strings[at])} was probably "
                f"{value_shown(fixed[at])}",
                "Read the file again with the encoding that it was written in, e.g. encoding='utf-8'",
                texts.where([bool(text) for text in fixed]),
            )
        if _LOST in together:
            lost = [_LOST in text for text in strings]
            yield remark(
                f"{{column}} has lost characters in {{where}}: {value_shown(strings[lost.index(True)])}",
                "Read the file again with the encoding that it was written in",
                texts.where(lost),
            )
    if not together.replace("\n", "").isprintable() and _CONTROL.search(together):
        control = [_CONTROL.search(text) is not None for text in strings]
        yield remark(
            f"{{column}} holds characters that print nothing (control characters) in {{where}}: "
            f"{value_shown(strings[control.index(True)])}",
            "Remove them: "
            + remark.place.code
            + r".str.replace(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]', '', regex=True)",
            texts.where(control),
        )
