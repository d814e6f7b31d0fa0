"""Connections to the master that sentinels tell of: they are asked again before each try, not only the first.

redis-py 8.1 asks them when a connection leaves its pool. A command that is under way when the master dies is
tried again on its own connection, which goes back to the old address without a question, again and again
(https://github.com/redis/redis-py/issues/3874): a worker that was just storing an answer never gets it done.
"""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

__all__ = ["MasterConnection", "MasterTLSConnection"]


class MasterConnection(SentinelManagedConnection):
    """A connection that follows the master when it is lost under a command."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send a command to whatever is the master now."""
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        await super().send_packed_command(command, check_health)


class MasterTLSConnection(MasterConnection, SentinelManagedSSLConnection):
    """The same over TLS."""
