"""Durable runs: listed, loaded, resumed, forgotten; and of results the verbs ``retry`` and ``settle``."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd

from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.execution.from_frame import FromFrame, Only, remembered
from reportflow_pandas.execution.from_ledger import FromLedger, index_of, recorded_results
from reportflow_pandas.execution.run import Run
from reportflow_pandas.execution.work import watched
from reportflow_pandas.journal import marks, runs as ledgers
from reportflow_pandas.journal.events import note_event
from reportflow_pandas.next_steps import GENERATE_OR_GIVE_THE_ROWS, MAKE_THEM_AGAIN, by_the_newest, with_its_rows
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.notebook.shown_frame import readable
from reportflow_pandas.options import RowsChosen
from reportflow_pandas.queue.run_queue import RunQueue
from reportflow_pandas.results import index_labels
from reportflow_pandas.results.results_frame import moments, provenance
from reportflow_pandas.results.summary import without_pdf_for_good
from reportflow_pandas.rows.document_keys import positions_of
from reportflow_pandas.rows.grouping import by_document
from reportflow_pandas.rows.input_frame import label_shown
from reportflow_pandas.settings import Settings, current, duration

__all__ = ["forget", "load", "resume", "retry", "runs", "settle"]

log = logging.getLogger("reportflow_pandas")


def runs() -> pd.DataFrame:
    """Return the durable runs of this process's folder (``rf.configure(runs=…)``).

    Returns
    -------
    pandas.DataFrame
        ``run``, ``state`` (``complete``; ``open``: rows are not sent yet, `resume` goes on; ``sending``: a process
        carries it out just now; ``unplanned``: it ended before all rows were written down, ``generate(run=…)``
        goes on; ``unreadable``), ``design``, ``version``, ``rows``, ``accepted`` (``ready`` ones too), ``no_pdf``
        (accepted, and their PDFs can never be made), ``failed``, ``unknown``, ``not_sent``, ``created_at``,
        ``updated_at`` (UTC), ``base_url``, ``problem``.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> rf.runs().columns[0]
    'run'
    """
    found = ledgers.runs(current().runs)

    def count(summary: ledgers.Summary, *words: str) -> int:
        return sum(summary.counts.get(word, 0) for word in words)

    frame = pd.DataFrame(
        {
            "run": [summary.run for summary in found],
            "state": [summary.state for summary in found],
            "design": [summary.design or summary.design_id for summary in found],
            "version": pd.array([summary.version for summary in found], dtype="Int64"),
            "rows": pd.Series([summary.rows for summary in found], dtype="int64"),
            "accepted": pd.Series([count(summary, "accepted", "ready") for summary in found], dtype="int64"),
            "no_pdf": pd.Series([summary.no_pdf for summary in found], dtype="int64"),
            "failed": pd.Series([count(summary, "failed") for summary in found], dtype="int64"),
            "unknown": pd.Series([count(summary, "unknown") for summary in found], dtype="int64"),
            "not_sent": pd.Series([count(summary, "not_sent") for summary in found], dtype="int64"),
            "created_at": moments(np.array([summary.created_at for summary in found], dtype="float64")),
            "updated_at": moments(np.array([summary.updated_at for summary in found], dtype="float64")),
            "base_url": [summary.base_url for summary in found],
            "problem": [summary.problem for summary in found],
        }
    )
    return readable(frame, "no runs")


def load(run: str) -> pd.DataFrame:
    """Return the results of a run as its journal has them; sends nothing, and works beside a running process.

    Parameters
    ----------
    run : str
        Name of the run, see `runs`.

    Returns
    -------
    pandas.DataFrame
        The results frame; of a run that mailed documents with the columns of ``mail``, as far as they are known.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be read.

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
    ...     loaded = rf.load("november")
    ...     _ = rf.configure(runs=None)
    >>> loaded["status"].tolist()
    ['accepted', 'accepted']
    """
    return recorded_results(ledgers.at_home(current(), run).runs, run)


def resume(
    run: str,
    *,
    same_workspace: bool = False,
    progress: bool | Literal["auto"] = "auto",
    download: str | Path | None = None,
    max_documents: int | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Go on with a run: send what was not sent or failed, and fetch the PDFs that are missing.

    Rows that were accepted are not sent again; rows that may have been accepted stay ``unknown``.

    Parameters
    ----------
    run : str
        Name of the run.
    same_workspace : bool
        The key of this process is another one of the workspace that the run belongs to, which the service could
        not tell.
    progress : bool or "auto"
        A bar.
    download : str, optional
        Folder, in place of the run's own.
    max_documents : int, optional
        Refuse if more documents than this would be sent. Default: ``rf.configure(max_documents=…)``, else none.
    settings : Settings, optional
        In place of the process's.

    Returns
    -------
    pandas.DataFrame
        The results of all rows of the run.

    Raises
    ------
    ConfigurationError
        There is no such run; another process carries it out; it belongs to another address or workspace; it ended
        before all rows were written down (the text has the line that goes on).

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, run="example"
    ...     )
    ...     again = rf.resume("example")                              # nothing is left: nothing is sent
    ...     rf.forget("example")
    >>> again["status"].tolist()
    ['accepted', 'accepted']
    """
    chosen = ledgers.at_home((settings or current()).checked(), run)
    more: dict[str, Any] = {
        "same_workspace": same_workspace,
        "progress": progress,
        "max_documents": max_documents,
    }
    if download is not None:
        more["download"] = download
    source = FromLedger(run, chosen, **more)
    return watched(Run(source, source.queue))


