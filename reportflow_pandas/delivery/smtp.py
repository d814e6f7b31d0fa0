"""A connection to a mail server, and what became of a message: taken, refused, to be tried again, or in doubt."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import AuthError, ConfigurationError, ConnectionFailed
from reportflow_pandas.network import is_loopback

if TYPE_CHECKING:
    from aiosmtplib import SMTP

__all__ = ["Delivery", "MailConnection", "SmtpAddress", "smtp_address"]

COMMAND_SECONDS = 300.0
"""How long the server may take for a greeting or a command (RFC 5321, 4.5.3.2)."""

FINAL_ANSWER_SECONDS = 600.0
"""How long it may take to answer a message's final dot (RFC 5321, 4.5.3.2.6)."""

BLOCK_BYTES = 1 << 16
"""Of a message's content, handed over at once: so that little of it is still held when its end follows."""

FLUSH_POLL_SECONDS = 0.005
"""Between two looks whether the message has left this process."""

_FORM = "smtps://USER:PASSWORD@mail.example.com, or smtp://… where the server speaks STARTTLS"

_EXPIRED = 10
_OTHER_NAME = (62, 64)
"""``X509_V_ERR_CERT_HAS_EXPIRED``, ``_HOSTNAME_MISMATCH`` and ``_IP_ADDRESS_MISMATCH`` (OpenSSL, x509_vfy.h)."""

