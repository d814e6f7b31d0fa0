"""All notebooks one after the other in one folder, as on a person's first day, and again on the next two."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import required
from notebook.refresh import WIDGET, run_all
from notebook.test_notebooks import NOTEBOOKS
from support.kernels import kernel_environment

MARK = "REPORTFLOW_TRIAL_OF_NOTEBOOKS"
"""In the environment of everything that a notebook starts."""


MOST_SECONDS = 20.0
"""For a notebook and all that it starts, on two cores; longer where others work on the machine as well."""

CORES = 2


def processor_seconds() -> float:
    """Return what the processes took that this one has started and that are gone."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def left_behind(trial: str) -> list[str]:
    """Return the processes of a trial that still run."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.environ().get(MARK) == trial and process.status() != psutil.STATUS_ZOMBIE:
                found.append(str(process.info["name"]))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.long
def test_all_notebooks_run_in_one_folder_three_times_and_leave_no_process(tmp_path: Path) -> None:
    """Runs of the same name, an embedded service on another port, PDFs of the day before: none is in the way."""
    required("redis-server", shutil.which("redis-server"))
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {**kernel_environment(tmp_path), MARK: str(tmp_path)}
    for day in range(1, 4):
        for notebook in NOTEBOOKS:
            before, began = processor_seconds(), time.monotonic()
            cells = run_all(notebook, folder, environment)  # a cell that fails raises
            took = processor_seconds() - before
            wall = time.monotonic() - began
            sys.stdout.write(f"day {day}, {notebook.stem}: {took:.1f} s of processor, {wall:.1f} s in all\n")
            assert took < MOST_SECONDS, notebook.stem
            assert wall < MOST_SECONDS * max(1.0, os.getloadavg()[0] / CORES), notebook.stem
            shown = [output.get("data", {}) for cell in cells.cells for output in cell.get("outputs", [])]
            # a saved notebook shows how it ended, without a kernel
            assert not [data for data in shown if WIDGET in data]
            assert "VBox(" not in str([data.get("text/plain") for data in shown])
            assert not left_behind(str(tmp_path)), notebook.stem
