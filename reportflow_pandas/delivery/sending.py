"""One call of ``mail`` under way: at most four connections, an intent on the disk before each message."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import warnings
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.clock import Clock
from reportflow_pandas.delivery.message import Letter, Letters
from reportflow_pandas.delivery.release import DeliveryWarning, Release
from reportflow_pandas.delivery.smtp import Delivery, MailConnection, SmtpAddress
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.errors import ConnectionFailed, ReportFlowError, RunInterrupted
from reportflow_pandas.journal.mails import Mail, MailLedger, MailState
from reportflow_pandas.network import tls_context
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.results.results_frame import moments, text_column
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import Settings

__all__ = ["Sending"]

log = logging.getLogger("reportflow_pandas")

CONNECTIONS = 4
"""Connections at most, one message in flight on each: what public mail servers take from one sender."""

ATTEMPTS = 3
"""Tries of a message that the server refuses for now; then the next call sends it."""

FIRST_PAUSE_SECONDS = 2.0
"""Before the second try, doubled for the third."""


class _NoConnectionError(Exception):
    """A connection that cannot be opened, and why."""

    def __init__(self, reason: ReportFlowError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _key(letter: Letter) -> tuple[str, str]:
    """Return what a message is known by: servers tell no capitals in addresses apart."""
    return letter.document, letter.address.addr_spec.casefold()


@dataclass
class _Outcome:
    state: MailState
    error: str | None = None
    at: float | None = None


@dataclass
class Sending:
    """One call of `mail` under way."""

    results: pd.DataFrame
    letters: list[Letter]
    released: Release
    style: Letters
    ledger: MailLedger
    settings: Settings
    address: SmtpAddress
    per_minute: float | None
    unknown: bool
    outcomes: dict[int, list[_Outcome]] = field(default_factory=dict)
    error: Exception | None = None
    """What ends the call early: no worker begins another message."""
    stopping: bool = False
    positions: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """Of the rows that a message is about: more than one where the results hold a row twice."""
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    """Messages that may have arrived already: no refusal of the second one makes them less so."""
    second: list[int] = field(default_factory=list)
    """Positions of rows whose person got an earlier document of theirs."""

    def carried_out(self, progress: bool | Literal["auto"]) -> pd.DataFrame:
        """Send what is to be sent and return the results with the columns of the mails."""
        self._queue = deque(self._missing())
        shown = Progress(self.settings.clock)
        self._phase = shown.begin("mails", len(self._queue))
        bar = Bar(shown, progress)
        self._tasks: list[asyncio.Task[None]] = []
        self._next_start = 0.0
        self._at_work = 0
        self._noted: set[tuple[str, str]] = set()
        interrupted = False
        try:
            event_loop.run(self._send_all(), paint=bar.paint, interrupt=self._stop)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            bar.close()
        frame = self._frame()
        if interrupted or self.stopping:
            left = sum(one.state == "not_sent" for some in self.outcomes.values() for one in some)
            sent = self._phase.done - self._phase.failed - self._phase.unknown
            raise RunInterrupted(
                f"interrupted: {sent:,} mails were sent, {left:,} were not. Call mail again with the same "
                "arguments: it sends what is missing, and no mail twice",
                frame,
            )
        if self.error is not None:
            if isinstance(self.error, ReportFlowError):
                self.error.results = frame
            raise self.error
        self._warn(frame)
        return frame

    def _missing(self) -> list[Letter]:
        """Return the letters that are to be sent; the others have their outcome."""
        known: dict[tuple[str, str], Mail] = {}
        earlier = {}
        for mail in self.ledger.known().values():
            key = (mail.document, mail.address.casefold())
            if key not in known or known[key].state not in ("sent", "unknown") or mail.state == "sent":
                known[key] = mail
            if mail.state == "sent":
                earlier[mail.row, mail.address.casefold()] = mail.document
        missing = []
        settled = []
        for letter in self.letters:
            key = _key(letter)
            self.positions.setdefault(key, []).append(letter.position)
            if len(self.positions[key]) > 1:
                continue  # the same row twice in these results
            before = known.get(key)
            if before is not None and (before.state == "sent" or (before.state == "unknown" and not self.unknown)):
                settled.append((letter, _Outcome(before.state, before.error, before.answered_at)))
                continue
            if before is not None and before.state == "unknown":
                self.doubtful.add(key)
            if earlier.get((self._row(letter), key[1]), letter.document) != letter.document:
                self.second.append(letter.position)
            missing.append(letter)
        for letter, outcome in settled:
            self._note(letter, outcome)
        return missing

    def _row(self, letter: Letter) -> int:
        return int(self.results["row"].iloc[letter.position])

    def _note(self, letter: Letter, outcome: _Outcome) -> None:
        for position in self.positions[_key(letter)]:
            self.outcomes.setdefault(position, []).append(outcome)

    def _stop(self) -> None:
        """Begin no message any more; those on their way get a few seconds."""
        self.stopping = True
        loop = asyncio.get_running_loop()
        for task in self._tasks:
            loop.call_later(SHUTDOWN_GRACE_SECONDS, task.cancel)

    async def _send_all(self) -> None:
        context = tls_context(self.settings.ca_bundle)
        workers = min(CONNECTIONS, len(self._queue))
        # the first connection alone: a wrong password is refused once
        first = MailConnection(self.address, context, self.settings.clock)
        if workers:
            opening = asyncio.create_task(first.open())
            self._tasks = [opening]
            try:
                await opening
            except ReportFlowError as error:
                self.error = error
                return
            except asyncio.CancelledError:
                if self.stopping:
                    return
                raise
        connections = [
            first,
            *(MailConnection(self.address, context, self.settings.clock) for _ in range(1, workers)),
        ]
        self._tasks = [asyncio.create_task(self._work(connection)) for connection in connections[:workers]]
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _ending(self) -> bool:
        return self.stopping or self.error is not None

    async def _work(self, connection: MailConnection) -> None:
        self._at_work += 1
        letter = None
        try:
            while self._queue and not self._ending:
                if not connection.is_open:
                    await self._opened(connection)
                    continue  # meanwhile another connection may have carried the rest
                letter = self._queue.popleft()
                await self._sent(letter, connection)
                letter = None
        except _NoConnectionError as gone:
            # a server that takes fewer connections: the others carry the rest
            if letter is not None:
                self._queue.appendleft(letter)
            if self._at_work == 1 and self._queue and not self._ending:
                self.error = gone.reason
        except Exception as problem:  # noqa: BLE001 - raised when the other connections are at rest
            self.error = self.error or problem
            self._leave(letter)
        except BaseException:
            self._leave(letter)
            raise
        finally:
            self._at_work -= 1
            await connection.close()

    def _leave(self, letter: Letter | None) -> None:
        """Note a message that was given up before anything of it was sent."""
        if letter is not None and _key(letter) not in self._noted:
            self._finish(letter, Delivery("later", "the call ended before it"))

    async def _opened(self, connection: MailConnection) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await connection.open()
            except ConnectionFailed as error:
                if attempt == ATTEMPTS or self._ending:
                    raise _NoConnectionError(error) from None
            except ReportFlowError as error:  # a password that is refused again and again locks the account
                raise _NoConnectionError(error) from None
            else:
                return
            await self._pause(attempt)

    async def _pause(self, attempt: int) -> None:
        clock = self.settings.clock
        await clock.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * (1 + clock.random() / 2))

    async def _sent(self, letter: Letter, connection: MailConnection) -> None:
        """Send one message, on new connections where the server hangs up or asks to come later."""
        attempt, carried = 1, -1
        outcome = Delivery("later", "the call ended before it")
        while True:
            await self._paced(self.settings.clock)
            if self._ending:
                break
            if not connection.is_open:
                await self._opened(connection)
            try:
                pdf = letter.path.read_bytes()
            except OSError as reason:
                outcome = Delivery("later", f"the PDF cannot be read ({reason.strerror or reason})")
                break
            outcome = await self._tried(letter, connection, pdf)
            if outcome.what != "later" or self._ending:
                break
            if not outcome.usable:
                # a server that closes after n messages has refused nothing
                progressed, carried = connection.carried != carried and connection.carried > 0, connection.carried
                await connection.close()
                if progressed:
                    connection.carried = carried = 0
                    continue
            await connection.close()
            attempt += 1
            if attempt > ATTEMPTS:
                break
            await self._pause(attempt - 1)
        self._finish(letter, outcome)

    async def _tried(self, letter: Letter, connection: MailConnection, pdf: bytes) -> Delivery:
        bare = letter.address.addr_spec
        content = self.style.written(letter, self.settings.clock, pdf if self.style.attach else None)
        intended = False

        async def intend() -> None:
            nonlocal intended
            digest = hashlib.sha256(pdf).hexdigest() if self.style.attach else None
            self.ledger.intend(letter.document, bare, self._row(letter), self.style.message_id(letter), digest)
            intended = True

        try:
            outcome = await connection.send(
                content.as_bytes(), self.style.sender.addr_spec, letter.recipients, intend
            )
        except BaseException:
            if intended:
                given_up = (
                    Delivery("unknown", _GIVEN_UP)
                    if connection.in_doubt
                    else Delivery("later", "interrupted before the message's end was sent")
                )
                self._record(letter, given_up)
                self._finish(letter, given_up)
            raise
        if intended or (outcome.what == "failed" and _key(letter) not in self.doubtful):
            if not intended:
                await intend()
            outcome = replace(outcome, at=self.settings.clock.timestamp())
            self._record(letter, outcome)
        return outcome

    def _record(self, letter: Letter, delivery: Delivery) -> None:
        """Write an outcome down; where that fails, the next call finds an intent, so it is in doubt now, too."""
        state, text = self._told(letter, delivery)
        try:
            self.ledger.record(letter.document, letter.address.addr_spec, state, text, at=delivery.at)
        except ReportFlowError:
            self._finish(letter, Delivery("unknown", f"what came of it could not be written down: {state}"))
            raise

    def _told(self, letter: Letter, delivery: Delivery) -> tuple[MailState, str | None]:
        state: MailState = "not_sent" if delivery.what == "later" else delivery.what
        if state in ("failed", "not_sent") and _key(letter) in self.doubtful:
            return "unknown", f"{delivery.text}; it is still not known whether the mail before arrived"
        return state, delivery.text

    async def _paced(self, clock: Clock) -> None:
        if not self.per_minute:
            return
        now = clock.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + 60.0 / self.per_minute
        if start > now:
            await clock.sleep(start - now)

    def _finish(self, letter: Letter, delivery: Delivery) -> None:
        state, text = self._told(letter, delivery)
        self._noted.add(_key(letter))
        self._note(letter, _Outcome(state, text, delivery.at))
        self._phase.done += 1
        self._phase.failed += state in ("failed", "not_sent")
        self._phase.unknown += state == "unknown"
        if state != "sent":
            # without the address: a list of customers does not belong into a log
            log.warning("run %s, row %d: mail %s: %s", self.style.run, self._row(letter), state, text)

    def _frame(self) -> pd.DataFrame:
        for letter in self._queue:
            state, text = self._told(letter, Delivery("later", "the call ended before it"))
            self._note(letter, _Outcome(state, text))
        count = len(self.results)
        states: list[str] = ["not_sent"] * count
        errors: list[str | None] = [None] * count
        moment = np.full(count, np.nan)
        for reason, positions in self.released.left_out.items():
            for at in positions:
                errors[at] = reason
        for at, found in self.outcomes.items():
            worst = max(found, key=lambda one: _WORST.index(one.state))
            states[at], errors[at] = worst.state, worst.error
            if worst.state == "sent":
                moment[at] = max(one.at or np.nan for one in found)
        frame = self.results.copy()
        frame["mail_status"] = text_column(states)
        frame["mail_error"] = text_column(errors)
        frame["mailed_at"] = moments(moment)
        return frame

    def _warn(self, frame: pd.DataFrame) -> None:
        told = []
        if self.released.left_out:
            told.append(f"no mail for {self.released.told(frame.index)}")
        for state in ("failed", "unknown", "not_sent"):
            labels = [
                label
                for at, (label, found) in enumerate(zip(frame.index, frame["mail_status"], strict=True))
                if found == state and at in self.outcomes
            ]
            if labels:
                told.append(f"{state}: {rows_phrase(labels)}, see mail_error")
        if self.second:
            labels = [frame.index[at] for at in self.second]
            told.append(f"a second mail, for their document was made again: {rows_phrase(labels)}")
        if told:
            sent = int((frame["mail_status"] == "sent").sum())
            warnings.warn(
                f"{sent:,} of {len(frame):,} documents are mailed; " + "; ".join(told),
                DeliveryWarning,
                stacklevel=4,
            )


_WORST: list[MailState] = ["sent", "not_sent", "failed", "unknown"]
"""Of several addresses of a row the worst outcome is shown."""

_GIVEN_UP = "interrupted while the message was on its way; it is not known whether the mail server took it"
