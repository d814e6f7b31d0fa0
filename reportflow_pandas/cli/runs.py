"""Durable runs from a shell: listed, resumed, and told of by the service."""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.cli.output import (
    ACCEPTED,
    INTERRUPTED,
    SOME_FAILED,
    complain,
    exit_code,
    ready_for,
    say,
    say_outcome,
    shown,
    table,
    write_workbook,
)
from reportflow_pandas.cli.serve import SLICE, local_for
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.errors import ReportFlowError, RunInterrupted
from reportflow_pandas.next_steps import at_a_prompt
from reportflow_pandas.printable import counted
from reportflow_pandas.results.summary import accepted
from reportflow_pandas.settings import EMBEDDED, current

__all__ = ["resume", "runs", "webhook"]


def runs(_arguments: argparse.Namespace) -> int:
    """Print the runs."""
    found = rf.runs()
    if found.empty:
        say(f"no runs in {shown(current().runs)}")
        return ACCEPTED
    found["updated"] = found["updated_at"].dt.strftime("%Y-%m-%d %H:%M UTC")
    never = ["no_pdf"] if found["no_pdf"].any() else []
    columns = ["run", "state", "design", "version", "rows", "accepted", *never, "failed", "unknown", "not_sent"]
    columns.append("updated")
    say(table(found[columns].astype(object).where(found[columns].notna(), "")))
    for problem in found.loc[found["problem"] != "", "problem"]:
        say(f"\n{problem}")
    return ACCEPTED


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run, and write the review workbook.

    Returns
    -------
    int
        0: all accepted (and saved, where that was asked for). 1: some were not. 130: interrupted.

    Raises
    ------
    ReportFlowError
        Nothing was sent.
    """
    out = ready_for((arguments.out or Path("review.xlsx")).expanduser())
    more: dict[str, Any] = {}
    if arguments.download is not None:
        more["download"] = arguments.download
    if arguments.max_documents is not None:
        more["max_documents"] = arguments.max_documents
    if arguments.same_workspace:
        more["same_workspace"] = True
    if arguments.progress is not None:
        more["progress"] = arguments.progress
    before = rf.load(arguments.run)
    started = SYSTEM_CLOCK.monotonic()
    with _service_of(before):
        results, stopped, code = _resumed(arguments.run, more)
    seconds = SYSTEM_CLOCK.monotonic() - started
    what, written = write_workbook(results, out, None)
    run = results.attrs["reportflow"]
    good = int(accepted(before).sum())
    say(f"Run {arguments.run}, {counted(len(results), 'row')}, {good:,} of them accepted before:")
    say_outcome(results, download=bool(run["download"]))
    say()
    say(f"{counted(int(run['calls']), 'generation call')}, {seconds:.1f} s")
    if run["download"]:
        say(f"PDFs      {shown(run['download'])} ({int(results['path'].notna().sum()):,})")
    say(f"{what:<9} {shown(written)}")
    if stopped:
        complain(f"\n{stopped}")
    return code if code is not None else exit_code(results, download=bool(run["download"]))


@contextlib.contextmanager
def _service_of(results: pd.DataFrame) -> Iterator[None]:
    """Have a run of an embedded service go on at one, where this process is not set to one on this machine."""
    wanted = results.attrs["reportflow"].get("service") == EMBEDDED and not current().on_this_machine
    if wanted:
        complain("This run was made on the embedded service, so it goes on there: nothing is billed.")
    with local_for(wanted=wanted):
        yield


def _resumed(run: str, more: dict[str, Any]) -> tuple[pd.DataFrame, str, int | None]:
    """Return the results, why it ended early if it did, and the exit code that follows from that."""
    try:
        return rf.resume(run, **more), "", None
    except RunInterrupted as interrupted:
        results = interrupted.results
        return (
            results,
            f"Interrupted: what is missing was not sent. {at_a_prompt(results.attrs['reportflow'])}",
            INTERRUPTED,
        )
    except ReportFlowError as error:
        if error.results is None or error.results.attrs["reportflow"]["calls"] == "0":
            raise
        return (
            error.results,
            f"The run was stopped: {error}. {at_a_prompt(error.results.attrs['reportflow'])}",
            SOME_FAILED,
        )


def webhook(arguments: argparse.Namespace, ended: threading.Event | None = None) -> int:
    """Mark rows as ready when the service tells so, until Ctrl-C or SIGTERM.

    Parameters
    ----------
    arguments : argparse.Namespace
        ``host``, ``port``, ``notify``.
    ended : threading.Event, optional
        Set by a caller that wants it to end otherwise.
    """
    # only here is a server needed
    from reportflow_pandas.webhook import Webhook  # noqa: PLC0415

    receiver = Webhook(host=arguments.host, port=arguments.port, notify=arguments.notify)
    ended = ended or threading.Event()
    with receiver, contextlib.suppress(KeyboardInterrupt):
        say(
            f"Listening on {receiver.url} for the events of {receiver.settings.host}; runs in "
            f"{shown(receiver.settings.runs)}. Ctrl-C ends it.\nIn the web app (Workspace settings, Developer, "
            "Webhook URL) goes the HTTPS address of the proxy or tunnel that leads here."
        )
        while not ended.wait(SLICE):
            pass
    seen = ", ".join(f"{count:,} {word}" for word, count in sorted(receiver.seen.items()))
    say(f"Stopped. Requests: {seen or 'none'}.")
    return ACCEPTED
