"""A garage's bill that LibreOffice Calc prints, German and Japanese.

Another program, and a design that reading back had not seen when it was written: cells of several lines come after
all others of a page, and numbers stand right before dates.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import os
import random
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pikepdf
from babel.dates import format_date
from babel.numbers import format_decimal

import reportflow_pandas

FONTS = Path(reportflow_pandas.__file__).parent / "local" / "fonts"
SAID: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PAGE = jinja2.Template(Path(__file__).with_suffix(".fods").read_text(encoding="utf-8"), autoescape=True)


WIDTHS = [("A", 9), ("B", 66), ("C", 36), ("D", 22), ("E", 20), ("F", 22)]
"""Of the sheet's columns, in millimetres."""

DATES = {"de": {"words": "EEEE, d. MMMM y", "short": "short"}, "ja": {"words": "y年M月d日(E)", "short": "y/MM/dd"}}


def order(rng: random.Random, number: int, native: bool) -> dict[str, Any]:
    """Return the row of a bill: German or, natively, Japanese."""
    language = "ja" if native else "de"
    own = SAID[language]
    words = own["words"].split()
    count = rng.randrange(4, 8 if native else 70)
    begin = date(2025, 11, 1) + timedelta(days=rng.randrange(500))
    work = [
        {
            "Task": rng.choice(own["tasks"]),
            "Part": rng.choice(own["parts"]),
            "Hours": rng.choice([0.5, 1, 1.25, 2, 7.5]),
            "Done": (begin + timedelta(days=rng.randrange(6))).isoformat(),
            "Price": rng.choice([3300, 12800, 450, 1080]) if native else round(rng.uniform(4, 1900), 2),
        }
        for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 24, 40]))
    ]
    discount = rng.choice([0, 0, 0, 500 if native else 25.5])
    street = f"{rng.choice(own['streets'])}{'' if native else ' '}{rng.randrange(1, 160)}"
    town = rng.choice(own["towns"])
    plate = rng.choice(own["plates"])
    return {
        "OrderNo": f"{26000 + number}",
        "Language": language,
        "Customer": rng.choice(own["names"]),
        "Address": f"{town}{street}" if native else f"{street}\n{town}",
        "Received": begin.isoformat(),
        "Vehicle": rng.choice(own["cars"]),
        "Plate": f"{plate} {rng.randrange(10, 99)}-{rng.randrange(10, 99)}"
        if native
        else f"{plate}-{rng.choice('ABKLX')}{rng.choice('CEHTZ')} {rng.randrange(1, 9999)}",
        "Odometer": rng.randrange(300, 260_000),
        "Phone": "" if rng.random() < 0.3 else f"0{rng.randrange(200, 990)} {rng.randrange(10_000, 999_999)}",
        "Findings": ("。" if native else " ").join(rng.choice(words) for _ in range(count)),
        "Warranty": rng.random() < 0.35,
        "Discount": discount,
        "Total": round(sum(line["Price"] for line in work) - discount, 2),
        "Due": (begin + timedelta(days=rng.choice([14, 30, 44]))).isoformat(),
        "Mechanic": rng.choice(own["names"]),
        "Work": work,
    }


def page_of(params: dict[str, Any]) -> str:
    """Return the bill as a flat OpenDocument spreadsheet."""
    language = params.get("Language") or "de"
    say = SAID[language]
    blank = {name: "" for name, value in params.items() if value is None}

    def day(value: Any, form: str) -> str:
        if not value or isinstance(value, jinja2.Undefined):
            return ""
        return format_date(date.fromisoformat(value), DATES[language].get(form, "long"), locale=language)

    def number(value: Any, pattern: str = "#,##0") -> str:
        if value in (None, "") or isinstance(value, jinja2.Undefined):
            return ""
        return format_decimal(value, pattern, locale=language)

    def money(value: Any) -> str:
        said = number(value, "#,##0.00" if language == "de" else "#,##0")
        return said and (f"{said} €" if language == "de" else f"¥{said}")

    distance = number(params.get("Odometer"))
    values = [
        day(params.get("Received"), "long"),
        params.get("Vehicle") or "",
        params.get("Plate") or "",
        distance and f"{distance} km",
        params.get("Phone") or "",
    ]
    facts = list(zip(say["labels"], values, strict=True))
    address = (params.get("Address") or "").splitlines()
    recipient = [f"{params.get('Customer') or ''}{say['honour']}", *address, "", "", "", ""]
    tall = 6 + 4.6 * (len(params.get("Findings") or "") * (2 if language == "ja" else 1) // 95)
    return PAGE.render(
        p={**params, **blank},
        say=say,
        facts=facts,
        recipient=recipient,
        tall=tall,
        widths=WIDTHS,
        day=day,
        number=number,
        money=money,
    )


def soffice() -> str | None:
    """Return the program, if it is there."""
    return shutil.which("soffice") or shutil.which("libreoffice")


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="office-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fonts = f'<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{FONTS}</dir>'
    head = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
    (folder / "fonts.conf").write_text(f"{head}<fontconfig>{fonts}</fontconfig>")
    return folder


_MADE: dict[str, bytes] = {}


def print_all(wanted: Iterable[dict[str, Any]]) -> None:
    """Print many bills at once: the program takes a second to start."""
    _print([page_of(params) for params in wanted])


_ASKED_FOR: list[str] | None = None


@contextlib.contextmanager
def collecting() -> Iterator[None]:
    """Note what is asked for inside, where each page has a plain PDF of its own, and print it all at the end."""
    global _ASKED_FOR  # noqa: PLW0603 - one test after the other
    _ASKED_FOR = []
    try:
        yield
        _print(_ASKED_FOR)
    finally:
        _ASKED_FOR = None


def printed(params: dict[str, Any]) -> bytes:
    """Return a bill's PDF: the same one for the same page, for the program writes the time into it."""
    page = page_of(params)
    if _ASKED_FOR is not None and page not in _MADE:
        _ASKED_FOR.append(page)
        return _stand_in(page)
    _print([page])
    return _MADE[page]


def _stand_in(page: str) -> bytes:
    with pikepdf.new() as document:
        document.add_blank_page()
        document.docinfo["/Title"] = page
        target = io.BytesIO()
        document.save(target)
    return target.getvalue()


def _print(pages: list[str]) -> None:
    new = sorted(set(pages) - _MADE.keys())
    program = soffice() or "soffice"
    for begin in range(0, len(new), 100):
        with tempfile.TemporaryDirectory(dir=_folder()) as name:
            files = {page: Path(name) / f"{at}.fods" for at, page in enumerate(new[begin : begin + 100])}
            for page, file in files.items():
                file.write_text(page, encoding="utf-8")
            subprocess.run(  # noqa: S603 - the program that was found
                [
                    program,
                    f"-env:UserInstallation=file://{_folder()}/profile",
                    "--headless",
                    "--convert-to",
                    "pdf",
                    "--outdir",
                    name,
                    *map(str, files.values()),
                ],
                check=True,
                capture_output=True,
                timeout=600,
                env={**os.environ, "HOME": name, "FONTCONFIG_FILE": f"{_folder()}/fonts.conf"},
            )
            _MADE.update({page: file.with_suffix(".pdf").read_bytes() for page, file in files.items()})
