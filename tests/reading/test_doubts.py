"""A file as people have it is refused once: all that is in doubt, and one line that settles it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.errors import ConfigurationError

HEAD = ["請求番号", "取引先名", "請求日", "合計金額", "備考"]
ROWS = [
    ["INV-001", "株式会社東海", "2026/11/01", 120000, None],
    ["INV-002", "山田商店", "2026/11/02", "1,234,500", None],
    ["INV-003", "有限会社北陸", "2026/11/03", 88000, "至急"],
    ["INV-004", "鈴木工業", "2026/11/04", 45600, None],
]


def workbook(folder: Path, *, error: bool = False) -> Path:
    """Write a sheet as an office has it: titles, a filter, an amount typed as text, a sum at the foot."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "11月度 売上"
    sheet["A1"] = "株式会社サンプル　2026年11月 請求一覧"
    sheet.merge_cells("A1:E1")
    sheet["A2"] = "作成日: 2026/11/25"
    for line in ([], HEAD, *ROWS, ["合　計", None, None, 1488100, None]):
        sheet.append(line)
    sheet.auto_filter.ref = "A4:E8"
    sheet.row_dimensions[7].hidden = True
    if error:
        sheet["E5"].value, sheet["E5"].data_type = "#N/A", "e"
    path = folder / "売上 11月.xlsx"
    book.save(path)
    return path


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        rf.read_rows(path, **how)
    return str(refusal.value)


def pasted(said: str) -> pd.DataFrame:
    """Carry out the line that a refusal ends with."""
    frame: pd.DataFrame = eval(said.splitlines()[-1], {"rf": rf})  # noqa: S307 - the line is to be pasted
    return frame


def test_one_refusal_tells_all_and_its_last_line_reads_the_file(tmp_path: Path) -> None:
    said = refused(workbook(tmp_path))
    assert said.count("\n  - ") == 4
    for told in ("header=4", "hidden='skip'", "line 9: '合 計', '1488100'", "'1,234,500'"):
        assert told in said
    frame = pasted(said)
    assert frame["請求番号"].tolist() == ["INV-001", "INV-002", "INV-004"]
    assert frame["合計金額"].sum() == 120000 + 1234500 + 45600


def test_an_error_cell_is_for_the_file_and_the_line_settles_the_rest(tmp_path: Path) -> None:
    said = refused(workbook(tmp_path, error=True))
    assert "E5 #N/A" in said
    assert "Correct the file where only that helps" in said
    assert "text=" not in said.splitlines()[-1]
    corrected = workbook(tmp_path)
    assert len(pasted(said)) == 3
    assert corrected.exists()


def test_a_text_file_tells_all_at_once_too(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    lines = ["Sales of November,,", ",,", "No,Name,Amount", '1,Ann,"1,200"', "2,Bob,#N/A", 'Total,,"3,400"']
    path.write_text("\n".join(lines))
    said = refused(path)
    for told in ("header=3", "line 6: 'Total', '3,400'", "'Amount' is #N/A", "'1,200'"):
        assert told in said
    path.write_text(path.read_text().replace("#N/A", "2200"))
    assert pasted(said)["Amount"].tolist() == [1200, 2200]


def test_what_headings_in_the_wrong_line_hide_is_told_as_well(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("Sales\nNo,Name,Amount\n1,Ann,12\n2,Bob\n")
    said = refused(path)
    assert "header=2" in said
    assert "line 4 has 2 fields" in said


def test_the_shell_says_it_in_options_that_read_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = workbook(tmp_path)
    asked = ["check", path.name, "--design", "receipt", "--local"]
    assert main(asked) == 2
    told = capsys.readouterr().err
    options = told.strip().splitlines()[-1]
    assert options == "--header 4 --decimal . --hidden skip --totals skip"
    assert not re.search(r"\b(header|hidden|totals|decimal)=", told)
    assert main([*asked, *shlex.split(options)]) == 2
    assert "3 rows of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "foot",
    [
        ["合計", None, 3],
        ["総計", "", 3],
        [None, "小 計", 3],
        ["計", None, 3],
        ["Total", None, 3],
        ["GRAND TOTAL:", None, 3],
        ["Total (2 rows)", None, 3],
        ["Summe", None, 3],
    ],
)
def test_a_sum_is_known_by_its_word_and_an_empty_cell(tmp_path: Path, foot: list[Any]) -> None:
    pd.DataFrame([["A", "x", 1], ["B", "y", 2], foot], columns=["No", "Name", "Amount"]).to_excel(
        tmp_path / "rows.xlsx", index=False
    )
    assert "like the sum of others" in refused(tmp_path / "rows.xlsx")
    assert len(rf.read_rows(tmp_path / "rows.xlsx", totals="skip")) == 2
    assert len(rf.read_rows(tmp_path / "rows.xlsx", totals="keep")) == 3


@pytest.mark.parametrize(
    "row",
    [
        ["C", "Total", 3],
        ["C", "TotalEnergies SE", None],
        ["C", "計測機器株式会社", None],
        ["C", None, 3],
        ["Totals of the year and what else there is to say of it", None, 3],
    ],
)
def test_a_row_that_only_resembles_a_sum_is_a_row(tmp_path: Path, row: list[Any]) -> None:
    pd.DataFrame([["A", "x", 1], ["B", "y", 2], row], columns=["No", "Name", "Amount"]).to_excel(
        tmp_path / "rows.xlsx", index=False
    )
    assert len(rf.read_rows(tmp_path / "rows.xlsx")) == 3


def test_an_optional_column_makes_no_sum_of_a_row(tmp_path: Path) -> None:
    """A product that is called so leaves empty what other rows leave empty as well."""
    rows = [["A", "x", None], ["B", "Total", None], ["C", "z", "urgent"]]
    pd.DataFrame(rows, columns=["No", "Name", "Note"]).to_excel(tmp_path / "rows.xlsx", index=False)
    assert len(rf.read_rows(tmp_path / "rows.xlsx")) == 3
