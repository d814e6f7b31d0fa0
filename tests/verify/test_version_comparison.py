"""Two versions of a design, compared on a few rows before the new one is used for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reportflow_pandas as rf

FRAME = pd.DataFrame(
    {
        "QuotationId": [f"Q-{at}" for at in range(9)],
        "CustomerName": "Ingrid Sørensen",
        "Subject": "A score",
        "Notes": "Two rounds of changes",
        "Total": 1450.0,
    },
    index=[f"row {at}" for at in range(9)],
)


def test_parameters_and_pages_that_differ_are_told() -> None:
    with rf.use_local():
        compared = rf.compare_versions("quotation", 1, 2, FRAME, rows=3)
    assert compared.parameters.set_index("name").loc["Notes", "new"] == "text"
    assert compared.parameters.set_index("name").loc["Notes", "old"] is None or pd.isna(
        compared.parameters.set_index("name").loc["Notes", "old"]
    )
    assert compared.differences["label"].tolist() == ["row 0", "row 4", "row 8"]
    assert compared.differences["gained"].str.contains("Two rounds of changes").all()
    assert compared.differences["share"].between(0.001, 0.5).all()
    assert "3 of 3 pages differ" in repr(compared)
    assert compared._repr_html_().count("<img") == 6


def test_the_page_is_one_file(tmp_path: Path) -> None:
    with rf.use_local():
        compared = rf.compare_versions("quotation", 1, 2, FRAME, rows=np.flatnonzero(np.arange(9) == 2))
    page = compared.save(tmp_path / "versions.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert page.count("data:image/png;base64,") == 2


@pytest.mark.parametrize(
    ("versions", "rows", "said"),
    [
        ((1, 1), 5, "twice"),
        ((1, "latest"), 5, "whole numbers"),
        ((1, 2), [40], r"\(0 to 8\), and this is \[40\]"),
        ((1, 2), 0, "from 1"),
        ((1, 2), FRAME, "this is a frame"),
    ],
)
def test_what_cannot_be_compared_is_refused(versions: tuple[int, int], rows: Any, said: str) -> None:
    with rf.use_local(), pytest.raises(rf.ConfigurationError, match=said):
        rf.compare_versions("quotation", *versions, FRAME, rows=rows)


def versions_of(folder: Path, old: str, new: str) -> Path:
    """Write a design of two versions."""
    told = 'label = "Note"\nupdated_at = 2026-11-01T00:00:00Z\n\n[params.Text]\ntype = "text"\n'
    for number, template in ((1, old), (2, new)):
        version = folder / "note" / f"v{number}"
        version.mkdir(parents=True)
        (version / "template.typ").write_text(f'#import "reportflow.typ": p\n{template}', encoding="utf-8")
        (version / "sample.json").write_text('{"Text": "a text"}')
        (version / "design.toml").write_text(told)
    return folder


NOTES = pd.DataFrame({"Text": ["one", "two", "three"]}, index=["a", "b", "c"])


def test_another_page_size_is_told_and_only_what_differs_on_it_is_framed(tmp_path: Path) -> None:
    plain = "#set page(margin: 20mm)\n#p.Text"
    designs = versions_of(tmp_path, plain, plain.replace("margin", 'paper: "us-letter", margin'))
    with rf.use_local(designs=designs):
        compared = rf.compare_versions("note", 1, 2, NOTES, rows=1)
    [page] = compared.pages
    assert page.lost == ("a page of 210 x 297 mm",)
    assert page.gained == ("a page of 216 x 279 mm",)
    assert page.share < 0.1


def test_a_row_that_a_version_cannot_print_is_told_and_the_others_are_compared(tmp_path: Path) -> None:
    refusing = '#assert(p.Text != "two", message: "no twos")\n#p.Text'
    designs = versions_of(tmp_path, "#p.Text", refusing)
    with rf.use_local(designs=designs):
        compared = rf.compare_versions("note", 1, 2, NOTES, rows=3)
    assert [(page.label, bool(page.old), bool(page.new)) for page in compared.pages] == [
        ("a", True, True),
        ("b", True, False),
        ("c", True, True),
    ]
    [told] = compared.differences["gained"]
    assert told.startswith("it could not be printed: ")
    assert "could not be printed" in compared._repr_html_()


def test_what_no_row_can_be_printed_for_is_raised(tmp_path: Path) -> None:
    with rf.use_local(designs=versions_of(tmp_path, "#panic()", "#panic()")), pytest.raises(rf.ApiError):
        rf.compare_versions("note", 1, 2, NOTES)
