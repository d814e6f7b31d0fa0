"""Number formats of spreadsheets: the text that a reader sees for a value (ECMA-376, part 1, 18.8.31).

Only what is the same on every computer is told. A format that depends on the reader's own settings (month names of
another language, eras), and fractions, have no text here.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from reportflow_pandas.reading.shown import as_written

__all__ = ["FormatCode", "parsed_format"]

_ENGLISH = {"409", "809", "c09", "1009", "1409", "1809"}
"""Language codes whose month names are English."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKENS = re.compile(
    r"""
    (?P<literal>"[^"]*"|\\.)
    | (?P<space>_.)
    | (?P<fill>\*.)
    | (?P<bracket>\[[^\]]*\])
    | (?P<ampm>AM/PM|A/P)
    | (?P<general>General)
    | (?P<date>y+|m+|d+|h+|s+(?:\.0+)?)
    | (?P<era>e+|g+|a{3,}|b+)
    | (?P<exponent>E[+-])
    | (?P<digit>[0#?])
    | (?P<point>\.)
    | (?P<comma>,)
    | (?P<percent>%)
    | (?P<text>@)
    | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_COLOUR = re.compile(r"\[(black|blue|cyan|green|magenta|red|white|yellow|colou?r ?\d+)\]", re.IGNORECASE)
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-([0-9A-Fa-f]+))?[^\]]*\]")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_NUMBER_SECTIONS = 3
"""Sections of a format for positive and negative numbers and zero; a fourth is for texts."""

_MAX_DIGITS = 340
"""Digits of the largest float, and room for scaling."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class _Plain:
    """A section of zeros, thousands, decimals and texts around them: nearly all are so, and shown quickly."""

    before: str
    zeros: int
    group: bool
    decimals: Decimal
    percent: bool
    after: str

    def shown(self, number: Decimal, decimal: str, thousands: str) -> str:
        rounded = (number.scaleb(2) if self.percent else number).quantize(self.decimals, rounding=ROUND_HALF_UP)
        text = f"{rounded:,f}" if self.group else f"{rounded:f}"
        if decimal != "." or (self.group and thousands != ","):
            text = text.translate({ord(","): thousands, ord("."): decimal})
        if self.zeros > 1:
            whole, sign, part = text.partition(decimal)
            text = whole.rjust(self.zeros, "0") + sign + part
        return f"{self.before}{text}{self.after}"


