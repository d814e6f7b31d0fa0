"""One generation call with its attempts: intents before each first byte, and an outcome for each document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from reportflow_pandas.api.models import Accepted, Delivered, FileEntry
from reportflow_pandas.contract import without_pdf
from reportflow_pandas.engine.attempts import Attempts, Channel, GivenUp, Held
from reportflow_pandas.engine.batching import MAX_BODY, SMALLER, Call, Document, taken_apart
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.outcomes import AcceptedMeanwhile, Outcome
from reportflow_pandas.engine.retry import Stop, Unknown
from reportflow_pandas.errors import ApiError, ReportFlowError

__all__ = ["CallAttempts", "Pairs", "Sender", "Sent"]

log = logging.getLogger("reportflow_pandas")

Pairs = Sequence[tuple[Document, FileEntry | None]]
"""The documents of a call, each with what the answer says of it."""

TOO_LARGE = (
    f"This document alone is too large for a call: {SMALLER}. Where a proxy or gateway of yours says so, have it "
    f"let {MAX_BODY >> 20} MB through"
)
"""What to do about a 413: the service's own, or that of a gateway with a smaller limit."""

GIVEN_UP = "the run was stopped before the answer came: the service may or may not have accepted it"


@dataclass(slots=True, eq=False)
class Sent:
    """What became of a call.

    Attributes
    ----------
    outcomes : list of Outcome
        One for each document; none where the call has to be sent again in parts.
    intent : int or None
        The intent of the attempt that the outcomes are of; None: none is recorded, for nothing was sent or it was
        taken back.
    accepted : bool
        Whether the service took the call.
    parts : list of Call
        What is still to be sent: a refused batch taken apart, or a call without rows accepted meanwhile.
    known : list of int
        Rows that were found accepted by others, whose outcomes are recorded already.
    refusal : ReportFlowError or None
        What was said of documents that failed.
    stop : ReportFlowError or None
        What ends the run, for every other call would be refused as this one was.
    cancelled : asyncio.CancelledError or None
        What was thrown in while the call was in flight: the caller records the outcomes and goes on with it.
    """

    outcomes: list[Outcome]
    intent: int | None = None
    accepted: bool = False
    parts: Sequence[Call] = ()
    known: Sequence[int] = ()
    refusal: ReportFlowError | None = None
    stop: ReportFlowError | None = None
    cancelled: asyncio.CancelledError | None = None


class CallAttempts(Attempts):
    """The attempts of one generation call, and the intent of the one under way."""

    __slots__ = ("body", "call", "intent", "sender")

    def __init__(self, sender: Sender, call: Call) -> None:
        super().__init__()
        self.sender = sender
        self.call = call
        self.body = call.body()
        self.intent: int | None = None

    def post(self) -> Awaitable[Accepted]:
        """Send the call once."""
        return self.sender.post(self.call, self.body)

    async def begin(self) -> None:
        """Record that the call is about to be sent."""
        self.intent = await self.sender.intend(self.call)

    def withdraw_intent(self) -> None:
        """Take the intent back: the service definitely refused the call, or nothing of it was sent."""
        intent, self.intent = self.intent, None
        if intent is not None:
            self.sender.withdraw(intent, self.call)


