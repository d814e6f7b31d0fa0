"""An itinerary that a browser prints: French, Japanese and Hebrew, with head, foot, columns and broken cells.

Written after the code that reads it, like a newcomer's own page.
"""

from __future__ import annotations

import random
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jinja2
from babel.dates import format_date
from babel.numbers import format_decimal

from tests.support.web_letter import FONTS, printed_page

SAID: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PAGE = jinja2.Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"), autoescape=True)


def itinerary(rng: random.Random, number: int, native: bool) -> dict[str, Any]:
    """Return the row of an itinerary: French, Hebrew or, natively, Japanese."""
    language = "ja" if native else rng.choice(["fr", "fr", "he"])
    own = SAID[language]
    words = own["words"].split()

    def told(least: int, most: int) -> str:
        count = rng.randrange(least, most)
        return ("。" if native else " ").join(rng.choice(words) for _ in range(count))

    begin = date(2026, 1, 1) + timedelta(days=rng.randrange(600))
    stops = [
        {
            "Day": (begin + timedelta(days=at)).isoformat(),
            "Town": rng.choice(own["towns"]),
            "Plan": told(1, 4) if native else told(2, 16),
            "Nights": rng.choice([1, 1, 2, 3, 14]),
            "Price": rng.choice([89, 120.5, 1490, 64.25]) + rng.randrange(30),
        }
        for at in range(rng.choice([1, 2, 5, 8, 24]))
    ]
    return {
        "Booking": f"{rng.choice('ABC')}{2600000 + number}",
        "Language": language,
        "Title": told(1, 3) if native else told(2, 5),
        "Traveller": rng.choice(own["people"]),
        "Leaves": begin.isoformat(),
        "Agent": rng.choice(own["people"]) if rng.random() < 0.5 else "",
        "Insured": rng.random() < 0.4,
        "About": told(4, 12) if native else told(20, 60),
        "Total": sum(stop["Price"] for stop in stops),
        "Stops": stops,
    }


def page_of(params: dict[str, Any]) -> str:
    """Return the itinerary as HTML."""
    language = params.get("Language") or "fr"

    def day(value: Any) -> str:
        if not value or isinstance(value, jinja2.Undefined):
            return ""
        return format_date(
            date.fromisoformat(value), "EEEE d MMMM y" if language == "fr" else "long", locale=language
        )

    def number(value: Any, places: int) -> str:
        if value in (None, "") or isinstance(value, jinja2.Undefined):
            return ""
        return format_decimal(value, "#,##0" + ("." + "0" * places if places else ""), locale=language)

    blank = {name: "" for name, value in params.items() if value is None}
    return PAGE.render(
        p={**params, **blank, "Language": language}, day=day, number=number, say=SAID[language], fonts=FONTS
    )


def printed(params: dict[str, Any]) -> bytes:
    """Return an itinerary's PDF."""
    return printed_page(page_of(params))
