"""The bar, painted on a stream that the test reads."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import types
import warnings
from typing import Any

import pytest
from tqdm import tqdm
from tqdm.notebook import tqdm_notebook

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.notebook.bar import PICTURE_COLOURS, Bar, in_notebook, visible


class HandClock(Clock):
    """A clock that moves when the test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        """Return the moment."""
        return self.at


class Terminal(io.StringIO):
    """A stream that counts what is written to it."""

    writes = 0

    def isatty(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Keep it."""
        self.writes += 1
        return super().write(text)

    @property
    def pictures(self) -> list[str]:
        """The pictures of the bar, in their order."""
        return [picture.strip() for picture in re.split(r"[\r\n]", self.getvalue()) if picture.strip()]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def progress(clock: HandClock) -> Progress:
    return Progress(clock)


def painted(bar: Bar, clock: HandClock) -> None:
    clock.at += 0.1
    bar.paint()


def test_a_bar_shows_how_many_of_how_many_and_what_went_wrong(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    phase = progress.begin("documents", 412, "version 3, the latest")
    painted(bar, clock)
    assert "documents (version 3, the latest)" in terminal.pictures[-1]
    assert "0/412" in terminal.pictures[-1]
    phase.done, phase.failed, phase.unknown = 300, 7, 1200
    painted(bar, clock)
    last = terminal.pictures[-1]
    assert "300/412" in last
    assert "7 failed, 1,200 unknown" in last
    assert " documents/s" in last
    bar.close()


def test_nothing_is_said_of_failures_where_there_are_none(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 10).done = 5
    painted(bar, clock)
    bar.close()
    assert "failed" not in terminal.getvalue()
    assert "unknown" not in terminal.getvalue()


def test_the_bar_says_that_it_waits_for_the_limit_and_how_long(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 20_000)
    progress.waiting(37.4)
    painted(bar, clock)
    assert "rate limit, goes on in 37 s" in terminal.pictures[-1]
    clock.at += 30
    bar.paint()
    assert "rate limit, goes on in 7 s" in terminal.pictures[-1]
    progress.waiting(0)
    painted(bar, clock)
    assert "rate limit" not in terminal.pictures[-1]
    bar.close()


@pytest.mark.parametrize(("status", "words"), [(429, "asks to wait (429)"), (503, "is busy (503)")])
def test_the_bar_says_when_it_is_the_service_that_asked_to_wait(
    terminal: Terminal, clock: HandClock, progress: Progress, status: int, words: str
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 20_000)
    progress.asked_to_wait(status, 20.0)
    progress.waiting(20.0)
    painted(bar, clock)
    assert f"the service {words}, goes on in 20 s" in terminal.pictures[-1]
    clock.at += 30
    progress.waiting(9.0)
    painted(bar, clock)
    assert "rate limit, goes on in 9 s" in terminal.pictures[-1]
    bar.close()


def test_a_retry_of_two_rows_counts_two(terminal: Terminal, clock: HandClock, progress: Progress) -> None:
    bar = Bar(progress, True, terminal)
    phase = progress.begin("documents", 412)
    phase.aside, phase.done = 410, 410
    painted(bar, clock)
    assert "0/2" in terminal.pictures[-1]
    phase.done = 412
    painted(bar, clock)
    assert "2/2" in terminal.pictures[-1]
    bar.close()


def test_documents_without_a_pdf_for_good_are_named(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    phase = progress.begin("PDFs", 12)
    phase.done, phase.no_pdf = 12, 3
    painted(bar, clock)
    assert "3 without a PDF for good" in terminal.pictures[-1]
    bar.close()


@pytest.mark.parametrize(
    ("done", "failed", "style"), [(8, 0, "success"), (8, 1, "warning"), (5, 0, "danger"), (5, 1, "danger")]
)
def test_the_widget_of_a_run_with_failures_is_not_green_and_its_last_picture_stays(
    clock: HandClock, progress: Progress, monkeypatch: pytest.MonkeyPatch, done: int, failed: int, style: str
) -> None:
    pictures: list[dict[str, str]] = []
    handle = types.SimpleNamespace(update=lambda picture, raw: pictures.append(picture))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: handle)
    monkeypatch.setattr("reportflow_pandas.notebook.bar.in_notebook", lambda: True)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm_notebook)
    bar = Bar(progress, True)
    phase = progress.begin("documents", 8)
    painted(bar, clock)
    phase.done, phase.failed = done, failed
    painted(bar, clock)
    widget = bar._bar.container.children[1]
    assert widget.layout.min_width == "160px"
    bar.close()
    assert widget.bar_style == style
    assert f"{done}/8" in pictures[-1]["text/plain"]
    assert PICTURE_COLOURS[style] in pictures[-1]["text/html"]
    assert "\u2007" not in pictures[-1]["text/plain"]


def test_each_phase_has_a_bar_and_the_finished_one_stays(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 4).done = 3
    painted(bar, clock)
    progress.phases[0].done = 4
    progress.begin("PDFs", 4).done = 1
    painted(bar, clock)
    bar.close()
    lines = [line.split("\r")[-1] for line in terminal.getvalue().split("\n")]
    assert lines[0].startswith("documents: 100%")
    assert "4/4" in lines[0]
    assert lines[1].startswith("PDFs:")


def test_a_phase_that_ends_while_it_is_drawn_is_still_shown_whole(clock: HandClock, progress: Progress) -> None:
    """The run goes on in its own thread while the picture is sent, which takes long on a busy machine."""
    documents = progress.begin("documents", 412)

    class Slow(Terminal):
        def write(self, text: str) -> int:
            if " 12/412" in text and documents.done != 412:
                documents.done = 412
                progress.begin("PDFs", 412)
            return super().write(text)

    terminal = Slow()
    bar = Bar(progress, True, terminal)
    painted(bar, clock)
    documents.done = 12
    painted(bar, clock)
    bar.close()
    lines = [line.split("\r")[-1] for line in terminal.getvalue().split("\n")]
    assert "412/412" in lines[0]
    assert lines[1].startswith("PDFs:")


def test_a_phase_that_was_over_before_anybody_looked_is_shown_whole_and_not_infinitely_fast(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 30).done = 30
    clock.at += 2.0
    bar.close()
    last = terminal.pictures[-1]
    assert "30/30" in last
    rate = re.search(r"([\d.]+) documents/s", last)
    assert rate is not None
    assert float(rate[1]) < 16


def test_the_lines_come_once_at_the_end_the_summary_last(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 2).done = 2
    painted(bar, clock)
    progress.lines.append("check: a parameter has no column")
    bar.close("2 of 2 accepted")
    assert terminal.pictures[-2:] == ["check: a parameter has no column", "2 of 2 accepted"]
    assert terminal.getvalue().count("2 of 2 accepted") == 1


def test_nobody_looking_means_nothing_written(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, clock: HandClock, progress: Progress
) -> None:
    """A script whose stderr is a file, as in cron."""
    for show in (False, "auto"):
        bar = Bar(progress, show)
        progress.begin("documents", 2).done = 2
        painted(bar, clock)
        bar.close("2 of 2 accepted")
    assert capsys.readouterr() == ("", "")


def test_the_bar_is_drawn_ten_times_a_second_at_most_however_often_it_is_asked(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    phase = progress.begin("documents", 1_000_000)
    painted(bar, clock)
    before = terminal.writes
    for _ in range(1_000):
        clock.at += 0.001
        phase.done += 1
        bar.paint()
    assert terminal.pictures
    assert (terminal.writes - before) <= 11 * 4  # a picture is a few writes
    bar.close()


def test_a_bar_that_does_not_move_is_drawn_once_a_second(
    terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 10)
    clock.at = 2000.0
    bar.paint()
    before = len(terminal.pictures)
    for _ in range(50):
        painted(bar, clock)
    assert len(terminal.pictures) - before <= 6
    bar.close()


def test_a_terminal_that_is_gone_ends_the_bar_and_not_the_run(clock: HandClock, progress: Progress) -> None:
    stream = Terminal()
    bar = Bar(progress, True, stream)
    phase = progress.begin("documents", 10)
    painted(bar, clock)
    stream.close()
    phase.done = 5
    painted(bar, clock)
    painted(bar, clock)
    bar.close("5 of 10 accepted")
    log = threading.Thread(target=tqdm.write, args=("a line of the log",), daemon=True)
    log.start()
    log.join(10)
    assert not log.is_alive()  # tqdm's lock is free


@pytest.mark.parametrize(
    ("name", "value"),
    [("TQDM_DISABLE", "1"), ("TQDM_ASCII", "1"), ("TQDM_BAR_FORMAT", "{nope}"), ("TQDM_NCOLS", "x")],
)
def test_a_bar_that_cannot_be_drawn_keeps_its_lines(name: str, value: str) -> None:
    code = (
        "import io, sys\n"
        "from reportflow_pandas.engine.progress import Progress\n"
        "from reportflow_pandas.notebook.bar import EVERY, Bar\n"
        "class Terminal(io.StringIO):\n"
        "    def isatty(self):\n"
        "        return True\n"
        "stream, progress = Terminal(), Progress()\n"
        "bar = Bar(progress, True, stream)\n"
        "phase = progress.begin('documents', 9)\n"
        "bar._looked -= EVERY\n"
        "bar.paint()\n"
        "phase.done = 9\n"
        "progress.lines.append('check: a parameter has no column')\n"
        "bar.close('9 of 9 accepted')\n"
        "print(stream.getvalue().split(chr(10))[-3:])\n"
    )
    said = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, "-c", code], env={**os.environ, name: value}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "['check: a parameter has no column', '9 of 9 accepted', '']"


@pytest.mark.parametrize("show", [True, "auto"])
def test_where_no_bar_can_move_a_line_comes_every_minute(
    show: Any,
    clock: HandClock,
    progress: Progress,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(Bar, "_make", lambda *_: 1 / 0)  # as where a front end has no widgets
    bar = Bar(progress, show)
    phase = progress.begin("documents", 12_000)
    with caplog.at_level("INFO", "reportflow_pandas.progress"):
        for _ in range(20 * 60):
            clock.at += 0.15
            phase.done += 4
            phase.failed += 1
            bar.paint()
    lines = caplog.messages if show == "auto" else stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("1,600")
    assert lines[0].endswith(" of 12,000 documents, 400 failed")
    assert "\r" not in stream.getvalue()
    bar.close("12,000 of 12,000 accepted")
    assert ("12,000 of 12,000 accepted\n" in stream.getvalue()) == (show is True)


def test_lines_whose_stream_is_gone_go_into_the_log(
    clock: HandClock, progress: Progress, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = io.StringIO()
    full.close()
    for stream in (None, full):
        monkeypatch.setattr(sys, "stderr", stream)
        caplog.clear()
        bar = Bar(progress, True)
        progress.begin("documents", 2).done = 2
        painted(bar, clock)
        bar.close("2 of 2 accepted")
        assert caplog.messages == ["2 of 2 accepted"]


def test_no_thread_outlives_the_bar(terminal: Terminal, clock: HandClock, progress: Progress) -> None:
    before = threading.active_count()
    bar = Bar(progress, True, terminal)
    progress.begin("documents", 1)
    painted(bar, clock)
    bar.close()
    assert threading.active_count() == before


def test_auto_means_a_terminal_or_a_notebook(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    assert visible("auto")
    assert not visible(False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not visible("auto")
    assert visible(True)
    monkeypatch.setattr(sys, "stderr", None)
    assert not visible("auto")


def test_shells_derived_from_jupyters_count_as_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colab's is one."""

    class ZMQInteractiveShell:
        pass

    class Shell(ZMQInteractiveShell):
        pass

    class TerminalInteractiveShell:
        pass

    for shell, answer in ((Shell(), True), (TerminalInteractiveShell(), False), (None, False)):
        module = types.SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", module)  # type: ignore[arg-type]
        assert in_notebook() is answer


def test_the_missing_of_ipywidgets_is_not_worth_a_warning(
    monkeypatch: pytest.MonkeyPatch, terminal: Terminal, clock: HandClock, progress: Progress
) -> None:
    """Tqdm says "IProgress not found" when it is imported without them."""
    monkeypatch.delitem(sys.modules, "tqdm.auto", raising=False)

    class Complaining:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "tqdm.auto":
                warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)

    monkeypatch.setattr(sys, "meta_path", [Complaining, *sys.meta_path])
    bar = Bar(progress, True, terminal)
    bar._notebook = True
    progress.begin("documents", 3).done = 3
    painted(bar, clock)
    bar.close()
    assert "3/3" in terminal.getvalue()
