"""Messages on their way: at most four connections, retries, and an intent on the disk before each message."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from reportflow_pandas.delivery.mail_book import ENDED, MailBook
from reportflow_pandas.delivery.message import Letter, Letters
from reportflow_pandas.delivery.smtp import Delivery, MailConnection, SmtpAddress
from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.errors import ConnectionFailed, ReportFlowError
from reportflow_pandas.network import tls_context
from reportflow_pandas.settings import Settings

__all__ = ["Sending"]

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


class Sending:
    """Letters on their way to a mail server.

    Parameters
    ----------
    letters : iterable of Letter
        What is to be sent.
    style : Letters
        How the messages are written.
    book : MailBook
        Where intents and outcomes are written down.
    settings : Settings
        Clock and authorities.
    address : SmtpAddress
        The mail server.
    per_minute : float, optional
        Most messages a minute.
    """

    def __init__(  # noqa: PLR0917 - what sending needs
        self,
        letters: Iterable[Letter],
        style: Letters,
        book: MailBook,
        settings: Settings,
        address: SmtpAddress,
        per_minute: float | None,
    ) -> None:
        self.error: Exception | None = None
        """What ended it early: no worker begins another message."""
        self._queue = deque(letters)
        self._style = style
        self._book = book
        self._settings = settings
        self._clock = settings.clock
        self._address = address
        self._per_minute = per_minute
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._resting: set[asyncio.Task[Any] | None] = set()
        """Those that wait before a message, or before another try."""
        self._next_start = 0.0
        self._at_work = 0

    def stop(self) -> None:
        """Begin no message any more; those on their way get a few seconds. Call it on the loop that sends."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        for task in self._tasks:
            if task in self._resting:
                task.cancel()
            else:
                loop.call_later(SHUTDOWN_GRACE_SECONDS, task.cancel)

    async def carry_out(self) -> None:
        """Send them; see `error` for what ended it early."""
        context = tls_context(self._settings.ca_bundle)
        workers = min(CONNECTIONS, len(self._queue))
        # the first connection alone: a wrong password is refused once
        first = MailConnection(self._address, context, self._clock)
        if workers:
            opening = asyncio.create_task(first.open())
            self._tasks = [opening]
            try:
                await opening
            except ReportFlowError as error:
                self.error = error
                return
            except asyncio.CancelledError:
                if self._stopping:
                    return
                raise
        connections = [
            first,
            *(MailConnection(self._address, context, self._clock) for _ in range(1, workers)),
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
        return self._stopping or self.error is not None

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
        if letter is not None and self._book.is_open(letter):
            self._book.finish(letter, Delivery("later", ENDED))

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
        await self._rest(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * (1 + self._clock.random() / 2))

    async def _rest(self, seconds: float) -> None:
        task = asyncio.current_task()
        self._resting.add(task)
        try:
            await self._clock.sleep(seconds)
        finally:
            self._resting.discard(task)

    async def _sent(self, letter: Letter, connection: MailConnection) -> None:
        """Send one message, on new connections where the server hangs up or asks to come later."""
        attempt, carried = 1, -1
        outcome = Delivery("later", ENDED)
        while True:
            await self._paced()
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
        self._book.finish(letter, outcome)

    async def _tried(self, letter: Letter, connection: MailConnection, pdf: bytes) -> Delivery:
        content = self._style.written(letter, self._clock, pdf if self._style.attach else None)
        intended = False

        async def intend() -> None:
            nonlocal intended
            digest = hashlib.sha256(pdf).hexdigest() if self._style.attach else None
            self._book.intend(letter, self._style.message_id(letter), digest)
            intended = True

        try:
            outcome = await connection.send(
                content.as_bytes(), self._style.sender.addr_spec, letter.recipients, intend
            )
        except BaseException:
            if intended:
                given_up = (
                    Delivery("unknown", _GIVEN_UP)
                    if connection.in_doubt
                    else Delivery("later", "interrupted before the message's end was sent")
                )
                self._book.record(letter, given_up)
                self._book.finish(letter, given_up)
            raise
        if intended or (outcome.what == "failed" and not self._book.is_doubtful(letter)):
            if not intended:
                await intend()
            outcome = replace(outcome, at=self._clock.timestamp())
            self._book.record(letter, outcome)
        return outcome

    async def _paced(self) -> None:
        if not self._per_minute:
            return
        now = self._clock.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + 60.0 / self._per_minute
        if start > now:
            await self._rest(start - now)


_GIVEN_UP = "interrupted while the message was on its way; it is not known whether the mail server took it"
