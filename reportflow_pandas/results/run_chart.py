"""A run over time, as a picture in the results' display: how many were accepted when, and where it waited."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["run_chart"]

LEAST_SECONDS = 10.0
"""A run that was shorter needs no chart: nothing happened in it that the counts don't say."""

LEAST_WAIT_SECONDS = 5.0
"""Between two answers, for a wait that is told: calls rarely take as long, windows of a limit do."""

MOST_STEPS = 200
"""Points of the line: more are not seen."""

WIDTH, HEIGHT = 560, 84
ACCEPTED = "#2a9149"


def run_chart(results: pd.DataFrame) -> str:
    """Return an SVG of the accepted documents over time, or nothing for a run that has no story to tell.

    Parameters
    ----------
    results : pandas.DataFrame
        A results frame: ``accepted_at`` and ``status``.
    """
    moments = results["accepted_at"].dropna().sort_values()
    began = results.attrs["reportflow"].get("started_at")
    if not len(moments) or not began:
        return ""
    seconds = (moments - pd.Timestamp(began)).dt.total_seconds().clip(lower=0.0).to_numpy()
    last = float(seconds[-1])
    if last < LEAST_SECONDS:
        return ""
    gaps = np.diff(seconds, prepend=0.0)
    waits = [(seconds[at] - gaps[at], seconds[at]) for at in np.flatnonzero(gaps >= LEAST_WAIT_SECONDS)]
    shown = np.unique(np.linspace(0, len(seconds) - 1, MOST_STEPS).astype(int))
    line = "M0,0"
    for at in shown:
        right, up = seconds[at] / last * WIDTH, (at + 1) / len(results) * HEIGHT
        line += f"H{right:.1f}V{up:.1f}"
    shaded = "".join(
        f'<rect x="{one / last * WIDTH:.1f}" y="0" width="{(other - one) / last * WIDTH:.1f}" height="{HEIGHT}" '
        'fill="currentColor" opacity=".14"/>'
        for one, other in waits
    )
    told = f"{len(moments):,} of {len(results):,} accepted over {_duration(last)}"
    if waits:
        longest = _duration(max(other - one for one, other in waits))
        told += f"; shaded: nothing was answered for a while ({len(waits):,} times, {longest} at most)"
    return (
        f'<details class="rf-chart"><summary>{told}</summary>'
        f'<svg viewBox="0 -1 {WIDTH} {HEIGHT + 2}" role="img" aria-label="{told}" '
        f'style="width:100%;max-width:{WIDTH}px;height:auto;display:block;margin:6px 0">'
        f'<g transform="matrix(1 0 0 -1 0 {HEIGHT})">{shaded}'
        f'<path d="{line}L{WIDTH},0Z" fill="{ACCEPTED}" opacity=".25"/>'
        f'<path d="{line}" fill="none" stroke="{ACCEPTED}" stroke-width="2"/>'
        f'<path d="M0,0H{WIDTH}" stroke="currentColor" opacity=".5"/></g></svg></details>'
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
