"""The notebooks about bulk, review and background, run from top to bottom in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

from notebook.refresh import run_all
from notebook.test_notebooks import FOLDER, shown
from support.kernels import kernel_environment


def test_the_bulk_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """10,000 documents in 100 calls and no 429; bad rows alone; nothing twice."""
    cells = run_all(FOLDER / "02_bulk.ipynb", tmp_path, kernel_environment(tmp_path))
    assert "10,000 of 10,000 accepted" in shown(cells, "run")
    assert "429" not in shown(cells, "calls")
    assert "997 of 1,000 accepted, 3 failed" in shown(cells, "bad")
    assert "1,000 documents accepted, each 1 time" in shown(cells, "once")
    assert "400 of 500 accepted, 100 unknown" in shown(cells, "lost")
    assert "success     500" in " ".join(shown(cells, "settle").splitlines())


def test_the_review_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = run_all(FOLDER / "03_review.ipynb", tmp_path, kernel_environment(tmp_path))
    assert re.search(r"12 PDFs in \S*november\b", shown(cells, "generate"))
    assert "The customer has moved" in shown(cells, "read")
    assert "1 document made, 12 in the results" in shown(cells, "redo")
    assert "INV-3.pdf" not in shown(cells, "mail")
    assert "INV-5.pdf" not in shown(cells, "mail")
    assert (tmp_path / "november-ja.xlsx").exists()


def test_the_background_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = run_all(FOLDER / "04_background.ipynb", tmp_path, kernel_environment(tmp_path))
    assert "running" in shown(cells, "partial")
    assert "success     200" in " ".join(shown(cells, "result").splitlines())
    assert "interrupted; some are done: True" in shown(cells, "interrupt")
    assert "412 documents accepted in run november, of 412" in shown(cells, "once")
