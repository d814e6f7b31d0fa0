"""Cells whose value is not known: told where a file is read, refused only where a document needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from reading.writing import HEAD, csv_file, receipt, replaced, sheet_file

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.local.service import LocalService


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def helper(sheet: Any) -> None:
    sheet["H1"], sheet["H2"], sheet["H3"] = "Helper", "#N/A", "x"
    sheet["I1"], sheet["I2"], sheet["I3"] = "Sum", "=1+1", 2


def generate(file: str, *more: str) -> int:
    return main(["generate", file, "--design", "receipt", "--no-progress", *more])


def test_an_error_that_no_document_needs_is_told_and_refuses_nothing(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet_file(Path("rows.xlsx"), [receipt(1), receipt(2)], change=helper)
    assert generate("rows.xlsx") == 0
    said = capsys.readouterr().err
    assert "H2 #N/A" in said
    assert "I2" in said
    assert len(service.documents) == 2
    shown = openpyxl.load_workbook("review.xlsx")["Results"]
    assert "#N/A" in {cell.value for cells in shown.iter_rows() for cell in cells}


@pytest.mark.parametrize(
    "more",
    [
        ["--options", "job.toml"],
        ["--group-by", "Helper"],
        ["--file-name", "{Helper}"],
        ["--file-name", "Helper"],
    ],
)
def test_whatever_needs_it_refuses_it_with_its_cell(
    service: LocalService, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    columns = {name: name for name in HEAD} | {"Description": "Helper"}
    Path("job.toml").write_text(
        "[params]\n" + "".join(f'{name} = "{column}"\n' for name, column in columns.items())
    )
    sheet_file(Path("rows.xlsx"), [receipt(1), receipt(2)], change=helper)
    assert generate("rows.xlsx", *more) == 2
    said = capsys.readouterr().err
    assert "H2 shows #N/A" in said
    assert "Traceback" not in said
    assert not service.documents


@pytest.mark.parametrize("word", ["#DIV/0!", "#WERT!", "#NV", "#######", "Err:502"])
def test_an_error_in_a_text_file_is_refused_by_its_line_where_it_is_needed(
    service: LocalService, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    csv_file(Path("rows.csv"), [[*receipt(1), word], [*receipt(2), "2"]], head=[*HEAD, "Helper"])
    assert generate("rows.csv") == 0
    csv_file(Path("rows.csv"), [receipt(1), receipt(2, Amount=word)])
    assert generate("rows.csv") == 2
    assert f"line 3, has {word} in place of a value" in capsys.readouterr().err
    assert len(service.documents) == 2
    with pytest.raises(rf.ReportFlowError, match="line 3"):
        rf.read_rows("rows.csv")


def test_in_python_a_column_that_stays_text_may_hold_them() -> None:
    sheet_file(Path("rows.xlsx"), [receipt(1), receipt(2)], change=helper)
    with pytest.raises(rf.ReportFlowError, match="text=\\['Helper'\\]"):
        rf.read_rows("rows.xlsx")
    frame = rf.read_rows("rows.xlsx", text=["Helper", "Sum"])
    assert frame["Helper"].tolist() == ["#N/A", "x"]
    with rf.use_local():
        frame.reportflow.check("receipt")
        with pytest.raises(rf.InvalidRows, match="Sheet!I2 is a formula without a stored value"):
            frame.reportflow.check("receipt", params={name: name for name in HEAD} | {"Description": "Sum"})
        with pytest.raises(rf.ReportFlowError, match="Sheet!I2"):
            frame.reportflow.generate("receipt", key="Sum", progress=False)


@pytest.mark.parametrize("stored", [b"<f>1+1</f>", b'<f t="shared" si="0"/>', b"<f>1+1</f><v>0</v>"])
def test_a_formula_that_its_program_did_not_work_out_has_no_value(tmp_path: Path, stored: bytes) -> None:
    """XlsxWriter stores a zero for each formula and asks Excel to work them out when the file is opened."""
    plain = sheet_file(tmp_path / "plain.xlsx", [receipt(1)])
    path = replaced(
        plain, tmp_path / "rows.xlsx", "sheet1.xml", rb'<c r="E2"[^>]*>.*?</c>', b'<c r="E2">%s</c>' % stored
    )
    with pytest.raises(rf.ReportFlowError, match="1 formula without a stored value: E2"):
        rf.read_rows(path)
