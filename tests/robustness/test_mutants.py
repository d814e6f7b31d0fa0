"""A few faults whose end is known; a tenth of the sample runs in the workflow, the whole is one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import mutants as program
from support.mutants import TARGETS, explained, mutants, sample

PROGRAM = Path(program.__file__)
PLANTED = ["kind == 'async' → kind != 'async'", "503 → 504"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each fault runs in a fork")


def test_the_tests_of_retries_find_the_faults_that_are_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUTATION_KEPT", str(tmp_path))
    command = [sys.executable, str(PROGRAM), "retry", *(f"--fault={fault}" for fault in PLANTED)]
    # a process of its own: this one has imported the package, and its forks would have it without a fault
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603 - our own
    assert ended.stdout == "retry: 2 of 2 tried: 2 found\n", ended.stderr[-2000:]


def test_each_kind_of_fault_is_planted_once_and_leaves_a_module_that_compiles() -> None:
    source = 'def f(a, b):\n    return 1 if not a or a < b else "SELECT a FROM b WHERE a = 1 AND b = 2"\n'
    faults = [mutant.fault for mutant in mutants(source)]
    assert "a < b → a <= b" in faults
    assert "not a → a" in faults
    assert any(" OR b = 2" in fault for fault in faults)
    for mutant in mutants(source):
        compile(mutant.module, "mutant", "exec")
        assert mutant.module != source


@pytest.mark.parametrize("name", TARGETS)
def test_each_survivor_that_is_explained_is_a_fault_of_the_module_as_it_is(name: str) -> None:
    """A reason for what is gone, or has another name by now, would excuse something else."""
    known = {mutant.name for mutant in sample(name, -1, 1)}
    assert [fault for fault in explained().get(name, {}) if fault not in known] == []
