"""The address of a Redis: read with care for its password, and the client that it makes."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from reportflow_pandas.errors import ConfigurationError

__all__ = ["Keys", "RedisAddress"]

DEFAULT_PREFIX = "reportflow"
"""Of all keys; BullMQ's own default would mix with other programs' queues."""

CONNECT_SECONDS = 5.0
"""For a connection."""

ANSWER_SECONDS = 10.0
"""For the answer to a command: no command blocks, so a connection that is silent for longer is dead."""

KEEP_ALIVE_SECONDS = 15
"""Without traffic until the first probe of an established connection: NAT tables and firewalls forget silent
ones."""

OPTIONS = (
    *("prefix", "client_name", "protocol", "sentinel_username", "sentinel_password"),
    *("ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
)
"""What may stand behind the question mark of an address."""

EXAMPLE = "queue='redis://localhost:6379/0'"
ENCODED = (
    "Percent-encode the characters of user and password that mean something else in an address (# is %23, / is "
    "%2F, ? is %3F, [ is %5B, ] is %5D, @ is %40, a space is %20): urllib.parse.quote(password, safe='') does"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of all that is kept in Redis."""

    prefix: str = DEFAULT_PREFIX

    def of(self, *parts: str) -> str:
        """Return the name of a key."""
        return ":".join((self.prefix, *parts))

    def queues(self, workspace: str) -> str:
        """Return the key of the queues of a workspace: a sorted set of names."""
        return self.of(workspace, "queues")

    def workers(self, workspace: str) -> str:
        """Return the key of the workers of a workspace: names, by the moment of Redis when they were last seen."""
        return self.of(workspace, "workers")

    def cut_off(self, workspace: str) -> str:
        """Return the key of those workers that get no answer of the service, likewise."""
        return self.of(workspace, "workers-cut-off")

    def words(self, workspace: str) -> str:
        """Return the key of what workers that leave their calls to others say of it, by their names."""
        return self.of(workspace, "workers-words")


