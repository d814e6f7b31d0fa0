"""A value that stands twice on the paper, or also where no eye sees it: each place is held against its own row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import planted_faults

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import TEXT, ExpectedValues, learned_forms
from reportflow_pandas.verify.state_words import learn_words

from .test_planted_faults import judged
from .test_reading_places import document


def told(design: str, wanted: list[Any], changed: dict[int, bytes], folder: Path) -> dict[int, list[str]]:
    """Return the parameters with findings, of a run in which some documents are others."""
    pdfs = {row: planted_faults.printed(design, params) for row, params in enumerate(wanted)} | changed
    found = judged(wanted, pdfs, folder)
    return {row: [one.parameter for one in findings] for row, findings in found.items() if findings}


def test_a_total_that_is_blank_is_not_found_in_the_tables_last_line(tmp_path: Path) -> None:
    wanted = planted_faults.rows("quotation", 60, seed=4)
    line = {**wanted[7]["Lines"][0], "UnitPrice": 1450.5, "Quantity": 1}
    wanted[7] |= {"Lines": [line], "Total": 1450.5}
    blank = planted_faults.printed("quotation", {**wanted[7], "Total": None})
    assert told("quotation", wanted, {7: blank}, tmp_path) == {7: ["Total"]}


def test_a_currency_that_is_not_printed_itself_and_stands_there_unseen_is_told(tmp_path: Path) -> None:
    wanted = planted_faults.rows("bill", 60, seed=4)
    yen = [row for row, params in enumerate(wanted) if params["Currency"] == "JPY"][:2]
    changed = {}
    for row in yen:
        blank = planted_faults.printed("bill", {**wanted[row], "Currency": ""})
        changed[row] = planted_faults.with_text(blank, "JPY", planted_faults.UNSEEN["white"])
    assert told("bill", wanted, changed, tmp_path) == {row: ["Currency"] for row in yen}


def test_a_date_that_only_a_table_has_teaches_no_form() -> None:
    days = [f"2026-03-{day:02}" for day in range(1, 31)]
    sample: list[tuple[DocumentText, ExpectedValues]] = []
    for at, day in enumerate(days):
        params = {"Received": day, "Work": [{"Done": day}]}
        printed = f"{int(day[-2:])} March 2026" if at % 5 else "9 May 2026"
        cell = f"{day[-2:]}.03.26"
        sample.append((document([(printed, 60, 700), (cell, 60, 600)]), ExpectedValues.of(params)))
    for day in days[:20]:
        params = {"Received": day, "Work": [{"Done": "2026-04-01"}]}
        text = document([(f"{int(day[-2:])} March 2026", 60, 700), ("01.04.26", 60, 600)])
        sample.append((text, ExpectedValues.of(params)))
    forms = learned_forms(sample)
    texts = {value.in_form(form) for form in forms["Received"] if (value := sample[0][1].singles["Received"])}
    assert texts == {"1march2026"}
    assert TEXT not in forms["Work.Done"]


def test_two_documents_without_the_word_of_their_flag_are_told_among_few_that_have_it() -> None:
    def one(word: str, flag: str) -> tuple[list[tuple[str, str]], dict[str, str | None]]:
        return [("*", word)] if word else [], {"Express": flag}

    seen = [one("expressversand", "true")] * 25 + [one("", "true")] * 2 + [one("", "false")] * 63
    learned = learn_words(seen, {"Express"})
    assert [found.parameter for found in learned.contradictions([], {"Express": "true"})] == ["Express"]
