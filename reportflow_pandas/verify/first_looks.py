"""Documents to look at first: those with findings, then extremes, then a few at random; with pictures."""

from __future__ import annotations

import base64
import random
from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.printable import counted
from reportflow_pandas.verify.reader_processes import answers, reader_count
from reportflow_pandas.verify.suspicion import Finding
from reportflow_pandas.verify.verified_results import extremes_of, findings_by_row

__all__ = ["PIXELS_ACROSS", "Look", "Picture", "first_looks", "with_pictures"]

PROGRAM = Path(__file__).with_name("draw_pages.py")
SEED = 20261101
PIXELS_ACROSS = 560
MOST_PAGES = 2
"""Pictures of one document."""
_RANDOM_SHARE = 3
"""One in so many of the places that findings leave goes to a document chosen at random."""


@dataclass(frozen=True)
class Picture:
    """A page as PNG; ``page`` counts from 1."""

    page: int
    png: bytes = field(repr=False)
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Look:
    """One document to look at.

    Attributes
    ----------
    row : int
        Position in the input.
    label
        Index label.
    why : str
        ``findings``, ``extreme`` or ``random``: what it was chosen for.
    reason : str
        The same in words.
    verdict, path : str
        ``path`` empty where there is no PDF.
    findings : tuple of Finding
    pictures : tuple of Picture
        Pages with findings, else the first one; none where it can't be drawn.
    """

    row: int
    label: Hashable
    why: str
    reason: str
    verdict: str
    path: str
    findings: tuple[Finding, ...] = ()
    pictures: tuple[Picture, ...] = ()


def first_looks(results: pd.DataFrame, n: int, verb: str) -> list[Look]:
    """Return the documents to look at first, without pictures."""
    found = findings_by_row(results, verb)
    extremes = extremes_of(results, verb)
    frame = results[results["verdict"].notna()]
    places = {int(row): place for place, row in enumerate(frame["row"])}
    chosen: dict[int, tuple[str, str]] = {}
    ordered = frame.sort_values("suspicion", ascending=False, kind="stable")
    for row in ordered.loc[ordered["suspicion"] > 0, "row"].astype(int)[:n]:
        chosen[row] = ("findings", counted(len(found.get(row, ())), "finding"))
    left = n - len(chosen)
    at_random = -(-left // _RANDOM_SHARE)
    for row, reason in _in_turn(extremes):
        if len(chosen) >= n - at_random:
            break
        if row in places and row not in chosen:
            chosen[row] = ("extreme", reason)
    others = sorted(row for row in places if row not in chosen)
    rng = random.Random(SEED)  # noqa: S311 - a sample, no secret
    for row in rng.sample(others, min(n - len(chosen), len(others))):
        chosen[row] = ("random", f"one of {len(others):,} others, at random")
    looks = []
    labels = frame.index[[places[row] for row in chosen]].tolist()  # 9, not np.int64(9)
    for label, (row, (why, reason)) in zip(labels, chosen.items(), strict=True):
        line = frame.iloc[places[row]]
        path = "" if pd.isna(line["path"]) else str(line["path"])
        own = tuple(found.get(row, ()))
        looks.append(Look(row, label, why, reason, str(line["verdict"]), path, own))
    return looks


def _in_turn(extremes: Any) -> Iterator[tuple[int, str]]:
    """Yield the first of each kind, then the second of each, and so on."""
    longest = max(map(len, extremes.values()), default=0)
    for place in range(longest):
        for reason, rows in extremes.items():
            if place < len(rows):
                yield int(rows[place]), reason


def with_pictures(looks: Sequence[Look], width: int, most: int = MOST_PAGES) -> list[Look]:
    """Return the documents with pictures of the pages that matter."""
    jobs: list[dict[str, Any]] = []
    for number, look in enumerate(looks):
        marks = _marks(look)
        jobs += [
            {"path": look.path, "page": page, "width": width, "marks": marks.get(page, []), "look": number}
            for page in (sorted(marks)[:most] or [0])
            if look.path
        ]
    drawn: dict[int, list[Picture]] = {}
    with closing(answers(PROGRAM, jobs, count=reader_count(len(jobs)))) as pictures:
        for job, answer in pictures:
            if "png" in answer:
                png = base64.b64decode(answer["png"])
                drawn.setdefault(job["look"], []).append(Picture(job["page"] + 1, png, *answer["size"]))
    return [
        replace(look, pictures=tuple(sorted(drawn.get(number, ()), key=lambda one: one.page)))
        for number, look in enumerate(looks)
    ]


def _marks(look: Look) -> dict[int, list[Any]]:
    """Return the boxes to be drawn on each page that has findings, pages counted from 0."""
    marks: dict[int, list[Any]] = {}
    for finding in look.findings:
        if finding.page:
            here = marks.setdefault(finding.page - 1, [])
            here += [box for page, box in finding.marks if page == finding.page - 1]
    return marks
