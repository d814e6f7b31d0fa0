"""Trying everything without an account: the embedded service, started and made this process's service."""

from __future__ import annotations

from typing import Unpack

from reportflow_pandas import settings
from reportflow_pandas.local.design_folders import FolderChoice
from reportflow_pandas.local.service import LocalService, local_service
from reportflow_pandas.local.switches import MoreSwitches
from reportflow_pandas.settings import Limits

__all__ = ["local_service", "use_local"]

_used: list[LocalService] = []


def use_local(
    designs: FolderChoice | None = None,
    port: int = 0,
    *,
    limits: Limits | None = None,
    latency: float = 0.0,
    render_delay: float = 0.0,
    **switches: Unpack[MoreSwitches],
) -> LocalService:
    """Start the embedded service and configure this process for it.

    Parameters
    ----------
    designs : path or list of paths, optional
        Folders of designs of your own, beside the packaged ones; read again when a file in them changes.
    port : int
        TCP port on this machine; 0: any free one. Named runs go on after a restart, whatever the port.
    limits : Limits, optional
        Calls allowed in a window, enforced as the vendor's service does; None: no limit.
    latency, render_delay : float
        Seconds from a call to its answer, and from acceptance before a document may be ready.
    **switches
        All others of `local_service`, for tests and experiments.

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
    service = local_service(
        designs, port, limits=limits, latency=latency, render_delay=render_delay, **switches
    ).start()
    restore = settings.point_at(service.base_url, service.app_key)
    _used.append(service)

    def stopped() -> None:
        _used.remove(service)
        restore()

    service.when_stopped(stopped)
    return service