class Sender:
    """Sends generation calls, one at a time or many side by side: attempts, intents, outcomes.

    Parameters
    ----------
    channel : Channel
        Slots, retries, pauses.
    post : callable
        ``await post(call, body)`` is one attempt.
    intend : callable
        ``await intend(call)`` records that a call is about to be sent, before the first byte of each attempt, and
        returns the intent's number; it raises a `ReportFlowError` if the call must not be sent, and
        `AcceptedMeanwhile` if it may be sent without some of its rows.
    withdraw : callable
        ``withdraw(intent, call)`` takes an intent back: after a definite refusal, or where nothing was sent.
    gate : Gate
        How many calls are in flight; entered by the caller before `send`.
    delivered : callable, optional
        ``await delivered(answer, pairs)`` saves the files that came with a sync answer, before its outcomes are
        shown, and returns their paths by position.
    run : str
        The run's name, for the log.
    """

    def __init__(
        self,
        channel: Channel,
        post: Callable[[Call, bytes], Awaitable[Accepted]],
        *,
        intend: Callable[[Call], Awaitable[int]],
        withdraw: Callable[[int, Call], None],
        gate: Gate,
        delivered: Callable[[Delivered, Pairs], Awaitable[Mapping[int, str]]] | None = None,
        run: str = "",
    ) -> None:
        self.post = post
        self.intend = intend
        self.withdraw = withdraw
        self.calls_made = 0
        self._channel = channel
        self._gate = gate
        self._delivered = delivered
        self._run = run

    async def send(self, call: Call, attempts: CallAttempts | None = None) -> Sent:
        """Send a call, trying again as the policy says.

        Parameters
        ----------
        call : Call
            The caller has entered the gate for it.
        attempts : CallAttempts, optional
            Of this call, for a caller that watches whether it is in flight.
        """
        attempts = attempts or CallAttempts(self, call)
        if len(attempts.body) > MAX_BODY:
            self._gate.leave("ok")
            text = f"the document is {len(attempts.body):,} bytes and a call takes {MAX_BODY:,}: {SMALLER}"
            return Sent(self._alike(attempts, "failed", "too_large", text))
        self.calls_made += 1
        try:
            answer = await self._channel.send_with_retries(
                attempts.post,
                kind="sync" if call.sync else "async",
                attempts=attempts,
                gate=self._gate,
                sending=attempts.begin,
                withdraw=attempts.withdraw_intent,
            )
        except GivenUp as problem:
            return self._after_refusal(attempts, problem)
        except Held:
            attempts.withdraw_intent()
            self.calls_made -= 1
            return Sent([], parts=[call])
        except AcceptedMeanwhile as meanwhile:
            self.calls_made -= 1
            taken = set(meanwhile.positions)
            rest = [document for document in call.documents if document.position not in taken]
            return Sent([], parts=[call.part(rest)] if rest else (), known=meanwhile.positions)
        except asyncio.CancelledError as cancelled:
            if not attempts.in_flight:
                raise
            outcomes = self._alike(attempts, "unknown", "unknown_outcome", GIVEN_UP)
            return Sent(outcomes, attempts.intent, cancelled=cancelled)
        return await self._accepted(attempts, answer)

    async def _accepted(self, attempts: CallAttempts, answer: Accepted) -> Sent:
        """Give each document of an accepted call its file."""
        at = self._channel.clock.timestamp()
        pairs = matched(attempts.call.documents, answer.files)
        paths, cancelled = await self._saved(attempts, answer, pairs)
        status = "ready" if isinstance(answer, Delivered) else "accepted"
        outcomes: list[Outcome] = []
        for document, entry in pairs:
            path = paths.get(document.position)
            if entry is None and answer.files and path is None:
                outcomes.append(self._not_named(document, attempts, answer))
                continue
            outcomes.append(
                Outcome(
                    document.position,
                    status,
                    (entry.file_name or None) if entry is not None else None,
                    (entry.share_url if entry is not None else None) or answer.url,
                    entry.file_id if entry is not None else None,
                    answer.request_id or None,
                    path,
                    None,
                    None,
                    answer.status,
                    attempts.count,
                    attempts.elapsed,
                    at,
                )
            )
        if len(answer.files) > len(pairs):
            extra = len(answer.files) - sum(entry is not None for _, entry in pairs)
            log.warning(
                "run %s, request %s: the answer names %d files that were not asked for",
                self._run,
                answer.request_id,
                extra,
            )
        return Sent(outcomes, attempts.intent, accepted=True, cancelled=cancelled)

    async def _saved(
        self, attempts: CallAttempts, answer: Accepted, pairs: Pairs
    ) -> tuple[Mapping[int, str], asyncio.CancelledError | None]:
        """Save the files that came with an answer; return their paths, and what was thrown in meanwhile."""
        if not isinstance(answer, Delivered) or self._delivered is None:
            return {}, None
        attempts.in_flight = True  # its outcome is not recorded yet, and must be whatever happens now
        try:
            return await self._delivered(answer, pairs), None
        except asyncio.CancelledError as thrown:
            return {}, thrown
        finally:
            attempts.in_flight = False

    def _not_named(self, document: Document, attempts: CallAttempts, answer: Accepted) -> Outcome:
        """Return the outcome of a document that an answer, which names files, does not name."""
        text = f"the answer to request {answer.request_id} does not name this document"
        log.warning("run %s, row %d: %s", self._run, document.position, text)
        return Outcome(
            document.position,
            "unknown",
            request_id=answer.request_id or None,
            error_kind="unknown_outcome",
            error=text,
            http_status=answer.status,
            attempts=attempts.count,
            elapsed=attempts.elapsed,
        )

    def _after_refusal(self, attempts: CallAttempts, given_up: GivenUp) -> Sent:
        call, decision = attempts.call, given_up.decision
        about = (
            decision.error_kind,
            f"{decision.text}. {TOO_LARGE}" if decision.error_kind == "too_large" else decision.text,
            decision.http_status,
            getattr(given_up.error, "request_id", None),
        )
        if isinstance(decision, Unknown):
            return Sent(self._alike(attempts, "unknown", *about), attempts.intent)
        if isinstance(decision, Stop):
            if decision.status == "failed":
                return Sent(self._alike(attempts, "failed", *about), attempts.intent, stop=decision.error)
            attempts.withdraw_intent()
            return Sent(self._alike(attempts, "not_sent", *about), stop=decision.error)
        if len(call) > 1 and isinstance(given_up.error, ApiError) and given_up.error.status in (400, 413, 422):
            attempts.withdraw_intent()
            return Sent([], parts=taken_apart(call, given_up.error.messages))
        return Sent(self._alike(attempts, "failed", *about), attempts.intent, refusal=given_up.error)

    def _alike(  # noqa: PLR0917 - an outcome has so many parts
        self,
        attempts: CallAttempts,
        status: str,
        kind: str,
        text: str,
        http_status: int | None = None,
        request_id: str | None = None,
    ) -> list[Outcome]:
        """Return the outcomes of a call that was not accepted: the same for each of its documents."""
        told = f" (request {request_id})" if request_id else ""
        for document in attempts.call.documents:
            log.warning("run %s, row %d: %s, %s: %s%s", self._run, document.position, status, kind, text, told)
        return [
            Outcome(
                document.position,
                status,
                error_kind=kind,
                error=text,
                http_status=http_status,
                attempts=attempts.count,
                elapsed=attempts.elapsed,
            )
            for document in attempts.call.documents
        ]


def matched(documents: Sequence[Document], files: Sequence[FileEntry]) -> list[tuple[Document, FileEntry | None]]:
    """Return each document with its entry: by our id, by the name where that is not echoed, never by position."""
    if len(documents) == 1 and len(files) == 1 and _echoed(files[0]) in ("", documents[0].id):
        return [(documents[0], files[0])]
    by_id = {_echoed(entry): entry for entry in files if _echoed(entry)}
    by_name = {_name_key(entry.file_name): entry for entry in files if not _echoed(entry)}
    return [(document, by_id.get(document.id) or by_name.get(_name_key(document.name))) for document in documents]


def _echoed(entry: FileEntry) -> str:
    """Return the id of ours that an entry comes back with; empty where there is none."""
    echoed = entry.passthrough.get("rf")
    return echoed if isinstance(echoed, str) else ""


def _name_key(name: str) -> str:
    return without_pdf(name).casefold()
