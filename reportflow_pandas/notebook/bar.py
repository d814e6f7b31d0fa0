"""The bar: documents done, failed, unknown, the rate, and how long the limit still holds."""

from __future__ import annotations

import html
import logging
import sys
import warnings
from typing import Any, Literal, TextIO

from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.results.colours import PICTURE_COLOURS, PICTURE_FRAME

__all__ = [
    "EVERY",
    "Bar",
    "away",
    "holds",
    "in_notebook",
    "progress_log",
    "visible",
]

log = logging.getLogger("reportflow_pandas")

progress_log = logging.getLogger("reportflow_pandas.progress")
"""Gets a line now and then where no bar moves: a program's log file, a scheduled job."""

LINE_SECONDS = 60.0
"""Between two lines of progress where no bar can move."""

EVERY = 0.09
"""Seconds between two pictures, however often one asks: a bar must not slow the run it shows. A little less than
the slices in which a waiting thread asks."""


def in_notebook() -> bool:
    """Tell whether output goes into a notebook's cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    # Colab and others derive shells of their own from Jupyter's
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def visible(progress: bool | Literal["auto"]) -> bool:
    """Tell whether a bar should be drawn: on a terminal and in a notebook, where a person can see it."""
    if progress != "auto":
        return progress
    return in_notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())


def away(seconds: float) -> str:
    """Return what is said of a service that is away, for the bar and the panel."""
    return f"the service does not answer: nothing is sent, waiting for it, at most {seconds:.0f} s more"


def holds(seconds: float, reason: str) -> str:
    """Return what is said of a run that waits, for the bar and the panel."""
    return f"{reason}, goes on in {seconds:.0f} s"


class Bar:
    """Paints a `Progress`: one tqdm bar a phase, and when all is done the lines that people should keep.

    In a notebook the bar is a widget, which its last picture replaces as plain HTML and text: a widget is dead in
    a saved notebook. Elsewhere it is text on stderr. The lines are printed too. What is drawn never ends a run:
    where a bar cannot move (``TQDM_DISABLE``, a closed terminal, a widget without its front end) a line of text
    every minute takes its place, and where ``"auto"`` finds no reader who could see one, a line in the log.

    Parameters
    ----------
    progress : Progress
        What is shown.
    show : bool or "auto"
        ``"auto"``: on a terminal and in a notebook.
    stream : file, optional
        Where text goes in place of stderr (in a notebook: the cell).
    """

    def __init__(self, progress: Progress, show: bool | Literal["auto"], stream: TextIO | None = None) -> None:
        self._progress = progress
        self._off = show is False
        self._told = visible(show)
        self._stream = stream
        self._notebook = stream is None and in_notebook()
        self._drawn = self._told
        self._phase: Phase | None = None
        self._bar: Any = None
        self._picture: tuple[object, ...] = ()
        self._looked = self._said = progress.clock.monotonic()

    def paint(self) -> None:
        """Bring the bar up to date; call it in the thread that owns the cell or the terminal."""
        now = self._progress.clock.monotonic()
        if self._drawn and now - self._looked >= EVERY:
            self._safely(self._paint)
        elif not self._drawn and not self._off and now - self._said >= LINE_SECONDS:
            self._said = now
            self._say_how_far()

    def close(self, line: str = "") -> None:
        """Take the bar to its end and print the run's lines."""
        if self._drawn:
            self._safely(self._paint)
        self._safely(self._end)
        if self._told:
            self._print([*self._progress.lines, line])

    def _safely(self, draw: Any) -> None:
        try:
            draw()
        except Exception as problem:  # noqa: BLE001 - whatever a terminal or a front end does, the run is paid for
            log.debug("the bar is given up: %r", problem)
            self._drawn = False
            self._bar = None

    def _paint(self) -> None:
        phases = self._progress.phases
        shown = phases.index(self._phase) if self._phase is not None else -1
        # asked for before the last one is drawn: one that begins meanwhile would close it with numbers of the past
        begun = phases[shown + 1 :]
        if self._phase is not None:
            self._draw(self._phase)
        for phase in begun:
            self._end()
            self._phase = phase
            self._bar = self._make(phase)
            if self._bar.disable:
                # TQDM_DISABLE: such a bar lacks most of its attributes (tqdm/tqdm#1587)
                self._drawn, self._bar = False, None
                return
            self._draw(phase)
        self._looked = self._progress.clock.monotonic()

    def _draw(self, phase: Phase) -> None:
        if self._bar is None:
            return
        words = self._words(phase)
        # a run that waits for its limit moves once a second: that is how often its picture changes
        done, total = phase.shown
        picture = (done, total, words, int(self._progress.clock.monotonic()))
        if picture == self._picture:
            return
        self._picture = picture
        self._bar.total = total
        self._bar.n = done
        self._bar.flawed = phase.flawed
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.refresh()

    def _words(self, phase: Phase) -> str:
        counts = ((phase.failed, "failed"), (phase.unknown, "unknown"))
        words = [f"{count:,} {word}" for count, word in counts if count]
        if phase.no_pdf:
            words.append(f"{phase.no_pdf:,} without a PDF for good")
        wait, outage = self._progress.wait, self._progress.outage
        if outage:
            words.append(away(outage))
        elif wait >= 1:
            words.append(holds(wait, self._progress.reason))
        return ", ".join(words)

    def _make(self, phase: Phase) -> Any:
        description = f"{phase.what}{f' ({phase.note})' if phase.note else ''}"
        kind = _widget() if self._notebook else _text()
        unit = f" {phase.what}"
        bar = kind(total=phase.shown[1], desc=description, unit=unit, mininterval=0, miniters=0, file=self._stream)
        if not bar.disable:
            # the phase began since the last look, so a fast one is not shown as infinitely fast
            bar.start_t -= max(self._progress.clock.monotonic() - self._looked, EVERY)
        return bar

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            self._picture = ()

    def _say_how_far(self) -> None:
        """Tell the phase under way in a line of text."""
        if not self._progress.phases:
            return
        phase = self._progress.phases[-1]
        words = self._words(phase)
        done, total = phase.shown
        text = f"{done:,} of {total:,} {phase.what}{f', {words}' if words else ''}"
        if self._told:
            self._print([text])
        else:
            progress_log.info("%s", text)

    def _print(self, lines: list[str]) -> None:
        stream = self._stream or (sys.stdout if self._notebook else sys.stderr)
        for text in filter(None, lines):
            try:
                if stream is None:
                    raise OSError("closed")  # noqa: TRY301 - as one that a shell closed later
                stream.write(f"{text}\n")
                stream.flush()
            except (OSError, ValueError, AttributeError):
                log.warning("%s", text)


