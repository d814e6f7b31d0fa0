"""The workbook's texts in its languages, and typed words back to what they mean; the texts are in TOML files."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED
from reportflow_pandas.next_steps import line_that_goes_on, resumable
from reportflow_pandas.results.service_words import in_plain_words

__all__ = [
    "DECISIONS",
    "REVIEW_ATTRS",
    "STATUSES",
    "WORDS",
    "Language",
    "Words",
    "decide",
    "decision_of",
    "heading_key",
    "plain",
]

Language: TypeAlias = Literal["en", "ja"]

STATUSES = (*reversed(ACCEPTED), *NOT_ACCEPTED)
"""In the order in which a workbook tells them."""

DECISIONS = ("approve", "redo", "reject")

REVIEW_ATTRS = "reportflow_review"
"""Where the decisions keep, as one text, which run and which approved files they are about."""


@dataclass(frozen=True)
class Words:
    """All texts of one language."""

    language: Language
    headings: dict[str, str]
    statuses: dict[str, str]
    decisions: dict[str, str]
    decision_meanings: dict[str, str]
    status_meanings: dict[str, str]
    kinds: dict[str, str]
    advice: dict[str, str]
    traps: dict[str, str]
    """By `Trap`."""
    says: dict[str, str]
    run: dict[str, str]
    mail_reasons: dict[str, str]
    """By the English one, which stands in ``mail_error``."""

    def advise(self, status: str, kind: str | None, run: Mapping[str, str], message: object = None) -> str:
        """Say what to do about one document, after what the service's message means where that is known.

        ``run`` is what the results know of theirs.
        """
        meant = in_plain_words(message, self.language)
        return (
            f"{'' if meant is None else self.says['meant'].format(meant=meant)}{self._advice(status, kind, run)}"
        )

    def _advice(self, status: str, kind: str | None, run: Mapping[str, str]) -> str:
        if status == "unknown":
            return self.advice["unknown_outcome"]
        otherwise = "retry" if status == "not_sent" and kind is None else "other"
        what = self.advice.get(kind or otherwise, self.advice["other"])
        line = line_that_goes_on(run)
        what = what.format(resume=line, retry="results.reportflow.retry()" if resumable(run) else line)
        return f"{self.advice['not_sent']} {what}" if status == "not_sent" else what


def _read(language: Language) -> Words:
    texts: dict[str, Any] = tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text("utf-8"))
    return Words(language, **texts)


WORDS: dict[str, Words] = {"en": _read("en"), "ja": _read("ja")}

_ALSO = {"やり直し": "redo"}


def plain(text: object) -> str:
    """Return a word without what does not matter: case, width of characters, spaces."""
    normal = unicodedata.normalize("NFKC", str(text)).casefold()
    return "".join(c for c in normal if not c.isspace() and unicodedata.category(c) != "Cf")


_DECISION_WORDS = {
    **{plain(word): decision for words in WORDS.values() for decision, word in words.decisions.items()},
    **{plain(word): decision for word, decision in _ALSO.items()},
}
_HEADING_WORDS = {plain(word): key for words in WORDS.values() for key, word in words.headings.items()}


def decide(text: str, words: Words) -> str:
    """Return a typed decision in a language; an unknown word as it was typed."""
    decision = decision_of(text)
    return text if decision is None else words.decisions[decision]


def decision_of(text: object) -> str | None:
    """Return the English decision for a typed word in either language, ``None`` for an unknown one."""
    return _DECISION_WORDS.get(plain(text))


def heading_key(text: object) -> str | None:
    """Return the name of one of our columns for its heading in either language."""
    return _HEADING_WORDS.get(plain(text))
