"""The HTML of the pages for people: templates filled with values. Everything that callers sent is escaped."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from reportflow_pandas.local.design_folders import DesignFolders
from reportflow_pandas.local.designs import Design, DesignVersion
from reportflow_pandas.local.records import STATES, Document
from reportflow_pandas.local.state import Request, Workspace

__all__ = ["Filter", "design_page", "document_page", "front_page", "missing_page", "request_page"]

TEMPLATES = Path(__file__).with_name("templates")

CALLS_SHOWN = 40
REFUSED_SHOWN = 40
MESSAGES_SHOWN = 20
"""Of one refusal."""

LONGEST_VALUE = 2000
"""Characters shown of one value."""

REFRESH_SECONDS = 2
"""A page asks again while something on it renders."""

RELOAD_PAUSE_MILLISECONDS = 700
"""How often the page of a watched design asks whether a file has changed."""

_SHARED = {"workspace": "with the workspace", "invited": "with invited people", "public": "with everyone"}


@dataclass(frozen=True)
class Filter:
    """Which documents the front page shows."""

    state: str = ""
    design: str = ""

    def address(self, changes: Mapping[str, str] | None = None, page: int = 1) -> str:
        """Return the address of a page of the documents, of this filter with changes."""
        chosen = {"status": self.state, "design": self.design, **(changes or {})}
        query = {name: value for name, value in chosen.items() if value}
        if page > 1:
            query["page"] = str(page)
        return f"/?{urlencode(query)}" if query else "/"


def front_page(
    *,
    base_url: str,
    workspace: Workspace,
    designs: DesignFolders,
    documents: Sequence[Document],
    chosen: Filter,
    page: int,
    pages: int,
    pictures: bool,
) -> str:
    """Return ``/``: figures, documents, refusals, calls, designs."""
    calls = [call for call in workspace.calls() if call.endpoint != "page"]
    refused = [call for call in calls if call.was_refused]
    states, manual = workspace.states(), workspace.switches.manual
    return _filled(
        "front.html",
        title="Report Flow on this machine",
        refresh=REFRESH_SECONDS if states["rendering"] and not manual else None,
        base_url=base_url,
        figures={
            "accepted": workspace.accepted,
            **{state: states[state] for state in ("ready", "rendering", "failed")},
            "calls": len(calls),
            "refused calls": len(refused),
        },
        renders=workspace.switches.render,
        waits_for_a_step=manual and states["rendering"],
        problem=designs.problem,
        accepted=workspace.accepted,
        shown=f"newest first, page {page} of {pages}" if pages > 1 else "newest first",
        choices=_choices(chosen, states, workspace.designs_used(), designs),
        documents=[_described(document, designs) for document in documents],
        newer=chosen.address(page=page - 1) if page > 1 else "",
        older=chosen.address(page=page + 1) if page < pages else "",
        pictures=pictures,
        refused=refused[: -REFUSED_SHOWN - 1 : -1],
        refused_note=_note(len(refused), REFUSED_SHOWN),
        most_messages=MESSAGES_SHOWN,
        calls=calls[: -CALLS_SHOWN - 1 : -1],
        calls_note=_note(len(calls), CALLS_SHOWN),
        designs=[_card(design) for design in designs.values()],
    )


def request_page(request: Request, workspace: Workspace, designs: Mapping[str, Design], pictures: bool) -> str:
    """Return the page of one call's documents: what ``url`` leads to."""
    documents = [_described(document, designs) for document in _snapshots(request, workspace)]
    renders = any(document["state"] == "rendering" for document in documents)
    return _filled(
        "request.html",
        title=f"Request {request.request_id}",
        refresh=REFRESH_SECONDS if renders and not workspace.switches.manual else None,
        request=request,
        documents=documents,
        pictures=pictures,
    )


