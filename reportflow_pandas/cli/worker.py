"""A worker in the foreground: ``reportflow-pandas worker``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import logging
import signal
from types import FrameType

from reportflow_pandas.queue.address import RedisAddress
from reportflow_pandas.queue.worker import CONCURRENCY, LEASE_SECONDS, WORKER_GRACE_SECONDS, Worker
from reportflow_pandas.settings import current

__all__ = ["JsonLines", "add_arguments", "seconds_or_more", "work"]

log = logging.getLogger("reportflow_pandas")

EPILOG = """\
The key and the address are this machine's own (REPORT_FLOW_APP_KEY, REPORTFLOW_API_BASE_URL): the worker serves
the runs of that workspace, and no others. Any number of workers share one rate limit.

exit codes:
  0  ended by SIGTERM or Ctrl-C, and all that was begun is finished
  1  ended, but calls had to be cut off after the grace time: their rows are unknown
  2  refused: no key, no address, or a Redis that refuses for good: the password, a right, a cluster

A Redis that is not there yet, or cannot be written to just now, is waited for.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(log_level="info")
    parser.add_argument(
        "--queue",
        metavar="URL",
        help="the Redis, e.g. redis://localhost:6379/0; default: REPORTFLOW_QUEUE of the environment, where a "
        "password is in no list of processes",
    )
    parser.add_argument(
        "--queue-file",
        metavar="FILE",
        help="a file with that address; default: the one that REPORTFLOW_QUEUE_FILE names",
    )
    parser.add_argument(
        "--concurrency",
        type=_count,
        default=CONCURRENCY,
        metavar="N",
        help=f"calls in flight; default {CONCURRENCY}",
    )
    parser.add_argument(
        "--grace",
        type=seconds_or_more,
        default=WORKER_GRACE_SECONDS,
        metavar="S",
        help=f"seconds that calls in flight get after SIGTERM; default {WORKER_GRACE_SECONDS:g}",
    )
    parser.add_argument(
        "--lease",
        type=_positive,
        default=LEASE_SECONDS,
        metavar="S",
        help="seconds without a sign of life after which a worker's calls are given up; the same for all workers, "
        f"and longer than any restart of Redis; default {LEASE_SECONDS:g}",
    )
    parser.add_argument("--json", action="store_true", help="the log as one JSON object a line")


def work(arguments: argparse.Namespace) -> int:
    """Carry calls out until SIGTERM or Ctrl-C."""
    return asyncio.run(_work(arguments))


async def _work(arguments: argparse.Namespace) -> int:
    address = RedisAddress.given(arguments.queue, arguments.queue_file)
    if arguments.queue is not None and address.password:
        log.warning(
            "the password in --queue is seen by everyone who lists the processes of this machine (ps): "
            "REPORTFLOW_QUEUE or --queue-file keep it to this one"
        )
    worker = Worker(
        current(),
        address,
        concurrency=arguments.concurrency,
        grace=arguments.grace,
        lease=arguments.lease,
    )
    here = asyncio.get_running_loop()

    def end(_signal: int, _frame: FrameType | None) -> None:
        here.call_soon_threadsafe(worker.stop)

    before = {}
    with contextlib.suppress(ValueError):  # not the main thread: the program that runs this one ends it
        before = {number: signal.signal(number, end) for number in _endings()}
    try:
        return await worker.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _endings() -> list[signal.Signals]:
    """Return the signals that end a worker in peace; one that is ignored stays so (nohup)."""
    found = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    return [number for number in found if signal.getsignal(number) != signal.SIG_IGN]


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _count(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 1000:
        raise argparse.ArgumentTypeError(f"{word!r}: a whole number from 1 to 1000")
    return int(word)


def seconds_or_more(word: str) -> float:
    """Read seconds, 0 or more, as an option gives them."""
    with contextlib.suppress(ValueError):
        if 0 <= float(word) < float("inf"):
            return float(word)
    raise argparse.ArgumentTypeError(f"{word!r}: seconds, 0 or more")


def _positive(word: str) -> float:
    if (seconds := seconds_or_more(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word!r}: seconds, 1 or more")
    return seconds
