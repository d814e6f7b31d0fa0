"""The workspace's designs and their parameters."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Design, Parameter
from reportflow_pandas.engine.attempts import Channel, GivenUp, channel_to
from reportflow_pandas.engine.retry import Stop
from reportflow_pandas.errors import ConfigurationError, NotFoundError
from reportflow_pandas.notebook.shown_frame import readable
from reportflow_pandas.settings import current

__all__ = ["designs", "find_design", "parameters", "parameters_of"]

T = TypeVar("T")


def designs() -> pd.DataFrame:
    """Return the workspace's designs.

    Returns
    -------
    pandas.DataFrame
        ``design_id``, ``label``, ``latest_version`` (int), ``updated_at`` (UTC). One call, nothing billed.

    Raises
    ------
    AuthError
        The key was refused.
    ConnectionFailed
        The service was not reached.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> with rf.use_local():
    ...     ids = rf.designs()["design_id"].tolist()
    >>> "invoice" in ids
    True
    """
    found = _ask(lambda client: client.designs())
    frame = pd.DataFrame(
        {
            "design_id": [design.id for design in found],
            "label": [design.label for design in found],
            "latest_version": pd.Series([design.latest_version for design in found], dtype="int64"),
            "updated_at": pd.to_datetime(
                pd.Series([design.updated_at for design in found], dtype=object), utc=True
            ),
        }
    )
    return readable(frame, "no designs")


def parameters(design_id: str, version: int | Literal["latest"] = "latest") -> pd.DataFrame:
    """Return the parameters of a design.

    Parameters
    ----------
    design_id : str
        The design.
    version : int or "latest"
        Its version. Default the latest.

    Returns
    -------
    pandas.DataFrame
        ``name`` (what a column must be called to fill it), ``type`` (``text``, ``number``, ``boolean``, ``date``,
        ``array``, ``collection``, ``image``), ``label``, ``description``, ``fields`` (of an array: its columns).

    Raises
    ------
    NotFoundError
        No such design or version.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> with rf.use_local():
    ...     names = rf.parameters("invoice")["name"].tolist()
    >>> "CustomerName" in names
    True
    """
    if version != "latest" and (isinstance(version, bool) or not isinstance(version, int)):
        raise ConfigurationError(f"version={version!r}: 'latest' or a whole number")
    found = _ask(lambda client: client.parameters(design_id, None if version == "latest" else version))
    frame = pd.DataFrame(
        {
            "name": [parameter.name for parameter in found],
            "type": [parameter.type for parameter in found],
            "label": [parameter.label for parameter in found],
            "description": [parameter.description for parameter in found],
            "fields": [", ".join(field.name for field in parameter.spec) for parameter in found],
        }
    )
    return readable(frame, "no parameters")


async def find_design(client: Client, channel: Channel, design_id: str) -> Design:
    """Return the design, or say which there are."""
    there = await _read(channel, client.designs)
    for design in there:
        if design.id == design_id:
            return design
    near = difflib.get_close_matches(design_id, [design.id for design in there], 1)
    labelled = [design.id for design in there if design.label == design_id]
    hint = f"Did you mean {(labelled or near)[0]!r}? " if labelled or near else ""
    known = ", ".join(f"{design.id!r} ({design.label})" for design in there[:10])
    raise NotFoundError(
        404, [f"this workspace has no design {design_id!r}"], hint=f"{hint}It has: {known or 'none'}; rf.designs()"
    )


async def parameters_of(client: Client, channel: Channel, design_id: str, version: int) -> list[Parameter]:
    """Return the parameters of a pinned version."""
    return await _read(channel, lambda: client.parameters(design_id, version))


async def _read(channel: Channel, fetch: Callable[[], Awaitable[T]]) -> T:
    try:
        return await channel.ask(fetch)
    except GivenUp as refused:
        decision = refused.decision
        raise (decision.error if isinstance(decision, Stop) else refused.error) from None


def _ask(question: Callable[[Client], Awaitable[T]]) -> T:
    settings = current().checked()

    async def asked() -> T:
        async with Client(settings) as client:
            return await _read(channel_to(settings), lambda: question(client))

    return event_loop.run(asked())
