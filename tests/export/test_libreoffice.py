"""The workbook and the CSV, opened by a spreadsheet program."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from support.reviewed_workbooks import LibreOffice, cells, find_libreoffice, headings, make_results, opened, review

from reportflow_pandas.export.csv_file import write_csv
from reportflow_pandas.export.review import read_review
from reportflow_pandas.export.workbook import write_workbook

SECOND = "second line"
TRAPS = {  # a value, and what a spreadsheet shows
    "control characters": ("a\x0bb\x00c", "a\ufffdb\ufffdc"),
    "a surrogate": ("a\ud800b", "a\ufffdb"),
    "a noncharacter": ("a\uffffb", "a\ufffdb"),
    "a formula": ("=1+1", "=1+1"),
    "a command": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
    "a plus": ("+1+1", "+1+1"),
    "a minus": ("-1+1", "-1+1"),
    "an at": ("@SUM(1)", "@SUM(1)"),
    "an error value": ("#N/A", "#N/A"),
    "an escape of Excel": ("a_x000D_b", "a_x000D_b"),
    "leading zeros": ("007", "007"),
    "spaces": ("  a  ", "  a  "),
    "two lines": (f"first\r\n{SECOND}", f"first\n{SECOND}"),
    "Japanese": ("株式会社＝サンプル", "株式会社＝サンプル"),  # noqa: RUF001 - as it is written
    "an emoji": ("📄", "📄"),
    "not a number": (float("nan"), ""),
    "no time": (pd.NaT, ""),
    "no value": (pd.NA, ""),
    "nothing": (None, ""),
    "infinity": (float("inf"), "inf"),
    "a long number": (12345678901234567890, "12345678901234567890"),
    "a long decimal": (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
    "a number": (12345.5, "12345.5"),
    "a list": ([1, "二"], '[1, "二"]'),
    "a record": ({"a": None}, '{"a": null}'),
    "an id": (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    "bytes": (b"%PDF", "<4 bytes>"),
    "a day": (dt.date(2026, 2, 28), "2026-02-28"),
    "a zoned time": (pd.Timestamp("2026-02-28T09:30", tz="Asia/Tokyo"), "2026-02-28 00:30:00"),
    "an old day": (dt.date(1850, 1, 1), "1850-01-01"),
    "a duration": (pd.Timedelta(hours=36, minutes=5), "36:05:00"),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> LibreOffice:
    """LibreOffice."""
    return find_libreoffice(tmp_path_factory.mktemp("libreoffice"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a workbook of every trap, in its source, with a text of 40,000 characters."""
    path = tmp_path_factory.mktemp("traps") / "traps.xlsx"
    values = pd.Series([value for value, _ in TRAPS.values()] + ["x" * 40_000], dtype=object)
    results = make_results(["ready"] * len(values), index=[*TRAPS, "long"])
    results["path"] = [str(path.parent / "pdfs" / f"{at}.pdf") for at in range(len(values))]
    write_workbook(results, path, pd.DataFrame({"value": values.array}, index=results.index))
    review(path, {0: "redo", 1: "承認"}, {2: "一言\nzwei"})
    return path


@pytest.fixture(scope="module")
def shown(office: LibreOffice, written: Path) -> dict[str, str]:
    """Give what LibreOffice shows for each trap."""
    rows = office.shown(written, "Results")
    at = rows[0].index("value")
    return {row[0]: row[at] for row in rows[1:]}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_shown_as_it_should_be(shown: dict[str, str], name: str) -> None:
    assert shown[name] == TRAPS[name][1]


def test_a_long_text_is_shortened_to_what_a_cell_holds(shown: dict[str, str]) -> None:
    assert len(shown["long"]) == 32_767
    assert shown["long"].endswith("x […] (40,000)")


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_no_formula_and_no_error_for_openpyxl(written: Path, name: str) -> None:
    cell = cells(openpyxl.load_workbook(written)["Results"], "value")[list(TRAPS).index(name)]
    assert cell.data_type in "snd"


def test_the_traps_are_counted_on_the_summary(office: LibreOffice, written: Path) -> None:
    said = "\n".join(row[1] for row in office.shown(written, "Summary"))
    for count in (
        "1 texts were shortened",
        "2 texts held control",
        "1 texts held broken",
        "3 texts look like a formula",
        "1 times had a time zone",
        "4 values are missing",
        "1 numbers are infinite",
        "2 numbers have more than 15",
        "2 lists or records",
        "2 values of other kinds",
        "1 dates lie outside",
    ):
        assert count in said


def test_a_workbook_saved_again_by_libreoffice_is_read_as_before(office: LibreOffice, written: Path) -> None:
    found = read_review(office.saved_again(written))
    assert found.index.tolist() == [*TRAPS, "long"]
    assert found["decision"].tolist()[:2] == ["redo", "approve"]
    assert found["decision"].iloc[2:].isna().all()
    assert found["comment"].tolist()[2] == "一言\nzwei"


def test_libreoffice_understands_links_colours_filter_and_drop_down(office: LibreOffice, written: Path) -> None:
    book = opened(office.saved_again(written))
    assert book.sheetnames == ["Summary", "Results", "Failed", "Run"]
    sheet = book["Results"]
    assert sheet.auto_filter.ref
    assert sheet.conditional_formatting
    assert "approve" in sheet.data_validations.dataValidation[0].formula1
    hidden = {
        name[:6]
        for name, at in headings(sheet).items()
        if sheet.column_dimensions[openpyxl.utils.get_column_letter(at)].hidden
    }
    assert hidden <= {"rf_run", "rf_row", "rf_key"}
    assert cells(sheet, "web page")[1].hyperlink.target == "https://app.example.test/file/R1/F1"
    assert cells(sheet, "PDF on disk")[1].hyperlink.target.endswith("pdfs/1.pdf")


def test_every_index_type_survives_libreoffice(office: LibreOffice, tmp_path: Path) -> None:
    index = pd.MultiIndex.from_arrays(
        [
            pd.date_range("2026-01-01", periods=3, tz="Asia/Tokyo"),
            pd.Index([1, 1, 10**17]),
            ["a_x000D_", "=b", " c "],
        ],
        names=["when", None, "名"],
    )
    write_workbook(make_results(3, index=index), tmp_path / "levels.xlsx")
    review(tmp_path / "levels.xlsx", {2: "reject"})
    found = read_review(office.saved_again(tmp_path / "levels.xlsx"))
    assert found.index.equals(index)
    assert list(found.index.names) == list(index.names)
    assert found.index.dtypes.tolist() == index.dtypes.tolist()
    assert found["decision"].tolist()[2] == "reject"


def test_a_csv_opened_by_libreoffice_holds_no_formula(office: LibreOffice, tmp_path: Path) -> None:
    values = ["=1+1", "+1", "-1", "@x", "\t=1", " =1+1", "ok"]
    source = pd.DataFrame({"value": values, "=head": values})
    path = write_csv(make_results(7), tmp_path / "safe.csv", source)
    book = opened(office.convert(path, "xlsx:Calc MS Excel 2007 XML") / "safe.xlsx")
    assert all(cell.data_type != "f" for row in book.active.iter_rows() for cell in row)
