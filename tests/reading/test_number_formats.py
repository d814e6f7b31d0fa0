"""Number formats show what Excel shows, or nothing where that depends on the computer."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from reportflow_pandas.reading.number_formats import parsed_format

MOMENT = dt.datetime(2026, 11, 1, 9, 5, 3)  # noqa: DTZ001 - a sheet has no time zones


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("00000", 171, "00171"),
        ("0", 1234.56, "1235"),
        ("0.0", 0.25, "0.3"),
        ("0.00%", 0.195, "19.50%"),
        ("#,##0.00", 1234.5, "1,234.50"),
        ("#,##0", 999999.5, "1,000,000"),
        ("#,##0", -1234, "-1,234"),
        ("0.0", -0.04, "0.0"),
        ('#,##0.00 "€"', 1234.5, "1,234.50 €"),
        ("[$€-407] #,##0.00", 1234.5, "€ 1,234.50"),
        ('#,##0"円"', 1500, "1,500円"),
        ("#,##0_);(#,##0)", -1234, "(1,234)"),
        ("#,##0_);[Red](#,##0)", 1234, "1,234"),
        ("_-* #,##0.00 _€_-;-* #,##0.00 _€_-", 1234.5, "1,234.50"),
        ('0.000;-0.000;"-"', 0, "-"),
        ("000-0000", 1500001, "150-0001"),
        ("(000) 000-0000", 5551234567, "(555) 123-4567"),
        ('"INV-"0000', 17, "INV-0017"),
        ("0,", 1234567, "1235"),
        ('0.0,,"M"', 1234567, "1.2M"),
        ("0.##", 1.5, "1.5"),
        ("0.##", 1, "1."),
        ("#", 0, ""),
        ("??0", 5, "  5"),
        (";;;", 5, ""),
        ("General", 3.5, "3.5"),
        ("mmm-yy", MOMENT, "Nov-26"),
        ("dd.mm.yyyy", MOMENT, "01.11.2026"),
        ("dddd, mmmm d, yyyy", MOMENT, "Sunday, November 1, 2026"),
        ('yyyy"年"m"月"d"日"', MOMENT, "2026年11月1日"),
        ("d/m/yy h:mm", MOMENT, "1/11/26 9:05"),
        ("h:mm AM/PM", MOMENT, "9:05 AM"),
        ("mm:ss.0", MOMENT, "05:03.0"),
        ("h:mm", dt.time(21, 30), "21:30"),
        ("[h]:mm:ss", dt.timedelta(hours=54, minutes=5, seconds=3), "54:05:03"),
        ("[mm]:ss", dt.timedelta(minutes=90), "90:00"),
        ("0.00", True, "TRUE"),
    ],
)
def test_a_value_is_shown_as_excel_shows_it(code: str, value: Any, shown: str) -> None:
    assert parsed_format(code).shown(value) == shown


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("# ?/?", 0.5),
        ("0.00E+00", 1234),
        ("ggge", MOMENT),
        ("[$-411]mmm", MOMENT),
        ("[>100]0;0.00", 5),
        ("yyyy", 5),
        ("h:mm", "text"),
    ],
)
def test_what_depends_on_the_computer_is_not_told(code: str, value: Any) -> None:
    assert parsed_format(code).shown(value) is None


def test_the_readers_signs_are_used() -> None:
    assert parsed_format("#,##0.00").shown(-1234567.5, ",", ".") == "-1.234.567,50"
    assert parsed_format("0.0##").shown(1.25, ",", ".") == "1,25"


@given(st.decimals(-(10**12), 10**12, places=5), st.integers(0, 4), st.booleans())
def test_rounding_is_that_of_people(number: Decimal, places: int, group: bool) -> None:
    code = ("#,##0" if group else "0") + ("." + "0" * places if places else "")
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    expected = f"{rounded:,f}" if group else f"{rounded:f}"
    assert parsed_format(code).shown(number) == (expected if rounded else expected.removeprefix("-"))


@given(st.text('0#?.,%-_*"\\[]hmsydEe+;/ €AMP@$', max_size=12), st.sampled_from([5, -1.5, 0, MOMENT]))
def test_no_format_raises(code: str, value: Any) -> None:
    parsed = parsed_format(code)
    shown = parsed.shown(value)
    assert shown is None or isinstance(shown, str)
    assert {parsed.general, parsed.is_date, parsed.whole_date, parsed.scales, parsed.pads} <= {True, False}
