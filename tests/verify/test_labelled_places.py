"""A label tells what has to stand beside it: values of a row that were exchanged, nothing in many documents."""

from __future__ import annotations

from typing import Any

import pytest

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.layout_learning import learn

from .test_blank_places import NAMES, of_run
from .test_reading_places import document


def shown(params: dict[str, Any]) -> DocumentText:
    """Return a text with each value beside a label; a label without a value stays."""
    units = []
    for line, (name, value) in enumerate(params.items()):
        units += [(f"{name}:", 60, 700 - 20 * line), *([(value, 140, 700 - 20 * line)] if value else [])]
    return document(units)


def rows() -> list[dict[str, Any]]:
    return [
        {
            "Name": f"{NAMES[at % 7]} {5 * chr(97 + at % 26)}{at}",
            "Category": f"Class {4 * chr(100 + at % 20)}",
            "Signed": f"{10 + at % 19:02}.{1 + at % 9:02}.2026",
            "Ends": f"{10 + at % 17:02}.{1 + at % 8:02}.2028",
        }
        for at in range(40)
    ]


def test_each_value_beside_its_own_label_is_in_order() -> None:
    assert of_run(rows(), [*map(shown, rows())]) == ({}, {})


@pytest.mark.parametrize(("one", "other"), [("Signed", "Ends"), ("Name", "Category")])
def test_two_values_of_a_row_in_each_others_places_are_told(one: str, other: str) -> None:
    printed = rows()
    for at in (3, 11, 30):
        printed[at] |= {one: printed[at][other], other: printed[at][one]}
    not_judged, told = of_run(rows(), [*map(shown, printed)])
    assert not_judged == {}
    assert {at: set(names) for at, names in told.items()} == {at: {one, other} for at in (3, 11, 30)}


@pytest.mark.parametrize("instead", ["", "Juan Nadie"])
@pytest.mark.parametrize("count", [1, 7, 12])
def test_nothing_or_one_text_beside_a_label_is_told_in_however_many_documents(instead: str, count: int) -> None:
    printed, wrong = rows(), range(0, 3 * count, 3)
    for at in wrong:
        printed[at]["Name"] = instead
    not_judged, told = of_run(rows(), [*map(shown, printed)])
    assert not_judged == {}
    assert told == {at: ["Name"] for at in wrong}


def test_only_a_value_that_has_its_line_for_itself_has_a_place_on_the_page() -> None:
    wanted, alone, in_sentence = rows(), [], []
    for at, params in enumerate(wanted):
        day, word = params["Ends"], "".join(chr(97 + (at * step + step) % 26) for step in (1, 3, 5))
        alone.append(document([(params["Name"], 60, 660), (day, 60, 640)]))
        # in another document the line breaks within the day
        in_sentence.append(document([(params["Name"], 60, 660), (f"{day} {word}", 60, 640)]))
    expected = [ExpectedValues.of(params) for params in wanted]
    assert learn(list(zip(alone, expected, strict=True))).spots.keys() == {"Ends", "Name"}
    assert learn(list(zip(in_sentence, expected, strict=True))).spots.keys() == {"Name"}
