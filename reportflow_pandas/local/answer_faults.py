"""How an answer leaves: entries and mapping as the faults of the call want them, whole, cut or not at all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web

from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.http_answers import JSON_TYPE, Answer, html_answer, refusal_body
from reportflow_pandas.local.state import Request, entry_answer
from reportflow_pandas.local.switches import Switches

__all__ = ["deliver", "distorted", "entries_of", "mapping_header"]

_GATEWAY = Path(__file__).with_name("templates") / "gateway.html"
"""What a gateway answers in the service's place; filled without a template engine, which is an extra."""


def entries_of(
    request: Request, switches: Switches, faults: Sequence[Fault], page: str | None
) -> list[dict[str, Any]]:
    """Return a request's entries in the order of its documents, changed by the faults of the call."""
    entries = [entry_answer(request, entry, switches, page) for entry in request.entries.values()]
    for fault in faults:
        if fault.kind == "missing_entries":
            missing = [
                entry for entry in entries if fault.file_name and entry["fileName"] == f"{fault.file_name}.pdf"
            ]
            for entry in missing or entries[-1:]:
                entries.remove(entry)
        elif fault.kind == "reordered_entries":
            entries.reverse()
        elif fault.kind == "extra_entries":
            share = {"shareType": "workspace", "passcodeEnabled": False}
            entries.append({"fileId": "X" * 16, "fileName": "余分な文書.pdf", "share": share})
        elif fault.kind == "no_passthrough":
            for entry in entries:
                entry.pop("passthrough", None)
        elif fault.kind == "extra_fields":
            for entry in entries:
                entry["revision"] = {"number": 1, "by": None}
    return entries


def mapping_header(entries: list[dict[str, Any]], faults: Sequence[Fault]) -> dict[str, str]:
    """Return ``X-File-Mapping``: percent-encoded JSON, a space as ``%20``."""
    kinds = {fault.kind for fault in faults}
    if "no_mapping" in kinds:
        return {}
    if "raw_mapping" in kinds:  # as the older docs show it; a header holds no Japanese, so that is escaped
        return {"X-File-Mapping": json.dumps(entries, ensure_ascii=True)}
    text = orjson.dumps(entries)
    if "broken_mapping" in kinds:
        return {"X-File-Mapping": quote(text, safe="")[:-7]}
    return {"X-File-Mapping": quote(text, safe="")}


def distorted(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """Return the answer as the faults of the call make it look."""
    for fault in faults:
        if fault.kind == "status":
            answer = _other(fault)
        elif fault.kind == "html":
            answer = html_answer(_gateway(fault.message or "Report Flow"))
        elif fault.kind == "dropped_after":
            answer = dataclasses.replace(answer, delivery="dropped")
        elif fault.kind == "truncated" and answer.status < 300:
            answer = dataclasses.replace(answer, delivery="truncated")
        elif fault.kind == "not_pdf" and answer.status < 300:
            answer = dataclasses.replace(answer, body=b"<html>not what it says</html>")
        elif fault.kind == "extra_fields" and answer.status < 300:
            answer = _extended(answer)
    return answer


def _gateway(title: str) -> str:
    return _GATEWAY.read_text("utf-8").format(escape(title))


def _other(fault: Fault) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    message = fault.message or f"障害のテストです({fault.status})。"
    if fault.body == "html":
        return html_answer(_gateway(message), fault.status, headers)
    if fault.body == "empty" or fault.status in (204, 304):
        return Answer(fault.status, b"", None, headers)
    return Answer(fault.status, refusal_body(fault.status, message), JSON_TYPE, headers)


def _extended(answer: Answer) -> Answer:
    headers = answer.headers | {"X-Plan-Pages-Used": "12"}
    if answer.content_type == JSON_TYPE:
        value = orjson.loads(answer.body)
        extra = {"plan": {"name": "demo", "pagesUsed": 12, "notice": None}}
        if isinstance(value, dict):
            value |= extra
        else:
            value = [entry | extra for entry in value]
        return dataclasses.replace(answer, body=orjson.dumps(value), headers=headers)
    return dataclasses.replace(answer, headers=headers)


async def deliver(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Write an answer: whole, half of it, or nothing before the connection is closed."""
    headers = dict(answer.headers)
    if answer.content_type is not None:
        headers["Content-Type"] = answer.content_type
    if answer.delivery == "whole":
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.delivery == "dropped":
        if request.transport is not None:
            request.transport.close()
        return web.Response()
    cut = web.StreamResponse(status=answer.status, headers=headers)
    cut.content_length = len(answer.body)
    cut.force_close()
    await cut.prepare(request)
    await cut.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut
