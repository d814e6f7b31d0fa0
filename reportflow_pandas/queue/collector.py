"""What comes back: finished calls go out of the queue and into the run's journal, and leave Redis."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from reportflow_pandas.engine.circuit_breaker import RefusalBreaker
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.errors import ReportFlowError, api_error
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.next_steps import LOOK_IT_UP
from reportflow_pandas.printable import counted
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.messages import CANCELLED, INTENTS, SENT, SET_ASIDE, SetAside, outcomes_of, stop_in

__all__ = ["AHEAD", "LATE", "Collection", "Enqueued", "some"]

log = logging.getLogger("reportflow_pandas")

LATE = "late"
"""The key of a queue with answers that came when the call had been given up: of a worker that was paused."""

PAGE = 100
"""Answers that are read at a time."""

AGAIN = 3
"""Times that a call which was never sent is put into the queue."""

LOST_BY_WORKER = f"the worker that sent it ended before the answer came: {LOOK_IT_UP}"
LOST_BY_REDIS = f"Redis lost this call after it was put there, and a worker may have sent it before: {LOOK_IT_UP}"
GIVEN_UP = f"the run was stopped while a worker had this call: {LOOK_IT_UP}"
FORGOTTEN = f"Redis has gone back to an earlier state, and a worker may have sent this call since: {LOOK_IT_UP}"
DAMAGED = f"the worker's answer was damaged in Redis: {LOOK_IT_UP}"

_TAKE_BACK = """
local waiting = redis.call('LRANGE', KEYS[1], 0, 999)
for _, id in ipairs(waiting) do
  redis.call('LREM', KEYS[1], 1, id)
  redis.call('DEL', KEYS[2] .. id)
