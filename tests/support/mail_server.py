"""A real SMTP server on a port of its own that counts what it took, and misbehaves where it is told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class MailServer:
    """What a server took, and how it answers."""

    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    """Recipient and message of each that was taken."""
    connections: int = 0
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """Recipient -> answers to RCPT, each used once; ``"*"``: for any."""
    answers: list[str] = field(default_factory=list)
    """Answers to whole messages, each used once."""
    most_at_once: int = 0
    port: int = 0
    pause: Callable[[], float] | None = None
    """Seconds between taking a message and saying so."""
    _under_way: int = 0

    @property
    def recipients(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(recipient for recipient, _ in self.taken)

    @property
    def address(self) -> str:
        """For ``smtp=``."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        for name in (address, "*"):
            if self.refusals.get(name):
                return self.refusals[name].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            await asyncio.sleep(0)
            if self.answers:
                return self.answers.pop(0)
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.SMTP)
            assert isinstance(message, EmailMessage)
            self.taken += [(recipient, message) for recipient in envelope.rcpt_tos]
            if self.pause is not None:
                await asyncio.sleep(self.pause())
            return "250 OK"
        finally:
            self._under_way -= 1


class _Counted(SMTP):
    """Counts connections."""

    def connection_made(self, transport: Any) -> None:
        self.event_handler.connections += 1
        super().connection_made(transport)


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """Run a server for the length of a block; ``options``: those of aiosmtpd's ``SMTP``."""
    server = MailServer()

    class _Here(Controller):
        def factory(self) -> SMTP:
            return _Counted(self.handler, **self.SMTP_kwargs)

    ssl_context = options.pop("ssl_context", None)
    running = _Here(server, hostname="127.0.0.1", port=0, ssl_context=ssl_context, **options)
    # port 0: the controller's own start would connect to the number that it was given
    running.port = _free_port()
    running.start()
    server.port = running.port
    server.connections = 0  # the controller's own, which looks whether it runs
    try:
        yield server
    finally:
        running.stop()


def accepting(user: str, password: str) -> Callable[..., AuthResult]:
    """Return an authenticator that knows one user."""

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()), handled=False)

    return check


def _free_port() -> int:
    import socket  # noqa: PLC0415 - here alone

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scripted_server(script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Iterator[int]:
    """Run a server that answers a connection as a coroutine function says; yields its port."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    port: list[int] = []
    servers: list[asyncio.Server] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        servers.append(server)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()

    async def end() -> None:
        servers[0].close()
        here = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not here]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # closed sockets say so

    thread = threading.Thread(target=lambda: (loop.create_task(serve()), loop.run_forever()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield port[0]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
