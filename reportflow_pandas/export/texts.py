"""The workbook's words: from a decision to its word in a language, and back."""

from __future__ import annotations

import unicodedata

from reportflow_pandas.export.english import ENGLISH
from reportflow_pandas.export.japanese import JAPANESE
from reportflow_pandas.export.words import Language, Words

__all__ = [
    "DECISIONS",
    "STATUSES",
    "WORDS",
    "Language",
    "Words",
    "decide",
    "decision_of",
    "heading_key",
    "plain",
]

STATUSES = ("ready", "accepted", "failed", "unknown", "not_sent")
DECISIONS = ("approve", "redo", "reject")

WORDS: dict[str, Words] = {"en": ENGLISH, "ja": JAPANESE}

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
