"""What a person looks at first: findings, extremes, a few at random, as pictures that need nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest

import reportflow_pandas as rf

ORDERS, LINES = rf.example_orders()
ORDERS = ORDERS.head(24).set_index("CustomerName", drop=False)
TABLES = {"Lines": rf.Table(LINES, on="InvoiceId")}


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    folder = tmp_path_factory.mktemp("made")
    with rf.local_service() as service:
        settings = rf.Settings(app_key=service.app_key, base_url=service.base_url, runs=folder / "runs")
        how = {"tables": TABLES, "settings": settings, "progress": False}
        results = ORDERS.reportflow.generate("invoice", download=folder / "pdfs", **how)
        torn = Path(results["path"].iloc[8])
        torn.write_bytes(torn.read_bytes()[:5000])
        asked = ORDERS.copy()
        asked.iloc[4, asked.columns.get_loc("BillingCity")] = "Trondheim"
        yield asked.reportflow.verify(results, **how)


def test_findings_come_first_then_extremes_then_some_at_random(verified: pd.DataFrame) -> None:
    check = verified.reportflow.spot_check(n=8)
    assert [look.why for look in check.looks] == ["findings"] * 2 + ["extreme"] * 4 + ["random"] * 2
    assert check.rows[:2] == [ORDERS.index[8], ORDERS.index[4]]
    assert repr(check) == "<SpotCheck of 8 documents: 2 with findings, 4 extreme, 2 at random>"


def test_the_same_documents_are_chosen_every_time(verified: pd.DataFrame) -> None:
    assert verified.reportflow.spot_check(n=8).rows == verified.reportflow.spot_check(n=8).rows


def test_a_file_that_cannot_be_read_is_listed_without_a_picture(verified: pd.DataFrame) -> None:
    looks = verified.reportflow.spot_check(n=3).looks
    assert [(look.verdict, len(look.pictures)) for look in looks[:2]] == [("unread", 0), ("look", 1)]


def test_the_saved_page_has_no_address_in_it_and_links_to_the_files(
    verified: pd.DataFrame, tmp_path: Path
) -> None:
    page = verified.reportflow.spot_check(n=4).save(tmp_path / "look.html").read_text(encoding="utf-8")
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert "<script" not in page
    assert page.count("<article") == 4
    links = re.findall(r'href="([^"]+)"', page)
    assert all((tmp_path / unquote(link)).resolve().exists() for link in links)
    assert "Trondheim" in page
    assert "everything that could be read is there" in page


def test_a_notebook_shows_the_same_grid_without_a_page_around_it(verified: pd.DataFrame) -> None:
    part = verified.reportflow.spot_check(n=4)._repr_html_()
    assert part.startswith('<div class="rf-look"')
    assert part.count("data:image/png;base64,") == 3
    assert "<html" not in part


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        (pd.RangeIndex(24), "<b>8</b>"),
        (pd.MultiIndex.from_arrays([range(24), ["a"] * 24]), "<b>8 / a</b>"),
        (pd.date_range("2026-11-01", periods=24), "<b>2026-11-09 00:00:00</b>"),
    ],
    ids=["numbers", "levels", "days"],
)
def test_labels_are_shown_as_people_write_them(verified: pd.DataFrame, index: Any, shown: str) -> None:
    check = verified.set_index(index).reportflow.spot_check(n=1)
    assert shown in check._repr_html_()
    assert "np." not in repr(check.rows)


def test_a_name_that_is_no_page_and_a_count_of_none_are_refused(verified: pd.DataFrame) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"ends in \.html"):
        verified.reportflow.spot_check(n=1).save("look.pdf")
    with pytest.raises(rf.ConfigurationError, match="from 1"):
        verified.reportflow.spot_check(n=0)


def test_a_filtered_frame_looks_at_its_own_documents_only(verified: pd.DataFrame) -> None:
    part = verified[verified["row"] < 6]
    assert set(part.reportflow.spot_check(n=20).rows) == set(ORDERS.index[:6])
