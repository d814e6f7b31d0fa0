"""What follows from an error: one policy, which reads like its documentation.

====================================================  ===============  ===============  ===================
error                                                 async            sync             get, download
====================================================  ===============  ===============  ===================
`ConnectionFailed`: nothing reached the service,
407, 421, 425 of what stands before it                retry            retry            retry
`RateLimited`, 429                                    wait             wait             wait
429 still, after a full window                        stop             stop             stop
500                                                   retry, logged    failed           retry
500 that says that the conversion failed                                                download: failed
503                                                   retry, logged    unknown          retry
other 5xx, 408: a gateway's 502, 504, 520 to 524      unknown          unknown          retry
`OutcomeUnknown`: time-out, connection lost, cut      unknown          unknown          retry
400 and other 4xx                                     failed           failed           failed
3xx: something else answers at this address           stop, failed     stop, failed     retry
401, 403, 412                                         stop             stop             stop
404                                                   stop             stop             stop; download: failed
`NotReady`                                                                              failed
====================================================  ===============  ===============  ===================

There is no idempotency key: what may have been accepted is never sent again by itself.
A call that is retried fails when its attempts are used up.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import CONVERSION_FAILED_WORDS, GATEWAY_STATUSES, SYNC_ANSWER_SECONDS
from reportflow_pandas.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConnectionFailed,
    InvalidRows,
    NotFoundError,
    NotReady,
    OutcomeUnknown,
    RateLimited,
    ReportFlowError,
)
from reportflow_pandas.settings import OUTAGE_SECONDS, Limits

__all__ = [
    "PLAN_HINT",
    "CallKind",
    "Decision",
    "ErrorKind",
    "Fail",
    "Retry",
    "RetryPolicy",
    "Stop",
    "Unknown",
    "WaitForLimit",
]

log = logging.getLogger("reportflow_pandas")

CallKind = Literal["async", "sync", "get", "download"]
"""Async or sync generation, a look-up of designs or parameters, a file."""

ErrorKind = Literal[
    "invalid",
    "auth",
    "not_found",
    "rate_limited",
    "too_large",
    "server",
    "network",
    "unknown_outcome",
    "not_ready",
    "no_pdf",
    "expired",
    "changed",
    "cancelled",
]
"""The words of the results frame's column ``error_kind``."""

LONGEST_PAUSE_SECONDS = 60.0
"""The most that the doubling of pauses comes to."""

REFUSALS_AFTER_A_WINDOW = 3
"""So many 429s in a row later than a window after the first: the plan is used up, or the limit."""

PLAN_HINT = (
    "The service still refuses after a full window of waiting. Perhaps the plan is used up, or another program "
    "uses the whole limit of this workspace"
)

SYNC_HINT = (
    f"The service gives a sync call {SYNC_ANSWER_SECONDS:.0f} s. The async endpoints have no such bound: "
    "endpoint='async/multiple', or leave endpoint= out"
)
"""What the vendor advises after a 504 (docs, limitations)."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Send the call again after so many seconds: one more attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitForLimit:
    """Close the window for so many seconds, for everybody, and wait for it: no attempt is used up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The rows of this call are ``failed``: the service certainly did not accept them, or gave no result."""

    error_kind: ErrorKind
    http_status: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The rows of this call are ``unknown``: they may have been accepted."""

    http_status: int | None
    text: str
    error_kind: ErrorKind = "unknown_outcome"


@dataclass(frozen=True, slots=True)
class Stop:
    """The run ends: every other call would be refused as this one was. What was not sent is ``not_sent``.

    ``status`` is that of this call's own rows.
    """

    error: ReportFlowError
    error_kind: ErrorKind
    http_status: int | None
    text: str
    status: Literal["not_sent", "failed"] = "not_sent"


Decision = Retry | WaitForLimit | Fail | Unknown | Stop


