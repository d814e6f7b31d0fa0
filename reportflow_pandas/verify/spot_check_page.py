"""The spot check as a page: one piece of HTML that needs no script, no kernel and no network."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from reportflow_pandas.verify.spot_check import Look, SpotCheck
    from reportflow_pandas.verify.suspicion import Finding

__all__ = ["part", "whole"]

STYLE = Path(__file__).with_name("spot_check.css")
INTRODUCTION = (
    "Those with findings come first, then extremes, then some at random. Without a finding, everything that could "
    "be read is there; nothing more is known of such a document."
)
FILTERS = (("all", "all"), ("findings", "with findings"), ("extreme", "extremes"), ("random", "at random"))


def whole(check: SpotCheck, folder: Path) -> str:
    """Return a whole page; links lead from a folder to the PDFs."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Look first</title>'
        "<style>body{margin:0;padding:14px}@media (prefers-color-scheme: dark){body{background:#14181d}}</style>"
        f"</head><body>{part(check, folder)}</body></html>\n"
    )


def part(check: SpotCheck, folder: Path) -> str:
    """Return the grid of pages, for a notebook's cell."""
    # names of its own: several of them may stand in one notebook
    name = f"rf-look-{id(check):x}"
    shown = {why for why, _ in FILTERS if why == "all" or any(look.why == why for look in check.looks)}
    buttons, rules = [], []
    for why, word in FILTERS:
        if why not in shown:
            continue
        count = sum(why in ("all", look.why) for look in check.looks)
        checked = " checked" if why == "all" else ""
        buttons.append(
            f'<input type="radio" name="{name}" id="{name}-{why}"{checked}>'
            f'<label for="{name}-{why}">{word} ({count:,})</label>'
        )
        if why != "all":
            rules.append(f"#{name}-{why}:checked~.rf-grid article:not(.rf-{why}){{display:none}}")
    cards = "".join(_card(look, folder) for look in check.looks)
    return (
        f'<div class="rf-look" id="{name}"><style>{STYLE.read_text(encoding="utf-8")}{"".join(rules)}</style>'
        f"<h2>Look first: {len(check.looks):,} of {check.documents:,} documents</h2>{_notes(check)}"
        f'{"".join(buttons)}<div class="rf-grid">{cards}</div></div>'
    )


def _notes(check: SpotCheck) -> str:
    told = [INTRODUCTION]
    if check.not_judged:
        parts = (f"{parameter} ({why})" for parameter, why in check.not_judged.items())
        told.append("Not judged: " + "; ".join(parts) + ".")
    return "".join(f"<p>{html.escape(text)}</p>" for text in told)


def _card(look: Look, folder: Path) -> str:
    alarm = "" if look.verdict == "ok" else " rf-alarm"
    label = " / ".join(map(str, look.label)) if isinstance(look.label, tuple) else str(look.label)
    link = f'<a href="{html.escape(_link(look.path, folder))}">open the PDF</a>' if look.path else ""
    pictures = "".join(
        f'<img alt="{html.escape(label)}, page {picture.page}" width="{picture.width}" height="{picture.height}" '
        f'src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
        for picture in look.pictures
    )
    return (
        f'<article class="rf-{look.why}"><header><b>{html.escape(label)}</b>'
        f'<span class="rf-verdict{alarm}">{look.verdict}</span>'
        f'<span class="rf-why">{html.escape(look.reason)}</span>{link}</header>'
        f"{_list(look.findings)}{pictures or '<div class=rf-none>no page can be shown</div>'}</article>"
    )


def _list(findings: Iterable[Finding]) -> str:
    lines = "".join(f"<li>{html.escape(str(finding))}</li>" for finding in findings)
    return f"<ul>{lines}</ul>" if lines else ""


def _link(path: str, folder: Path) -> str:
    """Return where a file is, seen from a folder; a path of its own where the two have nothing in common."""
    try:
        return quote(Path(os.path.relpath(path, folder.resolve())).as_posix())
    except ValueError:  # another drive
        return Path(path).resolve().as_uri()