def document_page(
    request: Request,
    file_id: str,
    workspace: Workspace,
    designs: Mapping[str, Design],
    *,
    pages: int,
    shown_pages: int,
) -> str:
    """Return the page of one document, so many of its pages as pictures: what ``share.url`` leads to."""
    document = next(entry for entry in _snapshots(request, workspace) if entry.file_id == file_id)
    return _filled(
        "document.html",
        title=f"{document.file_name}.pdf",
        refresh=REFRESH_SECONDS if document.state == "rendering" and not workspace.switches.manual else None,
        document=_described(document, designs),
        shared=_SHARED[document.share_type],
        pages=pages,
        shown_pages=shown_pages,
        params=document.params,
        passthrough=document.passthrough,
    )


def design_page(
    design: Design,
    designs: DesignFolders,
    *,
    language: str,
    pages: int,
    problem: str,
    nonce: str,
) -> str:
    """Return the page of one design: its sample as pictures, its parameters; it follows a watched folder."""
    version = design.versions[design.latest]
    folder = designs.folder_of(design.id)
    return _filled(
        "design.html",
        title=design.label,
        refresh=None,
        design=_card(design) | {"versions": len(design.versions)},
        parameters=version.parameters,
        languages=sorted(version.samples),
        language=language,
        pages=pages,
        problem=problem or designs.problem,
        watched=folder is not None,
        folder=folder,
        state=designs.state,
        nonce=nonce,
        pause_ms=RELOAD_PAUSE_MILLISECONDS,
    )


def missing_page(status: int, message: str) -> str:
    """Return the page that says why there is none."""
    return _filled("missing.html", title=str(status), refresh=None, status=status, message=message)


def _filled(template: str, **values: Any) -> str:
    return str(_environment().get_template(template).render(values))


@functools.cache
def _environment() -> Any:
    import jinja2  # noqa: PLC0415 - an extra

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "as_text": lambda value: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        "cut": _cut,
        "day_and_time": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
        "grouped": "{:,}".format,
        "time": _time,
    }
    return environment


def _snapshots(request: Request, workspace: Workspace) -> Iterable[Document]:
    now = workspace.clock.monotonic()
    for entry in list(request.entries.values()):
        yield request.snapshot(entry, now, workspace.switches.retention)


def _described(document: Document, designs: Mapping[str, Design]) -> dict[str, Any]:
    """Return what a template shows of a document."""
    design = designs.get(document.design_id)
    return {
        "request_id": document.request_id,
        "file_id": document.file_id,
        "file_name": document.file_name,
        "version": document.version,
        "accepted_at": document.accepted_at,
        "endpoint": document.endpoint,
        "passcode_enabled": document.passcode_enabled,
        "state": document.state,
        "failure": document.failure,
        "design_label": design.label if design else document.design_id,
    }


def _card(design: Design) -> dict[str, Any]:
    """Return what a template shows of a design."""
    version: DesignVersion = design.versions[design.latest]
    return {
        "id": design.id,
        "address": quote(design.id, safe=""),
        "label": design.label,
        "version": design.latest,
        "names": [parameter.name for parameter in version.parameters],
        "has_sample": bool(version.samples),
    }


def _choices(
    chosen: Filter, states: Mapping[str, int], used: Mapping[str, int], designs: Mapping[str, Design]
) -> list[list[dict[str, Any]]]:
    """Return the links of the filters, a row for the status, one for the design, where there is a choice."""
    by_state = [("", "all", None), *[(state, state, states[state]) for state in STATES if states[state]]]
    by_design = [
        ("", "all designs", None),
        *[(name, designs[name].label if name in designs else name, count) for name, count in used.items()],
    ]
    rows = (("status", chosen.state, by_state), ("design", chosen.design, by_design))
    return [
        [
            {
                "label": label,
                "count": count,
                "href": chosen.address({name: value}),
                "chosen": value == current,
            }
            for value, label, count in row
        ]
        for name, current, row in rows
        if len(row) > 2 or current
    ]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


def _note(count: int, most: int) -> str:
    return f"the last {most} of {count:,}" if count > most else f"{count:,}"
