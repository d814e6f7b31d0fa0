"""The gate: how many calls of a run are in flight.

With a number, that many. With ``"auto"``, a limit that finds itself. Either way one gate stands before it
that a refusal closes for all.

A 429 says that it was too much, but not of what. So the limit is settled when the storm is over, by what the
service took since the gate had opened (the wave), what was in flight when the first call was refused, and how
many of those were refused:

- refused while others were in flight, and none had come back before: those others are the most that it takes
  at a time;
- refused with no more in flight than it had taken before: it counts calls by time, and a limit helps only as
  far as it makes them slower. Where ``Retry-After`` says when to come back and the waves are alike, the next
  one goes at once (it rides); else the limit falls to what would have passed without a closed gate.

After that, and after calls that were lost, the limit grows along a cubic curve (as in TCP CUBIC): it stays for
a while where it is and then feels its way further.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Literal

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock

__all__ = ["CEILING", "Gate", "Outcome"]

Outcome = Literal["ok", "pushed_back", "lost"]
"""``"ok"``: answered, also with a refusal of the document itself. ``"pushed_back"``: 429. ``"lost"``: 503, a
time-out, a lost connection."""

CEILING = 256
START = 5.0
DROP = 0.7  # what a loss leaves of the limit
NUDGE = 0.85  # what a refusal leaves that came while the limit felt its way further
GROWTH = 0.05  # calls per cubic second
SPARE = 1.2  # a gate that asks when to open opens late: the service takes more than it seemed to
TURNED = 1.5  # a wave of so many times what was in flight: calls had come back and others had gone
ALIKE = 0.75  # of each other, at least: two waves of a service that counts by time
CHEAP = 0.5  # refusals for a call of the wave, at most: riding pays
SHORTEST_CLOSING = 0.25  # seconds, where the service names none and no storm was before
LONGEST_CLOSING = 4.0
SOONER = 0.75  # a storm is asked about after this share of what the one before lasted ...
AGAIN = 0.25  # ... and again when it has lasted for this share longer
ASKING = 0.1  # seconds that the one call that asks is ahead of the others


class Gate:
    """How many calls may be in flight, for one run on one event loop.

    Parameters
    ----------
    concurrency : int or "auto"
        A fixed number of calls, or a limit that finds itself: from 5 up to ``ceiling``.
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
        ceiling: int = CEILING,
    ) -> None:
        self.in_flight = 0
        self._clock = clock
        self._found = _Found(clock, ceiling) if concurrency == "auto" else None
        self.limit = self._found.limit if self._found else int(concurrency)
        """Calls that may be in flight now."""
        self._answered = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._opens_at = -inf  # -inf: it is open, or nobody tried it since
        self._began: float | None = None  # the storm: its first refusal ...
        self._reached = 0  # ... the calls that were in flight then, until the limit is settled ...
        self._refused = 0  # ... and how many were refused
        self._asks = False  # whether one call goes first when the gate opens
        self._asked_at = -inf
        self._lasted = 0.0  # seconds of the storm before

    @property
    def opens_in(self) -> float:
        """Seconds until the gate opens; 0.0 when it is open."""
        return max(0.0, self._opens_at - self._clock.monotonic())

    def try_enter(self) -> bool:
        """Enter if there is room at once."""
        if (self._opens_at > -inf and not self._opens()) or self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    async def enter(self) -> None:
        """Wait for room, and enter."""
        while not self.try_enter():
            closed = self.opens_in
            if closed:
                await self._clock.sleep(closed)
                continue
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # it was somebody's turn, but not mine any more
                raise

    def leave(self, outcome: Outcome) -> None:
        """Say that a call that entered is over.

        Parameters
        ----------
        outcome : {"ok", "pushed_back", "lost"}
            ``"ok"`` raises the limit. ``"lost"`` lowers it, once for all calls that were in flight together.
            ``"pushed_back"`` needs ``close_for`` before; the limit is settled when the gate opens.
        """
        self.in_flight -= 1
        if outcome == "ok":
            self._answered += 1
        elif outcome == "pushed_back":
            self._refused += 1
        if self._found is not None:
            self.limit = self._found.felt(outcome, self.in_flight)
        if self._waiting:
            self._wake()

    def close_for(self, seconds: float | None) -> None:
        """Let no call in for so many seconds.

        Parameters
        ----------
        seconds : float or None
            ``Retry-After``. ``None``: the service did not say. Then the gate opens for one call that asks, and
            for the others a tenth of a second later if that one was not refused. It asks first after three
            quarters of what the storm before lasted (0.25 s, if there was none), then whenever the storm has
            lasted a quarter longer, at least every 4 s. Refusals that arrive while the gate is closed belong
            to the same storm (a step for each of them made a simulated run 1.9 times as long).
        """
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
            self._reached = self.in_flight
            self._refused = 0
            pause = max(SHORTEST_CLOSING, SOONER * self._lasted)
        else:
            pause = AGAIN * (now - self._began)
        if seconds is not None:
            self._asks = False
            self._opens_at = max(self._opens_at, now + seconds)
        elif not self._asks or now >= self._opens_at:
            self._asks = True
            self._opens_at = now + min(pause, LONGEST_CLOSING)

    def _opens(self) -> bool:
        """Open if it is time, for all or for the one that asks."""
        now = self._clock.monotonic()
        if now < self._opens_at:
            return False
        if self._refused:
            self._settle(now)
        if self._asks:
            if self.in_flight >= self.limit:
                return False
            self._asks = False
            self._asked_at = now
            self._opens_at = now + ASKING
            return True
        if self._began is not None:
            self._lasted = max(0.0, self._asked_at - self._began)
        self._began = None
        self._opens_at = -inf
        if self._found is not None:
            self._found.opened_at = now
        self._wake()
        return True

    def _settle(self, now: float) -> None:
        """Settle the limit, once in a storm; where it goes on though its time was over, one call asks."""
        refused, self._refused = self._refused, 0
        reached, self._reached = self._reached, 0
        taken = self._answered + self.in_flight
        if self._found is None or self._began is None:
            return
        if reached and taken > self._found.taken:
            self.limit = self._found.settle(
                reached, refused, taken, began=self._began, told=not self._asks, now=now
            )
        else:
            self._asks = True

    def _wake(self) -> None:
        room = self.limit - self.in_flight
        while room > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1


