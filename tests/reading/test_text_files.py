"""Text files are read strictly: each value is what stands there, or it is said or refused with its line."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas import read_rows
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.inference import inferred
from reportflow_pandas.reading.locations import notes, where
from reportflow_pandas.reading.read_rows import read_file
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.shown import with_values
from reportflow_pandas.rows.values import column_values


def read(folder: Path, content: str | bytes, name: str = "rows.csv", **how: Any) -> pd.DataFrame:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rows(path, **how)


def refused(folder: Path, content: str | bytes, name: str = "rows.csv", **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        read(folder, content, name, **how)
    return str(refusal.value)


# values


@pytest.mark.parametrize(
    "cells",
    [
        ["0171", "171"],
        ["+81312345678", "5"],
        ["12345678901234567890", "1"],
        ["1e5", "2"],
        ["-0", "1"],
        ["NA", "ZA"],
        ["true", "FALSE"],
        ["TRUE", "maybe"],
        ["05.11.2026", "06.11.2026"],
        ["2026-02-31", "2026-03-01"],
        ["1 ", "2"],
        ["123 456 789", "987 654 321"],
        ["192.168.100.200", "10.168.100.201"],
        ["1.234,50", "1,234.50"],
        ["1,23,456.50", "1.5"],
    ],
)
def test_text_that_no_number_writes_stays_text(cells: list[str]) -> None:
    assert inferred(cells, None, None).cells.tolist() == cells


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["1", "2"], [1, 2]),
        (["1.5", "NA", "2.25"], [1.5, None, 2.25]),
        (["true", "false", ""], [True, False, None]),
        (["TRUE", "FALSE"], [True, False]),
        (["True", "False"], [True, False]),
        (["2026-11-05", ""], ["2026-11-05", None]),
        (["2026-11-05 00:00:00", "2026-11-06 00:00:00"], ["2026-11-05", "2026-11-06"]),
        (["2026-11-05 09:30:00", "2026-11-06 00:00:00"], ["2026-11-05 09:30:00", "2026-11-06 00:00:00"]),
    ],
)
def test_plain_numbers_dates_and_booleans_become_what_they_are(cells: list[str], values: list[object]) -> None:
    assert column_values(inferred(cells, None, None).cells) == values


def test_an_amount_keeps_its_digits() -> None:
    assert inferred(["10.50", "9.00"], None, None).cells.tolist() == [Decimal("10.50"), Decimal("9.00")]


@given(st.lists(st.from_regex(r"[-+]?[0-9]{0,17}(\.[0-9]{0,17})?(e5)?", fullmatch=True).filter(bool), min_size=1))
def test_whatever_looks_like_a_number_prints_as_it_was_written(cells: list[str]) -> None:
    assert column_values(inferred(cells, None, None).cells, "text") == cells


# numbers of other countries


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.234,50", "12,5"], ["1234.50", "12.5"]),
        (["0,5", "-1,25"], ["0.5", "-1.25"]),
        (["1 234,50", "2\u00a0500,00"], ["1234.50", "2500.00"]),
        (["1'234.50", "2.25"], ["1234.50", "2.25"]),
        (["1,234.50", "12"], ["1234.50", "12"]),
    ],
)
def test_a_decimal_sign_is_found_where_every_value_agrees(cells: list[str], values: list[str]) -> None:
    assert [Decimal(str(value)) for value in inferred(cells, None, None).cells] == [Decimal(one) for one in values]


def test_a_number_that_may_be_either_is_asked_for(tmp_path: Path) -> None:
    text = 'Id,Amount\n1,"1,234"\n2,"2,500"\n'
    frame = read(tmp_path, text)
    assert frame["Amount"].tolist() == ["1,234", "2,500"]
    (note,) = notes(frame)
    assert (note.kind, note.types) == ("ambiguous", ["number"])
    assert "rows.csv, line 2" in note.problem
    assert "decimal=','" in note.suggestion
    assert read(tmp_path, text, decimal=",")["Amount"].tolist() == [Decimal("1.234"), Decimal("2.500")]
    assert read(tmp_path, text, decimal=".")["Amount"].tolist() == [1234, 2500]
    assert read(tmp_path, text, thousands=",")["Amount"].tolist() == [1234, 2500]


def test_thousands_are_no_decimals_in_a_file_with_decimal_commas(tmp_path: Path) -> None:
    frame = read(tmp_path, "Total;Count\n1.234,50;1.234\n12,50;2.500\n")
    assert frame["Count"].tolist() == ["1.234", "2.500"]
    assert {(note.column, note.kind) for note in notes(frame)} == {("Total", "format"), ("Count", "ambiguous")}


def test_ids_with_zeros_and_mixed_signs_stay_text_under_a_decimal_comma(tmp_path: Path) -> None:
    frame = read(tmp_path, "Id;Plan;Phone\n0171;1.5;123 456 789\n0172;2,5;987 654 321\n", decimal=",")
    assert frame.iloc[0].tolist() == ["0171", "1.5", "123 456 789"]


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=5), st.sampled_from([",", "."]))
def test_numbers_written_in_any_country_are_read_as_they_were_meant(numbers: list[Decimal], sign: str) -> None:
    swapped = str.maketrans(",.", ".," if sign == "," else ",.")
    cells = [f"{number:,.2f}".replace("-0.00", "0.00").translate(swapped) for number in numbers]
    values = [Decimal(str(value)) for value in inferred(cells, sign, None).cells]
    assert values == [Decimal(f"{number:.2f}") for number in numbers]


def test_as_shown_keeps_the_text_and_the_value(tmp_path: Path) -> None:
    frame = read(tmp_path, "Amount;Paid\n1.234,50;TRUE\n12,00;\n", as_shown=True)
    assert frame["Amount"].tolist() == ["1.234,50", "12,00"]
    assert column_values(with_values(frame["Amount"], "number"), "text") == ["1234.50", "12.00"]
    assert with_values(frame["Paid"], "boolean").tolist() == [True, None]
    assert notes(frame) == []


# quotes and lines


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (['R-1,"Ann,Acme,5', "R-2,Bob,Acme,6", 'R-3,"Cat,Acme,7', "R-4,Dan,Acme,8"], "line 2"),
        (["R-1,Ann,Acme,5", 'R-2,"Bob,Acme,6', "R-3,Cat,Acme,7"], "line 3"),
        (['R-1,"Ann,Acme,5', "R-2,Bob,Acme,6", 'R-3,",Acme,7'], "lines 2 to 4"),
        (['R-1,Ann,"Acme,5', 'R-2,Bob,",6'], "lines 2 to 3"),
        (['R-1,"Ann "the boss" Lee",Acme,5'], "line 2"),
        (['R-1,"say \\"hi\\"",Acme,5'], "line 2"),
    ],
)
def test_a_quote_that_swallows_rows_is_refused_with_its_line(tmp_path: Path, rows: list[str], line: str) -> None:
    text = refused(tmp_path, "Id,Name,Company,Amount\n" + "\n".join(rows) + "\n")
    assert line in text
    assert "quote" in text


def test_quotes_and_line_breaks_inside_a_field_are_no_trouble(tmp_path: Path) -> None:
    frame = read(tmp_path, 'Id,Address,Note\n1,"Street 1\r\nCity, State",5" pipe\n2,"said ""hi""",\n3,x,y\n')
    assert frame["Address"].tolist() == ["Street 1\nCity, State", 'said "hi"', "x"]
    assert frame["Note"].iloc[0] == '5" pipe'
    assert where(frame, 2, "Address") == "rows.csv, line 5"


