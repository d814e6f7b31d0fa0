"""The eight endpoints, and the token beside them: each call from arrival to answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from reportflow_pandas.local.answer_faults import deliver, distorted, entries_of, mapping_header
from reportflow_pandas.local.call_limits import Rates
from reportflow_pandas.local.credentials import Credentials
from reportflow_pandas.local.design_answers import design_list, schema_array, schema_object
from reportflow_pandas.local.design_folders import DesignFolders
from reportflow_pandas.local.designs import DesignVersion
from reportflow_pandas.local.downloads import Downloads
from reportflow_pandas.local.faults import Fault, FaultPlan
from reportflow_pandas.local.http_answers import Answer, Refusal, json_answer
from reportflow_pandas.local.records import CallRecord
from reportflow_pandas.local.render_queue import Rendering
from reportflow_pandas.local.state import Request, Workspace
from reportflow_pandas.local.switches import seconds
from reportflow_pandas.local.validation import (
    BODY_LIMIT,
    Order,
    checked_order,
    checked_values,
    parsed,
    pick_version,
)

__all__ = ["Api"]

logger = logging.getLogger("reportflow_pandas")

LARGE = 65_536
"""Bodies above this many bytes are read in a thread; below, changing threads costs more than the reading."""

T = TypeVar("T")
Work = Callable[[web.Request, "Visit"], Awaitable[Answer]]


class Visit:
    """A call on its way through the service: what will be recorded of it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.request_id: str | None = None
        self.documents = 0
        self.admitted = False
        self.refused: tuple[str, ...] = ()
        self.document_state = ""
        self.faults: list[Fault] = []


