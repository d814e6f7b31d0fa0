"""A column of the results is a field of `Outcome`, a column of the ledger and a label; the rest follows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pandas as pd
import pytest
from support.journals import opened, planned

import reportflow_pandas as rf
from reportflow_pandas.engine.outcomes import (
    COLUMNS,
    KINDS,
    OF_CALL,
    OF_DOCUMENT,
    OF_ERROR,
    ColumnType,
    Outcome,
    Outcomes,
)
from reportflow_pandas.export.csv_file import write_csv
from reportflow_pandas.export.texts import WORDS
from reportflow_pandas.export.workbook import write_workbook
from reportflow_pandas.generation import generate
from reportflow_pandas.journal import runs
from reportflow_pandas.queue.messages import answer_of, outcomes_of
from reportflow_pandas.results.results_frame import outcome_of, results_frame

PACKAGE = Path(rf.__file__).parent

VALUES: dict[ColumnType, Any] = {
    "text": "a text",
    "count": 3,
    "optional_count": 7,
    "seconds": 0.25,
    "moment": 1_000_000.5,
}
DTYPES: dict[ColumnType, str] = {
    "count": "int64",
    "optional_count": "Int64",
    "seconds": "float64",
    "moment": "datetime64[us, UTC]",
}

UNHEADED = {"row", "url", "path"}
"""Columns that the workbook shows without their names: hidden, and as the links *web page* and *PDF on disk*."""


def outcome(row: int, **changes: Any) -> Outcome:
    """Return an accepted document that has a value in every column."""
    values = {name: VALUES[kind] for name, kind in KINDS.items() if name not in OF_ERROR}
    return Outcome(**{**values, "row": row, "status": "accepted", "file_name": f"INV-{row}.pdf", **changes})


def test_the_ledger_has_a_column_for_each_column_of_the_results(tmp_path: Path) -> None:
    """One is missing: it belongs into `_TABLES` of `journal/schema.py`, whose `SCHEMA` goes up with it."""
    opened(tmp_path).close()
    with contextlib.closing(sqlite3.connect(next(tmp_path.glob("*.sqlite")))) as connection:
        of = {
            table: [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            for table in ("documents", "calls", "results")
        }
    assert set(COLUMNS) - {"row"} - set(of["documents"]) == set()
    assert set(OF_CALL) <= set(of["calls"])
    assert of["results"] == [*COLUMNS, "label"]
    assert set(os.environ.get("COLUMNS_OF_A_COPY", "").split()) <= set(COLUMNS)


@pytest.mark.parametrize("language", list(WORDS))
def test_the_workbook_has_a_label_for_each_column_of_the_results(language: str) -> None:
    """One is missing: it belongs into the headings of `export/en.toml`, and of `export/ja.toml`."""
    assert set(COLUMNS) - UNHEADED - set(WORDS[language].headings) == set()


def test_the_documentation_names_each_column_of_the_results_in_order() -> None:
    """One is missing: it belongs into what `generate` of `generation.py` says it returns."""
    told = (generate.__doc__ or "").partition("Returns\n")[2].partition("Raises\n")[0]
    assert [name for name in COLUMNS if f"``{name}``" in told] == COLUMNS
    places = [told.index(f"``{name}``") for name in COLUMNS]
    assert places == sorted(places)


@pytest.mark.parametrize("alike", [True, False])
def test_each_column_comes_back_from_the_ledger_and_from_a_worker_into_frame_workbook_and_csv(
    tmp_path: Path, *, alike: bool
) -> None:
    accepted = [
        outcome(0, path=None),
        outcome(1, path=None) if alike else outcome(1, **{**dict.fromkeys(OF_CALL), "path": None, "attempts": 0}),
    ]
    refused = outcome(2, **dict.fromkeys(OF_DOCUMENT), **dict.fromkeys(OF_ERROR, "a reason"), status="failed")
    refused = refused._replace(accepted_at=None)
    known = [*accepted, refused]
    if not alike:
        known[1] = known[1]._replace(url="another")

    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b", "c"])
            for rows in ([0, 1], [2]):
                call = await journal.intent(rows, "async/multiple")
                await journal.answered(call, [known[row] for row in rows])
            await journal.answered(None, [])

    asyncio.run(main())
    outcomes = runs.load(tmp_path, "november").outcomes
    assert outcomes.as_answered(range(3)) == known

    sent = Outcomes([f"INV-{row}" for row in range(3)])
    sent.put_all(known)
    ids = ["a", "b", "c"]
    answer = orjson.loads(orjson.dumps(answer_of(sent, ids, None)))
    collected = Outcomes([f"INV-{row}" for row in range(3)])
    collected.put_all(outcomes_of(answer, {identity: row for row, identity in enumerate(ids)}))
    assert collected.as_answered(range(3)) == known

    frame = results_frame(outcomes, pd.RangeIndex(3), {"run": "november"})
    assert [outcome_of(line) for line in frame.itertuples(index=False)] == list(outcomes)
    assert {name: str(frame[name].dtype) for name, kind in KINDS.items() if kind != "text"} == {
        name: DTYPES[kind] for name, kind in KINDS.items() if kind != "text"
    }

    write_workbook(frame, tmp_path / "review.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "review.xlsx")["Results"]
    headings = [cell.value for cell in sheet[1]]
    assert {WORDS["en"].headings[name] for name in COLUMNS if name not in UNHEADED} <= set(headings)
    write_csv(frame, tmp_path / "results.csv")
    assert set(COLUMNS) <= set(pd.read_csv(tmp_path / "results.csv").columns)


MORE = {
    "engine/outcomes.py": (
        "    accepted_at: OfCall[Moment | None] = None\n",
        (
            "    pages: int | None = None\n    printed_at: OfCall[Moment | None] = None\n"
            "    cause: OfError[str | None] = None\n"
        ),
    ),
    "journal/schema.py": ("    file_id TEXT,\n", "    pages INTEGER,\n    printed_at REAL,\n    cause TEXT,\n"),
    "export/en.toml": (
        'request_id = "request id"\n',
        'pages = "pages"\nprinted_at = "printed"\ncause = "cause"\n',
    ),
    "export/ja.toml": ('request_id = "', 'pages = "頁"\nprinted_at = "刷"\ncause = "因"\n'),
}
"""Columns of all sorts, and the places that know of them."""


def test_a_new_column_is_one_field_one_column_of_the_ledger_and_one_label(tmp_path: Path) -> None:
    """In a copy of the package that has three columns more, the tests above hold, but for the documentation's."""
    copy = tmp_path / "reportflow_pandas"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    for name, (beside, lines) in MORE.items():
        place = copy / name
        text = place.read_text("utf-8")
        assert text.count(beside) == 1
        after = name == "engine/outcomes.py"
        place.write_text(text.replace(beside, beside + lines if after else lines + beside), "utf-8")
    done = subprocess.run(  # noqa: S603 - our own words
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "column and not new_column",
            __file__,
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS_OF_A_COPY": "pages printed_at cause"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert "test_the_documentation_names_each_column_of_the_results_in_order" in done.stdout