@dataclass(frozen=True)
class RedisAddress:
    """The address of a Redis, taken apart once; user and password are in no text of it."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    path: str
    """Database, socket, or the service that sentinels know."""
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, text: object) -> RedisAddress:
        """Take an address apart.

        ``redis://``, ``rediss://`` (TLS) and ``unix://`` as everywhere; ``redis+sentinel://`` and
        ``rediss+sentinel://`` with the sentinels' hosts, separated by commas, and ``/service/database``.

        Raises
        ------
        ConfigurationError
            It is none, told without any part that may be secret; or the packages for it are missing.
        """
        address = _parsed(text)
        try:
            import bullmq  # noqa: F401, PLC0415 - of the extra `queue`
            import redis  # noqa: F401, PLC0415 - the same
        except ImportError as missing:
            raise ConfigurationError(
                f"a queue needs the package {missing.name!r}: pip install 'reportflow-pandas[queue]'"
            ) from missing
        return address

    @classmethod
    def given(cls, text: str | None, file: str | None = None) -> RedisAddress:
        """Return the address that `told` finds, taken apart."""
        return cls.of(cls.told(text, file))

    @staticmethod
    def told(text: str | None, file: str | None = None) -> str:
        """Return the address of a command line, a file, or else the environment: its password is not in `ps`.

        Raises
        ------
        ConfigurationError
            None of them has one.
        """
        file = file if text is not None or file is not None else os.environ.get("REPORTFLOW_QUEUE_FILE")
        if text is None and file is not None:
            try:
                text = Path(file).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(
                    f"queue: the file {file} with the address of a Redis cannot be read: {type(error).__name__}"
                ) from None
        text = text if text is not None else os.environ.get("REPORTFLOW_QUEUE")
        if not text:
            raise ConfigurationError(
                "which Redis? Give its address in the environment (REPORTFLOW_QUEUE), in a file (--queue-file, "
                "REPORTFLOW_QUEUE_FILE), or as --queue redis://localhost:6379/0 where it holds no password"
            )
        return text

    def __str__(self) -> str:
        """Return it for people: without user, password and options."""
        secret = "***@" if self.username or self.password else ""
        return f"{self.scheme}://{secret}{self._where}{self.path}"

    @property
    def recorded(self) -> str:
        """The address as it may be written down: without user and password, with the other options."""
        kept = [(name, value) for name, value in self.options if "password" not in name and "username" not in name]
        return f"{self.scheme}://{self._where}{self.path}" + (f"?{urlencode(kept)}" if kept else "")

    @property
    def _where(self) -> str:
        return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)

    @property
    def tls(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self.scheme.startswith("rediss")

    @property
    def keys(self) -> Keys:
        """The names of the keys there."""
        return Keys(dict(self.options).get("prefix") or DEFAULT_PREFIX)

    def client(self, *, retries: int) -> Any:
        """Return a client; a command that fails is tried again on a new connection.

        Not BullMQ's own connection: one socket for each worker, pauses of up to 20 s and a time-out equal to its
        idle wait (measured: jobs picked up 3 s late, and calls repeated after a restart).
        """
        from redis.asyncio import Redis  # noqa: PLC0415 - see `of`

        options = {name: _READ.get(name, str)(value) for name, value in self.options if name not in _OURS}
        common = {**_common(self, retries), **options}
        if self.scheme.endswith("+sentinel"):
            return self._master(common)
        if self.scheme == "unix":
            return Redis(unix_socket_path=self.path, **common)
        [(host, port)] = self.hosts
        return Redis(host=host, port=port, db=int(self.path.strip("/") or 0), ssl=self.tls, **common)

    def _master(self, common: dict[str, Any]) -> Any:
        """Return a client of the node that the sentinels call the master."""
        from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415 - see `of`

        from reportflow_pandas.queue.sentinels import (  # noqa: PLC0415 - the same
            MasterConnection,
            MasterTLSConnection,
        )

        _, service, *database = self.path.split("/")
        said = dict(self.options)
        of_sentinels = {
            **_timeouts(self.scheme),
            # one may have died with the master; the next is asked, and all of them again later
            "retry": _retry(0),
            **_credentials(said.get("sentinel_username"), said.get("sentinel_password")),
            "ssl": self.tls,
            **{name: value for name, value in common.items() if name.startswith("ssl_")},
        }
        sentinel: Any = Sentinel(list(self.hosts), sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
        kind = MasterTLSConnection if self.tls else MasterConnection
        database_number = int((database or ["0"])[0] or 0)
        return sentinel.master_for(service, db=database_number, ssl=self.tls, connection_class=kind, **common)


_READ: dict[str, Callable[[str], Any]] = {
    "ssl_check_hostname": lambda text: text.lower() in ("true", "1", "yes"),
    "protocol": int,
}
"""Options that are no texts."""

_OURS = ("prefix", "sentinel_username", "sentinel_password")


def _common(address: RedisAddress, retries: int) -> dict[str, Any]:
    """Return what all clients of an address are made with."""
    from redis.exceptions import (  # noqa: PLC0415 - see `RedisAddress.of`
        BusyLoadingError,
        ConnectionError,  # noqa: A004
        MasterDownError,
        ReadOnlyError,
        TimeoutError,  # noqa: A004
    )

    # after a fail-over, established connections stay with the demoted node: READONLY until they are left
    again = [ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, MasterDownError]
    return {
        "decode_responses": True,
        "max_connections": 1000,
        "health_check_interval": KEEP_ALIVE_SECONDS,
        **_credentials(address.username, address.password),
        **_timeouts(address.scheme),
        "retry": _retry(retries),
        **({"retry_on_error": again} if retries else {}),
    }


def _retry(retries: int) -> Any:
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - see `RedisAddress.of`
    from redis.backoff import ExponentialWithJitterBackoff  # noqa: PLC0415 - the same

    return Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries)


def _timeouts(scheme: str) -> dict[str, Any]:
    timeouts: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
    if scheme == "unix":
        return timeouts
    return {**timeouts, "socket_keepalive": True, "socket_keepalive_options": _keep_alive()}


def _credentials(username: str | None, password: str | None) -> dict[str, Any]:
    """Return what a client logs in with, as an object: redis 7.1 shows a password in the ``repr`` of a client."""
    from redis.credentials import UsernamePasswordCredentialProvider  # noqa: PLC0415 - see `RedisAddress.of`

    if not username and not password:
        return {}
    return {"credential_provider": UsernamePasswordCredentialProvider(username, password)}


def _keep_alive() -> dict[int, int]:
    """Probes of established connections, where the system lets them be set."""
    wanted = {"TCP_KEEPIDLE": KEEP_ALIVE_SECONDS, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


# -- reading an address ----------------------------------------------------------------------------------------


def _parsed(text: object) -> RedisAddress:
    scheme, separator, rest = text.strip().partition("://") if isinstance(text, str) else ("", "", "")
    scheme = scheme.lower()
    if scheme not in ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel") or not separator:
        # without the text: a password may stand in it
        raise ConfigurationError(f"queue: this is not the address of a Redis, which looks like {EXAMPLE}")
    # the last @: what stands before it is user and password, whatever characters they have
    credentials, at, behind = rest.rpartition("@")
    if set(credentials) & set("#/?[]\\") or not rest.isprintable() or any(map(str.isspace, credentials)):
        raise ConfigurationError(
            f"queue: this address ({scheme}://…) cannot be told apart from its user and password. {ENCODED}"
        )
    where, _, query = behind.partition("?")
    options = _options(scheme, query)
    user, _, password = credentials.partition(":")
    where, slash, path = where.partition("/")
    if scheme == "unix":
        if where or not path:
            raise ConfigurationError(
                "queue: the path of a socket has three slashes before it: unix:///run/redis.sock"
            )
        hosts: tuple[tuple[str, int], ...] = ()
    else:
        hosts = tuple(_host(host, scheme) for host in where.split(","))
        _check_path(scheme, path, len(hosts))
    return RedisAddress(
        scheme,
        hosts,
        unquote(slash + path) if path else "",
        _decoded(user) if at and user else None,
        _decoded(password) if at and password else None,
        options,
    )


def _decoded(text: str) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return unquote(text, errors="strict")
    # not where that error is caught: as the context of this one, it would show the password
    raise ConfigurationError(f"queue: user or password of this address are not UTF-8. {ENCODED}")


def _host(text: str, scheme: str) -> tuple[str, int]:
    """Return host and port; what cannot be read is not shown: it may be a part of a password."""
    default = 26379 if scheme.endswith("sentinel") else 6379
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        port = port.removeprefix(":") if closed else "?"
    else:
        host, _, port = text.partition(":")
    good = not port or (port.isdecimal() and port.isascii() and 0 < int(port) < 65536)
    if not host or set(host) & set("#[]\\ ") or not good:
        raise ConfigurationError(
            f"queue: behind {scheme}:// no host with a port (a number from 1 to 65535) can be read; it is not "
            f"shown, for it may be a part of the password. {ENCODED}. An address looks like {EXAMPLE}"
        )
    return host, int(port or default)


def _check_path(scheme: str, path: str, hosts: int) -> None:
    database = path
    if scheme.endswith("sentinel"):
        service, _, database = path.partition("/")
        if not service:
            raise ConfigurationError(
                "queue: the name that the sentinels know is missing: "
                f"{scheme}://host1:26379,host2:26379/mymaster/0"
            )
    elif hosts > 1:
        raise ConfigurationError(
            f"queue: several hosts are for sentinels: redis+sentinel://host1:26379,host2:26379/mymaster/0; "
            f"{scheme}:// has one. A Redis Cluster cannot hold a queue"
        )
    if database and not (database.isdecimal() and database.isascii()):
        raise ConfigurationError(
            f"queue: behind the host of {scheme}://… stands what is no number of a database, as in {EXAMPLE}"
        )


def _options(scheme: str, query: str) -> tuple[tuple[str, str], ...]:
    options = tuple(parse_qsl(query, keep_blank_values=True))
    for name, value in options:
        if name not in OPTIONS:
            raise ConfigurationError(
                f"queue: an address takes the options {', '.join(OPTIONS)}; another one stands behind its "
                f"question mark. {ENCODED}"
            )
        if name.startswith("ssl_") and not scheme.startswith("rediss"):
            raise ConfigurationError(
                f"queue: {name} is for an address that begins with rediss://, which means TLS"
            )
        if name.startswith("sentinel_") and not scheme.endswith("sentinel"):
            raise ConfigurationError(f"queue: {name} is for an address that begins with redis+sentinel://")
        if name == "prefix" and (not value.strip() or any(map(str.isspace, value)) or set(value) & set("{}")):
            raise ConfigurationError(
                "queue: prefix is what the names of all keys begin with, such as app:reportflow"
            )
        if name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") and not Path(value).is_file():
            raise ConfigurationError(f"queue: the file that {name} names is not there")
        if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
            raise ConfigurationError("queue: ssl_cert_reqs is none, optional or required")
        if name == "protocol" and value not in ("2", "3"):
            raise ConfigurationError("queue: protocol is 2 or 3")
    return options
