"""The pages for people: what was generated, with the PDFs, what was refused and why, and the designs."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from reportflow_pandas.local.answer_faults import deliver
from reportflow_pandas.local.design_folders import DesignFolders
from reportflow_pandas.local.designs import Design
from reportflow_pandas.local.http_answers import Answer, Refusal, html_answer, names_this_machine
from reportflow_pandas.local.page_html import (
    Filter,
    design_page,
    document_page,
    front_page,
    missing_page,
    request_page,
)
from reportflow_pandas.local.page_pictures import Pictures
from reportflow_pandas.local.records import STATES, CallRecord, Document
from reportflow_pandas.local.render_queue import Rendering
from reportflow_pandas.local.state import Entry, Request, Workspace

__all__ = ["CARDS", "Page"]

CARDS = 24
"""Documents on one front page."""

PAGES_SHOWN = 400
"""Pages of one document shown as pictures, each loaded when it is scrolled to; the file has all."""

PICTURE_CACHE_SECONDS = 3600

POLICY = (
    # nothing from elsewhere, and no script: the page shows what callers sent
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-src 'self'; object-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Work = Callable[[web.Request], Awaitable[Answer]]


class Page:
    """The addresses for people: ``/`` and all below ``/__emulator__/``. They ask for no key and show none."""

    def __init__(
        self,
        workspace: Workspace,
        designs: DesignFolders,
        rendering: Rendering,
        in_thread: Callable[..., Awaitable[Any]],
        complete: Callable[..., object],
    ) -> None:
        self._workspace, self._designs, self._rendering, self._in_thread = workspace, designs, rendering, in_thread
        self._complete = complete
        self._pictures = Pictures(in_thread)
        self.base_url = ""

    def routes(self) -> list[web.RouteDef]:
        """Return the page's paths."""
        file = "{request_id}/{file_id}"
        design = "/__emulator__/design/{design_id}"
        return [
            web.get("/", self._entrance(self._front)),
            web.get("/favicon.ico", self._entrance(self._icon, recorded=False)),  # every browser asks for it
            web.get("/__emulator__/file/{request_id}", self._entrance(self._request)),
            web.get(f"/__emulator__/file/{file}", self._entrance(self._document)),
            web.get(f"/__emulator__/pdf/{file}", self._entrance(self._pdf)),
            web.get(f"/__emulator__/picture/{file}.png", self._entrance(self._picture, recorded=False)),
            web.get(f"{design}.png", self._entrance(self._design_picture, recorded=False)),
            web.get(f"{design}/state", self._entrance(self._design_state, recorded=False)),
            web.get(design, self._entrance(self._design)),
            web.post("/__emulator__/complete", self._entrance(self._step)),
        ]

    def _entrance(
        self, work: Work, *, recorded: bool = True
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return an address's way in and out."""

        async def enter(request: web.Request) -> web.StreamResponse:
            number = None
            if recorded:
                clock = self._workspace.clock
                number = self._workspace.arrive(
                    CallRecord("page", request.method, request.path_qs, clock.now(), clock.monotonic())
                )
            try:
                self._refuse_strangers(request)
                await self._in_thread(self._designs.refresh)
                answer = await work(request)
            except Refusal as refusal:
                answer = html_answer(missing_page(refusal.status, "; ".join(refusal.messages)), refusal.status)
            except ImportError as missing:
                words = f"the pages need {missing.name}: pip install 'reportflow-pandas[local]'"
                answer = Answer(501, words.encode(), "text/plain; charset=utf-8")
            if number is not None:
                self._workspace.leave(
                    number, status=answer.status, request_id=request.match_info.get("request_id")
                )
            answer.headers = HEADERS | answer.headers
            return await deliver(request, answer)

        return enter

    def _refuse_strangers(self, request: web.Request) -> None:
        """Refuse other machines' names, wherever the service listens, and steps that another page takes."""
        if not names_this_machine(request.host):
            raise Refusal(403, "this page is for this machine only: open it by 127.0.0.1")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
            raise Refusal(403, "steps are taken from this page only")

    def _found(self, request: web.Request) -> tuple[Request, Entry]:
        made = self._workspace.requests.get(request.match_info["request_id"])
        entry = made.entries.get(request.match_info["file_id"]) if made else None
        if made is None or entry is None:
            raise Refusal(404, "there is no such document (any more)")
        return made, entry

    def _ready(self, request: web.Request) -> tuple[Request, Entry]:
        made, entry = self._found(request)
        state = entry.state(self._workspace.clock.monotonic(), self._workspace.switches.retention)
        if state != "ready":
            raise Refusal(404, f"this document is {state}")
        return made, entry

    async def _front(self, request: web.Request) -> Answer:
        state, design = request.query.get("status", ""), request.query.get("design", "")
        chosen = Filter(state if state in STATES else "", design)
        asked = request.query.get("page", "1")
        number = max(1, int(asked)) if asked.isdecimal() and len(asked) < 8 else 1
        documents, total = self._newest(number, chosen)
        pages = max(1, -(-total // CARDS))
        if number > pages:  # beyond the end: the last one
            number = pages
            documents, _ = self._newest(number, chosen)
        text = front_page(
            base_url=self.base_url,
            workspace=self._workspace,
            designs=self._designs,
            documents=documents,
            chosen=chosen,
            page=number,
            pages=pages,
            pictures=self._pictures.available,
        )
        return html_answer(text)

    def _newest(self, page: int, chosen: Filter) -> tuple[tuple[Document, ...], int]:
        return self._workspace.newest((page - 1) * CARDS, CARDS, state=chosen.state, design_id=chosen.design)

    async def _icon(self, _request: web.Request) -> Answer:
        return Answer(204, b"", None)

    async def _request(self, request: web.Request) -> Answer:
        made = self._workspace.requests.get(request.match_info["request_id"])
        if made is None:
            raise Refusal(404, "there is no such request (any more)")
        return html_answer(request_page(made, self._workspace, self._designs, self._pictures.available))

    async def _document(self, request: web.Request) -> Answer:
        made, entry = self._found(request)
        pages = 0
        state = entry.state(self._workspace.clock.monotonic(), self._workspace.switches.retention)
        if state == "ready" and self._pictures.available:
            pages = await self._pictures.pages(await self._rendering.pdf(made, entry))
        shown = min(PAGES_SHOWN, pages)
        text = document_page(made, entry.file_id, self._workspace, self._designs, pages=pages, shown_pages=shown)
        return html_answer(text)

    async def _pdf(self, request: web.Request) -> Answer:
        made, entry = self._ready(request)
        return Answer(200, await self._rendering.pdf(made, entry), "application/pdf")

    async def _picture(self, request: web.Request) -> Answer:
        made, entry = self._ready(request)
        self._require_pictures()
        picture = await self._pictures.of(
            entry.file_id, lambda: self._rendering.pdf(made, entry), _page_asked_for(request)
        )
        return Answer(200, picture, "image/png", {"Cache-Control": f"max-age={PICTURE_CACHE_SECONDS}"})

    async def _design(self, request: web.Request) -> Answer:
        design = self._design_asked_for(request)
        samples = design.versions[design.latest].samples
        asked = request.query.get("language", "en")
        language = asked if asked in samples else next(iter(samples), "")
        pages, problem = 0, ""
        if samples and self._pictures.available and self._workspace.switches.render:
            try:
                pages = await self._pictures.pages(await self._sample(design, language))
            except Exception as error:  # noqa: BLE001 - shown to the author of the design, whatever it is
                problem = str(error)
        nonce = secrets.token_urlsafe(16)
        text = design_page(design, self._designs, language=language, pages=pages, problem=problem, nonce=nonce)
        policy = f"{POLICY}; script-src 'nonce-{nonce}'; connect-src 'self'"
        return html_answer(text, headers={"Content-Security-Policy": policy})

    async def _design_state(self, _request: web.Request) -> Answer:
        return Answer(200, self._designs.state.encode(), "text/plain; charset=utf-8")

    async def _design_picture(self, request: web.Request) -> Answer:
        design = self._design_asked_for(request)
        samples = design.versions[design.latest].samples
        if not samples:
            raise Refusal(404, "this design has no sample")
        self._require_pictures()
        language = request.query.get("language", "en")
        name = f"design {design.id} {language} {self._designs.state}"
        picture = await self._pictures.of(name, lambda: self._sample(design, language), _page_asked_for(request))
        return Answer(200, picture, "image/png", {"Cache-Control": f"max-age={PICTURE_CACHE_SECONDS}"})

    async def _sample(self, design: Design, language: str) -> bytes:
        return await self._rendering.sample(design.versions[design.latest], language)

    def _design_asked_for(self, request: web.Request) -> Design:
        design = self._designs.get(request.match_info["design_id"])
        if design is None:
            raise Refusal(404, "there is no such design")
        return design

    def _require_pictures(self) -> None:
        if not self._pictures.available:
            raise Refusal(404, "pictures need: pip install 'reportflow-pandas[preview]'")

    async def _step(self, request: web.Request) -> Answer:
        self._complete(request.query.get("file_name"), request_id=request.query.get("request_id"))
        return Answer(303, b"", None, {"Location": "/"})


def _page_asked_for(request: web.Request) -> int | None:
    """Return the number of a page, from 1; None for the small picture of the first."""
    asked = request.query.get("page", "")
    return int(asked) if asked.isdecimal() and 0 < len(asked) < 5 else None
