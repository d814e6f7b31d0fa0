"""The embedded service: the same eight endpoints on this machine, with real PDFs.

Started by `local_service` (also ``rf.local_service``); a `Fault` makes it misbehave on purpose; in pytest use
the fixture of `reportflow_pandas.local.pytest_fixture`.
"""

from __future__ import annotations

from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.records import CallRecord, Document, WebhookRecord
from reportflow_pandas.local.service import LocalService, local_service

__all__ = ["CallRecord", "Document", "Fault", "LocalService", "WebhookRecord", "local_service"]
