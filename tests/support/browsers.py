"""Browsers that end with their tests, also when these are killed: Chromium with its driver."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent dies."""


def started(
    driver: str, profile: Path, *arguments: str, chromium: str | None = None, log: Path | None = None
) -> Any:
    """Start a browser; ``quit()`` ends it.

    When the test's process dies before, the driver dies with it (on Linux), and the browser with its pipe.
    """
    from selenium import webdriver  # noqa: PLC0415 - only where a browser is used
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415 - the same

    options = webdriver.ChromeOptions()
    if chromium is not None:
        options.binary_location = chromium
    for argument in ("--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *arguments):
        options.add_argument(argument)
    options.add_argument("--remote-debugging-pipe")
    more: dict[str, Any] = {} if log is None else {"log_output": str(log)}
    if sys.platform == "linux":
        more["popen_kw"] = {"preexec_fn": _die_with_parent(ctypes.CDLL(None))}
    return webdriver.Chrome(options=options, service=Service(driver, **more))


def _die_with_parent(libc: ctypes.CDLL) -> Any:
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
