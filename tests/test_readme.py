"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reportflow_pandas as rf

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_five_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand there, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    try:
        exec(code[1], names)  # noqa: S102 - the README's own lines
    finally:
        with rf.use_local(render=False):
            pass
    assert (tmp_path / "review.xlsx").exists()
    assert len(names["results"]) == 412  # type: ignore[arg-type]


def test_every_proof_it_names_exists() -> None:
    for name in re.findall(r"`(tests/[\w/.]+|notebooks/|examples/)`", README):
        assert (ROOT / name).exists(), name


def test_it_fits_on_a_page() -> None:
    assert len(README.encode()) < 5000


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    """CI takes the line from here; a changed line must not slip past it."""
    assert re.search(r"^python3 -m venv .* && \.venv/bin/python -m pytest( .*)?$", README, re.MULTILINE)
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
