"""The render queue: documents become PDFs in threads, in order of acceptance, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.compiler_process import close_idle
from reportflow_pandas.local.designs import DesignVersion
from reportflow_pandas.local.state import Entry, Request, Workspace

__all__ = ["Rendering", "placeholder", "require_compiler"]

logger = logging.getLogger("reportflow_pandas")

SAMPLE_DATE = datetime(2026, 11, 2, tzinfo=UTC)


class Rendering:
    """Renders what was accepted, sync orders first, on all cores.

    PDFs are kept in memory up to ``keep_bytes``; of those that were dropped, the oldest first, the values are
    still there and rendering is deterministic, so they are rendered again on request.
    """

    def __init__(self, workspace: Workspace, on_rendered: Callable[[Request], None]) -> None:
        self._workspace = workspace
        self._on_rendered = on_rendered
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._urgent: deque[tuple[Request, Entry]] = deque()
        self._queue: deque[tuple[Request, Entry]] = deque()
        self._finished: dict[str, asyncio.Event] = {}

    def start(self) -> None:
        """Start the threads; called on the service's loop."""
        cores = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="reportflow-render")
        self._waiting = asyncio.Semaphore(0)
        self._urgent.clear()
        self._queue.clear()
        for request, entry in self._workspace.unrendered():
            self._queue.append((request, entry))
            self._waiting.release()
        self._workers = [asyncio.create_task(self._work()) for _ in range(cores)]

    async def stop(self) -> None:
        """End the threads; what was not rendered is rendered after the next start."""
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with suppress(asyncio.CancelledError):
                await worker
        self._pool.shutdown(wait=True, cancel_futures=True)
        close_idle()

    def put(self, request: Request) -> None:
        """Queue a request's documents; without rendering they are done at once."""
        if not self._workspace.switches.render:
            for entry in request.entries.values():
                self._workspace.rendered(entry, entry.failing)
            self._on_rendered(request)
            return
        queue = self._urgent if request.endpoint.startswith("sync/") else self._queue
        for entry in request.entries.values():
            queue.append((request, entry))
            self._waiting.release()

    async def wait(self, request: Request) -> None:
        """Wait until all of a request's documents are rendered or failed."""
        if any(entry.rendered is None for entry in request.entries.values()):
            event = self._finished.setdefault(request.request_id, asyncio.Event())
            try:
                await event.wait()
            finally:
                self._finished.pop(request.request_id, None)

    async def pdf(self, request: Request, entry: Entry) -> bytes:
        """Return a rendered document's bytes, rendered again if they were not kept."""
        if not self._workspace.switches.render:
            return placeholder(entry.file_id, request.accepted_at)
        kept = self._kept.get(entry.file_id)
        if kept is None:
            kept = await self._rendered(request, entry)
            self._keep(entry, kept)
        return kept

    async def sample(self, version: DesignVersion, language: str = "en") -> bytes:
        """Return a design's own example as PDF, in a language that it has or else in another."""
        request = Request("sample", "sample", "", version, SAMPLE_DATE)
        params = orjson.dumps(version.samples.get(language) or next(iter(version.samples.values())))
        return await self._rendered(request, Entry("", "", "sample", "workspace", False, params, None, 0.0))

    def clear(self) -> None:
        """Drop all bytes and what waits."""
        self._kept.clear()
        self._kept_bytes = 0
        self._urgent.clear()
        self._queue.clear()

    async def _work(self) -> None:
        while True:
            await self._waiting.acquire()
            if self._urgent:
                request, entry = self._urgent.popleft()
            elif self._queue:
                request, entry = self._queue.popleft()
            else:
                continue
            failure = entry.failing
            if failure is None:
                try:
                    pending = self._rendered(request, entry)
                except RuntimeError:  # the interpreter ends, and its pools take nothing more
                    return
                try:
                    self._keep(entry, await pending)
                except Exception as error:  # noqa: BLE001 - one broken document must not end the others
                    failure = str(error) or type(error).__name__
                    logger.warning("document %s of request %s: %s", entry.file_id, request.request_id, failure)
            self._workspace.rendered(entry, failure)
            if all(other.rendered is not None for other in request.entries.values()):
                if request.request_id in self._finished:
                    self._finished[request.request_id].set()
                self._on_rendered(request)

    def _rendered(self, request: Request, entry: Entry) -> Awaitable[bytes]:
        return asyncio.get_running_loop().run_in_executor(self._pool, _render, request, entry)

    def _keep(self, entry: Entry, pdf: bytes) -> None:
        self._kept_bytes += len(pdf) - len(self._kept.pop(entry.file_id, b""))
        self._kept[entry.file_id] = pdf
        while self._kept_bytes > self._workspace.switches.keep_bytes:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def _render(request: Request, entry: Entry) -> bytes:
    """Make one PDF; runs in a thread of the pool."""
    from reportflow_pandas.local.compiler import render  # noqa: PLC0415 - the compiler is an extra

    passthrough: dict[str, Any] | None = None if entry.passthrough is None else orjson.loads(entry.passthrough)
    return render(
        request.version, orjson.loads(entry.params), created=request.accepted_at, passthrough=passthrough
    )


def require_compiler() -> None:
    """Refuse to start a service that could not render.

    Raises
    ------
    ConfigurationError
        The extra is not installed.
    """
    try:
        import reportflow_pandas.local.compiler  # noqa: F401, PLC0415 - the compiler is an extra
    except ImportError as error:
        raise ConfigurationError(
            f"the embedded service renders PDFs with packages that are not installed ({error.name}): "
            "pip install 'reportflow-pandas[local]', or local_service(render=False) for placeholders"
        ) from error


def placeholder(file_id: str, created: datetime) -> bytes:
    """Return a tiny valid PDF that names the file's id: what ``render=False`` answers with."""
    text = f"BT /F 12 Tf 40 800 Td (placeholder for {file_id}: local_service\\(render=False\\)) Tj ET".encode()
    stamp = created.strftime("D:%Y%m%d%H%M%SZ")
    fonts = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>" % fonts,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Producer (ReportFlow) /Creator (ReportFlow) /Author (ReportFlow) /CreationDate (%s) >>"
        % stamp.encode(),
    ]
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
