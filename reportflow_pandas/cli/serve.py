"""The embedded service in the foreground, and for one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
from collections.abc import Iterator, Sequence

from reportflow_pandas.cli.output import ACCEPTED, say
from reportflow_pandas.network import is_loopback
from reportflow_pandas.printable import counted
from reportflow_pandas.settings import Limits

__all__ = ["SLICE", "local_for", "serve"]

SLICE = 0.5
"""Seconds that the foreground waits at a time: on Windows a Ctrl-C is felt only between waits."""


def serve(arguments: argparse.Namespace, ended: threading.Event | None = None) -> int:
    """Run the embedded service until Ctrl-C or SIGTERM.

    Parameters
    ----------
    arguments : argparse.Namespace
        ``host``, ``port``, ``designs``, ``limits``, ``latency``, ``render_delay``.
    ended : threading.Event, optional
        Set by a caller that wants it to end otherwise.
    """
    # rendering needs packages that production does not
    from reportflow_pandas.local.use_local import local_service  # noqa: PLC0415

    service = local_service(
        designs=arguments.designs,
        port=arguments.port,
        limits=Limits() if arguments.limits else None,
        latency=arguments.latency,
        render_delay=arguments.render_delay,
        seed=None,  # a second service with the same ids would meet the first one's PDFs in a download folder
    )
    service.host = arguments.host
    ended = ended or threading.Event()
    with service, contextlib.suppress(KeyboardInterrupt):
        say(_welcome(service.page_url, service.base_url, service.app_key, list(service.designs)))
        if not is_loopback(arguments.host):
            say(_from_elsewhere(arguments.host, service.base_url))
        while not ended.wait(SLICE):
            pass
    say(f"Stopped after {counted(len(service.documents), 'document')} in {counted(len(service.calls), 'call')}.")
    return ACCEPTED


def _welcome(page: str, base_url: str, app_key: str, designs: Sequence[str]) -> str:
    assign = "$env:{}='{}'" if os.name == "nt" else "export {}={}"
    return "\n".join(
        [
            "The embedded Report Flow service runs on this machine, for this machine. Ctrl-C ends it.",
            "",
            f"  Page      {page}     what was generated, with the PDFs",
            f"  Base URL  {base_url}",
            f"  Key       {app_key}",
            f"  Designs   {', '.join(designs)}",
            "",
            "In Python:",
            "",
            "  import reportflow_pandas as rf",
            f'  rf.configure(base_url="{base_url}", app_key="{app_key}")',
            "",
            "Or in the environment, for Jupyter and for reportflow-pandas generate:",
            "",
            f"  {assign.format('REPORTFLOW_API_BASE_URL', base_url)}",
            f"  {assign.format('REPORT_FLOW_APP_KEY', app_key)}",
            "",
        ]
    )


def _from_elsewhere(host: str, base_url: str) -> str:
    """Return how other machines and containers speak to it."""
    port = base_url.rpartition(":")[2].partition("/")[0]
    return "\n".join(
        [
            f"It listens on {host}, without TLS: anyone who reaches this port and has the key may use it.",
            "From another machine or container that trusts this network, with NAME as it calls this one:",
            "",
            f"  rf.configure(base_url='http://NAME:{port}', plain_http='NAME', app_key=…)",
            f"  or REPORTFLOW_API_BASE_URL=http://NAME:{port} and REPORTFLOW_PLAIN_HTTP=NAME",
            "",
        ]
    )


@contextlib.contextmanager
def local_for(*, wanted: bool) -> Iterator[None]:
    """Let a command speak to an embedded service of its own, if it wants one."""
    if not wanted:
        yield
        return
    from reportflow_pandas.local.use_local import use_local  # noqa: PLC0415 - as above

    with use_local(seed=None):
        yield
