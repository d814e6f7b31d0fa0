"""Types are a promise: editors and type checkers know the verbs and their arguments."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import required

USES = Path(__file__).parent / "typing"
MISUSES = USES / "misuses.py"
WRONG = {number for number, line in enumerate(MISUSES.read_text().splitlines(), 1) if "# wrong:" in line}


def mypy(folder: Path, *files: Path) -> list[str]:
    """Return the errors, a line each, with the plugin."""
    settings = folder / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\nplugins = reportflow_pandas.mypy_plugin\n")
    ran = subprocess.run(  # noqa: S603 - our own files
        [sys.executable, "-m", "mypy", "--config-file", settings, "--cache-dir", folder, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return [line for line in ran.stdout.splitlines() if ": error:" in line]


def pyright(*files: Path) -> list[dict[str, Any]]:
    """Return what pyright finds, as it reports it."""
    required("pyright", importlib.util.find_spec("pyright"))
    ran = subprocess.run(  # noqa: S603 - our own files
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout[ran.stdout.index("{") :])["generalDiagnostics"]
    return found


def test_mypy_knows_what_each_verb_takes_and_returns_and_finds_each_slip(tmp_path: Path) -> None:
    """In one run, which reads the package once: typed frames, plain ones through the plugin, and slips."""
    found = mypy(tmp_path, USES / "uses.py", USES / "plain_frames.py", MISUSES)
    assert [line for line in found if MISUSES.name not in line] == []
    assert {int(line.split(":")[1]) for line in found} == WRONG


def test_pyright_knows_the_same_and_finds_the_same_slips() -> None:
    """Pyright is what the editors' own checkers are built on; they take no plugins."""
    found = pyright(USES / "uses.py", MISUSES)
    assert {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found} == {
        (MISUSES.name, line) for line in WRONG
    }
