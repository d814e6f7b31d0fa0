"""Words of programs in a document are told, where the design does not print them and the row has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import planted_faults

from .test_planted_faults import judged

Params = dict[str, Any]


@pytest.fixture(scope="module")
def receipts() -> tuple[list[Params], dict[int, bytes]]:
    wanted = planted_faults.rows("receipt", 24, 11)
    return wanted, planted_faults.printed_all("receipt", wanted)


@pytest.mark.parametrize("word", ["NaN", "undefined", "#REF!", "{{Name}}", "[object Object]", "None"])
def test_a_word_of_a_program_behind_a_value_is_told(
    word: str, receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    wanted, pdfs = receipts
    params = {**wanted[5], "Description": f"{wanted[5]['Description']} {word}"}
    found = judged(wanted, pdfs | {5: planted_faults.printed("receipt", params)}, tmp_path)
    assert [row for row, findings in found.items() if findings] == [5]
    assert any(f"{word} is a word of a program" in finding.found for finding in found[5])


def test_a_word_of_a_program_that_the_row_has_is_its_own(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    wanted, pdfs = receipts
    params = {**wanted[5], "Description": "Why is it undefined? A lecture"}
    own = [*wanted[:5], params, *wanted[6:]]
    found = judged(own, pdfs | {5: planted_faults.printed("receipt", params)}, tmp_path)
    assert [row for row, findings in found.items() if findings] == []


def test_a_word_of_a_program_that_most_documents_have_is_the_design_s(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    wanted, _ = receipts
    printed = [{**params, "Description": f"{params['Description']} None"} for params in wanted]
    found = judged(wanted, planted_faults.printed_all("receipt", printed), tmp_path)
    assert [finding for findings in found.values() for finding in findings if "program" in finding.found] == []
