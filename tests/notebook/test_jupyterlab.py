"""The notebooks in a real JupyterLab. The pictures are kept in ``screenshots/``, to be looked at."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support.jupyterlab import Lab, lab_in
from support.page_checks import too_faint

import reportflow_pandas as rf
from reportflow_pandas.local import Fault

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all: each test opens its own notebook, with its own kernel and folder."""
    with lab_in(tmp_path_factory.mktemp("lab")) as running:
        yield running


def written(path: Path, **cells: str) -> Path:
    """Write a small notebook; the cells go by their names."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = [new_code_cell(source.strip(), id=name) for name, source in cells.items()]
    nbformat.write(new_notebook(cells=made, metadata=kernel), path)
    return path


def assert_clean(cells: list[dict[str, Any]]) -> None:
    """Each cell ran once, in order, without an error or a warning."""
    for cell in cells:
        assert "error" not in [output["output_type"] for output in cell["outputs"]], cell
        assert not [output for output in cell["outputs"] if output.get("name") == "stderr"], cell
    counts = [cell["count"] for cell in cells if cell["type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


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


class Panel:
    """Looks at the panel of a job, and notes what it said while another cell was running."""

    def __init__(self, lab: Lab, cell: str) -> None:
        self.lab = lab
        self.cell = cell
        self.said: set[str] = set()
        self.bars: set[str] = set()
        self._pictured = False

    def __call__(self) -> bool:
        """Look once; return whether it has moved while another cell was running."""
        cells = self.lab.cells()
        own = next(cell for cell in cells if cell["id"] == self.cell)
        if own["running"] or not any(cell["running"] for cell in cells):
            return False
        self.said |= {text for text in own["widgets"] if re.match(r"\d+ of \d+ · .*/s", text)}
        self.bars |= set(own["bars"])
        moved = len(self.said) > 1 and len(self.bars) > 1
        if len(self.said) > 8 and not self._pictured:
            self._pictured = True
            self.lab.show(self.cell)
            self.lab.picture("panel")
        return moved

    def words(self) -> str:
        """Return what it says now."""
        return " ".join(self.lab.cell(self.cell)["widgets"])


def test_the_quickstart_runs_in_jupyterlab_and_its_bar_moves(lab: Lab) -> None:
    lab.open(NOTEBOOKS / "01_quickstart.ipynb")
    lab.show("title")
    lab.picture("opened")
    watch = Watch(lab, "five-lines")
    cells = lab.run_all(watch)
    for name in ("five-lines", "results", "preview", "refusal", "failures"):
        lab.show(name)
        lab.picture(name)
    assert_clean(cells)
    moved = {done for done, total in watch.seen if total == 412}
    assert [done for done in moved if 0 < done < 412], "the bar was seen half-way"
    assert 412 in moved
    preview = next(cell for cell in cells if cell["id"] == "preview")
    assert "data:image/png;base64," in "".join(preview["outputs"][0]["data"]["text/html"])
    assert len(list((lab.folder / "pdfs").glob("*.pdf"))) == 412
    assert (lab.folder / "review.xlsx").exists()


@pytest.mark.parametrize(
    ("notebook", "cells"),
    [("02_bulk", ("run", "bad", "failed", "settle")), ("03_review", ("generate", "read", "keep"))],
)
def test_a_notebook_runs_in_jupyterlab(lab: Lab, notebook: str, cells: tuple[str, ...]) -> None:
    lab.open(NOTEBOOKS / f"{notebook}.ipynb")
    found = lab.run_all()
    for name in cells:
        lab.show(name)
        lab.picture(name)
    assert_clean(found)


def test_the_panel_of_a_job_moves_while_another_cell_runs(lab: Lab) -> None:
    lab.open(NOTEBOOKS / "04_background.ipynb")
    panel = Panel(lab, "submit")
    assert_clean(lab.run_all(panel))
    assert len(panel.said) > 1, "the line changed"
    assert len(panel.bars) > 1, "the bar moved"
    assert "200 of 200" in panel.words()
    assert "done" in panel.words()
    for name in ("submit", "interrupt"):
        lab.show(name)
        lab.picture(name)


PEOPLE = """
import time
from pathlib import Path

import pandas as pd
import reportflow_pandas as rf

rf.configure(base_url={base_url!r}, app_key={app_key!r})
people = pd.DataFrame({{"name": [f"Person {{number}}" for number in range(400)]}})
arguments = dict(version=1, check=False, params={{"Name": "name"}}, limits=False)
"""

SUBMIT = """
job = people.reportflow.submit("certificate", **arguments, endpoint="async/single", concurrency=4)
job
"""

BUSY = """
while not Path("go-on").exists():
    time.sleep(0.05)
