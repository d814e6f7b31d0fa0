"""Every code block of every page runs, the site builds without a warning, questions find their answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from conftest import required

import reportflow_pandas as rf
from reportflow_pandas import settings
from reportflow_pandas.accessor import ReportFlowAccessor
from reportflow_pandas.engine.retry import ErrorKind
from reportflow_pandas.verify.suspicion import KINDS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "site").rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if BLOCK.search(page.read_text("utf-8"))], ids=lambda p: p.stem
)
@pytest.mark.filterwarnings("ignore::reportflow_pandas.CheckWarning", "ignore::UserWarning")
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[object] = []
    use_local = rf.use_local

    def noted(*arguments: object, **switches: object) -> object:
        started.append(use_local(*arguments, **switches))
        return started[-1]

    monkeypatch.setattr(rf, "use_local", noted, raising=False)
    names: dict[str, object] = {}
    try:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            exec(compile(block, str(page.relative_to(DOCS)), "exec"), names)  # noqa: S102 - our own pages
    finally:
        for service in started:
            service.stop()  # type: ignore[attr-defined]
        settings.configure(runs=None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site into a folder of this process: another worker may build it, too."""
    for name in ("sphinx", "pydata_sphinx_theme", "myst_nb", "numpydoc"):
        required(name, _found(name))
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, DOCS / "build.py", folder]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)  # noqa: S603 - ours
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


def _found(name: str) -> object:
    import importlib.util  # noqa: PLC0415 - here alone

    return importlib.util.find_spec(name)


QUESTIONS = {
    "my own Excel file": ("howto/excel", "read_rows"),
    "my own design": ("howto/design", "designs"),
    "what is passthrough": ("reference/outcomes", "What is `passthrough`?"),
    "what does it cost": ("howto/carefully", "pages of the PDFs"),
    "no account": ("first_hour", "no account"),
    "first five carefully": ("howto/carefully", "head(5)"),
    "where are my PDFs": ("reference/outcomes", "Where are my PDFs?"),
    "a run died": ("reference/outcomes", "A run died"),
    "a row is unknown": ("reference/outcomes", "A row is `unknown`"),
    "behind a proxy": ("howto/proxies", "HTTPS_PROXY"),
    "from JavaScript": ("vendor", "JavaScript"),
    "in Japanese": ("ja/index", "日本語"),
}
"""What people ask: the page that answers, and words of the answer."""

FIRST_SCREEN = 1400
"""Characters of a page that are read without scrolling."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_readme_leads_to_the_answer_of_each_question_on_the_first_screen_of_a_page(question: str) -> None:
    page, answer = QUESTIONS[question]
    assert f"](docs/site/{page}.md)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert answer in (DOCS / "site" / f"{page}.md").read_text(encoding="utf-8")[:FIRST_SCREEN]


def test_the_site_builds_without_a_warning_and_answers_each_question_one_click_from_its_front(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    for question, (page, _) in QUESTIONS.items():
        assert f'href="{page}.html"' in front, question
        assert (site / f"{page}.html").exists(), question


STRANGERS_QUESTIONS = {
    "how do I print a price in yen": ("howto/excel", "## A price in yen"),
    "can I run it on Airflow": ("howto/nightly", "## Airflow"),
    "where is the key kept": ("howto/key", "## Where is the key kept?"),
    "what leaves my machine": ("howto/key", "## What leaves my machine?"),
    "how do I delete a run": ("howto/runs", "## How do I delete a run?"),
    "can I send only row 7 again": ("howto/runs", "## Can I send only row 7 again?"),
    "how many were billed": ("howto/runs", "## How do I see how many documents were billed?"),
    "what happens if my laptop sleeps": ("howto/runs", "## What happens if my laptop sleeps?"),
    "can I have the PDFs as one ZIP": ("howto/combine", "## All PDFs as one ZIP"),
    "does it work in VS Code or Colab": ("howto/notebooks", "## How do I use it in Colab?"),
    "a company's own certificates": ("howto/proxies", "certificate authority"),
}
"""What people ask later: the page, two clicks from the README, and the words under which it answers."""


@pytest.mark.parametrize("question", STRANGERS_QUESTIONS)
def test_the_list_of_all_pages_leads_to_the_answer_of_what_people_ask_later(question: str) -> None:
    page, answer = STRANGERS_QUESTIONS[question]
    assert "](docs/site/index.md)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert f"]({page}.md)" in (DOCS / "site" / "index.md").read_text(encoding="utf-8")
    assert answer in (DOCS / "site" / f"{page}.md").read_text(encoding="utf-8")


def written() -> dict[str, str]:
    """Return everything that is written in Markdown around the package, notebooks too."""
    root = DOCS.parent
    found = {
        page.relative_to(root).as_posix(): page.read_text(encoding="utf-8")
        for page in [*root.glob("*.md"), *root.glob("examples/*.md"), *PAGES]
    }
    for notebook in root.glob("notebooks/*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        found[notebook.relative_to(root).as_posix()] = "\n\n".join(
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
        )
    return found


def anchors(text: str) -> set[str]:
    """Return the names under which a page's headings are linked."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", sorted(written()))
