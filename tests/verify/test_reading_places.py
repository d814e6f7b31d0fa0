"""Where a value stands: in one line, in lines of its column, over pages; and which cells are cells."""

from __future__ import annotations

import io
import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings, strategies as st
from support import planted_faults

from reportflow_pandas.verify import line_breaks, read_pdf
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import TEXT, ExpectedValues, Value
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.line_breaks import SOFT
from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_values import RunValues
from reportflow_pandas.verify.table_layout import TableLayout, Window, parsed
from reportflow_pandas.verify.value_places import Matches

from .test_planted_faults import judged


def document(*pages: list[tuple[str, int, int]]) -> DocumentText:
    """Return a text of units by their left and lower edge."""
    return DocumentText(
        [
            {
                "size": [500, 800],
                "bare": False,
                "units": [[text, left, low, left + 5 * len(text), low + 10, 0] for text, left, low in units],
            }
            for units in pages
        ]
    )


def lines(*texts: str) -> list[dict[str, Value]]:
    found: list[dict[str, Value]] = []
    for text in texts:
        value = Value.of(text)
        assert value is not None
        found.append({"Note": value})
    return found


def anchors(text: DocumentText, wanted: list[dict[str, Value]]) -> list[str]:
    table = TableLayout("Lines", anchor="Note", forms={"Lines.Note": [TEXT]})
    return [text.raw(one.begin, one.end) for one in table.anchors(text, wanted)]


def test_a_cell_that_stands_close_behind_another_of_its_line_begins_the_line() -> None:
    wanted = lines("spare battery, first day", "travel included")
    for line, service in zip(wanted, lines("lights", "van"), strict=True):
        line["Service"] = service["Note"]
    units = [("note", 160, 500), ("lights spare battery, first day", 67, 475)]
    units += [("van", 67, 450), ("travel included", 160, 450), ("van spare battery, first day", 67, 400)]
    text = document(units)
    table = TableLayout("Lines", anchor="Note", forms={"Lines.Note": [TEXT]}, sorts={("*", "")})
    found = [text.raw(one.begin, one.end) for one in table.anchors(text, wanted)]
    assert found == ["spare battery, first day", "travel included"]


def test_a_tables_only_line_is_its_cell_and_no_word_of_the_notes_below() -> None:
    units = [("note", 60, 520), ("rain", 80, 500), ("480.00", 300, 500), ("salt. rain and salt", 133, 300)]
    text = document(units)
    table = TableLayout("Lines", anchor="Note", forms={"Lines.Note": [TEXT]})
    assert [one.begin for one in table.anchors(text, lines("rain"))] == [4]


def test_lines_that_are_level_on_their_pages_and_have_one_number_are_lines_of_the_table() -> None:
    wanted, texts = [], []
    for row in range(12):
        names = [f"lamp {row} {line} {'abcdefgh'[line]}" for line in range(8)]
        # the first lines of both pages of two documents cost the same
        prices = [12.75 if row < 2 and line % 4 == 0 else 10 * row + line + 0.5 for line in range(8)]
        wanted.append({"Lines": [{"Name": name, "Price": at} for name, at in zip(names, prices, strict=True)]})
        cells = list(zip(names, prices, strict=True))
        texts.append(
            document(
                *(
                    [
                        unit
                        for at, (name, price) in enumerate(page)
                        for unit in ((name, 60, 600 - 30 * at), (f"{price:.2f}", 300, 600 - 30 * at))
                    ]
                    for page in (cells[:4], cells[4:])
                )
            )
        )
    expected = [ExpectedValues.of(params) for params in wanted]
    layout, run = learn(list(zip(texts, expected, strict=True))), RunValues()
    for row, values in enumerate(expected):
        run.add(row, values, layout.forms)
    assert layout.tables["Lines"].numbers
    assert [judge(layout, run, row, texts[row], expected[row]) for row in range(12)] == [[]] * 12


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(["a", "ba-", "ab", "aba-", "b-a", "a-"]), min_size=3, max_size=14),
    st.tuples(st.integers(0, 10), st.integers(2, 5), st.booleans()),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_a_text_with_a_hyphen_at_a_lines_end_is_found_in_a_part_of_a_document_as_in_the_whole(
    texts: list[str], piece: tuple[int, int, bool], begin: int, end: int
) -> None:
    text = document([(one, 60, 700 - 12 * at) for at, one in enumerate(texts)])
    first, count, is_bare = piece
    wanted = "".join(one.rstrip("-") if is_bare else one for one in texts[first : first + count])
    whole = set(text.places(wanted))
    part = set(text.places(wanted, begin, min(end, len(text.stream))))
    assert part == {place for place in whole if begin <= place.begin and place.end <= end}
    # tried one by one: every piece of the stream that is the text, but for hyphens at ends of lines
    size = len(text.stream)
    pieces = {(first, after) for first in range(size) for after in range(first + 1, size + 1)}
    assert {place for place in whole if SOFT in text.stream[place.begin : place.end]} == {
        (first, after)
        for first, after in pieces
        if text.stream[first] not in ("-", SOFT)
        and text.stream[after - 1] not in ("-", SOFT)
        and SOFT in text.stream[first:after]
        and len(wanted) > 3
        and line_breaks.is_broken(text.stream[first:after], wanted)
        and text._stands_alone(first, after)
    }