print("over")
"""

WITH_FAILURES = """
import warnings

import reportflow_pandas as rf

rf.configure(base_url={base_url!r}, app_key={app_key!r})
orders, lines = rf.example_orders()
some = orders.head(40).copy()
some.loc[[1, 5], "Total"] = None
warnings.simplefilter("ignore", rf.CheckWarning)
arguments = dict(
    tables={{"Lines": rf.Table(lines.drop(columns="InvoiceLineId"), on="InvoiceId")}},
    endpoint="async/single", concurrency=4, limits=False, check="warn",
)
"""

NARROW = (640, 320)
"""CSS pixels across; 320 is a window of 640 at a zoom of 200 %."""

BARS = """
return Array.from(document.querySelectorAll(".jp-OutputArea-output .widget-hprogress .progress")).map(bar => {
  const box = bar.getBoundingClientRect();
  return [box.left, box.right, document.documentElement.clientWidth];
});
"""

BEHIND = """
# takes a while at the service: whatever the job still sent would be counted meanwhile
others = people.head(3).reportflow.generate("certificate", **arguments, endpoint="sync/single", progress=False)
print(job.status, job.progress["accepted"], job.progress["unknown"])
"""


def test_cancel_works_while_another_cell_blocks_the_kernel(lab: Lab, tmp_path: Path) -> None:
    """The blocking cell ends only when the test lets it, so the click was served while it ran."""
    with rf.local_service(render=False, latency=0.3) as service:
        notebook = written(
            tmp_path / "cancel.ipynb",
            start=PEOPLE.format(base_url=service.base_url, app_key=service.app_key),
            submit=SUBMIT,
            busy=BUSY,
            behind=BEHIND,
        )
        lab.open(notebook)
        lab.command("notebook:run-all-cells")
        panel = Panel(lab, "submit")
        lab.until(panel, "the panel moved while the cell blocked")
        lab.until(lambda: service.counts()["async/single"] >= 20, "some documents were sent")
        lab.picture("busy")
        lab.press("submit", "Cancel")
        lab.until(lambda: "cancelled" in panel.words(), "the panel says that the job is cancelled")
        assert lab.cell("busy")["running"]
        sent = service.counts()["async/single"]
        lab.picture("cancelled")
        (lab.folder / "go-on").touch()
        lab.until(lambda: (cell := lab.cell("behind"))["count"] and not cell["running"], "the last cell ended")
        assert service.counts()["async/single"] == sent < 400
        assert service.counts()["sync/single"] == 3
        assert [output["output_type"] for output in lab.cell("submit")["outputs"]] == ["display_data"]
        assert [output["text"] for output in lab.cell("busy")["outputs"]] == ["over\n"]
        assert [output["text"] for output in lab.cell("behind")["outputs"]] == [f"cancelled {sent} 0\n"]


def test_bars_and_the_panel_can_be_read_narrow_and_zoomed_in_light_and_dark(lab: Lab, tmp_path: Path) -> None:
    """While they move, and when they have ended."""
    with rf.local_service(render=False, latency=0.5) as service:
        notebook = written(
            tmp_path / "narrow.ipynb",
            start=WITH_FAILURES.format(base_url=service.base_url, app_key=service.app_key),
            run='results = some.reportflow.generate("invoice", **arguments)',
            submit='job = some.reportflow.submit("invoice", **arguments)\njob',
            wait="_ = job.result()",
        )
        lab.open(notebook)
        looked: set[str] = set()

        def look(name: str) -> None:
            for width in NARROW:
                metrics = {"width": width, "height": 900, "deviceScaleFactor": 640 / width, "mobile": False}
                lab.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                for theme in ("light", "dark"):
                    lab.theme(theme)
                    lab.show("run" if name == "bar" else "submit")
                    lab.picture(f"{name}-{width}-{theme}")
                    assert too_faint(lab.browser, ".jp-OutputArea-output") == []
                    for left, right, edge in lab.browser.execute_script(BARS):
                        assert right - left >= 60
                        assert right <= edge
            lab.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

        def watch() -> None:
            for cell, name in (("run", "bar"), ("submit", "panel")):
                if name not in looked and "failed" in " ".join(lab.cell(cell)["widgets"]):
                    looked.add(name)
                    look(name)

        lab.run_all(watch)
        assert looked == {"bar", "panel"}
        look("ended")
        lab.theme("light")


def test_the_button_interrupts_a_run_and_says_in_one_line_how_to_go_on(lab: Lab, tmp_path: Path) -> None:
    with rf.local_service(render=False, latency=0.3) as service:
        notebook = written(
            tmp_path / "interrupt.ipynb",
            start=PEOPLE.format(base_url=service.base_url, app_key=service.app_key),
            run='results = people.reportflow.generate("certificate", **arguments, endpoint="async/single")',
            behind="people.shape",
        )
        lab.open(notebook)
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


READ_BACK = """
import reportflow_pandas as rf

