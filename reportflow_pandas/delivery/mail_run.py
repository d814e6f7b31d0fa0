"""One call of ``mail`` from its first message to its results, in the foreground or as a job."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from reportflow_pandas.delivery.mail_book import MailBook
from reportflow_pandas.delivery.message import Letter, Letters
from reportflow_pandas.delivery.release import Release, note_decisions
from reportflow_pandas.delivery.sending import Sending
from reportflow_pandas.delivery.smtp import SmtpAddress
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.journal.events import note_event
from reportflow_pandas.journal.mails import MailLedger
from reportflow_pandas.next_steps import MAIL_AGAIN
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import Settings

__all__ = ["MailRun"]

_NOT_THERE = ("failed", "unknown", "not_sent")


class MailRun:
    """The mails of one call; ``results``, ``letters``, ``released`` and ``unknown`` are those of its `MailBook`.

    Raises
    ------
    ConfigurationError
        Another process mails this run, or sends on it.
    """

    queue: None = None
    dispatch: None = None
    on_row: Any = None
    warnings: tuple[str, ...] = ()
    pdf_folder: None = None
    listed_in = "the column mail_error of job.results()"

    def __init__(  # noqa: PLR0917 - what a call of mail is made of
        self,
        results: pd.DataFrame,
        letters: list[Letter],
        released: Release,
        style: Letters,
        settings: Settings,
        address: SmtpAddress,
        *,
        decisions: pd.DataFrame | None = None,
        per_minute: float | None = None,
        unknown: bool = False,
        progress_shown: bool | Literal["auto"] = "auto",
    ) -> None:
        self.name = style.run
        self.settings = settings
        self.clock = settings.clock
        self.progress = Progress(self.clock)
        self.progress_shown = progress_shown
        self.interrupted = False
        self._results = results
        self._released = released
        self._decisions = decisions
        self._ledger = MailLedger(settings.runs, style.run, self.clock)
        try:
            self._book = MailBook(results, letters, released, self._ledger, resend_unknown=unknown)
        except BaseException:
            self._ledger.close()
            raise
        self._book.phase = self.progress.begin("mails", len(self._book.missing))
        self._sending = Sending(self._book.missing, style, self._book, settings, address, per_minute)

    async def carry_out(self) -> pd.DataFrame:
        """Send what is to be sent and return the results with the columns of the mails."""
        try:
            await self._sending.carry_out()
        finally:
            self.progress.ended = True
            self._ledger.close()
            with contextlib.suppress(ReportFlowError):  # a full disk: the mails themselves are written down
                await asyncio.to_thread(
                    note_event, self.settings.runs, self.name, "mailed", self._book.sent_now, self.clock
                )
        if (error := self._sending.error) is not None:
            if isinstance(error, ReportFlowError):
                error.results = self.results()
                sent = f"{self.summary()}. {self.way_on()}" if self._book.phase.done else "Nothing was sent"
                error.args = (f"{error}. {sent}", *error.args[1:])
            raise error
        if not self.interrupted:
            await asyncio.to_thread(note_decisions, self._results, self._decisions, self.settings)
        return self.results()

    def interrupt(self) -> None:
        """Begin no message any more; those on their way get a few seconds. Call it on the loop that sends."""
        self.interrupted = True
        self._sending.stop()

    # -- what it tells ---------------------------------------------------------------------------------------

    def results(self) -> pd.DataFrame:
        """Return the results so far, with the columns of the mails."""
        return self._book.results(ended=self.progress.ended)

    def counts(self) -> dict[str, int]:
        """Return counts of messages: ``total``, ``done``, and by what became of them."""
        return self._book.counts()

    def failures(self, most: int) -> list[tuple[Any, Outcome]]:
        """Return the first rows whose message was refused: their index labels, and why."""
        return [(label, Outcome(0, "failed", error=outcome.error)) for label, outcome in self._book.refused(most)]

    def no_pdf(self) -> int:
        """Return 0: documents without a PDF get no mail."""
        return 0

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be sent."""
        counts = self.counts()
        return not (counts["not_sent"] or counts["unknown"])

    def summary(self) -> str:
        """Return it in one line."""
        counts = self.counts()
        more = [f"{counts[word]:,} {word.replace('_', ' ')}" for word in _NOT_THERE if counts[word]]
        return ", ".join([f"{counts['sent']:,} of {counts['total']:,} mails are sent", *more])

    def goodbye(self, *, raised: bool = True) -> str:
        """Return what a person should know who interrupted it."""
        results = " This exception's .results is the frame so far." if raised else ""
        return f"interrupted: {self.summary()}.{results} {self.way_on()}"

    def way_on(self) -> str:
        """Return how to go on with what was not sent."""
        return MAIL_AGAIN

    def closing_words(self) -> str:
        """Return who got no mail and why, and who got a second one; nothing where all are sent."""
        index, told = self._results.index, []
        left_out = {
            reason: kept
            for reason, positions in self._released.left_out.items()
            if (kept := [at for at in positions if at not in self._book.outcomes])
        }
        if left_out:
            told.append(f"no mail for {replace(self._released, left_out=left_out).told(index)}")
        frame = self.results()
        states = frame["mail_status"].tolist()
        for state in _NOT_THERE:
            rows = [at for at in sorted(self._book.outcomes) if states[at] == state]
            if rows:
                why = list(dict.fromkeys(frame["mail_error"].iloc[rows]))
                more = "" if len(why) == 1 else f", and {len(why) - 1:,} other reasons in mail_error"
                labels = [index[at] for at in rows]
                told.append(f"{state.replace('_', ' ')}: {rows_phrase(labels)}: {why[0]}{more}")
        if self._book.second:
            labels = [index[at] for at in self._book.second]
            told.append(f"a second mail, for their document was made again: {rows_phrase(labels)}")
        if not told:
            return ""
        sent = states.count("sent")
        return f"{sent:,} of {len(frame):,} documents are mailed; " + "; ".join(told)
