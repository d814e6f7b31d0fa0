"""Documents from a frame: looked up, held against the design, written down in chunks ahead of their sending."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import HELD_FOR_A_CALL, Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.execution.from_ledger import hand_on
from reportflow_pandas.execution.preparation import (
    Prepared,
    as_begun,
    call_site,
    document_rows,
    most_documents,
    prepare,
    refuse_too_many,
    tell,
)
from reportflow_pandas.execution.work import in_thread
from reportflow_pandas.execution.workspace import is_of_this_workspace
from reportflow_pandas.journal import runs, runs_folder
from reportflow_pandas.journal.journal import Journal, Terms
from reportflow_pandas.lru import LruDict
from reportflow_pandas.next_steps import GENERATE_AGAIN_OR_NAME_IT, by_the_newest
from reportflow_pandas.options import Options
from reportflow_pandas.printable import counted
from reportflow_pandas.results import index_labels
from reportflow_pandas.results.run_info import RunInfo
from reportflow_pandas.rows.checks import refuse
from reportflow_pandas.rows.document_keys import Keys, positions_of
from reportflow_pandas.rows.documents import CHUNK, Documents
from reportflow_pandas.rows.download_folders import download_folders, download_root
from reportflow_pandas.settings import Settings
from reportflow_pandas.verify.read_back import require_readers

__all__ = ["FromFrame", "Only", "remembered"]

log = logging.getLogger("reportflow_pandas")

FIRST_CHUNK = HELD_FOR_A_CALL + 1
"""Documents written down before the first call, as few as can make one: it should leave at once."""


@dataclass(frozen=True)
class Only:
    """Rows of a run that are sent again from a corrected frame; all others stay what they are.

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