def test_every_link_of_a_written_page_leads_somewhere(name: str) -> None:
    root, pages = DOCS.parent, written()
    for target in re.findall(r"\]\(([^)\s]+)\)", pages[name]):
        if re.match(r"[a-z]+:", target) or target.startswith("pictures/"):
            continue  # pictures: the site's own test sees them
        address, _, anchor = target.partition("#")
        place = (root / name).parent / address if address else root / name
        assert place.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), f"{name} links to {target}"


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    text = {page: page.read_text(encoding="utf-8") for page in pages}
    for page, html in text.items():
        for target in re.findall(r'(?:href|src)="([^"]+)"', html):
            address, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:|//", target) or "?" in address:
                continue
            if page.parent.name == "notebooks" and address.endswith((".pdf", ".xlsx")):
                continue  # what a cell made when the notebook was run
            place = (page.parent / address).resolve() if address else page
            assert place.exists(), f"{page.relative_to(site)} links to {target}"
            if anchor and place in text:
                assert f'id="{anchor}"' in text[place], f"{page.relative_to(site)} links to {target}"


def test_the_reference_has_everything_that_is_public() -> None:
    reference = (DOCS / "site" / "reference" / "api.md").read_text(encoding="utf-8")
    verbs = [name for name in vars(ReportFlowAccessor) if not name.startswith("_")]
    assert [name for name in [*rf.__all__, *verbs] if not re.search(rf"\.{name}\b", reference)] == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="((?:https?:)?//[^"]+)"', html), page


def test_notebooks_show_what_they_printed(site: Path) -> None:
    for notebook in (DOCS.parent / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        assert any(cell.get("outputs") for cell in cells)
        assert (site / "notebooks" / f"{notebook.stem}.html").exists()


def test_language_models_find_all_pages_in_one_text(site: Path) -> None:
    whole = (site / "llms-full.txt").read_text(encoding="utf-8")
    index = (site / "llms.txt").read_text(encoding="utf-8")
    for page in PAGES:
        title = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert title is not None
        if page.name != "index.md" or page.parent.name in ("site", "ja"):
            assert page.stem == "api" or title[0] in whole
    assert "howto/mail.html" in index


@pytest.mark.parametrize("page", ["reference/outcomes.md", "ja/outcomes.md"])
def test_each_word_of_an_outcome_is_explained_in_both_languages(page: str) -> None:
    text = (DOCS / "site" / page).read_text(encoding="utf-8")
    words = [
        "accepted",
        "ready",
        "failed",
        "unknown",
        "not_sent",
        *get_args(ErrorKind),
        *KINDS,
        "0",
        "1",
        "2",
        "130",
    ]
    assert [word for word in words if f"`{word}`" not in text] == []
