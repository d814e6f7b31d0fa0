"""A saved notebook without a kernel: as nbconvert's page, light and dark, narrow and zoomed; printed; on GitHub.

The pictures are kept in ``screenshots/``, to be looked at.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pypdfium2
import pytest
from conftest import required
from notebook.test_notebooks import FOLDER, NOTEBOOKS
from support.jupyterlab import SCREENSHOTS, browser_in
from support.page_checks import beyond_the_edge, look_at, too_faint

from reportflow_pandas.results.run_chart import drawn

OUTPUT = ".jp-OutputArea-output"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    required("chromium", chromium)
    required("chromedriver", driver)
    with browser_in(str(chromium), str(driver), tmp_path_factory.mktemp("browser")) as running:
        yield running


def page_of(notebook: Path, folder: Path, theme: str) -> str:
    """Convert a committed notebook and return the page's address."""
    nbconvert = pytest.importorskip("nbconvert")
    text, _ = nbconvert.HTMLExporter(theme=theme).from_filename(str(notebook))
    page = folder / f"{notebook.stem}.html"
    # what nbconvert would load from elsewhere is no part of the notebook
    page.write_text(re.sub(r"<script[^>]* src=[^>]*></script>", "", text), encoding="utf-8")
    return page.as_uri()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["01_quickstart", "02_bulk", "04_background"])
def test_a_saved_notebook_can_be_read_narrow_and_zoomed_in_light_and_dark(
    browser: Any, tmp_path: Path, name: str, theme: str
) -> None:
    browser.get(page_of(FOLDER / f"{name}.ipynb", tmp_path, theme))
    for width, zoom in ((640, 1.0), (640, 2.0), (1280, 2.0)):
        look_at(
            browser,
            SCREENSHOTS / f"saved-{name}-{theme}-{width}-{zoom:.0%}.png",
            width=width,
            zoom=zoom,
            dark=theme == "dark",
        )
        assert too_faint(browser, OUTPUT) == []
        assert beyond_the_edge(browser, f"{OUTPUT} *") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_of_a_run_can_be_read_in_light_and_dark(browser: Any, tmp_path: Path, theme: str) -> None:
    """Four windows of a limit, with failures and unknown rows among the accepted."""
    answers = [
        (
            61.0 * window + call / 10,
            "failed" if call % 9 == 8 else "unknown" if call % 17 == 16 else "accepted",
            100,
        )
        for window in range(4)
        for call in range(100)
    ]
    colours = {"light": "background:#fff;color:#212121", "dark": "background:#111;color:#e0e0e0"}[theme]
    page = tmp_path / "chart.html"
    page.write_text(
        f'<meta charset="utf-8"><body style="{colours};font:13px sans-serif">{drawn(answers, 0.0, 45_000)}',
        encoding="utf-8",
    )
    browser.get(page.as_uri())
    for width, zoom in ((640, 1.0), (640, 2.0)):
        picture = SCREENSHOTS / f"run-chart-{theme}-{width}-{zoom:.0%}.png"
        look_at(browser, picture, width=width, zoom=zoom, dark=theme == "dark")
        assert too_faint(browser, "body") == []
        assert beyond_the_edge(browser, "body *") == []


def test_a_saved_notebook_is_printed_as_it_ended(browser: Any, tmp_path: Path) -> None:
    browser.get(page_of(FOLDER / "01_quickstart.ipynb", tmp_path, "light"))
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    with pypdfium2.PdfDocument(base64.b64decode(printed)) as document:
        text = " ".join(page.get_textpage().get_text_range() for page in document)
        (SCREENSHOTS / "saved-printed.pdf").write_bytes(base64.b64decode(printed))
    words = " ".join(text.split())
    assert "412/412 [2 failed]" in words
    assert "410 of 412 accepted, 2 failed" in words
    assert "Total is empty" in words


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_shown_without_scripts_and_styles_is_the_end_and_not_the_beginning(notebook: Path) -> None:
    """GitHub runs no script and keeps no style; others show the plain text."""
    bars = 0
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            plain = f"{data.get('text/plain', '')}{output.get('text', '')}"
            sanitised = re.sub(
                r"<(script|style)\b.*?</\1>|<[^>]*>", " ", data.get("text/html", ""), flags=re.DOTALL
            )
            for shown in (plain, sanitised):
                assert not re.search(r"\b0%\||VBox\(|HBox\(|IntProgress\(|Loading widget", shown)
            if 'class="widget-html"' in data.get("text/html", ""):
                bars += 1
                for shown in (plain, sanitised):
                    assert re.search(r"(\d+)/\1\b|\d+ of \d+", shown)
    assert bars, "a notebook that makes documents shows how that ended"
