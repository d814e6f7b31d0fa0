"""Columns of texts become numbers, dates and booleans where every value says so beyond doubt."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

__all__ = ["Inferred", "groups_thousands_only", "inferred", "numbers_in", "series_of_texts"]

_WHOLE = re.compile(r"0|-?[1-9]\d{0,14}", re.ASCII)
_NUMBER = re.compile(rf"(?:{_WHOLE.pattern}|-?(?:0|[1-9]\d{{0,14}})\.\d+)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MIDNIGHT = re.compile(rf"{_DATE.pattern}[ T]00:00:00", re.ASCII)
"""How databases export dates. Another time of day stays text: it is sent as it stands."""
_GROUPED_ONCE = re.compile(r"-?[1-9]\d{0,2}(?:\.\d{3})+|0|-?[1-9]\d{0,2}", re.ASCII)

NO_NUMBER = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
"""Missing in a column of numbers or dates only: elsewhere ``NA`` is Namibia."""

_BOOLEANS = {"true": True, "false": False}
"""As programs write them, in any of the cases below."""
_CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.capitalize)

_SPACES = " \u00a0\u202f\u2009"
_GROUPING = {",": f".{_SPACES}'\u2019", ".": f",{_SPACES}'\u2019"}
"""What groups digits beside each decimal sign, where it is not given."""

MAX_FLOAT_DIGITS = 15
"""Digits that every float keeps."""


@dataclass(frozen=True)
class Inferred:
    """A column of texts, read.

    Attributes
    ----------
    cells : pandas.Series
        Its values.
    kind : str
        ``"text"``, ``"number"`` (as it stands), ``"decimal"`` (with the signs of a country), ``"ambiguous"``,
        ``"date"``, ``"boolean"``.
    missing : list of int
        Positions of words such as NA that are taken as missing.
    decimal : str
        The decimal sign of a ``"decimal"``.
    """

    cells: pd.Series[Any]
    kind: str
    missing: Sequence[int] = ()
    decimal: str = "."


def series_of_texts(texts: Sequence[str]) -> pd.Series[Any]:
    """Return texts as a column; an empty one is missing."""
    return pd.Series([text or None for text in texts], dtype="str")


def inferred(texts: Sequence[str], decimal: str | None, thousands: str | None) -> Inferred:
    """Return numbers, dates or booleans where each value says so beyond doubt, else the texts.

    Parameters
    ----------
    texts : sequence of str
        A column as it stands in the file; empty: missing.
    decimal, thousands : str, optional
        Signs that are known; None: found out.
    """
    words = [at for at, text in enumerate(texts) if text in _NO_NUMBER_SET]
    present = [text for text in texts if text and text not in _NO_NUMBER_SET]
    if not present:
        return Inferred(series_of_texts(texts), "text")
    found = _numbers(texts, present, decimal, thousands)
    if found is None:
        found = _dates(texts, present)
    if found is not None:
        return Inferred(found.cells, found.kind, words if found.kind != "ambiguous" else (), found.decimal)
    booleans = None if words else _truths(texts, present)
    return booleans if booleans is not None else Inferred(series_of_texts(texts), "text")


_NO_NUMBER_SET = frozenset(NO_NUMBER)


def _numbers(
    texts: Sequence[str], present: Sequence[str], decimal: str | None, thousands: str | None
) -> Inferred | None:
    if decimal is None and thousands is None:
        if all(map(_WHOLE.fullmatch, present)):
            return Inferred(_wholes(texts), "number")
        if all(map(_NUMBER.fullmatch, present)):
            return Inferred(_decimals(texts, {text: text for text in present}), "number")
        return _by_country(texts, present)
    sign = decimal or ("," if thousands == "." else ".")
    plain = numbers_in(present, sign, thousands)
    if plain is None or (thousands is None and _spaced_wholes(plain)):
        return None
    if all(map(_WHOLE.fullmatch, present)):
        return Inferred(_wholes(texts), "number")
    kind = "number" if all(text == other for text, other in plain.items()) else "decimal"
    return Inferred(_decimals(texts, plain), kind, (), sign)


def _by_country(texts: Sequence[str], present: Sequence[str]) -> Inferred | None:
    """Return numbers with the decimal sign that every value agrees with, if only one sign does."""
    readings = {sign: numbers_in(present, sign, None) for sign in (",", ".")}
    possible = {sign: plain for sign, plain in readings.items() if plain is not None}
    # 123 456 789 may be a telephone and 192.168.100.200 a computer: only decimals tell that these are numbers
    if len(possible) == 2 or not any("." in number for plain in possible.values() for number in plain.values()):
        return Inferred(series_of_texts(texts), "ambiguous") if possible else None
    for sign, plain in possible.items():
        return Inferred(_decimals(texts, plain), "decimal", (), sign)
    return None


def numbers_in(present: Sequence[str], decimal: str, thousands: str | None) -> dict[str, str] | None:
    """Return each text as a plain number, if all of them are numbers with these signs."""
    pattern = _pattern(decimal, _GROUPING[decimal] if thousands is None else thousands)
    plain: dict[str, str] = {}
    for text in present:
        found = pattern.fullmatch(text)
        if found is None:
            return None
        whole = re.sub(r"[^\d-]", "", found["whole"])
        part = found["part"]
        if len(whole.lstrip("-")) > MAX_FLOAT_DIGITS or (whole == "-0" and not part):
            return None  # digits, or a sign, that a number loses
        plain[text] = f"{whole}.{part}" if part else whole
    return plain


def _pattern(decimal: str, grouping: str) -> re.Pattern[str]:
    group = f"[{re.escape(grouping)}]"
    return re.compile(
        rf"(?P<whole>-?(?:0|[1-9]\d*|[1-9]\d{{0,2}}(?:(?P<sign>{group})\d{{3}})(?:(?P=sign)\d{{3}})*))"
        rf"(?:{re.escape(decimal)}(?P<part>\d+))?",
        re.ASCII,
    )


def _spaced_wholes(plain: Mapping[str, str]) -> bool:
    """Tell whether digits stand in groups with spaces between, and no number has decimals: telephones do."""
    grouped = any(sign in text for text in plain for sign in f"{_SPACES}'\u2019")
    return grouped and not any("." in number for number in plain.values())


def groups_thousands_only(texts: Sequence[str]) -> bool:
    """Tell whether numbers such as ``1.234`` may be thousands in a file whose decimal sign is the comma."""
    present = [text for text in texts if text and text not in _NO_NUMBER_SET]
    return any("." in text for text in present) and all(map(_GROUPED_ONCE.fullmatch, present))


def _wholes(texts: Sequence[str]) -> pd.Series[Any]:
    values = [int(text) if text and text not in _NO_NUMBER_SET else None for text in texts]
    return pd.Series(values, dtype="Int64" if None in values else "int64")


def _decimals(texts: Sequence[str], plain: dict[str, str]) -> pd.Series[Any]:
    if all(map(_survives, set(plain.values()))):
        return pd.Series([float(plain[text]) if text in plain else None for text in texts], dtype="float64")
    exact = [Decimal(plain[text]) if text in plain else None for text in texts]
    return pd.Series(exact, dtype=object)


def _survives(number: str) -> bool:
    """Tell whether a float of this number is written as it stands here."""
    return "." not in number or (str(float(number)) == number and not number.endswith("0"))


def _dates(texts: Sequence[str], present: Sequence[str]) -> Inferred | None:
    if not (all(map(_DATE.fullmatch, present)) or all(map(_MIDNIGHT.fullmatch, present))):
        return None
    with contextlib.suppress(ValueError):  # the 31st of February stays as it stands
        cells = pd.Series([text if text and text not in _NO_NUMBER_SET else None for text in texts], dtype=object)
        return Inferred(pd.to_datetime(cells, format="ISO8601"), "date")
    return None


def _truths(texts: Sequence[str], present: Sequence[str]) -> Inferred | None:
    words = set(present)
    for case in _CASES:
        if words <= {case(word) for word in _BOOLEANS}:
            values = [_BOOLEANS[text.lower()] if text else None for text in texts]
            return Inferred(pd.Series(values, dtype="boolean" if None in values else "bool"), "boolean")
    return None
