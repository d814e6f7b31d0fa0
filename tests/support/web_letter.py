"""A letter that a browser prints: another producer of PDFs; vertical and right-to-left text, hyphens.

No design of the embedded service: it shows that reading back does not depend on what makes our own PDFs.
"""

from __future__ import annotations

import atexit
import base64
import functools
import random
import shutil
import tempfile
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from babel.dates import format_date
from babel.numbers import format_decimal

import reportflow_pandas
from tests.support import browsers

FONTS = Path(reportflow_pandas.__file__).parent / "local" / "fonts"
SAID: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PAGE = jinja2.Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"), autoescape=True)


def letter(rng: random.Random, number: int, native: bool) -> dict[str, Any]:
    """Return the row of a letter: German, Japanese or Arabic."""
    language = "ja" if native else rng.choice(["de", "de", "ar"])
    say = functools.partial(_said, rng, language)
    return {
        "Reference": f"K-{number:04}/{rng.randrange(10, 99)}",
        "Date": date(2026, rng.randrange(1, 13), rng.randrange(1, 29)).isoformat(),
        "Language": language,
        "Customer": rng.choice(SAID[language]["names"]),
        "City": rng.choice(SAID[language]["cities"]),
        "Subject": say(2),
        "Urgent": rng.random() < 0.3,
        "Text": say(18),
        "Terms": say(60) if rng.random() < 0.3 else "",
        "Due": rng.randrange(100000) if native else round(rng.uniform(1, 90000), 2),
        "Lines": [
            {
                "Service": rng.choice(SAID[language]["goods"]),
                "Note": say(rng.randrange(1, 9), "notes"),
                "Hours": rng.choice([1, 2, 8, 40, 1200]),
                "Price": rng.choice([480, 1250.5, 0.35, 12.75]),
            }
            for _ in range(rng.choice([1, 2, 4, 9, 30]))
        ],
    }


def _said(rng: random.Random, language: str, count: int, words_of: str = "words") -> str:
    words = [rng.choice(SAID[language][words_of].split()) for _ in range(count)]
    return (
        ("、" if language == "ja" else " ").join(words)
        if language != "ja" or count < 6
        else "。".join(words[: count // 3])
    )


def page_of(params: dict[str, Any]) -> str:
    """Return the letter as HTML."""
    language = params.get("Language") or "de"
    blank = {"Language": language, **{name: "" for name, value in params.items() if value is None}}
    day = params.get("Date") or ""
    if day:
        day = format_date(date.fromisoformat(day), "long", locale="ar_MA" if language == "ar" else language)

    def number(value: Any, places: int) -> str:
        if value in (None, "") or isinstance(value, jinja2.Undefined):
            return ""
        pattern = "#,##0" + ("." + "0" * places if places else "")
        return format_decimal(value, pattern, locale="de" if language == "ar" else language)

    return PAGE.render(p={**params, **blank}, day=day, number=number, say=SAID[language], fonts=FONTS)


@functools.cache
def _browser() -> Any:
    folder = tempfile.TemporaryDirectory()
    chromium, driver = shutil.which("chromium"), str(shutil.which("chromedriver"))
    browser = browsers.started(driver, Path(folder.name), "--headless=new", chromium=chromium)
    atexit.register(folder.cleanup)
    atexit.register(browser.quit)
    browser.get(Path(FONTS).as_uri())
    return browser


@functools.lru_cache(maxsize=1024)
def printed_page(html: str) -> bytes:
    """Return the PDF of a page."""
    browser = _browser()
    browser.execute_cdp_cmd(
        "Page.setDocumentContent",
        {"frameId": browser.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]["id"], "html": html},
    )
    browser.execute_async_script("document.fonts.ready.then(arguments[0])")
    answer = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "generateTaggedPDF": False})
    return base64.b64decode(answer["data"])


def printed(params: dict[str, Any]) -> bytes:
    """Return a letter's PDF."""
    return printed_page(page_of(params))
