"""Telling a webhook that a request is complete."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from reportflow_pandas.contract import FILE_COMPLETED
from reportflow_pandas.local.credentials import WORKSPACE
from reportflow_pandas.local.records import WebhookRecord
from reportflow_pandas.local.state import Request, Workspace, entry_answer

__all__ = ["Webhook", "timestamp"]

TIMEOUT = aiohttp.ClientTimeout(total=5)


class Webhook:
    """Sends ``file.completed`` once all documents of a request are ready; never for a request that failed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.page = ""

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def look(self, request: Request) -> None:
        """Send the event if the request is complete, or wait for the moment when it will be."""
        if self._workspace.switches.webhook_url is None or request.told:
            return
        entries = request.entries.values()
        if any(entry.rendered is None or entry.failure is not None for entry in entries):
            return
        wait = max(entry.ready_from for entry in entries) - self._workspace.clock.monotonic()
        if wait == float("inf"):
            return
        request.told = True
        task = asyncio.create_task(self._tell(request, wait))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, request: Request, wait: float) -> None:
        switches = self._workspace.switches
        if wait > 0:
            await self._workspace.clock.sleep(wait)
        body = orjson.dumps(self._event(request))
        for _ in range(switches.webhook_copies):
            for attempt in range(1, switches.webhook_attempts + 1):
                if await self._post(str(switches.webhook_url), body, request.request_id, attempt):
                    break
                if attempt < switches.webhook_attempts:
                    await self._workspace.clock.sleep(2.0**attempt)

    def _event(self, request: Request) -> dict[str, Any]:
        switches = self._workspace.switches
        return {
            "event": FILE_COMPLETED,
            "timestamp": timestamp(self._workspace.clock.now()),
            "workspaceId": WORKSPACE,
            "requestId": request.request_id,
            "designId": request.design_id,
            "version": request.version.number,
            "files": [entry_answer(request, entry, switches, self.page) for entry in request.entries.values()],
        }

    async def _post(self, url: str, body: bytes, request_id: str, attempt: int) -> bool:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        status, error = None, None
        try:
            async with self._session.post(
                url, data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
            error = str(problem) or type(problem).__name__
        self._workspace.note_webhook(WebhookRecord(request_id, attempt, status, error))
        return status is not None and 200 <= status < 300


def timestamp(moment: datetime) -> str:
    """Return a moment as the wire writes it: ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
