"""Looking at one document before the others are paid for."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import PIL.Image
import pytest

import reportflow_pandas as rf
from reportflow_pandas import preview as previewing
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    previewing._kept.clear()


def test_a_preview_is_a_picture_of_each_page_and_can_be_saved(
    local: Callable[..., LocalService], orders: pd.DataFrame, invoices: dict[str, Any], tmp_path: Path
) -> None:
    service = local(render=True)
    preview = orders.reportflow.preview(**invoices, row=3)
    assert service.counts()["sync/single"] == 1
    pages = [PIL.Image.open(io.BytesIO(page)) for page in preview.pages]
    assert [page.format for page in pages] == ["PNG"] * len(pages)
    assert pages[0].width > 900
    assert len({pages[0].convert("L").getpixel((x, y)) for x in range(0, 900, 9) for y in range(0, 900, 9)}) > 3
    assert preview.save(tmp_path / "a.pdf").read_bytes() == preview.pdf
    assert preview.save(tmp_path / "a.png").read_bytes() == preview.pages[0]
    assert "data:image/png;base64," in preview._repr_html_()
    assert not preview.billed
    assert "billed" not in repr(preview)


def test_a_document_of_several_pages_gives_several_pictures(
    local: Callable[..., LocalService], orders: pd.DataFrame, lines: pd.DataFrame, tmp_path: Path
) -> None:
    local(render=True)
    first = orders["InvoiceId"].iloc[0]
    many = pd.concat([lines.head(1).assign(InvoiceId=first)] * 120, ignore_index=True)
    preview = orders.head(1).reportflow.preview("invoice", tables={"Lines": rf.Table(many, on="InvoiceId")})
    assert len(preview.pages) > 1
    preview.save(tmp_path / "p.png")
    assert {"p.png", "p-2.png"} <= {path.name for path in tmp_path.glob("*.png")}
    assert len(list(tmp_path.glob("*.png"))) == len(preview.pages)


def test_the_same_content_is_asked_for_once(
    local: Callable[..., LocalService], orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    service = local(render=True)
    one = orders.reportflow.preview(**invoices, row=3)
    again = orders.reportflow.preview(**invoices, row=3)
    alone = orders.iloc[[3]].reportflow.preview(**invoices, row=-1)
    assert one.pdf == again.pdf == alone.pdf
    assert service.counts()["sync/single"] == 1
    orders.reportflow.preview(**invoices, row=4)
    assert service.counts()["sync/single"] == 2
    orders.assign(Total=1.0).reportflow.preview(**invoices, row=3)
    assert service.counts()["sync/single"] == 3


def test_the_real_service_is_said_to_bill_it(
    local: Callable[..., LocalService],
    orders: pd.DataFrame,
    invoices: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    local(render=True)
    monkeypatch.setattr(rf.Settings, "on_this_machine", property(lambda self: False))
    with caplog.at_level(logging.WARNING, "reportflow_pandas"):
        preview = orders.reportflow.preview(**invoices, progress=True)
        orders.reportflow.preview(**invoices, progress=True)
    said = [record.message for record in caplog.records if "billed" in record.message]
    assert len(said) == 1
    assert "one document is generated on 127.0.0.1" in said[0]
    assert capsys.readouterr().out.count("billed") == 1
    assert preview.billed
    assert "billed as one document" in repr(preview)


def test_a_preview_runs_the_check_first_and_pays_for_nothing_that_would_print_blank(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    with pytest.raises(rf.InvalidRows, match="'Total'"):
        orders.drop(columns="Total").reportflow.preview(**invoices)
    assert "sync/single" not in service.counts()


@pytest.mark.parametrize("row", [412, -413, True, "0", 1.0])
def test_a_row_that_is_not_there_is_refused(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any], row: Any
) -> None:
    with pytest.raises(rf.ConfigurationError, match="a position from 0 to 411"):
        orders.reportflow.preview(**invoices, row=row)
    assert service.counts().total() == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=400, endpoint="sync/single", message="だめです"), rf.ApiError),
        (Fault(status=401, endpoint="sync/single"), rf.AuthError),
        (Fault(status=500, endpoint="sync/single"), rf.ApiError),
        (Fault("truncated", endpoint="sync/single"), rf.OutcomeUnknown),
        (Fault("not_pdf", endpoint="sync/single"), rf.OutcomeUnknown),
    ],
)
def test_a_preview_that_fails_is_an_error_and_is_not_kept(
    local: Callable[..., LocalService],
    orders: pd.DataFrame,
    invoices: dict[str, Any],
    fault: Fault,
    error: type[Exception],
) -> None:
    service = local(faults=fault, render=True)
    with pytest.raises(error):
        orders.reportflow.preview(**invoices)
    assert service.counts()["sync/single"] == 1
    assert orders.reportflow.preview(**invoices).pages


@pytest.mark.parametrize("design", ["invoice", "quotation", "receipt", "certificate"])
def test_each_packaged_design_can_be_previewed_in_both_languages(
    local: Callable[..., LocalService], design: str
) -> None:
    """From a frame whose one row is the design's own sample."""
    known = local(render=True).designs[design]
    samples = known.versions[known.latest].samples
    assert set(samples) == {"en", "ja"}
    for sample in samples.values():
        frame = pd.DataFrame({name: pd.Series([value]) for name, value in sample.items()})
        assert frame.reportflow.preview(design).pages


def test_a_preview_takes_its_row_of_a_share_series(orders: pd.DataFrame, lines: pd.DataFrame) -> None:
    share = pd.Series(["workspace"] * len(orders), index=orders.index)
    share.iloc[3] = "public"
    with rf.use_local() as running:
        tables = {"Lines": rf.Table(lines, on="InvoiceId")}
        orders.reportflow.preview("invoice", tables=tables, share=share, row=3)
        assert [document.share_type for document in running.documents] == ["public"]
