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
