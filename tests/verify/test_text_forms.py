"""The forms of numbers and dates are those that Babel has for the languages of designs."""

from __future__ import annotations

from datetime import date

import pytest
from babel import Locale

from reportflow_pandas.verify import text_forms


def test_the_signs_of_numbers_that_are_written_down_are_babels() -> None:
    known = {("", ".", 3), (",", ".", 3)}
    for name in (*text_forms.LIKELY_LOCALES, *text_forms.OTHER_LOCALES):
        locale = Locale.parse(name)
        symbols = locale.number_symbols["latn"]
        decimal = text_forms.normal(symbols["decimal"])
        further = locale.decimal_formats[None].grouping[1]
        known |= {(text_forms.normal(symbols["group"]), decimal, further), ("", decimal, 3)}
    assert set(text_forms.GROUPING) == known


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 11, 3), "令和八年十一月三日"),
        (date(2026, 10, 27), "二〇二六年十月二十七日"),
        (date(2019, 5, 1), "令和元年五月一日"),
        (date(2026, 11, 3), "3rd of November 2026"),
        (date(2026, 11, 21), "21st day of November, 2026"),
        (date(2026, 11, 3), "November 3rd, 2026"),
    ],
)
def test_a_date_is_known_in_kanji_numerals_and_in_words(value: date, text: str) -> None:
    assert text_forms.normal(text) in text_forms.dates(value, likely=True)


def test_a_date_is_known_in_other_languages_too() -> None:
    assert text_forms.normal("3. listopadu 2026") in text_forms.dates(date(2026, 11, 3), likely=False)
