"""What is known of each message of a call: in the ledger, and what came of it just now."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

import pandas as pd

from reportflow_pandas.delivery.message import Letter
from reportflow_pandas.delivery.release import Release
from reportflow_pandas.delivery.smtp import Delivery
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.journal.mails import Mail, MailLedger, MailState
from reportflow_pandas.results.mail_columns import MailOutcome, documents_mailed, with_mails

__all__ = ["ENDED", "MailBook"]

log = logging.getLogger("reportflow_pandas")

ENDED = "the call ended before it"
_WAITS = "its turn has not come yet"


def _key(letter: Letter) -> tuple[str, str]:
    """Return what a message is known by: servers tell no capitals in addresses apart."""
    return letter.document, letter.address.addr_spec.casefold()


def _key_of(mail: Mail) -> tuple[str, str]:
    """Return the `_key` of a message that the ledger has."""
    return mail.document, mail.address.casefold()


def _by_message(recorded: Iterable[Mail]) -> dict[tuple[str, str], Mail]:
    """Return what is known of each message; of several with one key, what says most that it arrived."""
    known: dict[tuple[str, str], Mail] = {}
    for mail in recorded:
        key = _key_of(mail)
        if key not in known or known[key].state not in ("sent", "unknown") or mail.state == "sent":
            known[key] = mail
    return known


def _last_sent(recorded: Iterable[Mail]) -> dict[tuple[int, str], str]:
    """Return the document that was last sent of each row to each address."""
    return {(mail.row, mail.address.casefold()): mail.document for mail in recorded if mail.state == "sent"}


def _outcome_of(mail: Mail) -> MailOutcome:
    return MailOutcome(mail.address, mail.state, mail.error, mail.answered_at)


class MailBook:
    """The messages of one call of ``mail``.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame.
    letters : list of Letter
        All messages, those too that were sent by an earlier call.
    released : Release
        Which documents may leave, and why the others may not.
    ledger : MailLedger
        The run's.
    resend_unknown : bool
        Whether messages are sent again that may have arrived.

    Attributes
    ----------
    missing : list of Letter
        What is to be sent.
    outcomes : dict of list of MailOutcome
        By position, of each address of a row.
    second : list of int
        Positions of rows whose person got an earlier document of theirs.
    phase : Phase
        How far this call is, for its bar.
    sent_now : int
        Messages that this call sent.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        letters: list[Letter],
        released: Release,
        ledger: MailLedger,
        *,
        resend_unknown: bool,
    ) -> None:
        self.outcomes: dict[int, list[MailOutcome]] = {}
        self.second: list[int] = []
        self.phase = Phase()
        self.sent_now = 0
        self._results = results
        self._rows = results["row"].tolist()
        self._released = released
        self._ledger = ledger
        self._positions: dict[tuple[str, str], list[int]] = {}
        """Of the rows that a message is about: more than one where the results hold a row twice."""
        self._doubtful: set[tuple[str, str]] = set()
        """Messages that may have arrived already: no refusal of the second one makes them less so."""
        self._counts: Counter[str] = Counter()
        self.missing = self._missing(letters, resend_unknown=resend_unknown)
        self._open = {_key(letter): letter for letter in self.missing}

    def _missing(self, letters: list[Letter], *, resend_unknown: bool) -> list[Letter]:
        """Return the letters that are to be sent; the others have their outcome."""
        recorded = list(self._ledger.known().values())
        known, went_to = _by_message(recorded), _last_sent(recorded)
        missing, settled = [], []
        for letter in letters:
            key = _key(letter)
            self._positions.setdefault(key, []).append(letter.position)
            if len(self._positions[key]) > 1:
                continue  # the same row twice in these results
            before = known.get(key)
            in_doubt = before is not None and before.state == "unknown"
            if before is not None and (before.state == "sent" or (in_doubt and not resend_unknown)):
                settled.append((letter, _outcome_of(before)))
                continue
            if in_doubt:
                self._doubtful.add(key)
            if went_to.get((self._row(letter), key[1]), letter.document) != letter.document:
                self.second.append(letter.position)
            missing.append(letter)
        # only now: a message may be about rows that come later
        for letter, outcome in settled:
            self._note(letter, outcome)
        self._mailed_before_they_were_left_out(recorded)
        self._forget_other_addresses(letters, recorded)
        return missing

    def _forget_other_addresses(self, letters: list[Letter], recorded: Iterable[Mail]) -> None:
        """Drop what is still wanted of these documents for addresses that they don't go to any more."""
        documents = {letter.document for letter in letters}
        wanted = [mail for mail in recorded if mail.wanted and mail.document in documents]
        self._ledger.drop([mail for mail in wanted if _key_of(mail) not in self._positions])

    def _mailed_before_they_were_left_out(self, recorded: Iterable[Mail]) -> None:
        """Note what earlier calls sent of documents that may not leave now: their persons have them."""
        went = {mail.document: mail for mail in recorded if mail.state in ("sent", "unknown")}
        if not went or not self._released.left_out:
            return
        documents = documents_mailed(self._results)
        for at in chain.from_iterable(self._released.left_out.values()):
            if (mail := went.get(documents[at])) is not None:
                self.outcomes[at] = [_outcome_of(mail)]

    def _row(self, letter: Letter) -> int:
        return int(self._rows[letter.position])

    def _note(self, letter: Letter, outcome: MailOutcome) -> None:
        self._counts[outcome.state] += 1
        for position in self._positions[_key(letter)]:
            self.outcomes.setdefault(position, []).append(outcome)

    # -- while they are sent ---------------------------------------------------------------------------------

    def is_open(self, letter: Letter) -> bool:
        """Tell whether a message has no outcome yet."""
        return _key(letter) in self._open

    def is_doubtful(self, letter: Letter) -> bool:
        """Tell whether a message may have arrived by an earlier call."""
        return _key(letter) in self._doubtful

    def intend(self, letter: Letter, message_id: str, sha256: str | None) -> None:
        """Write down, onto the disk, that a message's content is about to be sent."""
        self._ledger.intend(letter.document, letter.address.addr_spec, self._row(letter), message_id, sha256)

    def record(self, letter: Letter, delivery: Delivery) -> None:
        """Write an outcome down; where that fails, the next call finds an intent, so it is in doubt now, too."""
        state, text = self._state_and_text(letter, delivery)
        try:
            self._ledger.record(letter.document, letter.address.addr_spec, state, text, at=delivery.at)
        except ReportFlowError:
            self.finish(letter, Delivery("unknown", f"what came of it could not be written down: {state}"))
            raise

    def finish(self, letter: Letter, delivery: Delivery) -> None:
        """Take an outcome for what this call says of a message."""
        state, text = self._state_and_text(letter, delivery)
        self._open.pop(_key(letter), None)
        self._note(letter, MailOutcome(letter.address.addr_spec, state, text, delivery.at))
        self.phase.done += 1
        self.phase.failed += state in ("failed", "not_sent")
        self.phase.unknown += state == "unknown"
        self.sent_now += state == "sent"
        if state != "sent":
            # without the address: a list of customers does not belong into a log
            log.warning("run %s, row %d: mail %s: %s", self._ledger.run, self._row(letter), state, text)

    def _state_and_text(self, letter: Letter, delivery: Delivery) -> tuple[MailState, str | None]:
        state: MailState = "not_sent" if delivery.what == "later" else delivery.what
        if state in ("failed", "not_sent") and _key(letter) in self._doubtful:
            return "unknown", f"{delivery.text}; it is still not known whether the mail before arrived"
        return state, delivery.text

    # -- what became of them ---------------------------------------------------------------------------------

    def results(self, *, ended: bool) -> pd.DataFrame:
        """Return the results with the columns of the mails; ``ended``: no more are sent."""
        reasons = {at: reason for reason, positions in self._released.left_out.items() for at in positions}
        found = {at: list(outcomes) for at, outcomes in self.outcomes.copy().items()}
        for key, letter in self._open.copy().items():
            state, text = self._state_and_text(letter, Delivery("later", ENDED if ended else _WAITS))
            for at in self._positions[key]:
                found.setdefault(at, []).append(MailOutcome(letter.address.addr_spec, state, text))
        return with_mails(self._results, found, reasons)

    def counts(self) -> dict[str, int]:
        """Return counts of messages: ``total``, ``done``, and by what became of them."""
        counts = {state: self._counts[state] for state in ("sent", "failed", "unknown", "not_sent")}
        total, done = len(self._positions), sum(counts.values())
        return {"total": total, "done": done, **counts, "not_sent": counts["not_sent"] + total - done}

    def refused(self, most: int) -> list[tuple[Any, MailOutcome]]:
        """Return the first rows whose message was refused: index label and outcome."""
        index = self._results.index
        return [
            (index[at], outcome)
            for at, outcomes in self.outcomes.copy().items()
            for outcome in outcomes
            if outcome.state == "failed"
        ][:most]
