"""The forms in which a design may print a value: numbers and dates of the usual locales, texts without spaces."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.dates import format_date

__all__ = [
    "MONTHS",
    "as_date",
    "as_number",
    "date_text",
    "dates",
    "dates_in",
    "is_cjk",
    "languages_of",
    "masked",
    "normal",
    "number_text",
    "numbers",
]

LIKELY_LOCALES = ("en_US", "en_GB", "ja")
MONTHS = {
    "de": "jan feb mär apr mai jun jul aug sep okt nov dez",
    "fr": "jan fév mar avr mai juin juil aoû sep oct nov déc",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb m apr mei jun jul aug sep okt nov dec",
    "sv": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "nb": "jan feb mar apr mai jun jul aug sep okt nov des",
    "da": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "fi": "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "pl": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "cs": "led úno bře dub kvě č č srp zář říj lis pro",
    "sk": "jan feb mar apr máj jún júl aug sep okt nov dec",
    "hu": "jan feb már ápr máj jún júl aug szep okt nov dec",
    "ro": "ian feb mar apr mai iun iul aug sep oct no dec",
    "el": "ιαν φεβ μ απρ μ ιο ιο α σεπ οκτ νο δεκ",  # noqa: RUF001 - its own letters
    "ru": "янв фев мар апр ма июн июл авг сен окт но дек",
    "uk": "січ лют бер кві тра чер лип сер вер жов лис гру",  # noqa: RUF001 - its own letters
    "tr": "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "id": "jan feb mar apr mei jun jul agu sep okt nov des",
    "vi": "th th th th th th th th th th th th",
    "zh_Hans": "月 月 月 月 月 月 月 月 月 月 月 月",
    "zh_Hant": "月 月 月 月 月 月 月 月 月 月 月 月",
    "ko": "월 월 월 월 월 월 월 월 월 월 월 월",
    "th": "ม ก ม เม พ ม ก ส ก ต พ ธ",
    "ar": "ينا فبر مار أبر ماي يون يول أغس سبت أكت نوف ديس",
    "ar_MA": "ينا فبر مار أبر ما يون يول غش شت أكت نون دجن",
    "ar_LB": "كانون شباط آذار نيسان أيار حزيران تموز آب أيلول تشرين تشرين كانون",
    "he": "ינו פבר מרץ אפר מאי יונ יול אוג ספט אוק נוב דצמ",
    "hi": "जन फ़र मार्च अप्र मई जन जल अग सित अक्ट नव दिस",
    "de_CH": "jan feb mär apr mai jun jul aug sep okt nov dez",
}
"""How months begin in the languages in which dates are looked for where the likely ones are in vain."""

_ALSO_IN_NUMBERS = frozenset(("hu", "ko", "pl", "tr"))
"""Languages with a form of numbers alone that no likely form has."""

DATE_PATTERNS = (
    ("long medium full short|MMMM d, y|d MMMM y|MMM d, y|d MMM y|EEEE d MMMM y|EEEE, d. MMMM y|EEE d MMM y|MMMM y")
    .replace(" medium", "|medium")
    .replace(" full", "|full")
    .replace(" short", "|short")
    .split("|")
)
"""In each language, the day without a zero; by Unicode's letters (https://unicode.org/reports/tr35/tr35-dates.html)."""

PADDED_DATES = ("dd MMMM y", "dd. MMMM y", "dd MMM y")
"""In each language as well: with a day of two digits."""
PADDED_ENGLISH = (
    *(
        "MMMM dd, y",
        "MMM dd, y",
        "EEEE, MMMM dd, y",
        "EEEE, dd MMMM y",
        "EEEE, d MMMM y",
        "dd MMMM, y",
        "d MMMM, y",
    ),
    *("EEE, dd MMM y", "EEE, d MMM y", "EEE, MMM dd, y", "EEE, MMM d, y", "dd-MMM-y", "d-MMM-y"),
    *("dd-MMM-yy", "d-MMM-yy", "dd MMM yy", "d MMM yy"),
)

PLAIN_DATES = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y%m%d",
    "%y/%m/%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y-%m-%d",
    "%Y年%m月%d日",
    "%Y년%m월%d일",
]
ERAS = ((date(2019, 5, 1), "令和", "R"), (date(1989, 1, 8), "平成", "H"), (date(1926, 12, 25), "昭和", "S"))

