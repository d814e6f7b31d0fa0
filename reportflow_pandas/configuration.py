"""The keyword arguments of ``rf.configure``, for type checkers; `Settings` documents and checks them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

from reportflow_pandas.clock import Clock

__all__ = ["Configuration"]


class Configuration(TypedDict, total=False):
    """What can be configured; ``None`` takes a value back."""

    app_key: str | None
    base_url: str | None
    client_id: str | None
    client_secret: str | None
    token_url: str | None
    workspace: str | None
    runs: str | PathLike[str] | None
    loop: Literal["thread", "nest"] | None
    clock: Clock | None
    proxy: str | Literal[False] | None
    ca_bundle: str | PathLike[str] | None
    plain_http: str | Sequence[str] | None
    outage: float | str | None
    language: str | None
    smtp: str | None
    sender: str | None
    max_documents: int | None
