"""The verb: PDFs on disk, held against the frame that they were made from."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas import verification
from reportflow_pandas.verify import reader_processes, readings

ORDERS, LINES = rf.example_orders()
ORDERS = ORDERS.head(24)
TABLES = {"Lines": rf.Table(LINES, on="InvoiceId")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pd.DataFrame, rf.Settings]]:
    folder = tmp_path_factory.mktemp("made")
    with rf.local_service() as service:
        settings = rf.Settings(app_key=service.app_key, base_url=service.base_url, runs=folder / "runs")
        results = ORDERS.reportflow.generate(
            "invoice", tables=TABLES, download=folder / "pdfs", settings=settings, progress=False
        )
        yield results, settings


@pytest.fixture
def copied(made: tuple[pd.DataFrame, rf.Settings], tmp_path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    results, settings = made
    results = results.copy()
    for at, path in enumerate(results["path"]):
        results.iloc[at, results.columns.get_loc("path")] = shutil.copy(path, tmp_path)
    return results, {"tables": TABLES, "settings": settings, "progress": False}


def test_what_is_as_it_should_be_is_ok_and_the_results_stay_what_they_are(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    verified = ORDERS.reportflow.verify(results, **how)
    assert verified["verdict"].tolist() == ["ok"] * len(results)
    assert verified["findings"].isna().all()
    assert (verified["suspicion"] == 0).all()
    assert str(verified["pages"].dtype) == "Int64"
    pd.testing.assert_frame_equal(verified[list(results.columns)], results, check_flags=False)
    assert verified.reportflow.findings().empty


def test_another_rows_pdf_and_a_torn_file_are_told_with_their_kinds(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    one, two, torn = (Path(results["path"].iloc[at]) for at in (3, 5, 8))
    swap = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(swap)
    torn.write_bytes(torn.read_bytes()[:5000])
    verified = ORDERS.reportflow.verify(results.sample(frac=1, random_state=1), **how)
    told = verified.reportflow.findings().set_index("row")
    assert told["kind"].to_dict() == {3: "same", 5: "same", 8: "unreadable"}
    assert "another row: 5" in told.loc[3, "found"]
    assert verified.set_index("row")["verdict"].value_counts().to_dict() == {"ok": 21, "look": 2, "unread": 1}


def test_a_changed_row_names_parameter_expectation_and_what_stands_there(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    frame = ORDERS.copy()
    frame.loc[frame.index[4], "BillingCity"] = "Trondheim"
    told = frame.reportflow.verify(results, **how).reportflow.findings()
    assert told[["row", "kind", "parameter", "expected"]].to_dict("records") == [
        {"row": 4, "kind": "missing", "parameter": "BillingCity", "expected": "Trondheim"}
    ]


def test_files_that_have_not_changed_are_not_read_again(
    copied: tuple[pd.DataFrame, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, how = copied
    ORDERS.reportflow.verify(results, **how)
    asked: list[int] = []
    real = readings.lines

    def counted(program: Path, jobs: list[Any], **rest: Any) -> Any:
        asked.append(len(jobs))
        return real(program, jobs, **rest)

    monkeypatch.setattr(readings, "lines", counted)
    Path(results["path"].iloc[2]).write_bytes(Path(results["path"].iloc[2]).read_bytes() + b"\n")
    ORDERS.reportflow.verify(results, **how)
    assert asked == [1]


def test_where_nothing_can_be_kept_everything_is_read_all_the_same(
    copied: tuple[pd.DataFrame, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may only be read and holds what another person's run has read, and a full disk."""
    results, how = copied
    real = readings._opened

    def only_read(place: str) -> sqlite3.Connection:
        database = real(place)
        database.execute("PRAGMA query_only = ON")
        return database

    monkeypatch.setattr(readings, "_opened", only_read)
    assert ORDERS.reportflow.verify(results, **how)["verdict"].eq("ok").all()