@dataclass
class RetryPolicy:
    """Decides what follows from each error of one run.

    Parameters
    ----------
    attempts : int, default 3
        Attempts per call; waiting for the rate limit is none.
    backoff : float, default 1.0
        First pause in seconds, doubled by each attempt up to a minute, and up to half as long again by
        chance, so that calls that failed together do not come back together. ``Retry-After`` wins.
    limits : Limits
        What the run allows. A 429 closes the window for its ``Retry-After``, else to the window's end; where the
        run has no limit, hence no window, for the first pause, doubled as long as nothing else is answered. A
        service that refuses for longer than a window, three times and more, with no other answer in between, is
        not refusing because of too many calls a minute.
    longest_retry_after : float
        Seconds that a ``Retry-After`` is waited for where the service is away (not with a 429): half as long as an
        outage, so that it is asked again before the run gives up.

    Examples
    --------
    >>> from reportflow_pandas.clock import SYSTEM_CLOCK
    >>> policy = RetryPolicy(attempts=3)
    >>> policy.decide(ApiError(400, ["no"]), kind="async", attempt=1, clock=SYSTEM_CLOCK)
    Fail(error_kind='invalid', http_status=400, text='no')
    """

    attempts: int = 3
    backoff: float = 1.0
    limits: Limits = field(default_factory=Limits)
    longest_retry_after: float = OUTAGE_SECONDS / 2
    _refusals: dict[str, _Refusals] = field(default_factory=dict, init=False, repr=False)

    def decide(  # noqa: PLR0911 - one return for each line of the table
        self, error: ReportFlowError, *, kind: CallKind, attempt: int, clock: Clock
    ) -> Decision:
        """Decide.

        Parameters
        ----------
        error : ReportFlowError
            What the client raised.
        kind : {"async", "sync", "get", "download"}
            The call: generation, a look-up, a file.
        attempt : int
            Which attempt this was, from 1.
        clock : Clock
            Time and chance.

        Returns
        -------
        Retry, WaitForLimit, Fail, Unknown or Stop
        """
        if isinstance(error, RateLimited):
            return self._pushed_back(error, kind, clock)
        if not isinstance(error, ConnectionFailed | OutcomeUnknown):
            self.answered(kind)
        if isinstance(error, AuthError):
            return _stop(error, "auth")
        if isinstance(error, NotFoundError) and kind != "download":
            return _stop(error, "not_found")
        if isinstance(error, ConfigurationError):
            return _stop(error, "invalid")
        if isinstance(error, InvalidRows):
            return _failed(error, "invalid")
        if isinstance(error, NotReady):
            return _failed(error, "not_ready")
        if isinstance(error, ConnectionFailed):
            return self._again(error, attempt, clock) or _failed(error, "network")
        if kind in ("get", "download"):
            return self._read(error, kind, attempt, clock)
        return self._generation(error, kind, attempt, clock)

    def answered(self, kind: CallKind) -> None:
        """Say that the service answered something else than 429: refusals in a row are counted from the start."""
        if self._refusals:
            self._refusals.pop(_bucket(kind), None)

    # -- the kinds of call ---------------------------------------------------------------------------------

    def _generation(self, error: ReportFlowError, kind: CallKind, attempt: int, clock: Clock) -> Decision:
        status = _status(error)
        if isinstance(error, ApiError) and 400 <= error.status < 500 and status not in GATEWAY_STATUSES:
            return _failed(error, _REFUSALS_OF_ROWS.get(error.status, "invalid"))
        if isinstance(error, ApiError) and 300 <= error.status < 400:
            return Stop(error, "invalid", status, _text(error), status="failed")
        if isinstance(error, ApiError) and status == 500 and kind == "sync":
            return _failed(error, "server")
        if isinstance(error, ApiError) and status in (500, 503) and kind == "async":
            decision = self._again(error, attempt, clock)
            if decision is None:
                return _failed(error, "server")
            log.warning(
                "the service answered %s (request %s); sent again in %.1f s as attempt %d: "
                "should it have accepted the first one all the same, these documents exist twice",
                status,
                error.request_id or "without id",
                decision.seconds,
                attempt + 1,
            )
            return decision
        return Unknown(
            status, f"{_text(error)}. {SYNC_HINT}" if status == 504 and kind == "sync" else _text(error)
        )

    def _read(self, error: ReportFlowError, kind: CallKind, attempt: int, clock: Clock) -> Decision:
        """Look-ups and files: asking twice costs nothing but a call."""
        status = _status(error)
        if status is not None and 400 <= status < 500 and status not in GATEWAY_STATUSES:
            return _failed(error, _REFUSALS_OF_ROWS.get(status, "invalid"))
        if status == 500 and kind == "download" and _CONVERSION_FAILED.search(_text(error)):
            return _failed(error, "no_pdf")
        return self._again(error, attempt, clock) or _failed(error, "network" if status is None else "server")

    # -- waiting -------------------------------------------------------------------------------------------

    def _again(self, error: ReportFlowError, attempt: int, clock: Clock) -> Retry | None:
        if attempt >= self.attempts:
            return None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            return Retry(min(asked, self.longest_retry_after))
        return self.pause(attempt, clock)

    def pause(self, attempt: int, clock: Clock) -> Retry:
        """Return the pause after an attempt."""
        pause = self.backoff * 2.0 ** min(attempt - 1, 32)
        return Retry(min(pause, LONGEST_PAUSE_SECONDS) * (1.0 + 0.5 * clock.random()))

    def _pushed_back(self, error: RateLimited, kind: CallKind, clock: Clock) -> Decision:
        now = clock.monotonic()
        refusals = self._refusals.setdefault(_bucket(kind), _Refusals(since=now))
        if now >= refusals.since + self.limits.window:
            refusals.after_a_window += 1
        if refusals.after_a_window >= REFUSALS_AFTER_A_WINDOW:
            stopped = RateLimited(
                error.status,
                error.messages,
                request_id=error.request_id,
                retry_after=error.retry_after,
                hint=PLAN_HINT,
            )
            return Stop(stopped, "rate_limited", error.status, error.text)
        if error.retry_after is not None:
            return WaitForLimit(error.retry_after)
        if (self.limits.sync_calls if kind == "sync" else self.limits.async_calls) is not None:
            return WaitForLimit(self.limits.window)
        return WaitForLimit(refusals.pause(self.backoff or 1.0, now))


