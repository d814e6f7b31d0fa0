"""What to do about values of the wrong type: advice that was tried on the very values before it is printed.

A cure is printed only if it turns every value into what a person reads in it. What the values alone don't tell (is
``05/11/2026`` in May or in November?) is asked, not guessed.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.rows.input_frame import value_shown

__all__ = ["boolean_advice", "bytes_advice", "date_advice", "list_advice", "number_advice"]

Mask = npt.NDArray[np.bool_]

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Years that a text in a date column is taken for."""

FIRST_SERIAL_YEAR = 1950
"""Numbers are taken for days of a spreadsheet only from this year on: smaller ones are anything."""

SPREADSHEET_EPOCH = "1899-12-30"
"""Day 0 of a spreadsheet's calendar."""


@dataclass(frozen=True)
class Cure:
    """An expression, ``{}`` standing for the column in code, and what it does."""

    code: str
    apply: Callable[[pd.Series[Any]], pd.Series[Any]]


def first_that_works(cells: pd.Series[Any], cures: Iterable[Cure], wanted: Sequence[Any], code: str) -> str | None:
    """Return the first expression that turns the cells into what is wanted; None if none does."""
    for cure in cures:
        try:
            result = cure.apply(cells).tolist()
        except Exception:  # noqa: BLE001, S112 - whatever it raises: this is no advice
            continue
        if len(result) == len(wanted) and all(map(_same, result, wanted)):
            return cure.code.format(code)
    return None


def _same(result: Any, wanted: Any) -> bool:
    if wanted is None:
        return bool(pd.isna(result))
    if isinstance(wanted, bool):
        return isinstance(result, bool | np.bool_) and bool(result) is wanted
    if isinstance(wanted, float):
        return not isinstance(result, str) and bool(result == wanted)
    return bool(result == wanted)


def _cells(cells: pd.Series[Any]) -> list[Any]:
    """Return the cells, None for missing ones."""
    present = cells.notna().tolist()
    return [cell if there else None for cell, there in zip(cells.tolist(), present, strict=True)]


def _examples(values: Iterable[Any], most: int = 3) -> str:
    return ", ".join(list(dict.fromkeys(value_shown(value) for value in values))[:most])


# -- numbers -------------------------------------------------------------------------------------------------