_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True)
class SmtpAddress:
    """A mail server, and who sends."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def smtp_address(text: str | None) -> SmtpAddress:
    """Read ``smtps://user:password@host:port``; a password may hold any character, as it is or percent-encoded.

    Raises
    ------
    ConfigurationError
        There is none, or it is no such address; it is never shown, for it holds a password.
    """
    if not text:
        raise ConfigurationError(
            "no mail server is known: rf.configure(smtp='smtps://USER:PASSWORD@mail.example.com', "
            "sender='billing@example.com'), or REPORTFLOW_SMTP in the environment. Nothing was sent"
        )
    scheme, mark, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in ("smtp", "smtps"):
        raise ConfigurationError(f"smtp= is no address of a mail server; it looks like {_FORM}")
    credentials, at, place = rest.rpartition("@")
    host, port = _host_and_port(place.split("/", 1)[0])
    tls: Literal["tls", "starttls", "none"]
    tls = "tls" if scheme == "smtps" else "none" if is_loopback(host) else "starttls"
    port = port or _USUAL_PORTS[tls]
    if not at:
        return SmtpAddress(host, port, tls)
    user, colon, password = credentials.partition(":")
    if not user or not colon:
        raise ConfigurationError(f"smtp= has a user without a password, or the reverse; it looks like {_FORM}")
    return SmtpAddress(host, port, tls, unquote(user), unquote(password))


_USUAL_PORTS = {"tls": 465, "starttls": 587, "none": 25}


def _host_and_port(place: str) -> tuple[str, int]:
    """Return what stands behind the credentials; port 0 where none is named. An IPv6 address is in brackets."""
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\d+))?", place)
    host, _, port = place.partition(":") if bracketed is None else (bracketed[1], "", bracketed[2] or "")
    if not re.fullmatch(r"[\w.:-]+", host) or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise ConfigurationError(f"smtp= names no host, or an impossible port; it looks like {_FORM}")
    return host, int(port or 0)


@dataclass(frozen=True)
class Delivery:
    """What became of one try of a message.

    ``later``: refused for now or the connection was lost before the message's end, so nothing was taken;
    ``unknown``: lost between its end and the answer.
    """

    what: Literal["sent", "failed", "later", "unknown"]
    text: str | None = None
    usable: bool = True
    """Whether the connection can carry the next message."""
    at: float | None = None
    """When, seconds since 1970 UTC; None where nothing was sent."""


class MailConnection:
    """One connection, used for one message after the other.

    Parameters
    ----------
    address : SmtpAddress
        The server.
    context : ssl.SSLContext, optional
        Which authorities are trusted; default the system's.
    clock : Clock
        For the time that a message needs to leave.
    command_seconds, final_answer_seconds : float
        How long the server may take for a command, and for its answer to a whole message.
    """

    def __init__(
        self,
        address: SmtpAddress,
        context: ssl.SSLContext | None,
        clock: Clock,
        *,
        command_seconds: float = COMMAND_SECONDS,
        final_answer_seconds: float = FINAL_ANSWER_SECONDS,
    ) -> None:
        self._address = address
        self._context = context
        self._clock = clock
        self._command_seconds = command_seconds
        self._final_answer_seconds = final_answer_seconds
        self._smtp: SMTP | None = None
        self.carried = 0
        """Messages that it has taken."""
        self.in_doubt = False
        """Whether a message's end was sent and its answer was not read yet."""

    @property
    def is_open(self) -> bool:
        """Whether it can carry a message."""
        return self._smtp is not None and self._smtp.is_connected

    async def open(self) -> None:
        """Connect, secure the connection, log in.

        Raises
        ------
        ConnectionFailed
            No server answers there, or not as a mail server does.
        ConfigurationError
            It speaks no TLS: no password and no message goes to it.
        AuthError
            It refuses the user or the password.
        """
        import aiosmtplib  # noqa: PLC0415 - an extra

        address = self._address
        smtp = aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            use_tls=address.tls == "tls",
            start_tls=False,
            tls_context=self._context,
            timeout=self._command_seconds,
        )
        place = f"{address.host}:{address.port}"
        try:
            await smtp.connect()
            await smtp.ehlo()
            if address.tls == "starttls":
                if not smtp.supports_extension("starttls"):
                    raise _without_tls(place)  # noqa: TRY301 - its connection is closed as for the others
                await smtp.starttls()
                await smtp.ehlo()
            if address.user is not None:
                await smtp.login(address.user, address.password or "")
        except aiosmtplib.SMTPAuthenticationError as error:
            smtp.close()
            raise AuthError(
                error.code, [f"the mail server {place} refused the user or the password: {_words(error.message)}"]
            ) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            smtp.close()
            raise ConnectionFailed(_unreachable(place, error)) from error
        except BaseException:
            smtp.close()
            raise
        self._smtp, self.in_doubt = smtp, False

    async def close(self) -> None:
        """Say goodbye, as far as the server listens."""
        import aiosmtplib  # noqa: PLC0415 - an extra

        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            if smtp.is_connected:
                await smtp.quit(timeout=1.0)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            smtp.close()

    async def send(
        self, message: bytes, sender: str, recipients: Sequence[str], before_content: Callable[[], Awaitable[None]]
    ) -> Delivery:
        """Send one message.

        Parameters
        ----------
        message : bytes
            With its headers.
        sender : str
            Bare address.
        recipients : sequence of str
            Bare addresses; refusing one of them refuses the message, so that nothing is sent to some of them only.
        before_content : coroutine function
            Awaited after the recipient was taken and before the content is announced: the intent is written there.
        """
        import aiosmtplib  # noqa: PLC0415 - an extra

        smtp = self._smtp
        if smtp is None or not smtp.is_connected:
            return Delivery("later", "the mail server closed the connection", usable=False)
        try:
            letters = "".join([sender, *recipients]).isascii()
            options = [] if letters or not smtp.supports_extension("smtputf8") else ["SMTPUTF8"]
            encoding = "utf-8" if options else "ascii"
            await smtp.mail(sender, options=options, encoding=encoding)
            for recipient in recipients:
                await smtp.rcpt(recipient, encoding=encoding)
        except aiosmtplib.SMTPResponseException as refusal:
            return await self._refused(refusal.code, refusal.message)
        except UnicodeEncodeError:
            await self._reset()
            return Delivery("failed", "the mail server takes no addresses with such letters (SMTPUTF8)")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Delivery("later", f"the mail server closed the connection ({_words(str(error))})", usable=False)
        await before_content()
        return await self._content(message)

    async def _content(self, message: bytes) -> Delivery:
        import aiosmtplib  # noqa: PLC0415 - an extra

        smtp = self._smtp
        protocol = None if smtp is None else smtp.protocol
        if protocol is None:
            return Delivery("later", "the mail server closed the connection", usable=False)
        try:
            answer = await protocol.execute_command(b"DATA", timeout=self._command_seconds)
            if answer.code != 354:
                return await self._refused(answer.code, answer.message)
            # SMTP.sendmail would write the final dot along with the rest: then a connection that is lost in the
            # middle of a large message could not be told from one that is lost after its end
            content = _DOT.sub(b"..", message)
            for start in range(0, len(content), BLOCK_BYTES):
                protocol.write(content[start : start + BLOCK_BYTES])
                await self._left(protocol)
        except (aiosmtplib.SMTPException, OSError) as error:
            return Delivery(
                "later", f"the connection was lost before the end ({_words(str(error))})", usable=False
            )
        self.in_doubt = True
        try:
            protocol.write(b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
            answer = await protocol.read_response(timeout=self._final_answer_seconds)
        except (aiosmtplib.SMTPException, OSError) as error:
            text = (
                f"the connection was lost after the message and before the server's answer ({_words(str(error))})"
            )
            return Delivery("unknown", text, usable=False)
        self.in_doubt = False
        if 200 <= answer.code < 300:
            self.carried += 1
            return Delivery("sent")
        return await self._refused(answer.code, answer.message)

    async def _left(self, protocol: Any) -> None:
        """Return when the message is out of this process's hands; raise if the connection is lost before."""
        held, since = None, self._clock.monotonic()
        while protocol.transport is not None and (size := protocol.transport.get_write_buffer_size()):
            if size != held:
                held, since = size, self._clock.monotonic()
            elif self._clock.monotonic() - since > self._command_seconds:
                protocol.transport.abort()
                raise TimeoutError("the mail server stopped reading")
            await self._clock.sleep(FLUSH_POLL_SECONDS)
        await asyncio.sleep(0)  # a connection that is lost meanwhile is noticed
        if not protocol.is_connected:
            raise ConnectionResetError("connection lost")

    async def _refused(self, code: int, message: str) -> Delivery:
        text = f"{code} {_words(message)}".strip()
        if code == 421:  # closing down
            return Delivery("later", text, usable=False)
        usable = await self._reset()
        return Delivery("failed" if 500 <= code < 600 else "later", text, usable=usable)

    async def _reset(self) -> bool:
        import aiosmtplib  # noqa: PLC0415 - an extra

        smtp = self._smtp
        try:
            if smtp is None or not smtp.is_connected:
                return False
            await smtp.rset()
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True


def _words(text: str | bytes) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.encode("utf-8", "replace").decode().split())[:500]