@dataclass(slots=True)
class _Refusals:
    """The 429s in a row of one bucket, over all calls of the run."""

    since: float
    after_a_window: int = 0
    pauses: int = 0
    seconds: float = 0.0
    paused_until: float = -inf

    def pause(self, first: float, now: float) -> float:
        """Return the seconds to wait; a refusal during a pause prolongs it, the next pause is twice as long."""
        if now >= self.paused_until:
            self.seconds = min(first * 2.0 ** min(self.pauses, 32), LONGEST_PAUSE_SECONDS)
            self.pauses += 1
        self.paused_until = now + self.seconds
        return self.seconds


_CONVERSION_FAILED = re.compile(CONVERSION_FAILED_WORDS, re.IGNORECASE)

_REFUSALS_OF_ROWS: dict[int, ErrorKind] = {404: "not_found", 410: "expired", 413: "too_large"}


def _bucket(kind: CallKind) -> str:
    return "sync" if kind == "sync" else "async"


def _status(error: ReportFlowError) -> int | None:
    if isinstance(error, ApiError | OutcomeUnknown | NotReady):
        return error.status
    return None


def _text(error: ReportFlowError) -> str:
    return error.text if isinstance(error, ApiError) else " ".join(str(error).split())


def _failed(error: ReportFlowError, error_kind: ErrorKind) -> Fail:
    return Fail(error_kind, _status(error), _text(error))


def _stop(error: ReportFlowError, error_kind: ErrorKind) -> Stop:
    return Stop(error, error_kind, _status(error), _text(error))