def test_what_may_be_two_rows_in_quotes_is_said(tmp_path: Path) -> None:
    frame = read(tmp_path, 'Id,Name,City,Address\n1,Ann,Rome,"Street 1\nRome, Lazio, Italy, Earth"\n')
    (note,) = notes(frame)
    assert note.kind == "quotes"
    assert "lines 2 to 3" in note.problem


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("R-1,Ann", "line 3 has 2 fields, and line 1, the headings, has 3 fields"),
        ("R-1,Ann,5,6", "Is a comma in a field without quotes"),
        ('R-1, "Ann, Lee",5', "A space before a quote"),
    ],
)
def test_a_line_of_another_length_is_refused_with_its_number(tmp_path: Path, row: str, words: str) -> None:
    text = refused(tmp_path, f"Id,Name,Amount\nR-0,Bob,4\n{row}\n")
    assert words in text
    assert "line 3" in text


def test_empty_fields_at_the_end_of_a_line_lose_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b,\n1,2,\n3,4,,\n").to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_an_empty_line_becomes_no_document_and_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,x\n,\n2,y\n")
    frame = read_file(path, Reading(say=told.append))
    assert frame["a"].tolist() == [1, 2]
    assert where(frame, 1) == "rows.csv, line 4"
    assert told == ["rows.csv: 1 empty line left out"]


