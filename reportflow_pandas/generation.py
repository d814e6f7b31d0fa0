"""The verb: a frame and its options become documents, a run, and a results frame."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Unpack

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.feed import Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.sender import Line
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.execution.preparation import (
    Prepared,
    as_begun,
    document_rows,
    most_documents,
    prepare,
    refuse_too_many,
    takes_options,
)
from reportflow_pandas.execution.run import Running, watched
from reportflow_pandas.journal import journal_file, runs
from reportflow_pandas.journal.forecast import unsent
from reportflow_pandas.journal.journal import Journal, Terms
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.results import index_labels
from reportflow_pandas.rows.checks import refuse
from reportflow_pandas.rows.document_keys import Keys, positions_of
from reportflow_pandas.rows.documents import CHUNK

__all__ = ["Generation", "Only", "agenerate", "generate", "remembered"]

log = logging.getLogger("reportflow_pandas")

FIRST_CHUNK = 200
"""Documents written down before the first call: it should leave at once."""


@takes_options
def generate(frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]) -> pd.DataFrame:
    """Generate one document for each row.

    Works in a script, in IPython and in any notebook: the work runs on an event loop of its own.

    Parameters
    ----------
    design_id : str
        The design; ``rf.designs()`` lists yours.
    **arguments
        The shared arguments, see `reportflow_pandas.options.Options`: ``version``, ``params``, ``tables``,
        ``file_name``, ``share``, ``passcode``, ``passthrough``, ``endpoint``, ``batch_size``, ``concurrency``,
        ``limits``, ``attempts``, ``backoff``, ``timeout``, ``download``, ``wait``, ``run``, ``key``, ``again``,
        ``on_error``, ``check``, ``drop_missing``, ``progress``, ``settings``.

    Returns
    -------
    pandas.DataFrame
        One line for each row, same index, same order, whatever happened: ``row``, ``status``, ``file_name``,
        ``url``, ``file_id``, ``request_id``, ``path``, ``error_kind``, ``error``, ``http_status``, ``attempts``,
        ``elapsed`` (seconds), ``accepted_at`` (UTC).

    Raises
    ------
    ConfigurationError, InvalidRows
        Something cannot be sent as it is; nothing was sent.
    AuthError, NotFoundError, RateLimited
        The service refuses everything alike; ``.results`` is the frame so far.
    RunInterrupted
        Ctrl-C or "Interrupt kernel"; ``.results`` is the frame so far.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(2).reportflow.generate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> results["status"].tolist()
    ['accepted', 'accepted']
    """
    return watched(Generation(frame, Options.of(design_id, arguments)))


@takes_options
async def agenerate(
    frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]
) -> pd.DataFrame:
    """Generate one document for each row, as a coroutine on the caller's own loop.

    Parameters, results and errors are those of `generate`. A cancelled ``await`` stops sending, waits for what is
    in flight (up to 5 s) and raises the `asyncio.CancelledError` that was thrown in, as any coroutine does, so
    that ``asyncio.timeout``, ``TaskGroup`` and anyio's scopes know theirs. Its ``.results`` is the frame so far;
    of a time-out it is the cause: ``error.__cause__.results``.

    Examples
    --------
    >>> import asyncio
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> async def main():
    ...     return await orders.head(1).reportflow.agenerate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> with rf.use_local():
    ...     results = asyncio.run(main())
    >>> len(results)
    1
    """
    work = Generation(frame, Options.of(design_id, arguments))
    bar = Bar(work.progress, work.options.progress)
    summary = ""
    try:
        results = await event_loop.run_here(work.carry_out(), paint=bar.paint, interrupt=work.interrupt)
        summary = work.line_of_summary()
    except asyncio.CancelledError as cancelled:
        cancelled.results = work.results()  # type: ignore[attr-defined]
        cancelled.add_note(work.goodbye())
        summary = work.line_of_summary()
        raise
    finally:
        bar.close(summary)
    return results


@dataclass(frozen=True)
class Only:
    """Rows of a run that are sent anew from a corrected frame; all others stay what they are.

    Attributes
    ----------
    rows : frozenset of int
        Positions.
    statuses : frozenset of str
        Sent only if their status is one of these by now.
    frame : str
        Number of the frame that the positions belong to.
    """

    rows: frozenset[int]
    statuses: frozenset[str]
    frame: str


class Generation(Running):
    """One generation, from a frame and its options to the results frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        How.
    only : Only, optional
        Rows of a run's frame that are sent anew from this one.

    Raises
    ------
    ConfigurationError, InvalidRows
        What can be known without a look-up.
    """

    plans = True

    def __init__(self, frame: pd.DataFrame, options: Options, only: Only | None = None) -> None:
        given = options
        self._rows = rows = document_rows(frame, options)
        frame, options = rows.frame, rows.options
        name = _fresh_name(options) if options.run is None else journal_file.checked_name(options.run)
        super().__init__(options, name, frame.index)
        self._frame = frame
        self._only = only
        self._chosen: frozenset[int] | None = None
        self._again: Collection[int] = positions_of(frame, options.again) if options.again is not None else ()
        self._prepared: Prepared | None = None
        self._keys = Keys(frame, options)
        remember(name, given)

    async def _begin(self, client: Client, line: Line) -> bool:
        """Look up, refuse what would print blank, and begin the journal."""
        options = self.options
        if options.run is not None:
            self.journal = self._journal()
        try:
            if self.journal is not None:
                options = as_begun(options, self.journal.meta)
            before = self._choose()
            token = f"{self.run_name}/{secrets.token_hex(8)}"
            self._prepared = prepared = await prepare(self._rows, options, client, line, token)
            self._refuse_or_warn(prepared)
            self.version, self.endpoint = prepared.version, prepared.endpoint
            self._refuse_another_order(prepared, before)
            self._refuse_too_many(prepared)
        except BaseException:
            self._forget_an_empty_journal()
            raise
        self.first_alone = not prepared.looked_up
        for position in before:
            prepared.names[position] = before[position][1]
        self.outcomes = Outcomes(prepared.names)
        if self.journal is None:
            self.journal = self._journal()
        terms = Terms(
            options.design_id,
            prepared.design,
            prepared.version,
            prepared.endpoint,
            options.kept(),
            options.key_columns,
        )
        self.attrs |= {
            "design": prepared.design,
            "version": str(prepared.version),
            "endpoint": prepared.endpoint,
            # also of a run that is interrupted while this is being written down
            "frame": str(self.journal.meta["frame"] + 1),
        }
        await self.journal.begin(
            self.outcomes,
            terms,
            index_labels.described(self._frame.index),
            held={position: number for position, (number, _) in before.items()},
        )
        return True

    async def _plan(self, feed: Feed) -> None:
        """Write the documents down in chunks, and hand on those that are to be sent."""
        assert self._prepared is not None  # noqa: S101 - _begin prepared it
        documents, journal = self._prepared.documents, self._open_journal
        phase = self.progress.phases[-1]
        spilled = None
        start, step = 0, FIRST_CHUNK
        while start < len(documents):
            stop = min(start + step, len(documents))
            chunk, keys, digests = self._keys.keyed(documents, self.version, start, stop)
            fresh = await journal.plan(
                chunk,
                keys,
                labels=index_labels.encoded(self._frame.index[start:stop]),
                digests=digests,
                again=self._again,
            )
            if self._chosen is not None:
                fresh = [document for document in fresh if document.position in self._chosen]
            phase.done += len(chunk) - len(fresh)
            if spilled is None and feed.full:
                spilled = start
            if spilled is None:
                feed.add(fresh)
            start, step = stop, CHUNK
            await asyncio.sleep(0)
        await journal.end_plan()
        self.attrs["planned"] = "yes"
        rest: Collection[int] = range(len(documents) if spilled is None else spilled, len(documents))
        if self._chosen is not None:
            rest = self._chosen.intersection(rest)
        feed.end(journal.pending(failed=False, positions=rest) if rest else ())

    def _refuse_too_many(self, prepared: Prepared) -> None:
        """Refuse more documents than the call may have made; those that the run has already do not count."""
        rows = range(len(prepared.documents)) if self._chosen is None else self._chosen
        most = most_documents(self.options)
        if most is None or len(rows) <= most:
            return
        count = len(rows)
        if self._chosen is None and self.journal is not None and self.journal.meta["frame"]:
            planned = self._keys.in_chunks(prepared.documents, prepared.version)
            outcomes = Outcomes(prepared.names)
            count = sum(1 for _ in unsent(self.settings.runs, self.run_name, planned, outcomes, self._again))
        refuse_too_many(count, self.options)

    def _choose(self) -> dict[int, tuple[int, str]]:
        """Return the rows that stay what they are: their documents' numbers and names, by position."""
        only, journal = self._only, self.journal
        if only is None or journal is None:
            return {}
        if str(journal.meta["frame"]) != only.frame:
            raise ConfigurationError(
                f"run {self.run_name!r} was given other rows since these results, so it is not known which of "
                f"them are accepted by now; nothing was sent. Retry the newest results: rf.load({self.run_name!r})"
            )
        frame, statuses = journal.standing()
        self._chosen = self._again = frozenset(
            position for position in only.rows if position >= len(statuses) or statuses[position] in only.statuses
        )
        return {
            position: (frame.numbers[position], frame.names[position])
            for position in range(len(statuses))
            if position not in self._chosen
        }

    def _refuse_another_order(self, prepared: Prepared, before: Mapping[int, tuple[int, str]]) -> None:
        """Refuse a corrected frame in which a document of the run stands at another row."""
        journal = self.journal
        if not before or journal is None:
            return
        given = self._keys.between(prepared.documents, prepared.version, 0, len(self._frame))
        places = {key: place for place, key in enumerate(given)}
        held = sorted(before)
        for place, own in zip(held, journal.own_keys([before[place][0] for place in held]), strict=True):
            there = places.get(own, place)
            if own != given[place] and (there != place or self.options.key is not None):
                index = self._frame.index
                now = f"stands at row {index[there]!r} now" if there != place else "has another key now"
                raise ConfigurationError(
                    f"source has the rows of run {self.run_name!r} in another order: the document of row "
                    f"{index[place]!r} {now}, so rows would get each other's documents. Nothing was sent. Give "
                    "all rows as they were generated, corrected but not moved: "
                    f"source.loc[rf.load({self.run_name!r}).index] where the index has moved along"
                )

    def _journal(self) -> Journal:
        settings = self.settings
        journal = Journal.open(
            settings.runs,
            self.run_name,
            base_url=settings.base_url,
            workspace=settings.workspace_id,
            clock=self.clock,
        )
        if self.options.run is None and not journal.created:
            journal.close()
            raise ConfigurationError(
                f"another process began a run {self.run_name!r} in the same moment, and this one is not to go on "
                "with it: nothing was sent. Generate again, or name the run: run='november'"
            )
        return journal

    def _forget_an_empty_journal(self) -> None:
        """Leave no file behind for a named run that never began."""
        journal, self.journal = self.journal, None
        if journal is not None:
            empty = journal.created and not journal.meta["frame"]
            journal.close()
            if empty:
                runs.forget(self.settings.runs, self.run_name, self.clock)

    def _refuse_or_warn(self, prepared: Prepared) -> None:
        if self.options.check is True:
            refuse(prepared.problems, self._frame, prepared.sources, prepared.parameters or [])
            return
        for problem in prepared.problems:
            if problem.level == "error":
                self.progress.lines.append(f"check: {problem.problem}")
                log.warning("check: %s", problem.problem)


def _fresh_name(options: Options) -> str:
    """Return a name that no run of the folder or of this process has."""
    settings = options.effective_settings
    first = f"{settings.clock.now():%Y-%m-%d-%H%M%S}-{secrets.token_hex(3)}"
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(
        name for name in names if name not in _options and not journal_file.path_of(settings.runs, name).exists()
    )


_options: LruDict[str, Options] = LruDict(100)
"""Options of this process's runs: a retry from a corrected frame needs what no journal holds, such as tables."""


def remember(run: str, options: Options) -> None:
    """Keep the options of a run for its retries."""
    _options[run] = options


def remembered(run: str) -> Options | None:
    """Return the options of a run of this process."""
    return _options.get(run)
