"""The verb ``generate``: a frame and its options become documents, a run, and a results frame.

CONTRIBUTING.md tells the way of a document from here to its bytes and back, module by module.
"""

from __future__ import annotations

import asyncio
from typing import Unpack

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.argument_help import takes_options
from reportflow_pandas.execution.from_frame import FromFrame
from reportflow_pandas.execution.run import Run
from reportflow_pandas.execution.work import watched
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.options import Arguments, Options

__all__ = ["agenerate", "generate"]


@takes_options
def generate(frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]) -> pd.DataFrame:
    """Generate one document for each row.

    Works in a script, in IPython and in any notebook: the work runs on an event loop of its own.

    Parameters
    ----------
    design_id : str
        The design; ``rf.designs()`` lists yours.
    **arguments
        The shared arguments, see `reportflow_pandas.options.Options`.

    Returns
    -------
    pandas.DataFrame
        One line for each row, same index, same order, whatever happened: ``row``, ``status``, ``file_name``,
        ``url``, ``file_id``, ``request_id``, ``path``, ``error_kind``, ``error``, ``http_status``, ``attempts``,
        ``elapsed`` (seconds), ``accepted_at`` (UTC).

    Raises
    ------
    ConfigurationError, InvalidRows
        Something cannot be sent as it is; nothing was sent.
    AuthError, NotFoundError, RateLimited
        The service refuses everything alike; ``.results`` is the frame so far.
    RunInterrupted
        Ctrl-C or "Interrupt kernel"; ``.results`` is the frame so far.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(2).reportflow.generate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> results["status"].tolist()
    ['accepted', 'accepted']
    """
    return watched(Run(FromFrame(frame, Options.of(design_id, arguments))))


@takes_options
async def agenerate(
    frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]
) -> pd.DataFrame:
    """Generate one document for each row, as a coroutine on the caller's own loop.

    Parameters, results and errors are those of `generate`. A cancelled ``await`` stops sending, waits for what is
    in flight (up to 5 s) and raises the `asyncio.CancelledError` that was thrown in, as any coroutine does, so
    that ``asyncio.timeout``, ``TaskGroup`` and anyio's scopes know theirs. Its ``.results`` is the frame so far;
    of a time-out it is the context: ``error.__context__.results``.

    Parameters
    ----------
    design_id : str
        The design; ``rf.designs()`` lists yours.

    Examples
    --------
    >>> import asyncio
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> async def main():
    ...     return await orders.head(1).reportflow.agenerate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> with rf.use_local():
    ...     results = asyncio.run(main())
    >>> len(results)
    1
    """
    work = Run(FromFrame(frame, Options.of(design_id, arguments)))
    bar = Bar(work.progress, work.options.progress)
    summary = ""
    try:
        results = await event_loop.run_here(work.carry_out(), paint=bar.paint, interrupt=work.interrupt)
        summary = work.summary()
    except asyncio.CancelledError as cancelled:
        cancelled.results = work.results()  # type: ignore[attr-defined]
        cancelled.add_note(work.goodbye())
        summary = work.summary()
        raise
    finally:
        bar.close(summary)
    return results
