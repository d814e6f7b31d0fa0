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

from reportflow_pandas.accessor import ReportFlowAccessor, with_verbs as _with_verbs
from reportflow_pandas.api.client import Client
from reportflow_pandas.design_lookup import designs, parameters
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
from reportflow_pandas.examples import example_orders as _example_orders
from reportflow_pandas.jobs import Job, JobWarning, job
from reportflow_pandas.options import Constant, Table
from reportflow_pandas.plan import Plan
from reportflow_pandas.preview import Preview
from reportflow_pandas.run_verbs import forget, load as _load, resume as _resume, runs
from reportflow_pandas.settings import Limits, Settings, configure
from reportflow_pandas.verify.spot_check import SpotCheck

if TYPE_CHECKING:
    from reportflow_pandas.delivery.account import account
    from reportflow_pandas.export.review import read_review
    from reportflow_pandas.local.use_local import local_service, use_local
    from reportflow_pandas.reading.read_rows import read_rows as _read_rows
    from reportflow_pandas.version_comparison import compare_versions

    read_rows = _with_verbs(_read_rows)

example_orders, load, resume = _with_verbs(_example_orders), _with_verbs(_load), _with_verbs(_resume)

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

if hasattr(pd.DataFrame, "reportflow"):
    # a reload (%autoreload) registers again, without pandas' warning about it
    delattr(pd.DataFrame, "reportflow")
pd.api.extensions.register_dataframe_accessor("reportflow")(ReportFlowAccessor)


_WHEN_ASKED_FOR = {
    "account": "reportflow_pandas.delivery.account",
    "compare_versions": "reportflow_pandas.version_comparison",
    "local_service": "reportflow_pandas.local.use_local",
    "read_review": "reportflow_pandas.export.review",
    "read_rows": "reportflow_pandas.reading.read_rows",
    "use_local": "reportflow_pandas.local.use_local",
}
"""Modules that are imported when their name is asked for: they take long, or need packages of an extra."""


def __getattr__(name: str) -> Any:
    if name in _WHEN_ASKED_FOR:
        return getattr(importlib.import_module(_WHEN_ASKED_FOR[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
