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
from reportflow_pandas.engine.rate_limit import Window
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.queue.connection import address, checked_url, connect, connected, put_down, watch
from reportflow_pandas.queue.messages import OnCrash, Terms
from reportflow_pandas.queue.rate_limit import RedisStore
from reportflow_pandas.queue.submitter import Dispatch
from reportflow_pandas.settings import Limits, Settings

__all__ = ["Remote"]

GOODBYE = 2.0
"""Seconds that the last word to Redis may take."""

_known: dict[str, str] = {}
"""Addresses with their passwords that this process was given, by the address without."""


class Remote:
    """The machines that carry a run out.

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
        self.url = checked_url(url)
        _known[address(url)] = url
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
    def recorded(cls, told: Mapping[str, Any]) -> Remote:
        """Return what a journal told of: the password, which no journal holds, is known if this process had it."""
        where = str(told["address"])
        return cls(_known.get(where, where), told["on_crash"])

    def told(self) -> dict[str, Any]:
        """Return what a journal may hold of this."""
        return {"address": address(self.url), "on_crash": self.on_crash}

    async def check(self) -> None:
        """Raise a `ConfigurationError` if the Redis cannot be used."""
        await connected(self.url)

    async def open(self, settings: Settings) -> Window:
        """Connect, and return the window that all machines of the workspace share.

        Raises
        ------
        ConfigurationError
            The Redis cannot be used; nothing was sent.
        """
        self._client = await connect(self.url)
        self._store = RedisStore(self._client, settings.workspace_id)
        self._watch = asyncio.create_task(watch(self.url, self.warn))
        return Window(self._store)

    async def close(self) -> None:
        """Close the connection. Doing so twice is harmless."""
        if self._watch is not None:
            await put_down(self._watch)
            self._watch = None
        if self._client is not None:
            client, self._client = self._client, None
            with contextlib.suppress(TimeoutError):  # where Redis is away, slots free themselves
                async with asyncio.timeout(GOODBYE):
                    await self._store.settled()
            await client.aclose()

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
    ) -> Dispatch:
        """Return what carries the run out, the backend in place of the engine's `Runner`."""
        return Dispatch(
            feed,
            journal,
            outcomes,
            client=self._client,
            queue=queue_of(journal, settings.workspace_id),
            workspace=settings.workspace_id,
            terms=Terms(journal.run, self.on_crash, limits, attempts, backoff, timeout),
            phase=phase,
            told=self.told() | {"name": queue_of(journal, settings.workspace_id)},
            stop_on_failure=stop_on_failure,
            settled=settled,
            warn=self.warn,
        )


def queue_of(journal: Journal, workspace: str) -> str:
    """Return the name of a run's queue: two journals never share one, though their runs have one name.

    A run that was begun keeps its queue, also when its service has moved to another address.
    """
    if name := (journal.meta.get("queue") or {}).get("name"):
        return str(name)
    told = f"{journal.meta['created_at']!r}\n{journal.run}"
    return f"{workspace}.{hashlib.blake2b(told.encode(), digest_size=6).hexdigest()}"
