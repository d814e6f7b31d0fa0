"""The first sheet, which a manager understands without us, and the last one, which says where all came from."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl.formatting.rule import DataBarRule

from reportflow_pandas.export.cells import Trap, clean_text
from reportflow_pandas.export.links import disk_target
from reportflow_pandas.export.style import DECISION_COLOURS, STATUS_COLOURS
from reportflow_pandas.export.text_sheet import Page
from reportflow_pandas.export.texts import DECISIONS, STATUSES, Words, decision_of
from reportflow_pandas.export.typed import Typed
from reportflow_pandas.results.results_frame import known
from reportflow_pandas.results.summary import summary

__all__ = ["Cover"]

_WIDTHS: dict[str, float] = {"A": 2, "B": 38, "C": 17, "D": 14, "E": 100}
_COUNTS = ("rows", "shown", "calls", "version")


@dataclass(frozen=True)
class Cover:
    """Writes the sheets Summary and Run.

    Attributes
    ----------
    results : pandas.DataFrame
        What the workbook holds.
    words : Words
        The language.
    target : pathlib.Path
        Where the workbook belongs.
    written : datetime.datetime
        Now, UTC.
    """

    results: pd.DataFrame
    words: Words
    target: Path
    written: dt.datetime

    def write_summary(self, sheet: Any, typed: Typed, traps: Counter[Trap]) -> None:
        """Write the sheet Summary.

        Parameters
        ----------
        sheet
            Empty write-only worksheet.
        typed : Typed
            The decisions and comments that were carried over.
        traps : collections.Counter
            What had to be changed for Excel.
        """
        page = Page(sheet, _WIDTHS)
        page.title(*self._title())
        self._result(page)
        self._reasons(page)
        self._pdfs(page)
        self._times(page)
        self._decisions(page, typed)
        self._about(page, typed, traps)
        sheet.close()

    def write_run(self, sheet: Any) -> None:
        """Write the sheet Run: a line for each thing known about it, from a fixed list that holds no secret."""
        page = Page(sheet, {"A": 2, "B": 34, "C": 80})
        known = self.known | {
            "shown": str(len(self.results)),
            "written": f"{self.written:%Y-%m-%d %H:%M:%S}",
            "by": _program(),
        }
        page.band(self.words.says["field"], self.words.says["value"])
        for name, label in self.words.run.items():
            value = known.get(name, "")
            if name in ("started_at", "finished_at"):
                value = _moment(value)
            if value:
                page.fact(label, int(value) if name in _COUNTS and value.isdecimal() else value)
        sheet.close()

    @property
    def known(self) -> dict[str, str]:
        """What the frame knows about its run."""
        about = known(self.results).items()
        return {str(name): clean_text(str(value)) for name, value in about if value is not None}

    def _title(self) -> tuple[str, str]:
        known, named = self.known, self.words.run
        parts = [f"{named[name]} {known[name]}" for name in ("run", "version") if known.get(name)]
        parts.append(_moment(known.get("started_at", ""))[:16])
        title = known.get("design") or known.get("design_id") or self.words.says["title"]
        return title, "  ·  ".join(part for part in parts if part)

    def _result(self, page: Page) -> None:
        says, counts = self.words.says, summary(self.results)
        total, success = int(counts["total"]), int(counts["success"])
        name = "headline_none" if not total else "headline_good" if success == total else "headline_mixed"
        page.put()
        page.say(
            says[name].format(total=f"{total:,}", success=f"{success:,}", rest=f"{total - success:,}"), big=True
        )
        of_run = self.known.get("rows", "")
        if of_run.isdecimal() and int(of_run) != total:
            page.say(says["part"].format(rows=f"{total:,}", all=f"{int(of_run):,}"), grey=True)
        page.section(says["overview"], says["documents"], says["share"], says["meaning"])
        begin = page.line + 1
        for status in STATUSES:
            number = int((self.results["status"] == status).sum())
            share = number / total if total else None
            label, meaning = self.words.statuses[status], self.words.status_meanings[status]
            page.entry(label, number, share, meaning, colours=STATUS_COLOURS[status])
        bars = DataBarRule(start_type="num", start_value=0, end_type="num", end_value=1, color="9DB8D9")  # type: ignore[no-untyped-call]
        page.sheet.conditional_formatting.add(f"D{begin}:D{page.line}", bars)
        page.entry(says["success"], success, success / total if total else None, bold=True)
        page.entry(says["total"], total, 1.0 if total else None, bold=True)

    def _reasons(self, page: Page) -> None:
        if "error_kind" not in self.results.columns:
            return
        told = self.results[["status", "error_kind"]].dropna(subset="error_kind").astype(object)
        if told.empty:
            return
        words = self.words
        page.section(words.says["reasons"], words.says["documents"], "", words.headings["advice"])
        for (status, kind), number in Counter(zip(told["status"], told["error_kind"], strict=True)).most_common(
            30
        ):
            label = f"{words.statuses.get(status, status)}: {words.kinds.get(kind, kind)}"
            page.entry(label, number, text=words.advise(status, kind, self.known))

    def _pdfs(self, page: Page) -> None:
        says, folder = self.words.says, self.known.get("download")
        on_disk, on_web = self._present("path"), self._present("url")
        page.section(says["pdfs"])
        if on_disk.any():
            relative = says["relative"].format(pdf=self.words.headings["pdf"])
            page.entry(says["on_disk"], int(on_disk.sum()), text=relative)
        if folder:
            page.entry(says["folder"], text=folder, link=disk_target(folder, self.target.resolve().parent))
        if (on_web & ~on_disk).any():
            nowhere = says["nowhere"].format(web=self.words.headings["web"])
            page.entry(says["on_web"], int((on_web & ~on_disk).sum()), text=nowhere)
        if not on_disk.any() and not on_web.any():
            page.say(says["none"], grey=True)

    def _present(self, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if name not in self.results.columns:
            return np.zeros(len(self.results), dtype=bool)
        return self.results[name].notna().to_numpy(dtype=bool)

    def _times(self, page: Page) -> None:
        says, known = self.words.says, self.known
        started, finished = _parsed(known.get("started_at", "")), _parsed(known.get("finished_at", ""))
        entries: list[tuple[str, Any, str | None]] = [
            (says[name], f"{moment:%Y-%m-%d %H:%M}", None)
            for name, moment in (("started", started), ("finished", finished))
            if moment is not None
        ]
        if started is not None and finished is not None and finished >= started:
            entries.append((says["duration"], (finished - started) / dt.timedelta(days=1), "[h]:mm:ss"))
        if known.get("calls", "").isdecimal():
            entries.append((says["calls"], int(known["calls"]), None))
        elapsed = self.results["elapsed"].dropna() if "elapsed" in self.results.columns else ()
        if len(elapsed):
            entries.append((says["typical"], float(np.median(elapsed)), "#,##0.0"))
            entries.append((says["slowest"], float(np.max(elapsed)), "#,##0.0"))
        if entries:
            page.section(says["time"])
        for label, value, form in entries:
            page.entry(label, value, form=form)

    def _decisions(self, page: Page, typed: Typed) -> None:
        words, says = self.words, self.words.says
        counts = Counter(decision_of(text) for text in typed.decisions.values())
        page.section(says["decisions"], says["so_far"] if typed.decisions else "", "", says["meaning"])
        for name in DECISIONS:
            number = counts[name] if typed.decisions else None
            page.entry(
                words.decisions[name], number, text=words.decision_meanings[name], colours=DECISION_COLOURS[name]
            )
        named = {name: words.headings[name] for name in ("decision", "comment")}
        page.say(says["decide"].format(**named))
        page.say(says["back"])
        page.say(clean_text(f"review = rf.read_review({self.target.name!r})"), code=True)

    def _about(self, page: Page, typed: Typed, traps: Counter[Trap]) -> None:
        words, says = self.words, self.words.says
        page.section(says["about"])
        notes = [words.traps[trap].format(n=f"{traps[trap]:,}") for trap in Trap if traps[trap]]
        kept = len(typed.decisions.keys() | typed.comments.keys())
        notes += [says["kept"].format(n=f"{kept:,}")] if kept else []
        notes += [says["outdated"].format(n=f"{typed.outdated:,}")] if typed.outdated else []
        for note in notes or [says["untouched"]]:
            page.say(note)
        page.say(says["written"].format(at=f"{self.written:%Y-%m-%d %H:%M}"), grey=True)


def _program() -> str:
    try:
        return f"reportflow-pandas {version('reportflow-pandas')}"
    except PackageNotFoundError:  # run from a folder, not installed
        return "reportflow-pandas"


def _parsed(text: str) -> dt.datetime | None:
    """Return a moment of the run, UTC without saying so; ``None`` if there is none."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _moment(text: str) -> str:
    moment = _parsed(text)
    return text if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
