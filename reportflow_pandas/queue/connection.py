"""The connection to Redis: its address, its checks, and the names of what is kept there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from reportflow_pandas.errors import ConfigurationError

__all__ = [
    "PREFIX",
    "address",
    "checked_url",
    "connect",
    "connected",
    "key",
    "put_down",
    "queues_of",
    "shown",
    "watch",
    "workers_of",
]

log = logging.getLogger("reportflow_pandas")

PREFIX = "reportflow"
"""Of all our keys; BullMQ's own default would mix with other people's queues."""

CONNECT = 5.0
"""Seconds for a connection."""

RETRIES = 200
"""Tries of each command, at most a second apart: no answer of the service is thrown away when Redis restarts."""

LOOK = 5.0
"""Seconds between two looks whether Redis is there."""

ASKED_AGAIN = 0.5
"""Seconds after which a task that was told to end is told again."""


def checked_url(url: object) -> str:
    """Return the address of a Redis.

    Raises
    ------
    ConfigurationError
        It is none, or the packages for it are missing.
    """
    if not isinstance(url, str) or urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        told = shown(url) if isinstance(url, str) else url
        raise ConfigurationError(f"queue={told!r}: the address of a Redis, e.g. queue='redis://localhost:6379/0'")
    try:
        import bullmq  # noqa: F401, PLC0415 - only who uses a queue needs it
        import redis  # noqa: F401, PLC0415 - the same
    except ImportError as missing:
        raise ConfigurationError(
            f"a queue needs the package {missing.name!r}: pip install 'reportflow-pandas[queue]'"
        ) from missing
    return url


def shown(url: str) -> str:
    """Return an address without what lets people in."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        parts = parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2])
    return urlunsplit(parts._replace(query=""))


def address(url: str) -> str:
    """Return an address as it may be written down: without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def key(*parts: str) -> str:
    """Return the name of a key of ours."""
    return ":".join((PREFIX, *parts))


def queues_of(workspace: str) -> str:
    """Return the key of the queues of a workspace: names, by the moment when they were last used."""
    return key(workspace, "queues")


def workers_of(workspace: str) -> str:
    """Return the key of the workers of a workspace: names, by the moment when they were last seen."""
    return key(workspace, "workers")


async def connect(url: str) -> Any:
    """Return a client that rides out a restart of Redis.

    Raises
    ------
    ConfigurationError
        Redis cannot be reached, refuses the password, or is too old; nothing was sent.
    """
    from redis.asyncio import Redis  # noqa: PLC0415 - see checked_url
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - the same
    from redis.backoff import ExponentialWithJitterBackoff  # noqa: PLC0415 - the same
    from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError  # noqa: A004, PLC0415 - the same

    await _look(url)
    # not BullMQ's own connection: one socket per worker, pauses up to 20 s and a time-out equal to its idle wait;
    # measured: jobs picked up 3 s late, and calls repeated after a restart
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=None,
        socket_connect_timeout=CONNECT,
        max_connections=1000,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), RETRIES),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
    )


async def _look(url: str) -> None:
    """Raise if Redis cannot be used, warn if it should not be used as it is."""
    from redis.exceptions import (  # noqa: PLC0415 - see checked_url
        AuthenticationError,
        NoPermissionError,
        RedisError,
        ResponseError,
    )

    client = _impatient(url)
    try:
        await client.ping()
        facts = await client.info()
    except AuthenticationError as error:
        raise ConfigurationError(
            f"{shown(url)} refuses the user or password ({error}). Write them into the address: "
            "queue='redis://user:password@host:6379/0'"
        ) from error
    except NoPermissionError as error:
        raise ConfigurationError(f"{shown(url)} does not let this user in far enough: {error}") from error
    except ResponseError as error:
        told = str(error)
        way = (
            " Write it into the address: queue='redis://:password@host:6379/0'" if "NOAUTH" in told.upper() else ""
        )
        raise ConfigurationError(f"{shown(url)} cannot be used: {told}.{way}") from error
    except (RedisError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"there is no Redis at {shown(url)} ({error}). Nothing was sent. Is it running, and may this machine "
            "reach it? `redis-cli -u ADDRESS ping` tells"
        ) from error
    finally:
        await client.aclose()
    _judge(url, facts)


def _judge(url: str, facts: dict[str, Any]) -> None:
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < (6, 2):
        raise ConfigurationError(f"{shown(url)} is Redis {version}; a queue needs 6.2 or newer")
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        log.warning(
            "%s has the eviction policy %s: when its memory is full it throws calls away, whose rows "
            "will be unknown. Set maxmemory-policy noeviction",
            shown(url),
            policy,
        )
    if not int(facts.get("aof_enabled", 1)):
        log.warning(
            "%s keeps no append-only file: after a restart it may have forgotten which calls were sent, and "
            "a call could go out twice. Set appendonly yes",
            shown(url),
        )


def _impatient(url: str) -> Any:
    from redis.asyncio import Redis  # noqa: PLC0415 - see checked_url
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - the same
    from redis.backoff import NoBackoff  # noqa: PLC0415 - the same

    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=CONNECT,
        socket_connect_timeout=CONNECT,
        retry=Retry(NoBackoff(), 0),
    )


async def connected(url: str) -> None:
    """Raise if Redis cannot be used.

    Raises
    ------
    ConfigurationError
        With what to do.
    """
    await _look(url)


async def put_down(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: on Python 3.11 a cancel that meets a command whose answer arrives just then is lost in
    ``asyncio.wait_for``, and a loop that never ends goes on.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=ASKED_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)


async def watch(url: str, told: Callable[[str], None] | None = None) -> None:
    """Say when Redis goes away and when it is back, for ever; commands wait for it by themselves."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - see checked_url

    client = _impatient(url)
    away = False
    try:
        while True:
            try:
                await client.ping()
            except (RedisError, OSError) as error:
                if not away:
                    away = True
                    text = f"Redis at {shown(url)} does not answer ({error}); waiting for it"
                    log.warning("%s", text)
                    if told is not None:
                        told(text)
            else:
                if away:
                    away = False
                    log.warning("Redis at %s answers again", shown(url))
            await asyncio.sleep(LOOK)
    finally:
        await client.aclose()
