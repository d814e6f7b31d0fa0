"""One row, one PDF: Report Flow documents from a pandas DataFrame.

>>> import reportflow_pandas as rf                             # gives every DataFrame a .reportflow
>>> orders, lines = rf.example_orders()
>>> with rf.use_local():                                       # the embedded service: no account needed
...     results = orders.head(3).reportflow.generate(
...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
...     )
>>> results["status"].tolist()
['accepted', 'accepted', 'accepted']
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

import pandas as pd

from reportflow_pandas.errors import (
    ApiError,
    AuthError,
    CheckWarning,
    ConfigurationError,
    ConnectionFailed,
    InvalidRows,
    JournalError,
    NotFoundError,
    NotReady,
    OutcomeUnknown,
    RateLimited,
    ReportFlowError,
    RunCancelled,
    RunInterrupted,
)
from reportflow_pandas.options import Constant, Table
from reportflow_pandas.settings import Limits, Settings, configure

if TYPE_CHECKING:
    from reportflow_pandas.accessor import ReportFlowAccessor, with_verbs as _with_verbs
    from reportflow_pandas.api.client import Client
    from reportflow_pandas.delivery.account import account
    from reportflow_pandas.design_lookup import designs, parameters
    from reportflow_pandas.examples import example_orders as _example_orders
    from reportflow_pandas.export.review import read_review
    from reportflow_pandas.jobs import Job, JobWarning, job
    from reportflow_pandas.local.use_local import local_service, use_local
    from reportflow_pandas.plan import Plan
    from reportflow_pandas.preview import Preview
    from reportflow_pandas.reading.read_rows import read_rows as _read_rows
    from reportflow_pandas.run_verbs import forget, load as _load, resume as _resume, runs
    from reportflow_pandas.verify.spot_check import SpotCheck
    from reportflow_pandas.version_comparison import compare_versions

    example_orders, read_rows = _with_verbs(_example_orders), _with_verbs(_read_rows)
    load, resume = _with_verbs(_load), _with_verbs(_resume)

__all__ = [
    "ApiError",
    "AuthError",
    "CheckWarning",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "Constant",
    "InvalidRows",
    "Job",
    "JobWarning",
    "JournalError",
    "Limits",
    "NotFoundError",
    "NotReady",
    "OutcomeUnknown",
    "Plan",
    "Preview",
    "RateLimited",
    "ReportFlowError",
    "RunCancelled",
    "RunInterrupted",
    "Settings",
    "SpotCheck",
    "Table",
    "account",
    "compare_versions",
    "configure",
    "designs",
    "example_orders",
    "forget",
    "job",
    "load",
    "local_service",
    "parameters",
    "read_review",
    "read_rows",
    "resume",
    "runs",
    "use_local",
]

__version__ = "0.1.0"

logging.getLogger("reportflow_pandas").addHandler(logging.NullHandler())

_WHEN_ASKED_FOR = {
    "accessor": ("ReportFlowAccessor",),
    "api.client": ("Client",),
    "delivery.account": ("account",),
    "design_lookup": ("designs", "parameters"),
    "examples": ("example_orders",),
    "export.review": ("read_review",),
    "jobs": ("Job", "JobWarning", "job"),
    "local.use_local": ("local_service", "use_local"),
    "plan": ("Plan",),
    "preview": ("Preview",),
    "reading.read_rows": ("read_rows",),
    "run_verbs": ("forget", "load", "resume", "runs"),
    "verify.spot_check": ("SpotCheck",),
    "version_comparison": ("compare_versions",),
}
"""Modules that are imported when one of their names is asked for: they take long, or need packages of an extra."""

_MODULE = {name: f"reportflow_pandas.{module}" for module, names in _WHEN_ASKED_FOR.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        return getattr(importlib.import_module(_MODULE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]


class _Accessor:
    """``df.reportflow``, as pandas would register it, but imported when it is first asked for."""

    def __get__(self, frame: pd.DataFrame | None, _: type[pd.DataFrame]) -> Any:
        accessor: type[ReportFlowAccessor] = __getattr__("ReportFlowAccessor")
        return accessor if frame is None else accessor(frame)


pd.DataFrame.reportflow = _Accessor()  # type: ignore[attr-defined]
