"""The HTML of the page for people. Everything that callers sent is escaped."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from reportflow_pandas.local.designs import Design
from reportflow_pandas.local.records import CallRecord, Document
from reportflow_pandas.local.state import Entry, Request, Workspace

__all__ = ["document_sheet", "front_sheet", "missing_sheet", "request_sheet"]

CALLS = 40
REFUSED = 40
LONGEST = 2000
"""Characters shown of one value."""


def front_sheet(
    *,
    base_url: str,
    workspace: Workspace,
    designs: Mapping[str, Design],
    documents: tuple[Document, ...],
    page: int,
    pages: int,
    pictures: bool,
) -> str:
    """Return ``/``: figures, documents, refusals, calls, designs."""
    calls = [call for call in workspace.calls() if call.endpoint != "page"]
    refused = [call for call in calls if call.refused or (call.ended is not None and call.status is None)]
    states = workspace.states()
    manual = workspace.switches.manual
    parts = [
        "<header><div><h1>Report Flow on this machine</h1><p>",
        "The embedded service stands in for the real one: real PDFs, no account, nothing is billed. ",
        f"Address of the API: <code>{escape(base_url)}</code></p></div></header><main>",
        _tiles(
            {
                "accepted": workspace.accepted,
                "ready": states["ready"],
                "rendering": states["rendering"],
                "failed": states["failed"],
                "calls": len(calls),
                "refused calls": len(refused),
            }
        ),
    ]
    if not workspace.switches.render:
        parts.append("<p class='note'>Started with <code>render=False</code>: the PDFs are placeholders.</p>")
    if manual and states["rendering"]:
        parts.append(
            "<p class='note'>Documents wait for a step by hand."
            "<form method='post' action='/__emulator__/complete'><button>Make them ready</button></form></p>"
        )
    parts.append(f"<h2>Documents<small>{_shown(page, pages)}</small></h2>")
    parts.append(_cards(documents, designs, pictures) or _nothing("No document yet. The first one appears here."))
    parts.append(_pager(page, pages))
    parts.append(_title("What was refused, and why", len(refused), REFUSED))
    parts.append(_refused(refused[-REFUSED:]) or _nothing("Nothing was refused."))
    parts.append(_title("Calls", len(calls), CALLS))
    parts.append(_calls(calls[-CALLS:]) or _nothing("No call yet."))
    parts.append(f"<h2>Designs<small>{len(designs)}</small></h2>{_designs(designs, pictures)}")
    refresh = 2 if states["rendering"] and not manual else None
    return _sheet("Report Flow on this machine", "".join(parts), refresh)


def request_sheet(request: Request, workspace: Workspace, designs: Mapping[str, Design], pictures: bool) -> str:
    """Return the page of one request: what ``url`` leads to with ``url_mode="page"``."""
    documents = tuple(_snapshots(request, workspace))
    count = f"{len(documents)} document{'s' if len(documents) != 1 else ''}"
    body = (
        f"<header><div><h1>Request {escape(request.request_id)}</h1>"
        f"<p>{count}, accepted {_time(request.accepted_at, date=True)} "
        f"by <code>{escape(request.endpoint)}</code>. <a href='/'>All documents</a></p></div></header><main>"
        f"<h2>Documents</h2>{_cards(documents, designs, pictures)}"
    )
    return _sheet(f"Request {request.request_id}", body)


def document_sheet(
    request: Request, entry: Entry, workspace: Workspace, designs: Mapping[str, Design], pages: int
) -> str:
    """Return the page of one document, so many of its pages as pictures: what ``share.url`` leads to."""
    document = next(one for one in _snapshots(request, workspace) if one.file_id == entry.file_id)
    address = f"{document.request_id}/{document.file_id}"
    shared = {"workspace": "with the workspace", "invited": "with invited people", "public": "with everybody"}
    rows: dict[str, str] = {
        "Design": f"{escape(_label(document, designs))}, version {document.version}",
        "Accepted": f"{_time(document.accepted_at, date=True)} by <code>{document.endpoint}</code>",
        "Shared": shared[document.share_type] + (", with a passcode" if document.passcode_enabled else ""),
        "Request id": f"<a href='/__emulator__/file/{document.request_id}'><code>{document.request_id}</code></a>",
        "File id": f"<code>{document.file_id}</code>",
    }
    if document.failure and document.state == "failed":
        rows["Failure"] = escape(document.failure)
    body = [
        f"<header><div><h1>{escape(document.file_name)}.pdf {_chip(document.state)}</h1>",
        "<p><a href='/'>All documents</a></p></div></header><main><h2>Document</h2>",
        _pairs(rows),
    ]
    if document.state == "ready":
        body.append(f"<h2>PDF<small><a href='/__emulator__/pdf/{address}'>open the file</a></small></h2>")
        for page in range(1, pages + 1):
            picture = f"/__emulator__/picture/{address}.png?page={page}"
            body.append(f"<img class='page' alt='page {page}' src='{picture}'>")
        if not pages:
            body.append(f"<object class='pdf' type='application/pdf' data='/__emulator__/pdf/{address}'>")
            body.append("<p class='empty'>This browser shows no PDF inside a page.</p></object>")
    body.append("<h2>Values that were sent<small>params</small></h2>")
    body.append(_values(document.params) or _nothing("None."))
    if document.passthrough is not None:
        body.append("<h2>Echoed values<small>passthrough, readable in the PDF's metadata</small></h2>")
        body.append(_values(document.passthrough) or _nothing("None."))
    return _sheet(f"{document.file_name}.pdf", "".join(body), 2 if document.state == "rendering" else None)


def missing_sheet(status: int, message: str) -> str:
    """Return the page that says why there is none."""
    body = (
        f"<header><div><h1>{status}</h1><p>{escape(message)}</p></div></header>"
        "<main><h2></h2><p><a href='/'>All documents</a></p>"
    )
    return _sheet(str(status), body)


@functools.cache
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def _sheet(title: str, body: str, refresh: int | None = None) -> str:
    again = f"<meta http-equiv='refresh' content='{refresh}'>" if refresh else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"{again}<title>{escape(title)}</title><style>{_style()}</style></head><body>{body}"
        "<footer>reportflow-pandas, embedded service. Times are UTC. Keys are never shown here.</footer>"
        "</main></body></html>"
    )


def _tiles(figures: Mapping[str, int]) -> str:
    tiles = (f"<div class='tile'><b>{figure:,}</b><span>{name}</span></div>" for name, figure in figures.items())
    return f"<div class='tiles'>{''.join(tiles)}</div>"


def _snapshots(request: Request, workspace: Workspace) -> Iterable[Document]:
    now = workspace.clock.monotonic()
    for entry in list(request.entries.values()):
        yield request.snapshot(entry, now, workspace.switches.retention)


def _label(document: Document, designs: Mapping[str, Design]) -> str:
    design = designs.get(document.design_id)
    return design.label if design else document.design_id


def _cards(documents: tuple[Document, ...], designs: Mapping[str, Design], pictures: bool) -> str:
    cards = []
    for document in documents:
        address = f"{document.request_id}/{document.file_id}"
        if document.state != "ready":
            sheet = f"<em>{document.state}</em>"
        elif pictures:
            sheet = f"<img loading='lazy' alt='first page' src='/__emulator__/picture/{address}.png'>"
        else:
            sheet = "<em>open</em>"
        why = f"<p>{escape(_cut(document.failure))}</p>" if document.state == "failed" and document.failure else ""
        opened = f" <a href='/__emulator__/pdf/{address}'>PDF</a>" if document.state == "ready" else ""
        cards.append(
            f"<article class='card'><a class='sheet' href='/__emulator__/file/{address}'>{sheet}</a><div>"
            f"<strong>{escape(document.file_name)}.pdf</strong>"
            f"<p>{escape(_label(document, designs))}, version {document.version}<br>"
            f"{_time(document.accepted_at)}</p>{why}{_chip(document.state)}{opened}</div></article>"
        )
    return f"<div class='cards'>{''.join(cards)}</div>" if cards else ""


def _designs(designs: Mapping[str, Design], pictures: bool) -> str:
    cards = []
    for design in designs.values():
        version = design.versions[design.latest]
        sheet = (
            f"<img loading='lazy' alt='sample' src='/__emulator__/design/{escape(design.id)}.png'>"
            if pictures and version.samples
            else "<em>no picture</em>"
        )
        names = ", ".join(parameter.name for parameter in version.parameters)
        cards.append(
            f"<article class='card'><span class='sheet'>{sheet}</span><div><strong>{escape(design.label)}</strong>"
            f"<p><code>{escape(design.id)}</code><br>version {design.latest}, "
            f"{len(version.parameters)} parameters: {escape(names)}</p></div></article>"
        )
    return f"<div class='cards'>{''.join(cards)}</div>" if cards else _nothing("No design.")


def _refused(calls: list[CallRecord]) -> str:
    rows = []
    for call in reversed(calls):
        said = call.refused or (
            f"{'accepted, then the' if call.documents else 'the'} connection was closed without an answer",
        )
        words = "".join(f"<li>{escape(_cut(message))}</li>" for message in said[:20])
        more = f"<li>and {len(said) - 20} more</li>" if len(said) > 20 else ""
        listed = f"<ul>{words}{more}</ul>" if len(said) > 1 else escape(_cut(said[0]))
        wait = "" if call.retry_after is None else f" <small>retry after {call.retry_after} s</small>"
        rows.append(
            f"<tr><td class='t'>{_time(call.at)}</td><td>{_status(call)}</td>"
            f"<td><code>{escape(call.endpoint)}</code></td><td>{listed}{wait}</td></tr>"
        )
    return _table(("Time", "Status", "Endpoint", "Why"), rows)


def _calls(calls: list[CallRecord]) -> str:
    rows = []
    for call in reversed(calls):
        took = "" if call.ended is None else f"{(call.ended - call.started) * 1000:,.1f} ms"
        faults = f" <small>fault: {escape(', '.join(call.faults))}</small>" if call.faults else ""
        rows.append(
            f"<tr><td class='t'>{_time(call.at)}</td><td>{_status(call)}</td>"
            f"<td><code>{escape(call.method)} {escape(_cut(call.path))}</code>{faults}</td>"
            f"<td class='n'>{call.documents or ''}</td><td class='n'>{took}</td></tr>"
        )
    return _table(("Time", "Status", "Call", "Documents", "Took"), rows)


def _table(names: tuple[str, ...], rows: list[str]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th{' class=n' if name in ('Documents', 'Took') else ''}>{name}</th>" for name in names)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _pairs(rows: Mapping[str, str]) -> str:
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<div class='scroll'><table class='pairs'>{lines}</table></div>"


def _values(values: Mapping[str, Any]) -> str:
    texts = {
        escape(_cut(name)): escape(
            _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        )
        for name, value in values.items()
    }
    return _pairs(texts) if texts else ""


def _status(call: CallRecord) -> str:
    if call.status is not None:
        return f"<span class='chip s{call.status // 100}'>{call.status}</span>"
    return (
        f"<span class='chip s{'0' if call.ended is None else '4'}'>{'…' if call.ended is None else 'cut'}</span>"
    )


def _chip(state: str) -> str:
    return f"<span class='chip {state}'>{state}</span>"


def _time(moment: datetime, *, date: bool = False) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _title(name: str, count: int, most: int) -> str:
    return f"<h2>{name}<small>{f'the last {most} of {count:,}' if count > most else f'{count:,}'}</small></h2>"


def _nothing(words: str) -> str:
    return f"<p class='empty'>{words}</p>"


def _shown(page: int, pages: int) -> str:
    return f"newest first, page {page} of {pages}" if pages > 1 else "newest first"


def _pager(page: int, pages: int) -> str:
    links = []
    if page > 1:
        links.append(f"<a href='/?page={page - 1}'>Newer</a>")
    if page < pages:
        links.append(f"<a href='/?page={page + 1}'>Older</a>")
    return f"<nav>{''.join(links)}</nav>" if links else ""