def _text() -> Any:
    from tqdm import tqdm  # noqa: PLC0415 - imported where a bar is drawn, not for a script that draws none

    class Text(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread that outlives the bar
        flawed = False

        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:  # noqa: ARG002 - tqdm's
            # tqdm's own keeps its lock for good when the terminal is gone: the log waits for it in another thread
            with self.get_lock():  # type: ignore[no-untyped-call]
                return super().refresh(nolock=True)

        def close(self) -> None:
            # of a bar whose first line could not be written there is nothing to close; tqdm 4.66 stumbles over it
            if hasattr(self, "last_print_t"):
                super().close()

    return Text


def _widget() -> Any:
    with warnings.catch_warnings():
        # without ipywidgets tqdm falls back to text and says so ("IProgress not found"); the text bar is fine
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm  # noqa: PLC0415 - the same, and it looks for ipywidgets

    if not any(kind.__name__ == "tqdm_notebook" for kind in tqdm.__mro__):

        class Fallback(tqdm):  # type: ignore[type-arg]
            monitor_interval = 0
            flawed = False

        return Fallback

    from IPython.display import display  # noqa: PLC0415 - a notebook has it

    base: Any = tqdm

    class Widget(base):  # type: ignore[misc]
        monitor_interval = 0
        flawed = False

        def __init__(self, **options: Any) -> None:
            super().__init__(display=False, **options)
            if self.disable:
                return
            bar = self.container.children[1]
            self.container.layout.width = "100%"
            self.container.layout.flex_flow = "row wrap"  # a long text goes below the bar and not over it
            bar.layout.min_width = bar.layout.width = f"{BAR_PIXELS}px"
            self._shown: Any = display(self.container, display_id=True)  # type: ignore[no-untyped-call]

        def display(self, msg: Any = None, pos: Any = None, bar_style: Any = None, **more: Any) -> None:
            if self.flawed and bar_style != "danger":
                bar_style = "warning"
            super().display(msg, pos, bar_style=bar_style, **more)

        def close(self) -> None:
            if self.disable:
                return
            super().close()
            if self._shown is not None:
                self._shown.update(_last_picture(self), raw=True)

    return Widget


BAR_PIXELS = 160
"""Width of a bar in a notebook, however little room its text leaves."""


def _last_picture(bar: Any) -> dict[str, str]:
    """Return a bar as HTML and text that need no kernel and no script."""
    left, middle, right = bar.container.children
    texts = [label.value.replace("\u2007", " ").strip() for label in (left, right)]
    share = min(1.0, bar.n / bar.total) if bar.total else 1.0
    colour = PICTURE_COLOURS.get(middle.bar_style, PICTURE_COLOURS["warning"])
    before, after = (f'<span class="widget-html">{text}</span>' for text in texts)
    return {
        "text/plain": html.unescape(" ".join(texts)),
        "text/html": (
            '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 8px">'
            f"{before}"
            f'<span style="flex:none;width:{BAR_PIXELS}px;height:14px;border:1px solid {PICTURE_FRAME}">'
            f'<span style="display:block;height:100%;width:{share:.0%};background:{colour}"></span></span>'
            f"{after}</div>"
        ),
    }
