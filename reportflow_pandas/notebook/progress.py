"""The bar: documents done, failed, unknown, the rate, and how long the limit still holds."""

from __future__ import annotations

import sys
import warnings
from typing import Any, Literal

from reportflow_pandas.engine.progress import Phase, Progress

__all__ = ["Bar", "in_notebook", "visible"]


def in_notebook() -> bool:
    """Tell whether output goes into a notebook's cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def visible(progress: bool | Literal["auto"]) -> bool:
    """Tell whether a bar should be drawn: where somebody can see it."""
    if progress != "auto":
        return progress
    return in_notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())


class Bar:
    """Paints a `Progress`, one tqdm bar a phase, and one line at the end of each.

    A bar is no record: in papermill and nbconvert it stays at its first picture, so the line is printed too.
    """

    def __init__(self, progress: Progress, show: bool | Literal["auto"]) -> None:
        self._progress = progress
        self._show = visible(show)
        self._notebook = in_notebook()
        self._phase: Phase | None = None
        self._bar: Any = None

    def paint(self) -> None:
        """Bring the bar up to date; call it in the thread that owns the cell or the terminal."""
        if not self._show:
            return
        phases = self._progress.phases
        started = phases.index(self._phase) if self._phase is not None else -1
        if self._phase is not None:
            self._draw(self._phase)
        for phase in phases[started + 1 :]:
            self._end()
            self._phase = phase
            self._bar = self._make(phase)
            self._draw(phase)

    def close(self, line: str = "") -> None:
        """Take the bar to its end and print the run's one line."""
        self.paint()
        self._end()
        if self._show:
            for text in [*self._progress.lines, line]:
                if text:
                    print(text, file=sys.stdout if self._notebook else sys.stderr, flush=True)

    def _draw(self, phase: Phase) -> None:
        if self._bar is None:
            return
        self._bar.n = phase.done
        self._bar.set_postfix_str(self._words(phase), refresh=False)
        self._bar.refresh()

    def _words(self, phase: Phase) -> str:
        counts = ((phase.failed, "failed"), (phase.unknown, "unknown"))
        words = [f"{count:,} {word}" for count, word in counts if count]
        wait = self._progress.wait
        if wait >= 1:
            words.append(f"rate limit, goes on in {wait:.0f} s")
        return ", ".join(words)

    def _make(self, phase: Phase) -> Any:
        with warnings.catch_warnings():
            # without ipywidgets tqdm falls back to text and says so; the text bar is fine
            warnings.simplefilter("ignore")
            from tqdm import tqdm  # noqa: PLC0415 - imported where a bar is drawn, not for a script that draws none
            from tqdm.auto import tqdm as auto  # noqa: PLC0415

        make = auto if self._notebook else tqdm
        description = f"{phase.what}{f' ({phase.note})' if phase.note else ''}"
        return make(total=phase.total, desc=description, unit=f" {phase.what}", mininterval=0, miniters=0)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