class Api:
    """Answers the API's calls in the service's order of checks."""

    def __init__(
        self,
        workspace: Workspace,
        designs: DesignFolders,
        credentials: Credentials,
        rendering: Rendering,
    ) -> None:
        self.workspace, self.designs, self.credentials, self.rendering = workspace, designs, credentials, rendering
        self.switches, self.clock = workspace.switches, workspace.clock
        self.rates = Rates(self.switches.limits, self.switches.limit_window)
        self.faults = FaultPlan(self.switches.all_faults)
        self.downloads = Downloads(workspace, rendering, self.in_thread)
        self.origin = ""
        self._admitted = 0

    def start(self, origin: str) -> None:
        """Open for calls at this origin (``http://127.0.0.1:8787``)."""
        self.origin = origin
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="reportflow-read")

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something long beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def routes(self) -> list[web.RouteDef]:
        """Return the API's paths, and the token's."""
        made = [
            web.post(f"/v1/file/{endpoint}", self._entrance(endpoint, self._generate))
            for endpoint in ("sync/single", "sync/multiple", "async/single", "async/multiple")
        ]
        for path, endpoint, work in (
            ("/v1/file/download/{request_id}", "download/zip", self._download),
            ("/v1/file/download/{request_id}/{file_id}", "download/file", self._download),
            ("/v1/file/designs", "designs", self._list_designs),
            ("/v1/file/design/parameter/{design_id}", "parameters", self._list_parameters),
        ):
            made.append(web.get(path, self._entrance(endpoint, work), allow_head=False))
        made.append(web.post("/api/v1/oauth/token", self._entrance("token", self._token)))
        made.append(web.get("/api/v1/.well-known/openid-configuration", self._entrance("token", self._discovery)))
        return made

    def unknown(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return what answers any other address or method, in the framework's words."""

        async def refuse(request: web.Request, _visit: Visit) -> Answer:
            raise Refusal(404, f"Cannot {request.method} {request.path}")

        return self._entrance("unknown", refuse)

    def _entrance(self, endpoint: str, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return an endpoint's way in and out: recorded, delayed, delivered."""

        async def enter(request: web.Request) -> web.StreamResponse:
            visit = Visit(endpoint)
            number = self.workspace.arrive(
                CallRecord(endpoint, request.method, request.path_qs, self.clock.now(), self.clock.monotonic())
            )
            answer: Answer | None = None
            try:
                answer = await self._answered(request, visit, work)
            finally:
                # recorded before the first byte goes out: a caller that has the answer finds it in the records
                self._admitted -= visit.admitted
                self._leave(number, visit, answer)
            return await deliver(request, answer)

        return enter

    async def _answered(self, request: web.Request, visit: Visit, work: Work) -> Answer:
        early = self.switches.limit_counted == "answer"
        if early:
            await self._pause()
        try:
            answer = await work(request, visit)
        except Refusal as refusal:
            visit.refused, visit.document_state = refusal.messages, refusal.document_state
            answer = refusal.answer()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as problem:
            logger.exception("the embedded service broke on %s %s", request.method, request.path)
            visit.refused = (f"{type(problem).__name__}: {problem}",)
            answer = Refusal(500, "Internal server error").answer()
        answer = distorted(answer, visit.faults)
        if not self.switches.retry_after:
            answer.headers.pop("Retry-After", None)
        if not early:
            await self._pause()
        for fault in visit.faults:
            pause = fault.seconds if fault.seconds is not None else (5.0 if fault.kind == "slow" else 0.0)
            if pause:
                await self.clock.sleep(pause)
        return answer

    async def _pause(self) -> None:
        pause = seconds(self.switches.latency)
        if pause > 0:
            await self.clock.sleep(pause)

    def _leave(self, number: int, visit: Visit, answer: Answer | None) -> None:
        dropped = answer is None or answer.delivery == "dropped"
        wait = None if answer is None else answer.headers.get("Retry-After")
        self.workspace.leave(
            number,
            status=None if answer is None or dropped else answer.status,
            documents=visit.documents,
            request_id=visit.request_id,
            retry_after=None if wait is None else int(wait),
            refused=visit.refused,
            document_state=visit.document_state,
            faults=tuple(fault.kind for fault in visit.faults),
        )

    # checks that all endpoints share

    def _admit(self, request: web.Request, visit: Visit) -> None:
        """Check the credential, then the rate."""
        self.designs.refresh()
        self.credentials.check(request.headers)
        most = self.switches.max_in_flight
        if most is not None and self._admitted >= most:
            raise Refusal(429, f"同時に処理できるリクエストは {most} 件までです。", 1)
        self.rates.take(visit.endpoint, self.clock.monotonic())
        visit.admitted = True
        self._admitted += 1

    def _play(self, visit: Visit, body: Any) -> Answer | None:
        """Choose the faults of a call; return the answer where one comes in place of the work."""
        visit.faults = self.faults.for_call(visit.endpoint, body)
        for fault in visit.faults:
            if fault.kind == "dropped_before":
                visit.refused = (f"fault: {fault!r}",)
                return Answer(500, delivery="dropped")
            if fault.kind in ("status", "html") and not fault.accepted:
                visit.refused = (fault.message or f"fault: {fault!r}",)
                return Answer(500)  # what it really says is made when the answer is distorted
        return None

    async def _beside(self, size: int, work: Callable[..., T], *arguments: Any) -> T:
        """Do a piece of reading: at once if it is small, else in a thread."""
        return await self.in_thread(work, *arguments) if size > LARGE else work(*arguments)

    # generation

    async def _generate(self, request: web.Request, visit: Visit) -> Answer:
        self._admit(request, visit)
        body = await _body(request)
        value, problem = await self._beside(len(body), parsed, body, request.content_type)
        instead = self._play(visit, value)
        if instead is not None:
            return instead
        if problem is not None:
            raise problem
        multiple = visit.endpoint.endswith("/multiple")
        order = await self._beside(len(body), checked_order, value, multiple, self.switches)
        version = pick_version(self.designs, order.design_id, order.version)
        encoded = await self._beside(len(body), checked_values, order, version)
        self._refuse_bad(order, visit)
        self._bill(order)
        made = self.workspace.accept(order, version, visit.endpoint, encoded, self._failing(order, visit))
        visit.request_id, visit.documents = made.request_id, len(made.entries)
        self.rendering.put(made)
        if visit.endpoint.startswith("sync/"):
            return await self._finish(made, visit)
        answer = {
            "requestId": made.request_id,
            "url": self._url(made),
            "files": entries_of(made, self.switches, visit.faults, self._share_page()),
        }
        kinds = {fault.kind for fault in visit.faults}
        old = "old_answer" in kinds  # of the first edition
        if "no_files" in kinds or (old and not multiple):
            del answer["files"]
        if old:
            answer["fileId"] = next(iter(made.entries))
            del answer["requestId"]
        return json_answer(answer, 202)

    def _refuse_bad(self, order: Order, visit: Visit) -> None:
        said: list[str] = []
        if not self.faults:
            return
        for content in order.contents:
            fault = self.faults.for_document("bad_document", visit.endpoint, content.file_name, visit.faults)
            if fault is not None:
                words = fault.message or "この文書は処理できません。"
                said.append(
                    f"{content.path}.params {words}" if fault.named else "処理できない文書が含まれています。"
                )
        if said:
            raise Refusal(400, list(dict.fromkeys(said)))

    def _failing(self, order: Order, visit: Visit) -> dict[str, str]:
        if not self.faults:
            return {}
        found = {
            content.file_name: self.faults.for_document(
                "failed_document", visit.endpoint, content.file_name, visit.faults
            )
            for content in order.contents
        }
        return {
            name: fault.message or "変換に失敗しました。" for name, fault in found.items() if fault is not None
        }

    def _bill(self, order: Order) -> None:
        """Refuse what the plan has no pages for; a document counts as one page here."""
        pages = self.switches.plan_pages
        if pages is not None and self.workspace.accepted + len(order.contents) > pages:
            raise Refusal(
                429, f"ご契約プランの今月のページ数({pages} ページ)を使い切りました。プランをご確認ください。"
            )

    async def _finish(self, made: Request, visit: Visit) -> Answer:
        """Wait for a sync order's documents, no longer than the service's time."""
        began, limit = self.clock.monotonic(), self.switches.sync_timeout
        delay = max(entry.ready_from for entry in made.entries.values()) - began
        if delay > limit:
            await self.clock.sleep(limit)
            self._give_up(made, visit)
        if delay > 0:
            await self.clock.sleep(delay)
        await self.rendering.wait(made)
        if self.clock.monotonic() - began > limit:
            self._give_up(made, visit)
        answer = await self.downloads.sync_answer(made)
        answer.headers["Request-Id"] = made.request_id
        answer.headers["File-URL"] = self._url(made)
        entries = entries_of(made, self.switches, visit.faults, self._share_page())
        answer.headers |= mapping_header(entries, visit.faults)
        return answer

    def _give_up(self, made: Request, visit: Visit) -> None:
        if not self.switches.sync_timeout_completes:
            self.workspace.forget(made)
            visit.documents, visit.request_id = 0, None
        raise Refusal(504, "Gateway Timeout")

    def _url(self, made: Request) -> str:
        """Return ``url`` and ``File-URL``: the docs' download address, or a page for people."""
        if self.switches.url_mode == "page":
            return f"{self.origin}/__emulator__/file/{made.request_id}"
        return f"{self.origin}/v1/file/download/{made.request_id}"

    def _share_page(self) -> str | None:
        return f"{self.origin}/__emulator__/file" if self.switches.share_url else None

    # reading

    async def _download(self, request: web.Request, visit: Visit) -> Answer:
        self._admit(request, visit)
        visit.request_id = request.match_info["request_id"]
        instead = self._play(visit, None)
        if instead is not None:
            return instead
        return await self.downloads.answer(visit.request_id, request.match_info.get("file_id"))

    async def _list_designs(self, request: web.Request, visit: Visit) -> Answer:
        self._admit(request, visit)
        instead = self._play(visit, None)
        if instead is not None:
            return instead
        return json_answer(design_list(self.designs.values(), f"{self.origin}/__emulator__/design"))

    async def _list_parameters(self, request: web.Request, visit: Visit) -> Answer:
        self._admit(request, visit)
        instead = self._play(visit, None)
        if instead is not None:
            return instead
        asked = request.query.get("version")
        if asked is not None and not asked.removeprefix("-").isdecimal():
            raise Refusal(400, ["version must be an integer number"])
        version = pick_version(
            self.designs, request.match_info["design_id"], None if asked is None else int(asked)
        )
        if self.switches.schema_shape == "object":
            return json_answer(schema_object(version.parameters))
        return json_answer(schema_array(version.parameters, await self._font_characters(version)))

    async def _font_characters(self, version: DesignVersion) -> tuple[tuple[int, int], ...]:
        """Return what the fonts of a design can show; nothing where no page is rendered."""
        if not self.switches.render:
            return ()
        from reportflow_pandas.local.compiler_process import Refused  # noqa: PLC0415 - an extra
        from reportflow_pandas.local.glyphs import code_point_ranges, font_folders  # noqa: PLC0415

        try:
            ranges: tuple[tuple[int, int], ...] = await self.in_thread(
                code_point_ranges, font_folders(version.folder)
            )
        except Refused:  # a broken font: each document of the design says so
            return ()
        return ranges

    # OAuth

    async def _token(self, request: web.Request, visit: Visit) -> Answer:
        body = await _body(request)
        instead = self._play(visit, None)
        if instead is not None:
            return instead
        form: Mapping[str, Any]
        if request.content_type == "application/json":
            value, _ = parsed(body, "application/json")
            form = value if isinstance(value, dict) else {}
        else:
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
        answer = self.credentials.issue(form, request.headers.get("Authorization", ""))
        if answer.status >= 400:
            visit.refused = (str(orjson.loads(answer.body)["error_description"]),)
        return answer

    async def _discovery(self, _request: web.Request, _visit: Visit) -> Answer:
        issuer = f"{self.origin}/api/v1"
        return json_answer(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth/token",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            }
        )


async def _body(request: web.Request) -> bytes:
    """Read a body, refusing it as soon as it is known to be too large (413)."""
    too_large = Refusal(413, "Payload Too Large")
    if request.content_length is not None and request.content_length > BODY_LIMIT:
        raise too_large
    pieces = bytearray()
    async for piece in request.content.iter_any():
        pieces += piece
        if len(pieces) > BODY_LIMIT:
            raise too_large
    return bytes(pieces)
