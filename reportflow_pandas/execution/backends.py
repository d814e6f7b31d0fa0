"""The backends of a run: what carries its calls out, and where their outcomes go."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Accepted, Delivered
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import Call, Feed
from reportflow_pandas.engine.circuit_breaker import CircuitBreaker
from reportflow_pandas.engine.concurrency import CEILING_CALLS, Gate, within_descriptors
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.engine.runner import Runner
from reportflow_pandas.engine.sender import Pairs, Sender, Sent
from reportflow_pandas.errors import ConfigurationError, ReportFlowError
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.options import Options
from reportflow_pandas.results.download import save_delivered
from reportflow_pandas.results.pdf_folder import PdfFolder

__all__ = ["Backend", "Files", "Recorder", "runner_of"]

log = logging.getLogger("reportflow_pandas")


class Backend(Protocol):
    """What carries calls out: the runner of this process, or the queue of many machines.

    Attributes
    ----------
    error : ReportFlowError or None
        What ended the run early.
    """

    error: ReportFlowError | None

    @property
    def calls_made(self) -> int:
        """Calls that were begun."""

    async def run(self) -> None:
        """Carry the calls of its feed out; return when each has its outcome, or the backend was stopped."""

    def stop(self, error: ReportFlowError | None = None) -> None:
        """Begin no call any more; what is in flight is drained for a grace time."""

    def explain(self, not_sent: int) -> None:
        """Say in ``error`` what equal refusals mean, as soon as it is known how many rows were not sent."""


class Recorder:
    """Takes outcomes in: for the frame at once, for the bar and ``on_row`` when the ledger has them safe."""

    def __init__(
        self, ledger: Journal, outcomes: Outcomes, phase: Phase, on_row: Callable[[Outcome], None] | None
    ) -> None:
        self._ledger = ledger
        self._outcomes = outcomes
        self._phase = phase
        self._on_row = on_row
        self.stop: Callable[[ReportFlowError], None] = _ignore

    def record(self, sent: Sent) -> None:
        """Record what became of a call."""
        for outcome in sent.outcomes:
            self._outcomes.put(outcome)
            if outcome.status == "failed":
                self._phase.failed += 1
            elif outcome.status == "unknown":
                self._phase.unknown += 1
        if sent.known:
            self._show(sent.known, None)
        elif sent.stop is None:  # else the ledger keeps the rows as they were: a resumed run sends them
            positions = [outcome.row for outcome in sent.outcomes]
            self._ledger.record(sent.intent, sent.outcomes, partial(self._show, positions))

    def _show(self, positions: Sequence[int], problem: ReportFlowError | None) -> None:
        if problem is not None:
            # without a record nothing more may be sent
            self.stop(problem)
            return
        self._phase.done += len(positions)
        if self._on_row is not None:
            for position in positions:
                self._on_row(self._outcomes[position])


def _ignore(_: object) -> None:
    """There is nothing to report."""


class Files:
    """The PDFs of a run: those that came with sync answers at once, the others when all is sent."""

    def __init__(self, folder: PdfFolder, folders: Sequence[str] | None) -> None:
        self.folder = folder
        self._folders = folders
        """Of each row below the folder; None: all are in it."""

    async def delivered(self, answer: Delivered, pairs: Pairs) -> Mapping[int, str]:
        """Save the files of a sync answer, and return their paths by position."""
        paths: dict[int, str] = {}
        try:
            await save_delivered(
                answer,
                pairs,
                self.folder,
                lambda position, path: paths.update({position: str(path)}),
                folders=self._folders,
            )
        except ConfigurationError as problem:
            # what is in flight is paid for, a full disk or not: the download at the end tries again, and raises
            log.warning("%s", problem)
        return paths


def runner_of(
    options: Options,
    feed: Feed,
    ledger: Journal,
    outcomes: Outcomes,
    *,
    client: Client,
    channel: Channel,
    phase: Phase,
    files: Files | None,
    on_row: Callable[[Outcome], None] | None,
    endpoint: str,
    first_alone: bool,
) -> Runner:
    """Return the backend of this process: it sends the calls from here."""
    rows = len(outcomes)
    most = rows if endpoint.endswith("single") else 1 + rows // 2
    wanted = CEILING_CALLS if options.concurrency == "auto" else options.concurrency
    ceiling = within_descriptors(wanted, connections=client.most_connections, needed=most)
    gate = Gate("auto" if options.concurrency == "auto" else ceiling, clock=channel.clock, ceiling=ceiling)
    sender = Sender(
        channel,
        partial(_post, client),
        intend=partial(_intend, ledger),
        withdraw=partial(_withdraw, ledger),
        gate=gate,
        delivered=files.delivered if files is not None else None,
        run=ledger.run,
    )
    recorder = Recorder(ledger, outcomes, phase, on_row)
    runner = Runner(
        feed,
        sender,
        recorder.record,
        gate=gate,
        workers=max(1, min(ceiling, most)),
        rows=rows,
        stop_on_failure=options.on_error == "raise",
        first_alone=first_alone,
    )
    recorder.stop = runner.stop
    channel.breaker = runner.breaker = CircuitBreaker(
        partial(channel.look, partial(client.parameters, options.design_id)),
        end=runner.stop,
        say=channel.progress.away,
        clock=channel.clock,
        patience=channel.patience,
        many=rows > (1 if endpoint.endswith("single") else options.batch_size),
    )
    if channel.asked:
        runner.breaker.answered()  # the look-ups
    return runner


def _post(client: Client, call: Call, body: bytes) -> Awaitable[Accepted]:
    return client.send(call.endpoint, body)


def _intend(ledger: Journal, call: Call) -> Awaitable[int]:
    return ledger.intent(call.positions, call.endpoint)


def _withdraw(ledger: Journal, intent: int, call: Call) -> None:
    ledger.withdraw(intent, call.positions)
