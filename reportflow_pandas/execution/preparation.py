"""What happens before the first document is sent: looking up, holding the frame against the design, refusing."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Parameter
from reportflow_pandas.design_lookup import find_design, parameters_of
from reportflow_pandas.engine.attempts import Channel, channel_to
from reportflow_pandas.engine.batching import Call, Document, endpoint_for, pack
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import CheckWarning, ConfigurationError
from reportflow_pandas.options import Options
from reportflow_pandas.results.results_frame import is_results
from reportflow_pandas.rows.checks import Problem, compare, inconstant, refuse, refuse_unsayable
from reportflow_pandas.rows.documents import Documents
from reportflow_pandas.rows.download_folders import download_folders
from reportflow_pandas.rows.file_names import file_names
from reportflow_pandas.rows.grouping import DocumentRows
from reportflow_pandas.rows.input_frame import check_frame
from reportflow_pandas.rows.mapping import Sources, bind
from reportflow_pandas.rows.problems import warning_lines

__all__ = [
    "Prepared",
    "as_begun",
    "call_site",
    "connected",
    "document_rows",
    "documents_of",
    "most_documents",
    "prepare",
    "refuse_offline",
    "refuse_too_many",
    "tell",
]

WARNINGS_SHOWN = 12
"""Lines of a warning; the check lists all."""

AS_THEY_ARE = (
    "The rows are sent as they are. One that is corrected afterwards is a new document, and billed as one; "
    "df.reportflow.check(…) tells it before."
)
AS_THEY_ARE_KEYED = (
    "The rows are sent as they are. One that is corrected afterwards is reported as changed, and again= sends it: "
    "as a second document, which is billed; df.reportflow.check(…) tells it before."
)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False)
class Prepared:
    """Everything that is known before the first document is sent."""

    design: str
    version: int
    endpoint: str
    parameters: list[Parameter] | None
    sources: Sources
    names: list[str]
    problems: list[Problem]
    documents: Documents
    looked_up: bool

    def calls(self, options: Options, documents: Iterable[Document]) -> Iterator[Call]:
        """Return the calls for some of the documents, each made when it is asked for."""
        return pack(
            documents,
            design_id=options.design_id,
            version=self.version,
            endpoint=self.endpoint,
            batch_size=options.batch_size,
        )


@asynccontextmanager
async def connected(options: Options) -> AsyncIterator[tuple[Client, Channel]]:
    """Open a client for what is asked outside a run, with its channel as the options want it."""
    settings = options.effective_settings
    async with Client(settings, timeout=options.timeout) as client:
        yield client, channel_to(settings, limits=options.effective_limits, timeout=options.timeout)


def document_rows(frame: pd.DataFrame, options: Options, *, names: bool = True) -> DocumentRows:
    """Return a call's documents, when nothing that can be known without a look-up speaks against them.

    The functions in ``params`` have been called then, once a row: what they returned is kept beside the rows.
    """
    rows = documents_of(frame, options)
    refuse_offline(rows, names=names)
    return rows


def documents_of(frame: pd.DataFrame, options: Options) -> DocumentRows:
    """Return a call's documents, none of them looked at yet.

    Raises
    ------
    ConfigurationError, InvalidRows
        The frame holds results, its columns can't be told apart, or its lines make no groups.
    """
    check_frame(frame)
    if is_results(frame):
        raise ConfigurationError(
            "this frame holds results, and documents are made from rows: use your own frame, "
            "df.reportflow.generate(…). On results there are .reportflow.retry(), which sends failed rows again, "
            ".download(folder), which fetches the PDFs, .summary() and .to_excel(path). "
            "(Should these really be rows: frame.attrs.clear() makes an ordinary frame of it.)"
        )
    options.effective_settings  # noqa: B018 - raises where there is no key
    return DocumentRows.of(frame, options)


def refuse_offline(rows: DocumentRows, *, names: bool = True) -> None:
    """Raise for everything that can be known without a look-up, before the first call of any kind."""
    frame, options = rows.frame, rows.options
    if options.params is not None or options.tables:
        sources = bind(frame, options, None, results=rows.called, groups=rows.groups)
        if options.params is not None:
            refuse_unsayable(frame, sources)
    if options.download is not None:
        download_folders(frame, options.download)
    if options.file_name is not None and names:
        problems = compare(frame, options, [], None, file_names(frame, options.file_name, ""))
        if options.check is True:
            refuse(problems, frame, [], [])


def call_site() -> tuple[str, int]:
    """Return the file and line of the caller's code: the first frame outside this package."""
    frame = sys._getframe()  # noqa: SLF001 - what warnings.warn itself goes by, and it can't cross threads
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("reportflow_pandas"):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def tell(
    problems: Sequence[Problem], progress: Progress, site: tuple[str, int], *, keyed: bool = False
) -> list[str]:
    """Show what looks odd, before anything is sent, and return it.

    Parameters
    ----------
    problems : sequence of Problem
        What the check found.
    progress : Progress
        Where columns that are not sent are told, if nothing else is.
    site : tuple
        The line of the caller's code that the warning belongs to.
    keyed : bool
        Whether the run knows its documents by ``key=``.

    Raises
    ------
    CheckWarning
        Where the caller made an error of it.
    """
    lines, beside = warning_lines(problems)
    if lines:
        shown = [f"  - {line}" for line in lines[:WARNINGS_SHOWN]]
        if len(lines) > WARNINGS_SHOWN:
            shown.append(f"  - and {len(lines) - WARNINGS_SHOWN:,} more: df.reportflow.check(...) lists them")
        shown += [AS_THEY_ARE_KEYED if keyed else AS_THEY_ARE, *(f"Also: {line}" for line in beside)]
        count = f"{len(lines):,} things look" if len(lines) > 1 else "one thing looks"
        text = f"{count} odd in these rows:\n" + "\n".join(shown)
        # with a registry of its own: told by each call, not once a process
        warnings.warn_explicit(text, CheckWarning, *site, registry={})
    else:
        progress.lines += [f"check: {line}" for line in beside]
    return [*lines, *beside]


