"""Advice is followed to the letter here: what it makes of the values is what a person reads in them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.row_documents import parameters_of, params_of, problems_of

from reportflow_pandas.rows.number_advice import number_advice

CODE = re.compile(r": ((?:pd|df)[^\n]*\))$")


def followed(kind: str, values: Any) -> Any:
    """Return what the documents get after the advice was followed, or the question that was asked instead."""
    frame = pd.DataFrame({"P": values if isinstance(values, pd.Series) else pd.Series(values, dtype=object)})
    parameters = parameters_of(P=kind)
    for _ in range(3):
        found = [one for one in problems_of(frame, parameters) if ", and 'P' holds" in one.problem]
        if not found:
            return [params["P"] for params in params_of(frame, parameters)]
        code = CODE.search(found[0].suggestion)
        if code is None or "does not tell" in found[0].suggestion:
            return found[0].suggestion
        frame = frame.assign(P=eval(code[1], {"pd": pd, "df": frame}))  # noqa: S307 - the advice, to the letter
    return "found again and again"


FOLLOWED: dict[str, tuple[str, Any, list[Any]]] = {
    "numbers as text": ("number", ["1.5", "20"], [1.5, 20]),
    "thousands": ("number", ["1,234.50", "12.00"], [1234.5, 12]),
    "thousands beside numbers": ("number", [5, "1,234.50"], [5, 1234.5]),
    "thousands of India": ("number", ["1,23,456.50"], [123456.5]),
    "dollars": ("number", ["$1,234.50", "$0.99"], [1234.5, 0.99]),
    "euros": ("number", ["1.234,50 €", "12,00 €"], [1234.5, 12]),
    "euros with a code": ("number", ["EUR 1.234,50", "EUR 12,05"], [1234.5, 12.05]),
    "a decimal comma": ("number", ["12,5", "7,25"], [12.5, 7.25]),
    "a point for thousands, told by its neighbour": ("number", ["1.234", "12,50"], [1234, 12.5]),
    "a comma for thousands, told by its neighbour": ("number", ["1,234", "12.50"], [1234, 12.5]),
    "spaces for thousands": ("number", ["1 234,50", "1\u00a0000,00"], [1234.5, 1000]),
    "apostrophes for thousands": ("number", ["1'234.50", "99.95"], [1234.5, 99.95]),
    "yen": ("number", ["¥1,980.0", "¥500"], [1980, 500]),
    "negative": ("number", ["-1,234.50", "-3"], [-1234.5, -3]),
    "negative in parentheses": ("number", ["(1,234.50)", "3.00"], [-1234.5, 3]),
    "a thousand in short": ("number", ["1e3", "5"], [1000, 5]),
    "digits of full width": ("number", ["１，２３４．５円", "５０円"], [1234.5, 50]),  # noqa: RUF001 - they are meant
    "booleans": ("number", pd.Series([True, False]), [1, 0]),
    "a spreadsheet's days": ("date", [46331, 46332], ["2026-11-05", "2026-11-06"]),
    "a spreadsheet's days as text": ("date", ["46331", "46332"], ["2026-11-05", "2026-11-06"]),
    "a spreadsheet's days with times": ("date", [46331.5], ["2026-11-05T12:00:00"]),
    "a spreadsheet's days as floats": ("date", pd.Series([46331.0, 46332.0]), ["2026-11-05", "2026-11-06"]),
    "days as numbers": ("date", [20261105, 20261224], ["2026-11-05", "2026-12-24"]),
    "days as numbers in text": ("date", ["20261105"], ["2026-11-05"]),
    "days with points": ("date", ["5.11.2026", "24.12.2026"], ["2026-11-05", "2026-12-24"]),
    "the day first, told by a neighbour": ("date", ["05/11/2026", "24/12/2026"], ["2026-11-05", "2026-12-24"]),
    "the month first, told by a neighbour": ("date", ["11/05/2026", "12/24/2026"], ["2026-11-05", "2026-12-24"]),
    "the same day and month": ("date", ["05/05/2026"], ["2026-05-05"]),
    "the year first": ("date", ["2026/11/05"], ["2026-11-05"]),
    "names of months": ("date", ["5 November 2026", "24 December 2026"], ["2026-11-05", "2026-12-24"]),
    "short names of months": ("date", ["Nov 5, 2026"], ["2026-11-05"]),
    "kanji": ("date", ["2026年11月5日"], ["2026-11-05"]),
    "yes and no": ("boolean", ["yes", "no"], [True, False]),
    "in capitals": ("boolean", ["TRUE", "FALSE"], [True, False]),
    "German": ("boolean", ["ja", "Nein"], [True, False]),
    "Japanese": ("boolean", ["はい", "いいえ"], [True, False]),
    "ones and zeros": ("boolean", pd.Series([1, 0]), [True, False]),
    "ones and zeros as text": ("boolean", ["1", "0"], [True, False]),
    "ones and zeros as floats": ("boolean", pd.Series([1.0, 0.0]), [True, False]),
    "words beside booleans": ("boolean", [True, "no"], [True, False]),
    "true and false as text": ("boolean", ["true", "false"], [True, False]),
    "lists of words": ("text", [["a", "b"], ["c"]], ["a, b", "c"]),
    "lists of numbers": ("text", [[11, 22]], ["11, 22"]),
    "lists beside texts": ("text", ["abc", [1, 2]], ["abc", "1, 2"]),
    "lists and nothing": ("text", [["a"], None], ["a", None]),
    "bytes": ("text", [b"Consulting", "größe".encode()], ["Consulting", "größe"]),
    "bytes beside texts": ("text", ["abc", b"def"], ["abc", "def"]),
}


@pytest.mark.parametrize("case", list(FOLLOWED))
def test_advice_that_is_followed_to_the_letter_makes_what_is_read(case: str) -> None:
    kind, values, wanted = FOLLOWED[case]
    assert followed(kind, values) == wanted


ASKED: dict[str, tuple[str, Any, str]] = {
    "thousands or a fraction": ("number", ["1,234", "2,500"], r"Is '1,234' 1234 or 1\.234\?"),
    "thousands or a fraction of yen": ("number", ["¥1,200", "¥900"], r"Is '¥1,200' 1200 or 1\.2\?"),
    "two decimal signs": ("number", ["1,234.50", "1.234,50"], "decimal sign changes"),
    "a percentage": ("number", ["50%", "20%"], "no number: '50%', '20%'"),
    "a word": ("number", ["12", "n/a"], "Correct what is no number: 'n/a'"),
    "a duration": ("number", pd.Series(pd.to_timedelta(["2h"])), "In which unit"),
    "a date": ("number", [dt.date(2026, 11, 5)], "right column"),
    "booleans beside fractions": ("number", [True, 2.5], "which number"),
    "a day or a month": ("date", ["05/11/2026", "06/11/2026"], "Is '05/11/2026' 2026-11-05 or 2026-05-11"),
    "a short year": ("date", ["05/11/06"], "The column does not tell"),
    "several forms": ("date", ["2026-11-05", "5.11.2026"], "one way"),
    "seconds since 1970": ("date", [1794182400], "Which days are 1794182400"),
    "small numbers": ("date", [7, 8], "Which days are 7, 8"),
    "no day of any month": ("date", ["2026-13-45"], "one way"),
    "an era": ("date", ["令和8年11月5日"], "one way"),
    "a word for a day": ("date", ["today"], "'today' names no day"),
    "an empty cell that a formula fetched": ("date", [dt.time(0)], "right column.*a 0 in the sheet"),
    "percents": ("number", ["19%", "7%"], r"is '19%' 0\.19 or 19\?"),
    "a time": ("date", [dt.time(9)], "right column"),
    "words that are neither": ("boolean", ["aktiv", "passiv"], "which of them is true: 'aktiv', 'passiv'"),
    "numbers that are neither": ("boolean", [1, 2], "which of them is true: 2"),
    "dicts": ("text", [{"a": 1}], "Choose"),
    "lists of fractions": ("text", [[1.5]], "Choose"),
    "bytes of another encoding": ("text", ["größe".encode("cp1252")], "no UTF-8"),
    "bytes of a picture": ("text", [b"\x00\x01"], "no text"),
}


@pytest.mark.parametrize("case", list(ASKED))
def test_what_the_values_do_not_tell_is_asked(case: str) -> None:
    kind, values, question = ASKED[case]
    answer = followed(kind, values)
    assert isinstance(answer, str)
    assert re.search(question, answer), answer


def test_both_answers_of_a_question_about_amounts_with_a_currency_are_given_and_work() -> None:
    """A file that is read again with its decimal sign leaves them texts."""
    cells = pd.Series(["¥1,200", "¥900", None])
    told = number_advice(cells, cells.notna().to_numpy(), "df['Total']")
    made = {
        meant: eval(code, {"pd": pd, "df": pd.DataFrame({"Total": cells})})  # noqa: S307
        for meant, code in re.findall(r"[Ff]or ([\d.]+): (pd\..*?)(?=; for|$)", told)
    }
    assert {meant: values.dropna().tolist() for meant, values in made.items()} == {
        "1200": [1200, 900],
        "1.2": [1.2, 900],
    }


WORDS = ["yes", "no", "TRUE", "false", "x", "0", "1", "ja", "nein", "Y", ""]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
@settings(deadline=None)
def test_no_advice_makes_true_of_a_word_for_false(words: list[str]) -> None:
    answer = followed("boolean", words)
    if isinstance(answer, list):
        meanings = {"yes": True, "true": True, "1": True, "ja": True, "y": True}
        assert answer == [meanings.get(word.casefold(), False) for word in words]


AMOUNTS = st.decimals(-(10**7), 10**7, places=2)


@given(st.lists(AMOUNTS, min_size=1, max_size=5), st.sampled_from([",.", ".,", " ,", "'."]), st.booleans())
@settings(deadline=None)
def test_amounts_in_writing_are_read_as_written_or_asked_about(
    amounts: list[Any], signs: str, currency: bool
) -> None:
    def written(amount: Any) -> str:
        text = f"{amount:,}".replace(",", "T").replace(".", signs[1]).replace("T", signs[0])
        return f"{text} €" if currency else text

    answer = followed("number", [written(amount) for amount in amounts])
    if isinstance(answer, list):
        assert answer == [float(amount) for amount in amounts]


FORMS = ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%d.%m.%y"]


@given(st.lists(st.dates(dt.date(1970, 1, 1), dt.date(2060, 12, 31)), min_size=1, max_size=5), st.data())
@settings(deadline=None)
def test_days_in_writing_are_read_as_written_or_asked_about(days: list[dt.date], data: st.DataObject) -> None:
    form = data.draw(
        st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%d.%m.%y"])
    )
    answer = followed("date", [day.strftime(form) for day in days])
    if isinstance(answer, list):
        assert answer == [day.isoformat() for day in days]


@given(st.lists(st.dates(dt.date(1960, 1, 1), dt.date(2090, 12, 31)), min_size=1, max_size=5))
@settings(deadline=None)
def test_days_of_a_spreadsheet_are_the_days_that_it_shows(days: list[dt.date]) -> None:
    serials = np.array([(day - dt.date(1899, 12, 30)).days for day in days], dtype=float)
    assert followed("date", pd.Series(serials)) == [day.isoformat() for day in days]
