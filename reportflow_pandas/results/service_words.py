"""The service's messages about one value, in plain words: "Total is empty" for ``contents.0.params.Total …``.

For reading only: nothing is decided by them, the frame keeps the message as it came, and one that is not
understood is shown as it is. A place such as ``contents.0`` counts within a call: rows are named by their labels.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.rows.input_frame import rows_phrase

__all__ = ["grouped", "in_plain_words", "reasons"]

MOST_REASONS = 3
"""Told at the end of a run; the results display has all."""

LONGEST_REASON = 160

BETWEEN_MESSAGES = "; "
"""Between two messages about the same row."""

_PLACE = re.compile(
    r"contents?(?:\.\d+)?\.(?:params\.)?(?P<value>.+?) (?P<said>(?:must|should|is|「|は|に|の|が).*)", re.DOTALL
)
_OF_LINE = re.compile(r"(?P<table>.+)\.(?P<line>\d+)\.(?P<value>.+)")


@functools.cache
def _texts() -> dict[str, Any]:
    """Return the file of texts, read when the first message is to be put into words."""
    return tomllib.loads(Path(__file__).with_name("service_words.toml").read_text("utf-8"))


def in_plain_words(message: object, language: str | None = None) -> str | None:
    """Return what a message says of which value; None where that is not known for certain.

    Parameters
    ----------
    message : str
        The ``error`` of a row.
    language : str, optional
        ``"ja"``, else English.

    Examples
    --------
    >>> in_plain_words("contents.0.params.Total should not be empty")
    'Total is empty'
    >>> in_plain_words("contents.3.params.Lines.0.Quantity must be a number", "ja")
    'Lines の 1 行目の Quantity が数値ではありません'
    """
    if not isinstance(message, str):
        return None
    parts = [
        _one_in_plain_words(part.strip(), "ja" if language == "ja" else "en")
        for part in message.split(BETWEEN_MESSAGES)
    ]
    understood = [part for part in parts if part is not None]
    return ", ".join(understood) if len(understood) == len(parts) else None


def _one_in_plain_words(message: str, language: str) -> str | None:
    found = _PLACE.fullmatch(message)
    meaning = found and next(
        (known for known in _texts()["meaning"] if re.search(known["said"], found["said"])), None
    )
    if not found or not meaning:
        return None
    name = found["value"]
    if place := _OF_LINE.fullmatch(name):
        line = f"{int(place['line']) + 1:,}"
        name = _texts()["line"][language].format(table=place["table"], line=line, value=place["value"])
    return str(meaning[language]).format(value=name)


def grouped(failures: Iterable[tuple[Any, object]], language: str | None = None) -> dict[str, list[Any]]:
    """Return the labels of rows by what happened to them, most frequent first.

    Parameters
    ----------
    failures : iterable of (label, message)
        The rows.
    language : str, optional
        As for `in_plain_words`.

    Examples
    --------
    >>> grouped([(7, "content.params.Total must be a number"), (9, "contents.3.params.Total must be a number")])
    {'Total is no number': [7, 9]}
    """
    found: dict[str, list[Any]] = {}
    for label, message in failures:
        words = in_plain_words(message, language) or (message if isinstance(message, str) else "")
        found.setdefault(words, []).append(label)
    return dict(sorted(found.items(), key=lambda group: -len(group[1])))


def reasons(outcomes: Outcomes, index: pd.Index[Any], language: str | None) -> list[str]:
    """Return why rows failed, a line for equal reasons, such as "2 rows (index 7, 42): Total is empty"."""
    if not outcomes.counts()["failed"]:
        return []
    failed = (at for at in range(len(outcomes)) if outcomes.status_of(at) == "failed")
    failures = ((index[at], outcomes.error[at]) for at in failed)
    lines = [
        f"{rows_phrase(labels)}: {words if len(words) <= LONGEST_REASON else f'{words[:LONGEST_REASON]}…'}"
        for words, labels in grouped(failures, language).items()
    ]
    more = len(lines) - MOST_REASONS
    rest = [f"and {more:,} more reasons: results.reportflow shows them"] if more > 0 else []
    return lines[:MOST_REASONS] + rest
