"""Real kernels: what a person sees who runs cells. Calls are counted at a service of the test's own process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from conftest import required
from nbformat.v4 import new_code_cell, new_notebook
from support.kernels import PATIENCE, Cell, Kernel, kernel_environment, kernel_in

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService

START = """
import asyncio
import pandas as pd
import reportflow_pandas as rf
rf.configure(base_url={base_url!r}, app_key={app_key!r})
df = pd.DataFrame({{"name": [f"Person {{n}}" for n in range(400)]}})
plain = dict(design_id="certificate", version=1, check=False, params={{"Name": "name"}},
             endpoint="async/single", limits=False, concurrency=5)
None
"""

LEFT = """
from reportflow_pandas import event_loop
async def left():
    return len(asyncio.all_tasks()) - 1
asyncio.run_coroutine_threadsafe(left(), event_loop.private_loop()).result(30)
"""


@pytest.fixture(scope="module")
def slow() -> Iterator[LocalService]:
    """A service that takes its time, so that there are always calls in flight."""
    with rf.local_service(render=False, latency=0.2) as service:
        yield service


@pytest.fixture(scope="module")
def shared_kernel(slow: LocalService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel_in(tmp_path_factory.mktemp("kernel")) as kernel:
        started = kernel.run(START.format(base_url=slow.base_url, app_key=slow.app_key))
        assert started.status == "ok", started.reply
        yield kernel


@pytest.fixture
def kernel(shared_kernel: Kernel, slow: LocalService) -> Kernel:
    """One kernel serves all these tests, as one serves a person's whole day."""
    slow.clear()
    return shared_kernel


