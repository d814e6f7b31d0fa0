"""Handing out PDFs: one file, all files of a request as ZIP, or why not yet."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from reportflow_pandas.local.http_answers import Answer, Refusal, attachment
from reportflow_pandas.local.render_queue import Rendering
from reportflow_pandas.local.state import Entry, Request, Workspace

__all__ = ["Downloads"]


class Downloads:
    """Answers for requests and files, whatever state they are in."""

    def __init__(
        self, workspace: Workspace, rendering: Rendering, in_thread: Callable[..., Awaitable[Any]]
    ) -> None:
        self._workspace, self._rendering, self._in_thread = workspace, rendering, in_thread

    async def answer(self, request_id: str, file_id: str | None) -> Answer:
        """Return one file's PDF, or the ZIP of all.

        Raises
        ------
        Refusal
            404 for an unknown request or file; by switch: expired, failed, not ready.
        """
        made = self._workspace.requests.get(request_id)
        if made is None:
            raise Refusal(404, f"リクエストが見つかりません(requestId: {request_id[:80]})。", gone="request")
        if file_id is None:
            self._refuse_unready(list(made.entries.values()))
            return await self._zip(made, 200)
        entry = made.entries.get(file_id)
        if entry is None:
            raise Refusal(404, f"ファイルが見つかりません(fileId: {file_id[:80]})。", gone="file")
        early = self._workspace.switches.early_files
        self._refuse_unready([entry] if early else list(made.entries.values()))
        return await self._pdf(made, entry)

    async def sync_answer(self, made: Request) -> Answer:
        """Return what a sync call waited for.

        Raises
        ------
        Refusal
            500 if a document failed.
        """
        broken = [entry for entry in made.entries.values() if entry.failure is not None]
        if broken:
            raise Refusal(500, _failed(broken[0]))
        if made.endpoint == "sync/single":
            return await self._pdf(made, next(iter(made.entries.values())), by_id=False)
        return await self._zip(made, self._workspace.switches.sync_status)

    def _refuse_unready(self, entries: list[Entry]) -> None:
        switches = self._workspace.switches
        now = self._workspace.clock.monotonic()
        states = [entry.state(now, switches.retention) for entry in entries]
        if "expired" in states:
            raise Refusal(
                switches.expired_status,
                "ファイルの保存期間が終了したか、ダウンロードできるファイルがありません。",
                gone="file",
                document_state="expired",
            )
        if "failed" in states and switches.failure_mode == "error":
            raise Refusal(500, _failed(entries[states.index("failed")]), document_state="failed")
        if "rendering" in states or "failed" in states:
            raise Refusal(
                switches.not_ready_status,
                "ファイルはまだ生成中です。しばらく待ってから再度お試しください。",
                switches.not_ready_retry_after,
                document_state="rendering",
            )

    async def _pdf(self, made: Request, entry: Entry, *, by_id: bool = True) -> Answer:
        headers = {"Content-Disposition": attachment(f"{entry.file_name}.pdf")}
        if by_id:
            headers["File-ID"] = entry.file_id
        status = 200 if by_id else self._workspace.switches.sync_status
        return Answer(status, await self._rendering.pdf(made, entry), "application/pdf", headers)

    async def _zip(self, made: Request, status: int) -> Answer:
        files = [
            (f"{entry.file_name}.pdf", await self._rendering.pdf(made, entry)) for entry in made.entries.values()
        ]
        body = await self._in_thread(_zipped, files, made.accepted_at)
        return Answer(status, body, "application/zip", {"Content-Disposition": attachment("files.zip")})


def _failed(entry: Entry) -> str:
    return f"{entry.file_name}.pdf の変換に失敗しました: {entry.failure}"


def _zipped(files: list[tuple[str, bytes]], moment: datetime) -> bytes:
    """Return a flat ZIP, the same bytes for the same files and moment; PDFs are compressed already."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, pdf in files:
            archive.writestr(zipfile.ZipInfo(name, moment.timetuple()[:6]), pdf)
    return out.getvalue()
