"""The page for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from reportflow_pandas.local.designs import Design
from reportflow_pandas.local.rendering import Rendering
from reportflow_pandas.local.state import Workspace

__all__ = ["Page"]


class Page:
    """What a person sees of the service."""

    def __init__(
        self,
        workspace: Workspace,
        designs: Mapping[str, Design],
        rendering: Rendering,
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        self._workspace, self._designs, self._rendering, self._in_thread = workspace, designs, rendering, in_thread

    def routes(self) -> list[web.RouteDef]:
        """Return the page's paths."""
        return []