class FromFrame:
    """The documents of a frame: the source of a generation.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        How.
    only : Only, optional
        Rows of a run's frame that are sent again from this one.

    Raises
    ------
    ConfigurationError, InvalidRows
        What can be known without a look-up.
    """

    plans = True

    def __init__(self, frame: pd.DataFrame, options: Options, only: Only | None = None) -> None:
        given = options
        if options.verify:
            require_readers()
        self._rows = rows = document_rows(frame, options)
        # of this moment: a run in the background minds no later rf.configure(), and no other working directory
        frame, options = rows.frame, replace(rows.options, settings=rows.options.effective_settings)
        name = _fresh_name(options) if options.run is None else runs_folder.checked_name(options.run)
        self.options = options
        self.info = _begun(options, name, len(frame))
        self.index = frame.index
        self.outcomes = Outcomes([""] * len(frame))
        self.ledger: Journal | None = None
        self.first_alone = True
        self.folders = None if options.download is None else download_folders(frame, options.download)
        self._frame = frame
        self._only = only
        self._chosen: frozenset[int] | None = None
        self._again: Collection[int] = positions_of(frame, options.again) if options.again is not None else ()
        self._prepared: Prepared | None = None
        self._keys = Keys(frame, options)
        self._site = call_site()
        remember(name, given)

    async def open(self, client: Client, channel: Channel, progress: Progress, *, queue: bool) -> Journal | None:
        """Look up, refuse what would print blank, and begin the frame in the ledger; None where it has no rows."""
        options = self.options
        if options.run is not None and len(self.index):
            proven = await is_of_this_workspace(self.info.run, options.effective_settings, client, channel)
            self.ledger = await in_thread(partial(self._opened, queue=queue, proven=proven), self._forget_if_empty)
        try:
            if self.ledger is not None:
                options = as_begun(options, self.ledger.meta)
            before = await in_thread(partial(self._choose, self.ledger))
            token = f"{self.info.run}/{secrets.token_hex(8)}"
            self._prepared = prepared = await prepare(self._rows, options, client, channel, token)
            self._refuse_or_warn(prepared, progress)
            await in_thread(partial(self._refuse_another_order, prepared, before, self.ledger))
            await in_thread(partial(self._refuse_too_many, prepared, self.ledger))
        except BaseException:
            ledger, self.ledger = self.ledger, None
            if ledger is not None:
                self._forget_if_empty(ledger)
            raise
        self.first_alone = not prepared.looked_up
        for position in before:
            prepared.names[position] = before[position][1]
        self.outcomes = Outcomes(prepared.names)
        self.info = replace(
            self.info, design=prepared.design, version=prepared.version, endpoint=prepared.endpoint
        )
        if not len(self.index):
            return None
        if self.ledger is None:
            self.ledger = await in_thread(partial(self._opened, queue=queue), self._forget_if_empty)
        terms = Terms(
            options.design_id,
            prepared.design,
            prepared.version,
            prepared.endpoint,
            # the folder of each row is kept with the row
            {**options.kept(), "download": _kept_folder(options), "warnings": list(self.info.warnings)},
            options.key_columns,
        )
        # the frame's number also for a run that is interrupted while this is being written down
        self.info = replace(self.info, frame=self.ledger.meta["frame"] + 1)
        await self.ledger.begin(
            self.outcomes,
            terms,
            index_labels.described(self._frame.index),
            held={position: number for position, (number, _) in before.items()},
        )
        return self.ledger

    @property
    def rows_concerned(self) -> int:
        """How many rows this attempt is about: all, or those of a retry."""
        return len(self.index) if self._chosen is None else len(self._chosen)

    async def documents(self, ledger: Journal, feed: Feed, phase: Phase) -> None:
        """Write the documents down in chunks, and hand on those that are to be sent."""
        assert self._prepared is not None  # noqa: S101 - open prepared it
        documents = self._prepared.documents
        spilled = None
        start, step = 0, FIRST_CHUNK
        while start < len(documents):
            stop = min(start + step, len(documents))
            chunk, keys, digests = self._keys.keyed(documents, self._prepared.version, start, stop)
            fresh = await ledger.plan(
                chunk,
                keys,
                labels=index_labels.encoded(self._frame.index[start:stop]),
                digests=digests,
                folders=None if self.folders is None else self.folders[start:stop],
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
        await ledger.end_plan()
        self.info = replace(self.info, planned=True)
        rest: Collection[int] = range(len(documents) if spilled is None else spilled, len(documents))
        if self._chosen is not None:
            rest = self._chosen.intersection(rest)
        if rest:
            await hand_on(ledger.pending(failed=False, positions=rest), feed)
        else:
            feed.end()

    def asked_for(self) -> Documents | None:
        """Return the documents of the frame."""
        return None if self._prepared is None else self._prepared.documents

    def _refuse_too_many(self, prepared: Prepared, ledger: Journal | None) -> None:
        """Refuse more documents than the call may have made; those that the run has already do not count."""
        rows = range(len(prepared.documents)) if self._chosen is None else self._chosen
        most = most_documents(self.options)
        if most is None or len(rows) <= most:
            return
        count = len(rows)
        if self._chosen is None and ledger is not None and ledger.meta["frame"]:
            folder = self.options.effective_settings.runs
            planned = self._keys.in_chunks(prepared.documents, prepared.version)
            count = sum(1 for _ in runs.unsent(folder, ledger.run, planned, Outcomes(prepared.names), self._again))
        refuse_too_many(count, self.options)

    def _choose(self, ledger: Journal | None) -> dict[int, tuple[int, str]]:
        """Return the rows that stay what they are: their documents' numbers and names, by position."""
        only = self._only
        if only is None or ledger is None:
            return {}
        if str(ledger.meta["frame"]) != only.frame:
            raise ConfigurationError(
                f"run {self.info.run!r} was given other rows since these results, so it is not known which of "
                f"them are accepted by now; nothing was sent. {by_the_newest(self.info.run, 'Retry')}"
            )
        frame, statuses, sent_again = ledger.standing()
        self._chosen = frozenset(
            position for position in only.rows if position >= len(statuses) or statuses[position] in only.statuses
        )
        # a row that failed is no reason to have a document made again that an earlier retry got accepted
        self._again = {
            position
            for position in self._chosen
            if position < len(statuses) and (statuses[position] == "unknown" or position in sent_again)
        }
        return {
            position: (frame.numbers[position], frame.names[position])
            for position in range(len(statuses))
            if position not in self._chosen
        }

    def _refuse_another_order(
        self, prepared: Prepared, before: Mapping[int, tuple[int, str]], ledger: Journal | None
    ) -> None:
        """Refuse a corrected frame in which a document of the run stands at another row."""
        if not before or ledger is None:
            return
        given = self._keys.between(prepared.documents, prepared.version, 0, len(self._frame))
        places = {key: place for place, key in enumerate(given)}
        known = ledger.own_keys()
        for place in sorted(before):
            own, nth = known[place]
            there = places.get(own, place)
            # of equal documents the first tells whether they moved
            if nth == 0 and own != given[place] and (there != place or self.options.key is not None):
                index = self._frame.index
                now = f"stands at row {index[there]!r} now" if there != place else "has another key now"
                raise ConfigurationError(
                    f"source has the rows of run {self.info.run!r} in another order: the document of row "
                    f"{index[place]!r} {now}, so rows would get each other's documents. Nothing was sent. Give "
                    "all rows as they were generated, corrected but not moved: "
                    f"source.loc[rf.load({self.info.run!r}).index] where the index has moved along"
                )

    def _opened(self, *, queue: bool, proven: bool = False) -> Journal:
        settings = self.options.effective_settings
        ledger = Journal.open(
            settings.runs,
            self.info.run,
            base_url=settings.base_url,
            owner=settings.owner,
            clock=settings.clock,
            queue=queue,
            proven=proven,
        )
        if self.options.run is None:
            _forget_what_has_rested(settings)
        if self.options.run is None and not ledger.created:
            ledger.close()
            raise ConfigurationError(
                f"another process began a run {self.info.run!r} in the same moment, and this one is not to go on "
                f"with it: nothing was sent. {GENERATE_AGAIN_OR_NAME_IT}"
            )
        return ledger

    def _forget_if_empty(self, ledger: Journal) -> None:
        """Leave no file behind for a run that never began."""
        empty = ledger.created and not ledger.meta["frame"]
        ledger.close()
        if empty:
            settings = self.options.effective_settings
            runs.forget(settings.runs, self.info.run, settings.clock)

    def _refuse_or_warn(self, prepared: Prepared, progress: Progress) -> None:
        told: list[str] = []
        if self.options.check is True:
            refuse(prepared.problems, self._frame, prepared.sources, prepared.parameters or [])
        else:
            told = [problem.problem for problem in prepared.problems if problem.level == "error"]
        for text in told:
            progress.lines.append(f"check: {text}")
            log.warning("check: %s", text)
        told += tell(prepared.problems, progress, self._site, keyed=self.options.key_columns is not None)
        self.info = replace(self.info, warnings=tuple(told))


def _begun(options: Options, run: str, rows: int) -> RunInfo:
    """Return what is known of a run that begins now, before anything was looked up."""
    settings = options.effective_settings
    return RunInfo(
        run,
        design_id=options.design_id,
        base_url=settings.base_url,
        service=settings.owner.service,
        workspace=settings.owner.workspace,
        endpoint=options.endpoint,
        rows=rows,
        started_at=settings.clock.now().isoformat(timespec="seconds"),
        download=str(download_root(options.download).resolve()) if options.download is not None else "",
        group_by=options.grouped_by,
    )


def _forget_what_has_rested(settings: Settings) -> None:
    """Forget old runs that have no name, so that abandoned calls do not pile up; once a process."""
    if settings.runs in _TIDIED:
        return
    _TIDIED.add(settings.runs)
    forgotten = runs.forget_old(settings.runs, runs.UNNAMED_DAYS * 86_400.0, settings.clock, unnamed=True)
    if forgotten:
        log.info(
            "forgot %s: complete, without a name and at rest for %d days: %s",
            counted(len(forgotten), "run"),
            runs.UNNAMED_DAYS,
            ", ".join(forgotten),
        )


_TIDIED: set[Path] = set()
"""Folders of runs that this process has looked through."""


def _fresh_name(options: Options) -> str:
    """Return a name that no run of the folder or of this process has."""
    settings = options.effective_settings
    first = f"{settings.clock.now():%Y-%m-%d-%H%M%S}-{secrets.token_hex(3)}"
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(
        name for name in names if name not in _options and not runs_folder.path_of(settings.runs, name).exists()
    )


_options: LruDict[str, Options] = LruDict(100)
"""Options of this process's runs: a retry from a corrected frame needs what no journal holds, such as tables."""


def remember(run: str, options: Options) -> None:
    """Keep the options of a run for its retries."""
    _options[run] = options


def remembered(run: str) -> Options | None:
    """Return the options of a run of this process."""
    return _options.get(run)


def _kept_folder(options: Options) -> str | None:
    return str(download_root(options.download).absolute()) if options.download is not None else None
