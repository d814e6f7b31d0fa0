"""The shared arguments: one frozen object, made once at the edge and validated there."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Hashable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypedDict

import pandas as pd

from reportflow_pandas.contract import DOCUMENTS_PER_CALL, ENDPOINTS, SHARE_CODES
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.settings import Limits, Settings, absolute_path, current, duration

__all__ = [
    "Arguments",
    "Constant",
    "Options",
    "Params",
    "RowsChosen",
    "Table",
    "Tables",
    "grouped_by",
]

Endpoint = Literal["auto", "async/single", "async/multiple", "sync/single", "sync/multiple"]

RowsChosen: TypeAlias = "pd.Series[Any] | pd.Index[Any] | Sequence[Hashable] | AbstractSet[Hashable] | Hashable"
"""A boolean mask, index labels, or one label."""


@dataclass(frozen=True, eq=False)
class Constant:
    """The same value in every document.

    Parameters
    ----------
    value
        Anything that JSON can hold.

    Examples
    --------
    >>> Constant("EUR")
    Constant(value='EUR')
    """

    value: Any


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of another frame, nested into an array parameter: an invoice's lines.

    Parameters
    ----------
    frame : pandas.DataFrame
        The other frame. Its rows keep their order.
    on : str or list of str, optional
        Column(s) that tie the rows to the documents, of one name and one dtype in both frames; named index
        levels count as columns, as in ``merge``.
    left_on, right_on : str or list of str, optional
        In place of ``on``, when the columns have different names: ``left_on`` in the frame of documents,
        ``right_on`` in this one.
    columns : list of str or mapping, optional
        Columns that are sent, or ``{field: column}``. ``None``: those that the design's parameter has, by
        their own names.

    Raises
    ------
    ConfigurationError
        No key, or a key given in two ways.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"InvoiceId": ["1", "1"], "Track": ["Restless", "Wild"], "Quantity": [1, 2]})
    >>> tables = {"Lines": Table(lines, on="InvoiceId")}
    """

    frame: pd.DataFrame = field(repr=False)
    on: str | Sequence[str] | None = None
    left_on: str | Sequence[str] | None = None
    right_on: str | Sequence[str] | None = None
    columns: Sequence[str] | Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.frame, pd.DataFrame):
            raise ConfigurationError(f"Table(frame): a DataFrame, not {type(self.frame).__name__}")
        if self.on is not None and (self.left_on is not None or self.right_on is not None):
            raise ConfigurationError("Table: either on=, or left_on= with right_on=, not both")
        if self.on is None and (self.left_on is None or self.right_on is None):
            raise ConfigurationError(
                "Table: say which column ties the rows to the documents, e.g. Table(lines, on='InvoiceId')"
            )
        if len(self.left_keys) != len(self.right_keys):
            raise ConfigurationError("Table: left_on and right_on need equally many columns")

    @property
    def left_keys(self) -> list[Hashable]:
        """Key columns in the frame of documents."""
        return _as_list(self.on if self.on is not None else self.left_on)

    @property
    def right_keys(self) -> list[Hashable]:
        """Key columns in the table's frame."""
        return _as_list(self.on if self.on is not None else self.right_on)


Params: TypeAlias = "Sequence[Hashable] | Mapping[str, Hashable] | pd.Series[Any]"
"""Columns, or parameter -> column, `Constant`, function of a row, or None."""

Tables: TypeAlias = Mapping[str, Table | Sequence[str] | Mapping[str, str] | str]
"""Array parameter -> `Table`, or with ``group_by`` columns of the same frame."""

Share = Literal["workspace", "invited", "public"]


class Arguments(TypedDict, total=False):
    """The shared keyword arguments, for type checkers; `Options` documents them."""

    version: int | Literal["latest"]
    params: Params | None
    tables: Tables | None
    group_by: str | Sequence[str] | None
    file_name: str | None
    share: Share | pd.Series[str]
    passcode: bool | pd.Series[bool]
    passthrough: str | Sequence[str] | None
    endpoint: Endpoint
    batch_size: int
    concurrency: int | Literal["auto"]
    limits: Limits | Literal[False] | None
    attempts: int
    backoff: float | None
    timeout: float
    download: str | Path | None
    verify: bool
    max_documents: int | None
    wait: float | str
    run: str | None
    key: str | Sequence[str] | None
    again: RowsChosen | None
    on_error: Literal["collect", "raise"]
    check: bool | Literal["warn"]
    drop_missing: bool
    progress: bool | Literal["auto"]
    settings: Settings | None