def test_arabic_stands_where_its_words_follow_each_other_not_where_they_are_scattered() -> None:
    text = document([("المبلغ المستحق خلال", 60, 700), ("40", 300, 700), ("المدة المحددة", 60, 680)])
    assert text.right_to_left("المستحق خلال")
    assert [len(parts) for parts in text.right_to_left("خلال المدة")] == [2]
    assert not text.right_to_left("المبلغ خلال")
    assert not text.right_to_left("المستحق المحددة")


def test_arabic_within_a_line_of_the_other_direction_is_read_run_by_run() -> None:
    text = document([("ليلى Studio 4", 60, 700)])
    assert text.right_to_left("Studio 4 ليلى")
    assert not text.right_to_left("4 Studio ليلى")


def test_a_value_goes_on_at_the_head_of_the_next_page_only_from_the_foot_of_its_own() -> None:
    below = [(f"Zeile {at}", 60, 660 - 30 * at) for at in range(8)]
    head = [("Tonmischung und", 60, 700)]
    following = [("Schnitt", 60, 780)]
    assert document(head, following).broken("tonmischungundschnitt") is not None
    assert document(head + below, following).broken("tonmischungundschnitt") is None


def test_a_line_of_a_broken_cell_is_no_cell_of_its_own() -> None:
    units = [
        ("Drehtag", 60, 700),
        ("Probe", 60, 670),
        ("Nachtzuschlag und", 60, 640),
        ("40", 300, 640),
        ("Probe", 60, 628),
    ]
    found = anchors(document(units), lines("Drehtag", "Probe", "Nachtzuschlag und Probe"))
    assert found == ["Drehtag", "Probe", "Nachtzuschlag und"]


def test_a_cell_that_begins_like_another_one_is_one_cell() -> None:
    units = [("Probe Nord", 60, 700), ("Probe", 90, 670)]
    assert anchors(document(units), lines("Probe Nord", "Probe")) == ["Probe Nord", "Probe"]


def test_cells_closer_than_words_of_justified_text_are_told_by_the_lines_above_them(tmp_path: Path) -> None:
    cells = [(60, 700, "Probe"), (120, 700, "Nord"), (60, 680, "Ton"), (120, 680, "Ost"), (60, 660, "Licht")]
    cells += [(120, 660, "West"), (60, 640, "Kameramann A"), (120, 640, "Halle")]
    assert texts(tmp_path, cells)[-2:] == ["Kameramann A", "Halle"]
    assert texts(tmp_path, cells[-2:]) == ["Kameramann A Halle"]


