"""Runs of a few documents teach little: what they don't teach is said, and is no alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from reportflow_pandas.verify.run_check import Checked

from .test_few_documents import Params, checked, rows_of


def drawn(design: str, size: int, run: int, folder: Path) -> tuple[list[Params], Checked]:
    """Return a few of a design's rows, and what is found in their documents."""
    wanted = rows_of(design, size, run)
    return wanted, checked(design, wanted, wanted, folder)


def alarms(found: Checked) -> list[object]:
    return [verdict.findings for verdict in found.verdicts.values() if verdict.verdict != "ok"]


def test_the_only_currency_that_is_printed_as_a_sign_is_not_judged_and_said_so(tmp_path: Path) -> None:
    wanted, found = drawn("bill", 6, 0, tmp_path)
    assert [params["Currency"] for params in wanted].count("JPY") == 1
    assert alarms(found) == []
    assert found.not_judged["Currency"] == "not judged where it is JPY: left out in 1 of 6 documents"


def test_the_words_of_a_flag_in_a_language_of_one_document_are_not_judged_and_said_so(tmp_path: Path) -> None:
    wanted, found = drawn("delivery", 24, 0, tmp_path)
    assert [params["Fragile"] for params in wanted if params["Language"] == "ja"].count(True) == 1
    assert alarms(found) == []
    assert found.not_judged["Fragile"] == "not judged where Language is ja: its words there are not known"


@pytest.mark.parametrize(
    ("design", "size", "run"),
    [
        pytest.param("bill", 24, 4, id="a_name_that_is_followed_by_other_words_than_all_others"),
        pytest.param("quotation", 6, 3, id="one_text_among_dates"),
        pytest.param("quotation", 24, 3, id="the_foot_of_a_page_below_a_blank_cell"),
        pytest.param("invoice", 6, 15, id="an_album_in_place_of_a_blank_artist"),
        pytest.param("quotation", 3, 0, id="one_number_with_thousands_after_the_lines_that_forms_are_learned_of"),
    ],
)
def test_clean_documents_of_a_small_run_are_left_alone(design: str, size: int, run: int, tmp_path: Path) -> None:
    _, found = drawn(design, size, run, tmp_path)
    assert len(found.verdicts) == size
    assert alarms(found) == []
