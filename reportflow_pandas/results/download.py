"""Fetching PDFs: asked for until they are ready, a batch by its ZIP, each for itself where that fails."""

from __future__ import annotations

import asyncio
import io
import logging
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Delivered, FileEntry
from reportflow_pandas.engine.attempts import Attempts, Channel, GivenUp, Held
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.circuit_breaker import CircuitBreaker, says_nothing
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.retry import Stop
from reportflow_pandas.errors import ConfigurationError, ConnectionFailed, NotReady, ReportFlowError
from reportflow_pandas.next_steps import NO_PDF_FOR_GOOD, REST_NOT_FETCHED, SAVED_SO_FAR
from reportflow_pandas.printable import counted
from reportflow_pandas.results.missing_pdfs import Wanted, known_by, missing
from reportflow_pandas.results.pdf_folder import PdfFolder
from reportflow_pandas.results.polling import Polling
from reportflow_pandas.results.zip_files import pdfs_of

__all__ = ["Download", "fetch_outcomes", "save_delivered"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

AT_ONCE = 4
"""Requests asked for at the same time: the rate limit is the brake, not this."""

ASKED_IN_VAIN = 3
"""Files of a request that are not ready: then comes a pause before others of it are asked for."""


Saved = Callable[[Wanted, Path], None]
Failed = Callable[[Wanted, str, str, int | None], None]


class Download:
    """Fetches documents into a folder.

    Parameters
    ----------
    client : Client
        The service.
    channel : Channel
        Slots, retries and pauses.
    folder : PdfFolder
        Where they go.
    wait : float
        Seconds from acceptance to readiness; waiting for our own rate limit does not count.
    saved, failed : callable
        Told of each document: ``saved(wanted, path)``, ``failed(wanted, error_kind, text, http_status)``.
    """

    def __init__(
        self,
        client: Client,
        channel: Channel,
        folder: PdfFolder,
        *,
        wait: float,
        saved: Saved,
        failed: Failed,
    ) -> None:
        self._client = client
        self._channel = channel
        self._folder = folder
        self._wait = wait
        self._saved = saved
        self._failed = failed
        heard = channel.breaker is not None and channel.breaker.ever_answered
        self._breaker = channel.breaker = CircuitBreaker(
            partial(channel.look, client.designs),
            end=lambda _: None,
            say=channel.progress.away,
            clock=channel.clock,
            patience=channel.patience,
            left=REST_NOT_FETCHED,
        )
        if heard:
            self._breaker.answered()
        self._rows: dict[str, list[Wanted]] = {}
        """Document -> its rows: in a frame put together from others, one document can have several."""
        self._width = 1
        """Requests asked for at once: the oldest alone, until it tells how long they take."""
        self._stuck = 0
        """Requests that have not been ready for so long that others are not kept waiting by them."""
        self._ready_after = 0.0
        """How long the last request took to become ready: the next ones are not asked for much sooner."""
        self._changed = asyncio.Event()
        self._open: dict[str, Wanted] = {}
        """Documents that were neither saved nor given up yet."""
        self._saving: set[asyncio.Task[Any]] = set()
        """Files on their way to the disk: what has arrived is told, also when everything else ends."""

    async def fetch(self, wanted: Iterable[Wanted]) -> None:
        """Fetch all, oldest request first. Returns when each is saved or has failed.

        A service that is away is waited for; where it stays away, what is left fails with one word about it.

        Raises
        ------
        AuthError, RateLimited
            The service refuses everything alike: the first such refusal ends it all.
        ConfigurationError
            The disk is full.
        """
        for file in wanted:
            self._rows.setdefault(file.document, []).append(file)
        firsts = [rows[0] for rows in self._rows.values()]
        self._open = {first.document: first for first in firsts}
        if len(firsts) == 1:
            self._channel.breaker = None  # no other tells whether it is the service or this document
        there = await asyncio.to_thread(lambda: [self._folder.find(first.document) for first in firsts])
        requests: dict[str, list[Wanted]] = {}
        for first, path in zip(firsts, there, strict=True):
            if path is not None:
                self._found(first, path)
            elif not first.request_id:
                text = "the service named no request for it, so it cannot be asked for: look for it in the web app"
                self._lost(first, "not_found", text, None)
            else:
                requests.setdefault(first.request_id, []).append(first)
        try:
            await self._all(deque(sorted(requests.values(), key=lambda group: group[0].accepted_at)))
        except ConnectionFailed as away:
            text = " ".join(str(away).split())
            missing = f"not downloaded, {counted(len(self._open), 'PDF')}: {text}"
            log.warning("%s", missing)
            self._channel.progress.lines.append(missing)
            for file in list(self._open.values()):
                self._give_up(file, "network", text, None)
        finally:
            self._breaker.close()

    async def _all(self, waiting: deque[list[Wanted]]) -> None:
        running: set[asyncio.Task[None]] = set()
        change = asyncio.create_task(self._changed.wait())
        try:
            while waiting or running:
                while waiting and len(running) - self._stuck < self._width:
                    running.add(asyncio.create_task(self._request(waiting.popleft())))
                both: set[asyncio.Task[Any]] = {change, *running}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if change.done():
                    self._changed.clear()
                    change = asyncio.create_task(self._changed.wait())
                for task in [task for task in running if task.done()]:
                    running.discard(task)
                    task.result()
        finally:
            left: list[asyncio.Task[Any]] = [change, *running]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, *self._saving, return_exceptions=True)

    async def _saved_whole(self, saving: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(saving)
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        return await asyncio.shield(task)

    async def _request(self, group: Sequence[Wanted]) -> None:
        polling = Polling(
            self._channel.clock,
            group[0].accepted_at,
            wait=self._wait,
            expected=self._ready_after,
            stuck=self._give_way,
        )
        try:
            await self._whole(group, polling)
        finally:
            self._stuck -= polling.is_stuck
            self._width = AT_ONCE

    def _give_way(self) -> None:
        self._stuck += 1
        self._width = AT_ONCE
        self._changed.set()

    def _learn(self, polling: Polling, attempts: Attempts) -> None:
        self._ready_after = polling.took(attempts.waited)
        if self._width < AT_ONCE:
            self._width = AT_ONCE
            self._changed.set()

    async def _whole(self, group: Sequence[Wanted], polling: Polling) -> None:
        await polling.before_first()
        if len(group) == 1 and group[0].file_id:
            await self._files(group, polling)
            return
        left, refused = await self._together(group, polling)
        if refused is not None and isinstance(refused.error, NotReady) and refused.error.gone == "request":
            for file in left:
                self._refused(file, refused, polling)
            return
        for file in left:
            if file.file_id:
                continue
            if refused is not None:
                self._refused(file, refused, polling)
            else:
                text = "the request's ZIP does not hold it, and the service named no file id to ask for"
                self._lost(file, "server", text, None)
        await self._files([file for file in left if file.file_id], polling)

    async def _together(
        self, group: Sequence[Wanted], polling: Polling
    ) -> tuple[Sequence[Wanted], GivenUp | None]:
        """Save what the request's ZIP holds; return what is left, and why if the ZIP was refused."""
        attempts = Attempts()
        left = group
        while left:
            try:
                return await self._zip(left, polling, attempts), None
            except GivenUp as refused:
                # one broken or expired document must not hide the others
                return left, refused
            except Held:
                # after an outage one document goes first
                ahead = [file for file in left if file.file_id][:1]
                await self._files(ahead, polling)
                left = [file for file in left if file not in ahead]
        return left, None

    async def _zip(self, group: Sequence[Wanted], polling: Polling, attempts: Attempts) -> list[Wanted]:
        """Save what the request's ZIP holds; return what it does not hold."""
        with _spool() as content:
            while True:
                try:
                    await self._asked(
                        lambda: self._client.download_zip(group[0].request_id, content), polling, attempts
                    )
                    break
                except GivenUp as refused:
                    _raise_systemic(refused)
                    polling.waited(attempts.waited)
                    error = refused.error
                    if not isinstance(error, NotReady) or error.gone or not await polling.again(error):
                        raise
                    attempts = Attempts()
            self._learn(polling, attempts)
            return await self._saved_whole(self._unpacked(content, group))

    async def _unpacked(self, content: BinaryIO, group: Sequence[Wanted]) -> list[Wanted]:
        found = await asyncio.to_thread(self._unpack, content, group)
        for file in group:
            if file.position in found:
                self._found(file, found[file.position])
        return [file for file in group if file.position not in found]

    def _unpack(self, content: BinaryIO, group: Sequence[Wanted]) -> dict[int, Path]:
        content.seek(0)
        pdfs = pdfs_of(content, [file.file_name for file in group])
        return {group[place].position: self._save_now(group[place], pdf) for place, pdf in pdfs}

    async def _files(self, wanted: Sequence[Wanted], polling: Polling) -> None:
        """Fetch files one by one, in turn: one that is not ready keeps no other waiting.

        A pause follows a few answers that say "not ready": asking for a whole batch each time would use up the
        rate limit.
        """
        left = deque(wanted)
        not_ready: dict[int, tuple[GivenUp, NotReady]] = {}  # of those that were asked for since the last pause
        patient = True
        attempts: dict[int, Attempts] = {}
        while left:
            if patient and (len(not_ready) >= ASKED_IN_VAIN or left[0].position in not_ready):
                patient = await polling.again(max((error for _, error in not_ready.values()), key=_asked_pause))
                if patient:
                    not_ready.clear()
            file = left.popleft()
            if file.position in not_ready:
                self._refused(file, not_ready[file.position][0], polling)
                continue
            its = attempts.pop(file.position, None) or Attempts()
            try:
                pdf = await self._asked(
                    partial(self._client.download_file, file.request_id, file.file_id or ""), polling, its
                )
            except Held:
                # another one goes first after the outage: it may be this file whose answers never come whole
                if its.probe and len(self._open) == 1:
                    self._lost(file, "network", self._breaker.seen, None)
                    return
                attempts[file.position] = its
                left.append(file)
            except GivenUp as refused:
                _raise_systemic(refused)
                polling.waited(its.waited)
                if isinstance(refused.error, NotReady) and not refused.error.gone:
                    not_ready[file.position] = refused, refused.error
                    left.append(file)
                    continue
                self._refused(file, refused, polling)
            else:
                self._learn(polling, its)
                await self._saved_whole(self._save(file, pdf))

    async def _asked(self, fetch: Callable[[], Awaitable[T]], polling: Polling, attempts: Attempts) -> T:
        """Ask for a file, when the service is there.

        Raises
        ------
        Held
            It went away meanwhile.
        GivenUp
            The policy gave up.
        ConnectionFailed
            The service stays away.
        """
        began = self._channel.clock.monotonic()
        attempts.probe = await self._breaker.turn()
        polling.waited(self._channel.clock.monotonic() - began)
        try:
            return await self._channel.send_with_retries(fetch, kind="download", attempts=attempts)
        except GivenUp as refused:
            await self._check_reached(refused)
            raise
        finally:
            if attempts.probe:
                self._breaker.probe_ended()

    async def _check_reached(self, refused: GivenUp) -> None:
        """Raise if the service cannot be reached from the start: then nothing else is asked for."""
        if self._breaker.ever_answered or not says_nothing(refused.error):
            return
        try:
            await self._channel.look(self._client.designs)
        except ReportFlowError as error:
            if says_nothing(error):
                raise ConnectionFailed(f"{refused.decision.text}: {REST_NOT_FETCHED}") from None
        self._breaker.answered()

    async def _save(self, file: Wanted, pdf: bytes) -> None:
        self._found(file, await asyncio.to_thread(self._save_now, file, pdf))

    def _save_now(self, file: Wanted, pdf: bytes) -> Path:
        return self._folder.save(file.document, file.file_name, pdf, folder=file.folder)

    def _refused(self, file: Wanted, refused: GivenUp, polling: Polling) -> None:
        decision = refused.decision
        if isinstance(refused.error, NotReady):
            kind, text = polling.verdict(refused.error)
            self._lost(file, kind, text, refused.error.status)
        elif decision.error_kind == "no_pdf":
            self._lost(file, "no_pdf", _no_pdf(decision.text), decision.http_status)
        else:
            self._lost(file, decision.error_kind, decision.text, decision.http_status)

    def _found(self, file: Wanted, path: Path) -> None:
        self._open.pop(file.document, None)
        for row in self._rows[file.document]:
            self._saved(row, path)

    def _lost(self, file: Wanted, kind: str, text: str, http_status: int | None) -> None:
        for row in self._rows[file.document]:
            log.warning("row %d (request %s): not downloaded, %s: %s", row.position, row.request_id, kind, text)
        self._give_up(file, kind, text, http_status)

    def _give_up(self, file: Wanted, kind: str, text: str, http_status: int | None) -> None:
        self._open.pop(file.document, None)
        for row in self._rows[file.document]:
            self._failed(row, kind, text, http_status)


def _spool() -> BinaryIO:
    """Return a temporary file for a ZIP.

    Raises
    ------
    ConfigurationError
        There can be none: the disk is full, too many files are open.
    """
    try:
        return cast("BinaryIO", tempfile.TemporaryFile())
    except OSError as reason:
        raise ConfigurationError(
            f"no temporary file can be made for the PDFs of a request ({reason.strerror or reason}). "
            f"{SAVED_SO_FAR}"
        ) from reason


def _no_pdf(words: str) -> str:
    """Return what to say of a document that was accepted and whose PDF can never be made."""
    return f"accepted, and its PDF can never be made: {words.rstrip('。. ')}. {NO_PDF_FOR_GOOD}"


def _asked_pause(error: NotReady) -> float:
    return error.retry_after or 0.0


def _raise_systemic(refused: GivenUp) -> None:
    """Raise what would be answered to every other row too; an id that cannot be one concerns its row only."""
    if isinstance(refused.decision, Stop) and not isinstance(refused.error, ConfigurationError):
        raise refused.decision.error from None


async def fetch_outcomes(
    outcomes: Outcomes,
    client: Client,
    channel: Channel,
    folder: PdfFolder,
    *,
    wait: float,
    noted: Callable[[int], None] | None = None,
    folders: Sequence[str] | None = None,
) -> None:
    """Fetch the PDFs of all accepted documents that are not in the folder, and note it in the outcomes."""
    wanted = missing(outcomes, folder, folders)
    if not wanted:
        return
    phase = channel.progress.begin("PDFs", len(wanted))

    def saved(file: Wanted, path: Path) -> None:
        outcomes.saved(file.position, str(path))
        phase.done += 1
        if noted is not None:
            noted(file.position)

    def failed(file: Wanted, kind: str, text: str, status: int | None) -> None:
        outcomes.not_fetched(file.position, kind, text, status)
        phase.done += 1
        phase.no_pdf += kind == "no_pdf"
        phase.failed += kind != "no_pdf"
        if noted is not None:
            noted(file.position)

    await Download(client, channel, folder, wait=wait, saved=saved, failed=failed).fetch(wanted)


async def save_delivered(
    delivered: Delivered,
    pairs: Sequence[tuple[Document, FileEntry | None]],
    folder: PdfFolder,
    saved: Callable[[int, Path], None],
    *,
    folders: Sequence[str] | None = None,
) -> list[int]:
    """Save the files that came with a sync answer; return the positions that it did not hold."""
    paths = await asyncio.to_thread(_saved_from, delivered, pairs, folder, folders)
    for position, path in paths.items():
        saved(position, path)
    return [document.position for document, _ in pairs if document.position not in paths]


def _saved_from(
    delivered: Delivered,
    pairs: Sequence[tuple[Document, FileEntry | None]],
    folder: PdfFolder,
    folders: Sequence[str] | None,
) -> dict[int, Path]:
    names = [(entry.file_name if entry is not None else "") or document.name for document, entry in pairs]
    content = delivered.content
    pdfs = [(0, content)] if content.startswith(b"%PDF-") else pdfs_of(io.BytesIO(content), names)
    paths = {}
    for place, pdf in pdfs:
        document, entry = pairs[place]
        key = known_by(delivered.request_id, entry.file_id if entry is not None else None, names[place])
        inner = "" if folders is None else folders[document.position]
        paths[document.position] = folder.save(key, names[place], pdf, folder=inner)
    return paths