def test_a_number_with_a_space_between_its_groups_is_one_where_the_lines_have_it() -> None:
    text = document([("Probe", 60, 700), ("40 480,00", 200, 700), ("1 514,00", 300, 700)])
    table = TableLayout("Lines", anchor="Note")
    window = Window((0, 1, 2), 0, len(text.stream), is_last=False)
    assert [said for said, _ in table.numbers_in(text, window, [], {"1514,00"})] == ["40", "480,00", "1514,00"]


def test_dates_in_cells_belong_to_the_row_in_the_form_in_which_they_are_printed() -> None:
    expected = ExpectedValues.of({"Lines": [{"Day": "2026-11-02"}]})
    text = document([("2026年11月2日", 60, 700), ("初日", 60, 680)])
    covered = Matches(text, expected, {"Lines.Day": [("date", ("ja", "long"))]}).covered(expected)
    assert list(covered[: text.units[1].end]) == [1] * 10 + [0] * 2


def texts(folder: Path, cells: list[tuple[int, int, str]]) -> list[Any]:
    """Return the units of a page on which texts stand in these places."""
    said = "".join(f"BT /Own 8 Tf {left} {low} Td ({text}) Tj ET " for left, low, text in cells)
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(500, 800))
        name = pikepdf.Name
        page.add_resource(
            pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica), name.Font, name.Own
        )
        page.contents_add(said.encode())
        target = io.BytesIO()
        pdf.save(target)
    file = folder / "page.pdf"
    file.write_bytes(target.getvalue())
    read_pdf.pdfium.FPDF_InitLibrary()
    return [unit[0] for unit in read_pdf.read(str(file))["pages"][0]["units"]]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1.98", ["1.98"]),
        ("1,98", ["1.98"]),
        ("1,250", ["1.25", "1250"]),
        ("1.250,50", ["1250.50"]),
        ("12,34,567", ["1234567"]),
        ("1'250.5", ["1250.5"]),
        ("417", ["417"]),
    ],
)
def test_a_printed_number_means_what_its_separators_allow(text: str, meant: list[str]) -> None:
    assert list(parsed(text)) == [Decimal(one) for one in meant]


def test_a_total_a_hundred_times_too_large_is_not_the_number_that_is_printed(tmp_path: Path) -> None:
    wanted = planted_faults.from_chinook(16)
    pdfs = {row: planted_faults.printed("invoice", params) for row, params in enumerate(wanted)}
    wanted[7] = {**wanted[7], "Total": wanted[7]["Total"] * 100}
    found = judged(wanted, pdfs, tmp_path)
    assert {row: [one.parameter for one in findings] for row, findings in found.items() if findings} == {
        7: ["Total"]
    }


def test_an_album_named_like_its_title_is_no_second_line_also_where_no_other_document_tells(
    tmp_path: Path,
) -> None:
    wanted = planted_faults.from_chinook(1)
    assert [line["Track"] for line in wanted[0]["Lines"]] == [line["Album"] for line in wanted[0]["Lines"]]
    pdf = planted_faults.printed("invoice", wanted[0])
    assert judged(wanted, {0: pdf}, tmp_path) == {0: []}


def test_a_rare_kanji_beyond_the_first_plane_is_read_as_it_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "one.pdf"
    params = planted_faults.rows("receipt", 1, seed=5)[0]
    file.write_bytes(planted_faults.printed("receipt", {**params, "CustomerName": "𠮷野 太郎", "Company": ""}))
    with closing(Readings(None)) as readings:
        readings.read([str(file)], done=lambda _: None, tick=lambda: None)
        texts = [unit[0] for page in readings.of(str(file))["pages"] for unit in page["units"]]
    assert "𠮷野 太郎" in texts or "𠮷野太郎" in [text.replace(" ", "") for text in texts]


def test_half_a_character_takes_nothing_else_along() -> None:
    with closing(Readings(None)) as readings:
        readings._shas["a.pdf"] = "sha"
        readings._keep("sha", json.dumps({"pages": ["half \ud842 of one"]}).encode())
        assert readings.of("a.pdf") == {"pages": ["half \ud842 of one"]}
