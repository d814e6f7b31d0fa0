"""Each kind of file that once printed something else, through the command line, `read_rows` and `generate`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading.writing import HEAD, csv_file, receipt, replaced, sheet_file

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.local.service import LocalService

SHEET = "sheet1.xml"


def sheet(change: Callable[[Any], None] | None = None, *rows: list[Any]) -> Callable[[], Path]:
    return lambda: sheet_file(Path("rows.xlsx"), rows or [receipt()], change=change)


def edited(part: str, pattern: bytes, by: bytes) -> Callable[[], Path]:
    def write() -> Path:
        return replaced(sheet_file(Path("plain.xlsx"), [receipt()]), Path("rows.xlsx"), part, pattern, by)

    return write


def text(content: str, encoding: str = "utf-8") -> Callable[[], Path]:
    def write() -> Path:
        Path("rows.csv").write_bytes(content.encode(encoding))
        return Path("rows.csv")

    return write


def parquet(**columns: pa.Array) -> Callable[[], Path]:
    def write() -> Path:
        length = len(next(iter(columns.values())))
        good = {name: [receipt(number)[at] for number in range(length)] for at, name in enumerate(HEAD)}
        pq.write_table(
            pa.table({name: columns.get(name, pa.array(cells)) for name, cells in good.items()}), "rows.parquet"
        )
        return Path("rows.parquet")

    return write


def formats(cells: Any) -> None:
    cells["A2"].value, cells["A2"].number_format = 171, "00000"
    cells["F2"].value, cells["F2"].number_format = 0.19, "0%"


def hours(cells: Any) -> None:
    cells["F2"].value, cells["F2"].number_format = dt.timedelta(hours=54, minutes=5, seconds=3), "[h]:mm:ss"


def hide(cells: Any) -> None:
    cells.row_dimensions[3].hidden = True


def cells_of(*values: Any, by: str = ",") -> str:
    return by.join(map(str, values))


LINE = cells_of(*receipt())
QUOTED = (
    f"{cells_of(*HEAD)}\n{LINE.replace('Ann', chr(34) + 'Ann')}\n{LINE}\n{LINE.replace('Ann', chr(34) + 'Cat')}\n"
)

PRINTED: dict[str, tuple[Callable[[], Path], dict[str, Any], dict[str, Any]]] = {
    "whole numbers beside a null": (
        parquet(ReceiptId=pa.array([9007199254740993, None], pa.int64())),
        {},
        {"ReceiptId": "9007199254740993"},
    ),
    "narrow floats": (parquet(Amount=pa.array([19.99], pa.float32())), {}, {"Amount": 19.99}),
    "text in binary columns": (parquet(Description=pa.array([b"Consulting"])), {}, {"Description": "Consulting"}),
    "Excel's carriage returns": (
        edited(SHEET, b"Coffee", b"One_x000D_\nTwo"),
        {},
        {"Description": "One\nTwo"},
    ),
    "a decimal comma": (
        text(cells_of(*HEAD, by=";") + "\n" + cells_of(*receipt(Amount="1.234,50"), by=";") + "\n"),
        {"decimal": ","},
        {"Amount": 1234.5},
    ),
    "a duration": (sheet(hours), {}, {"Description": "54:05:03"}),
    "formats as they are shown": (
        sheet(formats),
        {"as_shown": True},
        {"ReceiptId": "00171", "Description": "19%"},
    ),
    "a day in a text column": (
        sheet(None, receipt(PaymentMethod=dt.datetime(2026, 11, 5), CustomerName=True)),  # noqa: DTZ001
        {"text": ["PaymentMethod", "CustomerName"]},
        {"PaymentMethod": "2026-11-05", "CustomerName": "true"},
    ),
    "a mark inside a text": (sheet(None, receipt(CustomerName="\ufeffBob")), {}, {"CustomerName": "Bob"}),
    "Excel's Unicode text": (
        text(cells_of(*HEAD, by="\t") + "\n" + cells_of(*receipt(), by="\t") + "\n", "utf-16"),
        {},
        {"CustomerName": "Ann", "Amount": 10.5},
    ),
    "the noise of a formula": (
        edited(SHEET, rb"<v>10.5</v>", b"<v>1234.5600000000002</v>"),
        {},
        {"Amount": 1234.56},
    ),
}

REFUSED: dict[str, tuple[Callable[[], Path], str]] = {
    "an error": (sheet(None, receipt(Description="#N/A")), "F2"),
    "a formula without a value": (sheet(None, receipt(Amount="=1+1")), "E2"),
    "an empty fill": (
        edited("styles.xml", rb"<fill>\s*<patternFill[^>]*/>\s*</fill>", b"<fill/>"),
        "save it as .xlsx",
    ),
    "a string that is missing": (
        edited(SHEET, rb'<c r="C2"[^>]*>.*?</c>', b'<c r="C2" t="s"><v>5</v></c>'),
        "save it as .xlsx",
    ),
    "a cut sheet": (edited(SHEET, rb"(?s)</row>.*", b""), "save it as .xlsx"),
    "an open quote": (text(QUOTED), "line"),
    "a hidden row": (sheet(hide, receipt(1), receipt(2)), "row 3"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def options(how: dict[str, Any]) -> list[str]:
    """Return the arguments of `read_rows` as they are typed."""
    typed: list[str] = []
    for name, value in how.items():
        for one in value if isinstance(value, list) else [value]:
            typed += [f"--{name.replace('_', '-')}", *([] if one is True else [one])]
    return typed


@pytest.mark.parametrize("kind", list(PRINTED))
def test_what_the_file_holds_is_what_is_sent(service: LocalService, kind: str) -> None:
    write, how, expected = PRINTED[kind]
    path = write()
    assert main(["generate", str(path), "--design", "receipt", "--no-progress", *options(how)]) == 0
    rf.read_rows(path, **how).reportflow.generate("receipt", file_name="own-{index}", progress=False)
    sent = [one.params for one in service.documents if one.file_name.endswith("-0")]
    assert len(sent) == 2
    for params in sent:
        assert {name: params[name] for name in expected} == expected


@pytest.mark.parametrize("kind", list(REFUSED))
def test_what_can_not_be_known_is_refused_with_its_place(
    service: LocalService, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    write, words = REFUSED[kind]
    path = write()
    assert main(["generate", str(path), "--design", "receipt", "--no-progress"]) == 2
    said = capsys.readouterr().err
    assert re.search(words, said)
    assert "Traceback" not in said
    with pytest.raises(rf.ReportFlowError, match=words):
        rf.read_rows(path)
    assert not service.documents


def test_what_looks_otherwise_in_the_sheet_is_said_each_way(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sheet(formats)()
    assert main(["generate", str(path), "--design", "receipt", "--no-progress"]) == 0
    assert "'00171'" in capsys.readouterr().err
    frame = rf.read_rows(path)
    assert frame.reportflow.check("receipt")["problem"].str.contains("'19%'").any()
    with pytest.warns(rf.CheckWarning, match="00171"):
        frame.reportflow.generate("receipt", progress=False)


def test_headings_that_are_numbers_can_be_named_each_way(service: LocalService) -> None:
    path = sheet_file(Path("years.xlsx"), [[*receipt()[:5], "from 2024", "cash"]], head=[*HEAD[:5], 2024, HEAD[6]])
    named = "".join(f'{name} = "{name}"\n' for name in [*HEAD[:5], HEAD[6]])
    Path("job.toml").write_text(f'[params]\n{named}Description = "2024"\n', encoding="utf-8")
    assert main(["generate", str(path), "--design", "receipt", "--options", "job.toml", "--no-progress"]) == 0
    params = {**{name: name for name in [*HEAD[:5], HEAD[6]]}, "Description": "2024"}
    rf.read_rows(path).reportflow.generate("receipt", params=params, file_name="own", progress=False)
    assert [one.params["Description"] for one in service.documents] == ["from 2024"] * 2


def test_a_hidden_first_sheet_and_headings_of_another_file_are_no_success_any_way(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    def first_hidden(cells: Any) -> None:
        lists = cells.parent.create_sheet("Lists", 0)
        lists["A1"] = "cash"
        lists.sheet_state = "hidden"
        cells.parent.active = 1

    path = sheet(first_hidden)()
    assert main(["generate", str(path), "--design", "receipt", "--no-progress"]) == 0
    rf.read_rows(path).reportflow.generate("receipt", file_name="own", progress=False)
    assert len(service.documents) == 2
    Path("wrong.csv").write_text("Foo,Bar\n", encoding="utf-8")
    assert main(["generate", "wrong.csv", "--design", "receipt", "--no-progress"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(rf.ReportFlowError):
        rf.read_rows("wrong.csv").reportflow.generate("receipt", progress=False)
    assert len(service.documents) == 2


def test_the_wrong_cell_is_named_each_way(service: LocalService, capsys: pytest.CaptureFixture[str]) -> None:
    blank: list[Any] = [None] * len(HEAD)
    path = sheet(None, receipt(1), blank, blank, receipt(2, Amount="abc"))()
    assert main(["generate", str(path), "--design", "receipt", "--no-progress"]) == 2
    assert re.search(r"Sheet!E5.*'abc'", capsys.readouterr().err)
    with pytest.raises(rf.InvalidRows, match=r"Sheet!E5.*'abc'"):
        rf.read_rows(path).reportflow.generate("receipt", progress=False)
    csv_file(Path("rows.csv"), [receipt(1), receipt(2, Amount="abc")])
    with pytest.raises(rf.InvalidRows, match=r"line 3 \(rows.csv\).*'abc'"):
        rf.read_rows("rows.csv").reportflow.generate("receipt", progress=False)
    assert not service.documents
