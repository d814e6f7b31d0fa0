"""The panel of a job, without a browser; test_jupyterlab.py looks at it in one."""

from __future__ import annotations

import asyncio
import re
import threading
import types
from collections.abc import Callable

import pytest

from reportflow_pandas import event_loop
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.notebook.panel import Panel, Snapshot, seconds_left, show


class Job:
    """A job as the panel sees it."""

    def __init__(self, rows: int) -> None:
        self.id = "november"
        self.outcomes = Outcomes([f"doc-{number}" for number in range(rows)])
        self.now = 0.0
        self.state = "running"
        self.waits = 0.0
        self.cancelled = 0
        self.error = ""
        self.labels: dict[int, str] = {}

    def fail(self, position: int, text: str) -> None:
        self.outcomes.refused(position, "failed", "invalid", text, 400)

    def snapshot(self, failures: int) -> Snapshot:
        counts = self.outcomes.counts()
        total = len(self.outcomes)
        failed = [(self.labels.get(one.row, one.row), one) for one in self.outcomes if one.status == "failed"]
        return Snapshot(
            self.now,
            self.state,
            {"total": total, "done": total - counts["not_sent"], **counts},
            self.waits,
            failed[:failures],
            self.error,
        )

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def job() -> Job:
    return Job(10)


def test_the_panel_shows_counts_rate_wait_and_time_left(job: Job) -> None:
    panel = Panel(job)
    for position in range(4):
        job.fail(position, "bad")
    job.now, job.waits = 2.0, 37.0
    assert panel.refresh()
    line = panel._line.value
    for words in ("4 of 10", "4 failed", "2.0/s", "goes on in 37 s", "about 3 s left"):
        assert words in line
    assert panel._bar.value == 4


def test_the_first_failures_are_listed_with_row_and_message(job: Job) -> None:
    panel = Panel(job)
    for position in range(8):
        job.fail(position, f"<b>no</b> {position}")
    panel.refresh()
    listed = panel._failures.value
    assert "0: &lt;b&gt;no&lt;/b&gt; 0" in listed
    assert "and 3 more" in listed


def test_a_rows_label_is_shown_and_not_run(job: Job) -> None:
    panel = Panel(job)
    job.labels[3] = "<img src=x onerror=alert(1)>"
    job.fail(3, "no")
    panel.refresh()
    assert "<img" not in panel._failures.value
    assert "&lt;img src=x" in panel._failures.value


def test_cancel_is_passed_on_once_and_says_so(job: Job) -> None:
    panel = Panel(job)
    panel._button.click()
    assert job.cancelled == 1
    assert panel._button.description == "Stopping…"
    assert panel.refresh(), "what is in flight is waited for"
    assert panel._button.disabled, "a second click does nothing"


def test_a_job_that_has_ended_needs_no_more_looks(job: Job) -> None:
    panel = Panel(job)
    job.state = "done"
    assert not panel.refresh()
    assert panel._button.disabled
    assert panel._button.layout.display == "none"
    assert "done" in panel._line.value


def test_what_ended_a_job_as_a_whole_is_told(job: Job) -> None:
    panel = Panel(job)
    job.state, job.error = "failed", "401: the app key <x> is not known"
    panel.refresh()
    assert "the app key &lt;x&gt; is not known" in panel._failures.value
    assert panel._failures.layout.display is None
    assert panel._bar.bar_style == "danger"


def test_a_job_with_failures_does_not_end_in_green(job: Job) -> None:
    panel = Panel(job)
    job.fail(0, "bad")
    job.state = "done"
    panel.refresh()
    assert panel._bar.bar_style == "warning"


def luminance(colour: str) -> float:
    """Of a colour, by WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_what_a_panel_says_in_colour_can_be_read_on_light_and_dark_pages(job: Job) -> None:
    """Coloured words have a ground of their own, so that the page's does not matter."""
    panel = Panel(job)
    job.fail(0, "bad")
    job.state = "done"
    panel.refresh()
    pairs = re.findall(r"background:#(\w{6});color:#(\w{6})", panel._line.value)
    assert len(pairs) == panel._line.value.count(";color:#") == 3
    for ground, text in pairs:
        light, dark = sorted((luminance(ground), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_an_ended_job_stays_in_the_notebook_as_html_and_text(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[dict[str, str]] = []
    ended = threading.Event()

    def update(picture: dict[str, str], *, raw: bool) -> None:
        assert raw
        pictures.append(picture)
        ended.set()

    def display(bundle: dict[str, str], **_: bool) -> types.SimpleNamespace:
        assert bundle["text/plain"] == "<Job november>"
        return types.SimpleNamespace(update=update)

    monkeypatch.setattr("IPython.display.display", display)
    job.fail(0, "<b>no</b>")
    job.state = "done"
    Panel(job).display("<Job november>")
    assert ended.wait(60)
    assert pictures[0]["text/plain"] == "Job november: 1 of 10 · 1 failed · 9 not sent · done"
    assert "&lt;b&gt;no&lt;/b&gt;" in pictures[0]["text/html"]
    assert "width:10%" in pictures[0]["text/html"]


def test_the_last_picture_belongs_to_the_first_cell_that_ends_after_the_job(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published between two cells is lost to a program that runs the notebook."""
    pictures: list[str] = []
    hooks: list[Callable[..., None]] = []
    events = types.SimpleNamespace(
        register=lambda _, hook: hooks.append(hook), unregister=lambda _, hook: hooks.remove(hook)
    )
    handle = types.SimpleNamespace(update=lambda picture, raw: pictures.append(picture["text/plain"]))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: handle)
    monkeypatch.setattr("IPython.get_ipython", lambda: types.SimpleNamespace(events=events))
    monkeypatch.setattr(Panel, "start", lambda _: None)
    Panel(job).display("<Job november>")
    hooks[0](None)
    assert not pictures
    job.state = "done"
    hooks[0](None)
    assert pictures == ["Job november: 0 of 10 · 10 not sent · done"]
    assert not hooks


def test_a_job_is_looked_at_beside_the_event_loop_for_that_may_mean_the_disk(job: Job) -> None:
    seen: list[str] = []
    look = job.snapshot

    def snapshot(failures: int) -> Snapshot:
        seen.append(threading.current_thread().name)
        return look(failures)

    panel = Panel(job)
    job.snapshot = snapshot  # type: ignore[method-assign]
    job.state = "done"
    panel.start()
    event_loop.run(asyncio.sleep(0))
    while not seen:
        event_loop.run(asyncio.sleep(0.01))
    assert "reportflow" not in seen


def test_without_a_notebook_the_job_is_text(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    show(job, "<Job november>")
    assert capsys.readouterr().out == "<Job november>\n"


@pytest.mark.parametrize(
    ("rows", "rate", "words"),
    [
        (0, 1.0, ""),
        (5, 0.0, ""),
        (5, 1.0, "about 5 s left"),
        (600, 1.0, "about 10 min left"),
        (9000, 0.5, "about 5.0 h left"),
    ],
)
def test_time_left_is_told_only_where_it_is_known(rows: int, rate: float, words: str) -> None:
    assert seconds_left(rows, rate) == words
