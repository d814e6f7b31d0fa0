"""What a piece of work cost this process: retired instructions where the machine counts them, else CPU time.

On a machine that others use too, CPU time drifts by half and more between two runs; the contenders are therefore
measured in turns, slice by slice, and the least of each counts, since others can only add to it. Instructions
hardly drift at all.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import time
from typing import Literal

HARDWARE, INSTRUCTIONS = 0, 1
SOFTWARE, TASK_CLOCK = 1, 1
SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
INHERIT = 1 << 1
ATTRIBUTES = 128


class Counter:
    """A counter of the kernel's for this process, all its threads too; make it before there are any.

    Raises
    ------
    OSError
        The machine has none: a virtual one mostly, or it is not allowed.
    """

    def __init__(self, kind: int = HARDWARE, event: int = INSTRUCTIONS) -> None:
        number = SYSTEM_CALL.get(platform.machine())
        if number is None or platform.system() != "Linux":
            raise OSError("no counters here")
        attributes = ctypes.create_string_buffer(ATTRIBUTES)
        struct.pack_into("=IIQQQQQ", attributes, 0, kind, ATTRIBUTES, event, 0, 0, 0, INHERIT)
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.syscall(number, attributes, 0, -1, -1, 0)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "no counters here")

    def read(self) -> int:
        """Return the count so far."""
        return int.from_bytes(os.read(self._file, 8), "little")


class Meter:
    """Reads what this process has cost so far, in the finest unit there is."""

    unit: Literal["k instructions", "µs CPU"]

    def __init__(self) -> None:
        try:
            self._counter: Counter | None = Counter()
            self.unit = "k instructions"
        except OSError:
            self._counter = None
            self.unit = "µs CPU"

    def read(self) -> float:
        """Return the cost so far: thousands of instructions, user and kernel, or microseconds."""
        return self._counter.read() / 1e3 if self._counter else time.process_time() * 1e6
