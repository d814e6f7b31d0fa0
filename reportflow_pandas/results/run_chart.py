"""A run over time, as a picture in the results' display: accepted, failed, unknown and waiting rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.engine.outcomes import ACCEPTED
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.journal import runs
from reportflow_pandas.printable import counted
from reportflow_pandas.results.colours import PICTURE_COLOURS
from reportflow_pandas.settings import current

__all__ = ["drawn", "run_chart"]

LEAST_SECONDS = 10.0
"""A run that was shorter needs no chart: nothing happened in it that the counts don't say."""

LEAST_WAIT_SECONDS = 5.0
"""Between two answers, for a wait that is told: calls rarely take as long, windows of a limit do."""

MOST_STEPS = 200
"""Points of a line: more are not seen."""

WIDTH, HEIGHT, BELOW = 560, 84, 16

AREAS = {
    "accepted": (ACCEPTED, PICTURE_COLOURS["success"]),
    "failed": (("failed",), PICTURE_COLOURS["danger"]),
    "unknown": (("unknown", "in_flight"), PICTURE_COLOURS["warning"]),
}
"""From the bottom up: its name, the statuses in the ledger, its colour. What is above them waits."""

Answer: TypeAlias = tuple[float, str, int]
"""Seconds since 1970, status, rows."""


def run_chart(results: pd.DataFrame) -> str:
    """Return an SVG of a run's rows over time, as its ledger has them.

    Empty for a part of the rows, for a run that has no story to tell, and where the ledger can't be read.

    Parameters
    ----------
    results : pandas.DataFrame
        A results frame; its ``attrs`` name the run.
    """
    about = results.attrs["reportflow"]
    run, began = about.get("run"), about.get("started_at")
    if not run or not began or about.get("rows") != str(len(results)):
        return ""
    try:
        answers = runs.answers(current().runs, run, about.get("frame"))
    except ReportFlowError:
        return ""
    return drawn(answers, pd.Timestamp(began).timestamp(), len(results))


def drawn(answers: Sequence[Answer], began: float, rows: int) -> str:
    """Return the chart of answers.

    Parameters
    ----------
    answers : sequence of tuple
        In the order of their moments.
    began : float
        When the run began, in seconds since 1970.
    rows : int
        All that were to be sent.
    """
    seconds = np.array([max(0.0, at - began) for at, _, _ in answers])
    if not len(seconds) or seconds[-1] < LEAST_SECONDS:
        return ""
    counts = {
        name: np.cumsum([number if status in statuses else 0 for _, status, number in answers])
        for name, (statuses, _) in AREAS.items()
    }
    gaps = np.diff(seconds, prepend=0.0)
    waits = [(seconds[at] - gaps[at], seconds[at]) for at in np.flatnonzero(gaps >= LEAST_WAIT_SECONDS)]
    told = _caption({name: int(counted[-1]) for name, counted in counts.items()}, rows, float(seconds[-1]), waits)
    return (
        f'<details class="rf-chart" open><summary>{told}</summary>'
        f'<svg viewBox="0 -1 {WIDTH} {HEIGHT + BELOW + 1}" role="img" aria-label="{told}" '
        f'style="width:100%;max-width:{WIDTH}px;height:auto;display:block;margin:6px 0">'
        f"{_shades(waits, seconds[-1])}{_areas(counts, seconds, rows)}"
        f'<path d="M0,{HEIGHT}H{WIDTH}" stroke="currentColor" opacity=".6"/>{_scale(float(seconds[-1]))}</svg>'
        f"<div>{_legend(counts, rows)}</div></details>"
    )


def _caption(last: dict[str, int], rows: int, seconds: float, waits: Sequence[tuple[float, float]]) -> str:
    parts = [f"{count:,} {name}" for name, count in last.items() if count or name == "accepted"]
    told = f"{', '.join(parts)} of {rows:,} over {_duration(seconds)}"
    if waits:
        longest = _duration(max(until - since for since, until in waits))
        times = counted(len(waits), "time")
        told += f"; shaded: nothing was answered for a while ({times}, {longest} at most)"
    return told


def _shades(waits: Sequence[tuple[float, float]], last: float) -> str:
    return "".join(
        f'<rect x="{since / last * WIDTH:.1f}" y="0" width="{(until - since) / last * WIDTH:.1f}" '
        f'height="{HEIGHT}" fill="currentColor" opacity=".14"/>'
        for since, until in waits
    )


def _areas(counts: dict[str, npt.NDArray[np.int64]], seconds: npt.NDArray[np.float64], rows: int) -> str:
    """Return the areas, one upon the other; the upper ones are drawn first, and the lower ones over them."""
    shown = np.unique(np.linspace(0, len(seconds) - 1, MOST_STEPS).astype(int))
    right = seconds[shown] / seconds[-1] * WIDTH
    below = np.zeros(len(seconds), dtype=np.int64)
    drawings = []
    for name, (_, colour) in AREAS.items():
        below = below + counts[name]
        if not counts[name][-1]:
            continue
        down = HEIGHT - np.minimum(below[shown] / max(rows, 1), 1.0) * HEIGHT
        steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(right, down, strict=True))
        drawings.append(f'<path class="rf-{name}-area" d="M0,{HEIGHT}{steps}L{WIDTH},{HEIGHT}Z" fill="{colour}"/>')
    return "".join(reversed(drawings))


def _scale(last: float) -> str:
    marks = [(0, "start", "0"), (WIDTH / 2, "middle", _duration(last / 2)), (WIDTH, "end", _duration(last))]
    return "".join(
        f'<text x="{x:.0f}" y="{HEIGHT + BELOW - 4}" text-anchor="{anchor}" font-size="11" '
        f'fill="currentColor">{words}</text>'
        for x, anchor, words in marks
    )


def _legend(counts: dict[str, npt.NDArray[np.int64]], rows: int) -> str:
    """Return what each area is; the rest, up to all rows, waited for its turn."""
    answered = sum(int(counted[-1]) for counted in counts.values())
    squares = [
        f'<span style="display:inline-block;width:10px;height:10px;background:{AREAS[name][1]}"></span> {name}'
        for name, counted in counts.items()
        if counted[-1]
    ]
    left = rows - answered
    squares.append(f"above: waiting{f' ({left:,} never sent in this run)' if left > 0 else ''}")
    return " \u2002 ".join(squares)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
