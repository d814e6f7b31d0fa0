"""A real redis-server on a port of its own, workers that are processes, and what is counted at the service."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pandas as pd
import trustme

from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.worker import Worker

PATIENCE = 300.0
"""Seconds for other processes: on a busy machine a worker needs a minute to begin. No proof is timed."""


class Certificates:
    """An authority, and what it says of 127.0.0.1, as files that a redis-server reads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1")
        self.authority, self._chain, self._key = folder / "ca.pem", folder / "chain.pem", folder / "key.pem"
        authority.cert_pem.write_to_path(self.authority)
        for part in server.cert_chain_pems:
            part.write_to_path(self._chain, append=True)
        server.private_key_pem.write_to_path(self._key)

    def options(self, port: int) -> dict[str, str]:
        """Return what lets a server speak TLS and nothing else, to its replicas and sentinels too."""
        return {
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": str(self._chain),
            "tls-key-file": str(self._key),
            "tls-ca-cert-file": str(self.authority),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
        }


class RedisServer:
    """A redis-server with an append-only file, or a sentinel, in a folder of its own."""

    def __init__(self, folder: Path, *options: str, tls: Certificates | None = None) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options = options
        self.port = free_port()
        self.tls = tls
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}/0{self.query}"

    @property
    def query(self) -> str:
        """What stands behind the question mark of an address."""
        return f"?ssl_ca_certs={self.tls.authority}" if self.tls else ""

    @property
    def sync(self) -> Any:
        import redis  # noqa: PLC0415 - of the extra

        trusted = {"ssl": True, "ssl_ca_certs": str(self.tls.authority)} if self.tls else {}
        return redis.Redis("127.0.0.1", self.port, decode_responses=True, **trusted)

    def _listening(self) -> dict[str, str]:
        return {"bind": "127.0.0.1", **(self.tls.options(self.port) if self.tls else {"port": str(self.port)})}

    def start(self) -> RedisServer:
        options = {
            **self._listening(),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",  # as docs/site/howto/machines.md asks for
            "save": "",
            "logfile": "redis.log",
            "repl-diskless-sync-delay": "0",  # else a first replica waits 5 s for others
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return self._run(*words, *self.options)

    def watch(self, master: RedisServer) -> RedisServer:
        """Run as a sentinel for a master that is called ``mymaster``."""
        options = {
            **self._listening(),
            "sentinel monitor": f"mymaster 127.0.0.1 {master.port} 1",
            "sentinel down-after-milliseconds": "mymaster 500",
            "sentinel failover-timeout": "mymaster 3000",
        }
        config = self.folder / "sentinel.conf"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()), encoding="utf-8")
        return self._run(str(config), "--sentinel")

    def _run(self, *words: str) -> RedisServer:
        command = ["redis-server", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder)  # noqa: S603 - our own line
        until(self.answers, "redis-server")
        return self

    def answers(self) -> bool:
        """Tell whether it has read its file: it listens before, and says that it is loading."""
        import redis  # noqa: PLC0415 - of the extra

        client = self.sync
        try:
            client.ping()
        except (redis.AuthenticationError, redis.ResponseError):
            return True  # it wants a password first
        except redis.ConnectionError:
            return False
        finally:
            client.close()
        return True

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def everything(self) -> str:
        """Return all names and values."""
        client = self.sync
        found: list[str] = []
        for name in client.scan_iter(count=1000):
            kind = client.type(name)
            read = {
                "string": client.get,
                "hash": client.hgetall,
                "list": lambda key: client.lrange(key, 0, -1),
                "set": client.smembers,
                "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
                "stream": client.xrange,
            }[kind]
            found.append(f"{name} {read(name)}")
        client.close()
        return "\n".join(found)


class WorkerProcess:
    """A worker as people start it."""

    def __init__(self, url: str, service: LocalService, log: Path, *words: str) -> None:
        environment = {
            **os.environ,
            "REPORT_FLOW_APP_KEY": service.app_key,
            "REPORTFLOW_API_BASE_URL": service.base_url,
            "PYTHONWARNINGS": "default",
        }
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(  # noqa: S603 - our own line
                [sys.executable, "-m", "reportflow_pandas.cli", "worker", "--queue", url, *words],
                env=environment,
                stdout=file,
                stderr=file,
            )

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def ready(self) -> WorkerProcess:
        until(lambda: " serves workspace " in self.text() or self.process.poll() is not None, "a worker")
        assert self.process.poll() is None, self.text()
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Forwarder:
    """Stands between clients and a server, and can change the target or swallow what is under way."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._swallowed: set[threading.Thread] = set()
        self._pumps: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self._server.getsockname()[1])
        self._sockets: list[socket.socket] = [self._server]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5.0)
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def swallow(self) -> None:
        """Let established connections carry nothing more, without closing them; new ones work."""
        self._swallowed |= set(self._pumps)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # the server is away, or all has ended
                client.close()
                continue
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                pump = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if threading.current_thread() in self._swallowed:
                    continue
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


PREFIX = "reportflow"

SOON_GIVEN_UP = ("--lease", "4")
"""For workers that are killed or paused; the others of a busy machine may be silent for seconds, and live."""

Workers = Callable[..., list[WorkerProcess]]
Helper = Callable[..., Worker]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for other processes: theirs is real time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        threading.Event().wait(0.02)


def people(rows: int, word: str = "Person") -> pd.DataFrame:
    return pd.DataFrame({"name": [f"{word} {number}" for number in range(rows)]})


def plain(**more: Any) -> dict[str, Any]:
    """Arguments for a frame with a column ``name`` that need no look-up; files are named like the people."""
    return {
        "design_id": "certificate",
        "version": 1,
        "check": False,
        "params": {"RecipientName": "name"},
        "file_name": "name",
        "limits": False,
        **more,
    }


def sent(service: LocalService) -> Counter[str]:
    """Return how often each document was accepted."""
    return Counter(document.file_name.removesuffix(".pdf") for document in service.documents)


def statuses(results: pd.DataFrame) -> dict[str, int]:
    return {str(word): int(count) for word, count in results["status"].value_counts().items()}


def throttled(service: LocalService) -> int:
    return sum(call.status == 429 for call in service.calls)


def most_in_a_window(service: LocalService, window: float) -> int:
    """Return the most generation calls that arrived within any window."""
    moments = sorted(call.started for call in service.calls)
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - window:
            first += 1
        most = max(most, last - first + 1)
    return most