@dataclass(frozen=True)
class FormatCode:
    """A number format.

    Parameters
    ----------
    code : str
        As the file has it, in English notation.
    """

    code: str
    sections: Sequence[Sequence[_Token]]
    known: bool = True
    plain: Sequence[_Plain | None] = ()

    @functools.cached_property
    def general(self) -> bool:
        """Whether the value is shown as it is."""
        kinds = {token.kind for section in self.sections for token in section}
        return bool(kinds) and kinds <= {"general", "text"}

    @functools.cached_property
    def is_date(self) -> bool:
        """Whether numbers are shown as dates or times."""
        return any(token.kind in ("date", "elapsed", "era") for token in self.sections[0])

    @functools.cached_property
    def whole_date(self) -> bool:
        """Whether year, month and day are shown."""
        first = {token.text[0].lower() for token in self._first() if token.kind in ("date", "month")}
        return {"y", "m", "d"} <= first

    @functools.cached_property
    def shows_time(self) -> bool:
        """Whether hours, minutes or seconds are shown."""
        return any(
            token.kind == "elapsed" or (token.kind == "date" and token.text[0].lower() in "hns")
            for token in self._first()
        )

    @functools.cached_property
    def of_texts(self) -> bool:
        """Whether texts may be shown otherwise than they are: with words around them, or not at all."""
        kinds = {token.kind for token in self._of_texts()}
        return len(self.sections) > _NUMBER_SECTIONS or ("text" in kinds and kinds != {"text"})

    @functools.cached_property
    def scales(self) -> bool:
        """Whether another number than the cell's is shown: percents, thousands, millions."""
        return any(token.kind in ("percent", "scale") for token in self._first())

    @functools.cached_property
    def pads(self) -> bool:
        """Whether whole numbers get leading zeros: ``00000``."""
        kinds = {token.kind for token in self._first()}
        before_point = "".join(token.text for token in self._before_point())
        return "percent" not in kinds and bool(re.search(r"0[^0#?]*0", before_point))

    def _first(self) -> Sequence[_Token]:
        return self.sections[0]

    def _before_point(self) -> list[_Token]:
        tokens: list[_Token] = []
        for token in self._first():
            if token.kind == "point":
                break
            if token.kind == "digit":
                tokens.append(token)
        return tokens

    def shown(self, value: Any, decimal: str = ".", thousands: str = ",") -> str | None:
        """Return the text that a reader sees, None where that depends on the reader's computer.

        Parameters
        ----------
        value
            Number, date, time or duration.
        decimal, thousands : str
            The reader's signs.

        Examples
        --------
        >>> parsed_format("00000").shown(171), parsed_format("0%").shown(0.19)
        ('00171', '19%')
        """
        if isinstance(value, str):
            return self._text_shown(value) if self.of_texts else None
        if not self.known:
            return None
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
            return _moment_shown(self.sections[0], value, decimal)
        if isinstance(value, int | float | Decimal) and not self.is_date:
            return self._number_shown(Decimal(str(value)), decimal, thousands)
        return None

    def _of_texts(self) -> Sequence[_Token]:
        last = self.sections[min(_NUMBER_SECTIONS, len(self.sections) - 1)]
        return last if len(self.sections) > _NUMBER_SECTIONS or any(part.kind == "text" for part in last) else ()

    def _text_shown(self, text: str) -> str:
        pieces = [text if token.kind in ("text", "general") else token.text for token in self._of_texts()]
        kept = [token.kind in ("text", "general", "literal") for token in self._of_texts()]
        return "".join(itertools.compress(pieces, kept))

    def _number_shown(self, number: Decimal, decimal: str, thousands: str) -> str | None:
        sections = self.sections[:3]
        negative = number < 0
        at = 1 if negative and len(sections) > 1 else 2 if number == 0 and len(sections) > 2 else 0
        plain = self.plain[at]
        if plain is not None and abs(number) < _PLAIN_BELOW:
            text: str | None = plain.shown(abs(number), decimal, thousands)
        else:
            text = _number(sections[at], abs(number), decimal, thousands)
        if text is None or not negative or at:
            return text
        return f"-{text}" if any(character in "123456789" for character in text) else text


@functools.lru_cache(maxsize=512)
def parsed_format(code: str) -> FormatCode:
    """Return a number format, ready to show values."""
    sections: list[list[_Token]] = [[]]
    known = True
    for found in _TOKENS.finditer(code):
        kind, text = str(found.lastgroup), found.group()
        if text == ";":
            sections.append([])
            continue
        token: _Token | None
        token, understood = _token(kind, text)
        known &= understood
        if token is not None:
            sections[-1].append(token)
    ready = [_scaled(_minutes(section)) for section in sections]
    return FormatCode(code, ready, known, [_plain(section) for section in ready])


def _plain(section: Sequence[_Token]) -> _Plain | None:
    kinds = "".join(_LETTERS.get(token.kind, "x") for token in section)
    found = _PLAIN.fullmatch(kinds)
    if found is None:
        return None
    digits = "".join(token.text for token in section[found.start("digits") : found.end("digits")])
    if not _PLAIN_DIGITS.fullmatch(digits):
        return None
    whole, _, part = digits.partition(".")
    return _Plain(
        "".join(token.text for token in section[: found.end("before")]),
        whole.replace(",", "").count("0"),
        "," in whole,
        Decimal(1).scaleb(-len(part)),
        bool(found["percent"]),
        found["percent"] + "".join(token.text for token in section[found.start("after") :]),
    )


_LETTERS = {"literal": "l", "digit": "d", "group": "d", "point": "d", "percent": "%"}
_PLAIN = re.compile("(?P<before>l*)(?P<digits>d+)(?P<percent>%?)(?P<after>l*)")
_PLAIN_DIGITS = re.compile(r"(?:0+|#,##0)(?:\.0+)?")
_PLAIN_BELOW = 10**20
"""Numbers that Decimal rounds exactly with its usual precision."""


