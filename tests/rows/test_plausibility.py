"""Each kind of oddness has a column that is told of and one that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.row_documents import parameters_of, problems_of

from reportflow_pandas.rows.mojibake import repaired

NAMES = ["Ada", "Bob", "Cid", "Dan", "Eve", "Fay"]


def told(kind: str, values: Any) -> list[str]:
    """Return what is said about a column of a design that has a second one."""
    frame = pd.DataFrame({"P": values})
    frame["No"] = [f"N{at}" for at in range(len(frame))]
    problems = problems_of(frame, parameters_of(P=kind, No="text"))
    assert all(problem.level == "warning" for problem in problems), problems
    return [problem.problem for problem in problems if problem.column == "P"]


ODD: dict[str, tuple[str, Any, str]] = {
    "a single blank": ("text", [*NAMES[:4], None], "'P' is blank in row 4 and filled in all other rows"),
    "a single empty text": ("text", ["Ada", "", "Cid"], "'P' is blank in row 1"),
    "white space alone": ("text", ["Ada", "  ", "Cid"], "'P' is blank (white space alone) in row 1"),
    "a wide space": ("text", ["Ada", "\u3000", "Cid"], "'P' is blank (white space alone) in row 1"),
    "a single missing day": ("date", [*pd.date_range("2026-01-01", periods=4), pd.NaT], "'P' is blank in row 4"),
    "nothing at all": ("text", [None] * 4, "'P' holds nothing: it prints blank in every document"),
    "empty texts only": ("text", ["", " ", ""], "'P' holds nothing"),
    "a decimal sign lost": (
        "number",
        [12.5, 19.8, 1250.0, 14.0, 11.0, 18.0],
        "'P' is 1250 in row 2, and about 15.9 else",
    ),
    "a price of a millionth": ("number", [12.5, 19.8, 0.0125, 14.0, 11.0, 18.0], "'P' is 0.0125 in row 2"),
    "a day of another century": (
        "date",
        [*pd.date_range("2026-01-01", periods=5), pd.Timestamp(1970, 1, 1)],
        "'P' is 1970-01-01 in row 5, and about 2026 elsewhere",
    ),
    "a day in text of another century": (
        "date",
        ["2026-01-01"] * 5 + ["0026-01-01"],
        "'P' is '0026-01-01' in row 5",
    ),
    "zeros lost": ("text", ["00171", "172", "70174"], "'P' is 172 in row 1 beside 00171"),
    "zeros lost by a number": ("text", pd.Series(["00171", 172, "70174"], dtype=object), "'P' is 172 in row 1"),
    "UTF-8 read as Windows": ("text", ["Ada", "MÃ¼ller", "Cid"], "'MÃ¼ller' was probably 'Müller'"),
    "Japanese read as Windows": ("text", ["Ada", "æ—¥æœ¬èªž"], "was probably '日本語'"),
    "Cyrillic read as Windows": ("text", ["Ada", "Привет".encode().decode("cp1251")], "was probably 'Привет'"),
    "characters lost": ("text", ["Ada", "M\ufffdller"], "'P' has lost characters in row 1"),
    "a control character": ("text", ["Ada", "Bob\x07"], "'P' holds characters that print nothing"),
    "an error of a spreadsheet": (
        "text",
        ["Ada", "#REF!", "Cid"],
        "'P' is '#REF!' in row 1: what a spreadsheet shows",
    ),
    "a column that was too narrow": ("text", ["Ada", "#####"], "'P' is '#####' in row 1"),
    "a number that a sheet shortened": ("text", ["1.23457E+11", "80"], "shortened a long number"),
    "an identifier as a float": (
        "text",
        [9007199254740993.0, 9007199254740995.0],
        "more digits than a float keeps",
    ),
}


@pytest.mark.parametrize("case", list(ODD))
def test_what_looks_odd_is_told_with_row_and_value(case: str) -> None:
    kind, values, words = ODD[case]
    (problem,) = told(kind, values)
    assert words in problem


ORDINARY: dict[str, tuple[str, Any]] = {
    "an optional column": ("text", [*NAMES[:3], None, None]),
    "two rows, one of them blank": ("text", ["Ada", None]),
    "part of an optional column": ("text", pd.Series([None] * 4, dtype="string")),
    "prices of two decades": ("number", [0.99, 5.94, 13.86, 25.86, 99.0, 3.96]),
    "amounts of a heavy tail": ("number", [1, 3, 10, 30, 100, 300, 1000, 3000, 10000]),
    "a few numbers": ("number", [1, 1000000]),
    "zeros among numbers": ("number", [0, 12.5, 13, 14, 15, 16]),
    "many large ones": ("number", [10, 11, 12, 13, 14, 5000, 5100, 5200]),
    "days of many years": ("date", pd.to_datetime([f"{year}-05-01" for year in range(1950, 2020, 5)])),
    "postal codes of several countries": ("text", ["0171", "70174", "94043", "T6G 2C7"]),
    "identifiers of several widths": ("text", ["1", "12", "123"]),
    "a single zero": ("text", ["0", "1", "12"]),
    "texts of many scripts": ("text", ["Łódź", "日本語テスト", "Привет", "Ångström", "«été»", "São Paulo"]),
    "number signs in texts": ("text", ["#1", "Apt. #4", "#hashtag"]),
    "an identifier with an E": ("text", ["1E5", "12E+X", "E+05"]),
    "several lines": ("text", ["Main Street 1\n12345 Town\tEast", "x"]),
    "identifiers that a float holds": ("text", [171.0, 172.0]),
}


@pytest.mark.parametrize("case", list(ORDINARY))
def test_what_is_ordinary_gets_no_remark(case: str) -> None:
    assert told(*ORDINARY[case]) == []


def test_a_long_column_of_nothing_is_told_whatever_its_type() -> None:
    assert told("text", pd.Series([None] * 12, dtype="str")) == [
        "'P' holds nothing: it prints blank in every document"
    ]


def test_a_postal_code_that_a_country_has_not_is_no_gap() -> None:
    frame = pd.DataFrame({"BillingPostalCode": ["0171", None, "70174"], "City": ["Oslo", "Dublin", "Stuttgart"]})
    assert problems_of(frame, parameters_of(BillingPostalCode="text", City="text")) == []


COUNTRIES = ["Italy", "Sweden", "Australia", "Germany", "Canada"]
CODES = ["00192", "11230", "2010", "70174", "R3L 2B9"]


def of_zeros(codes: list[str], countries: list[str] | None, name: str = "BillingPostalCode") -> list[Any]:
    """Return what is said about a column of codes beside one of countries, if there is one."""
    frame = pd.DataFrame({name: codes}).assign(**({} if countries is None else {"Land": countries}))
    return [one for one in problems_of(frame, parameters_of(**{name: "text"})) if "zeros" in one.problem]


def test_a_country_whose_codes_all_have_one_width_of_their_own_has_lost_no_zeros() -> None:
    assert of_zeros(CODES, COUNTRIES) == []
    (found,) = of_zeros([*CODES, "171"], [*COUNTRIES, "Germany"])
    assert list(found.rows) == [5]
    assert "'BillingPostalCode' is 171 in row 5 beside 00192" in found.problem


@pytest.mark.parametrize(
    ("codes", "countries", "name"),
    [
        ([*CODES, "171"], [*COUNTRIES, "Germany"], "BillingPostalCode"),
        (CODES, None, "BillingPostalCode"),
        (["00192", "11230", "2010"], None, "BillingPostalCode"),
        (["00192", "11230", "2010", "AB1"], None, "P"),
        (["001", "12", "12", "12", "34", "002"], [*["Italy"], *["Japan"] * 3, *["Italy"] * 2], "P"),
    ],
)
def test_no_line_gives_zeros_to_a_whole_column_of_several_widths(
    codes: list[str], countries: list[str] | None, name: str
) -> None:
    (found,) = of_zeros(codes, countries, name)
    assert "zfill" not in found.suggestion
    assert "in these rows alone" in found.suggestion


def test_identifiers_of_one_width_that_lost_zeros_are_told_beside_countries_too() -> None:
    (found,) = of_zeros(["00171", "172", "70174"], ["Italy", "Japan", "Italy"], "P")
    assert found.suggestion == "Give them back: df['P'].astype('string').str.zfill(5)"


def test_lines_are_looked_at_too() -> None:
    from reportflow_pandas.options import Table  # noqa: PLC0415

    lines = pd.DataFrame({"Id": list("aabbcc"), "Track": NAMES, "Price": [1.5, 2.5, 1.25, 2.0, 3.0, 1800.0]})
    problems = problems_of(
        pd.DataFrame({"Id": list("abc")}),
        parameters_of(Id="text", Lines="array"),
        tables={"Lines": Table(lines, on="Id")},
    )
    assert [(problem.column, list(problem.rows)) for problem in problems] == [("Lines.Price", [5])]


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0x24F), min_size=1, max_size=12))
@settings(deadline=None)
def test_a_western_text_that_was_read_wrongly_is_read_again(text: str) -> None:
    wrong = text.encode().decode("latin-1")
    read = repaired(wrong)
    assert read in (text, None)
    if text.isprintable() and len(text) > 1:
        assert read == text


@given(st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=12))
@settings(deadline=None)
def test_no_text_is_changed_into_one_that_could_not_have_been_it(text: str) -> None:
    read = repaired(text)
    if read is not None:
        assert len(read) < len(text)


def test_a_hundred_thousand_ordinary_numbers_get_no_remark() -> None:
    drawn = np.random.default_rng(7)
    assert told("number", np.round(drawn.lognormal(3, 0.7, 20_000), 2)) == []
