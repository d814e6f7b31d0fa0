"""What makes numbers of texts and amounts: each way is tried on the very values before it is printed."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.rows.advice import Cure, Mask, cell_list, examples, first_that_works, is_real
from reportflow_pandas.rows.input_frame import value_shown

__all__ = ["number_advice"]

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
    values = cell_list(cells)
    odd = [value for value, meant in zip(values, wrong.tolist(), strict=True) if meant]
    if all(isinstance(value, bool | np.bool_) for value in odd):
        wanted = [None if value is None else float(value) if is_real(value) else value for value in values]
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
    return f"Make it a number: {told}" if told else f"Make numbers of {examples(odd)}, and of no other form"


def _is_no_number(value: Any, meaning: dict[str, float] | None) -> bool:
    """Tell whether a cell is neither a number nor missing nor, by what its text may mean, an amount in writing."""
    return not meaning if isinstance(value, str) else value is not None and not is_real(value)


def _correct_what_is_no_number(unread: list[Any]) -> str:
    blank = [value for value in unread if isinstance(value, str) and not value.strip()]
    if len(blank) == len(unread):
        return "An empty text is no number: fill it, or make it missing and say drop_missing=True"
    doubt = ""
    if isinstance(unread[0], str) and (percent := _PERCENT.fullmatch(unread[0])):
        number = Decimal(percent[1].replace(",", "."))
        doubt = f" (is {unread[0]!r} {number.scaleb(-2).normalize():f} or {number:f}?)"
    return f"Correct what is no number: {examples(value for value in unread if value not in blank)}{doubt}"


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