def _token(kind: str, text: str) -> tuple[_Token | None, bool]:
    """Return what a piece of a format means, and whether that is the same on every computer."""
    if kind == "literal":
        return _Token("literal", text[1:-1] if text.startswith('"') else text[1:]), True
    if kind == "bracket":
        return _bracket(text)
    if kind == "other":
        kind = "fraction" if text == "/" else "literal"
    text = " " if kind == "space" else text
    return None if kind == "fill" else _Token(kind, text), kind not in ("era", "exponent")


def _bracket(text: str) -> tuple[_Token | None, bool]:
    if _COLOUR.fullmatch(text):
        return None, True
    if elapsed := _ELAPSED.fullmatch(text):
        return _Token("elapsed", elapsed[1].lower()), True
    if currency := _CURRENCY.fullmatch(text):
        sign, language = currency[1], (currency[2] or "").lower()
        if sign:
            return _Token("literal", sign), True
        return None, language.lstrip("0") in _ENGLISH
    return None, False  # a condition such as [>100]


def _minutes(section: list[_Token]) -> list[_Token]:
    """Return a section in which months and minutes, both ``m``, are told apart by their neighbours."""
    parts = [at for at, token in enumerate(section) if token.kind in ("date", "elapsed")]
    renamed = list(section)
    for place, at in enumerate(parts):
        token = section[at]
        if token.kind != "date" or token.text[0].lower() != "m":
            continue
        before = section[parts[place - 1]].text[0].lower() if place else ""
        after = section[parts[place + 1]].text[0].lower() if place + 1 < len(parts) else ""
        if len(token.text) <= 2 and (before == "h" or after == "s"):
            renamed[at] = _Token("date", "n" * len(token.text))
    if parts:  # a date's separators are no fractions
        renamed = [_Token("literal", "/") if token.kind == "fraction" else token for token in renamed]
        renamed = [_Token("literal", token.text) if token.kind in _PUNCTUATION else token for token in renamed]
    return renamed


_PUNCTUATION = ("point", "comma", "percent")


def _scaled(section: list[_Token]) -> list[_Token]:
    """Return a section in which commas are told apart: between digits they group, after the last they divide."""
    last = max((at for at, token in enumerate(section) if token.kind == "digit"), default=-1)
    return [
        _Token("scale" if at > last else "group", ",") if token.kind == "comma" else token
        for at, token in enumerate(section)
    ]


def _number(section: Sequence[_Token], number: Decimal, decimal: str, thousands: str) -> str | None:
    """Return a number of no sign in one section."""
    kinds = [token.kind for token in section]
    if "fraction" in kinds and "digit" in kinds:
        return None
    with localcontext() as context:
        context.prec = _MAX_DIGITS
        scale = 2 * kinds.count("percent") - 3 * kinds.count("scale")
        number = number.scaleb(scale) if scale else number
        point = kinds.index("point") if "point" in kinds else len(section)
        decimals = kinds[point:].count("digit")
        rounded = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    whole, _, part = format(rounded, "f").partition(".")
    whole_tokens, part_tokens = section[:point], section[point + 1 :]
    text = _whole(whole_tokens, "" if whole == "0" else whole, thousands if "group" in kinds else "", number)
    if point < len(section):
        text += decimal + _part(part_tokens, part)
    return text.strip() if "space" in kinds else text


def _whole(tokens: Sequence[_Token], digits: str, group: str, number: Decimal) -> str:
    """Return the part before the decimal sign: digits go into their places from the right."""
    places = [at for at, token in enumerate(tokens) if token.kind == "digit"]
    pieces: list[str] = []
    rest, count = digits, 0
    for at in range(len(tokens) - 1, -1, -1):
        token = tokens[at]
        if token.kind != "digit":
            pieces.append(_literal(token, number))
            continue
        wanted = len(rest) if places and at == places[0] else 1
        taken = rest[len(rest) - wanted :] if wanted else ""
        rest = rest[: len(rest) - len(taken)]
        taken = taken or {"0": "0", "?": " "}.get(token.text, "")
        for digit in reversed(taken):
            if group and count and count % 3 == 0 and digit != " ":
                pieces.append(group)
            pieces.append(digit)
            count += 1
    return "".join(reversed(pieces))


