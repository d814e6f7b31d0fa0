"""A real SMTP server in a process of its own that counts: for more mails than one process should serve and send.

Run as a program, it prints its port, and at each line on stdin what it has counted, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Counting:
    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.connections = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.taken.update(envelope.rcpt_tos)
        return "250 OK"

    def told(self) -> dict[str, int]:
        return {
            "messages": sum(self.taken.values()),
            "recipients": len(self.taken),
            "most": max(self.taken.values(), default=0),
            "connections": self.connections,
        }


async def _serve() -> None:
    counting = _Counting()

    def connected() -> SMTP:
        counting.connections += 1
        return SMTP(counting)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the answer
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(counting.told()), flush=True)  # noqa: T201 - the answer


class CountingServer:
    """The server, as a test sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = f"smtp://127.0.0.1:{self._line()}"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def counted(self) -> dict[str, int]:
        """Return ``messages``, ``recipients``, ``most`` (for one recipient) and ``connections``."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told: dict[str, int] = json.loads(self._line())
        return told


@contextmanager
def counting_server() -> Iterator[CountingServer]:
    """Run the server for the length of a block."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__], **pipes) as process:  # noqa: S603 - our own program
        try:
            yield CountingServer(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
