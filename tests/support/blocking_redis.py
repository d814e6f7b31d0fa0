"""A Redis client without an event loop between: virtual time stands still while Redis works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class BlockingRedis:
    """As much of ``redis.asyncio.Redis`` as a store of slots needs."""

    def __init__(self, port: int) -> None:
        import redis  # noqa: PLC0415 - of the extra

        self.client = redis.Redis(port=port, decode_responses=True)

    def register_script(self, text: str) -> BlockingScript:
        return BlockingScript(self.client, text)


class BlockingScript:
    """A script that is awaited like the real one."""

    def __init__(self, client: Any, text: str) -> None:
        self.client = client
        self._script = client.register_script(text)

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return self._script(keys=keys, args=args)
