"""Which documents' PDFs are still to be fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reportflow_pandas.contract import without_pdf
from reportflow_pandas.engine.outcomes import ACCEPTED, Outcome, Outcomes
from reportflow_pandas.results.pdf_folder import PdfFolder

__all__ = ["Wanted", "documents_of", "known_by", "missing", "set_aside"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document whose PDF is to be saved."""

    position: int
    request_id: str
    file_id: str | None
    file_name: str
    accepted_at: float
    folder: str = ""

    @property
    def document(self) -> str:
        """What the folder knows the document by."""
        return known_by(self.request_id, self.file_id, self.file_name)


def known_by(request_id: str, file_id: str | None, file_name: str) -> str:
    """Return what a folder knows a document by."""
    return f"{request_id}/{file_id or without_pdf(file_name)}"


def missing(outcomes: Outcomes, folder: Path | PdfFolder, folders: Sequence[str] | None = None) -> list[Wanted]:
    """Return the accepted documents whose PDFs were not saved in a folder, or are not there any more.

    One whose PDF can never be made is not asked for again. ``folders``: each row's below the folder.
    """

    def is_there(outcome: Outcome) -> bool:
        if outcome.path is None:
            return False
        if isinstance(folder, PdfFolder):
            return folder.holds(
                known_by(outcome.request_id or "", outcome.file_id, outcome.file_name or ""), Path(outcome.path)
            )
        return _holds(folder, Path(outcome.path))

    return [
        Wanted(
            outcome.row,
            outcome.request_id or "",
            outcome.file_id,
            outcome.file_name or "",
            outcome.accepted_at or 0.0,
            "" if folders is None else folders[outcome.row],
        )
        for outcome in outcomes
        if outcome.status in ACCEPTED and outcome.error_kind != "no_pdf" and not is_there(outcome)
    ]


def documents_of(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield what a folder knows the documents of rows by."""
    for outcome in outcomes:
        if outcome.request_id:
            yield known_by(outcome.request_id, outcome.file_id, outcome.file_name or "")


def set_aside(folder: PdfFolder, replaced: Iterable[tuple[int, Outcome]], outcomes: Outcomes) -> None:
    """Move the PDFs of documents aside that were made again under another name: they look valid where they are."""
    for position, older in replaced:
        if outcomes[position].path is not None:
            for document in documents_of([older]):
                folder.set_aside(document)


def _holds(folder: Path, file: Path) -> bool:
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())
