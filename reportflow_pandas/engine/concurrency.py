"""How many calls of a run are in flight: a fixed number, or a cubic limit that finds itself.

The limit grows and falls as the congestion window of TCP CUBIC does (RFC 9438,
https://www.rfc-editor.org/rfc/rfc9438): slow start, a multiplicative decrease, a cubic curve afterwards. It closes
nothing: a 429 closes the window of `rate_limit` for all machines, and the limit here says how many calls this
process sends when the window is open again.

A refusal, unlike a lost packet, comes beside calls that were taken, and they tell more than the refusal does:

- What was in flight beside the refused calls is what the service carries at a time: it becomes the limit.
- In slow start, where less than half was carried, the limit falls by the factor of RFC 9438 instead: a service
  that counts calls by time refuses all of a round when its count is full.
- A refusal with no more in flight than the service has carried before, after more than a whole round was taken,
  is about calls by time. The closed window is the remedy, and the limit stays.
- Where nothing at all was taken, the next call goes alone, and the limit comes back in slow start (RFC 9438, 4.8).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from math import inf
from typing import Literal

from reportflow_pandas.api.connections import most_connections
from reportflow_pandas.clock import SYSTEM_CLOCK, Clock

__all__ = ["CEILING_CALLS", "Gate", "LoadSignal", "within_descriptors"]

log = logging.getLogger("reportflow_pandas")

LoadSignal = Literal["ok", "throttled", "lost"]
"""``"ok"``: answered, also with a refusal of the document itself. ``"throttled"``: 429. ``"lost"``: 503, a
time-out, a lost connection."""

START_CALLS = 5.0
"""Calls in flight at first. Measured at 50 calls a second and 100 ms a call: 5 use such a limit whole."""

CEILING_CALLS = 256
"""Calls in flight that ``"auto"`` grows to at most. Measured (tests/benchmarks/RESULTS.md) at 200 ms a call: 50 in
flight take 1.05 x the ideal time and 500 take 1.33 x, for the client itself is then what is waited for."""

BETA = 0.7
"""What a loss leaves of the limit: beta_cubic of RFC 9438, section 4.6."""

CUBIC_CALLS = 0.005
"""Growth in calls per cubic second, the constant C of RFC 9438, section 4.1 (0.4 there, where a loss costs one
round trip; here it closes the window for a second or more). Measured over 1,000 calls of 100 ms by the simulation
of tests/engine/test_concurrency.py: 50 a second in eight forms take at most 1.10 x the best fixed number with
0.005 and with 0.01, a cap of 10 in flight 1.19 x and 1.28 x."""


def within_descriptors(
    calls: int, *, connections: int | None = None, needed: int = sys.maxsize, for_each: int = 1
) -> int:
    """Return how many calls may be in flight of those that are wanted, and say if that is fewer.

    ``connections``: so many may be open, by default as many as the process can have now. ``needed``: so many calls
    there are at all. ``for_each``: connections of a call.
    """
    room = max(1, (most_connections() if connections is None else connections) // for_each)
    if room < min(calls, needed):
        log.warning(
            "calls in flight at a time: at most %d, not %d, because this process may not open more files and "
            "connections (`ulimit -n 4096` in the shell that starts it lets it)",
            room,
            calls,
        )
    return min(calls, room)


class Gate:
    """How many calls may be in flight, for one run on one event loop.

    Parameters
    ----------
    concurrency : int or "auto"
        A fixed number of calls, or the cubic limit.
    clock : Clock
        Time.
    ceiling : int, default 256
        The most that ``"auto"`` grows to.

    Attributes
    ----------
    in_flight : int
        Calls that entered and did not leave yet.

    Examples
    --------
    >>> async def call(gate):
    ...     if not gate.try_enter():
    ...         await gate.enter()
    ...     ...  # the call itself
    ...     gate.leave("ok")
    >>> gate = Gate("auto")
    >>> asyncio.run(call(gate))
    >>> gate.limit
    6
    """

    def __init__(
        self,
        concurrency: int | Literal["auto"] = "auto",
        *,
        clock: Clock = SYSTEM_CLOCK,
        ceiling: int = CEILING_CALLS,
    ) -> None:
        self.in_flight = 0
        self._cubic = _CubicLimit(clock, ceiling) if concurrency == "auto" else None
        self.limit = self._cubic.calls if self._cubic is not None else int(concurrency)
        """Calls that may be in flight now."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_enter(self) -> bool:
        """Enter if there is a place at once."""
        if self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    async def enter(self) -> None:
        """Wait for a place, and enter."""
        while not self.try_enter():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the place goes to the next in line
                raise

    def leave(self, signal: LoadSignal, closed_seconds: float = 0.0) -> None:
        """Say that a call that entered is over.

        Parameters
        ----------
        signal : {"ok", "throttled", "lost"}
            What its answer tells of the service's load.
        closed_seconds : float
            Of a 429: for how long the window is closed. Refusals that arrive meanwhile belong to the same event.
        """
        if self._cubic is not None:
            self.limit = self._cubic.after(signal, self.in_flight, closed_seconds)
        self.in_flight -= 1
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        places = self.limit - self.in_flight
        while places > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                places -= 1


