"""Circuit breakers of a run: one for refusals that are not the rows' fault, one for a service that is away.

`RefusalBreaker` ends a run whose single documents are refused in the same words, one after the other.
`CircuitBreaker` is one in the usual sense (https://martinfowler.com/bliki/CircuitBreaker.html): closed while the
service answers, open while it does not, half-open for one look-up, which bills nothing, and then one call of one
document.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Literal

from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import GATEWAY_STATUSES
from reportflow_pandas.errors import ApiError, ConnectionFailed, OutcomeUnknown, ReportFlowError
from reportflow_pandas.next_steps import REST_NOT_SENT, after_equal_refusals

__all__ = ["CircuitBreaker", "RefusalBreaker", "says_nothing"]

log = logging.getLogger("reportflow_pandas")

IN_A_ROW = 10
"""So many documents refused in the same words, and none accepted: that is not the rows."""


class RefusalBreaker:
    """The refusals of a run, whichever process carries it out.

    Parameters
    ----------
    rows : int
        Of the run: one that has no more than `IN_A_ROW` is never ended.
    """

    def __init__(self, rows: int) -> None:
        self._few = rows <= IN_A_ROW
        self._last: deque[str] = deque(maxlen=IN_A_ROW)
        self._any_accepted = False
        self._ended_by: ReportFlowError | None = None

    def accepted(self) -> None:
        """Say that the service took a document: refusals are the rows' own."""
        self._any_accepted = True

    def refused(self, words: str, error: ReportFlowError) -> bool:
        """Take a refusal in; return whether the run is to end with this error."""
        self._last.append(words)
        if self._few or self._any_accepted or len(self._last) < IN_A_ROW or len(set(self._last)) > 1:
            return False
        self._ended_by = self._ended_by or error
        return True

    def explained(self, error: ReportFlowError | None, not_sent: int) -> ReportFlowError | None:
        """Return a run's error; if it is what `refused` ended it with, then with why, and what to do.

        Asked when the calls in flight have their answers: only then is known how many rows were not sent.
        """
        if error is None or error is not self._ended_by:
            return error
        by_the_rows = isinstance(error, ApiError) and error.status < 500
        said = after_equal_refusals(
            IN_A_ROW, not_sent, by_the_rows=by_the_rows, left_here=not isinstance(error, ConnectionFailed)
        )
        if isinstance(error, ApiError):
            return type(error)(
                error.status, error.messages, request_id=error.request_id, retry_after=error.retry_after, hint=said
            )
        return type(error)(f"{error}. {said}")


MISSES_IN_A_ROW = 5
"""So many calls without an answer of the service's own, each begun after its last one: it is away."""

FIRST_LOOK_SECONDS = 1.0
"""Until the first look whether the service is back; twice as long each time."""

LONGEST_LOOK_SECONDS = 15.0
"""Between two looks, at most."""


def says_nothing(error: ReportFlowError) -> bool:
    """Tell whether an error is no answer of the service's own: nothing arrived, or a gateway spoke in its place.

    500 is the service's word about one call.
    """
    if isinstance(error, ConnectionFailed | OutcomeUnknown):
        return True
    if not isinstance(error, ApiError):
        return False
    return error.status > 500 or error.status < 300 or error.status in GATEWAY_STATUSES  # below 300: a page