class _Found:
    """The limit that finds itself: a curve, and what the storms say."""

    def __init__(self, clock: Clock, ceiling: int) -> None:
        self._clock = clock
        self._ceiling = float(ceiling)
        self._limit = min(START, self._ceiling)
        self.limit = int(self._limit)
        # the curve
        self._dropped_at: float | None = None
        self._floor = 0.0  # to what
        self._flat = 0.0  # the height at which the curve is flat ...
        self._plateau = 0.0  # ... and how many seconds after the drop
        self._old = 0  # calls that were in flight then: their losses are the same loss
        # the storm before
        self.opened_at = 0.0
        self.taken = 0  # calls of the whole run that the service had taken by then
        self._began = 0.0
        self._wave = 0
        self._known = 0.0  # the limit that followed: so many it takes, if it is their number that counts
        self._rides = False
        self._may_ride = True

    def felt(self, outcome: Outcome, in_flight: int) -> int:
        """Return the limit after a call."""
        if outcome == "ok":
            if self._limit < self._ceiling:
                self._grow()
        elif outcome == "lost" and not self._old:
            flat, self._old = self._limit, in_flight + 1
            self._drop(flat * DROP, flat, self._clock.monotonic())
        if self._old:
            self._old -= 1
        return self.limit

    def settle(self, reached: int, refused: int, taken: int, *, began: float, told: bool, now: float) -> int:
        """Return the limit after a storm.

        Parameters
        ----------
        reached, refused : int
            Calls in flight at its first refusal, and how many of them were refused.
        taken : int
            Calls of the whole run that the service took.
        began, now : float
            Its first refusal, its end.
        told : bool
            Whether the service said when to come back.
        """
        wave, self.taken = taken - self.taken, taken
        share = (began - self.opened_at) / (began - self._began or inf)  # of the time, that the gate was open
        beside = reached - refused  # what was in flight beside the refused ones
        further = reached > self._known
        limit: float
        if self._ride(wave, reached, refused, told=told and not further):
            limit = wave + 1  # the one more is refused at once, and closes the gate
        elif wave < TURNED * beside:
            # a gate that asks may have opened before there was room for more
            limit = beside if told or further else max(beside, DROP * reached)
        elif not further:
            limit = min(reached, max(DROP * reached, SPARE * share * reached + 1))
        else:
            limit = max(beside, self._known, NUDGE * reached) if self._known else max(beside, reached / 2)
        self._wave, self._began = wave, began
        self._drop(limit, limit, now)
        self._known = self._limit
        return self.limit

    def _ride(self, wave: int, reached: int, refused: int, *, told: bool) -> bool:
        """Decide whether the next wave goes at once; a run in which that went wrong does not try again."""
        rode = self._rides
        alike = ALIKE * self._wave <= wave <= self._wave / ALIKE and refused <= CHEAP * wave
        self._rides = self._may_ride and told and alike and (rode or wave >= TURNED * reached)
        if rode and not self._rides:
            self._may_ride = False
        return self._rides

    def _grow(self) -> None:
        if self._dropped_at is None:
            limit = self._limit + 1
        else:
            passed = self._clock.monotonic() - self._dropped_at
            limit = max(self._floor, self._flat + GROWTH * (passed - self._plateau) ** 3)
        self._set(limit)

    def _drop(self, limit: float, flat: float, now: float) -> None:
        self._set(limit)
        self._dropped_at = now
        self._floor = self._limit
        self._flat = max(flat, self._limit)
        self._plateau = (self._flat * (1 - DROP) / GROWTH) ** (1 / 3)

    def _set(self, limit: float) -> None:
        self._limit = max(1.0, min(limit, self._ceiling))
        self.limit = int(self._limit)
