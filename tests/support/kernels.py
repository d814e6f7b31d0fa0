"""A real kernel, driven the way a front end drives it."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_client.manager import KernelManager

__all__ = ["Cell", "Kernel", "kernel_environment", "kernel_in"]

PATIENCE = 120.0
"""Seconds after which a kernel counts as hanging: far more than anything here takes."""


@dataclass
class Cell:
    """One cell that was sent: its answer and everything it showed."""

    id: str
    reply: dict[str, Any] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``ok``, ``error`` or ``aborted``."""
        return str(self.reply.get("status", "no reply"))

    @property
    def error(self) -> str:
        """Class of the exception that ended the cell."""
        return str(self.reply.get("ename", ""))

    @property
    def value(self) -> str:
        """Text of the last value shown."""
        return str(self.shown[-1]["text/plain"]) if self.shown else ""


class Kernel:
    """A kernel in a folder of its own."""

    def __init__(self, km: KernelManager) -> None:
        self.manager = km
        self.client = km.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self._cells: dict[str, Cell] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def send(self, code: str) -> Cell:
        """Send a cell and go on: the kernel queues it."""
        cell = Cell(self.client.execute(code, stop_on_error=False))
        self._cells[cell.id] = cell
        return cell

    def finish(self, *cells: Cell) -> None:
        """Wait for the answers of these cells and for everything that they showed."""
        for cell in cells:
            while not cell.reply:
                message = self.client.get_shell_msg(timeout=PATIENCE)
                sent = self._cells.get(message["parent_header"].get("msg_id"))
                if sent is not None:
                    sent.reply = message["content"]
            self._until_idle(cell)

    def run(self, code: str) -> Cell:
        """Send a cell and wait for it."""
        cell = self.send(code)
        self.finish(cell)
        return cell

    def value(self, code: str) -> str:
        """Run a cell that must not fail and return what it shows last."""
        cell = self.run(code)
        assert cell.status == "ok", cell.reply
        return cell.value

    def interrupt(self) -> None:
        """Do what the button ■ does."""
        self.manager.interrupt_kernel()

    def _until_idle(self, cell: Cell) -> None:
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the kernel never became idle after {cell.id}") from None
            content, kind = message["content"], message["msg_type"]
            shown_by = self._cells.get(message["parent_header"].get("msg_id"))
            if shown_by is None:
                continue
            if kind == "stream":
                setattr(shown_by, content["name"], getattr(shown_by, content["name"]) + content["text"])
            elif kind in ("execute_result", "display_data"):
                shown_by.shown.append(content["data"])
            elif kind == "status" and content["execution_state"] == "idle":
                del self._cells[shown_by.id]
                if shown_by is cell:
                    return


def kernel_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a kernel: nothing of the person who runs the tests."""
    own = {"IPYTHONDIR": str(folder / ".ipython"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return {**os.environ, **own}


@contextmanager
def kernel_in(folder: Path, launcher: Sequence[str] = ("-m", "ipykernel_launcher")) -> Iterator[Kernel]:
    """Start a kernel of this Python in a folder and end it afterwards."""
    km = KernelManager(connection_file=str(folder / "kernel.json"))
    spec = km.kernel_spec
    assert spec is not None
    spec.argv = [sys.executable, *launcher, "-f", "{connection_file}"]
    km.start_kernel(cwd=str(folder), env=kernel_environment(folder))
    try:
        with Kernel(km) as kernel:
            yield kernel
    finally:
        if km.has_kernel:
            km.shutdown_kernel(now=True)