end
return waiting
"""


AHEAD = """
local t, known = redis.call('TIME'), tonumber(redis.call('GET', KEYS[1]) or '0')
return redis.call('SET', KEYS[1], string.format('%.0f', math.max(t[1] * 1000000 + t[2], known + 1000000)))
"""
"""Set a queue's `INTENTS` to the microseconds of Redis' clock, or further: more than any worker knows of it."""


@dataclass(slots=True, eq=False)
class Enqueued:
    """A call that is in the queue, as far as this side knows.

    Attributes
    ----------
    number : int
        The call's in the journal.
    positions : sequence of int
        Its rows.
    ids : sequence of str
        Our ids of these.
    added : bool
        Whether Redis has confirmed it.
    times : int
        How often its rows were put into the queue.
    missed : bool
        Whether it was looked for once and not found.
    """

    number: int
    positions: Sequence[int]
    ids: Sequence[str]
    added: bool = True
    times: int = 1
    missed: bool = False

    def places(self) -> dict[str, int]:
        """Return its rows by our ids."""
        return dict(zip(self.ids, self.positions, strict=True))

    def part(self, offsets: Iterable[int]) -> list[int]:
        """Return some of its rows."""
        return [self.positions[offset] for offset in offsets]


@dataclass(slots=True, eq=False)
class _Finished:
    """A call as Redis tells of it."""

    identity: str
    entry: Enqueued
    state: str
    value: str
    sent: bool
    stalled: bool


class Collection:
    """Reads finished calls of one run.

    Parameters
    ----------
    queue : str
        The run's queue.
    client : redis.asyncio.Redis
        The connection.
    keys : Keys
        The names of what is kept there.
    run : str
        The run, for the log.
    journal, outcomes, phase
        Where outcomes go: into the journal first.
    stop : callable
        Told what ends the whole run.
    put_back : callable
        Awaited with the text of a call, the entry and the offsets of documents that were certainly not sent.
    warn : callable
        Told what people should know.
    settled : callable or None
        Told of each position that has a final outcome.
    stop_on_failure : bool
        Whether the first failed row ends the run.

    Attributes
    ----------
    open : dict
        Calls that are awaited, by their id in the queue.
    given_up : dict
        Calls that are unknown and whose worker may tell of them yet.
    stopping : bool
        Nothing goes back into the queue any more.
    ahead : float
        Seconds that this machine's clock is ahead of that of Redis.
    breaker : RefusalBreaker
        Refusals in a row.
    """

    def __init__(
        self,
        queue: str,
        client: Any,
        *,
        keys: Keys,
        run: str,
        journal: Journal,
        outcomes: Outcomes,
        phase: Phase,
        stop: Callable[[ReportFlowError], None],
        put_back: Callable[[str, Enqueued, Sequence[int]], Any],
        warn: Callable[[str], None],
        settled: Callable[[int], None] | None,
        stop_on_failure: bool,
    ) -> None:
        self._name = queue
        self._client = client
        self._keys = keys
        self._run = run
        self._journal = journal
        self._outcomes = outcomes
        self._phase = phase
        self._stop = stop
        self._put_back = put_back
        self._warn = warn
        self._settled = settled
        self._stop_on_failure = stop_on_failure
        self._take_back = client.register_script(_TAKE_BACK)
        self._collected: set[str] = set()
        self.open: dict[str, Enqueued] = {}
        self.given_up: dict[str, Enqueued] = {}
        self.stopping = self._went_back = False
        self.ahead = 0.0
        self.breaker = RefusalBreaker(len(outcomes))

    def _key(self, *parts: str) -> str:
        return self._keys.of(self._name, *parts)

    # -- finished calls ------------------------------------------------------------------------------------------

    async def collect(self, counts: dict[str, int], known: set[str]) -> int:
        """Look once.

        Parameters
        ----------
        counts : dict of int
            Calls in the queue by state, just counted.
        known : set of str
            Ids that must have been among them.

        Returns
        -------
        int
            How many calls were collected.
        """
        found = 0
        if counts["completed"]:
            found += await self._take("completed", "returnvalue")
        if counts["failed"]:
            found += await self._take("failed", "failedReason")
        if self.given_up:
            found += await self._take_late()
        if not found and sum(counts.values()) < len(known):
            found += await self._find_missing(known)
        return found

    async def _take(self, state: str, field: str) -> int:
        skip = found = 0
        while True:
            identities = await self._client.zrange(self._key(state), skip, skip + PAGE - 1)
            finished = await self._read(state, field, identities)
            ended = [call.identity for call in finished] + [
                identity for identity in identities if identity in self._collected
            ]
            skip += len(identities) - len(ended)  # of another program, or being added just now
            await self._settle(finished)
            if ended:
                async with self._client.pipeline(transaction=True) as together:
                    together.zrem(self._key(state), *ended)
                    together.unlink(*[self._key(identity) for identity in ended])
                    await together.execute()
                self._collected.difference_update(ended)
            found += len(ended)
            if len(identities) < PAGE:
                return found

    async def _read(self, state: str, field: str, identities: Sequence[str]) -> list[_Finished]:
        # only what is needed: the documents, which are most of a call, stay where they are
        ours = [
            (identity, entry)
            for identity in identities
            if (entry := self.open.get(identity)) is not None and entry.added
        ]
        if not ours:
            return []
        async with self._client.pipeline(transaction=False) as together:
            for identity, _ in ours:
                together.hmget(self._key(identity), field, SENT, "stc")
            values = await together.execute()
        return [
            _Finished(identity, entry, state, value or "", bool(sent), bool(stalled))
            for (identity, entry), (value, sent, stalled) in zip(ours, values, strict=True)
        ]

    async def _settle(self, finished: Sequence[_Finished]) -> None:
        """Write down what became of calls; show it; put back what was certainly not sent."""
        records: list[asyncio.Future[None]] = []
        returning: list[tuple[_Finished, Sequence[int]]] = []
        shown: list[int] = []
        texts: list[str | None] = []
        for call in finished:
            entry = call.entry
            offsets = self._answered(call) if call.state == "completed" else self._failed(call)
            if offsets and len(offsets) == len(entry.positions):
                self._journal.withdraw(entry.number, entry.positions)
            else:
                records.append(self._journal.answered(entry.number, self._outcomes.as_answered(entry.positions)))
            # from here on it is collected, whatever happens to this look
            del self.open[call.identity]
            self._collected.add(call.identity)
            if offsets:
                returning.append((call, offsets))
                texts.append(await self._client.hget(self._key(call.identity), "data"))
            shown += entry.part(sorted(set(range(len(entry.positions))) - set(offsets)))
        if records:
            await asyncio.gather(*records)
        self._finish(shown)
        for (call, offsets), text in zip(returning, texts, strict=True):
            await self._put_back(text or "", call.entry, offsets)

    def _answered(self, call: _Finished) -> Sequence[int]:
        """Set the outcomes of an answered call; return the offsets of documents that were not sent."""
        try:
            answer = orjson.loads(call.value)
            outcomes = outcomes_of(answer, call.entry.places(), self.ahead)
        except (SetAside, ValueError) as problem:
            log.warning("call %s: %s", call.identity, problem)
            self.mark(call.entry.positions, "unknown", "unknown_outcome", DAMAGED)
            return ()
        for outcome in outcomes:
            self._outcomes.put(outcome)
            self._count(outcome)
        if (stop := stop_in(answer)) is not None:
            self._stop(stop)
        unsent = [outcome.row for outcome in outcomes if outcome.status == "not_sent"]
        if self._went_back and unsent:
            self.mark(unsent, "unknown", "unknown_outcome", FORGOTTEN)
        if self.stopping:
            return ()
        return [offset for offset, position in enumerate(call.entry.positions) if position in set(unsent)]

    def _failed(self, call: _Finished) -> Sequence[int]:
        """Set the outcomes of a call without an answer; return the offsets of documents that were not sent."""
        entry = call.entry
        if call.sent:
            self.given_up[call.identity] = entry
            text = LOST_BY_WORKER if call.stalled else f"{LOST_BY_WORKER} ({call.value})"
            self.mark(entry.positions, "unknown", "unknown_outcome", text)
            return ()
        if self._went_back:
            self.mark(entry.positions, "unknown", "unknown_outcome", FORGOTTEN)
        if self.stopping:
            return ()
        if entry.times < AGAIN and not call.value.startswith(SET_ASIDE):
            return range(len(entry.positions))
        self.mark(entry.positions, "failed", "invalid", f"nothing was sent for it: {call.value}")
        return ()

    def _count(self, outcome: Outcome) -> None:
        if outcome.status in ("accepted", "ready"):
            self.breaker.accepted()
        elif outcome.status == "unknown":
            self._phase.unknown += 1
        elif outcome.status == "failed":
            self._phase.failed += 1
            log.warning(
                "run %s, row %d: failed, %s: %s", self._run, outcome.row, outcome.error_kind, outcome.error
            )
            error = api_error(
                outcome.http_status or 400, [outcome.error or "a row failed"], request_id=outcome.request_id
            )
            equal = self.breaker.refused(outcome.error or "", error)
            if self._stop_on_failure or (equal and not self.stopping):
                self._stop(error)

    # -- what people see -----------------------------------------------------------------------------------------

    def mark(self, positions: Sequence[int], status: str, kind: str, text: str) -> None:
        """Set rows to failed or unknown."""
        for position in positions:
            self._outcomes.tried(position, 1, 0.0)
            self._outcomes.refused(position, status, kind, text, None)
        if status == "unknown":
            self._phase.unknown += len(positions)
        else:
            self._phase.failed += len(positions)
        log.warning("run %s, rows %s: %s, %s", self._run, some(positions), status, text)

    def finish(self, positions: Sequence[int]) -> None:
        """Show rows whose outcome is known already."""
        self._finish(positions)

    async def record(self, entries: Sequence[Enqueued]) -> None:
        """Write the outcomes of calls down, then show them."""
        await asyncio.gather(
            *[
                self._journal.answered(entry.number, self._outcomes.as_answered(entry.positions))
                for entry in entries
            ]
        )
        for entry in entries:
            self._finish(entry.positions)

    def _finish(self, positions: Sequence[int]) -> None:
        self._phase.done += len(positions)
        if self._settled is not None:
            for position in positions:
                self._settled(position)

    # -- what went wrong -----------------------------------------------------------------------------------------

    async def _take_late(self) -> int:
        """Learn from a worker that had been given up and came back after all."""
        answers = await self._client.hgetall(self._key(LATE))
        found = 0
        for identity, text in answers.items():
            entry = self.given_up.get(identity)
            if entry is None:
                continue
            with contextlib.suppress(SetAside, ValueError):
                for outcome in outcomes_of(orjson.loads(text), entry.places(), self.ahead):
                    if outcome.status != "not_sent" and self._outcomes.status_of(outcome.row) == "unknown":
                        self._outcomes.put(outcome)
                        self._phase.unknown -= 1
                        self._count(outcome)
                await self.record([entry])
                self._phase.done -= len(entry.positions)
                self._warn(
                    f"rows {some(entry.positions)}: the worker that had been given up has answered after all"
                )
            del self.given_up[identity]
            found += 1
        return found

    async def _find_missing(self, known: set[str]) -> int:
        """Find calls that Redis no longer has."""
        awaited = [(identity, self.open[identity]) for identity in known if identity in self.open]
        lost: list[str] = []
        for start in range(0, len(awaited), 1000):
            page = awaited[start : start + 1000]
            async with self._client.pipeline(transaction=False) as together:
                for identity, _ in page:
                    together.exists(self._key(identity))
                there = await together.execute()
            for (identity, entry), is_there in zip(page, there, strict=True):
                if is_there:
                    continue
                if not entry.missed:  # the second time counts
                    entry.missed = True
                    continue
                lost.append(identity)
        if lost:
            rows = await self._lose(lost, LOST_BY_REDIS)
            self._warn(
                f"Redis lost {counted(len(lost), 'call')} with {counted(rows, 'row')}: they are unknown, for "
                "a worker may have sent them before. What was collected stays as it is"
            )
        return len(lost)

    async def _lose(self, identities: Sequence[str], text: str) -> int:
        """Record calls as unknown whose workers may tell of them yet; return how many rows they have."""
        lost = [self.open.pop(identity) for identity in identities]
        for identity, entry in zip(identities, lost, strict=True):
            self.given_up[identity] = entry
            self.mark(entry.positions, "unknown", "unknown_outcome", text)
        await self.record(lost)
        return sum(len(entry.positions) for entry in lost)

    async def redis_went_back(self) -> int:
        """Record what is awaited as unknown: Redis no longer knows what was sent. Return how many rows it is."""
        before = self._phase.unknown
        self._went_back = self.stopping = True
        await self._take("completed", "returnvalue")
        await self._take("failed", "failedReason")
        await self._lose(list(self.open), FORGOTTEN)
        await self._client.eval(AHEAD, 1, self._key(INTENTS))
        await self.call_back()
        return self._phase.unknown - before

    # -- the end of a run that is stopped -------------------------------------------------------------------------

    async def call_back(self) -> None:
        """Tell the workers to send nothing more, and take back what was not sent."""
        await self._client.set(self._key(CANCELLED), "1", ex=86400)
        while taken := await self._take_back(keys=[self._key("wait"), self._key("")], args=[]):
            for identity in taken:
                self._release(identity)
        # a worker that has a call and did not send it yet cannot do so any more: it asks before each first byte
        held = [identity for identity, entry in self.open.items() if entry.added]
        async with self._client.pipeline(transaction=False) as together:
            for identity in held:
                together.hmget(self._key(identity), "timestamp", SENT, "returnvalue")
            for identity, (there, sent, answer) in zip(held, await together.execute(), strict=True):
                if there and not sent and not answer:
                    self._release(identity)

    def _release(self, identity: str) -> None:
        entry = self.open.pop(identity, None)
        if entry is not None:
            self._journal.withdraw(entry.number, entry.positions)

    async def give_up(self) -> None:
        """Record what was not collected: it may have been sent."""
        left, self.open = self.open, {}
        for identity, entry in left.items():
            self.given_up[identity] = entry
            self.mark(entry.positions, "unknown", "unknown_outcome", GIVEN_UP)
        with contextlib.suppress(ReportFlowError):
            await self.record(list(left.values()))


def some(positions: Sequence[int]) -> str:
    """Return rows for people."""
    return str(positions[0]) if len(positions) == 1 else f"{positions[0]} to {positions[-1]}"
