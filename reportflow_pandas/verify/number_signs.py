"""The sign of a number on paper, and whether a design prints it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reportflow_pandas.verify.document_text import DocumentText, Place

__all__ = [
    "NUMBER_KIND",
    "SignCounts",
    "is_number_kind",
    "sign_of",
    "signs_agree",
    "signs_not_judged",
    "told_with_sign",
]

NUMBER_KIND = "number"
"""Of forms in which a negative number has a sign and another one has none.

Others say what they have: ``number-+`` is the usual, first of a negative one and then of others; ``?`` is either.
"""
_USUAL = "-+"
_SIGNS = "-▲△"
_MOST_BETWEEN = 3
"""Characters between a sign and its number, as of a currency."""
_OFTEN_OTHERWISE, _SURELY_OTHERWISE = 0.25, 0.9
"""Share of numbers that are not negative and have a sign: from here it is no slip, and from here a rule."""
_LEAST_OTHERWISE, _ENOUGH_OTHERWISE = 2, 10


def sign_of(document: DocumentText, place: Place) -> str:
    """Return the sign that makes a number negative, or that of a credit; else nothing.

    It stands before the number, with a currency between them or without, or behind it.
    """
    return _sign_before(document, place) or _sign_after(document, place)


def _sign_before(document: DocumentText, place: Place) -> str:
    stream, edges = document.stream, document.edges
    at = place.begin - 1
    for _ in range(_MOST_BETWEEN):
        if at < 0:
            return ""
        char = stream[at]
        if char in _SIGNS:
            # within "2026-5" or "INV-5" it is a hyphen
            own = char != "-" or at == 0 or edges[at] == 1 or not stream[at - 1].isalnum()
            return char if own else ""
        if char == "(":
            after = stream[place.end : place.end + _MOST_BETWEEN].partition(")")
            return "(" if after[1] and not any(map(str.isalnum, after[0])) else ""
        if char.isalnum() or edges[at + 1]:
            return ""
        at -= 1
    return ""


def _sign_after(document: DocumentText, place: Place) -> str:
    """Return a sign at the end of the number's unit or right behind it: ``5,00-``, ``5.00 CR``."""
    stream, end = document.stream, place.end
    char = stream[end : end + 1]
    if char not in ("-", "d", "c"):
        return ""
    unit = document.units[document.unit_at(place.begin)]
    if end >= unit.end:
        return ""
    if char == "-":
        is_own = end + 1 == unit.end or (not document.edges[end] and not stream[end + 1].isalnum())
        return char if is_own else ""
    word = stream[end : unit.end].rstrip(".")
    return word if word in ("dr", "cr") else ""


def told_with_sign(document: DocumentText, place: Place) -> str:
    """Return a number as it is printed, with what stands between it and its sign."""
    begin, end = place
    if sign := _sign_before(document, place):
        begin = document.stream.rindex(sign, 0, begin)
    elif sign := _sign_after(document, place):
        end = document.stream.index(sign, end) + len(sign)
    return document.raw(begin, end)


def is_number_kind(kind: str) -> bool:
    """Tell whether a form of this kind is one of numbers."""
    return kind.startswith(NUMBER_KIND)


def signs_agree(kind: str, number: Decimal, document: DocumentText, place: Place) -> bool:
    """Tell whether the number at a place has the sign that a form of this kind gives it."""
    if not number:
        return True
    rule = (kind[len(NUMBER_KIND) :] or _USUAL)[number > 0]
    if rule == "?":
        return True
    sign = sign_of(document, place)
    return sign not in ("", "cr") if rule == "-" else sign in ("", "(", "cr")


def signs_not_judged(kinds: Iterable[str]) -> str:
    """Return why the sign of a parameter with forms of these kinds is not judged; an empty text where it is."""
    rules = {kind[len(NUMBER_KIND) :] for kind in kinds if is_number_kind(kind)}
    if any(rule.startswith("?") for rule in rules):
        return "many negative numbers are printed without it"
    return "some numbers that are not negative are printed with it" if any("?" in rule for rule in rules) else ""


class SignCounts:
    """How often numbers of one parameter were printed with the sign that they have, and otherwise."""

    def __init__(self) -> None:
        self._agree = {True: 0, False: 0}
        self._otherwise = {True: 0, False: 0}

    def add(self, number: Decimal, *, agrees: bool) -> None:
        """Count a number."""
        if number:
            (self._agree if agrees else self._otherwise)[number < 0] += 1

    def kind(self) -> str:
        """Return the kind of the forms of numbers that are printed like these."""
        agree, other = self._agree[True], self._otherwise[True]
        negative = "?" if other and other >= agree else "-"
        agree, other = self._agree[False], self._otherwise[False]
        rest = "+"
        if other >= _ENOUGH_OTHERWISE and other >= _SURELY_OTHERWISE * (agree + other):
            rest = "-"
        elif other and (other >= agree or (other >= _LEAST_OTHERWISE and other >= _OFTEN_OTHERWISE * agree)):
            rest = "?"
        rule = negative + rest
        return NUMBER_KIND if rule == _USUAL else NUMBER_KIND + rule