def until(reached: Callable[[], bool], cell: Cell) -> None:
    """Wait until something can be seen at the service, while a cell runs."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, f"nothing of it after {PATIENCE:.0f} s: {cell}"
        time.sleep(0.02)


def sent(service: LocalService) -> int:
    return service.counts()["async/single"]


def nothing_more_comes(service: LocalService, kernel: Kernel) -> bool:
    """Tell whether the service stays quiet while the kernel is awake for a second."""
    before = sent(service)
    kernel.run("import time; time.sleep(0.5); await asyncio.sleep(0.5)")
    return sent(service) == before


def test_generate_works_in_a_cell_and_prints_its_one_line(kernel: Kernel, slow: LocalService) -> None:
    cell = kernel.run("results = df.head(8).reportflow.generate(**plain); set(results.status)")
    assert cell.status == "ok", cell.reply
    assert cell.value == "{'accepted'}"
    assert cell.stdout == "8 of 8 accepted\n"
    assert cell.stderr == ""
    assert any("application/vnd.jupyter.widget-view+json" in shown for shown in cell.shown)
    assert sent(slow) == 8
    assert kernel.value("results.file_name.tolist()[-1], results.index.equals(df.head(8).index)").endswith("True)")


def test_an_error_is_its_message_alone_and_its_traceback_in_a_mode_that_asks_for_it(kernel: Kernel) -> None:
    refused = kernel.run("df.reportflow.generate(**(plain | {'params': {'Name': 'nmae'}}))")
    assert (refused.status, refused.error) == ("error", "ConfigurationError")
    shown = refused.reply["traceback"]
    assert len(shown) == 1
    assert "nmae" in shown[0]
    assert "%tb Plain" in shown[0]
    assert "line 1" not in shown[0]
    kernel.run("%xmode Verbose")
    whole = kernel.run("df.reportflow.generate(design_id=7)")
    kernel.run("%xmode Context")
    assert "reportflow.generate" in "".join(whole.reply["traceback"])


def test_cells_that_wait_behind_generate_all_run(kernel: Kernel, slow: LocalService) -> None:
    cells = [kernel.send("queued = [len(df.head(20).reportflow.generate(**plain))]; queued")]
    cells += [kernel.send(f"queued.append({letter!r}); queued") for letter in "ABCD"]
    kernel.finish(*cells)
    assert [cell.status for cell in cells] == ["ok"] * 5
    assert cells[-1].value == "[20, 'A', 'B', 'C', 'D']"


def test_an_interrupt_ends_sending_and_keeps_the_results(kernel: Kernel, slow: LocalService) -> None:
    cell = kernel.send("df.reportflow.generate(**plain)")
    until(lambda: sent(slow) >= 15, cell)
    kernel.interrupt()
    kernel.finish(cell)
    assert (cell.status, cell.error) == ("error", "RunInterrupted")
    assert len(cell.reply["traceback"]) == 1, "a person who interrupts wants no traceback"
    assert "of 400 accepted" in cell.reply["traceback"][0]
    assert ".results" in cell.reply["traceback"][0]
    counts = kernel.value("import sys; results = sys.last_value.results; results.status.value_counts().to_dict()")
    answered = ast.literal_eval(counts)
    assert sum(answered.values()) == 400
    assert answered["accepted"] + answered.get("unknown", 0) == sent(slow)
    assert set(answered) <= {"accepted", "unknown", "not_sent"}
    assert nothing_more_comes(slow, kernel)
    assert kernel.value(LEFT) == "0"
    again = kernel.run("df.head(6).reportflow.generate(**plain).status.unique().tolist()")
    assert again.value == "['accepted']"


def test_a_second_interrupt_does_not_wait_for_the_answers(kernel: Kernel, slow: LocalService) -> None:
    cell = kernel.send("df.reportflow.generate(**plain)")
    until(lambda: sent(slow) >= 10, cell)
    kernel.interrupt()
    kernel.interrupt()
    kernel.finish(cell)
    assert (cell.status, cell.error) == ("error", "RunInterrupted")
    counts = kernel.value("sys.last_value.results.status.value_counts().to_dict()")
    answered = ast.literal_eval(counts)
    assert sum(answered.values()) == 400
    assert answered["accepted"] + answered.get("unknown", 0) == sent(slow)
    assert kernel.value(LEFT) == "0"


def test_an_interrupt_during_the_look_ups_sends_nothing(kernel: Kernel, slow: LocalService) -> None:
    looking = "df.rename(columns={'name': 'Name'}).reportflow.generate('certificate', check='warn')"
    cell = kernel.send(looking)
    until(lambda: slow.counts()["designs"] >= 1, cell)
    kernel.interrupt()
    kernel.finish(cell)
    assert (cell.status, cell.error) == ("error", "RunInterrupted")
    assert kernel.value("set(sys.last_value.results.status)") == "{'not_sent'}"
    assert slow.counts()["async/multiple"] == 0


def test_agenerate_is_awaited_in_a_cell(kernel: Kernel, slow: LocalService) -> None:
    cell = kernel.run("results = await df.head(8).reportflow.agenerate(**plain); set(results.status)")
    assert cell.status == "ok", cell.reply
    assert cell.value == "{'accepted'}"
    assert cell.stdout == "8 of 8 accepted\n"


def test_an_interrupted_agenerate_ends_sending_and_keeps_the_results(kernel: Kernel, slow: LocalService) -> None:
    cell = kernel.send("await df.reportflow.agenerate(**plain)")
    until(lambda: sent(slow) >= 15, cell)
    kernel.interrupt()
    kernel.finish(cell)
    assert (cell.status, cell.error) == ("error", "CancelledError")
    counts = kernel.value("sys.last_value.results.status.value_counts().to_dict()")
    answered = ast.literal_eval(counts)
    assert sum(answered.values()) == 400
    assert answered["accepted"] + answered.get("unknown", 0) == sent(slow)
    assert nothing_more_comes(slow, kernel)
    # the kernel's own tasks stay; none of them is ours
    ours = "[t for t in asyncio.all_tasks() if 'reportflow' in repr(t.get_coro())]"
    assert kernel.value(ours) == "[]"
    assert kernel.run("len(await df.head(6).reportflow.agenerate(**plain))").value == "6"


def test_asyncio_is_the_same_after_a_day_in_the_kernel(kernel: Kernel) -> None:
    patched = (
        "asyncio.Task is asyncio.tasks._CTask, hasattr(asyncio, '_nest_patched'), "
        "asyncio.run.__module__, type(asyncio.get_running_loop())._run_once.__module__"
    )
    assert kernel.value(patched) == "(True, False, 'asyncio.runners', 'asyncio.base_events')"


def test_nesting_works_when_asked_for_and_an_interrupt_is_drained(slow: LocalService, tmp_path: Path) -> None:
    required("nest_asyncio2", _importable("nest_asyncio2"))
    slow.clear()
    with kernel_in(tmp_path) as kernel:
        kernel.value(START.format(base_url=slow.base_url, app_key=slow.app_key))
        kernel.value("rf.configure(loop='nest')")
        cells = [kernel.send("queued = [len(df.head(20).reportflow.generate(**plain))]")]
        cells += [kernel.send(f"queued.append({letter!r}); queued") for letter in "ABCD"]
        kernel.finish(*cells)
        assert [cell.status for cell in cells] == ["ok"] * 5
        assert cells[-1].value == "[20, 'A', 'B', 'C', 'D']"
        assert kernel.value("import threading; 'reportflow' in [t.name for t in threading.enumerate()]") == "False"
        slow.clear()
        cell = kernel.send("df.reportflow.generate(**plain)")
        until(lambda: sent(slow) >= 15, cell)
        kernel.interrupt()
        kernel.finish(cell)
        assert (cell.status, cell.error) == ("error", "RunInterrupted")
        accepted = kernel.value(
            "import sys; int(sys.last_value.results.status.isin(['accepted', 'unknown']).sum())"
        )
        assert accepted == str(sent(slow))
        assert nothing_more_comes(slow, kernel)
        assert kernel.run("len(df.head(6).reportflow.generate(**plain))").value == "6"


def test_a_kernel_on_uvloop_works_and_refuses_to_nest(slow: LocalService, tmp_path: Path) -> None:
    required("uvloop", _importable("uvloop"))
    slow.clear()
    launcher = tmp_path / "launch.py"
    launcher.write_text(
        "import uvloop\nfrom ipykernel.kernelapp import launch_new_instance\n"
        "uvloop.install()\nlaunch_new_instance()\n"
    )
    with kernel_in(tmp_path, launcher=[str(launcher)]) as kernel:
        kernel.value(START.format(base_url=slow.base_url, app_key=slow.app_key))
        assert "uvloop" in kernel.value("type(asyncio.get_running_loop())")
        assert kernel.run("len(df.head(6).reportflow.generate(**plain))").value == "6"
        assert kernel.run("len(await df.head(6).reportflow.agenerate(**plain))").value == "6"
        refused = kernel.run("rf.configure(loop='nest')")
        assert refused.error == "ConfigurationError"
        assert "uvloop" in refused.reply["evalue"]
        assert (
            kernel.value("asyncio.Task is asyncio.tasks._CTask, hasattr(asyncio, '_nest_patched')")
            == "(True, False)"
        )
        assert kernel.run("len(df.head(6).reportflow.generate(**plain))").value == "6"
        assert sent(slow) == 18


def test_without_ipywidgets_the_bar_is_text_and_nothing_complains(slow: LocalService, tmp_path: Path) -> None:
    with kernel_in(tmp_path) as kernel:
        kernel.run("import sys; sys.modules['ipywidgets'] = None")
        kernel.value(START.format(base_url=slow.base_url, app_key=slow.app_key) + "\nTrue")
        cell = kernel.run("results = df.head(8).reportflow.generate(**plain)")
        assert cell.status == "ok", cell.reply
        assert cell.stdout == "8 of 8 accepted\n"
        assert "8/8" in cell.stderr
        assert "IProgress" not in cell.stderr
        assert "Warning" not in cell.stderr


@pytest.mark.parametrize("command", ["papermill", "nbconvert"])
def test_a_notebook_run_by_a_scheduler_keeps_the_one_line(
    command: str, slow: LocalService, tmp_path: Path
) -> None:
    """The bar is a dead widget there; the line says what became of the run."""
    required(command, _importable(command))
    notebook, out = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    start = START.format(base_url=slow.base_url, app_key=slow.app_key)
    nbformat.write(
        new_notebook(
            cells=[new_code_cell(start), new_code_cell("results = df.head(8).reportflow.generate(**plain)")],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        ),
        notebook,
    )
    arguments = {
        "papermill": ["papermill", str(notebook), str(out), "--cwd", str(tmp_path)],
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", str(notebook), "--output", str(out)],
    }
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", *arguments[command]],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=kernel_environment(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(out.read_text(encoding="utf-8"))["cells"][-1]["outputs"]
    printed = ["".join(output["text"]) for output in outputs if output["output_type"] == "stream"]
    assert printed == ["8 of 8 accepted\n"]


def _importable(name: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec(name) is not None