def most_documents(options: Options) -> int | None:
    """Return how many documents a call may have made; None: any number."""
    return options.effective_settings.max_documents if options.max_documents is None else options.max_documents


def refuse_too_many(count: int, options: Options) -> None:
    """Raise where a call would have more documents made, and paid for, than it may.

    Raises
    ------
    ConfigurationError
        With the count.
    """
    most = most_documents(options)
    if most is not None and count > most:
        raise ConfigurationError(
            f"this call would send {count:,} documents, and max_documents={most} allows no more; nothing was "
            "sent. Each is paid for, and the workspace's plan counts output pages: one of three pages counts "
            f"three. If all of them are meant: max_documents={count}; df.reportflow.plan(…) shows the first one"
        )


def as_begun(options: Options, meta: Mapping[str, Any]) -> Options:
    """Return the options as a run takes them that was begun before: "latest" is the version that it began with.

    Parameters
    ----------
    options : Options
        With the run's name.
    meta : mapping
        As `Journal.meta`; empty where there is no such run.

    Raises
    ------
    ConfigurationError
        The run knows its documents by something else: all would be new, and sent a second time.
    """
    if not meta.get("frame"):
        return options
    if meta.get("key") != options.key_columns:
        was, now = (_known_by(key) for key in (meta.get("key"), options.key_columns))
        raise ConfigurationError(
            f"run {meta['run']!r} knows its documents by {was}, and this call goes by {now}: the same rows "
            "would be other documents and be sent a second time. Nothing was sent. Go by "
            f"{was} again, or give these rows another run name"
        )
    if options.version == "latest" and meta["design_id"] == options.design_id:
        return replace(options, version=meta["version"])
    return options


def _known_by(columns: list[str] | None) -> str:
    if columns is None:
        return "their content (no key=)"
    return f"key={columns[0]!r}" if len(columns) == 1 else f"key={columns!r}"


async def prepare(rows: DocumentRows, options: Options, client: Client, channel: Channel, run: str) -> Prepared:
    """Look up what must be looked up, hold the frame against it, and refuse what would print blank."""
    frame = rows.frame
    label, version, looked_up = options.design_id, options.version, False
    if version == "latest" or (options.file_name is None and options.check is not False):
        design = await find_design(client, channel, options.design_id)
        looked_up = True
        label = design.label
        if version == "latest":
            version = design.latest_version
    assert isinstance(version, int)  # noqa: S101 - "latest" was looked up
    parameters = None
    if options.check is not False:
        parameters = await parameters_of(client, channel, options.design_id, version)
        looked_up = True
    sources = bind(frame, options, parameters, results=rows.called, groups=rows.groups)
    names = file_names(frame, options.file_name, label)
    refuse_unsayable(frame, sources)
    problems = compare(frame, options, sources, parameters, names, groups=rows.groups)
    if options.check is False:  # it lists no problems, and one of the values would be printed by chance
        refuse(list(inconstant(rows.groups, sources)), frame, sources, [])
    documents = Documents(frame, options, sources, names, run)
    endpoint = endpoint_for(options.endpoint, len(frame))
    return Prepared(label, version, endpoint, parameters, sources, names, problems, documents, looked_up)
