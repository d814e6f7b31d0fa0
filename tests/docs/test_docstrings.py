"""Every example of a docstring runs as it stands, in an empty folder."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import reportflow_pandas as rf
from reportflow_pandas import contract, settings
from reportflow_pandas.options import Options

NO_IMPORT = ("__main__", "glyph_outlines", "mypy_plugin", "page_objects", "page_units")
"""Modules that are for other programs to start or to import."""


def examples() -> Iterator[doctest.DocTest]:
    """Yield every docstring that has an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for found in pkgutil.walk_packages(rf.__path__, f"{rf.__name__}."):
        if not found.name.endswith(NO_IMPORT):
            yield from (test for test in finder.find(importlib.import_module(found.name)) if test.examples)
    yield from (test for test in finder.find(rf) if test.examples)


EXAMPLES = {test.name: test for test in examples()}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.filterwarnings("ignore::reportflow_pandas.CheckWarning")
def test_the_example_of_a_docstring_prints_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    try:
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
        runner.run(EXAMPLES[name], out=said.append)
    finally:
        settings.configure(runs=None)
    assert not said, "".join(said)


def test_there_are_examples_to_run() -> None:
    assert len(EXAMPLES) > 50


@pytest.mark.parametrize(
    ("documented", "words"),
    [
        (Options, f"1 to {contract.DOCUMENTS_PER_CALL}. Default {contract.DOCUMENTS_PER_CALL};"),
        (Options, f"{contract.ASYNC_CALLS_PER_WINDOW} calls (sync: {contract.SYNC_CALLS_PER_WINDOW})"),
        (Options, f"in any {contract.WINDOW_SECONDS:.0f} s"),
        (Options, f"({contract.BODY_LIMIT_BYTES >> 20} MB)"),
        (Options, f"sync calls {contract.SYNC_TIMEOUT_SECONDS:.0f}."),
        (rf.Client, f"gives up after {contract.SYNC_ANSWER_SECONDS:.0f}."),
        (rf.Client.async_multiple, f"1 to {contract.DOCUMENTS_PER_CALL} documents"),
        (rf.Client.sync_multiple, f"1 to {contract.DOCUMENTS_PER_CALL} documents"),
        (rf.Limits, f"{contract.SYNC_CALLS_PER_WINDOW} sync generation calls"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_figure_of_the_service_in_a_docstring_is_that_of_the_contract(documented: object, words: str) -> None:
    assert words in " ".join((inspect.getdoc(documented) or "").split())
