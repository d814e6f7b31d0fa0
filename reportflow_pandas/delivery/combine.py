"""The PDFs of a results frame as one file, for printing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from reportflow_pandas.contract import without_pdf
from reportflow_pandas.delivery.release import DeliveryWarning
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.atomic_write import checked_path, place
from reportflow_pandas.export.source_columns import column_of, documents_of
from reportflow_pandas.next_steps import FETCH_WHAT_IS_THERE
from reportflow_pandas.results.pdf_folder import safe_name
from reportflow_pandas.results.results_frame import provenance
from reportflow_pandas.rows.input_frame import label_shown, rows_phrase
from reportflow_pandas.settings import absolute_path

if TYPE_CHECKING:
    import pikepdf

__all__ = ["combine"]

T = TypeVar("T", bound=Hashable)


def combine(
    results: pd.DataFrame,
    path: str | Path,
    by: str | None = None,
    source: pd.DataFrame | None = None,
    *,
    first: Hashable | None = None,
    last: Hashable | None = None,
) -> Path | dict[Hashable, Path]:
    """Put the PDFs of these results into one PDF, in the frame's order, with a bookmark for each document.

    Memory stays that of one document, however many there are. The
    bookmark and the page label are the document's file name, so that a reader finds ``INV-217`` and its pages.

    Parameters
    ----------
    path : str or path
        The file, ending in ``.pdf``; one that is there is replaced. With ``by``, either a template such as
        ``"print/{Country}.pdf"`` or a folder, or a name to which the value is added: ``"print.pdf"`` becomes
        ``print-Norway.pdf``.
    by : str, optional
        A column of ``source`` (or of the results): one file for each of its values.
    source : pandas.DataFrame, optional
        The frame that the run came from, where ``by`` is a column of it.
    first, last : label or file name, optional
        The first and the last document, both included, to print a part again after a paper jam: an index label of
        the results, or the file name that stands in the page label.

    Returns
    -------
    pathlib.Path or dict
        Where the file is; with ``by`` a path for each value.

    Raises
    ------
    ConfigurationError
        No row has a PDF on this disk; ``first`` or ``last`` is no row; a row has no value in ``by``; the path does
        not end in ``.pdf`` or cannot be written.

    Warns
    -----
    DeliveryWarning
        Rows whose PDF was not downloaded, is gone, is protected by a password or cannot be read: left out.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.head(3).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download=folder
    ...     )
    ...     combined = results.reportflow.combine(f"{folder}/all.pdf")
    ...     combined.name
    'all.pdf'
    """
    provenance(results, "combine")
    rows = _between(results, first, last)
    if by is None:
        target = checked_path(path, ".pdf")
        return _combined(results.iloc[rows], target, target.stem)
    values = _values_of(results, by, documents_of(results, source))
    wanted: dict[Hashable, list[int]] = {}
    for row in rows:
        wanted.setdefault(values[row], []).append(row)
    targets = _targets(path, by, list(wanted))
    written = {}
    for value, chosen in wanted.items():  # no comprehension: its frame would hide the caller's line from warnings
        written[value] = _combined(results.iloc[chosen], targets[value], targets[value].stem)
    return written


def _between(results: pd.DataFrame, first: Hashable | None, last: Hashable | None) -> list[int]:
    begin = 0 if first is None else _position(results, first, "first", at=0)
    end = len(results) - 1 if last is None else _position(results, last, "last", at=-1)
    if end < begin and len(results):
        raise ConfigurationError(
            f"last={label_shown(last)} stands before first={label_shown(first)} in these results; exchange them"
        )
    return list(range(begin, end + 1))


def _position(results: pd.DataFrame, wanted: Hashable, argument: str, *, at: int) -> int:
    found = [place for place, label in enumerate(results.index) if label == wanted]
    if not found and isinstance(wanted, str):
        name = without_pdf(wanted)
        found = [
            place
            for place, given in enumerate(results["file_name"])
            if isinstance(given, str) and without_pdf(given) == name
        ]
    if not found:
        raise ConfigurationError(
            f"{argument}={label_shown(wanted)} is neither an index label nor a file name of these results; the "
            f"first row is {label_shown(results.index[0])}, the last {label_shown(results.index[-1])}"
            if len(results)
            else f"{argument}={label_shown(wanted)}: these results have no rows"
        )
    return found[at]


def _values_of(results: pd.DataFrame, by: str, source: pd.DataFrame | None) -> list[Any]:
    values = column_of(results, source, by, "by")
    missing = [label for label, gone in zip(results.index, values.isna(), strict=True) if gone]
    if missing:
        raise ConfigurationError(f"by={by!r}: {rows_phrase(missing)} has no value there, so it belongs to no file")
    return list(values)


def _targets(path: str | Path, by: str, values: list[T]) -> dict[T, Path]:
    given = absolute_path(path, "path")
    text = str(given)
    targets: dict[T, Path] = {}
    for value in values:
        name = without_pdf(safe_name(str(value)))
        if f"{{{by}}}" in text:
            target = Path(text.replace(f"{{{by}}}", name))
        elif given.suffix.lower() == ".pdf":
            target = given.with_name(f"{given.stem}-{name}{given.suffix}")
        else:
            target = given / f"{name}.pdf"
        target.parent.mkdir(parents=True, exist_ok=True)
        targets[value] = checked_path(target, ".pdf")
    folded = [str(target).casefold() for target in targets.values()]
    if len(set(folded)) < len(folded):
        twice = next(target for target in targets.values() if folded.count(str(target).casefold()) > 1)
        raise ConfigurationError(f"by={by!r}: two of its values would be the file {str(twice)!r}")
    return targets


def _combined(results: pd.DataFrame, target: Path, title: str) -> Path:
    """Write one file of the PDFs of these rows."""
    try:
        import pikepdf  # noqa: PLC0415 - an extra

        from reportflow_pandas.delivery.pdf_writer import PdfWriter  # noqa: PLC0415 - needs it
    except ImportError as missing:
        raise ConfigurationError(
            f"combining PDFs needs the package {missing.name!r}: pip install 'reportflow-pandas[mail]'"
        ) from missing
    left_out: dict[str, list[Any]] = {}

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            writer = PdfWriter(file)
            for label, path, name in zip(results.index, results["path"], results["file_name"], strict=True):
                reason = _add(writer, pikepdf, path, name)
                if reason:
                    left_out.setdefault(reason, []).append(label)
            if not writer.documents:
                raise ConfigurationError(
                    "no row of these results has a PDF that could be combined: "
                    + _left_out(left_out)
                    + f". {FETCH_WHAT_IS_THERE}"
                )
            writer.finish(title)

    try:
        written = place(target, write)
    except OSError as problem:
        raise ConfigurationError(
            f"{str(target)!r} cannot be written ({problem.strerror or problem}). Choose another place"
        ) from problem
    if left_out:
        count = sum(map(len, left_out.values()))
        warnings.warn(
            f"{target.name} holds {len(results) - count:,} of {len(results):,} documents: {_left_out(left_out)}",
            DeliveryWarning,
            stacklevel=4,
        )
    return written


def _add(writer: Any, pikepdf: Any, path: object, name: object) -> str:
    """Append one document; return why it is left out, or nothing."""
    if not isinstance(path, str) or not path:
        return "no PDF was downloaded"
    if not os.path.isfile(path):  # noqa: PTH113 - 10,000 of them
        return "the PDF is no longer where it was saved"
    title = without_pdf(name) if isinstance(name, str) and name else Path(path).stem
    try:
        source: pikepdf.Pdf
        with pikepdf.open(path) as source:
            writer.add(title, source)
    except pikepdf.PasswordError:
        return "the PDF is protected by a password"
    except (pikepdf.PdfError, OSError, ValueError, KeyError, TypeError, RuntimeError):
        return "the PDF is damaged and cannot be read"  # also a RecursionError of a tree that has no end
    return ""


def _left_out(left_out: dict[str, list[Any]]) -> str:
    return "; ".join(f"{rows_phrase(labels)}: {reason}" for reason, labels in left_out.items())