_SPELLED = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\u2043\ufe63", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e", '"'),
    }
)
_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u3040-\u30ff\U00020000-\U0003ffff]")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{1,2}:\d{2}).*)?", re.ASCII | re.DOTALL)


@functools.lru_cache(maxsize=65536)
def normal(text: str) -> str:
    """Return a text as it is compared: without spaces, width, case and the many kinds of hyphen."""
    if text.isascii():
        return "".join(text.split()).lower()
    folded = unicodedata.normalize("NFKC", text).translate(_SPELLED).casefold()
    kept = []
    for char in folded:
        if char.isspace() or (unicodedata.category(char) in ("Cf", "Mn") and not unicodedata.combining(char)):
            continue
        kept.append(str(unicodedata.decimal(char)) if char.isdecimal() else char)
    return unicodedata.normalize("NFC", "".join(kept))


@functools.lru_cache(maxsize=65536)
def masked(text: str) -> str:
    """Return a normal text with its digits hidden."""
    return _DIGITS.sub("#", text)


def is_cjk(char: str) -> bool:
    """Tell whether words in this script stand without spaces."""
    return _CJK.match(char) is not None


def as_number(value: Any) -> Decimal | None:
    """Return a value as a number, also a text that is nothing else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return Decimal(format(value, ".15g"))  # 0.1 + 0.2 is 0.3 to a reader
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str) and len(value) < 40 and _NUMBER.fullmatch(value.strip()):
        try:
            return Decimal(value.strip())
        except InvalidOperation:
            return None
    return None


@functools.lru_cache(maxsize=16384)
def as_date(value: str) -> date | None:
    """Return a text as a date, if it is one in the form in which dates are sent."""
    found = _DATE.fullmatch(value.strip()) if 8 <= len(value) <= 40 else None
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


# -- numbers -------------------------------------------------------------------------------------------------

NumberForm = tuple[str, str, int, int, bool]
"""Sign between groups, sign before decimals, size of the further groups, decimals (-1: as many as there are),
whether in percent."""


GROUPING = (("", ".", 3), (",", ".", 3), ("", ",", 3), (".", ",", 3), ("'", ".", 3), (",", ".", 2))
"""Signs between groups and before decimals, and the size of further groups: those that Babel has, as normal text.

