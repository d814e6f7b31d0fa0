"""What the programs that open PDFs have in common: JSON lines in and out, bounds of time and memory.

Imports neither pandas nor the package: the programs load it by its path.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["serve"]

CPU_SECONDS_PER_FILE = 15
MEMORY_BYTES = 1_200_000_000
"""Of address space: the interpreter and PDFium take some 300 MB of it before the first file."""

RARELY = 50_000
"""New objects after which garbage is looked for: there is hardly any, and looking takes a tenth of the time."""


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer line by line until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints does not come between the answers
    _bound_memory()
    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(RARELY)
    for line in sys.stdin.buffer:
        _bound_time()
        answers.write(json.dumps(answer(json.loads(line)), separators=(",", ":")).encode() + b"\n")
        answers.flush()


def _bound_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time() -> None:
    """Let the system end this process if the next file takes too long; the parent sees its end."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS_PER_FILE, hard))