def test_rows_without_a_pdf_have_no_verdict(copied: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    results, how = copied
    results.loc[results.index[1], "path"] = None
    verified = ORDERS.reportflow.verify(results, **how)
    assert verified["verdict"].isna().tolist() == [at == 1 for at in range(len(results))]


@pytest.mark.parametrize("part", [slice(None), slice(4, 11)])
def test_a_frame_that_was_sorted_since_is_matched_by_its_labels(
    copied: tuple[pd.DataFrame, dict[str, Any]], part: slice
) -> None:
    results, how = copied
    Path(results["path"].iloc[5]).write_bytes(Path(results["path"].iloc[6]).read_bytes())
    for moved in (ORDERS.sort_values("Total"), ORDERS.iloc[::-1]):
        verified = moved.reportflow.verify(results.iloc[part], **how)
        assert verified.index[verified["verdict"] != "ok"].tolist() == [ORDERS.index[5]]


def test_results_with_labels_of_their_own_are_matched_by_their_row(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    part = results.iloc[3:20]
    for renamed in (part.reset_index(drop=True), part.set_index("file_name", drop=False)):
        assert set(ORDERS.reportflow.verify(renamed, **how)["verdict"]) == {"ok"}


def test_a_sorted_frame_whose_labels_tell_nothing_is_refused(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    twice = ORDERS.set_axis([0, 0, *range(2, len(ORDERS))]).iloc[::-1]
    with pytest.raises(rf.ConfigurationError, match="labels don't tell which row"):
        twice.reportflow.verify(results, **how)


def test_lines_of_groups_in_another_order_are_refused(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    flat = ORDERS.merge(LINES[["InvoiceId", "Track", "Quantity"]], on="InvoiceId")
    results = results.set_axis(ORDERS["InvoiceId"].tolist())
    grouped = how | {"tables": {"Lines": ["Track", "Quantity"]}, "group_by": "InvoiceId"}
    with pytest.raises(rf.ConfigurationError, match="so do its groups: pass the frame that was generated"):
        flat.iloc[::-1].reportflow.verify(results, **grouped)


def test_results_of_another_frame_are_refused(copied: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    results, how = copied
    with pytest.raises(rf.ConfigurationError, match="this frame makes 10"):
        ORDERS.head(10).reportflow.verify(results, **how)


def test_results_without_any_pdf_are_refused_with_the_way_there(
    copied: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    results, how = copied
    with pytest.raises(rf.ConfigurationError, match=r"download\('pdfs'\)"):
        ORDERS.reportflow.verify(results.assign(path=None), **how)


def test_findings_of_results_that_were_not_verified_name_the_verb(made: tuple[pd.DataFrame, rf.Settings]) -> None:
    with pytest.raises(rf.ConfigurationError, match="not verified yet"):
        made[0].reportflow.findings()


def test_an_interrupt_keeps_what_was_read(
    copied: tuple[pd.DataFrame, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, how = copied
    real = readings.lines

    def interrupted(program: Path, jobs: Any, **rest: Any) -> Iterator[Any]:
        for number, one in enumerate(real(program, jobs, **rest)):
            if number == 5:
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(readings, "lines", interrupted)
    with pytest.raises(rf.RunInterrupted, match="what was read is kept") as caught:
        ORDERS.reportflow.verify(results, **how)
    assert caught.value.results is results
    monkeypatch.setattr(readings, "lines", real)
    assert ORDERS.reportflow.verify(results, **how)["verdict"].eq("ok").all()


def test_an_interrupt_before_the_first_pdf_is_read_says_so_too(
    copied: tuple[pd.DataFrame, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, how = copied

    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verification, "prepare", interrupted)
    with pytest.raises(rf.RunInterrupted, match="interrupted: 0 of 24 PDFs were read") as caught:
        ORDERS.reportflow.verify(results, **how)
    assert caught.value.results is results


def test_without_a_key_it_says_what_the_key_is_for(copied: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    """``rf.load`` works without one, in a new process."""
    results, how = copied
    with pytest.raises(rf.ConfigurationError, match="no key for Report Flow") as refused:
        ORDERS.reportflow.verify(results, tables=how["tables"], progress=False)
    assert "verify looks the design up at the service (one call, nothing is billed)" in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"base_url": "http://127.0.0.1:9/v1"}, rf.ConnectionFailed), ({"app_key": "ak_typo"}, rf.AuthError)],
)
def test_a_look_up_that_fails_says_what_it_was_for(
    copied: tuple[pd.DataFrame, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, str],
    error: type[rf.ReportFlowError],
) -> None:
    results, how = copied
    settings = dataclasses.replace(how["settings"], **wrong)
    if error is rf.ConnectionFailed:

        async def refused(*_: Any) -> None:
            raise rf.ConnectionFailed("nothing reached 127.0.0.1:9: refused")

        monkeypatch.setattr(verification, "prepare", refused)
    with pytest.raises(error, match="The PDFs themselves are read on this machine, and none was read yet"):
        ORDERS.reportflow.verify(results, **{**how, "settings": settings})


def test_an_interrupt_leaves_no_reading_process(
    copied: tuple[pd.DataFrame, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, how = copied
    started: list[subprocess.Popen[bytes]] = []
    real = reader_processes._started

    def kept(program: Path) -> subprocess.Popen[bytes]:
        started.append(real(program))
        return started[-1]

    def interrupted(*_: Any, **__: Any) -> None:
        if started:
            raise KeyboardInterrupt

    monkeypatch.setattr(reader_processes, "_started", kept)
    monkeypatch.setattr(readings.Readings, "_keep", interrupted)
    with pytest.raises(rf.RunInterrupted):
        ORDERS.reportflow.verify(results, **how)
    assert started
    assert all(process.returncode is not None for process in started)
