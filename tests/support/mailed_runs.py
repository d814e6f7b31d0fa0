"""A run of a few documents to be mailed, and settings whose pauses take no time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.settings import current

PEOPLE = 8
ADDRESSES = [f"person{at}@example.com" for at in range(PEOPLE)]


@contextmanager
def downloaded_run(folder: Path, people: int = PEOPLE) -> Iterator[pd.DataFrame]:
    """Generate the run "november" in a folder, with a column of addresses beside its results."""
    frame = pd.DataFrame({"No": range(people)})
    with rf.use_local(render=False):
        rf.configure(runs=folder / "runs", sender="billing@example.com")
        made = frame.reportflow.generate(
            "certificate", check=False, params=["No"], run="november", download=folder / "pdfs", progress=False
        )
        yield made.assign(Email=[f"person{at}@example.com" for at in range(people)])


def quick() -> rf.Settings:
    """Return settings whose pauses take no time."""

    class Hasty(type(current().clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)

    return replace(current(), clock=Hasty())


def mailed(results: pd.DataFrame, **more: Any) -> Any:
    """Mail results to their column of addresses."""
    arguments = {"to": "Email", "subject": "No. {index}", "body": "Here.", "progress": False, "settings": quick()}
    return results.reportflow.mail(**arguments | more)