def test_errors_of_a_spreadsheet_are_refused_with_their_lines(tmp_path: Path) -> None:
    text = "Id,Name\n1,#REF!\n2,Bob\n3,#N/A\n"
    said = refused(tmp_path, text)
    assert "line 2: 'Name' is #REF!" in said
    assert "line 4" in said
    assert read(tmp_path, text, text="Name")["Name"].tolist() == ["#REF!", "Bob", "#N/A"]


def test_a_word_for_nothing_among_numbers_is_said(tmp_path: Path) -> None:
    (note,) = notes(read(tmp_path, "Id,Amount\n1,NA\n2,5\n"))
    assert (note.kind, note.count) == ("missing", 1)
    assert "'NA'" in note.problem
    assert "line 2 (rows.csv)" in note.problem


# separators and encodings


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.txt", "rows.tsv"])
def test_the_separator_is_the_sign_by_which_every_line_has_as_many_fields(
    tmp_path: Path, separator: str, name: str
) -> None:
    text = f"Id{separator}Name\n1{separator}Ann\n2{separator}Bob\n"
    assert read(tmp_path, text, name).to_dict("list") == {"Id": [1, 2], "Name": ["Ann", "Bob"]}


def test_excels_line_that_names_the_separator_is_no_row(tmp_path: Path) -> None:
    frame = read(tmp_path, "sep=;\r\nId;Amount\r\n1;1,5\r\n")
    assert frame.to_dict("list") == {"Id": [1], "Amount": [1.5]}
    assert where(frame, 0) == "rows.csv, line 3"


def test_another_separator_than_that_of_the_file_is_refused_with_the_right_one(tmp_path: Path) -> None:
    assert "separator=','" in refused(tmp_path, "Id,Name\n1,Ann\n", separator=";")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_told_by_its_first_bytes(tmp_path: Path, encoding: str) -> None:
    text = "名前\t町\n佐藤\t東京\n"
    assert read(tmp_path, text.encode(encoding), "rows.txt").to_dict("list") == {"名前": ["佐藤"], "町": ["東京"]}


@pytest.mark.parametrize(
    ("text", "encoding"), [("名前,町\n佐藤,東京\n", "cp932"), ("Name;Straße\nJosé;Köln\n", "cp1252")]
)
def test_a_file_of_an_old_excel_is_read_when_its_encoding_is_named(
    tmp_path: Path, text: str, encoding: str
) -> None:
    said = refused(tmp_path, text.encode(encoding))
    assert f"encoding='{encoding}'" in said
    assert "line 1" in said
    assert len(read(tmp_path, text.encode(encoding), encoding=encoding)) == 1


def test_an_encoding_of_no_name_is_refused(tmp_path: Path) -> None:
    assert "none of this name" in refused(tmp_path, "a,b\n1,2\n", encoding="klingon")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert "no text file" in refused(tmp_path, b"a,b\x00\x00\x00\n1,2,3\n\x00\x00")


# headings