class CircuitBreaker:
    """Holds the calls of a run while the service is away, and lets them go on when it is back.

    When the network fails, only the calls under way are in doubt, not the run.

    Parameters
    ----------
    look : callable
        ``await look()`` asks the service for something that bills nothing; it raises a `ReportFlowError`.
    end : callable
        Told the error that ends the run when the service stays away.
    say : callable
        Told for how many seconds the run waits at most; 0.0 when it goes on.
    clock : Clock
        Time.
    patience : float
        Seconds that an outage is waited for.
    left : str
        What it leaves undone when the service stays away, and how that goes on.
    many : bool
        Whether there is more than one call: else the first one fails by itself.
    elsewhere : callable, optional
        ``await elsewhere()`` is asked when the patience is over: whether other machines are answered. Then the
        network of this one is broken, which is no reason to end the run: it is waited for on.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[object]],
        *,
        end: Callable[[ReportFlowError], None],
        say: Callable[[float], None],
        clock: Clock,
        patience: float,
        left: str = REST_NOT_SENT,
        many: bool = False,
        elsewhere: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._look = look
        self._elsewhere = elsewhere
        self._end = end
        self._say = say
        self._clock = clock
        self._patience = patience
        self._left = left
        self._many = many
        self._state: Literal["closed", "open", "half-open"] = "closed"
        self._misses = 0
        self._answered_at = -inf
        self._last: ReportFlowError | None = None
        self._probing = False
        self._probe_left = False
        self._waiting: list[asyncio.Future[None]] = []
        self._watch: asyncio.Task[None] | None = None
        self._over: ReportFlowError | None = None

    @property
    def away(self) -> bool:
        """Whether calls are held."""
        return self._state != "closed"

    @property
    def admits(self) -> bool:
        """Whether a call that comes now would go out: all is well, or it would be the one that goes first."""
        return self._state == "closed" or self.gave_up or (self._state == "half-open" and not self._probing)

    @property
    def gave_up(self) -> bool:
        """Whether it was given up."""
        return self._over is not None

    @property
    def seen(self) -> str:
        """What was seen last in place of an answer, on one line."""
        return " ".join(str(self._last or "").split())

    @property
    def ever_answered(self) -> bool:
        """Whether the service has answered at all."""
        return self._answered_at > -inf

    # -- what calls tell -------------------------------------------------------------------------------------

    def answered(self) -> None:
        """Say that the service answered, whatever the answer."""
        self._misses = 0
        self._answered_at = self._clock.monotonic()
        if self._state == "half-open" and self._probing:
            self._turn_to("closed")
            self._say(0.0)
            log.warning("the service answers again: the run goes on")

    def missed(self, began: float, error: ReportFlowError) -> None:
        """Say that an attempt which began then brought no answer of the service's own."""
        if began < self._answered_at:
            return  # the service has answered meanwhile
        if self._from_the_start(error):
            return
        self._misses += 1
        self._last = error
        if self._state == "half-open":
            self._turn_to("open")
        elif self._state == "closed" and self._misses >= MISSES_IN_A_ROW:
            self._turn_to("open")
            log.warning(
                "%d calls in a row got no answer of the service's own (%s): the run waits, and looks "
                "whether it is back, at most %g s",
                self._misses,
                error,
                self._patience,
            )
            self._watch = asyncio.get_running_loop().create_task(self._until_it_is_back())

    def nothing_answered_since(self, since: float, error: ReportFlowError) -> bool:
        """Tell whether nothing was answered since a call's last attempts: then its failing is not its own."""
        return self._answered_at <= since and (
            self.ever_answered or (self._many and not self._from_the_start(error))
        )

    def _from_the_start(self, error: ReportFlowError) -> bool:
        """Tell whether an address, a proxy or a certificate may be wrong from the start: that is no outage."""
        return isinstance(error, ConnectionFailed) and not self.ever_answered

    # -- what calls ask --------------------------------------------------------------------------------------

    async def turn(self) -> bool:
        """Wait while the service is away; return True to the one call that goes first, with one document.

        Raises
        ------
        ConnectionFailed
            The service stayed away.
        """
        while self._state != "closed":
            if self._over is not None:
                raise self._over
            if self._state == "half-open" and not self._probing:
                self._probing = True
                return True
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change
        return False

    def probe_leaves(self) -> None:
        """Say that the call that goes first has its slot: from here its answer is waited for.

        Raises
        ------
        ConnectionFailed
            The service stayed away.
        """
        if self._over is not None:
            raise self._over
        self._probe_left = True

    def probe_ended(self) -> None:
        """Say that the call that went first ended without an answer or a miss: another one goes first."""
        if self._state == "half-open":
            self._turn_to("half-open")

    def close(self) -> None:
        """End with the run."""
        if self._watch is not None:
            self._watch.cancel()
            self._say(0.0)

    # -- what it does ----------------------------------------------------------------------------------------

    def _turn_to(self, state: Literal["closed", "open", "half-open"]) -> None:
        self._state = state
        self._probing = self._probe_left = False
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

    async def _until_it_is_back(self) -> None:
        began = self._clock.monotonic()
        give_up = began + self._patience
        pause = FIRST_LOOK_SECONDS
        while self._state != "closed":
            if await self._goes_on(give_up, pause):
                pause = min(2 * pause, LONGEST_LOOK_SECONDS)
                continue
            if self._elsewhere is not None and await self._elsewhere():
                give_up = self._clock.monotonic() + self._patience
                self._turn_to("open")
                continue
            self._say(0.0)
            self._over = self._ended(self._clock.monotonic() - began)
            self._end(self._over)
            self._turn_to("open")
            return

    async def _goes_on(self, give_up: float, pause: float) -> bool:
        """Look once, and let one call go first if the service is back; False when the patience is over.

        Neither a look nor a call that waits for its slot makes an outage longer than it says: a window may be
        closed for an hour. A call that has left is waited for.
        """
        left = give_up - self._clock.monotonic()
        if left <= 0:
            return False
        self._say(left)
        await self._clock.sleep(min(pause, left))
        look = asyncio.create_task(self._look_once())
        try:
            if not await self._done_before(give_up, look) or not look.result():
                return True
        finally:
            look.cancel()
        self._turn_to("half-open")
        while self._state == "half-open":
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            if self._probe_left:
                await change
            elif not await self._done_before(give_up, change) and not self._probe_left:
                return False
        return True

    async def _done_before(self, moment: float, work: asyncio.Future[Any]) -> bool:
        """Wait for something until a moment; return whether it was done by then."""
        timer = asyncio.create_task(self._clock.sleep(moment - self._clock.monotonic()))
        try:
            await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return work.done()

    async def _look_once(self) -> bool:
        """Tell whether the service answers."""
        try:
            await self._look()
        except ReportFlowError as error:
            if says_nothing(error):
                self._last = error
                return False
        return True

    def _ended(self, seconds: float) -> ReportFlowError:
        return ConnectionFailed(
            f"the service gave no answer of its own for {seconds:.0f} s, so {self._left}; "
            f"rf.configure(outage='10min') waits longer. The last that was seen: {self._last}"
        )
