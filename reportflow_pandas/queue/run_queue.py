"""Where a run is carried out when it is not here: a Redis, terms for the workers, the window of all machines."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, get_args

from reportflow_pandas.engine.batching import Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.engine.rate_limit import RateLimiter
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.queue.address import RedisAddress
from reportflow_pandas.queue.connection import REFUSAL_PATIENCE_SECONDS, closed, connect, connected, ended, watch
from reportflow_pandas.queue.messages import OnCrash, Terms
from reportflow_pandas.queue.rate_limit import RedisStore
from reportflow_pandas.queue.submitter import Dispatch
from reportflow_pandas.settings import Limits, Settings

__all__ = ["RunQueue"]

GOODBYE_SECONDS = 2.0
"""For the last word to Redis."""

_known: dict[str, str] = {}
"""Addresses with their passwords that this process was given, by the address without."""


class RunQueue:
    """The queue of a run, and so the machines that carry it out.

    Parameters
    ----------
    url : str
        The Redis, ``redis://host:6379/0``.
    on_crash : {"unknown", "retry"}
        What becomes of a call whose worker died while it was being sent.

    Raises
    ------
    ConfigurationError
        No such address or word, or the packages are missing.
    """

    def __init__(self, url: str, on_crash: OnCrash = "unknown") -> None:
        self.address = RedisAddress.of(url)
        _known[self.address.recorded] = url
        if on_crash not in get_args(OnCrash):
            raise ConfigurationError(
                f"on_crash={on_crash!r}: 'unknown' (a call whose worker died is shown, not sent again by itself) "
                "or 'retry' (it is sent again, and its documents may exist twice)"
            )
        self.on_crash: OnCrash = on_crash
        self.warn: Callable[[str], None] | None = None
        self._client: Any = None
        self._store: RedisStore
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    def recorded(cls, told: Mapping[str, Any]) -> RunQueue:
        """Return what a journal told of: the password, which no journal holds, is known if this process had it."""
        where = str(told["address"])
        return cls(_known.get(where) or _in_the_environment(where) or where, told["on_crash"])

    def told(self) -> dict[str, Any]:
        """Return what a journal may hold of this."""
        return {"address": self.address.recorded, "on_crash": self.on_crash}

    @property
    def needs_password(self) -> bool:
        """Whether the address that a journal holds is not enough to come back."""
        return bool(self.address.username or self.address.password)

    async def check(self) -> None:
        """Raise a `ConfigurationError` if the Redis cannot be used."""
        await connected(self.address, patience=REFUSAL_PATIENCE_SECONDS)

    async def open(self, settings: Settings) -> RateLimiter:
        """Connect, and return the rate limiter that all machines of the workspace share.

        Raises
        ------
        ConfigurationError
            The Redis cannot be used; nothing was sent.
        """
        self._client = await connect(self.address, self.warn)
        self._store = RedisStore(self._client, settings.workspace_id, keys=self.address.keys)
        self._watch = asyncio.create_task(watch(self.address, self.warn))
        return RateLimiter(self._store)

    async def close(self) -> None:
        """Close the connection. Doing so twice is harmless."""
        if self._watch is not None:
            await ended(self._watch)
            self._watch = None
        if self._client is not None:
            client, self._client = self._client, None
            with contextlib.suppress(TimeoutError):  # where Redis is away, slots free themselves
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._store.settled()
            await closed(client)

    def dispatch(
        self,
        feed: Feed,
        journal: Journal,
        outcomes: Outcomes,
        *,
        settings: Settings,
        limits: Limits,
        attempts: int,
        backoff: float,
        timeout: float,
        phase: Phase,
        stop_on_failure: bool,
        settled: Callable[[int], None] | None,
        away: Callable[[float], None],
    ) -> Dispatch:
        """Return what carries the run out, the backend in place of the engine's `Runner`."""
        return Dispatch(
            feed,
            journal,
            outcomes,
            client=self._client,
            keys=self.address.keys,
            queue=queue_of(journal, settings.workspace_id),
            workspace=settings.workspace_id,
            terms=Terms(journal.run, self.on_crash, limits, attempts, backoff, timeout),
            phase=phase,
            told=self.told() | {"name": queue_of(journal, settings.workspace_id)},
            clock=settings.clock,
            stop_on_failure=stop_on_failure,
            settled=settled,
            warn=self.warn,
            away=away,
        )


def _in_the_environment(recorded: str) -> str | None:
    """Return the address of the environment, with its password, if it is the one that was recorded."""
    with contextlib.suppress(ConfigurationError):
        text = RedisAddress.told(None)
        if RedisAddress.of(text).recorded == recorded:
            return text
    return None


def queue_of(journal: Journal, workspace: str) -> str:
    """Return the name of a run's queue: two journals never share one, though their runs have one name.

    A run that was begun keeps its queue, also when its service has moved to another address.
    """
    if name := (journal.meta.get("queue") or {}).get("name"):
        return str(name)
    told = f"{journal.meta['created_at']!r}\n{journal.run}"
    return f"{workspace}.{hashlib.blake2b(told.encode(), digest_size=6).hexdigest()}"