Written down, because asking Babel loads every locale: a fifth of a second that most runs don't need.
"""

_NUMBER_FORMS: tuple[NumberForm, ...] = tuple(
    (group, decimal, further, places, percent)
    for percent in (False, True)
    for places in (-1, 2, 0, 1, 3, 4)
    for group, decimal, further in GROUPING
)


@functools.lru_cache(maxsize=16384)
def number_text(value: Decimal, form: NumberForm) -> str:
    """Return a number without its sign in a form."""
    group, decimal, further, places, percent = form
    size = abs(value) * 100 if percent else abs(value)
    try:
        whole, _, rest = format(size if places < 0 else round(size, places), "f").partition(".")
    except InvalidOperation:
        whole, _, rest = format(size, "f").partition(".")
    if places < 0:
        rest = rest.rstrip("0")
    if group and len(whole) > 3:
        head, parts = whole[:-3], [whole[-3:]]
        while head:
            head, part = head[:-further], head[-further:]
            parts.insert(0, part)
        whole = group.join(parts)
    return whole + (decimal + rest if rest else "") + ("%" if percent else "")


@functools.lru_cache(maxsize=8192)
def numbers(value: Decimal) -> dict[str, tuple[NumberForm, ...]]:
    """Return the forms of a number by their text."""
    found: dict[str, list[NumberForm]] = {}
    for form in _NUMBER_FORMS:
        found.setdefault(number_text(value, form), []).append(form)
    return {text: tuple(forms) for text, forms in found.items()}


# -- dates ---------------------------------------------------------------------------------------------------

DateForm = tuple[str, str]
"""Kind (a locale, or one of ours) and pattern."""


_OWN_DATE_FORMS: tuple[DateForm, ...] = (
    *(("plain", pattern) for pattern in PLAIN_DATES),
    *(("bare", pattern) for pattern in PLAIN_DATES),
    *(("era", pattern) for pattern in ("long", "short", "dots")),
    *(("kanji", pattern) for pattern in ("era", "year")),
    *(("ordinal", pattern) for pattern in ("MMMM {}, y", "{} MMMM y", "{} 'of' MMMM y", "{} 'of' MMMM, y")),
    *(("en_US", pattern) for pattern in PADDED_ENGLISH),
    *(("ordinal", pattern) for pattern in ("{} 'day of' MMMM y", "{} 'day of' MMMM, y")),
)


def _date_forms(locales: Iterable[str]) -> Iterator[DateForm]:
    return ((locale, pattern) for locale in locales for pattern in (*DATE_PATTERNS, *PADDED_DATES))


@functools.lru_cache(maxsize=65536)
def date_text(value: date, form: DateForm) -> str:
    """Return a date in a form, as it is compared; an empty text where it has none."""
    kind, pattern = form
    if kind == "plain":
        return normal(value.strftime(pattern))
    if kind == "bare":  # without leading zeros
        return normal(re.sub(r"(?<!\d)0(\d)", r"\1", value.strftime(pattern)))
    if kind == "era":
        return _era(value, pattern)
    if kind == "kanji":
        return _kanji(value, pattern)
    if kind == "ordinal":
        ending = "th" if 10 <= value.day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(value.day % 10, "th")
        return normal(format_date(value, pattern.replace("{}", f"'{value.day}{ending}'"), locale="en"))
    return normal(format_date(value, pattern, locale=kind))


def _era(value: date, pattern: str) -> str:
    for begin, name, letter in ERAS:
        if value >= begin:
            year = value.year - begin.year + 1
            if pattern == "long":
                return f"{name}{'元' if year == 1 else year}年{value.month}月{value.day}日"
            if pattern == "short":
                return f"{letter}{year}.{value.month}.{value.day}".lower()
            return f"{letter}{year:02}.{value.month:02}.{value.day:02}".lower()
    return ""


_KANJI_DIGITS = "〇一二三四五六七八九"


def _kanji(value: date, pattern: str) -> str:
    """Return a date in kanji numerals, as in vertical text: 令和八年十一月三日, 二〇二六年十一月三日."""

    def said(number: int) -> str:
        tens, ones = divmod(number, 10)
        ten = ("" if tens == 1 else _KANJI_DIGITS[tens]) + "十" if tens else ""
        return ten + (_KANJI_DIGITS[ones] if ones else "")

    head = "".join(_KANJI_DIGITS[int(digit)] for digit in str(value.year))
    if pattern == "era":
        begin, name, _ = next((era for era in ERAS if value >= era[0]), (None, "", ""))
        if begin is None:
            return ""
        year = value.year - begin.year + 1
        head = name + ("元" if year == 1 else said(year))
    return f"{head}年{said(value.month)}月{said(value.day)}日"


@functools.lru_cache(maxsize=256)
def dates(value: date) -> dict[str, tuple[DateForm, ...]]:
    """Return the likely forms of a date by their text."""
    return _by_text(value, (*_OWN_DATE_FORMS, *_date_forms(LIKELY_LOCALES)))


@functools.lru_cache(maxsize=256)
def dates_in(languages: tuple[str, ...], value: date) -> dict[str, tuple[DateForm, ...]]:
    """Return the forms of a date in other languages by their text."""
    return _by_text(value, _date_forms(languages))


def languages_of(stream: str, value: date) -> tuple[str, ...]:
    """Return the languages in which a text may have a date: to load one takes Babel longer than to read a page."""
    in_numbers = f".{value:%m.%Y}", f"{value:%Y.%m}.", f"{value.month}.{value.day}."
    has_numbers = any(text in stream for text in in_numbers)
    return tuple(
        language
        for language, months in MONTHS.items()
        if months.split()[value.month - 1] in stream or (has_numbers and language in _ALSO_IN_NUMBERS)
    )


def _by_text(value: date, forms: Iterable[DateForm]) -> dict[str, tuple[DateForm, ...]]:
    found: dict[str, list[DateForm]] = {}
    for form in forms:
        if text := date_text(value, form):
            found.setdefault(text, []).append(form)
    return {text: tuple(all_) for text, all_ in found.items()}