@overload
def forget(run: str, *, mails: bool = False) -> None: ...
@overload
def forget(*, older_than: str | dt.timedelta, mails: bool = False) -> list[str]: ...
def forget(
    run: str | None = None, *, older_than: str | dt.timedelta | None = None, mails: bool = False
) -> list[str] | None:
    """Delete the journal of a run, or of all complete runs that have rested for a time.

    Their documents stay at the service, and could then be sent again. Runs of which something is still to be sent,
    or may have been accepted, are only forgotten by their names. Runs without a name that are complete and have
    mailed nothing are forgotten by themselves after 30 days.

    Parameters
    ----------
    run : str, optional
        Name of the run.
    older_than : str or datetime.timedelta, optional
        In place of a name: how long a complete run has rested, such as ``"90d"``.
    mails : bool
        Also runs that sent mails: their journal is what keeps a mail from being sent twice.

    Returns
    -------
    list of str or None
        With ``older_than``, the runs that were forgotten.

    Raises
    ------
    ConfigurationError
        There is no such run, a process carries it out, or it sent mails.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, run="example"
    ...     )
    ...     rf.forget("example")
    >>> "example" in set(rf.runs()["run"])
    False
    """
    settings = current()
    if (run is None) == (older_than is None):
        raise ConfigurationError(
            "forget what? Name a run, rf.forget('november'), or an age: rf.forget(older_than='90d')"
        )
    if run is not None:
        if not mails and ledgers.has_mails(settings.runs, run):
            raise ConfigurationError(
                f"run {run!r} sent mails, and without its journal they could be sent again: "
                f"rf.forget({run!r}, mails=True) forgets it all the same"
            )
        ledgers.forget(settings.runs, run, settings.clock)
        return None
    return ledgers.forget_old(settings.runs, _age(older_than), settings.clock, mails=mails)


def _age(value: str | dt.timedelta | None) -> float:
    """Return an age in seconds."""
    if isinstance(value, dt.timedelta) and value >= dt.timedelta(0):
        return value.total_seconds()
    if isinstance(value, str):
        return duration(value, "older_than")
    raise ConfigurationError(f"older_than={value!r}: an age such as '90d', '12h' or datetime.timedelta(days=90)")


