"""A job in a notebook: bar, counts, rate, time left, the first failures, Cancel; live while cells run."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from reportflow_pandas import event_loop
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.notebook.bar import away, holds, in_notebook
from reportflow_pandas.results.colours import PICTURE_COLOURS, PICTURE_FRAME, STATUS_PILLS
from reportflow_pandas.results.display import folder_link
from reportflow_pandas.results.service_words import grouped
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import current

__all__ = ["Panel", "Snapshot", "Watched", "seconds_left", "show"]

TICK_SECONDS = 0.2
"""Between two looks: smooth to the eye, and nothing to the run."""

RATE_WINDOW_SECONDS = 15.0
"""Over which the rate is taken."""

FAILURES_LISTED = 5
"""Failures that are listed."""

LISTED = ("accepted", "ready", "sent", "failed", "unknown", "not_sent")
"""The order in which counts are told."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job at one moment.

    Attributes
    ----------
    at : float
        The moment, in seconds of a steady clock.
    status : str
        As `Job.status`.
    counts : mapping
        As `Job.progress`.
    wait : float
        Seconds that it still waits for a limit.
    failures : sequence of (label, Outcome)
        The first rows that failed.
    error : str
        What ended it as a whole; empty: nothing did.
    folder : pathlib.Path or None
        Where its PDFs are saved.
    no_pdf : int
        Documents that were accepted and whose PDFs can never be made.
    outage : float
        Seconds that it still waits at most for a service that is away.
    reason : str
        What it waits for while ``wait`` is not 0.
    listed_in : str
        Where all rows that failed are.
    """

    at: float
    status: str
    counts: Mapping[str, int]
    wait: float = 0.0
    failures: Sequence[tuple[Any, Outcome]] = ()
    error: str = ""
    folder: Path | None = None
    no_pdf: int = 0
    outage: float = 0.0
    reason: str = "rate limit"
    listed_in: str = "job.results().reportflow.failed"


class Watched(Protocol):
    """A job, as its panel sees it."""

    id: str

    def snapshot(self, failures: int) -> Snapshot:
        """Return how far it is, with so many failures at most; may read the disk, so it is called in a thread."""

    def cancel(self) -> None:
        """Stop it; returns at once."""


def show(job: Watched, text: str) -> None:
    """Display the panel, or a text where there are no widgets."""
    if in_notebook():
        try:
            import ipywidgets  # noqa: F401, PLC0415 - asked for where a panel is shown, not by a script
        except ImportError:
            pass
        else:
            Panel(job).display(text)
            return
    print(text)  # noqa: T201 - a job typed at a prompt shows itself


class Panel:
    """The widgets of one job. Made in the thread of the cell; only trait values are set from the loop's thread.

    Parameters
    ----------
    job : Watched
        What is shown.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    """

    def __init__(self, job: Watched) -> None:
        import ipywidgets as widgets  # noqa: PLC0415 - as above

        self._job = job
        self._history: deque[tuple[float, int]] = deque()
        self._failed = 0
        self._stopping = False
        self._shown: Any = None
        self._shell: Any = None
        # "auto" and not 100%: the margin of a widget comes on top, and the panel would get a scrollbar
        self._bar = widgets.IntProgress(value=0, max=1, layout=widgets.Layout(width="auto", height="14px"))
        self._line = widgets.HTML()
        self._failures = widgets.HTML(layout=widgets.Layout(display="none"))
        self._button = widgets.Button(
            description="Cancel",
            tooltip="Stop sending; what is in flight is waited for",
            layout=widgets.Layout(width="100px", flex="none"),
        )
        self._button.on_click(self._cancel)
        _answer_while_a_cell_runs(self._button)
        title = widgets.HTML(f"Job <b>{html.escape(job.id)}</b>")
        top = widgets.HBox(
            [title, self._button],
            layout=widgets.Layout(justify_content="space-between", align_items="center", min_height="32px"),
        )
        self.box = widgets.VBox(
            [top, self._bar, self._line, self._failures],
            layout=widgets.Layout(
                border="1px solid var(--jp-border-color2, #d0d0d0)", padding="6px 12px", max_width="760px"
            ),
        )
        self.refresh()

    def display(self, text: str) -> None:
        """Show the panel in the cell and keep it up to date; ``text`` is for front ends without widgets."""
        from IPython import get_ipython  # noqa: PLC0415 - a notebook has it
        from IPython.display import display  # noqa: PLC0415

        widget = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        bundle = {"text/plain": text, "application/vnd.jupyter.widget-view+json": widget}
        self._shown = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._shell = get_ipython()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._after_a_cell)
        self.start()

    def _after_a_cell(self, *_result: object) -> None:
        """Leave the last picture at the end of the first cell that ends after the job.

        A program that runs a notebook (nbclient) takes what belongs to the running cell; between two of them what
        the private loop publishes is lost.
        """
        if not self._show(self._job.snapshot(FAILURES_LISTED)):
            self._shell.events.unregister("post_run_cell", self._after_a_cell)
            self._shown.update(self._last_picture(), raw=True)

    def start(self) -> None:
        """Keep the panel up to date until the job has ended, from the private loop."""
        asyncio.run_coroutine_threadsafe(self._watch(), event_loop.private_loop())

    async def _watch(self) -> None:
        with contextlib.suppress(RuntimeError):  # the program ends, and its pools of threads take nothing more
            while self._show(await asyncio.to_thread(self._job.snapshot, FAILURES_LISTED)):  # noqa: ASYNC110 - a ticker
                await asyncio.sleep(TICK_SECONDS)
            if self._shown is not None:
                # for the cell that runs now, which a program that runs a notebook listens to: not the panel's own
                Context().run(partial(self._shown.update, self._last_picture(), raw=True))

    def _last_picture(self) -> dict[str, str]:
        """Return the ended job as HTML and text: a widget is dead in a saved notebook."""
        share = self._bar.value / self._bar.max
        colour = PICTURE_COLOURS.get(self._bar.bar_style, PICTURE_COLOURS["warning"])
        title, line = f"Job <b>{html.escape(self._job.id)}</b>", self._line.value
        failures = self._failures.value
        plain = f"Job {self._job.id}: {html.unescape(re.sub('<[^>]*>', '', line))}"
        return {
            "text/plain": plain,
            "text/html": (
                f'<div style="border:1px solid {PICTURE_FRAME};padding:6px 12px;max-width:760px">'
                f'<div class="widget-html">{title}</div>'
                f'<div style="height:14px;margin:4px 0;border:1px solid {PICTURE_FRAME}">'
                f'<div style="height:100%;width:{share:.0%};background:{colour}"></div></div>'
                f'<div class="widget-html">{line}</div><div>{failures}</div></div>'
            ),
        }

    def refresh(self) -> bool:
        """Bring the widgets up to date; return whether the job is still running."""
        return self._show(self._job.snapshot(FAILURES_LISTED))

    def _show(self, now: Snapshot) -> bool:
        status, counts = now.status, now.counts
        total, done = counts["total"], counts["done"]
        self._history.append((now.at, done))
        while now.at - self._history[0][0] > RATE_WINDOW_SECONDS:
            self._history.popleft()
        self._bar.max = max(total, 1)
        self._bar.value = done
        self._bar.bar_style = _style(status, counts, now.no_pdf)
        self._line.value = self._words(now)
        if counts["failed"] != self._failed or status == "failed":
            self._failed = counts["failed"]
            self._failures.value = self._list(now)
            self._failures.layout.display = None
        running = status == "running"
        self._button.disabled = self._stopping or not running
        if not running:
            self._button.layout.display = "none"
        return running

    def _words(self, now: Snapshot) -> str:
        status, counts = now.status, now.counts
        parts = [f"{counts['done']:,} of {counts['total']:,}"]
        parts += [
            _pill(word, f"{counts[word]:,} {word.replace('_', ' ')}")
            for word in LISTED
            if counts.get(word) and (word != "not_sent" or status != "running")
        ]
        if now.no_pdf:
            parts.append(_pill("failed", f"{now.no_pdf:,} without a PDF for good"))
        if status == "running":
            rate = self._rate()
            if rate:
                parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:,.1f}/s")
            if now.outage:
                parts.append(html.escape(away(now.outage)))
            elif now.wait >= 1:
                parts.append(html.escape(holds(now.wait, now.reason)))
            left = seconds_left(counts["total"] - counts["done"], rate)
            if left:
                parts.append(left)
        else:
            kind = "unknown" if self._bar.bar_style == "warning" else _ENDS.get(status, "unknown")
            parts.append(_pill(kind, f"<b>{status}</b>"))
            if now.folder is not None and now.folder.is_dir():
                parts.append(f"PDFs in {folder_link(now.folder)}")
        return " · ".join(parts)

    def _rate(self) -> float:
        (first, before), (last, now) = self._history[0], self._history[-1]
        return (now - before) / (last - first) if last > first else 0.0

    def _list(self, now: Snapshot) -> str:
        why = f"<li>{html.escape(now.error)}</li>" if now.error else ""
        told = ((label, outcome.error or outcome.error_kind or "") for label, outcome in now.failures)
        lines = "".join(
            f"<li>{html.escape(rows_phrase(labels))}: {html.escape(words)}</li>"
            for words, labels in grouped(told, current().language).items()
        )
        more = self._failed - len(now.failures)
        rest = f"<li>and {more:,} more: <code>{html.escape(now.listed_in)}</code></li>" if more > 0 else ""
        return f'<ul style="margin:2px 0 0 18px;padding:0">{why}{lines}{rest}</ul>'

    def _cancel(self, _button: object) -> None:
        # may run in the main thread or in a subshell's: nothing is printed or displayed here
        self._stopping = True
        self._button.disabled = True
        self._button.description = "Stopping…"
        self._job.cancel()


def _pill(kind: str, words: str) -> str:
    """Return words on a ground of their own, readable on a light page and on a dark one."""
    ground, text = STATUS_PILLS[kind]
    style = f"background:#{ground};color:#{text};border-radius:3px;padding:0 5px;white-space:nowrap"
    return f'<span style="{style}">{words}</span>'


_ENDS = {"done": "ready", "failed": "failed"}
"""Which status colour the end of a job has; the others are that of ``unknown``."""


def _style(status: str, counts: Mapping[str, int], no_pdf: int = 0) -> str:
    """Return the colour of the bar, in ipywidgets' words."""
    if status == "failed":
        return "danger"
    if counts["failed"] or counts["unknown"] or no_pdf or status not in ("running", "done"):
        return "warning"
    return "info" if status == "running" else "success"


def seconds_left(rows: int, rate: float) -> str:
    """Return how long so many rows take at a rate, in words; empty where that is not known."""
    if not rate or rows <= 0:
        return ""
    seconds = rows / rate
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"


def _answer_while_a_cell_runs(button: Any) -> None:
    """Let clicks come in while a cell blocks.

    A private name, so asked for first: where it is missing, clicks come in by themselves or wait for the cell.
    """
    comm: Any = getattr(button, "comm", None)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _parent, default=None: default  # noqa: SLF001
