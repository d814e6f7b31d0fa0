"""Help explains: every argument alone, grouped, in a signature that can be read."""

from __future__ import annotations

import inspect
import re

import pandas as pd
import pytest
from support.reviewed_workbooks import make_results

import reportflow_pandas as rf
from reportflow_pandas.argument_help import GROUPS
from reportflow_pandas.options import Arguments

VERBS = ["generate", "agenerate", "submit", "plan", "check", "preview"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_explains_each_argument_alone(verb: str) -> None:
    method = getattr(pd.DataFrame.reportflow, verb)
    doc = inspect.getdoc(method)
    assert doc is not None
    assert "**" not in doc.split("Returns\n")[0].replace("**billed**", "")
    for name in inspect.signature(method).parameters:
        if name not in ("self", "frame"):
            assert re.search(rf"^{name}\b[^\n]* : [^\n]+\n    \S", doc, re.MULTILINE), f"{verb}: {name}"
    for heading in GROUPS:
        assert f"\n{heading}:\n" in doc


@pytest.mark.parametrize("verb", VERBS)
def test_a_signature_names_each_argument_with_its_default_and_nothing_else(verb: str) -> None:
    text = str(inspect.signature(getattr(pd.DataFrame({"A": [1]}).reportflow, verb)))
    assert "**" not in text
    assert "->" not in text
    assert set(Arguments.__annotations__) <= set(re.findall(r"\b(\w+)=", text))
    assert len(text) < 800


@pytest.mark.parametrize("verb", ["to_excel", "read_review", "retry", "mail", "hand_over", "combine", "download"])
def test_the_help_of_a_results_verb_explains_each_argument(verb: str) -> None:
    method = getattr(pd.DataFrame.reportflow, verb)
    doc = inspect.getdoc(method)
    assert doc is not None
    for name in inspect.signature(method).parameters:
        if name not in ("self", "results"):
            assert re.search(rf"^(\w+, )*{name}\b[^\n]* : ", doc, re.MULTILINE), f"{verb}: {name}"


def test_the_package_offers_public_names_only() -> None:
    assert {name for name in dir(rf) if not name.startswith("_")} == set(rf.__all__)


def test_a_frame_of_rows_offers_the_verbs_for_rows_and_results_those_for_results() -> None:
    rows = dir(pd.DataFrame({"A": [1]}).reportflow)
    results = dir(make_results(2).reportflow)
    assert {"generate", "check", "plan", "preview", "submit"} <= set(rows)
    assert {"summary", "retry", "to_excel", "download", "mail"} <= set(results)
    assert not set(rows) & set(results)