def retry(
    results: pd.DataFrame,
    source: pd.DataFrame | None = None,
    *,
    unknown: bool = False,
    progress: bool | Literal["auto"] = "auto",
    max_documents: int | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Send the rows of this frame that failed or were not sent; nothing else is paid for.

    A document whose PDF can never be made (``no_pdf``) was accepted and is not sent: its column ``error`` says
    what helps.

    Parameters
    ----------
    source : pandas.DataFrame, optional
        The corrected frame, with all rows of the run in their order and by their index; another order is refused.
        ``None``: the rows as they were.
    unknown : bool
        Send ``unknown`` rows, too. They may have been accepted: then they exist, and are billed, twice.
    progress : bool or "auto"
        A bar.
    max_documents : int, optional
        Refuse if more documents than this would be sent. Default: ``rf.configure(max_documents=…)``, else none.
    settings : Settings, optional
        In place of the process's.

    Returns
    -------
    pandas.DataFrame
        These results, with the outcomes of the rows that were sent.

    Raises
    ------
    ConfigurationError
        The run was generated again since; the corrected frame has other rows or another order; the process that
        knew the run's ``params`` and ``tables`` is gone (the text has the line that does it).

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(3).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    ...     again = results.reportflow.retry()                        # nothing failed: nothing is sent
    >>> again["status"].tolist()
    ['accepted', 'accepted', 'accepted']
    """
    attrs = provenance(results, "retry")
    words = ["failed", "not_sent", *(["unknown"] if unknown else [])]
    chosen = results["status"].isin(words).to_numpy()
    if never := int(without_pdf_for_good(results).sum()):
        _tell(
            f"{never:,} accepted documents have no PDF for good, and retry sends none of them. {MAKE_THEM_AGAIN}",
            progress,
        )
    if not chosen.any():
        return results.copy()
    wanted = [int(row) for row in results["row"].to_numpy()[chosen]]
    where = ledgers.at_home((settings or current()).checked(), attrs["run"])
    if source is None:
        more: dict[str, Any] = {"unknown": unknown, "progress": progress, "max_documents": max_documents}
        as_they_were = _as_they_were(attrs, wanted, where, **more)
        work = Run(as_they_were, as_they_were.queue)
    else:
        only = Only(frozenset(wanted), frozenset(words), attrs.get("frame") or "0")
        work = _corrected(attrs, source, only, where, {"progress": progress, "max_documents": max_documents})
    sent = watched(work)
    return _merged(results, sent, np.flatnonzero(chosen).tolist(), wanted)


def _tell(line: str, progress: bool | Literal["auto"]) -> None:
    """Say a line in the log, and where a bar would be seen."""
    log.warning(line)
    shown = Progress(lines=[line], ended=True)
    Bar(shown, progress).close()


def _as_they_were(attrs: dict[str, str], wanted: list[int], settings: Settings, **more: Any) -> FromLedger:
    run = attrs["run"]
    if not attrs.get("frame"):
        raise ConfigurationError(
            f"run {run!r} ended before anything of it was written down, and nothing was sent. "
            f"{GENERATE_OR_GIVE_THE_ROWS}"
        )
    work = FromLedger(run, settings, positions=frozenset(wanted), **more)
    if str(work.info.frame) != attrs["frame"]:
        raise ConfigurationError(
            f"run {run!r} was generated again since these results; nothing was sent. "
            f"{by_the_newest(run, 'Retry')}.reportflow.retry()"
        )
    return work


def _corrected(
    attrs: dict[str, str],
    source: pd.DataFrame,
    only: Only,
    settings: Settings,
    more: dict[str, Any],
) -> Run:
    options = remembered(attrs["run"])
    if options is None:
        raise ConfigurationError(
            f"this process does not know how run {attrs['run']!r} filled its design. Send the corrected frame: "
            f"{with_its_rows(attrs['run'], attrs['design_id'])}; what was accepted is not sent again"
        )
    documents = by_document(source, options.group_by_columns)
    if len(documents) != int(attrs["rows"]):
        what = "rows" if options.group_by is None else "documents"
        raise ConfigurationError(
            f"source has {len(documents):,} {what} and the run had {int(attrs['rows']):,}: give the whole "
            "corrected frame, with its rows in the run's order; only what failed or was not sent is taken from it"
        )
    chosen = replace(options, run=attrs["run"], again=None, settings=settings, **more)
    corrected = FromFrame(source, chosen, only)
    queue = None
    if only.frame != "0":
        recorded = ledgers.load(settings.runs, attrs["run"])
        _refuse_other_labels(attrs["run"], recorded, documents.index)
        if told := recorded.meta.get("queue"):
            queue = RunQueue.recorded(told)
    return Run(corrected, queue)


def _refuse_other_labels(run: str, recorded: ledgers.Recorded, index: pd.Index[Any]) -> None:
    """Refuse a corrected frame whose rows are called otherwise than the run's: they may be other rows."""
    if recorded.frame.labels is None or len(recorded.frame.labels) != len(index):
        return
    pairs = zip(index_labels.encoded(index), recorded.frame.labels, strict=True)
    place = next((place for place, (given, known) in enumerate(pairs) if given != known), None)
    if place is not None:
        known = index_of(recorded.meta, recorded.frame)
        raise ConfigurationError(
            f"source has other rows than run {run!r}, or the same in another order: row {place} is called "
            f"{index[place]!r} and was {known[place]!r}. Nothing was sent. If they moved: "
            f"source.loc[rf.load({run!r}).index]; if only the labels are others: "
            f"source.set_axis(rf.load({run!r}).index)"
        )


def _merged(results: pd.DataFrame, sent: pd.DataFrame, rows: list[int], places: list[int]) -> pd.DataFrame:
    merged = results.copy()
    for column in merged.columns:
        if column in sent.columns and column != "row":
            values = merged[column].array.copy()
            values[rows] = sent[column].array[places]
            merged[column] = values
    merged.attrs = {**results.attrs, "reportflow": {**results.attrs["reportflow"], **sent.attrs["reportflow"]}}
    merged.attrs["reportflow"]["rows"] = results.attrs["reportflow"]["rows"]
    return merged


def settle(results: pd.DataFrame, rows: RowsChosen) -> pd.DataFrame:
    """Mark ``unknown`` rows as accepted: their documents exist, as a look in the web app showed. Sends nothing.

    Rows whose documents do not exist are for ``retry(unknown=True)``, which sends them.

    Parameters
    ----------
    rows : mask or index labels
        Which of this frame.

    Returns
    -------
    pandas.DataFrame
        These results with those rows ``accepted``.

    Raises
    ------
    ConfigurationError
        A row that is not ``unknown``; the run was given other rows since.
    """
    attrs = provenance(results, "settle")
    settings = ledgers.at_home(current(), attrs["run"])
    chosen = sorted(positions_of(results, rows, verb="settle"))
    wrong = [position for position in chosen if results["status"].iloc[position] != "unknown"]
    if wrong:
        raise ConfigurationError(
            f"settle is for unknown rows; row {label_shown(results.index[wrong[0]])} is "
            f"{results['status'].iloc[wrong[0]]}"
        )
    recorded = ledgers.load(settings.runs, attrs["run"])
    places = [int(results["row"].iloc[position]) for position in chosen]
    if str(recorded.meta["frame"]) != attrs.get("frame") and not _the_same(recorded, results.iloc[chosen], places):
        name = attrs["run"]
        raise ConfigurationError(f"run {name!r} was given other rows since: {by_the_newest(name, 'settle')}")
    settled_now = marks.settle(settings.runs, attrs["run"], places, settings.clock)
    note_event(settings.runs, attrs["run"], "settled", len(settled_now), settings.clock)
    settled = results.copy()
    for column, value in (("status", "accepted"), ("error_kind", None), ("error", None)):
        values = settled[column].array.copy()
        values[chosen] = value
        settled[column] = values
    return settled


def _the_same(recorded: ledgers.Recorded, rows: pd.DataFrame, places: list[int]) -> bool:
    """Tell whether rows of earlier results are still where they were in the run, by their labels and names."""
    known = recorded.frame.labels
    if known is None or str(len(known)) != provenance(rows, "settle")["rows"]:
        return False
    here = zip(index_labels.encoded(rows.index), rows["file_name"], strict=True)
    there = [(known[place], recorded.outcomes[place].file_name) for place in places]
    return list(here) == there