_SIGN = r"[^\w\s.,()+\-%'\u2019]{1,3}"
_CURRENCY = re.compile(rf"^(?:[A-Z]{{3}}|{_SIGN}|[A-Z]{{1,2}}\$|kr|zł|円|元|원|Rs)\.?\s*", re.IGNORECASE)
_CURRENCY_BEHIND = re.compile(rf"\s*(?:[A-Z]{{3}}|{_SIGN}|kr|zł|Kč|円|元|원|,-|\.-)\.?$", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:[ '\u2019]\d{3})+(?:[.,]\d+)?", re.ASCII)
_POINT = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+", re.ASCII)
_READ_BY_READERS = re.compile(r"\s*[+-]?[\d.,]+\s*", re.ASCII)
"""A text of which files are read as numbers; with a currency it stays a text there."""
_COMMA = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?|,\d+", re.ASCII)

_SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?e[+-]?\d{1,2}", re.ASCII | re.IGNORECASE)

_PERCENT = re.compile(r"\s*(-?\d+(?:[.,]\d+)?)\s*%\s*", re.ASCII)

_NO_POINT_STYLE = r"[^\d.\-]"
_NO_COMMA_STYLE = r"[^\d,\-]"
_IN_PARENTHESES = r"^\((.*)\)$"


def _amounts(text: str) -> dict[str, float]:
    """Return what an amount in writing may mean, by its decimal sign."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain[1:-1].strip() if negative else plain
    sign, plain = _signed(plain)
    plain = _CURRENCY_BEHIND.sub("", _CURRENCY.sub("", plain, count=1), count=1).strip()
    again, plain = _signed(plain)
    sign = -1 if negative or sign * again < 0 else 1
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"[ '\u2019]", "", plain)
    found = {}
    if _POINT.fullmatch(plain):
        found["."] = sign * float(plain.replace(",", ""))
    elif _SCIENTIFIC.fullmatch(plain):
        found["."] = sign * float(plain)
    if _COMMA.fullmatch(plain):
        found[","] = sign * float(plain.replace(".", "").replace(",", "."))
    return found


def _signed(text: str) -> tuple[int, str]:
    if text[:1] in ("-", "+"):
        return (-1 if text[0] == "-" else 1), text[1:].strip()
    return 1, text


_NUMBER_CURES = {
    ".": (
        Cure("pd.to_numeric({})", pd.to_numeric),
        Cure(
            f"pd.to_numeric({{}}.replace(r'{_NO_POINT_STYLE}', '', regex=True))",
            lambda cells: pd.to_numeric(cells.replace(_NO_POINT_STYLE, "", regex=True)),
        ),
        Cure(
            f"pd.to_numeric({{}}.replace(r'{_IN_PARENTHESES}', r'-\\1', regex=True)"
            f".replace(r'{_NO_POINT_STYLE}', '', regex=True))",
            lambda cells: pd.to_numeric(
                cells.replace(_IN_PARENTHESES, r"-\1", regex=True).replace(_NO_POINT_STYLE, "", regex=True)
            ),
        ),
        Cure(  # digits of full width
            f"pd.to_numeric({{}}.str.normalize('NFKC').replace(r'{_NO_POINT_STYLE}', '', regex=True))",
            lambda cells: pd.to_numeric(cells.str.normalize("NFKC").replace(_NO_POINT_STYLE, "", regex=True)),
        ),
    ),
    ",": (
        Cure(
            f"pd.to_numeric({{}}.replace(r'{_NO_COMMA_STYLE}', '', regex=True).replace(',', '.', regex=True))",
            lambda cells: pd.to_numeric(
                cells.replace(_NO_COMMA_STYLE, "", regex=True).replace(",", ".", regex=True)
            ),
        ),
        Cure(
            f"pd.to_numeric({{}}.replace(r'{_IN_PARENTHESES}', r'-\\1', regex=True)"
            f".replace(r'{_NO_COMMA_STYLE}', '', regex=True).replace(',', '.', regex=True))",
            lambda cells: pd.to_numeric(
                cells.replace(_IN_PARENTHESES, r"-\1", regex=True)
                .replace(_NO_COMMA_STYLE, "", regex=True)
                .replace(",", ".", regex=True)
            ),
        ),
    ),
}


def number_advice(cells: pd.Series[Any], wrong: Mask, code: str) -> str:
    """Return what makes numbers of cells, or the question that has to be answered first.

    Parameters
    ----------
    cells : pandas.Series
        The column.
    wrong : numpy.ndarray
        Which cells are meant.
    code : str
        The column in code.
    """
    values = _cells(cells)
    odd = [value for value, meant in zip(values, wrong.tolist(), strict=True) if meant]
    if all(isinstance(value, bool | np.bool_) for value in odd):
        wanted = [None if value is None else float(value) if _is_real(value) else value for value in values]
        told = first_that_works(
            cells,
            [
                Cure("{}.astype(int)", lambda given: given.astype(int)),
                Cure("{}.astype('Int64')", lambda given: given.astype("Int64")),
            ],
            wanted,
            code,
        )
        return f"If 1 is meant for True and 0 for False: {told}" if told else "Say which number each stands for"
    if all(isinstance(value, dt.timedelta | np.timedelta64) for value in odd):
        return f"In which unit? Hours, for example, are {code} / pd.Timedelta(hours=1); then choose that column"
    if all(isinstance(value, dt.date | dt.time | np.datetime64) for value in odd):
        return "Is this the right column? Dates are no numbers"
    return _number_from_texts(cells, values, odd, code)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | np.number | np.bool_)


def _number_from_texts(cells: pd.Series[Any], values: list[Any], odd: list[Any], code: str) -> str:
    meanings = [_amounts(value) if isinstance(value, str) else None for value in values]
    unread = [value for value, meaning in zip(values, meanings, strict=True) if _is_no_number(value, meaning)]
    if unread:
        return _correct_what_is_no_number(unread)
    signs = [sign for sign in (".", ",") if all(sign in meaning for meaning in meanings if meaning is not None)]
    if not signs:
        both = list(zip(values, meanings, strict=True))
        point = next(value for value, meaning in both if meaning and "," not in meaning)
        comma = next(value for value, meaning in both if meaning and "." not in meaning)
        return f"The decimal sign changes within the column ({point!r}, {comma!r}): write all numbers one way"
    read = {
        sign: [
            (None if value is None else float(value)) if meaning is None else meaning[sign]
            for value, meaning in zip(values, meanings, strict=True)
        ]
        for sign in signs
    }
    if len(signs) > 1 and read["."] != read[","]:
        return _ask_for_the_decimal_sign(cells, values, read, code)
    told = first_that_works(cells, _NUMBER_CURES[signs[0]], read[signs[0]], code)
    return f"Make it a number: {told}" if told else f"Make numbers of {_examples(odd)}, and of no other form"


def _is_no_number(value: Any, meaning: dict[str, float] | None) -> bool:
    """Tell whether a cell is neither a number nor missing nor, by what its text may mean, an amount in writing."""
    return not meaning if isinstance(value, str) else value is not None and not _is_real(value)


def _correct_what_is_no_number(unread: list[Any]) -> str:
    blank = [value for value in unread if isinstance(value, str) and not value.strip()]
    if len(blank) == len(unread):
        return "An empty text is no number: fill it, or make it missing and say drop_missing=True"
    doubt = ""
    if isinstance(unread[0], str) and (percent := _PERCENT.fullmatch(unread[0])):
        number = Decimal(percent[1].replace(",", "."))
        doubt = f" (is {unread[0]!r} {number.scaleb(-2).normalize():f} or {number:f}?)"
    return f"Correct what is no number: {_examples(value for value in unread if value not in blank)}{doubt}"


def _ask_for_the_decimal_sign(
    cells: pd.Series[Any], values: list[Any], read: dict[str, list[float | None]], code: str
) -> str:
    """Ask about the first text that is two numbers; ``read`` holds the column by either decimal sign."""
    doubtful = next(value for value, one, other in zip(values, read["."], read[","], strict=True) if one != other)
    point, comma = (_amounts(doubtful)[sign] for sign in (".", ","))
    asked = f"Is {doubtful!r} {value_shown(point)} or {value_shown(comma)}? The column does not tell"
    if all(_READ_BY_READERS.fullmatch(value) for value in values if isinstance(value, str)):
        return f"{asked}: read the file with its decimal sign, rf.read_rows(path, decimal=…)"
    one, other = (first_that_works(cells, _NUMBER_CURES[sign], read[sign], code) for sign in (".", ","))
    return (
        f"{asked}. For {value_shown(point)}: {one}; for {value_shown(comma)}: {other}"
        if one and other
        else f"{asked}: write the numbers without currencies and groups of three"
    )


# -- dates ---------------------------------------------------------------------------------------------------

_DAYS = (
    "%d.%m.%Y|%d/%m/%Y|%m/%d/%Y|%d-%m-%Y|%m-%d-%Y|%Y/%m/%d|%Y.%m.%d|%Y-%m-%d|%Y%m%d|%d.%m.%y|%d/%m/%y|%m/%d/%y|"
    "%y/%m/%d|%d-%m-%y|%m-%d-%y|%y-%m-%d|%d %B %Y|%d %b %Y|%d. %B %Y|%d. %b %Y|%B %d, %Y|%b %d, %Y|%d-%b-%Y|"
    "%d-%b-%y|%Y年%m月%d日"
)
_TIMES = ("", " %H:%M", " %H:%M:%S")


_BY_DIGITS = Cure(
    "pd.to_datetime({}.astype('Int64').astype('string'), format='%Y%m%d')",
    lambda given: pd.to_datetime(given.astype("Int64").astype("string"), format="%Y%m%d"),
)
_BY_DAYS = Cure(
    f"pd.to_datetime({{}}, unit='D', origin='{SPREADSHEET_EPOCH}')",
    lambda given: pd.to_datetime(given, unit="D", origin=SPREADSHEET_EPOCH),
)
_BY_DAYS_IN_OBJECTS = Cure(
    f"pd.to_datetime(pd.to_numeric({{}}), unit='D', origin='{SPREADSHEET_EPOCH}')",
    lambda given: pd.to_datetime(pd.to_numeric(given), unit="D", origin=SPREADSHEET_EPOCH),
)


def date_advice(cells: pd.Series[Any], wrong: Mask, code: str) -> str:
    """Return what makes dates of cells, or the question that has to be answered first.

    Parameters are those of `number_advice`.
    """
    values = _cells(cells)
    odd = [value for value, meant in zip(values, wrong.tolist(), strict=True) if meant]
    present = [value for value in values if value is not None]
    if all(_is_real(value) and not isinstance(value, bool | np.bool_) for value in present):
        return _date_from_numbers(cells, present, code)
    if dt.time() in odd:
        return "Is this the right column? 00:00:00 is a 0 in the sheet: a formula makes it of an empty cell"
    if not all(isinstance(value, str) for value in present):
        return f"Is this the right column? {_examples(odd)} can't be told to be a date"
    if not all(any(map(str.isdigit, value)) for value in present):
        return f"Write all of them as 2026-11-23: {_examples(value for value in odd)} names no day"
    if not any(value.strip() for value in odd):
        return "An empty text is no date: make it missing (None), which prints blank"
    return _date_from_texts(cells, present, odd, code)


def _date_from_numbers(cells: pd.Series[Any], present: list[Any], code: str) -> str:
    for cure, first_year in (
        (_BY_DIGITS, FIRST_YEAR),
        (_BY_DAYS, FIRST_SERIAL_YEAR),
        (_BY_DAYS_IN_OBJECTS, FIRST_SERIAL_YEAR),
    ):
        if _plausible(_dates_of(cells, cure), cells, first_year):
            return f"Make it a date: {cure.code.format(code)}"
    return f"Which days are {_examples(present)}? They are neither 20261105 nor a spreadsheet's days"


def _dates_of(cells: pd.Series[Any], cure: Cure) -> pd.Series[Any] | None:
    try:
        return cure.apply(cells)
    except (ValueError, TypeError, OverflowError):
        return None


def _plausible(dates: pd.Series[Any] | None, cells: pd.Series[Any], first_year: int = FIRST_YEAR) -> bool:
    if dates is None or not pd.api.types.is_datetime64_any_dtype(dates.dtype):
        return False
    present = cells.notna().to_numpy(dtype=bool)
    years = dates.dt.year.to_numpy(dtype=float, na_value=np.nan)[present]
    return bool(len(years)) and bool(((years >= first_year) & (years <= LAST_YEAR)).all())


def _date_from_texts(cells: pd.Series[Any], present: list[str], odd: list[str], code: str) -> str:
    numbers = all(value.strip().isdecimal() and len(value.strip()) < len("20261105") for value in present)
    if numbers and _plausible(_dates_of(cells, _BY_DAYS_IN_OBJECTS), cells, FIRST_SERIAL_YEAR):
        return f"Make it a date: {_BY_DAYS_IN_OBJECTS.code.format(code)}"
    sample = pd.Series(list(dict.fromkeys(present))[:1], dtype=object)
    readings: list[tuple[str, list[Any]]] = []
    for form in (day + time for day in _DAYS.split("|") for time in _TIMES):
        if _dates_of(sample, _by_format(form)) is None:
            continue  # the first value tells most of them apart
        dates = _dates_of(cells, _by_format(form))
        if dates is not None and _plausible(dates, cells):
            days = dates.tolist()
            if all(days != others for _, others in readings):
                readings.append((form, days))
    if len(readings) == 1:
        return f"Make it a date: {_by_format(readings[0][0]).code.format(code)}"
    if readings:
        (one, first), (other, second) = readings[:2]
        differ = [a != b and not pd.isna(a) for a, b in zip(first, second, strict=True)]
        place = differ.index(True)
        return (
            f"Is {value_shown(cells.iloc[place])} {first[place]:%Y-%m-%d} or {second[place]:%Y-%m-%d}? The column "
            f"does not tell. Read it with its format, {one!r} or {other!r}, by pd.to_datetime"
        )
    return f"Write all of them one way, as 2026-11-23: there is no one format for {_examples([*odd, *present])}"


def _by_format(form: str) -> Cure:
    return Cure(f"pd.to_datetime({{}}, format={form!r})", lambda given: pd.to_datetime(given, format=form))


# -- booleans ------------------------------------------------------------------------------------------------

_WORDS = {
    True: "true yes y ja j oui vrai si sí sim tak да on wahr verdadero 1 1.0 はい 有 有り ○ ◯ ✓ ✔ 是",
    False: "false no n nein non faux não nie нет off falsch falso 0 0.0 いいえ 無 無し \u00d7 ✗ ✘ 否",
}
_BOOLEANS = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}


def boolean_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes true and false of cells, or the question that has to be answered first."""
    values = _cells(cells)
    distinct: dict[Any, bool] = {}
    unknown = []
    for value in dict.fromkeys(value for value in values if value is not None and value.__hash__):
        known = _boolean(value)
        if known is None:
            unknown.append(value)
        else:
            distinct[value.item() if isinstance(value, np.generic) else value] = known
    if unknown or not distinct:
        return f"Say which of them is true: {_examples(unknown or values)}"
    wanted = [None if value is None else _boolean(value) for value in values]
    told = first_that_works(
        cells, [Cure(f"{{}}.map({_braced(distinct)})", lambda given: given.map(distinct))], wanted, code
    )
    return f"Make it boolean: {told}" if told else f"Make true and false of {_examples(values)}"


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        return bool(value) if value in (0, 1) else None
    return _BOOLEANS.get(value.strip().casefold()) if isinstance(value, str) else None


def _braced(mapping: dict[Any, bool]) -> str:
    """Return a dict in code that survives ``str.format``."""
    return repr(mapping).replace("{", "{{").replace("}", "}}")


# -- texts ---------------------------------------------------------------------------------------------------


def list_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes one text of lists, or the question that has to be answered first."""
    values = _cells(cells)
    items = [item for value in values if isinstance(value, list | tuple | np.ndarray) for item in value]
    if any(isinstance(value, dict) for value in values) or not all(
        isinstance(item, str | int | np.integer) and not isinstance(item, bool) for item in items
    ):
        return "Choose what of it is printed, and make one text of it"
    wanted = [
        ", ".join(map(str, value)) if isinstance(value, list | tuple | np.ndarray) else value for value in values
    ]
    told = first_that_works(
        cells,
        [
            Cure("{}.str.join(', ')", lambda given: given.str.join(", ")),
            Cure("{}.map(lambda items: ', '.join(map(str, items)))", lambda given: given.map(_joined)),
            Cure(
                "{}.map(lambda items: ', '.join(map(str, items)), na_action='ignore')",
                lambda given: given.map(_joined, na_action="ignore"),
            ),
            Cure(
                "{}.map(lambda cell: ', '.join(map(str, cell)) if isinstance(cell, (list, tuple)) else cell)",
                lambda given: given.map(
                    lambda items: _joined(items) if isinstance(items, list | tuple) else items
                ),
            ),
        ],
        wanted,
        code,
    )
    return f"Join them to one text: {told}" if told else "Join them to one text"


def _joined(items: Any) -> str:
    return ", ".join(map(str, items))


def bytes_advice(cells: pd.Series[Any], code: str) -> str:
    """Return what makes texts of bytes, or the question that has to be answered first."""
    values = _cells(cells)
    try:
        wanted = [
            bytes(value).decode("utf-8") if isinstance(value, bytes | bytearray | memoryview) else value
            for value in values
        ]
    except UnicodeDecodeError:
        return "They are no UTF-8: decode them with the encoding that they were written in, or leave them out"
    if not all(value.replace("\n", " ").isprintable() for value in wanted if isinstance(value, str)):
        return "They are no text: leave them out, or give them to a parameter for images"
    told = first_that_works(
        cells,
        [
            Cure("{}.str.decode('utf-8')", lambda given: given.str.decode("utf-8")),
            Cure(
                "{}.map(lambda cell: cell.decode('utf-8') if isinstance(cell, bytes) else cell)",
                lambda given: given.map(lambda cell: cell.decode("utf-8") if isinstance(cell, bytes) else cell),
            ),
        ],
        wanted,
        code,
    )
    return f"Decode them: {told}" if told else "Decode them as UTF-8"