def _unreachable(place: str, error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate of the mail server {place} is refused ({cause.verify_message}). {_renewed(cause)}"
    words = _words(str(error)) or type(error).__name__
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return (
            f"the mail server {place} does not speak TLS from the first byte ({cause.reason}). If it begins "
            "with STARTTLS, its address is smtp://…, often port 587"
        )
    return f"no mail server can be reached at {place}: {words}{_patience(error)}"


def _renewed(error: ssl.SSLCertVerificationError) -> str:
    """Return what helps against a certificate that is refused, by OpenSSL's number for why."""
    if error.verify_code == _EXPIRED:
        return "It has to be renewed by who runs the server; is this machine's date right?"
    if error.verify_code in _OTHER_NAME:
        return "It belongs to another name: use the name in rf.configure(smtp=…) that your provider gives"
    return "A company's own authority is told with rf.configure(ca_bundle='company.pem')"


def _patience(error: BaseException) -> str:
    if not isinstance(error, TimeoutError):  # aiosmtplib's are, too
        return ""
    return (
        ". It took the connection or the command and said nothing: smtps://… is for a port that speaks TLS at once"
    )


def _without_tls(place: str) -> ConfigurationError:
    return ConfigurationError(
        f"the mail server {place} offers no TLS (STARTTLS), and neither a password nor a customer's document is "
        "sent without it: a program between may have removed the offer. Use its port for TLS: "
        "rf.configure(smtp='smtps://…')"
    )