class _CubicLimit:
    """The limit of RFC 9438, in calls; its names are those of the RFC."""

    def __init__(self, clock: Clock, ceiling: int) -> None:
        self._clock = clock
        self._ceiling = float(ceiling)
        self._cwnd = min(START_CALLS, self._ceiling)
        self._ssthresh = inf
        # the curve: _w_max is its plateau, reached _k seconds after _epoch_start
        self._floor = self._w_max = self._cwnd
        self._epoch_start = self._k = 0.0
        self._same_loss = 0
        """Calls that were in flight at the last loss: what is lost of them is the same loss."""
        self._taken = 0
        """Calls that the service took since the window was opened."""
        self._carried = 0
        """What the limit was left at by the last refusal: so many the service carries."""
        self._refusal = _Refusal()

    @property
    def calls(self) -> int:
        """The limit as a whole number."""
        return int(self._cwnd)

    def after(self, signal: LoadSignal, in_flight: int, closed_seconds: float) -> int:
        """Return the limit after a call, which is still counted in ``in_flight``."""
        if signal == "throttled":
            self._refused(in_flight, closed_seconds)
        elif signal == "ok":
            self._taken += 1
            self._grow()
        elif not self._same_loss:
            self._same_loss = in_flight
            # fast convergence, section 4.7: the plateau is a little below where the loss was
            self._decrease(BETA * self._cwnd, self._cwnd * (1 + BETA) / 2, self._clock.monotonic())
        if self._same_loss:
            self._same_loss -= 1
        return self.calls

    def _grow(self) -> None:
        if self._cwnd >= self._ceiling:
            return
        if self._refusal.closed_until > -inf and self._clock.monotonic() < self._refusal.closed_until:
            return  # an answer to a call from before: it tells nothing of the limit since
        if self._cwnd < self._ssthresh:
            self._cwnd = min(self._cwnd + 1, self._ssthresh, self._ceiling)
        else:
            passed = self._clock.monotonic() - self._epoch_start
            self._cwnd = min(max(self._floor, self._w_max + CUBIC_CALLS * (passed - self._k) ** 3), self._ceiling)

    def _decrease(self, cwnd: float, w_max: float, epoch_start: float) -> None:
        self._cwnd = self._ssthresh = self._floor = min(max(1.0, cwnd), self._ceiling)
        self._w_max = max(w_max, self._cwnd)
        self._k = ((self._w_max - self._cwnd) / CUBIC_CALLS) ** (1 / 3)
        self._epoch_start = epoch_start

    def _refused(self, in_flight: int, closed_seconds: float) -> None:
        """Set the limit by all refusals of one event; each further one corrects it."""
        now = self._clock.monotonic()
        event = self._refusal
        if now >= event.closed_until:
            taken = self._taken - event.beside  # those beside the refusal before were its own, not this one's
            event = self._refusal = _Refusal(in_flight, taken, self._cwnd, self._ssthresh, self._carried)
            self._taken = 0
        event.refused += 1
        event.closed_until = max(event.closed_until, now + closed_seconds)
        if event.taken + event.beside <= 0:
            self._probe(event)
            return
        cwnd = event.cwnd if event.by_time else event.beside
        if event.slow_start and 2 * event.beside < event.in_flight:
            cwnd = BETA * event.cwnd
        self._decrease(cwnd, cwnd, event.closed_until)
        self._carried = self.calls

    def _probe(self, event: _Refusal) -> None:
        """Let one call go alone, and the limit come back in slow start to where it was."""
        back_to = event.ssthresh if event.slow_start else event.cwnd
        if back_to < inf:
            self._decrease(back_to, back_to, event.closed_until)
        self._cwnd, self._ssthresh = 1.0, back_to


class _Refusal:
    """The refusals that arrive until the window is open again: one congestion event."""

    __slots__ = ("carried", "closed_until", "cwnd", "in_flight", "refused", "ssthresh", "taken")

    def __init__(
        self, in_flight: int = 0, taken: int = 0, cwnd: float = 0.0, ssthresh: float = inf, carried: int = 0
    ) -> None:
        self.in_flight = in_flight
        self.taken = taken
        self.cwnd = cwnd
        self.ssthresh = ssthresh
        self.carried = carried
        self.refused = 0
        self.closed_until = -inf

    @property
    def beside(self) -> int:
        """Calls in flight at the first refusal that were not refused."""
        return self.in_flight - self.refused

    @property
    def slow_start(self) -> bool:
        """Whether the limit was still doubling."""
        return self.cwnd < self.ssthresh

    @property
    def by_time(self) -> bool:
        """Whether the service counts calls by time: it refused no more than it has carried at a time before."""
        return (
            not self.slow_start
            and self.in_flight <= self.carried
            and self.taken + self.beside > self.in_flight
            and self.refused <= self.beside
        )
