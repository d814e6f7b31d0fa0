"""An account of a run for an auditor: what was asked for, made, checked and passed on, from the ledger alone."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.atomic_write import checked_path, place
from reportflow_pandas.journal.events import events_of
from reportflow_pandas.journal.mails import mails_of
from reportflow_pandas.journal.runs import at_home, load as load_run
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.journal.schema import open_to_read
from reportflow_pandas.results.results_frame import text_column
from reportflow_pandas.settings import current

__all__ = ["account"]


def account(run: str, path: str | Path | None = None) -> pd.DataFrame:
    """Return what an auditor reads of a run, and write it as a workbook or a PDF.

    Everything comes from the run's ledger; only the pages are counted in the PDFs that are still where they were
    saved.

    Parameters
    ----------
    run : str
        The run's name; ``rf.runs()`` lists them.
    path : str or path, optional
        A file ending in ``.xlsx`` or ``.pdf`` (extra ``local``).

    Returns
    -------
    pandas.DataFrame
        One line for each fact, in the order of the account: ``topic``, ``item``, ``value`` (text).

    Raises
    ------
    ConfigurationError
        There is no such run, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with tempfile.TemporaryDirectory() as folder, rf.use_local():
    ...     _ = rf.configure(runs=folder)
    ...     _ = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, run="november"
    ...     )
    ...     told = rf.account("november").set_index("item")["value"]
    ...     _ = rf.configure(runs=None)
    >>> told["documents made"]
    '2'
    """
    target = None if path is None else _target(path)
    frame = pd.DataFrame(list(_facts(run)), columns=["topic", "item", "value"])
    for column in frame.columns:
        frame[column] = text_column(frame[column].tolist())
    if target is not None:
        write = _write_xlsx if target.suffix.lower() == ".xlsx" else _write_pdf
        place(target, lambda temporary: write(temporary, run, frame))
    return frame


def _facts(run: str) -> Iterable[tuple[str, str, str]]:
    settings = at_home(current(), run)
    kept = load_run(settings.runs, run)
    meta = kept.meta
    status = Counter(kept.outcomes.counts())
    made = sum(status[word] for word in ACCEPTED)
    yield "run", "run", run
    yield "run", "service", str(meta.get("base_url", ""))
    yield "run", "workspace", _workspace(meta)
    yield "run", "began", _moment(meta.get("created_at"))
    yield "run", "rows last given", _moment(meta.get("frame_at"))
    yield "design", "design", str(meta.get("design") or meta.get("design_id") or "")
    yield "design", "design id", str(meta.get("design_id", ""))
    yield "design", "version", str(meta.get("version", ""))
    yield "documents", "documents asked for", f"{int(meta.get('rows') or 0):,}"
    yield "documents", "documents made", f"{made:,}"
    for word in NOT_ACCEPTED:
        yield "documents", word.replace("_", " "), f"{status[word]:,}"
    never = kept.outcomes.error_kind.count("no_pdf")
    yield "documents", "made, but without a PDF for good", f"{never:,}"
    yield "documents", "superseded by a newer one", f"{_superseded(settings.runs, run):,}"
    yield "documents", "generation calls", f"{_calls(settings.runs, run):,}"
    saved = [Path(path) for path in kept.outcomes.path if path]
    pages, counted = _pages(saved)
    yield "pages", "pages (the plan counts pages)", _pages_told(pages, counted, made)
    for event in events_of(settings.runs, run):
        what = event.what if event.what not in ("approve", "redo", "reject") else f"reviewed: {event.what}"
        many = "document" if event.documents == 1 else "documents"
        yield "people", what, f"{event.documents:,} {many}, {_moment(event.at)}, by {event.person}"
    mails = mails_of(settings.runs, run)
    for state, count in sorted(Counter(mail.state for mail in mails).items()):
        yield "mails", f"mails {state.replace('_', ' ')}", f"{count:,}"
    answered = [mail.answered_at for mail in mails if mail.state == "sent" and mail.answered_at]
    if answered:
        yield "mails", "first and last mail", f"{_moment(min(answered))} to {_moment(max(answered))}"


def _workspace(meta: dict[str, Any]) -> str:
    named = current().workspace
    return str(named or meta.get("workspace") or "")


def _moment(seconds: float | None) -> str:
    if not seconds:
        return ""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _superseded(folder: Path, run: str) -> int:
    """Count documents that were accepted and stand in no row any more, or behind a newer edition of theirs."""
    return _count(
        folder,
        run,
        "SELECT count(*) FROM documents WHERE (status = 'accepted' OR status = 'ready') "
        "AND number NOT IN (SELECT number FROM rows)",
    )


def _calls(folder: Path, run: str) -> int:
    return _count(folder, run, "SELECT count(*) FROM calls")


def _count(folder: Path, run: str, statement: str) -> int:
    connection = open_to_read(path_of(folder, run))
    try:
        return int(connection.execute(statement).fetchone()[0])
    finally:
        connection.close()


def _pages(paths: list[Path]) -> tuple[int, int]:
    """Return the pages of the PDFs that can be read, and how many those are."""
    try:
        import pikepdf  # noqa: PLC0415 - an extra
    except ImportError:
        return 0, 0
    pages = counted = 0
    for path in paths:
        try:
            with pikepdf.open(path) as pdf:
                pages, counted = pages + len(pdf.pages), counted + 1
        except (OSError, pikepdf.PdfError, pikepdf.PasswordError):
            continue
    return pages, counted


def _pages_told(pages: int, counted: int, made: int) -> str:
    if not counted:
        return "unknown: no PDF on this disk"
    part = "" if counted == made else f" in {counted:,} of {made:,} documents; the others are not on this disk"
    return f"{pages:,}{part}"


def _target(path: str | Path) -> Path:
    suffix = Path(path).suffix.lower()
    if suffix not in (".xlsx", ".pdf"):
        raise ConfigurationError(f"{str(path)!r}: an account is written as .xlsx or .pdf")
    return checked_path(path, suffix)


def _write_xlsx(path: Path, run: str, frame: pd.DataFrame) -> None:
    import openpyxl  # noqa: PLC0415 - takes a while to load
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415

    from reportflow_pandas.export.style import on_paper  # noqa: PLC0415

    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Account")
    for column, width in zip("ABC", (14, 36, 70), strict=True):
        sheet.column_dimensions[column].width = width
    on_paper(sheet, f"Account of run {run}")
    title = WriteOnlyCell(sheet, value=f"Account of run {run}")
    title.font, title.data_type = Font(bold=True, size=14), "s"
    sheet.append([title])
    sheet.append([])
    for line in frame.itertuples(index=False):
        cells = [WriteOnlyCell(sheet, value=str(value)) for value in line]
        for cell in cells:
            cell.data_type, cell.alignment = "s", Alignment(wrap_text=True, vertical="top")
        sheet.append(cells)
    workbook.save(path)


_PDF = """
#set page(paper: "a4", margin: 20mm, numbering: "1 / 1")
#set text(font: "Noto Sans JP", size: 9pt)
#let told = json(bytes(sys.inputs.account))
#text(size: 15pt, weight: "bold")[Account of run #told.run]
#v(4mm)
#table(
  columns: (22mm, 52mm, 1fr), stroke: (x: none, y: 0.4pt + luma(200)), inset: (x: 0pt, y: 4pt),
  ..told.lines.flatten().map(part => [#part])
)
"""


def _write_pdf(path: Path, run: str, frame: pd.DataFrame) -> None:
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise ConfigurationError(
            "an account as PDF needs a compiler: pip install 'reportflow-pandas[local]'; .xlsx needs nothing more"
        ) from missing
    import json  # noqa: PLC0415 - here alone

    fonts = Path(__file__).parents[1] / "local" / "fonts"
    told = json.dumps({"run": run, "lines": frame.to_numpy().tolist()}, ensure_ascii=False)
    template = path.with_suffix(".typ")
    try:
        template.write_text(_PDF, encoding="utf-8")
        path.write_bytes(typst.compile(str(template), font_paths=[str(fonts)], sys_inputs={"account": told}))
    finally:
        template.unlink(missing_ok=True)
