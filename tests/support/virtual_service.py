"""A service and settings that share a time of their own: nothing here waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from support.virtual_time import VirtualClock

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService


@dataclass(frozen=True)
class World:
    """A service, a clock, and the settings for both."""

    service: LocalService
    clock: VirtualClock
    settings: rf.Settings

    def generate(self, rows: int | pd.DataFrame, **options: Any) -> pd.DataFrame:
        """Generate certificates without a look-up."""
        return people(rows).reportflow.generate(**{**plain(), "settings": self.settings, **options})

    def download(self, results: pd.DataFrame, folder: Any, **options: Any) -> pd.DataFrame:
        return results.reportflow.download(folder, settings=self.settings, **options)

    def accepted(self) -> int:
        return len(self.service.documents)

    def calls(self, family: str = "") -> dict[str, int]:
        """Return the counts of a family of endpoints."""
        return {name: count for name, count in self.service.counts().items() if name.startswith(family)}


@contextmanager
def world(**switches: Any) -> Iterator[World]:
    """Start a service in virtual time that renders placeholders; the runs are in a folder of their own."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as runs,
        VirtualClock() as clock,
        rf.local_service(**{"render": False, "clock": clock, **switches}) as service,
    ):
        settings = rf.Settings(base_url=service.base_url, app_key=service.app_key, clock=clock, runs=Path(runs))
        yield World(service, clock, settings)


def people(rows: int | pd.DataFrame) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows
    return pd.DataFrame({"name": [f"Person {number}" for number in range(rows)]})


def plain() -> dict[str, Any]:
    """Arguments for a frame with a column ``name`` that need no look-up; files are named like the people."""
    return {
        "design_id": "certificate",
        "version": 1,
        "check": False,
        "params": {"RecipientName": "name"},
        "file_name": "name",
    }


def made(frame: pd.DataFrame, **more: Any) -> pd.DataFrame:
    """Generate a run named november."""
    return frame.reportflow.generate(**{**plain(), "run": "november", **more})


def sent(service: LocalService) -> Counter[str]:
    """Return how often the service accepted each person's document."""
    return Counter(document.params["RecipientName"] for document in service.documents)
