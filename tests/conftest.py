"""One fixture resets everything; the service is the proof."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import settings as hypothesis_settings

import reportflow_pandas as rf
from reportflow_pandas import settings
from reportflow_pandas.engine import rate_limit
from reportflow_pandas.local.service import LocalService

ROOT = Path(__file__).parents[1]

SECRETS = (
    "REPORT_FLOW_APP_KEY",
    "REPORTFLOW_API_KEY",
    "REPORTFLOW_API_BASE_URL",
    "REPORTFLOW_CLIENT_ID",
    "REPORTFLOW_CLIENT_SECRET",
    "REPORTFLOW_TOKEN_URL",
    "REPORTFLOW_WORKSPACE",
    "REPORTFLOW_RUNS",
    "REPORTFLOW_WORKSPACE",
    "REPORTFLOW_PLAIN_HTTP",
    "REPORTFLOW_OUTAGE",
    "REPORTFLOW_SMTP",
    "REPORTFLOW_SENDER",
)

# On a busy machine an example takes a second now and then: no test is timed.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""And what the machine that runs the tests is reached by."""


@pytest.fixture(scope="session", autouse=True)
def _no_journal_in_the_checkout() -> Iterator[None]:
    before = _journals()
    yield
    left = sorted(map(str, _journals() - before))
    assert not left, f"a test left journals in the checkout, which belong into a folder of its own: {left}"


def _journals() -> set[Path]:
    folders = [ROOT / ".reportflow", *ROOT.glob("[!.]*/")]
    return {path for folder in folders for path in folder.rglob("*.sqlite")}


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings, no environment, no slots taken, and journals in a folder of the test, its processes' too."""
    for name in (*SECRETS, *NETWORK, *map(str.lower, NETWORK), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REPORTFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(settings, "_chosen", {})
    rate_limit._rate_limiters.by_workspace.clear()
    yield
    rate_limit._rate_limiters.by_workspace.clear()


@pytest.fixture
def service(fresh_process: None) -> Iterator[LocalService]:
    """The embedded service without rendering: for counting."""
    with rf.use_local(render=False) as running:
        yield running


@pytest.fixture
def local(fresh_process: None) -> Iterator[Callable[..., LocalService]]:
    """Start embedded services with switches; the process is configured for the last one."""
    started: list[LocalService] = []

    def start(**switches: Any) -> LocalService:
        running = rf.use_local(**{"render": False, **switches})
        started.append(running)
        return running

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def orders() -> pd.DataFrame:
    return rf.example_orders()[0]


@pytest.fixture
def lines() -> pd.DataFrame:
    return rf.example_orders()[1]


@pytest.fixture
def invoices(lines: pd.DataFrame) -> dict[str, Any]:
    """The arguments that turn an order into an invoice."""
    return {"design_id": "invoice", "tables": {"Lines": rf.Table(lines, on="InvoiceId")}}


def required(what: str, found: object) -> None:
    """Skip on a laptop that lacks something; in CI, which installs it, fail."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing; .ci/run installs it")
    pytest.skip(f"{what} is not installed here")
