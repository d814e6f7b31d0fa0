"""The verbs of a results frame that look at it, fetch its PDFs and write files; `run_verbs` has ``retry``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel, channel_to
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.errors import AuthError, ConfigurationError, ReportFlowError
from reportflow_pandas.execution.workspace import may_be_of, proves
from reportflow_pandas.export import csv_file
from reportflow_pandas.journal import runs as ledgers
from reportflow_pandas.next_steps import with_a_renewed_key
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.notify import workbook_written
from reportflow_pandas.results import summary as summaries
from reportflow_pandas.results.download import fetch_outcomes
from reportflow_pandas.results.missing_pdfs import documents_of, set_aside
from reportflow_pandas.results.pdf_folder import PdfFolder, encoded_names
from reportflow_pandas.results.results_frame import COLUMNS, outcome_of, provenance, results_frame
from reportflow_pandas.rows.download_folders import download_folders, download_root
from reportflow_pandas.settings import Settings, current, duration
from reportflow_pandas.verify.first_looks import PIXELS_ACROSS, first_looks, with_pictures
from reportflow_pandas.verify.verified_results import notes_of

if TYPE_CHECKING:
    from reportflow_pandas.export.look_first import LookFirst

__all__ = ["download", "failed_of", "read_review", "summary", "to_csv", "to_excel", "unknown_of"]


def summary(results: pd.DataFrame) -> pd.Series[int]:
    """Return the counts of a results frame: total, success, failed, unknown, not_sent, and by kind of error."""
    provenance(results, "summary")
    return summaries.summary(results)


def failed_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that failed."""
    provenance(results, "failed")
    return results[results["status"] == "failed"]


