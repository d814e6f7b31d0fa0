"""The forms of numbers and dates are those that Babel has for the languages of designs."""

from __future__ import annotations

from datetime import date

import pytest
from babel import Locale

from reportflow_pandas.verify import text_forms


def test_the_signs_of_numbers_that_are_written_down_are_babels() -> None:
    known = {("", ".", 3), (",", ".", 3)}
    for name in (*text_forms.LIKELY_LOCALES, *text_forms.MONTHS):
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
    assert text_forms.normal(text) in text_forms.dates(value)


def test_a_date_is_known_in_other_languages_too() -> None:
    assert text_forms.normal("3. listopadu 2026") in text_forms.dates_in(("cs",), date(2026, 11, 3))


@pytest.mark.parametrize("language", text_forms.MONTHS)
@pytest.mark.parametrize("month", range(1, 13))
def test_a_language_is_looked_at_wherever_it_may_have_a_date(language: str, month: int) -> None:
    for value in (date(2026, month, 5), date(2025, month, 12), date(1999, month, 30 if month != 2 else 28)):
        texts = text_forms.dates_in((language,), value).keys() - text_forms.dates(value).keys()
        assert {text for text in texts if language not in text_forms.languages_of(text, value)} == set()


def test_a_language_whose_months_a_text_does_not_have_is_not_looked_at() -> None:
    assert text_forms.languages_of("3.listopadu2026", date(2026, 11, 3)) == ("pl", "cs")
    assert text_forms.languages_of("total417", date(2026, 11, 3)) == ()