rf.configure(base_url={base_url!r}, app_key={app_key!r})
orders, lines = rf.example_orders()
orders, tables = orders.head({count}), {{"Lines": rf.Table(lines, on="InvoiceId")}}
"""

RUN = (
    'results = orders.reportflow.generate("invoice", tables=tables, download="pdfs", limits=False, run="november")'
)


def test_what_was_read_back_can_be_read_in_light_and_dark(lab: Lab, tmp_path: Path) -> None:
    """With a PDF that can never be made, one that is another row's, and one that is gone."""
    faults = Fault("failed_document", file_name="INV-3", times=None)
    arguments = 'tables=tables, download="pdfs", limits=False, file_name="INV-{InvoiceId}"'
    with rf.local_service(faults=faults) as service:
        notebook = written(
            tmp_path / "readback.ipynb",
            start=READ_BACK.format(base_url=service.base_url, app_key=service.app_key, count=16),
            submit=f'job = orders.reportflow.submit("invoice", {arguments})\njob',
            wait="results = job.result()",
            change='import shutil; shutil.copy("pdfs/INV-5.pdf", "pdfs/INV-6.pdf")',
            results="results",
            verify="results = orders.reportflow.verify(results, tables=tables)",
            summary="results.reportflow.summary()",
            findings="results.reportflow.findings()",
            look="results.reportflow.spot_check(6)",
        )
        lab.open(notebook)
        lab.run_all()
        for theme in ("light", "dark"):
            lab.theme(theme)
            for name in ("submit", "results", "verify", "summary", "look"):
                lab.show(name)
                lab.picture(f"{name}-{theme}")
            assert too_faint(lab.browser, ".jp-OutputArea-output") == []
        lab.theme("light")
        text = "".join(lab.cell("summary")["outputs"][0]["data"]["text/plain"])
        assert re.search(r"^no_pdf +1$", text, re.MULTILINE), text
        assert "1 without a PDF for good" in " ".join(lab.cell("submit")["widgets"])


def test_the_button_interrupts_reading_back_and_the_same_line_goes_on(lab: Lab, tmp_path: Path) -> None:
    slowly = """
    import time
    from reportflow_pandas.verify import readings

    kept = readings.Readings._keep
    readings.Readings._keep = lambda *of: time.sleep(0.05) or kept(*of)
    """
    with rf.local_service() as service:
        notebook = written(
            tmp_path / "stopped.ipynb",
            start=READ_BACK.format(base_url=service.base_url, app_key=service.app_key, count=120),
            run=RUN,
            slowly=dedent(slowly),
            verify="verified = orders.reportflow.verify(results, tables=tables)",
            verdicts='verified["verdict"].value_counts()',
        )
        lab.open(notebook)
        lab.command("notebook:run-all-cells")
        watch = Watch(lab, "verify")
        lab.until(lambda: watch() or any(0 < done < total for done, total in watch.seen), "some PDFs were read")
        lab.command("kernelmenu:interrupt")
        cell = lab.until(lambda: (found := lab.cell("verify"))["count"] is not None and found, "the cell ended")
        lab.show("verify")
        lab.picture("interrupted")
        error = next(output for output in cell["outputs"] if output["output_type"] == "error")
        assert error["ename"] == "RunInterrupted"
        assert len(error["traceback"]) == 1
        assert "what was read is kept" in error["evalue"]
        before = readings_in(lab.folder / "pdfs")
        assert 0 < len(before) < 120
        lab.run_cells("verify", "verdicts")
        lab.picture("gone-on")
        after = readings_in(lab.folder / "pdfs")
        assert {number: after[number] for number in before} == before, "nothing was read again"
        assert len(after) == 120


def readings_in(folder: Path) -> dict[int, str]:
    """What was read of PDFs; a reading that replaces another has another number."""
    with closing(sqlite3.connect(folder / ".reportflow-read.sqlite")) as database:
        return dict(database.execute("SELECT rowid, sha FROM readings"))
