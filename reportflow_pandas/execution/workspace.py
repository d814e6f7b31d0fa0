"""Whether a run belongs to the workspace of a key that is another than the one it was begun with."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from reportflow_pandas.api.client import Client
from reportflow_pandas.contract import GATEWAY_STATUSES
from reportflow_pandas.engine.attempts import Channel, GivenUp
from reportflow_pandas.errors import AuthError, ConnectionFailed, OutcomeUnknown, RateLimited
from reportflow_pandas.journal import runs
from reportflow_pandas.settings import EMBEDDED, Settings

__all__ = ["is_of_this_workspace", "may_be_of", "proves"]

_SAYS_NOTHING = {503, *GATEWAY_STATUSES}
"""Statuses of what stands before the service."""


async def is_of_this_workspace(
    run: str, settings: Settings, client: Client, channel: Channel, *, same_workspace: bool = False
) -> bool:
    """Tell whether a run that was begun with another key goes on with this one.

    A key selects a workspace and is renewed now and then, which no hash of it can tell. So one of the run's
    documents is asked for: only its own workspace has it. A run of which nothing may have been accepted is sent
    by any. Names are what people say, and outlive keys: where both have one, two names are two workspaces.

    Returns
    -------
    bool
        False also for a run that there is not, that is this workspace's anyway, another service's, or that of a
        workspace with another name.
    """
    evidence = await asyncio.to_thread(runs.evidence, Path(settings.runs), run)
    if evidence is None or evidence.owner == settings.owner:
        return False
    if not may_be_of(settings, evidence.owner.service, evidence.base_url):
        return False
    if same_workspace:
        return True
    if evidence.owner.is_named and settings.owner.is_named:
        return False
    if not evidence.sent:
        return True
    return evidence.request_id is not None and await proves(client, channel, evidence.request_id, evidence.file_id)


def may_be_of(settings: Settings, service: str | None, base_url: str | None) -> bool:
    """Tell whether a run's service may be this process's; a mistyped key hides that it is the embedded one."""
    embedded = service == EMBEDDED and settings.on_this_machine
    return embedded or service == settings.owner.service or base_url == settings.base_url


async def proves(client: Client, channel: Channel, request_id: str, file_id: str | None) -> bool:
    """Tell whether the service knows a document under this process's key: any answer but "not found" says so.

    Raises
    ------
    ReportFlowError
        It gave no answer of its own, or does not take the key at all.
    """
    fetch = (
        partial(client.download_file, request_id, file_id) if file_id else partial(client.download_zip, request_id)
    )
    try:
        await channel.ask(fetch, kind="download")
    except GivenUp as refused:
        error = refused.error
        status = getattr(error, "status", None)
        if isinstance(error, ConnectionFailed | OutcomeUnknown | RateLimited) or status in _SAYS_NOTHING:
            raise error from None
        if isinstance(error, AuthError) and status != 403:
            raise error from None
        return status != 404
    return True
