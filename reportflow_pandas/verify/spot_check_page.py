"""The spot check as a page: one piece of HTML that needs no script, no kernel and no network."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from reportflow_pandas.printable import counted
from reportflow_pandas.verify.first_looks import Look
from reportflow_pandas.verify.suspicion import Finding

__all__ = ["part", "whole"]

STYLE = Path(__file__).with_name("spot_check.css")
INTRODUCTION = (
    "Those with findings come first, then extremes, then some at random. Without a finding, everything that could "
    "be read is there; nothing more is known of such a document."
)
FILTERS = (("all", "all"), ("findings", "with findings"), ("extreme", "extremes"), ("random", "at random"))


def whole(grid: str) -> str:
    """Return a whole page around a grid."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Look first</title>'
        "<style>body{margin:0;padding:14px}@media (prefers-color-scheme: dark){body{background:#14181d}}</style>"
        f"</head><body>{grid}</body></html>\n"
    )


def part(name: str, looks: Sequence[Look], documents: int, not_judged: Mapping[str, str], folder: Path) -> str:
    """Return the grid of pages under a name of its own; links lead from a folder to the PDFs."""
    shown = {why for why, _ in FILTERS if why == "all" or any(look.why == why for look in looks)}
    buttons, rules = [], []
    for why, word in FILTERS:
        if why not in shown:
            continue
        count = sum(why in ("all", look.why) for look in looks)
        checked = " checked" if why == "all" else ""
        buttons.append(
            f'<input type="radio" name="{name}" id="{name}-{why}"{checked}>'
            f'<label for="{name}-{why}">{word} ({count:,})</label>'
        )
        if why != "all":
            rules.append(f"#{name}-{why}:checked~.rf-grid article:not(.rf-{why}){{display:none}}")
    cards = "".join(_card(look, folder) for look in looks)
    return (
        f'<div class="rf-look" id="{name}"><style>{STYLE.read_text(encoding="utf-8")}{"".join(rules)}</style>'
        f"<h2>Look first: {len(looks):,} of {counted(documents, 'document')}</h2>{_notes(not_judged)}"
        f'{"".join(buttons)}<div class="rf-grid">{cards}</div></div>'
    )


def _notes(not_judged: Mapping[str, str]) -> str:
    told = [INTRODUCTION]
    if not_judged:
        parts = (f"{parameter} ({why})" for parameter, why in not_judged.items())
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
