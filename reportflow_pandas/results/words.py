"""What a language must have words for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from reportflow_pandas.results.cells import Trap

__all__ = ["Language", "Words"]

Language: TypeAlias = Literal["en", "ja"]


@dataclass(frozen=True)
class Words:
    """All words of one language."""

    headings: dict[str, str]
    statuses: dict[str, str]
    decisions: dict[str, str]
    decision_meanings: dict[str, str]
    status_meanings: dict[str, str]
    kinds: dict[str, str]
    advice: dict[str, str]
    traps: dict[Trap, str]
    says: dict[str, str]
    run: dict[str, str]

    def advise(self, status: str, kind: str | None) -> str:
        """Say what to do about one document."""
        if status == "unknown":
            return self.advice["unknown_outcome"]
        if status == "not_sent" and kind is None:
            return f"{self.advice['not_sent']} {self.advice['retry']}"
        what = self.advice.get(kind or "other", self.advice["other"])
        return f"{self.advice['not_sent']} {what}" if status == "not_sent" else what
