"""Tables whose cells are the same in all lines, and lines that no row has: only what is wrong is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import pytest

import reportflow_pandas as rf

ORDERS, LINES = rf.example_orders()
ORDERS = ORDERS.iloc[100:150]
AT_ROW = dict(zip(ORDERS["InvoiceId"], range(len(ORDERS)), strict=True))
LONG = [list(own.index) for _, own in LINES[LINES["InvoiceId"].isin(ORDERS["InvoiceId"])].groupby("InvoiceId")]
LONG = [own for own in LONG if len(own) >= 4]

Told = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Return what is told of invoices, all quantities of which are one, for other lines in the frame."""
    folder = tmp_path_factory.mktemp("equal")
    with rf.local_service() as service:
        settings = rf.Settings(app_key=service.app_key, base_url=service.base_url, runs=folder / "runs")

        def tables(lines: pd.DataFrame) -> dict[str, rf.Table]:
            return {"Lines": rf.Table(lines, on="InvoiceId")}

        results = ORDERS.reportflow.generate(
            "invoice", tables=tables(LINES), download=folder / "pdfs", settings=settings, progress=False
        )

        def findings(lines: pd.DataFrame) -> pd.DataFrame:
            verified = ORDERS.reportflow.verify(results, tables=tables(lines), settings=settings, progress=False)
            return verified.reportflow.findings()

        yield findings


def row_of(line: int) -> int:
    return AT_ROW[LINES.loc[line, "InvoiceId"]]


def test_nothing_is_told_of_what_is_as_it_should_be(told: Told) -> None:
    assert told(LINES).empty


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("order", [0, 11])
def test_one_other_quantity_is_told_of_its_own_document_alone(told: Told, order: int, place: int) -> None:
    lines, at = LINES.copy(), LONG[order][place]
    lines.loc[at, "Quantity"] = 2
    number = LONG[order].index(at) + 1
    found = told(lines)
    assert list(zip(found["row"], found["parameter"], found["expected"], strict=True)) == [
        (row_of(at), f"Lines[{number}].Quantity", "2")
    ]


def test_other_prices_in_the_first_lines_of_nine_invoices_are_told_of_these_alone(told: Told) -> None:
    lines, firsts = LINES.copy(), [own[0] for own in LONG[:9]]
    lines.loc[firsts, "UnitPrice"] = 5.55
    found = told(lines)
    assert set(found["row"]) == set(map(row_of, firsts))
    assert not (found["expected"] == found["found"]).any()


@pytest.mark.parametrize("which", [slice(0, 1), slice(1, 2), slice(-1, None), slice(-2, None), slice(None)])
def test_a_line_that_no_row_has_is_told_wherever_it_stands(told: Told, which: slice) -> None:
    gone = [at for own in LONG[:8] for at in own[which]]
    found = told(LINES.drop(gone))
    assert set(found["row"]) == set(map(row_of, gone))
    assert not (found["expected"].notna() & (found["expected"] == found["found"])).any()
    assert set(found["kind"]) == {"lines"}
    assert len(found) == len(gone)


def test_lines_of_rows_without_any_are_told_beside_many_documents_with_one_too_many(told: Told) -> None:
    gone = [own[0] for own in LONG[:6]] + [at for own in LONG[6:8] for at in own]
    found = told(LINES.drop(gone))
    assert set(found["row"]) == set(map(row_of, gone))
    assert set(found["kind"]) == {"lines"}
