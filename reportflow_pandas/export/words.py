"""What a language must have words for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reportflow_pandas.export.cells import Trap
from reportflow_pandas.results.results_frame import line_on, resumable

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

    def advise(self, status: str, kind: str | None, run: Mapping[str, str]) -> str:
        """Say what to do about one document; ``run`` is what the results know of theirs."""
        if status == "unknown":
            return self.advice["unknown_outcome"]
        otherwise = "retry" if status == "not_sent" and kind is None else "other"
        what = self.advice.get(kind or otherwise, self.advice["other"])
        line = line_on(run)
        what = what.format(resume=line, retry="results.reportflow.retry()" if resumable(run) else line)
        return f"{self.advice['not_sent']} {what}" if status == "not_sent" else what
