"""Up to three documents teach nothing of what a design prints: what is nowhere is told by its kind."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import planted_faults

from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_check import Checked, check_run

POOL, SEED = 120, 5501

Params = dict[str, Any]


def rows_of(design: str, size: int, run: int = 0) -> list[Params]:
    rows = planted_faults.rows(design, POOL, SEED)
    return random.Random(f"{design}{size}{run}").sample(rows, size)  # noqa: S311 - which rows are tried


def checked(design: str, wanted: list[Params], printed: list[Params], folder: Path) -> Checked:
    """Return what is found in documents of these values."""
    paths = {}
    for row, params in enumerate(printed):
        paths[row] = str(folder / f"{row}.pdf")
        Path(paths[row]).write_bytes(planted_faults.printed(design, params))

    def params() -> Iterator[tuple[int, Params]]:
        yield from enumerate(wanted)

    with closing(Readings(folder)) as known:
        return check_run(paths, params, known, labels={}, began=lambda *_: lambda _count: None, tick=lambda: None)


def told(found: Checked) -> dict[int, list[str]]:
    return {
        row: [finding.parameter for finding in verdict.findings]
        for row, verdict in found.verdicts.items()
        if verdict.verdict != "ok"
    }


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(("name", "other"), [("ReceiptId", "R-2025-99"), ("Amount", 98765.43)])
def test_another_number_or_amount_in_one_of_few_documents_is_told(
    size: int, name: str, other: object, tmp_path: Path
) -> None:
    wanted = rows_of("receipt", size)
    printed = [{**wanted[0], name: other}, *wanted[1:]]
    assert told(checked("receipt", wanted, printed, tmp_path)) == {0: [name]}


def test_what_is_in_none_of_few_documents_is_told_and_said_to_be_in_doubt(tmp_path: Path) -> None:
    wanted = rows_of("invoice", 2)
    found = checked("invoice", wanted, [{**params, "CustomerName": "Zyx Uvwerin"} for params in wanted], tmp_path)
    assert told(found) == {0: ["CustomerName"], 1: ["CustomerName"]}
    assert found.not_judged["CustomerName"] == (
        "found in none of 2 documents: told as missing, but so few do not tell whether the design prints it"
    )


@pytest.mark.parametrize(
    ("design", "size", "run"),
    [
        pytest.param("quotation", 2, 0, id="a_price_that_is_its_amount_in_the_only_line_of_one_piece"),
        pytest.param("bill", 2, 3, id="a_currency_that_is_printed_as_a_sign"),
        pytest.param("bill", 1, 15, id="a_price_of_forty_pieces"),
        pytest.param("letter", 2, 5, id="a_price_in_the_other_one's_form"),
        pytest.param("delivery", 1, 0, id="flags_and_a_language"),
        pytest.param("quotation", 2, 2, id="dates_of_two_languages"),
    ],
)
def test_few_clean_documents_are_left_alone(design: str, size: int, run: int, tmp_path: Path) -> None:
    wanted = rows_of(design, size, run)
    assert told(checked(design, wanted, wanted, tmp_path)) == {}
