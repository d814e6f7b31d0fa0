"""A pytest fixture for everybody's own tests: the embedded service, and settings that point at it.

In a ``conftest.py``::

    from reportflow_pandas.local.pytest_fixture import reportflow_service

and in a test::

    def test_every_order_becomes_a_document(reportflow_service):
        results = orders.reportflow.generate(design_id="invoice", tables=...)
        assert len(reportflow_service.documents) == len(orders)
        assert reportflow_service.counts()["async/multiple"] == 5

A test chooses switches with ``@pytest.mark.parametrize("reportflow_service", [{"sync_status": 200}],
indirect=True)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reportflow_pandas import settings
from reportflow_pandas.local.service import LocalService, local_service

__all__ = ["reportflow_service"]


@pytest.fixture
def reportflow_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalService]:
    """Start the embedded service for one test and point this process's settings at it.

    Journals go to the test's own folder. Afterwards the service is stopped and the settings are what they were.

    Yields
    ------
    LocalService
        Started; its ``.calls``, ``.documents`` and ``.counts()`` say what arrived.
    """
    before = dict(settings._chosen)  # noqa: SLF001 - what the test's process had chosen comes back afterwards
    with local_service(**getattr(request, "param", {})) as service:
        settings.configure(
            base_url=service.base_url,
            app_key=service.app_key,
            token_url=service.token_url,
            client_id=None,
            client_secret=None,
            runs=tmp_path / "runs",
        )
        try:
            yield service
        finally:
            settings._chosen.clear()  # noqa: SLF001 - as above
            settings._chosen.update(before)  # noqa: SLF001 - as above
