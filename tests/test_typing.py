"""Types are a promise: editors and type checkers know the verbs and their arguments."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from conftest import required

import reportflow_pandas as rf
from reportflow_pandas.accessor import ReportFlowAccessor
from reportflow_pandas.configuration import Configuration
from reportflow_pandas.local.switches import SwitchArguments, Switches
from reportflow_pandas.mail import MailArguments

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


def test_the_arguments_that_type_checkers_see_are_those_of_run_time() -> None:
    assert set(Configuration.__annotations__) == {one.name for one in fields(rf.Settings)}
    assert set(SwitchArguments.__annotations__) == {one.name for one in fields(Switches)}
    verb = inspect.signature(ReportFlowAccessor.mail).parameters
    decided = {"self", "to", "subject", "body", "preview", "background"}
    assert set(MailArguments.__annotations__) == set(verb) - decided


ANY = {
    "Constant.value": "whatever JSON can hold",
    "Plan.first": "a document as JSON",
}
"""Public attributes and arguments of which no type is known."""

DECIDED_BY_THE_SERVICE = {"Client.send", "Client.sync_single", "Client.sync_multiple"}
"""A sync endpoint may answer with the file or, as an async one, without it."""


def public() -> dict[str, Callable[..., object]]:
    """Return everything public that is called, by its name: functions, verbs, methods, properties."""
    found: dict[str, Callable[..., object]] = {}
    for name in rf.__all__:
        thing = getattr(rf, name)
        if not isinstance(thing, type):
            found[name] = thing
            continue
        for attribute, value in vars(thing).items():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if inspect.isfunction(function) and (not attribute.startswith("_") or attribute == "__init__"):
                found[f"{name}.{attribute}"] = function
    for name, value in vars(ReportFlowAccessor).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            found[f"df.reportflow.{name}"] = value
    return found


def _without_frames(kind: object) -> str:
    return re.sub(r"(Series|Index)\[Any\]", r"\1", str(kind))


def test_no_public_signature_says_any_where_a_type_is_known() -> None:
    said = {
        f"{name.removesuffix('.__init__')}.{argument}"
        for name, function in public().items()
        for argument, kind in inspect.unwrap(function).__annotations__.items()
        if re.search(r"\bAny\b", _without_frames(kind))
    }
    assert said == set(ANY)


def test_no_public_function_returns_one_of_several_types_where_an_argument_decides() -> None:
    """What `combine` and `mail` return is told apart by overloads of the accessor, as ``tests/typing`` holds."""
    several = {
        name
        for name, function in public().items()
        if "|" in str(inspect.unwrap(function).__annotations__.get("return", "")).removesuffix(" | None")
    }
    assert several == DECIDED_BY_THE_SERVICE | {"df.reportflow.combine", "df.reportflow.mail"}
    for name in ("df.reportflow.combine", "df.reportflow.mail"):
        assert f"{name.rpartition('.')[2]}(" in (USES / "uses.py").read_text(encoding="utf-8")
