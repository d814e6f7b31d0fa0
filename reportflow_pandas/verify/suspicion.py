"""Findings: what can be wrong with a document. Documents are sorted by suspicion, what their findings weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what reads documents needs packages of the extra, and findings are shown without them
    from reportflow_pandas.verify.document_text import DocumentText, Place
    from reportflow_pandas.verify.page_objects import Box

__all__ = ["BOX_SIGNS", "KINDS", "Finding", "suspicion_of"]

KINDS = {
    "unreadable": 100.0,
    "same": 80.0,
    "blank_page": 60.0,
    "glyph": 40.0,
    "foreign": 30.0,
    "lines": 25.0,
    "missing": 20.0,
    "cut": 15.0,
    "pages": 10.0,
}
"""Kinds of findings, the gravest first, with what each adds to a document's suspicion."""

BOX_SIGNS = ("\ufffd", "□")
"""What stands for a letter that the font does not have."""

LONGEST_TEXT = 200


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    parameter : str
        Which value; for a cell of a table ``Lines[3].Quantity``, lines counted from 1.
    expected, found : str
        What the row says, and what stands there; empty where there is nothing.
    page : int
        From 1; 0 where it stands on none.
    marks : tuple
        Page (from 0) and box of what was found, in points from the page's lower left corner.
    """

    kind: str
    parameter: str = ""
    expected: str = ""
    found: str = ""
    page: int = 0
    marks: tuple[tuple[int, Box], ...] = field(default=(), repr=False)

    @classmethod
    def at(
        cls,
        kind: str,
        document: DocumentText,
        places: Sequence[Place],
        *,
        parameter: str = "",
        expected: Any = "",
        found: str = "",
    ) -> Finding:
        """Return a finding with the boxes of what stands there."""
        marks = tuple(mark for place in places for mark in document.marks(place))
        page = marks[0][0] + 1 if marks else 0
        return cls(kind, parameter, _short(str(expected)), _short(found), page, marks)

    def __str__(self) -> str:
        """Say it in one line."""
        what = f" {self.parameter}" if self.parameter else ""
        parts = []
        if self.expected:
            parts.append(f"expected {self.expected!r}")
        if self.found:
            parts.append(f"found {self.found!r}" if self.expected else self.found)
        elif self.expected:
            parts.append("it was not found")
        where = f" (page {self.page})" if self.page else ""
        return f"{self.kind}{what}: {', '.join(parts)}{where}" if parts else f"{self.kind}{what}{where}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def suspicion_of(findings: Sequence[Finding]) -> float:
    """Return how much the findings of a document weigh: the gravest counts whole, each further one a little."""
    weights = sorted((KINDS[finding.kind] for finding in findings), reverse=True)
    return round(sum(weight / (1 + 3 * number) for number, weight in enumerate(weights[:50])), 2)
