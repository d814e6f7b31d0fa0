"""Generating and reading back in one go, in a script, awaited, in the background and from the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.rows.documents import Documents
from reportflow_pandas.verify import read_back

ORDERS, LINES = rf.example_orders()
ORDERS = ORDERS.head(9)
HOW: dict[str, Any] = {"tables": {"Lines": rf.Table(LINES, on="InvoiceId")}, "verify": True, "progress": False}


def test_generate_adds_the_columns(tmp_path: Path) -> None:
    with rf.use_local():
        results = ORDERS.reportflow.generate("invoice", download=tmp_path, **HOW)
    assert results["verdict"].tolist() == ["ok"] * 9
    assert results.reportflow.findings().empty
    assert len(results.reportflow.spot_check(n=2).looks) == 2


def test_agenerate_and_submit_do_too(tmp_path: Path) -> None:
    async def awaited() -> pd.DataFrame:
        return await ORDERS.reportflow.agenerate("invoice", download=tmp_path / "a", **HOW)

    with rf.use_local():
        assert asyncio.run(awaited())["verdict"].eq("ok").all()
        job = ORDERS.reportflow.submit("invoice", download=tmp_path / "b", **HOW)
        assert job.wait(60)
        assert job.results()["verdict"].eq("ok").all()


def test_verify_without_a_folder_is_refused_before_anything_is_sent() -> None:
    with rf.use_local(), pytest.raises(rf.ConfigurationError, match="download='pdfs'"):
        ORDERS.reportflow.generate("invoice", **HOW)


def test_a_missing_package_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(read_back.NEEDED, "a_module_that_is_not_there", "Babel")
    with rf.use_local() as service, pytest.raises(rf.ConfigurationError, match=r"reportflow-pandas\[verify\]"):
        ORDERS.reportflow.generate("invoice", download=tmp_path, **HOW)
    assert not list(tmp_path.iterdir())
    assert service is not None


def test_trouble_while_reading_back_hides_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(read_back, "read_back", broken)
    with rf.use_local():
        results = ORDERS.reportflow.generate("invoice", download=tmp_path, **{**HOW, "progress": True})
    assert (results["status"] == "ready").all()
    assert "verdict" not in results.columns
    assert "could not be read back" in capsys.readouterr().err


def test_reading_back_that_was_interrupted_says_how_it_goes_on(tmp_path: Path) -> None:
    with rf.use_local():
        results = ORDERS.reportflow.generate("invoice", download=tmp_path, **{**HOW, "verify": False})
    shown = Progress()
    assert read_back.read_back_or_say(results, cast(Documents, None), shown, lambda: True) is None
    assert shown.lines == ["not all PDFs were read back: df.reportflow.verify(results) goes on with the rest"]


def test_the_command_line_reads_back_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "receipts.csv"
    frame = pd.DataFrame({"ReceiptId": [f"R-{at}" for at in range(6)], "Amount": [10.5 + at for at in range(6)]})
    frame.assign(
        CustomerName="Ingrid", Company="", ReceiptDate="2026-11-01", Description="x", PaymentMethod="y"
    ).to_csv(file, index=False)
    asked = ["generate", str(file), "--design", "receipt", "--local", "--check", "warn"]
    places = ["--download", str(tmp_path / "pdfs"), "--out", str(tmp_path / "review.xlsx"), "--verify"]
    assert main([*asked, *places]) == 0
    assert "6 read back: everything that could be read is there" in capsys.readouterr().out
