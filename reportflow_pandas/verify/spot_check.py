"""The documents that a person should look at first: those with findings, then extremes, then a few at random."""

from __future__ import annotations

import base64
import random
from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.settings import absolute_path
from reportflow_pandas.verify import spot_check_page
from reportflow_pandas.verify.reader_processes import answers, reader_count
from reportflow_pandas.verify.suspicion import Finding
from reportflow_pandas.verify.verified_results import extremes_of, findings_by_row, notes_of

__all__ = [
    "PIXELS_ACROSS",
    "Look",
    "Picture",
    "SpotCheck",
    "first_looks",
    "spot_check",
    "with_pictures",
]

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


class SpotCheck:
    """Documents to look at first, as pictures with what was found marked.

    Displays in a notebook as a grid of pages that can be filtered, without a kernel too, light or dark.

    Attributes
    ----------
    looks : list of Look
        The documents, in order.
    pages : int
        Pictures in all.
    not_judged : dict
        What `verify` did not judge, and why.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> orders, tables = orders.head(4), {"Lines": rf.Table(lines, on="InvoiceId")}
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.reportflow.generate("invoice", tables=tables, download=folder)
    ...     results = orders.reportflow.verify(results, tables=tables)
    ...     look = results.reportflow.spot_check(n=2)
    >>> look
    <SpotCheck of 2 documents: 0 with findings, 1 extreme, 1 at random>
    """

    def __init__(self, looks: Sequence[Look], *, documents: int, not_judged: dict[str, str]) -> None:
        self.looks = list(looks)
        self.documents = documents
        self.not_judged = dict(not_judged)

    @property
    def rows(self) -> list[Hashable]:
        """Labels of the documents, in order."""
        return [look.label for look in self.looks]

    @property
    def pages(self) -> int:
        """How many pictures there are."""
        return sum(len(look.pictures) for look in self.looks)

    def __repr__(self) -> str:
        """Say how many there are, and why."""
        counts = [sum(look.why == why for look in self.looks) for why in ("findings", "extreme", "random")]
        return (
            f"<SpotCheck of {len(self.looks):,} documents: {counts[0]:,} with findings, {counts[1]:,} extreme, "
            f"{counts[2]:,} at random>"
        )

    def _repr_html_(self) -> str:
        return spot_check_page.part(self, Path())

    def save(self, path: str | Path) -> Path:
        """Write one file that shows everything, also without a network and without Python.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``.

        Returns
        -------
        Path
            The file.
        """
        target = absolute_path(path, "path")
        if target.suffix.lower() not in (".html", ".htm"):
            raise ConfigurationError(f"save({str(path)!r}): the file is a page, so its name ends in .html")
        target.write_text(spot_check_page.whole(self, target.resolve().parent), encoding="utf-8")
        return target


def spot_check(results: pd.DataFrame, n: int = 20) -> SpotCheck:
    """Return the documents that a person should look at first, as pictures.

    Parameters
    ----------
    n : int
        How many, default 20: first those with findings, the most suspicious first; then extremes (the most text,
        the most lines, the largest amount); then a few at random, always the same ones.

    Returns
    -------
    SpotCheck
        Shown in a notebook; ``.rows``; ``.save("look.html")``.

    Raises
    ------
    ConfigurationError
        Results that were not verified; n below 1.

    Examples
    --------
    >>> results.reportflow.spot_check(n=20).save("look.html")          # doctest: +SKIP
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ConfigurationError(f"n={n!r}: how many documents should be shown? A whole number from 1")
    looks = with_pictures(first_looks(results, n, "spot_check"), PIXELS_ACROSS)
    return SpotCheck(looks, documents=len(results), not_judged=notes_of(results))


def first_looks(results: pd.DataFrame, n: int, verb: str) -> list[Look]:
    """Return the documents to look at first, without pictures."""
    found = findings_by_row(results, verb)
    extremes = extremes_of(results, verb)
    frame = results[results["verdict"].notna()]
    places = {int(row): place for place, row in enumerate(frame["row"])}
    chosen: dict[int, tuple[str, str]] = {}
    ordered = frame.sort_values("suspicion", ascending=False, kind="stable")
    for row in ordered.loc[ordered["suspicion"] > 0, "row"].astype(int)[:n]:
        chosen[row] = ("findings", _count(len(found.get(row, ())), "finding"))
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


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
