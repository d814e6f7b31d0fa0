"""The connection to Redis: whether it is as a queue needs it, and whether it is still there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.queue.address import Keys, RedisAddress

__all__ = [
    "REFUSAL_PATIENCE_SECONDS",
    "RedisUnavailable",
    "Replicas",
    "closed",
    "connect",
    "connect_when_there",
    "connected",
    "ended",
    "seconds_ahead",
    "watch",
]

log = logging.getLogger("reportflow_pandas")

RETRIES = 200
"""Tries of each command, at most a second apart: no answer of the service is thrown away when Redis restarts."""

WATCH_SECONDS = 5.0
"""Between two looks whether Redis is there and takes what is written."""

REFUSAL_PATIENCE_SECONDS = 6.0
"""For which a submitter asks again what Redis refuses, before it is told to the analyst."""

AWAY_LOOK_SECONDS = 1.0
"""Between two looks for a Redis that was not there when a worker started."""

CANCEL_AGAIN_SECONDS = 0.5
"""After which a task that was told to end is told again."""


class RedisUnavailable(ConfigurationError):  # noqa: N818 - says what is the matter
    """Redis is away, or cannot be written to just now: it may pass. Nothing was sent."""


# -- is it as it should be ---------------------------------------------------------------------------------------


async def connect(address: RedisAddress, warn: Callable[[str], None] | None = None) -> Any:
    """Return a client that rides out a restart and a fail-over of Redis.

    ``warn`` is told what should be otherwise, though it works.

    Raises
    ------
    RedisUnavailable
        Redis cannot be reached or written to just now.
    ConfigurationError
        It refuses for good: the password, a right, a cluster, its age.
    """
    await connected(address, warn or (lambda text: log.warning("%s", text)))
    return address.client(retries=RETRIES)


async def connect_when_there(address: RedisAddress, ending: asyncio.Event) -> Any:
    """Return a client as soon as Redis is there, which may come up later; None when told to end before."""
    said = ""
    while not ending.is_set():
        try:
            return await connect(address)
        except RedisUnavailable as error:
            if (text := str(error)) != said:
                said = text
                log.warning("%s. Waiting for it", text.replace(". Nothing was sent", ""))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), AWAY_LOOK_SECONDS)
    return None


async def closed(client: Any) -> None:
    """Close a client, and those of the sentinels that it asked."""
    sentinels = getattr(getattr(client.connection_pool, "sentinel_manager", None), "sentinels", ())
    for node in (client, *sentinels):
        await node.aclose()


async def connected(
    address: RedisAddress, warn: Callable[[str], None] | None = None, *, patience: float = 0.0
) -> None:
    """Raise if Redis cannot be used, with what to do; see `connect`.

    What it refuses is tried again for ``patience`` seconds: in a fail-over or a restart, roles, rights and slots
    may come a moment after the first answer.
    """
    from redis.exceptions import ResponseError  # noqa: PLC0415 - see `RedisAddress.of`

    client = address.client(retries=0)
    give_up = asyncio.get_running_loop().time() + patience
    try:
        while True:
            try:
                await client.ping()
                facts = await _facts(client)
                _check_version(address, facts)
                await _rehearse(client, address.keys)
                break
            except ConfigurationError:
                raise
            except Exception as first:
                error, where = await _of_sentinels(address, client, first)
                if (refusal := _refusal(address, error, where)) is None:
                    raise
                if not isinstance(error, ResponseError) or asyncio.get_running_loop().time() >= give_up:
                    raise refusal from None
                log.warning("%s; tried again for %g s", refusal, patience)
                await asyncio.sleep(max(0.5, patience / 5))
                await client.connection_pool.disconnect()
    finally:
        await closed(client)
    if warn is not None:
        _warn_of(address, facts, warn)


async def _facts(client: Any) -> dict[str, Any]:
    """Return what INFO and CONFIG tell; nothing where they are not allowed, as CONFIG at most hosters."""
    from redis.exceptions import ResponseError  # noqa: PLC0415 - see `RedisAddress.of`

    facts: dict[str, Any] = {}
    with contextlib.suppress(ResponseError):
        facts |= await client.info()
    with contextlib.suppress(ResponseError):
        facts |= await client.config_get("*append*")
    return facts


async def _rehearse(client: Any, keys: Keys) -> None:
    """Put a call into a queue, take it, finish it: whatever is refused for good is refused now."""
    import bullmq  # noqa: PLC0415 - see `RedisAddress.of`
    from bullmq.job import Job  # noqa: PLC0415 - the same

    name = f"rehearsal-{secrets.token_hex(6)}"
    options = {"connection": client, "prefix": keys.prefix, "skipVersionCheck": True}
    queue = bullmq.Queue(name, options)
    worker = bullmq.Worker(name, None, {**options, "autorun": False})
    lasting = {"attempts": 1, "removeOnComplete": False, "removeOnFail": False, "stackTraceLimit": 0}
    await client.eval(_WRITTEN, 2, keys.of(name, "one"), keys.of(name, "other"))
    await queue.addBulk([{"name": "call", "data": {}, "opts": {"jobId": "one", **lasting}}])
    raw, identity, *_ = await worker.backend.moveToActive("token", worker.opts) or [None, None]
    if raw and identity:
        job = Job.fromJSON(worker, raw, identity)
        await worker.backend.moveToCompleted(job, {}, False, "token", fetch_next=False)
    await queue.getJobCounts()
    await queue.obliterate(force=True)


_WRITTEN = """
redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000)
redis.call('ZADD', KEYS[2], 1, 'one')
redis.call('PEXPIRE', KEYS[2], 1000)
return redis.call('DEL', KEYS[1], KEYS[2])
"""
"""As much as shows whether Redis takes what is written, by a script, to two keys."""


def _check_version(address: RedisAddress, facts: dict[str, Any]) -> None:
    version = str(facts.get("redis_version", "6.2"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < (6, 2):
        raise ConfigurationError(f"{address} is Redis {version}; a queue needs 6.2 or newer")


def _warn_of(address: RedisAddress, facts: dict[str, Any], warn: Callable[[str], None]) -> None:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        warn(
            f"{address} has the eviction policy {policy}: when its memory is full it throws calls away, whose "
            "rows will be unknown. Set maxmemory-policy noeviction"
        )
    if not int(facts.get("aof_enabled", 1)):
        warn(
            f"{address} keeps no append-only file: after a restart it may have forgotten which calls were sent, "
            "and a call could go out twice. Set appendonly yes and appendfsync always"
        )
        return
    for name, right in (("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")):
        if (set_to := facts.get(name, right)) != right:
            warn(
                f"{address} has {name} {set_to}: when its machine dies, it may have forgotten which calls were "
                f"sent just before, and they could go out twice. Set {name} {right}"
            )


_CLUSTER = (
    "is a Redis Cluster, and a queue needs a single Redis: its scripts change several keys in one step, which a "
    "cluster keeps on different machines. Sentinels may watch it: redis+sentinel://host1:26379/mymaster/0"
)

_REFUSALS: tuple[tuple[tuple[str, ...], bool, str], ...] = (
    # what stands in redis-py's class or in Redis' words; whether it may pass; what to say
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        False,
        (
            "has a certificate that this machine does not trust, or one for another name ({told}). Give the file "
            "of its authority: queue='{scheme}://…?ssl_ca_certs=/path/ca.pem', and the name that the "
            "certificate is for"
        ),
    ),
    (
        ("CrossSlot", "MovedError", "AskError", "ClusterDown", "CLUSTERDOWN", "hash to the same slot"),
        False,
        f"{_CLUSTER} ({{told}})",
    ),
    (
        ("OutOfMemory", "OOM ", "used memory >"),
        True,
        "is full and takes nothing more ({told}). Give it more memory (maxmemory), or take out what is not needed",
    ),
    (("MISCONF",), True, "cannot write to its disk and takes nothing more ({told}). Its own log says why"),
    (
        ("ReadOnly", "READONLY", "read only replica"),
        True,
        (
            "is a replica that takes nothing ({told}). Give the address of the master, or let sentinels tell it: "
            "redis+sentinel://host1:26379/mymaster/0"
        ),
    ),
    (("NOREPLICAS",), True, "has too few replicas and takes nothing ({told})"),
    (("MasterDown", "BusyLoading"), True, "is not ready yet ({told})"),
    (
        ("Authentication", "NOAUTH", "WRONGPASS"),
        False,
        (
            "refuses the user or password ({told}). Write them into the address: "
            "queue='{scheme}://{way}', percent-encoded where they hold / # ? [ ] @"
        ),
    ),
    (
        ("NoPermission", "NOPERM", "permissions to", "can't run this command", "can't access", "unknown command"),
        False,
        (
            "does not let this user do what a queue needs ({told}). It needs all keys that begin with {prefix}: "
            "and the commands of +@read +@write +@scripting +@transaction +@connection +time (ACL SETUSER), none "
            "of them renamed. Where only keys with another beginning are allowed, say so: queue='redis://…/0?prefix=app:reportflow'"
        ),
    ),
)


async def _of_sentinels(address: RedisAddress, client: Any, error: Exception) -> tuple[Exception, str]:
    """Return what a sentinel says of itself, and its name, where redis-py only says that none told of a master."""
    from redis.asyncio.sentinel import MasterNotFoundError  # noqa: PLC0415 - see `RedisAddress.of`
    from redis.exceptions import RedisError  # noqa: PLC0415 - the same

    if not isinstance(error, MasterNotFoundError):
        return error, str(address)
    sentinels = client.connection_pool.sentinel_manager.sentinels
    refusals: list[tuple[Exception, str]] = []
    for (host, port), sentinel in zip(address.hosts, sentinels, strict=True):
        try:
            await sentinel.ping()
        except (RedisError, OSError, TimeoutError) as reason:
            refusals.append((reason, f"the sentinel {host}:{port} of {address}"))
    if len(refusals) < len(sentinels):  # another one knows of no such master
        return error, str(address)
    # one that is only away says less than one that refuses
    return min(refusals, key=lambda told: isinstance(_refusal(address, *told), RedisUnavailable))


def _refusal(address: RedisAddress, error: Exception, where: str) -> ConfigurationError | None:
    """Return what to say when Redis cannot be used; None for an error that is no answer of Redis."""
    from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415 - see `RedisAddress.of`

    # behind the mark redis-py shows its clients of the sentinels, a thousand characters each
    told = " ".join(str(error).split()).partition(" : <redis")[0]
    words = f"{type(error).__name__} {told}"
    way = "user:password@host:6379/0" if where == str(address) else "…?sentinel_username=…&sentinel_password=…"
    for marks, passes, text in _REFUSALS:
        if any(mark in words for mark in marks):
            kind = RedisUnavailable if passes else ConfigurationError
            said = text.format(told=told, prefix=address.keys.prefix, scheme=address.scheme, way=way)
            return kind(f"{where} {said}. Nothing was sent")
    if (
        isinstance(error, ResponseError) or type(error) is TypeError
    ):  # BullMQ's own for an answer that it cannot read
        return ConfigurationError(f"{where} cannot be used: {told}. Nothing was sent")
    if isinstance(error, RedisError | OSError | TimeoutError | ValueError):
        other = "redis:// where it speaks none" if address.tls else "rediss:// where it speaks TLS"
        return RedisUnavailable(
            f"there is no Redis at {where} ({told}). Nothing was sent. Is it running, and may this machine "
            f"reach it? `redis-cli -u ADDRESS ping` tells. The address begins with {other}"
        )
    return None


async def watch(address: RedisAddress, told: Callable[[str], None] | None = None) -> None:
    """Say when Redis is away or refuses what is written, and when it is back, for ever.

    Commands wait for it by themselves; what it refuses is told once, in its own words.
    """
    client = address.client(retries=0)
    keys = address.keys
    name = f"watch-{secrets.token_hex(6)}"
    said = ""
    try:
        while True:
            try:
                await client.eval(_WRITTEN, 2, keys.of(name, "one"), keys.of(name, "other"))
            except Exception as first:  # noqa: BLE001 - whatever it is: the watch goes on
                error, where = await _of_sentinels(address, client, first)
                if (refusal := _refusal(address, error, where)) is not None and (text := str(refusal)) != said:
                    said = text
                    text = text.replace(". Nothing was sent", "") + "; the run waits for it"
                    log.warning("%s", text)
                    if told is not None:
                        told(text)
                await client.connection_pool.disconnect()
            else:
                if said:
                    said = ""
                    log.warning("Redis at %s answers again", address)
            await asyncio.sleep(WATCH_SECONDS)
    finally:
        await closed(client)


async def seconds_ahead(client: Any, clock: Clock) -> float:
    """Return how many seconds this machine's clock is ahead of that of Redis."""
    seconds, microseconds = await client.time()
    return float(clock.timestamp() - seconds - microseconds / 1e6)


class Replicas:
    """How many replicas the master has that may take its place.

    They follow behind it. What one has not read when it is promoted is undone: a call that was sent would wait
    there as if it never was. INFO tells of them; where it is not allowed, there are none.
    """

    def __init__(self) -> None:
        self.online = 0

    async def look(self, client: Any) -> None:
        """Learn how many there are now."""
        from redis.exceptions import ResponseError  # noqa: PLC0415 - see `RedisAddress.of`

        try:
            facts = await client.info("replication")
        except ResponseError:
            self.online = 0
            return
        told = [value for name, value in facts.items() if name.startswith("slave") and isinstance(value, dict)]
        self.online = sum(replica.get("state") == "online" for replica in told)


# -- the tasks beside it ----------------------------------------------------------------------------------------


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: on Python 3.11 a cancel that meets a command whose answer arrives just then is lost in
    ``asyncio.wait_for``, and a loop that never ends goes on.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
