"""Runs on a network drive, where SQLite has no shared memory."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from support.virtual_service import plain, world

import reportflow_pandas as rf
from reportflow_pandas.journal import runs


class Network(sqlite3.Connection):
    """A network drive: it has no shared memory, which a write-ahead log needs."""

    said = ""

    def execute(self, said: str, *rest: object) -> sqlite3.Cursor:  # type: ignore[override]
        if said == "PRAGMA journal_mode = WAL":
            if self.said:
                error = sqlite3.OperationalError(self.said)
                error.sqlite_errorname = self.said
                raise error
            said = "PRAGMA journal_mode = DELETE"
        return super().execute(said, *rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["", "SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMOPEN", "SQLITE_PROTOCOL"])
def test_a_run_on_a_network_drive_is_as_durable_and_may_be_looked_at_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(Network, "said", said)
    monkeypatch.setattr(sqlite3, "connect", lambda *where, **how: connect(*where, **{"factory": Network, **how}))
    with world() as here:
        settings = replace(here.settings, runs=tmp_path)
        results = here.generate(300, batch_size=10, limits=False, run="drive", settings=settings)
        assert (results["status"] == "accepted").all()
        assert not list(tmp_path.glob("*-wal"))
        seen: list[int] = []

        def look(row: object) -> None:
            seen.append(runs.load(tmp_path, "drive").outcomes.counts()["accepted"])

        frame = pd.DataFrame({"name": [f"Person {number}" for number in range(400)]})
        more = {"batch_size": 10, "limits": False, "run": "drive", "settings": settings}
        job = frame.reportflow.submit(**plain(), **more, on_row=look)
        assert (job.result()["status"] == "accepted").all()
        assert (rf.resume("drive", settings=settings, progress=False)["status"] == "accepted").all()
        assert len(here.service.documents) == 400
        assert seen
