"""Text that no eye sees is no value on the page; where a page lies in the file's plane is all the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from support import planted_faults

from reportflow_pandas.verify import read_pdf

from .test_planted_faults import judged

PDF = planted_faults.printed("receipt", planted_faults.rows("receipt", 1, seed=5)[0])


def changed(change: Callable[[Any], None]) -> bytes:
    with pikepdf.open(io.BytesIO(PDF)) as document:
        change(document.pages[0])
        target = io.BytesIO()
        document.save(target)
    return target.getvalue()


def read(pdf: bytes, folder: Path) -> dict[str, Any]:
    read_pdf.pdfium.FPDF_InitLibrary()
    file = folder / "one.pdf"
    file.write_bytes(pdf)
    page: dict[str, Any] = read_pdf.read(str(file))["pages"][0]
    return page


def moved(page: Any) -> None:
    left, bottom, right, top = (float(side) for side in page.mediabox)
    page.contents_add(b"q 1 0 0 1 -300 1400 cm", prepend=True)
    page.contents_add(b"Q")
    page.MediaBox = [left - 300, bottom + 1400, right - 300, top + 1400]


def turned(page: Any) -> None:
    """Turn the page and what is on it, so that it looks as before: landscape, as many producers make it."""
    _, _, width, height = (float(side) for side in page.mediabox)
    page.contents_add(f"q 0 1 -1 0 {height} 0 cm".encode(), prepend=True)
    page.contents_add(b"Q")
    page.MediaBox = [0, 0, height, width]
    page.Rotate = 90


def cropped(page: Any) -> None:
    left, bottom, right, top = (float(side) for side in page.mediabox)
    page.MediaBox = [left - 50, bottom - 70, right + 50, top + 70]
    page.CropBox = [left, bottom, right, top]


@pytest.mark.parametrize("change", [moved, turned, cropped])
def test_a_page_reads_the_same_wherever_it_lies(change: Callable[[Any], None], tmp_path: Path) -> None:
    assert read(changed(change), tmp_path) == read(PDF, tmp_path)


@pytest.mark.parametrize("way", planted_faults.UNSEEN)
def test_a_text_that_no_eye_sees_is_told_apart(way: str, tmp_path: Path) -> None:
    before = read(PDF, tmp_path)["units"]
    units = read(planted_faults.with_text(PDF, "Never seen 417", planted_faults.UNSEEN[way]), tmp_path)["units"]
    assert [unit[0] for unit in units if unit[5]] == ["Never seen 417"]
    assert [unit for unit in units if not unit[5]] == before


def test_a_small_sign_in_a_text_is_seen(tmp_path: Path) -> None:
    shown = "q BT /Own 9 Tf 60 60 Td ({}) Tj ET Q"
    units = read(planted_faults.with_text(PDF, "- . _ T-LIGHT", shown), tmp_path)["units"]
    assert not any(unit[5] for unit in units)


def test_a_hidden_value_is_told_though_the_design_leaves_it_out_in_many_documents(tmp_path: Path) -> None:
    wanted = planted_faults.rows("bill", 60, seed=21)
    pdfs = {row: planted_faults.printed("bill", params) for row, params in enumerate(wanted)}
    yen = [row for row, params in enumerate(wanted) if params["Currency"] == "JPY"]
    others = [row for row, params in enumerate(wanted) if params["Currency"] == "EUR"][:4]
    for row in yen[:2]:
        pdfs[row] = planted_faults.with_text(pdfs[row], "JPY", planted_faults.UNSEEN["white"])
    for row in others:
        pdfs[row] = planted_faults.printed("bill", {**wanted[row], "Currency": ""})
    found = judged(wanted, pdfs, tmp_path)
    assert {row for row in yen if found[row]} == set(yen[:2])
    assert {one.parameter for row in yen for one in found[row]} == {"Currency"}