@dataclass(frozen=True, eq=False)
class Options:
    """How documents are made of rows and sent.

    Parameters
    ----------
    design_id : str
        The design, as the vendor's id; ``rf.designs()`` lists yours.
    version : int or "latest"
        Version of the design. ``"latest"`` (default) is looked up once and then pinned.
    params : list, mapping, Series or None
        What fills the design's parameters. ``None`` (default): the columns that are parameters of the design,
        by their own names (named index levels count as columns); nothing else leaves the machine. A list of
        columns; or ``{parameter: column or Constant(value) or callable(row) or None}``, ``None`` meaning blank
        on purpose. Required with ``check=False``.
    tables : mapping, optional
        ``{parameter: Table(frame, on=…)}``: rows of another frame, nested into an array parameter. With
        ``group_by``, ``{parameter: ["Track", "Quantity"]}`` names columns of the same frame.
    group_by : str or list of str, optional
        Column(s): the frame has several lines to a document. One document for each group, in order of first
        appearance; the results' index is the group's key. What belongs to the document (``params``, ``share``,
        ``passcode``, ``key``, masks for ``again``) has to be the same in all its lines; functions in ``params``
        get its first line. Array parameters whose fields are columns are filled from them without ``tables``.
    file_name : str, optional
        A column, or else a template such as ``"INV-{InvoiceId}"``: braces hold a column's name to the letter,
        or ``index``, with an optional format. Default ``"{design label}-{index}"``.
    share : {"workspace", "invited", "public"} or Series
        Who may open the shared page. Default ``"workspace"``.
    passcode : bool or Series of bool
        Protect the shared page with a passcode. Default ``False``.
    passthrough : str or list of str, optional
        Columns that the service echoes back with the file. They end up in the PDF's metadata, readable by
        the recipient: nothing personal belongs here.
    endpoint : str
        ``"auto"`` (default: up to 5 documents go one by one, more in batches), ``"async/single"``,
        ``"async/multiple"``, ``"sync/single"`` or ``"sync/multiple"``.
    batch_size : int
        Documents in one multiple call, 1 to 100. Default 100; also split by bytes (50 MB).
    concurrency : int or "auto"
        Calls in flight. ``"auto"`` (default) starts at 5, grows while the service keeps up, shrinks when it
        pushes back.
    limits : Limits or None or False
        ``None`` (default): the documented limits, 100 calls (sync: 30) in any 60 s; ``False``: none.
    attempts : int
        Attempts per call, default 3; waiting for the rate limit is none.
    backoff : float, optional
        First pause in seconds, doubled with jitter; ``Retry-After`` wins. Default 1.0, with a queue 2.0 as in the
        vendor's recipe.
    timeout : float
        Seconds for one async call, default 60; sync calls 130.
    download : str or path, optional
        Folder: wait until the PDFs are ready and save them there. ``"pdfs/{Country}/{CustomerName}"`` makes a
        folder for each value.
    max_documents : int, optional
        Refuse before anything is sent if more documents than this would be paid for; what a run has already does
        not count. Default: ``rf.configure(max_documents=…)``, else no limit.
    verify : bool
        With ``download``: read every PDF back, hold it against its row and add the columns of ``verify``.
    wait : float or str
        How long a document may take from acceptance to readiness when it is downloaded. Default ``"15min"``.
    run : str, optional
        Name of a durable run: documents that it already has are not sent again. ``None``: a fresh name.
    key : str or list of str, optional
        Column(s) that identify a document in its run; ``None``: its content. With a key, an accepted document
        whose content changed is reported (``changed``) and not sent by itself. Keys are compared as texts: ``17``
        is ``"17"``. A run stays with the key that it began with.
    again : mask or index labels, optional
        Rows to send again although the run has them.
    on_error : {"collect", "raise"}
        ``"raise"``: stop at the first failed row; the exception carries ``.results``.
    check : bool or "warn"
        Compare the columns with the design's parameters before the first document and refuse what would print
        blank or be refused (default). ``"warn"`` goes on; ``False`` looks nothing up.
    drop_missing : bool
        Leave missing values out instead of sending null. Default ``False``.
    progress : bool or "auto"
        A bar on a terminal and in a notebook (default), always, or never.
    settings : Settings, optional
        Settings for this call in place of the process's.

    Raises
    ------
    ConfigurationError
        A value that cannot be; it says which and what can.
    """

    design_id: str
    version: int | Literal["latest"] = "latest"
    params: Params | None = None
    tables: Tables | None = None
    group_by: str | Sequence[str] | None = None
    file_name: str | None = None
    share: Share | pd.Series[str] = "workspace"
    passcode: bool | pd.Series[bool] = False
    passthrough: str | Sequence[str] | None = None
    endpoint: Endpoint = "auto"
    batch_size: int = DOCUMENTS_PER_CALL
    concurrency: int | Literal["auto"] = "auto"
    limits: Limits | Literal[False] | None = None
    attempts: int = 3
    backoff: float = 1.0
    timeout: float = 60.0
    download: str | Path | None = None
    verify: bool = False
    max_documents: int | None = None
    wait: float | str = "15min"
    run: str | None = None
    key: str | Sequence[str] | None = None
    again: RowsChosen | None = None
    on_error: Literal["collect", "raise"] = "collect"
    check: bool | Literal["warn"] = True
    drop_missing: bool = False
    progress: bool | Literal["auto"] = "auto"
    settings: Settings | None = None

    @classmethod
    def of(cls, design_id: str | None, arguments: Arguments) -> Self:
        """Return the options for a call, or say which argument is meant."""
        if not isinstance(design_id, str) or not design_id.strip():
            raise ConfigurationError(
                "design_id is missing: which design should the rows fill? rf.designs() lists yours, e.g. "
                "df.reportflow.generate(design_id='Zk3PpV0aNq8sUe5J')"
            )
        known = [spec.name for spec in dataclasses.fields(cls)]
        for name in arguments:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise TypeError(
                    f"there is no argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else f": {known}")
                )
        given: dict[str, Any] = {
            name: value for name, value in arguments.items() if (name, value) != ("backoff", None)
        }
        options = cls(design_id=design_id.strip(), **given)
        if options.settings is None:
            # once, here: what is configured, or another working directory, changes no run under way
            object.__setattr__(options, "settings", current())
        return options

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_words()
        if self.verify and self.download is None:
            raise ConfigurationError("verify=True reads PDFs on disk: download='pdfs' saves them there")
        if self.download is not None:
            there = absolute_path(self.download, "download")
            if ".." not in Path(self.download).parts and str(there).count("{") == str(self.download).count("{"):
                # a folder whose own name has braces would become a template
                object.__setattr__(self, "download", there)
            _check_folder(there)
        if self.group_by is not None and not self.group_by_columns:
            raise ConfigurationError("group_by=[]: a column, or several, that name a document, e.g. 'InvoiceId'")
        if self.check is False and self.params is None:
            raise ConfigurationError(
                "check=False looks nothing up, so it is not known which columns are parameters: name them, "
                "e.g. params=['Customer', 'Total'] or params={'Customer': 'customer_name'}"
            )

    def _check_numbers(self) -> None:
        whole = {"batch_size": (1, DOCUMENTS_PER_CALL), "attempts": (1, 100)}
        for name, (low, high) in whole.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ConfigurationError(f"{name}={value!r}: a whole number from {low} to {high}")
        most = self.max_documents
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
            raise ConfigurationError(f"max_documents={most!r}: a whole number of documents, or None for no limit")
        if self.concurrency != "auto" and (
            isinstance(self.concurrency, bool) or not isinstance(self.concurrency, int) or self.concurrency < 1
        ):
            raise ConfigurationError(f"concurrency={self.concurrency!r}: 'auto' or a whole number from 1")
        for name in ("backoff", "timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ConfigurationError(f"{name}={value!r}: seconds, 0 or more")
        if not self.timeout:
            raise ConfigurationError("timeout=0: a call needs some time; the default is 60 seconds")
        if self.version != "latest" and (
            isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1
        ):
            raise ConfigurationError(f"version={self.version!r}: 'latest' or a whole number from 1")
        duration(self.wait, "wait")

    def _check_words(self) -> None:
        choices: dict[str, tuple[object, ...]] = {
            "endpoint": ("auto", *ENDPOINTS),
            "on_error": ("collect", "raise"),
            "check": (True, False, "warn"),
            "progress": (True, False, "auto"),
            "drop_missing": (True, False),
            "verify": (True, False),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed):
                raise ConfigurationError(f"{name}={value!r}: one of {', '.join(map(repr, allowed))}")
        if isinstance(self.share, str) and self.share not in SHARE_CODES:
            raise ConfigurationError(
                f"share={self.share!r}: one of {', '.join(map(repr, SHARE_CODES))}, or a Series"
            )
        if not isinstance(self.share, str | pd.Series):
            raise ConfigurationError("share: 'workspace', 'invited', 'public', or a Series of these")
        if not isinstance(self.passcode, bool | pd.Series):
            raise ConfigurationError("passcode: True, False, or a Series of these")
        if self.limits is not None and self.limits is not False and not isinstance(self.limits, Limits):
            raise ConfigurationError(
                f"limits={self.limits!r}: rf.Limits(async_calls=…), None for the documented ones, False for none"
            )
        self._check_tables()
        if self.settings is not None and not isinstance(self.settings, Settings):
            raise ConfigurationError("settings: a rf.Settings, e.g. rf.Settings(app_key='ak_…')")

    def _check_tables(self) -> None:
        for parameter, table in (self.tables or {}).items():
            if isinstance(table, str | list | tuple | Mapping | pd.Index):
                if self.group_by is None:
                    raise ConfigurationError(
                        f"tables[{parameter!r}]: columns of the same frame need group_by=, the column that names "
                        "a document, e.g. group_by='InvoiceId'; rows of another frame: "
                        "rf.Table(lines, on='InvoiceId')"
                    )
            elif not isinstance(table, Table):
                raise ConfigurationError(
                    f"tables[{parameter!r}]: a Table, e.g. rf.Table(lines, on='InvoiceId'), "
                    f"not {type(table).__name__}"
                )

    @property
    def effective_limits(self) -> Limits:
        """The limits that count."""
        if self.limits is False:
            return Limits.off()
        return self.limits or Limits()

    @property
    def effective_settings(self) -> Settings:
        """The settings that count, checked."""
        return (self.settings or current()).checked()

    def kept(self) -> dict[str, Any]:
        """Return what a journal keeps of these: enough to go on without the frame. No credential is among it."""
        limits = self.effective_limits
        return {
            "batch_size": self.batch_size,
            "concurrency": self.concurrency,
            "limits": [limits.async_calls, limits.sync_calls, limits.window],
            "attempts": self.attempts,
            "backoff": self.backoff,
            "timeout": self.timeout,
            "download": str(Path(self.download).absolute()) if self.download is not None else None,
            "wait": self.wait,
            "on_error": self.on_error,
            "group_by": json.loads(self.grouped_by or "null"),
        }

    @classmethod
    def of_kept(
        cls, design_id: str, version: int, endpoint: Endpoint, kept: Mapping[str, Any], **more: Any
    ) -> Self:
        """Return the options of a run that goes on without its frame."""
        values: dict[str, Any] = {name: value for name, value in kept.items() if name != "warnings"}
        values["limits"] = Limits(*values["limits"])
        return cls(design_id, version=version, endpoint=endpoint, check=False, params={}, **{**values, **more})

    @property
    def wait_seconds(self) -> float:
        """``wait`` in seconds."""
        return duration(self.wait, "wait")

    @property
    def key_columns(self) -> list[str] | None:
        """``key`` as a list of names; None: no key."""
        return None if self.key is None else [str(name) for name in _as_list(self.key)]

    @property
    def group_by_columns(self) -> list[Any]:
        """``group_by`` as a list; empty: each row is a document."""
        return _as_list(self.group_by) if self.group_by is not None else []

    @property
    def grouped_by(self) -> str:
        """``group_by`` as the results and a journal keep it."""
        return grouped_by(self.group_by_columns)

    @property
    def passthrough_columns(self) -> list[Any]:
        """``passthrough`` as a list."""
        return _as_list(self.passthrough) if self.passthrough is not None else []


def grouped_by(names: Sequence[Any] | None) -> str:
    """Return what a run was grouped by as one text: a JSON list of texts; empty: each row is a document."""
    return json.dumps([str(name) for name in names], ensure_ascii=False) if names else ""


def _check_folder(folder: Path) -> None:
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        # else found when all is paid for: neither a journal nor a results frame can hold such a path
        raise ConfigurationError(
            f"download: the name of the folder {str(folder)!r} is no text, so its PDFs cannot be written down; "
            "choose another folder"
        ) from None


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | pd.Index) else [value]
