"""Trying everything without an account: the embedded service, started and made this process's service."""

from __future__ import annotations

import inspect
from typing import Any

from reportflow_pandas import settings
from reportflow_pandas.local.service import LocalService, local_service

__all__ = ["local_service", "use_local"]

_used: list[LocalService] = []


def use_local(**switches: Any) -> LocalService:
    """Start the embedded service and configure this process for it.

    Parameters
    ----------
    **switches
        Those of `local_service`.

    Returns
    -------
    LocalService
        Running. ``with`` or ``.stop()`` ends it and brings the earlier settings back; a second ``use_local()``
        takes the place of the first. Its ``.page_url`` is a page for people.

    Raises
    ------
    ConfigurationError
        The packages that render are missing: ``pip install "reportflow-pandas[local]"``.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> with rf.use_local() as service:
    ...     "invoice" in set(rf.designs()["design_id"])
    True
    """
    for earlier in _used:
        earlier.stop()
    service = local_service(**switches).start()
    restore = settings.point_at(service.base_url, service.app_key)
    _used.append(service)

    def stopped() -> None:
        _used.remove(service)
        restore()

    service.when_stopped(stopped)
    return service


use_local.__signature__ = inspect.signature(local_service)  # type: ignore[attr-defined]