def test_titles_above_the_headings_are_refused_with_the_line_of_the_headings(tmp_path: Path) -> None:
    text = "Orders November\n\nprinted,2026\nId,Date,Name,Amount\nR-1,2026-11-01,Ann,5\n"
    assert "header=4" in refused(tmp_path, text)
    frame = read(tmp_path, text, header=4)
    assert frame["Id"].tolist() == ["R-1"]
    assert where(frame, 0) == "rows.csv, line 5"


def test_a_header_in_an_empty_line_is_refused_with_what_the_lines_hold(tmp_path: Path) -> None:
    said = refused(tmp_path, "Id,Name\n1,Ann\n", header=9)
    assert "line 1: 'Id', 'Name'" in said


def test_two_columns_of_one_name_are_not_renamed(tmp_path: Path) -> None:
    """The check refuses them by their own names."""
    assert read(tmp_path, "a,a\n1,2\n").columns.tolist() == ["a", "a"]


def test_a_file_with_a_header_only_is_an_empty_frame(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b\n")
    assert frame.columns.tolist() == ["a", "b"]
    assert len(frame) == 0


def test_a_column_that_shall_be_text_stays_as_it_stands(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b\n1,2.50\n2,\n", text=["a"])
    assert frame["a"].tolist() == ["1", "2"]
    assert "'b'" in refused(tmp_path, "a,b\n1,2\n", text="zip")


# files of every program


fields = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(fields, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_wrote_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    separator: str,
    encoding: str,
    quoting: Any,
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerows(
        [["alpha", "beta", "gamma"], *rows]
    )
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(stream.getvalue().encode(encoding))
    frame = _frame_or_refusal(path, separator)
    if isinstance(frame, str):  # what can't be known is said
        assert "line" in frame
        return
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()] == [
        [cell or None for cell in row] for row in kept
    ]


def _frame_or_refusal(path: Path, separator: str) -> pd.DataFrame | str:
    try:
        return read_rows(path, separator=separator, text=["alpha", "beta", "gamma"])
    except ConfigurationError as refusal:
        return str(refusal)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp932", "佐藤太郎"),
        ("euc_jp", "佐藤太郎"),
        ("gb18030", "王小明"),
        ("cp949", "김철수"),
        ("cp1252", "Jürgen"),
    ],
)
def test_the_likeliest_encodings_come_first_with_what_they_read(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(f"Id,Name\n1,{name}\n".encode(encoding))
    with pytest.raises(ConfigurationError) as refusal:
        read_rows(path)
    assert f"{name!r}" in str(refusal.value).split("; ")[0]
    used = str(refusal.value).partition("encoding='")[2].partition("'")[0]
    assert read_rows(path, encoding=used)["Name"].tolist() == [name]


def test_mail_text_and_the_end_mark_of_dos_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("Id,Name\n1,佐藤\n\x1a".encode("iso2022_jp"))
    assert read_rows(path)["Name"].tolist() == ["佐藤"]


def test_a_zero_byte_in_a_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"Id,Name,City\n1,Ann,Bonn\n2,B\x00b,Paris\n")
    with pytest.raises(ConfigurationError, match=r"line 3\): it is damaged"):
        read_rows(path)


def test_semicolons_between_the_fields_leave_thousands_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("Id;Amount\n1;1.234\n2;12.500\n")
    frame = read_rows(path)
    assert frame["Amount"].tolist() == ["1.234", "12.500"]
    assert [note.kind for note in notes(frame)] == ["ambiguous"]
    assert read_rows(path, decimal=",")["Amount"].tolist() == [1234, 12500]
    path.write_text("Id;Amount;Rate\n1;1.234;2.5\n2;12.500;3.5\n")
    assert read_rows(path)["Rate"].tolist() == [2.5, 3.5]
    assert not notes(read_rows(path))


def test_spaces_after_each_separator_and_around_headings_are_none_of_the_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("Id, Amount , When\n7, 10.5, 2026-11-01\n8, 3, 2026-11-02\n")
    frame = read_rows(path)
    assert frame.columns.tolist() == ["Id", "Amount", "When"]
    assert frame["Amount"].tolist() == [10.5, 3]
    assert frame["When"].dt.day.tolist() == [1, 2]
