"""The verb ``verify``: every PDF on disk read back and held against the row that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import AuthError, ConfigurationError, ConnectionFailed, RunInterrupted
from reportflow_pandas.execution.preparation import Prepared, connected, document_rows, prepare
from reportflow_pandas.next_steps import DOWNLOAD_FIRST, VERIFY_GOES_ON
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.options import Options, Params, Tables
from reportflow_pandas.results.results_frame import is_results, provenance
from reportflow_pandas.rows.grouping import DocumentRows
from reportflow_pandas.settings import Settings
from reportflow_pandas.verify.read_back import paths_of, read_back, require_readers
from reportflow_pandas.verify.verified_results import with_verdicts

__all__ = ["verify"]

WHY_ONLINE = (
    "verify looks the design up at the service (one call, nothing is billed): its parameters say which columns a "
    "document prints, and as what. The PDFs themselves are read on this machine, and none was read yet: the same "
    "line again when the service can be asked"
)


def verify(
    frame: pd.DataFrame,
    results: pd.DataFrame,
    design_id: str | None = None,
    *,
    version: int | Literal["latest"] | None = None,
    params: Params | None = None,
    tables: Tables | None = None,
    group_by: str | Sequence[str] | None = None,
    file_name: str | None = None,
    passthrough: str | Sequence[str] | None = None,
    settings: Settings | None = None,
    progress: bool | Literal["auto"] = "auto",
) -> pd.DataFrame:
    """Read every PDF of the results back and hold it against the row that it was made from.

    Nothing is generated, and nothing is billed. The PDFs are read on this machine; the design's parameters alone
    are looked up, which takes a key and the network. Every text, number, date and line of a table is looked for,
    in any form that designs print. What a design doesn't print, or prints in a form that is not known, is learned
    from the run itself and is no alarm: it is *not judged*, and said once. An ``ok`` means that everything that
    could be read is there, never more. A PDF that has not changed is not read again (``.reportflow-read.sqlite``
    beside the PDFs).

    Parameters
    ----------
    results : pandas.DataFrame
        Results of this frame, or a part of them, with the PDFs on disk (``download=``, ``.download(folder)``). The
        frame may have been sorted since: rows and PDFs belong together by the index label.
    design_id, version : optional
        Those of the results.
    params, tables, group_by, file_name, passthrough : optional
        As they were for ``generate``: they say what each document should show.
    settings : Settings, optional
        In place of the process's.
    progress : bool or "auto"
        A bar.

    Returns
    -------
    pandas.DataFrame
        The results, same index and order, with ``verdict`` (``ok``, ``look``, ``unread``; missing where there is
        no PDF), ``suspicion`` (0 nothing, higher is worse), ``findings`` (one line of text, missing where there
        are none) and ``pages`` (Int64).

    Raises
    ------
    ConfigurationError
        No results, results of another frame, no PDF on disk, no key, a package that is missing.
    AuthError, ConnectionFailed
        The design's parameters could not be looked up.
    RunInterrupted
        Ctrl-C. What was read is kept: the same line goes on.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> orders, tables = orders.head(8), {"Lines": rf.Table(lines, on="InvoiceId")}
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.reportflow.generate("invoice", tables=tables, download=folder)
    ...     results = orders.reportflow.verify(results, tables=tables)
    >>> results["verdict"].tolist()
    ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok']
    """
    require_readers()
    if is_results(frame) and not is_results(results):
        raise ConfigurationError(
            "verify holds results against the rows that they were made from: df.reportflow.verify(results), and "
            "here the two stand the wrong way round"
        )
    attrs = provenance(results, "verify")
    paths = paths_of(results)
    if not paths and len(results):
        raise ConfigurationError(
            f"none of these results has a PDF on disk, so there is nothing to read back. {DOWNLOAD_FIRST}"
        )
    given: dict[str, Any] = {
        "version": version or _version_of(attrs),
        "params": params,
        "tables": tables,
        "group_by": group_by,
        "file_name": file_name,
        "passthrough": passthrough,
        "settings": settings,
        "progress": progress,
        "check": "warn",
    }
    options = Options.of(design_id or attrs.get("design_id"), given)  # type: ignore[arg-type]
    rows = _rows(frame, options)
    last = int(results["row"].max()) if len(results) else -1
    if last >= len(rows.frame) or attrs.get("rows", str(len(rows.frame))) != str(len(rows.frame)):
        raise ConfigurationError(
            f"these results are of {attrs.get('rows', last + 1)} documents, and this frame makes "
            f"{len(rows.frame):,}: verify needs the frame that was generated, with the same group_by="
        )
    if (order := _order_of_run(rows.frame.index, results)) is not None:
        if rows.groups is not None:
            raise ConfigurationError(
                "the lines of this frame stand in another order than when it was generated, and so do its groups: "
                "pass the frame that was generated, unsorted"
            )
        rows = _rows(frame.iloc[order], options)

    shown = Progress()
    bar = Bar(shown, progress)
    try:
        documents = _looked_up(rows).documents
        checked = read_back(results, documents, shown, bar.paint)
    except KeyboardInterrupt:
        done = shown.phases[0].done if shown.phases else 0
        raise RunInterrupted(
            f"interrupted: {done:,} of {len(paths):,} PDFs were read, and what was read is kept. {VERIFY_GOES_ON}",
            results,
        ) from None
    finally:
        shown.ended = True
        bar.close()
    return with_verdicts(results, checked)


def _order_of_run(index: pd.Index[Any], results: pd.DataFrame) -> list[int] | None:
    """Return a sorted frame's lines in the order of the run, by their labels; None where they are in it.

    Raises
    ------
    ConfigurationError
        The labels stand elsewhere than in the run, and some are unknown or not unique.
    """
    rows = results["row"].to_numpy(dtype="int64")
    at = index.get_indexer(results.index) if index.is_unique else np.full(len(results), -1)
    is_sorted = not index.equals(pd.RangeIndex(len(index))) and not index.take(rows).equals(results.index)
    if not is_sorted or (index.is_unique and (at < 0).all()):
        return None  # or the results have got labels of their own, and `row` tells
    if (at < 0).any() or not results.index.is_unique:
        raise ConfigurationError(
            "this frame is in another order than when it was generated, and its labels don't tell which row is "
            "which document's: pass the frame that was generated, with its index"
        )
    place_of = dict(zip(rows.tolist(), at.tolist(), strict=True))
    others = iter(sorted(set(range(len(index))) - set(place_of.values())))
    return [place_of[row] if row in place_of else next(others) for row in range(len(index))]


def _rows(frame: pd.DataFrame, options: Options) -> DocumentRows:
    """Return the documents' rows; what the service is asked for is said where there is no key for it."""
    try:
        options.effective_settings  # noqa: B018 - raises where there is no key
    except ConfigurationError as error:
        raise ConfigurationError(f"{str(error).rstrip('.')}. {WHY_ONLINE}") from None
    return document_rows(frame, options, names=False)


def _looked_up(rows: DocumentRows) -> Prepared:
    """Return what the documents should show, by the design's parameters."""
    options = replace(rows.options, file_name=rows.options.file_name or "{index}")

    async def asked() -> Prepared:
        async with connected(options) as (client, line):
            return await prepare(rows, options, client, line, "verify")

    try:
        return event_loop.run(asked())
    except (AuthError, ConnectionFailed) as error:
        error.args = (f"{str(error).rstrip('.')}. {WHY_ONLINE}",)
        raise


def _version_of(attrs: Mapping[str, str]) -> int | Literal["latest"]:
    text = attrs.get("version", "")
    return int(text) if text.isdecimal() and int(text) else "latest"
