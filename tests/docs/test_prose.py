"""What people read is plain English: no word of a private vocabulary in pages, notebooks, examples, docstrings."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

import reportflow_pandas as rf
from reportflow_pandas.accessor import ReportFlowAccessor

ROOT = Path(__file__).parents[2]

PRIVATE = re.compile(
    r"\b(?:anew|somebody|someone|whoever|whom|nobody|everybody|settle[ds]?|settling|packed and paced|pacing"
    r"|noughts?|shall|himself|herself|thereof|therein|slip of the hand|not unlike)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"```.*?```|``[^`]+``|`[^`]+`", re.DOTALL)
"""Code keeps its names: ``settle`` is a verb of results."""


def english() -> dict[str, str]:
    """Return every English text that people meet, by where it stands, without its code."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("examples/*.md"), *(ROOT / "docs" / "site").rglob("*.md")]
    found = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages}
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        found[notebook.name] = "\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "markdown")
    for example in ROOT.glob("examples/*.py"):
        lines = example.read_text(encoding="utf-8").splitlines()
        found[example.name] = "\n".join(line for line in lines if "#" in line) + (lines[0] if lines else "")
    for name in rf.__all__:
        found[f"rf.{name}"] = inspect.getdoc(getattr(rf, name)) or ""
    for name, verb in vars(ReportFlowAccessor).items():
        if not name.startswith("_"):
            found[f"df.reportflow.{name}"] = inspect.getdoc(verb) or ""
    with (ROOT / "reportflow_pandas" / "export" / "en.toml").open("rb") as file:
        found["the workbook's texts"] = json.dumps(tomllib.load(file))
    return {name: re.sub(r"results\.reportflow\.\w+", "", CODE.sub("", text)) for name, text in found.items()}


ENGLISH = english()


@pytest.mark.parametrize("name", sorted(ENGLISH))
def test_what_people_read_has_no_word_of_a_private_vocabulary(name: str) -> None:
    assert PRIVATE.findall(ENGLISH[name]) == []


def test_there_is_prose_to_look_at() -> None:
    assert len(ENGLISH) > 90
    assert PRIVATE.findall("so we settle them anew") == ["settle", "anew"]
    assert PRIVATE.findall(CODE.sub("", "then `settle` marks them")) == []


JAPANESE = "[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]"


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "site" / "ja").glob("*.md")), ids=lambda page: page.stem)
def test_no_line_of_japanese_is_broken_for_a_browser_shows_a_space_there(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    assert re.findall(rf"{JAPANESE}\n{JAPANESE}", text) == []


LONGEST_LINE = 88
"""Characters of code that a page shows beside its two sidebars, as the site's style says."""


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "site").rglob("*.md")), ids=lambda page: page.stem)
def test_no_line_of_code_is_cut_at_the_width_of_a_page(page: Path) -> None:
    blocks = re.findall(r"^ *```[^\n]*\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > LONGEST_LINE] == []
