"""A page that is missing, there twice or turned is told first, in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from support import planted_faults

from .test_planted_faults import judged

Params = dict[str, Any]
COUNT, SEED = 24, 11


@pytest.fixture(scope="module")
def bills() -> tuple[list[Params], dict[int, bytes]]:
    wanted = planted_faults.rows("bill", COUNT, SEED)
    return wanted, planted_faults.printed_all("bill", wanted)


def of_several_pages(pdfs: dict[int, bytes]) -> int:
    return next(row for row, pdf in pdfs.items() if len(pikepdf.open(io.BytesIO(pdf)).pages) > 1)


def changed(pdf: bytes, how: Callable[[pikepdf.Pdf], None]) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        how(opened)
        target = io.BytesIO()
        opened.save(target)
    return target.getvalue()


def without_last(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[-1]


def with_last_twice(pdf: pikepdf.Pdf) -> None:
    pdf.pages.append(pdf.pages[-1])


def with_last_turned(pdf: pikepdf.Pdf) -> None:
    pdf.pages[-1].rotate(90, relative=True)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (without_last, "a page is missing"),
        (with_last_twice, "once more"),
        (with_last_turned, "is turned on its side"),
    ],
)
def test_what_is_wrong_with_a_page_is_told_first(
    how: Callable[[pikepdf.Pdf], None], words: str, bills: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    wanted, pdfs = bills
    row = of_several_pages(pdfs)
    found = judged(wanted, pdfs | {row: changed(pdfs[row], how)}, tmp_path)
    assert [other for other, findings in found.items() if findings] == [row]
    assert found[row][0].kind == "pages"
    assert words in found[row][0].found
    assert "blank_page" not in {finding.kind for finding in found[row]}


def test_pages_that_every_document_has_twice_are_the_design_s(
    bills: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    wanted, pdfs = bills
    single = {row: pdf for row, pdf in pdfs.items() if len(pikepdf.open(io.BytesIO(pdf)).pages) == 1}
    found = judged(wanted, {row: changed(pdf, with_last_twice) for row, pdf in single.items()}, tmp_path)
    assert len(found) > 5
    assert [finding for findings in found.values() for finding in findings if finding.kind == "pages"] == []
