"""The values of a run's rows, and whose they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Form

__all__ = ["RunValues"]

_OTHER_SHARE = 0.7
"""Of another row's values: so many of them make it that row's PDF."""
_MOST_OWNERS = 20
_MOST_LINE_TEXTS = 200_000


@dataclass
class RunValues:
    """The values of all rows: whose they are.

    Attributes
    ----------
    owners : dict
        Text to parameter and the first rows that have it.
    texts : dict
        Row to its values, each in its forms.
    line_texts : set of str
        Texts in the lines of tables.
    labels : dict of str
        What rows are called.
    """

    owners: dict[str, tuple[str, list[int]]] = field(default_factory=dict)
    texts: dict[int, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    line_texts: set[str] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)

    def add(self, row: int, expected: ExpectedValues, forms: dict[str, list[Form]]) -> None:
        """Remember the values of a row."""
        own = []
        for path, value in expected.singles.items():
            if value.is_picture or value.is_flag:
                continue
            texts = {value.in_form(form) for form in forms.get(path, ())} - {""}
            if texts:
                own.append(tuple(texts))
            for text in texts:
                if len(text) > (3 if value.number is not None else 2):
                    rows = self.owners.setdefault(text, (path, []))[1]
                    if len(rows) < _MOST_OWNERS:
                        rows.append(row)
        self.texts[row] = tuple(own)
        if len(self.line_texts) < _MOST_LINE_TEXTS:
            self.line_texts.update(
                value.text for _, value in expected.cells() if value.number is None and len(value.text) > 2
            )

    def owner(self, document: DocumentText, row: int) -> int | None:
        """Return the row whose values stand in a document that lacks those of its own row."""
        votes: Counter[int] = Counter()
        for text in _pieces(document):
            owner = self.owners.get(text)
            if owner is not None:
                votes.update(other for other in owner[1] if other != row)
        best, share = None, 0.0
        for other, _ in votes.most_common(_MOST_OWNERS):
            texts = self.texts[other]
            own = sum(any(map(document.has, forms)) for forms in texts) / len(texts)
            if own > share:
                best, share = other, own
        return best if share >= _OTHER_SHARE else None


def _pieces(document: DocumentText) -> set[str]:
    """Return the texts that may be a value by themselves: units, and what stands between marks in them."""
    pieces = set()
    for unit in document.units:
        pieces.add(unit.text)
        marks = (
            [at for at in range(len(unit.text) + 1) if document.edges[unit.begin + at]]
            if len(unit.text) < 120
            else []
        )
        if len(marks) <= 12:
            pieces.update(
                unit.text[first:after].strip(",.;:()") for first in marks for after in marks if after > first
            )
        for prefix in ("$", "¥", "€", "£", "-"):
            pieces.add(unit.text.strip(prefix))
    pieces.discard("")
    return pieces
