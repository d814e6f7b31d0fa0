"""The notebooks, run from top to bottom in a real kernel."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import openpyxl
import pytest
from notebook.refresh import WIDGET, run_all
from support.kernels import kernel_environment

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def shown(cells: Any, name: str) -> str:
    """Return everything that a cell showed, as text."""
    cell = next(cell for cell in cells.cells if cell.id == name)
    return "\n".join(output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.outputs)


def test_the_quickstart_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = run_all(FOLDER / "01_quickstart.ipynb", tmp_path, kernel_environment(tmp_path))
    assert re.search(r"412 of 412 accepted, 412 PDFs in \S*pdfs\b", shown(cells, "five-lines"))
    assert "success     412" in shown(cells, "summary")
    assert "CustomrName" in shown(cells, "mistake")
    assert "documents made by this attempt: 0" in shown(cells, "refusal")
    assert "410 of 412 accepted, 2 failed" in shown(cells, "failures")
    assert "success     412" in shown(cells, "again")
    assert "INV-8.pdf" in shown(cells, "failed-rows")
    pictures = [cell.outputs[0].data for cell in cells.cells if cell.id == "preview"]
    assert "data:image/png;base64," in pictures[0]["text/html"]
    assert len(list((tmp_path / "pdfs").glob("*.pdf"))) == 412
    assert openpyxl.load_workbook(tmp_path / "review.xlsx").sheetnames == ["Summary", "Results", "Failed", "Run"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_clean(notebook: Path) -> None:
    """No machine's paths, no error, no counter, no dead widget: what a reader sees is what the cells do."""
    cells = nbformat.read(notebook, as_version=4)
    nbformat.validate(cells)
    assert set(cells.metadata) <= {"kernelspec", "language_info"}
    assert cells.metadata.kernelspec.name == "python3"
    assert notebook.stat().st_size < 500_000
    for cell in cells.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.execution_count is None
            for output in cell.outputs:
                assert output.output_type != "error"
                assert WIDGET not in output.get("data", {})
    text = re.sub(r"base64,[\w+/=]+", "", notebook.read_text(encoding="utf-8"))
    for private in (Path.home(), FOLDER.parent, tempfile.gettempdir(), "/home/", "/Users/", "C:\\\\"):
        assert str(private) not in text