def unknown_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose outcome is not known: sent, but no answer came back."""
    provenance(results, "unknown")
    return results[results["status"] == "unknown"]


MOST_LOOKED_AT = 20
"""Documents on the sheet Look first: what a reviewer begins with."""


def look_first_of(results: pd.DataFrame) -> tuple[list[LookFirst], dict[str, str]]:
    """Return the documents of the sheet Look first, and what was not judged; nothing if nothing was read back."""
    if "verdict" not in results.columns or "verify" not in results.attrs.get("reportflow", {}):
        return [], {}
    from reportflow_pandas.export.look_first import LookFirst  # noqa: PLC0415 - openpyxl only when it is used

    looks = with_pictures(first_looks(results, MOST_LOOKED_AT, "to_excel"), PIXELS_ACROSS)
    return [
        LookFirst(
            look.row, look.reason, tuple((picture.png, picture.width, picture.height) for picture in look.pictures)
        )
        for look in looks
    ], notes_of(results)


def to_excel(
    results: pd.DataFrame,
    path: str | Path,
    source: pd.DataFrame | list[str] | None = None,
    *,
    language: Literal["en", "ja"] = "en",
) -> Path:
    """Write the workbook that a colleague reviews: sheets Summary, Results, Failed, Run.

    Results that were read back (`verify`) get a sheet *Look first* with pictures of the documents that a person
    should see before the others.

    Parameters
    ----------
    path : str or path
        The file, ending in ``.xlsx``. Decisions that are typed into an older one are kept for the same documents.
    source : pandas.DataFrame or list of str, optional
        The frame that the run came from, so that names and amounts stand beside the results; or the names of
        columns that were added to the results.
    language : {"en", "ja"}
        Of headings, sheets and explanations. Default ``"en"``.

    Returns
    -------
    pathlib.Path
        Where it was really written: ``path``, or a dated name beside it while ``path`` is open in Excel.

    Raises
    ------
    ConfigurationError
        The path is no workbook's, the source has other rows, the file cannot be written.

    Examples
    --------
    >>> results.reportflow.to_excel("review.xlsx", source=df)                # doctest: +SKIP
    """
    from reportflow_pandas.export import workbook  # noqa: PLC0415 - openpyxl only when it is used

    attrs = provenance(results, "to_excel")
    looks, not_judged = look_first_of(results)
    written = workbook.write_workbook(results, path, source, language=language, looks=looks, not_judged=not_judged)
    workbook_written(attrs, written.resolve())
    return written


def download(
    results: pd.DataFrame,
    folder: str | Path,
    *,
    wait: float | str = "15min",
    progress: bool | Literal["auto"] = "auto",
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Save the PDFs of accepted documents, waiting until they are ready.

    A batch comes as one ZIP, a single document as one PDF; where the ZIP is refused, each document is asked for by
    itself, so that one broken document hides no other. Files that the folder has already are not fetched again. A
    newer PDF of the same document takes the name of the older one, which is kept in the folder ``superseded``; no
    other file is overwritten, and a name that occurs twice gets a folder of its own.

    Parameters
    ----------
    folder : str or path
        Made if it is not there. ``"pdfs/{index}"`` makes a folder for each value of a column of these results;
        in the run's own folder each PDF goes where the run's template put it.
    wait : float or str
        How long a document may take from its acceptance to its PDF. Default ``"15min"``.
    progress : bool or "auto"
        A bar.
    settings : Settings, optional
        In place of the process's.

    Returns
    -------
    pandas.DataFrame
        These results, with ``path`` and ``status`` ``ready`` for what was saved. A PDF that could not be had
        leaves ``accepted`` and fills ``error_kind`` (``not_ready``, ``expired``, ``server``…): it is paid for, and
        downloading again costs nothing.

    Raises
    ------
    ConfigurationError
        The folder cannot be written to; the results are of another service or workspace.
    AuthError
        The key was refused.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.head(2).reportflow.generate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    ...     results = results.reportflow.download(folder)
    >>> results["status"].tolist()
    ['ready', 'ready']
    """
    attrs = provenance(results, "download")
    chosen = ledgers.at_home((settings or current()).checked(), attrs.get("run", ""))
    elsewhere = "workspace" in attrs and (attrs.get("service"), attrs["workspace"]) != chosen.owner
    if elsewhere and not may_be_of(chosen, attrs.get("service"), attrs.get("base_url")):
        raise _of_another(attrs, chosen)
    allowed = duration(wait, "wait")
    place, folders = _places(results, attrs, folder, chosen)
    lost = [column for column in COLUMNS if column not in results.columns]
    if lost:
        raise ConfigurationError(
            f"these results have lost the column {lost[0]!r}: download the frame that generate returned, or some "
            "of its rows"
        )
    outcomes = Outcomes([""] * len(results))
    for position, row in enumerate(results[COLUMNS].itertuples(index=False)):
        outcomes.put(outcome_of(row)._replace(row=position))
    channel = channel_to(chosen)
    bar = Bar(channel.progress, progress)

    def so_far() -> pd.DataFrame:
        now = results_frame(outcomes, results.index, {**attrs, "download": str(place.path.resolve())})
        saved = results.copy()
        for column in _DOWNLOADED:
            saved[column] = now[column].array
        saved.attrs = now.attrs
        return saved

    async def fetched() -> None:
        async with Client(chosen) as client:
            if elsewhere and not await _is_ours(attrs, outcomes, chosen, client, channel):
                raise _of_another(attrs, chosen)
            await fetch_outcomes(outcomes, client, channel, place, wait=allowed, folders=folders)
            await asyncio.to_thread(_set_aside_replaced, results, attrs, place, outcomes, chosen)

    try:
        event_loop.run(fetched(), paint=bar.paint)
    except ReportFlowError as error:
        error.results = so_far()
        if isinstance(error, AuthError) and error.status == 401:
            error.args = (f"{error}. {with_a_renewed_key('the same line again')}",)
        raise
    finally:
        bar.close(encoded_names(place))
    return so_far()


