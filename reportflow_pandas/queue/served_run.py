"""A run that a worker serves: the right to send each of its calls, and how it stores what became of them.

The right is asked for before each first byte, in one step with the note that the call is being sent. A worker
that was paused, cut off or slow may have lost its call to another one, or the run may have been cancelled. It
finds out here, and sends nothing. What was noted here and never answered is unknown; what was not noted
was never sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import Call
from reportflow_pandas.engine.circuit_breaker import CircuitBreaker
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.errors import AuthError, JournalError, ReportFlowError
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.collector import LATE
from reportflow_pandas.queue.connection import Replicas
from reportflow_pandas.queue.messages import AWAY, CANCELLED, INTENTS, SENT, WENT_BACK, Terms
from reportflow_pandas.queue.presence import Presence

__all__ = ["Lease", "LeaseLost", "ServedRun"]

log = logging.getLogger("reportflow_pandas")

TELL_SECONDS = 2.0
"""For telling the submitter of an outage when the worker ends."""

STORE_AGAIN_SECONDS = 0.5
"""Until an answer that could not be stored is stored again."""

REPLICA_SECONDS = 1.0
"""Until a replica is looked for again that has not taken the note of a call."""

_LOST = """
local found = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local token = redis.call('GET', KEYS[2] .. id .. ':lock')
  local ours = token and string.find(token, ARGV[1], 1, true) == 1
  if ours and redis.call('HEXISTS', KEYS[2] .. id, ARGV[2]) == 0 then
    found[#found + 1] = id
    found[#found + 1] = token
  end
end
return found
"""

_INTENT = """
if redis.call('EXISTS', KEYS[3]) == 1 then return {'cancelled', 0} end
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then return {'lost', 0} end
if tonumber(redis.call('GET', KEYS[4]) or '0') < tonumber(ARGV[3]) then
  redis.call('SET', KEYS[3], ARGV[4])
  redis.call('SET', KEYS[4], ARGV[3])
  return {'went back', 0}
end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return {'ok', redis.call('INCR', KEYS[4])}
"""


class ServedRun:
    """One run at a worker."""

    def __init__(
        self,
        name: str,
        terms: Terms,
        *,
        redis: Any,
        keys: Keys,
        bull: Any,
        channel: Channel,
        client: Client,
        presence: Presence,
    ) -> None:
        self.name = name
        self.terms = terms
        self.bull = bull
        self.channel = channel
        self.client = client
        self.in_flight: set[asyncio.Task[None]] = set()
        self.held: set[str] = set()
        """Calls that Redis gave to this worker and whose reply arrived; those that ended well leave it."""
        self.checked_at = time.monotonic()
        self._redis = redis
        self._keys = keys
        self._telling: asyncio.Task[None] | None = None
        self._presence = presence
        self.breaker = channel.breaker = CircuitBreaker(
            partial(channel.look, client.designs),
            end=lambda error: log.warning("run %s: %s", terms.run, error),
            say=self.tell_away,
            clock=channel.clock,
            patience=channel.patience,
            elsewhere=presence.others_answered,
        )
        self.breaker.answered()  # at the submitter: what cannot be reached from here is away, not the calls' fault
        self.intents = Intents()
        self.left_to_others = False
        """Whether other workers are answered and this one is not: its calls that were not sent are theirs."""
        self._said_to_end = False
        self._waiting: set[asyncio.Task[Any]] = set()
        """Sending tasks that wait for the service to come back."""

    @property
    def takes(self) -> bool:
        """Whether it takes calls out of the queue; after an outage one at first."""
        return not self.breaker.away or (self.breaker.admits and not self.in_flight)

    async def turn(self) -> bool:
        """Wait while the service is away; True to the one call that goes first.

        The task is cancelled when the call is left to other workers.
        """
        if not self.breaker.away:
            return False
        here = asyncio.current_task()
        assert here is not None  # noqa: S101 - a call is sent in a task
        self._waiting.add(here)
        try:
            return await self.breaker.turn()
        finally:
            self._waiting.discard(here)

    @property
    def given_up(self) -> bool:
        """Whether the service stayed away; a run that goes on later begins from the start here."""
        return self.breaker.gave_up

    def say_that_it_ends(self, error: Exception) -> None:
        """Say in the log what ends the run: once, though each of its calls may meet it."""
        if not self._said_to_end:
            self._said_to_end = True
            log.warning("run %s ends: %s", self.terms.run, error)

    async def close(self) -> None:
        """End what looks after its calls."""
        await self.bull.lockManager.close()
        self.breaker.close()  # which tells that it is over
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=TELL_SECONDS)
            self._telling.cancel()

    def tell_away(self, seconds: float) -> None:
        """Say that the service is away and for how long it is waited for; 0.0: it is back.

        Where other workers are answered, the network of this machine is broken, which is not the run's matter: the
        calls that wait here are left to them. Else the submitter is told.
        """
        before, why = self._telling, self.breaker.seen

        async def tell() -> None:
            if before is not None:
                await asyncio.wait([before])
            key = self._keys.of(self.name, AWAY)
            with contextlib.suppress(RedisError, OSError):
                if seconds <= 0:
                    if self.left_to_others:
                        await self._presence.say("")
                    self.left_to_others = False
                    await self._redis.delete(key)
                elif await self._presence.others_answered():
                    await self._leave_to_others(why)
                else:
                    self.left_to_others = False
                    await self._redis.set(key, why, px=round(seconds * 1000))

        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        self._telling = asyncio.get_running_loop().create_task(tell())

    async def _leave_to_others(self, why: str) -> None:
        said, self.left_to_others = self.left_to_others, True
        for task in tuple(self._waiting):
            task.cancel()
        if not said:
            words = (
                f"other workers are answered, and this one is not ({why}): it takes no calls until it is, and "
                "leaves them to the others. Is something wrong with the network of this machine?"
            )
            log.warning("run %s: %s", self.terms.run, words)
            await self._presence.say(words)

    def lease(self, identity: str, token: str, replicas: Replicas) -> Lease:
        """Return the right to a call that was taken with this token."""
        keys = [self._keys.of(self.name, name) for name in (CANCELLED, INTENTS)]
        job = self._keys.of(self.name, identity)
        return Lease(self._redis, [f"{job}:lock", job, *keys], token, replicas, self.intents)

    async def leaves(self, lease: Lease, outcomes: Outcomes, error: ReportFlowError | None) -> bool:
        """Tell whether a call goes back to other workers: nothing was taken, for a reason of this machine."""
        if outcomes.counts()["not_sent"] != len(outcomes):
            return False
        if isinstance(error, AuthError) and error.status == 401:
            if not await self._presence.leaves_for_its_key(error):
                return False
        elif error is not None or not self.left_to_others:
            return False
        await lease.nothing_sent()
        return True

    async def keep(self, job: Any, answer: dict[str, Any], token: str) -> None:
        """Store an answer; it was paid for, so Redis is waited for."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        while True:
            try:
                await self.bull.backend.moveToCompleted(job, answer, False, token, fetch_next=False)
            except (RedisError, OSError) as error:
                log.warning("the answer to call %s could not be stored (%s); tried again", job.id, error)
                await asyncio.sleep(STORE_AGAIN_SECONDS)
            except TypeError as problem:
                # BullMQ's words for: this worker no longer has the call. Or the answer is stored already, and only
                # Redis' word of it was lost
                if await self._redis.hexists(self._keys.of(self.name, job.id), "returnvalue"):
                    return
                log.warning(
                    "call %s was given up before its answer came (%s); it is noted as late", job.id, problem
                )
                await self.note_late(job.id, answer)
                return
            else:
                return

    async def note_late(self, identity: str, answer: dict[str, Any]) -> None:
        """Store an answer beside a call that was given up."""
        late = self._keys.of(self.name, LATE)
        await self._redis.hset(late, identity, orjson.dumps(answer).decode())
        await self._redis.expire(late, 30 * 86400)

    async def fail(self, job: Any, token: str, reason: str) -> None:
        """Store that a call failed."""
        try:
            await self.bull.backend.moveToFailed(job, reason, False, token, fetch_next=False)
        except TypeError as problem:
            log.warning("call %s: %s", job.id, problem)

    async def take_back_lost(self) -> None:
        """Put calls back that this worker has without knowing it: the reply that gave them was lost on its way.

        Only this worker's own, none that it holds, and none that was noted as sent; not while a reply is awaited.
        Without this they would wait until their lock ends and two looks for stalled calls have passed.
        """
        keys = [self._keys.of(self.name, "active"), self._keys.of(self.name, "")]
        found = iter(await self._redis.eval(_LOST, 2, *keys, f"{self.bull.id}:", SENT))
        for identity, token in zip(found, found, strict=True):
            if identity not in self.held:
                log.info("call %s was given to this worker, and the word of it was lost: it goes back", identity)
                await self._put_back(identity, token)

    async def give_back(self, job: Any, token: str) -> None:
        """Let another worker have a call of which nothing was sent."""
        await self._put_back(job.id, token)

    async def _put_back(self, identity: str, token: str) -> None:
        try:
            await self.bull.backend.retryJob(identity, True, token)
        except TypeError as problem:
            log.warning("call %s could not be given back: %s", identity, problem)


class LeaseLost(JournalError):  # noqa: N818 - says what happened
    """The call must not be sent by this worker.

    Attributes
    ----------
    cancelled : bool
        The run was cancelled; else another worker has the call, or none.
    """

    def __init__(self, message: str, *, cancelled: bool) -> None:
        super().__init__(message)
        self.cancelled = cancelled


_LOST_TO = {
    "cancelled": "the run was cancelled",
    "lost": "another worker has taken this call over",
    "went back": "Redis has gone back to an earlier state, so the call may have been sent since",
}


@dataclass(slots=True)
class Intents:
    """A run's `INTENTS` as far as this worker knows: a Redis that tells of fewer has forgotten some."""

    known: int = 0


class Lease:
    """A worker's right to one call.

    Parameters
    ----------
    client : redis.asyncio.Redis
        The connection.
    keys : list of str
        Of the job's lock, the job, and its queue's `CANCELLED` and `INTENTS`.
    token : str
        The worker's, in the job's lock.
    replicas : Replicas
        What may take the place of this Redis.
    intents : Intents
        Of the run.

    Attributes
    ----------
    attempts : int
        Attempts whose first byte may have left.
    """

    def __init__(self, client: Any, keys: list[str], token: str, replicas: Replicas, intents: Intents) -> None:
        self._client = client
        self._keys = keys
        self._token = token
        self._replicas = replicas
        self._intents = intents
        self.attempts = 0

    async def intend(self, call: Call) -> int:  # noqa: ARG002 - the lease is of one call
        """Note that the call is about to be sent.

        Raises
        ------
        LeaseLost
            It must not be.
        """
        said = False
        while not await self._noted():
            await self._replicas.look(self._client)
            if not said:
                said = True
                log.warning("call %s waits for a replica of Redis to take the note that it is sent", self._keys[1])
        self.attempts += 1
        return self.attempts

    async def _noted(self) -> bool:
        """Note it once; return whether a replica has the note too, if there is one."""
        async with self._client.pipeline(transaction=False) as together:  # WAIT is for what its connection wrote
            together.eval(_INTENT, 4, *self._keys, self._token, SENT, self._intents.known, WENT_BACK)
            if self._replicas.online:
                together.execute_command("WAIT", 1, round(REPLICA_SECONDS * 1000))
            (verdict, intents), *copies = await together.execute()
        if verdict != "ok":
            raise LeaseLost(_LOST_TO[verdict], cancelled=verdict == "cancelled")
        if copies == [0]:
            return False
        self._intents.known = max(self._intents.known, intents)
        return True

    async def nothing_sent(self) -> None:
        """Take the note back: nothing of the call reached the service, and another worker gets it."""
        await self._client.hdel(self._keys[1], SENT)
        self.attempts = 0

    def withdraw(self, intent: int, call: Call) -> None:
        """Leave the note: a call with it and without an answer is a person's to look up."""
