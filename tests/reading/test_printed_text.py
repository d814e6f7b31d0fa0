"""From a file to the paper: what openpyxl, csv, pyarrow or a binary workbook holds is what the PDF says."""

from __future__ import annotations

import csv
import datetime as dt
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pypdfium2
import pytest
from hypothesis import Phase, given, settings, strategies as st
from reading.writing import HEAD, receipt, sheet_file
from reading.xlsb_writing import xlsb_file

import reportflow_pandas as rf

COLUMNS = ["CustomerName", "Company", "Description", "PaymentMethod"]
"""Texts of the packaged receipt."""

LETTERS = "abcXYZ0189äßéŁñ.,;:'\"-()/&%€¥_@!? 日本株式会社カナかな"
texts = (
    st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(lambda text: text[:1] not in ("", "=", "'"))
)
wholes = st.integers(-(10**14), 10**14)
floats = st.floats(-(10.0**9), 10.0**9, width=32).map(lambda number: round(number, 4))
days = st.dates(dt.date(1901, 1, 1), dt.date(2150, 1, 1))
durations = st.integers(1, 10**7).map(lambda seconds: dt.timedelta(seconds=seconds))


def printed(path: str) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        text = "".join(page.get_textpage().get_text_bounded() for page in document)
        return squeezed(text.replace("\x02", "-"))  # how PDFium tells a hyphen at a line's end
    finally:
        document.close()


def squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def in_print(value: Any) -> str:
    """Return what a person expects to read of a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def openpyxl_wrote(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    return sheet_file(path.with_suffix(".xlsx"), whole(rows))


def xlsb_holds(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    return xlsb_file(path.with_suffix(".xlsb"), [HEAD, *whole(rows)])


def csv_wrote(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEAD, *([in_print(cell) for cell in row] for row in whole(rows))])
    return path.with_suffix(".csv")


def pyarrow_wrote(path: Path, columns: Sequence[pa.Array]) -> Path:
    length = len(columns[0])
    good = dict(zip(HEAD, zip(*[receipt(number) for number in range(length)], strict=True), strict=True))
    table = {name: pa.array(cells) for name, cells in good.items()} | dict(zip(COLUMNS, columns, strict=True))
    pq.write_table(pa.table({name: table[name] for name in HEAD}), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def whole(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [receipt(number, **dict(zip(COLUMNS, row, strict=True))) for number, row in enumerate(rows)]


def rows_of(*cells: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    return st.lists(st.lists(st.one_of(cells), min_size=4, max_size=4), min_size=5, max_size=8)


def arrays(length: int) -> st.SearchStrategy[list[pa.Array]]:
    def of(cells: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
        column = st.lists(st.none() | cells, min_size=length, max_size=length)
        return column.map(lambda values: pa.array(values, kind))

    column = st.one_of(
        of(st.integers(-(2**63), 2**63 - 1), pa.int64()),
        of(st.integers(0, 2**64 - 1), pa.uint64()),
        of(st.decimals(-(10**9), 10**9, places=3), pa.decimal128(18, 3)),
        of(floats, pa.float64()),
        of(texts, pa.string()),
        of(texts, pa.dictionary(pa.int32(), pa.string())),
        of(texts.map(str.encode), pa.binary()),
        of(days, pa.date32()),
        of(st.booleans(), pa.bool_()),
        of(durations, pa.duration("s")),
    )
    return st.lists(column, min_size=4, max_size=4)


FILES: dict[str, tuple[Callable[[Path, Any], Path], st.SearchStrategy[Any]]] = {
    "openpyxl": (openpyxl_wrote, rows_of(texts, wholes, floats, st.booleans(), days, durations)),
    "a binary workbook": (xlsb_holds, rows_of(texts, wholes.map(float), floats, st.booleans())),
    "csv": (csv_wrote, rows_of(texts, wholes, floats, days)),
    "pyarrow": (pyarrow_wrote, arrays(6)),
}


@pytest.mark.parametrize("writer", list(FILES))
@pytest.mark.usefixtures("fresh_process")
def test_what_a_file_holds_is_printed_or_it_is_said(writer: str, tmp_path: Path) -> None:
    write, tables = FILES[writer]
    drawn = iter(range(1000))

    @settings(max_examples=5, deadline=None, phases=[Phase.generate])  # each of a shrink's attempts makes PDFs
    @given(tables)
    def holds(table: Any) -> None:
        folder = tmp_path / str(next(drawn))
        folder.mkdir()
        path = write(folder / "rows", table)
        rows = list(zip(*(column.to_pylist() for column in table), strict=True)) if writer == "pyarrow" else table
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            results = rf.read_rows(path).reportflow.generate("receipt", download=folder / "pdfs", progress=False)
        said = " ".join(str(one.message) for one in told)
        for values, pdf in zip(rows, results["path"], strict=True):
            page = printed(pdf)
            for column, value in zip(COLUMNS, values, strict=True):
                text = value.decode() if isinstance(value, bytes) else value
                if value is not None and squeezed(in_print(text)) not in page:
                    assert f"'{column}'" in said, (column, value, page, said)

    with rf.use_local():
        holds()