def _set_aside_replaced(
    results: pd.DataFrame, attrs: Mapping[str, str], place: PdfFolder, outcomes: Outcomes, settings: Settings
) -> None:
    """Move the PDFs aside that these results' run made again under another name; of a forgotten run, none."""
    positions = {row: position for position, row in enumerate(results["row"].tolist())}
    with contextlib.suppress(ConfigurationError):
        replaced = ledgers.replaced(settings.runs, attrs.get("run", ""), attrs.get("frame"))
        set_aside(place, [(positions[row], older) for row, older in replaced if row in positions], outcomes)


def _of_another(attrs: Mapping[str, str], settings: Settings) -> ConfigurationError:
    return ConfigurationError(
        f"these results are of another workspace or service ({attrs.get('base_url')}), and this process is set to "
        f"{settings.base_url}. Set the same key and address as when they were generated: rf.configure(…)"
    )


async def _is_ours(
    attrs: Mapping[str, str], outcomes: Outcomes, settings: Settings, client: Client, channel: Channel
) -> bool:
    """Tell whether results of another key are this workspace's: their run says so by now, or one of their PDFs."""
    told = await asyncio.to_thread(ledgers.evidence, settings.runs, attrs["run"])
    if told is not None and told.owner == settings.owner:
        return True
    known = [outcome for outcome in map(outcomes.__getitem__, range(len(outcomes))) if outcome.request_id]
    return bool(known) and await proves(client, channel, known[-1].request_id or "", known[-1].file_id)


def _places(
    results: pd.DataFrame, attrs: dict[str, str], folder: str | Path, settings: Settings
) -> tuple[PdfFolder, list[str] | None]:
    """Return the folder of a download, and each row's folder in it: of its own template, else of the run's."""
    folders = download_folders(results, folder)
    place = PdfFolder(download_root(folder), attrs.get("run"), clock=settings.clock)
    in_run_folder = attrs.get("download") == str(place.path.resolve())
    if not attrs.get("run") or not (place.has_older_files or in_run_folder):
        return place, folders
    with contextlib.suppress(ConfigurationError):  # of a run that was forgotten, no file gives up its name
        recorded = ledgers.load(settings.runs, attrs["run"])
        place.rows_have(documents_of(recorded.outcomes))
        kept, same = recorded.frame.folders, str(recorded.meta["frame"]) == attrs.get("frame")
        if folders is None and in_run_folder and kept is not None and same:
            folders = [kept[row] for row in results["row"].tolist()]
    return place, folders


_DOWNLOADED = ("status", "path", "error_kind", "error", "http_status")
"""What a download can change."""


def to_csv(results: pd.DataFrame, path: str | Path, source: pd.DataFrame | list[str] | None = None) -> Path:
    """Write the results as CSV in which no cell starts a formula; return the path.

    Parameters
    ----------
    path : str or path
        Where.
    source : DataFrame or list of str, optional
        Columns of the run's frame beside the results, as for ``to_excel``.

    Returns
    -------
    Path
        The file: UTF-8 with a byte order mark, as Excel wants it. A text that a spreadsheet would take for a
        formula (``=``, ``+``, ``-``, ``@``) gets an apostrophe; numbers stay numbers.
    """
    provenance(results, "to_csv")
    return csv_file.write_csv(results, path, source)


def read_review(results: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Return a colleague's decisions for these results.

    Parameters
    ----------
    path : str or path
        The reviewed workbook.

    Returns
    -------
    pandas.DataFrame
        Index and order of these results: ``decision`` (``approve``, ``redo``, ``reject``, missing), ``comment``.
        A document that was made again since has no decision.

    Raises
    ------
    ConfigurationError
        The workbook is of another run, or none of ours.
    InvalidRows
        A word that is no decision; the message names the cells.

    Examples
    --------
    >>> review = results.reportflow.read_review("review.xlsx")              # doctest: +SKIP
    """
    from reportflow_pandas.export import review  # noqa: PLC0415 - openpyxl only when it is used

    provenance(results, "read_review")
    return review.read_review(path, results)
