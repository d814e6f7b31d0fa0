"""The notebooks in a real JupyterLab. The pictures are kept in ``screenshots/``, to be looked at."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from lab import Lab, lab_in
from nbformat.v4 import new_code_cell, new_notebook

import reportflow_pandas as rf

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


class Watch:
    """Looks at the bar of one cell again and again, and takes a picture in the middle."""

    def __init__(self, lab: Lab, cell: str) -> None:
        self.lab = lab
        self.cell = cell
        self.seen: list[tuple[int, int]] = []

    def __call__(self) -> None:
        """Look once."""
        texts = [text.replace("\u2007", " ") for text in self.lab.cell(self.cell)["widgets"]]
        for done, total in re.findall(r"(\d+)/(\d+)", " ".join(texts)):
            self.seen.append((int(done), int(total)))
        middle = [done for done, total in self.seen if 0 < done < total]
        if len(middle) == 1 and self.seen[-1][0] == middle[0]:
            self.lab.show(self.cell)
            self.lab.picture("running")


def test_the_quickstart_runs_in_jupyterlab_and_its_bar_moves(tmp_path: Path) -> None:
    with lab_in(tmp_path, NOTEBOOKS / "01_quickstart.ipynb") as lab:
        lab.show("title")
        lab.picture("opened")
        watch = Watch(lab, "five-lines")
        cells = lab.run_all(watch)
        for name in ("five-lines", "results", "preview", "refusal", "failures"):
            lab.show(name)
            lab.picture(name)
        for cell in cells:
            kinds = [output["output_type"] for output in cell["outputs"]]
            assert "error" not in kinds, cell
            assert not [output for output in cell["outputs"] if output.get("name") == "stderr"], cell
        counts = [cell["count"] for cell in cells if cell["type"] == "code"]
        assert counts == list(range(1, len(counts) + 1)), "each cell ran once, in order"
        moved = {done for done, total in watch.seen if total == 412}
        assert [done for done in moved if 0 < done < 412], "the bar was seen half-way"
        assert 412 in moved
        preview = next(cell for cell in cells if cell["id"] == "preview")
        assert "data:image/png;base64," in "".join(preview["outputs"][0]["data"]["text/html"])
        assert len(list((tmp_path / "work" / "pdfs").glob("*.pdf"))) == 412
        assert (tmp_path / "work" / "review.xlsx").exists()


CELL = """
import pandas as pd
import reportflow_pandas as rf

rf.configure(base_url={base_url!r}, app_key={app_key!r})
people = pd.DataFrame({{"name": [f"Person {{number}}" for number in range(400)]}})
results = people.reportflow.generate(
    "certificate", version=1, check=False, params={{"Name": "name"}}, endpoint="async/single", limits=False
)
"""


def test_the_button_interrupts_a_run_and_says_in_one_line_how_to_go_on(tmp_path: Path) -> None:
    with rf.local_service(render=False, latency=0.3) as service:
        source = CELL.format(base_url=service.base_url, app_key=service.app_key)
        cells = [new_code_cell(source, id="run"), new_code_cell("people.shape", id="behind")]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / "interrupt.ipynb")
        with lab_in(tmp_path, tmp_path / "interrupt.ipynb") as lab:
            lab.command("notebook:run-all-cells")
            lab.until(lambda: service.counts()["async/single"] >= 20, "some documents were sent")
            lab.command("kernelmenu:interrupt")
            cell = lab.until(lambda: (found := lab.cell("run"))["count"] is not None and found, "the cell ended")
            sent = service.counts()["async/single"]
            lab.picture("interrupted")
            error = next(output for output in cell["outputs"] if output["output_type"] == "error")
            assert error["ename"] == "RunInterrupted"
            assert len(error["traceback"]) == 1
            assert "rf.resume(" in error["evalue"]
            assert service.counts()["async/single"] == sent < 400
