"""Text comes in the order in which it is read, whatever order a producer wrote it in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import required
from support import planted_faults

from reportflow_pandas.verify import read_pdf
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.reading_order import from_left, reunited, right_to_left
from reportflow_pandas.verify.text_forms import normal

ARABIC = "كريم الزهراني"
MIXED = "المرجع K-0005/28"


def in_places(text: str, order: list[int]) -> list[object] | None:
    """Return what is read of a text whose letters stand from right to left and come in another order."""
    places = [(-10.0 * at, 0.0, 10 - 10.0 * at, 10.0) for at in range(len(text))]
    return right_to_left([text[at] for at in order], lambda at: places[order[at]], 0, len(order))


@pytest.mark.parametrize("order", [range(len(ARABIC)), range(len(ARABIC) - 1, -1, -1)])
def test_arabic_is_read_from_right_to_left_whichever_way_it_was_written(order: range) -> None:
    unit = in_places(ARABIC, list(order))
    assert unit is not None
    assert unit[0] == ARABIC


def test_a_number_within_arabic_is_read_from_left_to_right() -> None:
    label, number = MIXED.split()
    text = label + " " + number[::-1]  # as it stands, from right to left
    order = [*range(len(text) - 1, len(label), -1), len(label), *range(len(label))]
    unit = in_places(text, order)
    assert unit is not None
    assert unit[0] == MIXED


def test_letters_and_digits_of_one_word_are_read_by_their_places() -> None:
    assert from_left([(20.0, "4"), (30.0, "1"), (40.0, "7"), (10.0, "K")]) == "K417"
    assert from_left([(20.0, "K"), (20.4, "4"), (20.1, "1")]) == "K41"


def test_other_scripts_stay_as_they_are() -> None:
    assert right_to_left(list("Łódź 417"), lambda at: (0.0, 0.0, 1.0, 1.0), 0, 8) is None


def test_a_word_that_another_font_tore_apart_is_one_word() -> None:
    torn = [["Maja Dvo", 57, 724, 97, 733, 0], ["Shipped", 532, 697, 540, 729, 0], ["řák", 97, 723, 111, 733, 0]]
    assert reunited(torn) == [["Maja Dvořák", 57, 723, 111, 733, 0], ["Shipped", 532, 697, 540, 729, 0]]


def test_vertical_japanese_arabic_and_justified_german_of_a_browser_are_read(tmp_path: Path) -> None:
    required("chromium", shutil.which("chromium"))
    read_pdf.pdfium.FPDF_InitLibrary()
    rows = planted_faults.rows("letter", 40, seed=4)
    for language in ("de", "ja", "ar"):
        params = next(row for row in rows if row["Language"] == language and row["Terms"])
        file = tmp_path / f"{language}.pdf"
        file.write_bytes(planted_faults.printed("letter", params))
        document = DocumentText(read_pdf.read(str(file))["pages"])
        for name in ("Customer", "City", "Subject", "Reference", "Text", "Terms"):
            text = normal(params[name])
            is_there = document.has(text) or document.broken(text, params[name])
            assert is_there, (language, name)
