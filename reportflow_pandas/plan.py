"""Looking before paying: ``check`` and ``plan``."""

from __future__ import annotations

import asyncio
import html
import json
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Unpack

import orjson
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.argument_help import takes_options
from reportflow_pandas.contract import SYNC_ANSWER_SECONDS
from reportflow_pandas.engine.batching import MAX_BODY, SMALLER, Call
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.execution.preparation import Prepared, as_begun, connected, document_rows, prepare
from reportflow_pandas.execution.workspace import is_of_this_workspace
from reportflow_pandas.journal.runs import begun, unsent
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notebook.shown_frame import readable
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.results.missing_pdfs import missing
from reportflow_pandas.rows.checks import problems_frame
from reportflow_pandas.rows.document_keys import Keys, positions_of
from reportflow_pandas.rows.download_folders import download_root
from reportflow_pandas.rows.grouping import DocumentRows
from reportflow_pandas.rows.input_frame import labels_at, rows_phrase
from reportflow_pandas.rows.problems import Problem
from reportflow_pandas.settings import Limits

__all__ = ["Plan", "check", "note_pages", "plan", "problems_of"]

MANY_IN_A_SYNC_CALL = 20
"""More documents than this in one sync call, on average, and the plan advises the async endpoint."""

SYNC_ADVICE = (
    f"a sync call answers when all its documents are made, and the service gives it {SYNC_ANSWER_SECONDS:.0f} s: "
    "beyond that their outcome is unknown. endpoint='async/multiple' has no such bound"
)

log = logging.getLogger("reportflow_pandas")


@dataclass(frozen=True, eq=False)
class Plan:
    """What a generation would cost. Nothing was sent that is billed.

    Attributes
    ----------
    design : str
        Label of the design.
    version : int
        Its version.
    endpoint : str
        Where the documents would go.
    documents, already, calls, look_ups, downloads : int
        Documents to be sent; rows that ``run=`` has already, accepted or unknown, which are not sent again;
        generation calls; look-ups; ZIPs or PDFs to fetch, where ``download=`` is given.
    bytes : int
        Of all bodies.
    seconds : float
        The least time that the limits allow, the service's own time left out.
    limits : Limits
        Those it was reckoned with.
    first : dict
        The first document as it would be sent.
    problems : pandas.DataFrame
        What ``check`` says.
    pages : int or None
        Pages that the documents may have, reckoned from the last preview of this design in this process: an
        estimate, and what the vendor's plans count. None: there was no preview.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     plan = orders.head(250).reportflow.plan("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
    >>> plan.calls, plan.first["fileName"]
    (3, 'Invoice-0')
    """

    design: str
    version: int
    endpoint: str
    documents: int
    already: int
    calls: int
    look_ups: int
    downloads: int
    bytes: int
    seconds: float
    limits: Limits
    first: dict[str, Any] = field(repr=False)
    problems: pd.DataFrame = field(repr=False)
    pages: int | None = None

    def _lines(self) -> list[tuple[str, str]]:
        of = "sync_calls" if self.endpoint.startswith("sync") else "async_calls"
        most = getattr(self.limits, of)
        pace = f"at most {most:,} calls in {self.limits.window:g} s" if most else "no limit"
        errors = int((self.problems["level"] == "error").sum())
        odd = len(self.problems) - errors
        lines = [
            ("design", f"{self.design}, version {self.version}"),
            ("documents", f"{self.documents:,} (each is billed)"),
            ("calls", f"{self.calls:,} to {self.endpoint}, and {self.look_ups} look-ups"),
            ("bytes", f"{self.bytes:,}"),
            ("least time", f"{_duration(self.seconds)} ({pace})"),
            (
                "check",
                (f"{errors} {'error' if errors == 1 else 'errors'}: see .problems" if errors else "no errors")
                + (f", {odd:,} {'warning' if odd == 1 else 'warnings'}" if odd else ""),
            ),
        ]
        if self.pages is not None:
            lines.insert(2, ("pages", f"about {self.pages:,}, if all have as many as the one of the last preview"))
        if self.endpoint == "sync/multiple" and self.documents > MANY_IN_A_SYNC_CALL * self.calls:
            lines.append(("advice", SYNC_ADVICE))
        if self.downloads:
            lines.insert(3, ("downloads", f"{self.downloads:,}"))
        if self.already:
            lines.insert(2, ("in the run", f"{self.already:,} already, not sent again"))
        return lines

    def __repr__(self) -> str:
        """Show the plan as a small table, and the first document."""
        width = max(len(name) for name, _ in self._lines())
        table = "\n".join(f"{name:<{width}}  {text}" for name, text in self._lines())
        return f"{table}\nfirst document\n{self._first()}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{html.escape(text)}</td></tr>'
            for name, text in self._lines()
        )
        return (
            f"<table>{rows}</table><details><summary>first document</summary>"
            f"<pre>{html.escape(self._first())}</pre></details>"
        )

    def _first(self) -> str:
        text = json.dumps(self.first, indent=2, ensure_ascii=False)
        return text if len(text) <= 3000 else text[:3000] + "\n…"


_pages: LruDict[tuple[str, str, int], int] = LruDict(100)
"""Pages of the last preview of a workspace's design and version."""


def note_pages(workspace: str, design_id: str, version: int, pages: int) -> None:
    """Remember how many pages a document of a design had."""
    _pages[workspace, design_id, version] = pages


def _duration(seconds: float) -> str:
    if not seconds:
        return "none, all calls may start at once"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if count]
    return " ".join(parts)


