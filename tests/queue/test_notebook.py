"""The notebook about many machines, run from top to bottom in a real kernel."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import required
from notebook.refresh import run_all
from notebook.test_notebooks import FOLDER, shown
from support.kernels import kernel_environment


def test_the_notebook_about_many_machines_runs_from_top_to_bottom(tmp_path: Path) -> None:
    required("redis-server", shutil.which("redis-server"))
    cells = run_all(FOLDER / "05_many_machines.ipynb", tmp_path, kernel_environment(tmp_path))
    assert "success     100" in " ".join(shown(cells, "result").splitlines())
    assert "no document was accepted more than 1 time" in shown(cells, "crash")
    assert "success     200" in " ".join(shown(cells, "retry").splitlines())
    assert "[-9, 0]" in shown(cells, "end")
