"""Folders below the download folder, from a template."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.rows.download_folders import download_folders, download_root, template_parts

FRAME = pd.DataFrame(
    {
        "Country": ["Norway", "A/B\\C"],
        "No": [7, 8],
        "Day": pd.to_datetime(["2026-11-01", "2026-12-24"]),
        "a/b": ["x", "y"],
    },
    index=["first", "second"],
)


@pytest.mark.parametrize(
    ("download", "root", "folders"),
    [
        ("pdfs", "pdfs", None),
        (Path("pdfs") / "{Country}", "pdfs", ["Norway", "A_B_C"]),
        ("pdfs/{Country}/{No:03d}", "pdfs", ["Norway/007", "A_B_C/008"]),
        ("{Country}", ".", ["Norway", "A_B_C"]),
        ("/data/out/no-{No}/x", "/data/out", ["no-7/x", "no-8/x"]),
        ("pdfs/{Day:%Y/%m}", "pdfs", ["2026_11", "2026_12"]),
        ("pdfs/{index}", "pdfs", ["first", "second"]),
        ("pdfs/{a/b}", "pdfs", ["x", "y"]),
        ("pdfs/{{raw}}", "pdfs/{raw}", None),
        ("pdfs/{{raw}}/{No}", "pdfs/{raw}", ["7", "8"]),
        ("pdfs//{No}/./x/", "pdfs/", ["7/x", "8/x"]),
        ("/{No}", "/", ["7", "8"]),
        (None, None, None),
    ],
)
def test_a_template_makes_a_folder_for_each_value(
    download: str | Path | None, root: str | None, folders: list[str] | None
) -> None:
    assert download_folders(FRAME, download) == folders
    if download is not None and root is not None:
        assert download_root(download) == Path(root)
        assert bool(template_parts(download)) == (folders is not None)


def test_a_missing_value_is_refused_with_its_rows() -> None:
    frame = FRAME.assign(Country=["Norway", None])
    with pytest.raises(rf.InvalidRows, match=r"download: 'Country' is missing in .*second") as caught:
        download_folders(frame, "pdfs/{Country}")
    assert caught.value.rows == ["second"]


def test_a_blank_value_is_cleaned_and_not_refused() -> None:
    assert download_folders(FRAME.assign(Country=["", " "]), "pdfs/{Country}") == ["_", " "]


def test_a_column_that_is_not_there_is_refused_and_the_near_one_named() -> None:
    with pytest.raises(rf.ConfigurationError, match=r"download=.*no column 'Contry'.*Did you mean 'Country'"):
        download_folders(FRAME, "pdfs/{Contry}")


def test_a_template_cannot_leave_its_folder() -> None:
    with pytest.raises(rf.ConfigurationError, match=r"'\.\.' after a brace would leave the folder 'pdfs'"):
        download_folders(FRAME, "pdfs/{Country}/../..")