@takes_options
def check(frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]) -> pd.DataFrame:
    """Hold the frame against the design's parameters. Sends nothing that is billed.

    Parameters
    ----------
    design_id : str
        The design.
    **arguments
        The shared arguments, as for ``generate``.

    Returns
    -------
    pandas.DataFrame
        One line a problem: ``level`` (``error``: would print blank or be refused; ``warning``), ``column``,
        ``row`` (first label), ``count``, ``problem``, ``suggestion``. Empty when all is well.

    Raises
    ------
    ConfigurationError, InvalidRows
        What cannot even be compared: no such column, values that JSON cannot hold.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> tables = {"Lines": rf.Table(lines, on="InvoiceId")}
    >>> with rf.use_local():
    ...     problems = orders.rename(columns={"Total": "Totl"}).reportflow.check("invoice", tables=tables)
    >>> problems["suggestion"].iloc[0]
    "Did you mean the column 'Totl'? params={…, 'Total': 'Totl'}"
    """
    return readable(problems_frame(problems_of(frame, design_id, **arguments)), "no problems")


def problems_of(
    frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]
) -> list[Problem]:
    """Return what `check` shows; what is the same for several columns stands in one problem, with each in it."""
    rows = document_rows(frame, Options.of(design_id, arguments), names=False)
    frame, options = rows.frame, rows.options
    prepared, _ = _prepared(rows)
    large = [
        document.position
        for document in prepared.documents
        if len(document.content) > MAX_BODY - _FRAME
        and _is_too_large(Call(options.design_id, prepared.version, prepared.endpoint, (document,)).body())
    ]
    return [*_too_large(frame, large), *prepared.problems]


def _is_too_large(body: bytes) -> bool:
    return len(body) > MAX_BODY


def _too_large(frame: pd.DataFrame, rows: list[int]) -> list[Problem]:
    if not rows:
        return []
    labels = labels_at(frame.index, rows)
    text = f"a call takes {MAX_BODY:,} bytes (50 MB), and one document alone is larger in {rows_phrase(labels)}"
    return [Problem("error", "", text, SMALLER.capitalize(), labels)]


_FRAME = 4096
"""More bytes than stand around a document in a body."""


@takes_options
def plan(frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]) -> Plan:
    """Tell what a generation would cost: documents, calls, bytes, the least time. Sends nothing that is billed.

    With ``run=``, that is what it has not sent yet; the run may be under way.

    Parameters
    ----------
    design_id : str
        The design.
    **arguments
        The shared arguments, as for ``generate``.

    Returns
    -------
    Plan
        A table in a notebook.

    Raises
    ------
    ConfigurationError, InvalidRows
        What ``generate`` refuses whatever ``check`` says: no such column, a run of another address or key.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     plan = orders.reportflow.plan("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
    >>> plan.documents, plan.calls, plan.seconds
    (412, 5, 0.0)
    """
    rows = document_rows(frame, Options.of(design_id, arguments), names=False)
    frame, options = rows.frame, rows.options
    keys = Keys(frame, options)
    again = positions_of(frame, options.again) if options.again is not None else ()
    prepared, look_ups = _prepared(rows)
    outcomes, wanted = Outcomes(prepared.names), iter(prepared.documents)
    if options.run is not None:
        planned = keys.in_chunks(prepared.documents, prepared.version)
        wanted = unsent(options.effective_settings.runs, options.run, planned, outcomes, again)
    documents, calls, size, first = 0, 0, 0, {}
    large: list[int] = []
    for call in prepared.calls(options, wanted):
        if not calls:
            first = orjson.loads(call.documents[0].content)
        documents += len(call)
        calls += 1
        body = call.body()
        size += len(body)
        if _is_too_large(body):  # it holds one document, for that is how calls are packed
            large += call.positions
    limits = options.effective_limits
    sync = prepared.endpoint.startswith("sync")
    downloads = 0
    if options.download is not None:
        asked = {gone.request_id for gone in missing(outcomes, download_root(options.download))}
        downloads = len(asked - {""}) + (0 if sync else calls)
    most = limits.sync_calls if sync else limits.async_calls
    counted = calls if sync else calls + look_ups + downloads
    seconds = max(counted - 1, 0) // most * limits.window if most else 0.0
    each = _pages.get((options.effective_settings.workspace_id, options.design_id, prepared.version))
    return Plan(
        design=prepared.design,
        version=prepared.version,
        endpoint=prepared.endpoint,
        documents=documents,
        already=len(frame) - documents,
        calls=calls,
        look_ups=look_ups,
        downloads=downloads,
        bytes=size,
        seconds=float(seconds),
        limits=limits,
        first=first,
        problems=readable(problems_frame([*_too_large(frame, large), *prepared.problems]), "no problems"),
        pages=None if each is None else each * documents,
    )


def _prepared(rows: DocumentRows) -> tuple[Prepared, int]:
    settings = rows.options.effective_settings

    async def looked_up() -> tuple[Prepared, int]:
        options = rows.options
        async with connected(options) as (client, line):
            if options.run is not None:
                proven = await is_of_this_workspace(options.run, settings, client, line)
                meta = partial(begun, base_url=settings.base_url, owner=settings.owner, proven=proven)
                options = as_begun(options, await asyncio.to_thread(meta, settings.runs, options.run))
            prepared = await prepare(rows, options, client, line, "plan")
            return prepared, line.asked

    return event_loop.run(looked_up())
