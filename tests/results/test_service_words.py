"""The service's messages in plain words."""

from __future__ import annotations

import pandas as pd
import pytest

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.local.parameters import Parameter, problems
from reportflow_pandas.results.service_words import grouped, in_plain_words, reasons

DESIGN = (
    Parameter("Due date", "date", ""),
    Parameter("Total", "number", ""),
    Parameter("Paid", "boolean", ""),
    Parameter("Stamp", "image", ""),
    Parameter("Lines", "array", "", spec=(Parameter("Quantity", "number", ""),)),
)


@pytest.mark.parametrize(
    ("values", "english", "japanese"),
    [
        ({"Total": None}, "Total is empty", "Total が空です"),
        ({"Total": "x"}, "Total is no number", "Total が数値ではありません"),
        ({"Total": "1" * 400}, "Total has too many digits", "Total の桁数が多すぎます"),
        ({"Due date": 7}, "Due date is no date", "Due date が日付ではありません"),
        ({"Paid": "yes"}, "Paid is neither true nor false", "Paid が true でも false でもありません"),
        ({"Lines": 7}, "Lines is no table of lines (see tables=)", "Lines が明細 (tables=) ではありません"),
        (
            {"Lines": [{"Quantity": 1}, {"Quantity": None}]},
            "Quantity in line 2 of Lines is empty",
            "Lines の 2 行目の Quantity が空です",
        ),
    ],
)
def test_what_the_embedded_service_refuses_is_said_in_plain_words(
    values: dict[str, object], english: str, japanese: str
) -> None:
    [(place, said)] = problems(DESIGN, values)
    for call in ("content", "contents.41"):
        message = f"{call}.params.{place} {said}"
        assert in_plain_words(message) == english
        assert in_plain_words(message, "ja") == japanese


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("contents.3.params.Total should not be empty", "Total is empty"),
        (
            "contents.0.fileName must be unique within the call",
            "fileName occurs twice in one call (see file_name=)",
        ),
        (
            "contents.0.params.Total must be a number; contents.0.params.Name must be a string",
            "Total is no number, Name is no text",
        ),
        ("contents.0.params.Total must be a number; 何かがおかしい", None),
        ("contents.0.params.Total は契約の範囲外です", None),
        ("デザインが見つかりません。", None),
        ("the service answered 500", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_message_that_is_not_understood_whole_is_left_as_it_is(message: object, words: str | None) -> None:
    assert in_plain_words(message) == words


def test_rows_of_which_the_same_is_said_stand_together_the_most_frequent_first() -> None:
    failures = [
        (1, "broken"),
        (2, "contents.0.params.Total must be a number"),
        (3, "contents.9.params.Total must be a number"),
    ]
    assert grouped(failures) == {"Total is no number": [2, 3], "broken": [1]}


def test_a_run_ends_with_its_few_most_frequent_reasons() -> None:
    outcomes = Outcomes(["doc"] * 9)
    assert reasons(outcomes, pd.RangeIndex(9), None) == []
    for at in range(5):
        outcomes.refused(at, "failed", "invalid", "contents.0.params.Total must be a number", 400)
    for at, text in enumerate(("one", "two", "three")):
        outcomes.refused(5 + at, "failed", "server", text, 500)
    lines = reasons(outcomes, pd.Index(list("abcdefghi")), None)
    assert lines[0] == "5 rows (index 'a', 'b', 'c', 'd', 'e'): Total is no number"
    assert lines[1:] == ["row 'f': one", "row 'g': two", "and 1 more reasons: results.reportflow shows them"]
