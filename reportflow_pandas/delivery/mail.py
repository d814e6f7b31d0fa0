"""Each document to its person, once: intent on the disk, then the message, then what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import warnings
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from email.headerregistry import Address
from email.policy import SMTP
from typing import Literal

import numpy as np
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.clock import Clock
from reportflow_pandas.delivery.mail_preview import MailPreview
from reportflow_pandas.delivery.message import Letter, Letters, addresses_in, letters
from reportflow_pandas.delivery.release import DeliveryWarning, Release, note_decisions, release
from reportflow_pandas.delivery.smtp import Delivery, MailConnection, SmtpAddress, smtp_address
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.errors import ConfigurationError, ReportFlowError, RunInterrupted
from reportflow_pandas.export.source_columns import documents_of
from reportflow_pandas.journal.mails import MailLedger, MailState
from reportflow_pandas.network import tls_context
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.results.results_frame import moments, provenance, text_column
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import Settings, current

__all__ = ["mail"]

log = logging.getLogger("reportflow_pandas")

CONNECTIONS = 4
"""Connections at most, one message in flight on each: what public mail servers take from one sender."""

ATTEMPTS = 3
"""Tries of a message that the server refuses for now; then the next call sends it."""

FIRST_PAUSE_SECONDS = 2.0
"""Before the second try, doubled for the third."""


def mail(
    results: pd.DataFrame,
    *,
    to: Hashable,
    subject: str,
    body: str,
    source: pd.DataFrame | None = None,
    decisions: pd.DataFrame | None = None,
    attach: bool = True,
    unknown: bool = False,
    html: str | None = None,
    cc: Hashable | None = None,
    reply_to: str | None = None,
    language: Literal["en", "ja"] | None = None,
    per_minute: float | None = None,
    preview: bool = False,
    progress: bool | Literal["auto"] = "auto",
    settings: Settings | None = None,
) -> pd.DataFrame | MailPreview:
    r"""Mail each document to its person, once.

    One message for each document and address. Only rows whose PDF was downloaded get one; with ``decisions`` only
    those that were approved, whatever their verdict; without, where the results have a ``verdict``, only ``ok``.
    What was sent is kept in the run's ledger: a second call sends what is missing and never the same again, also
    after the process was killed. A message of which it is not known whether the server took it is ``unknown``, and
    is not sent again by itself. Bounces come back by mail and are not seen here.

    Parameters
    ----------
    to : column or str
        The column of addresses (several in a cell are parted by a comma or semicolon), or one address for all.
    subject, body : str
        Templates such as ``"Invoice {InvoiceId}"``: braces hold a column of ``source`` or of the results, or
        ``index``.
    source : pandas.DataFrame, optional
        The frame that the run came from. ``None``: only the results' own columns.
    decisions : pandas.DataFrame, optional
        ``results.reportflow.read_review(path)``.
    attach : bool
        Attach the PDF under its name. ``False``: the body links to ``{url}``.
    unknown : bool
        Send ``unknown`` ones again, too. Their persons may get them twice.
    html : str, optional
        Template of an HTML body beside the text; values are escaped.
    cc : column or str, optional
        Who gets a copy.
    reply_to : str, optional
        Address for answers.
    language : {"en", "ja"}, optional
        Language of the link's line and of the header; default that of ``rf.configure(language=…)``.
    per_minute : float, optional
        At most so many messages a minute, evenly spaced.
    preview : bool
        Send nothing, return the first message as it would arrive.
    progress : bool or "auto"
        A bar.
    settings : Settings, optional
        In place of the process's: ``smtp``, ``sender``, ``ca_bundle``, ``runs``.

    Returns
    -------
    pandas.DataFrame
        These results with ``mail_status`` (``sent``, ``failed``, ``unknown``, ``not_sent``), ``mail_error``
        (why; for a row that got none, too) and ``mailed_at`` (UTC). With ``preview`` a `MailPreview`.

    Raises
    ------
    ConfigurationError
        No mail server is set, it offers no TLS elsewhere than on this machine, a template names no column, another
        process mails or sends on this run. Nothing was sent.
    InvalidRows
        An address that is missing or none, a line break in a subject; before the first mail.
    AuthError, ConnectionFailed
        The server refuses the password, or none answers; ``.results`` is the frame so far.
    RunInterrupted
        Ctrl-C; ``.results`` is the frame so far.

    Warns
    -----
    DeliveryWarning
        Who got none and why; whose document was made again, so that this is their second mail.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download=folder
    ...     )
    ...     first = results.reportflow.mail(
    ...         to="Email",
    ...         subject="Invoice {InvoiceId}",
    ...         body="Dear {CustomerName},\nyour invoice is attached.",
    ...         source=orders.head(2).assign(Email="customer@example.com"),
    ...         preview=True,
    ...     )
    >>> first.message["Subject"]
    'Invoice 1'
    """
    attrs = provenance(results, "mail")
    source = documents_of(results, source)
    chosen = settings or current()
    spoken: Literal["en", "ja"] = language or ("ja" if chosen.language == "ja" else "en")
    released = release(results, decisions, verb="mail", required=False)
    planned = letters(
        results, released.positions, to, subject, body, html, cc, source, attach=attach, language=spoken
    )
    style = Letters(
        _one_address(chosen.sender, "sender", needed=not preview),
        () if reply_to is None else (_one_address(reply_to, "reply_to", needed=True),),
        attach,
        spoken,
        attrs["run"],
    )
    if preview:
        if not planned:
            raise ConfigurationError(f"no row would get a mail: {released.told(results.index)}")
        first = planned[0]
        return MailPreview(
            style.written(first, chosen.clock, first.path.read_bytes() if attach else None), len(planned)
        )
    address = smtp_address(chosen.smtp)
    _require_aiosmtplib()
    with MailLedger(chosen.runs, attrs["run"], chosen.clock) as ledger:
        sending = _Sending(results, planned, released, style, ledger, chosen, address, per_minute, unknown=unknown)
        made = sending.carried_out(progress)
    note_decisions(results, decisions, chosen)
    return made


@dataclass
class _Outcome:
    state: MailState
    error: str | None = None
    at: float | None = None


@dataclass
class _Sending:
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
    error: ReportFlowError | None = None
    stopping: bool = False
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
            raise RunInterrupted(
                f"interrupted: {self._phase.done - self._phase.failed - self._phase.unknown:,} mails were sent, "
                f"{left + len(self._queue):,} were not. Call mail again with the same arguments: it sends what is "
                "missing, and no mail twice",
                frame,
            )
        if self.error is not None:
            self.error.results = frame
            raise self.error
        self._warn(frame)
        return frame

    def _missing(self) -> list[Letter]:
        """Return the letters that are to be sent; the others have their outcome."""
        known = self.ledger.known()
        earlier = {(mail.row, mail.address): mail.document for mail in known.values() if mail.state == "sent"}
        missing = []
        for letter in self.letters:
            bare = letter.address.addr_spec
            before = known.get((letter.document, bare))
            if before is not None and (before.state == "sent" or (before.state == "unknown" and not self.unknown)):
                self._note(letter, _Outcome(before.state, before.error, before.answered_at))
                continue
            if earlier.get((self._row(letter), bare), letter.document) != letter.document:
                self.second.append(letter.position)
            missing.append(letter)
        return missing

    def _row(self, letter: Letter) -> int:
        return int(self.results["row"].iloc[letter.position])

    def _note(self, letter: Letter, outcome: _Outcome) -> None:
        self.outcomes.setdefault(letter.position, []).append(outcome)

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
            try:
                await first.open()
            except ReportFlowError as error:
                self.error = error
                return
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
        for task in self._tasks:
            if not task.cancelled() and (problem := task.exception()) is not None:
                raise problem

    async def _work(self, connection: MailConnection) -> None:
        try:
            while self._queue and not self.stopping and self.error is None:
                letter = self._queue.popleft()
                await self._sent(letter, connection)
        finally:
            await connection.close()

    async def _sent(self, letter: Letter, connection: MailConnection) -> None:
        """Send one message, on new connections where the server hangs up or asks to come later."""
        clock = self.settings.clock
        attempt, carried = 1, -1
        while True:
            await self._paced(clock)
            outcome = await self._tried(letter, connection)
            if outcome.what != "later" or self.stopping or self.error is not None:
                break
            if not outcome.usable:
                # a server that closes after n messages has refused nothing
                progressed, carried = connection.carried != carried and connection.carried > 0, connection.carried
                await connection.close()
                if progressed:
                    connection.carried = carried = 0
                    continue
            attempt += 1
            if attempt > ATTEMPTS:
                break
            await clock.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 2) * (1 + clock.random() / 2))
        self._finish(letter, outcome)

    async def _tried(self, letter: Letter, connection: MailConnection) -> Delivery:
        bare = letter.address.addr_spec
        try:
            pdf = letter.path.read_bytes()
        except OSError as reason:
            return Delivery("later", f"the PDF cannot be read ({reason.strerror or reason})")
        content = self.style.written(letter, self.settings.clock, pdf if self.style.attach else None)
        if not connection.is_open:
            try:
                await connection.open()
            except ReportFlowError as error:
                return Delivery("later", str(error), usable=False)
        intended = False

        async def intend() -> None:
            nonlocal intended
            digest = hashlib.sha256(pdf).hexdigest() if self.style.attach else None
            self.ledger.intend(letter.document, bare, self._row(letter), self.style.message_id(letter), digest)
            intended = True

        recipients = [bare, *(one.addr_spec for one in letter.cc)]
        try:
            outcome = await connection.send(
                content.as_bytes(policy=SMTP), self.style.sender.addr_spec, recipients, intend
            )
        except BaseException:
            if intended:
                self.ledger.record(letter.document, bare, "unknown", _GIVEN_UP)
                self._note(letter, _Outcome("unknown", _GIVEN_UP))
                self._phase.unknown += 1
                self._phase.done += 1
            raise
        if intended or outcome.what == "failed":
            if not intended:
                await intend()
            state: MailState = "not_sent" if outcome.what == "later" else outcome.what
            outcome = replace(outcome, at=self.settings.clock.timestamp())
            self.ledger.record(letter.document, bare, state, outcome.text, at=outcome.at)
        return outcome

    async def _paced(self, clock: Clock) -> None:
        if not self.per_minute:
            return
        now = clock.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + 60.0 / self.per_minute
        if start > now:
            await clock.sleep(start - now)

    def _finish(self, letter: Letter, delivery: Delivery) -> None:
        state: MailState = "not_sent" if delivery.what == "later" else delivery.what
        self._note(letter, _Outcome(state, delivery.text, delivery.at))
        self._phase.done += 1
        self._phase.failed += state in ("failed", "not_sent")
        self._phase.unknown += state == "unknown"
        if state != "sent":
            # without the address: a list of customers does not belong into a log
            log.warning("run %s, row %d: mail %s: %s", self.style.run, self._row(letter), state, delivery.text)

    def _frame(self) -> pd.DataFrame:
        for letter in self._queue:
            self._note(letter, _Outcome("not_sent", "the call ended before it"))
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


def _one_address(text: str | None, argument: str, *, needed: bool) -> Address:
    if not text and not needed:
        return Address("", "sender", "example.com")
    found = addresses_in(text) if text else None
    if found is None or len(found) != 1:
        told = "is missing" if not text else f"{text!r} is no mail address"
        way = (
            "rf.configure(sender='billing@example.com')" if argument == "sender" else f"{argument}='a@example.com'"
        )
        raise ConfigurationError(f"{argument}= {told}: {way}. Nothing was sent")
    return found[0]


def _require_aiosmtplib() -> None:
    try:
        import aiosmtplib  # noqa: F401, PLC0415 - an extra
    except ImportError as missing:
        raise ConfigurationError(
            f"mailing needs the package {missing.name!r}: pip install 'reportflow-pandas[mail]'. Nothing was sent"
        ) from missing
