"""A browser does not outlive the test that started it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import required

PROGRAM = """
import sys, time
from pathlib import Path
from support.browsers import started
browser = started(sys.argv[1], Path(sys.argv[2]), "--headless=new", chromium=sys.argv[3])
print("started", flush=True)
sys.stdin.read()
"""


def using(profile: Path) -> list[int]:
    """Return the processes that were started with a profile."""
    mark = f"--user-data-dir={profile}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:  # it ended meanwhile
                continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_browser_ends_when_its_tests_are_killed(tmp_path: Path) -> None:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    required("chromium", chromium)
    required("chromedriver", driver)
    profile = tmp_path / "profile"
    command = [sys.executable, "-c", PROGRAM, str(driver), str(profile), str(chromium)]
    with subprocess.Popen(  # noqa: S603 - our own words
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        assert using(profile)
        process.kill()
    for _ in range(3000):
        if not (left := using(profile)):
            return
        time.sleep(0.01)
    pytest.fail(f"{len(left)} processes of the browser are left")