def _part(tokens: Sequence[_Token], digits: str) -> str:
    """Return the part after the decimal sign."""
    rest = digits
    optional = len(digits.rstrip("0"))
    pieces: list[str] = []
    at = 0
    for token in tokens:
        if token.kind != "digit":
            pieces.append(_literal(token, Decimal(0)))
            continue
        digit = rest[at]
        if at < optional or token.text == "0":
            pieces.append(digit)
        elif token.text == "?":
            pieces.append(" ")
        at += 1
    return "".join(pieces)


def _literal(token: _Token, number: Decimal) -> str:
    if token.kind in ("literal", "space", "fraction"):
        return token.text
    if token.kind == "percent":
        return "%"
    return as_written(number) if token.kind == "general" else ""


def _moment_shown(section: Sequence[_Token], value: Any, decimal: str) -> str | None:
    kinds = {token.kind for token in section}
    if not kinds & {"date", "elapsed"}:
        return None
    half = "ampm" in kinds
    pieces: list[str] = []
    for token in section:
        if token.kind == "date":
            piece = _date_piece(token.text, value, half=half, decimal=decimal)
        elif token.kind == "elapsed":
            piece = _elapsed_piece(token.text, value)
        elif token.kind == "ampm":
            piece = _half(token.text, value)
        elif token.kind in ("digit", "general", "text"):
            piece = None
        else:
            piece = _literal(token, Decimal(0))
        if piece is None:
            return None
        pieces.append(piece)
    return "".join(pieces).strip()


def _date_piece(text: str, value: Any, *, half: bool, decimal: str) -> str | None:
    letter, length = text[0].lower(), len(text)
    if letter in "ymd":
        return _day_piece(letter, length, value) if isinstance(value, dt.date) else None
    clock = _clock(value)
    if clock is None:
        return None
    hours, minutes, seconds, fraction = clock
    if letter == "h":
        hours = (hours % 24 + 11) % 12 + 1 if half else hours % 24
        return f"{hours:02}" if length > 1 else str(hours)
    if letter == "n":
        return f"{minutes:02}" if length > 1 else str(minutes)
    whole, _, places = text.partition(".")
    shown = f"{seconds:02}" if len(whole) > 1 else str(seconds)
    return shown + (decimal + f"{fraction:06}"[: len(places)] if places else "")


def _day_piece(letter: str, length: int, value: dt.date) -> str:
    if letter == "y":
        return f"{value.year % 100:02}" if length <= 2 else f"{value.year:04}"
    number = value.month if letter == "m" else value.day
    if length <= 2:
        return f"{number:02}" if length > 1 else str(number)
    name = _MONTHS[number - 1] if letter == "m" else _DAYS[value.weekday()]
    if length == 3:
        return name[:3]
    return name[0] if letter == "m" and length == 5 else name


def _clock(value: Any) -> tuple[int, int, int, int] | None:
    if isinstance(value, dt.timedelta):
        seconds, days = value.seconds, value.days
        if days < 0:
            return None
        return days * 24 + seconds // 3600, seconds // 60 % 60, seconds % 60, value.microseconds
    if isinstance(value, dt.datetime | dt.time):
        return value.hour, value.minute, value.second, value.microsecond
    return (0, 0, 0, 0) if isinstance(value, dt.date) else None


def _elapsed_piece(text: str, value: Any) -> str | None:
    clock = _clock(value)
    if clock is None or isinstance(value, dt.date):
        return None
    hours, minutes, seconds, _ = clock
    number = {"h": hours, "m": hours * 60 + minutes, "s": (hours * 60 + minutes) * 60 + seconds}[text[0]]
    return f"{number:0{len(text)}}"


def _half(text: str, value: Any) -> str | None:
    clock = _clock(value)
    if clock is None:
        return None
    word = "PM" if clock[0] % 24 >= 12 else "AM"
    return word if len(text) > 3 else word[0]
