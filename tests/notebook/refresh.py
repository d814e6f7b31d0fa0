"""Run the notebooks and write their outputs into them: ``python tests/notebook/refresh.py [notebook …]``.

The notebooks themselves are the source; what is committed is what a fresh run shows, without what differs from run
to run or works only while the kernel lives (counters, widgets, times).
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

__all__ = ["clean", "run_all"]

WIDGET = "application/vnd.jupyter.widget-view+json"
BAR = 'class="widget-html"'
PATIENCE = 300


def run_all(notebook: Path, folder: Path, env: dict[str, str] | None = None) -> Any:
    """Do "Restart and run all" in a folder; a cell that fails raises."""
    cells = nbformat.read(notebook, as_version=4)
    client = NotebookClient(cells, timeout=PATIENCE, resources={"metadata": {"path": str(folder)}})
    client.execute(**({"env": env} if env else {}))
    return cells


def clean(cells: Any) -> Any:
    """Return the notebook as it is committed."""
    cells.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in cells.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = None
            data = output.get("data", {})
            if BAR in data.get("text/html", ""):
                data.update({kind: _timeless(text) for kind, text in data.items()})
    return cells


def _timeless(picture: str) -> str:
    """Return the last picture of a bar without its times and its rate; what failed stays."""
    return re.sub(r" \[\]", "", re.sub(r"\[\d[^,\]]*, [^,\]]*(?:, )?", "[", picture))


def main(paths: list[Path]) -> None:
    """Refresh these notebooks."""
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            cells = clean(run_all(path, Path(folder)))
            here = re.escape(str(Path(folder).resolve()))
            cells = nbformat.reads(re.sub(f"(?:file://)?{here}/", "", nbformat.writes(cells)), as_version=4)
        nbformat.validate(cells)
        nbformat.write(cells, path)


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    main(given or sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")))
