"""Fetching PDFs: asked for until they are ready, a batch by its ZIP, each for itself where that fails."""

from __future__ import annotations

import asyncio
import io
import logging
import tempfile
import unicodedata
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Delivered, FileEntry
from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.line import Line, Refused, Tries
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.plan import Document
from reportflow_pandas.engine.retry import Stop
from reportflow_pandas.errors import NotReady
from reportflow_pandas.results.folder import PdfFolder

__all__ = ["Download", "Wanted", "fetch_outcomes", "save_delivered"]

log = logging.getLogger("reportflow_pandas")

FIRST, GROWTH, LONGEST = 1.0, 1.7, 30.0
"""Pauses between asking, in seconds: nothing is published (api-contract 7.2)."""

AT_ONCE = 4
"""Requests asked for at the same time: the rate limit is the brake, not this."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document whose PDF is to be saved."""

    position: int
    request_id: str
    file_id: str | None
    file_name: str
    accepted_at: float

    @property
    def document(self) -> str:
        """What the folder knows the document by."""
        return f"{self.request_id}/{self.file_id or self.file_name}"


T = TypeVar("T")
Saved = Callable[[Wanted, Path], None]
Failed = Callable[[Wanted, str, str, int | None], None]


class Download:
    """Fetches documents into a folder.

    Parameters
    ----------
    client : Client
        The service.
    line : Line
        Slots, retries and pauses.
    folder : PdfFolder
        Where they go.
    wait : float
        Seconds from acceptance to readiness; waiting for our own rate limit does not count.
    saved, failed : callable
        Told of each document: ``saved(wanted, path)``, ``failed(wanted, error_kind, text, http_status)``.
    """

    def __init__(
        self, client: Client, line: Line, folder: PdfFolder, *, wait: float, saved: Saved, failed: Failed
    ) -> None:
        self._client = client
        self._line = line
        self._clock = line.clock
        self._folder = folder
        self._wait = wait
        self._saved = saved
        self._failed = failed
        self._ready_after = 0.0
        """How long the last request took to become ready: nobody asks for the next ones much sooner."""
        self._pending: set[str] = set()
        self._changed = asyncio.Event()

    async def fetch(self, wanted: Iterable[Wanted]) -> None:
        """Fetch all, oldest request first. Returns when each is saved or has failed.

        Raises
        ------
        AuthError
            The key was refused: the first refusal ends it all.
        """
        requests: dict[str, list[Wanted]] = {}
        for one in wanted:
            there = self._folder.find(one.document)
            if there is not None:
                self._saved(one, there)
            else:
                requests.setdefault(one.request_id, []).append(one)
        waiting = iter(sorted(requests.values(), key=lambda group: group[0].accepted_at))
        tasks = [asyncio.create_task(self._poller(waiting)) for _ in range(min(AT_ONCE, len(requests)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _poller(self, waiting: Iterator[list[Wanted]]) -> None:
        for group in waiting:
            await self._request(group)

    async def _request(self, group: Sequence[Wanted]) -> None:
        request_id = group[0].request_id
        await self._turn()
        deadline = _Deadline(self, self._clock, group[0].accepted_at, lambda: self._pending.add(request_id))
        try:
            await self._whole(group, deadline)
        finally:
            self._pending.discard(request_id)
            self._changed.set()

    async def _turn(self) -> None:
        """Wait while an older request is known not to be ready, but not for ever: it may be broken."""
        if not self._pending:
            return
        self._changed.clear()
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._clock.sleep(LONGEST))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _whole(self, group: Sequence[Wanted], deadline: _Deadline) -> None:
        if len(group) == 1 and group[0].file_id:
            await self._one(group[0], deadline)
            return
        try:
            left = await self._zip(group, deadline)
        except Refused as refused:
            _raise_systemic(refused)
            # one broken or expired document must not hide the others: each is asked for once by itself
            left = list(group)
        deadline.over = True
        for one in left:
            if one.file_id:
                await self._one(one, deadline)
            else:
                self._failed(
                    one, "server", "the ZIP does not hold it and the service gave no file id for it", None
                )

    async def _zip(self, group: Sequence[Wanted], deadline: _Deadline) -> list[Wanted]:
        """Save what the request's ZIP holds; return what it does not hold."""
        with tempfile.TemporaryFile() as file:
            content = cast("BinaryIO", file)
            await self._ready(lambda: self._client.download_zip(group[0].request_id, content), deadline)
            try:
                found = await asyncio.to_thread(self._unpack, content, group)
            except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError):
                return list(group)
        left = []
        for one in group:
            if one.position in found:
                self._saved(one, found[one.position])
            else:
                left.append(one)
        return left

    def _unpack(self, content: BinaryIO, group: Sequence[Wanted]) -> dict[int, Path]:
        content.seek(0)
        found = {}
        for name, pdf in pdfs_of(content, [one.file_name for one in group]):
            one = next(one for one in group if one.file_name == name)
            found[one.position] = self._folder.save(one.document, one.file_name, pdf)
        return found

    async def _one(self, one: Wanted, deadline: _Deadline) -> None:
        try:
            pdf = await self._ready(
                lambda: self._client.download_file(one.request_id, one.file_id or ""), deadline
            )
        except Refused as refused:
            _raise_systemic(refused)
            error = refused.error
            if isinstance(error, NotReady):
                kind, text = deadline.verdict(error)
                self._failed(one, kind, text, error.status)
            else:
                self._failed(one, refused.decision.error_kind, refused.decision.text, refused.decision.http_status)
            return
        path = await asyncio.to_thread(self._folder.save, one.document, one.file_name, pdf)
        self._saved(one, path)

    async def _ready(self, fetch: Callable[[], Awaitable[T]], deadline: _Deadline) -> T:
        """Ask until the answer is there, with growing pauses, up to the deadline."""
        pause = FIRST
        await self._clock.sleep(deadline.first_pause())
        while True:
            tries = Tries()
            try:
                answer = await self._line.tries(fetch, kind="download", tries=tries)
            except Refused as refused:
                deadline.waited(tries.waited)
                error = refused.error
                if not isinstance(error, NotReady) or deadline.over:
                    raise
                rest = min(error.retry_after or pause * (0.75 + 0.5 * self._clock.random()), deadline.left())
                if rest <= 0:
                    raise
                deadline.pending()
                await self._clock.sleep(rest)
                pause = min(pause * GROWTH, LONGEST)
            else:
                self._ready_after = max(0.0, self._clock.now().timestamp() - deadline.accepted_at - tries.waited)
                return answer

    @property
    def patience(self) -> tuple[float, float]:
        """Seconds a document may take, and how long the last one took."""
        return self._wait, self._ready_after


class _Deadline:
    """Until when one request is asked for."""

    def __init__(
        self, download: Download, clock: Clock, accepted_at: float, pending: Callable[[], None]
    ) -> None:
        self.accepted_at = accepted_at
        self.pending = pending
        self.over = False
        self._clock = clock
        self._allowed, self._expected = download.patience
        self._old = self._age() >= self._allowed

    def _age(self) -> float:
        return self._clock.now().timestamp() - self.accepted_at

    def left(self) -> float:
        """Seconds left; time spent in line for our own rate limit does not count."""
        return self._allowed - self._age()

    def waited(self, seconds: float) -> None:
        """Take the time in line out of the account."""
        self._allowed += seconds

    def first_pause(self) -> float:
        """Seconds before it is worth asking at all: what the last request took, no more than the longest pause."""
        if self.over:
            return 0.0
        return max(0.0, min(max(FIRST, self._expected) - self._age(), LONGEST, self.left()))

    def verdict(self, error: NotReady) -> tuple[str, str]:
        """Return the error kind and a text for a document that is not there."""
        if self._old and error.status == 404:
            return "expired", (
                "the service does not have this file (any more): it was accepted longer ago than wait= allows, "
                "and its PDFs expire. Download them soon after generating"
            )
        return "not_ready", (
            f"still not ready (the last answer was {error.status}). It stays accepted: "
            "results.reportflow.download(folder) asks again and costs nothing"
        )


def _there(path: str | None) -> bool:
    return path is not None and Path(path).is_file()


def _raise_systemic(refused: Refused) -> None:
    if isinstance(refused.decision, Stop):
        raise refused.decision.error from refused


def _plain(name: str) -> str:
    stem = name[:-4] if name[-4:].lower() == ".pdf" else name
    return unicodedata.normalize("NFC", stem).casefold()


async def fetch_outcomes(
    outcomes: Outcomes, client: Client, line: Line, folder: PdfFolder, *, wait: float
) -> None:
    """Fetch the PDFs of all accepted documents that have none yet, and note it in the outcomes."""
    wanted = [
        Wanted(one.row, one.request_id or "", one.file_id, one.file_name or "", one.accepted_at or 0.0)
        for one in outcomes
        if one.status in ("accepted", "ready") and not _there(one.path)
    ]
    if not wanted:
        return
    phase = line.progress.begin("PDFs", len(wanted))

    def saved(one: Wanted, path: Path) -> None:
        outcomes.saved(one.position, str(path))
        phase.done += 1

    def failed(one: Wanted, kind: str, text: str, status: int | None) -> None:
        outcomes.not_fetched(one.position, kind, text, status)
        phase.done += 1
        phase.failed += 1
        log.warning("row %d (request %s): not downloaded, %s: %s", one.position, one.request_id, kind, text)

    await Download(client, line, folder, wait=wait, saved=saved, failed=failed).fetch(wanted)


async def save_delivered(
    delivered: Delivered,
    pairs: Sequence[tuple[Document, FileEntry | None]],
    folder: PdfFolder,
    saved: Callable[[int, Path], None],
) -> list[int]:
    """Save the files that came with a sync answer; return the positions that it did not hold."""
    return await asyncio.to_thread(_unpacked, delivered, pairs, folder, saved)


def _unpacked(
    delivered: Delivered,
    pairs: Sequence[tuple[Document, FileEntry | None]],
    folder: PdfFolder,
    saved: Callable[[int, Path], None],
) -> list[int]:
    names = {
        (entry.file_name if entry is not None else "") or document.name: document for document, entry in pairs
    }
    ids = {document.position: entry.file_id for document, entry in pairs if entry is not None}
    content = delivered.content
    files = (
        [(next(iter(names)), content)]
        if content.startswith(b"%PDF-")
        else pdfs_of(io.BytesIO(content), list(names))
    )
    missing = {document.position for document in names.values()}
    for name, pdf in files:
        position = names[name].position
        document = f"{delivered.request_id}/{ids.get(position) or name}"
        saved(position, folder.save(document, name, pdf))
        missing.discard(position)
    return sorted(missing)


def pdfs_of(content: BinaryIO, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted names' PDFs from a ZIP: entries by name, whatever folder the ZIP puts them in."""
    with zipfile.ZipFile(content) as archive:
        entries = {_plain(Path(entry.filename.replace("\\", "/")).name): entry for entry in archive.infolist()}
        for name in names:
            entry = entries.get(_plain(name))
            if entry is None:
                continue
            try:
                pdf = archive.read(entry)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
                continue
            if pdf.startswith(b"%PDF-"):
                yield name, pdf
