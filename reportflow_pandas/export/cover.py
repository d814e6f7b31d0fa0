"""The first sheet, which a manager understands without us, and the last one, which says where all came from."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.formatting.rule import DataBarRule
from openpyxl.styles import Alignment, Border, PatternFill, Side

from reportflow_pandas.contract import opens_in_browser
from reportflow_pandas.export.cells import Trap, clean_text, is_formula
from reportflow_pandas.export.columns import disk_target, display_width
from reportflow_pandas.export.review import Typed
from reportflow_pandas.export.style import (
    BAR,
    DECISION_COLOURS,
    GREY,
    INK,
    NO_PDF_COLOURS,
    PALE,
    STATUS_COLOURS,
    font,
    on_paper,
)
from reportflow_pandas.export.texts import DECISIONS, STATUSES, Words, decision_of
from reportflow_pandas.results.results_frame import known
from reportflow_pandas.results.summary import summary, without_mail, without_pdf_for_good
from reportflow_pandas.rows.input_frame import label_shown

__all__ = ["Cover"]

_WIDTHS: dict[str, float] = {"A": 2, "B": 38, "C": 17, "D": 14, "E": 100}
_MOST_REASONS = 30
_MOST_LINES = 100
_MOST_LABELS = 50
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
    not_judged : mapping of str
        What was not judged when the PDFs were read back, and why.
    """

    results: pd.DataFrame
    words: Words
    target: Path
    written: dt.datetime
    not_judged: Mapping[str, str] = field(default_factory=dict)

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
        page = TextSheet(sheet, "Summary", _WIDTHS)
        page.title(*self._title())
        self._result(page)
        self._reasons(page)
        self._odd(page)
        self._pdfs(page)
        self._read_back(page)
        self._mails(page)
        self._times(page)
        self._decisions(page, typed)
        self._about(page, typed, traps)
        sheet.close()

    def write_run(self, sheet: Any) -> None:
        """Write the sheet Run: a line for each thing known about it, from a fixed list that holds no secret."""
        page = TextSheet(sheet, "Run", {"A": 2, "B": 34, "C": 80})
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

    def _result(self, page: TextSheet) -> None:
        says, counts = self.words.says, summary(self.results)
        total, success = int(counts["total"]), int(counts["success"])
        never = int(counts.get("no_pdf", 0))
        name = "headline_none" if not total else "headline_good" if success == total else "headline_mixed"
        name = "headline_no_pdf" if never else name
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
            number = int((self.results["status"] == status).sum()) - (never if status == "accepted" else 0)
            share = number / total if total else None
            label, meaning = self.words.statuses[status], self.words.status_meanings[status]
            page.entry(label, number, share, meaning, colours=STATUS_COLOURS[status])
            if status == "accepted" and never:
                page.entry(says["no_pdf"], never, never / total, says["no_pdf_meaning"], colours=NO_PDF_COLOURS)
        bars = DataBarRule(start_type="num", start_value=0, end_type="num", end_value=1, color=BAR)  # type: ignore[no-untyped-call]
        page.sheet.conditional_formatting.add(f"D{begin}:D{page.line}", bars)
        page.entry(says["success"], success, success / total if total else None, bold=True)
        page.entry(says["total"], total, 1.0 if total else None, bold=True)

    def _reasons(self, page: TextSheet) -> None:
        if "error_kind" not in self.results.columns:
            return
        told = (
            self.results.reindex(columns=["status", "error_kind", "error"])
            .dropna(subset="error_kind")
            .astype(object)
        )
        if told.empty:
            return
        words = self.words
        page.section(words.says["reasons"], words.says["documents"], "", words.headings["advice"])
        advice = Counter(
            (status, kind, words.advise(status, kind, self.known, message))
            for status, kind, message in zip(told["status"], told["error_kind"], told["error"], strict=True)
        )
        for (status, kind, what), number in advice.most_common(_MOST_REASONS):
            label = f"{words.statuses.get(status, status)}: {words.kinds.get(kind, kind)}"
            page.entry(label, number, text=what)

    def _odd(self, page: TextSheet) -> None:
        """Write what looked odd in the rows before they were sent."""
        told = str(known(self.results).get("warnings") or "")
        lines = json.loads(told) if told.startswith("[") else []
        if lines:
            page.section(self.words.says["odd"])
        for line in lines[:_MOST_LINES]:
            page.say(clean_text(str(line)))

    def _pdfs(self, page: TextSheet) -> None:
        says, folder = self.words.says, self.known.get("download")
        on_disk, on_web = self._present("path"), self._present("url")
        if on_web.any():
            on_web = on_web & self.results["url"].map(opens_in_browser).to_numpy(dtype=bool)
            on_web &= ~without_pdf_for_good(self.results).to_numpy(dtype=bool)
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

    def _read_back(self, page: TextSheet) -> None:
        """Write what was found when the PDFs were read back, and what was not judged."""
        if "verdict" not in self.results.columns:
            return
        says = self.words.says
        page.section(says["read_back"], says["documents"], "", says["meaning"])
        for verdict, status in (("ok", "ready"), ("look", "failed"), ("unread", "unknown")):
            number = int((self.results["verdict"] == verdict).sum())
            meaning = says[f"verdict_{verdict}_meaning"]
            page.entry(says[f"verdict_{verdict}"], number, text=meaning, colours=STATUS_COLOURS[status])
        for parameter, why in self.not_judged.items():
            page.entry(says["not_judged"], text=clean_text(f"{parameter}: {why}"))

    def _mails(self, page: TextSheet) -> None:
        """Write how many were mailed, and who was not and why."""
        if "mail_status" not in self.results.columns:
            return
        says = self.words.says
        page.section(says["mails"], says["documents"], "", says["rows"])
        number = int((self.results["mail_status"] == "sent").sum())
        page.entry(says["mails_sent"], number, colours=STATUS_COLOURS["ready"])
        for reason, labels in without_mail(self.results).items():
            why = f"{says['no_mail']}: {self.words.mail_reasons.get(reason, reason)}"
            who = ", ".join(map(label_shown, labels[:_MOST_LABELS])) + (
                ", …" if len(labels) > _MOST_LABELS else ""
            )
            page.entry(clean_text(why), len(labels), text=clean_text(who))

    def _present(self, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if name not in self.results.columns:
            return np.zeros(len(self.results), dtype=bool)
        return self.results[name].notna().to_numpy(dtype=bool)

    def _times(self, page: TextSheet) -> None:
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

    def _decisions(self, page: TextSheet, typed: Typed) -> None:
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

    def _about(self, page: TextSheet, typed: Typed, traps: Counter[Trap]) -> None:
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


# a sheet that reads like a page

_UNDER = Border(bottom=Side(style="thin", color=PALE))
_LEFT = Alignment(horizontal="left", vertical="center", indent=1)
_RIGHT = Alignment(horizontal="right", vertical="center")
_TEXT_WIDTH = 96


class TextSheet:
    """A sheet that is written line by line, from the second column on: the first is the margin.

    Parameters
    ----------
    sheet
        Empty write-only worksheet.
    title : str
        Above the printed page, of which there is one.
    widths : dict of str to float
        Characters, by the columns' letters.
    """

    def __init__(self, sheet: Any, title: str, widths: dict[str, float]) -> None:
        self.sheet = sheet
        self.line = 0
        self.columns = len(widths) - 1
        for letter, width in widths.items():
            sheet.column_dimensions[letter].width = width
        sheet.sheet_view.showGridLines = False
        on_paper(sheet, title, one_page=True)

    def put(self, *cells: Any, height: float | None = None) -> None:
        """Write a line."""
        self.line += 1
        if height is not None:
            self.sheet.row_dimensions[self.line].height = height
        self.sheet.append([None, *cells])

    def title(self, text: str, below: str) -> None:
        """Write the band on top."""
        fill = PatternFill("solid", fgColor=INK)
        rest = [self._cell(None, fill=fill) for _ in range(self.columns - 1)]
        big, small = font("FFFFFF", size=20, bold=True), font(PALE)
        above = Alignment(horizontal="left", vertical="top", indent=1)
        self.put(self._cell(text, font=big, fill=fill, alignment=_LEFT), *rest, height=38)
        self.put(self._cell(below, font=small, fill=fill, alignment=above), *rest, height=22)

    def band(self, *headings: str) -> None:
        """Write the headings of a plain table."""
        white, fill = font("FFFFFF", bold=True), PatternFill("solid", fgColor=INK)
        self.put(*(self._cell(text, font=white, fill=fill, alignment=_LEFT) for text in headings), height=24)

    def fact(self, label: str, value: Any) -> None:
        """Write a label and its value."""
        bold, plain = font(bold=True), font()
        self.put(
            self._cell(label, font=bold, border=_UNDER, alignment=_LEFT),
            self._cell(value, font=plain, border=_UNDER, alignment=_LEFT),
            height=20,
        )

    def section(self, heading: str, number: str = "", share: str = "", text: str = "") -> None:
        """Begin a section; the smaller headings stand over its columns."""
        self.put()
        border = Border(bottom=Side(style="medium", color=INK))
        big, small = font(size=13, bold=True), font(GREY, size=10, bold=True)
        self.put(
            self._cell(
                heading, font=big, border=border, alignment=Alignment(horizontal="left", vertical="center")
            ),
            self._cell(number or None, font=small, border=border, alignment=_RIGHT),
            self._cell(share or None, font=small, border=border, alignment=_RIGHT),
            self._cell(text or None, font=small, border=border, alignment=_LEFT),
            height=26,
        )

    def entry(
        self,
        label: str,
        value: Any = None,
        share: float | None = None,
        text: str | None = None,
        *,
        colours: tuple[str, str] | None = None,
        bold: bool = False,
        form: str | None = None,
        link: str | None = None,
    ) -> None:
        """Write a line of a section: a label, a number, its share, a text."""
        number = font(bold=bold)
        named = self._cell(label, font=font(bold=bold), border=_UNDER, alignment=_LEFT)
        if colours is not None:
            named.fill, named.font = PatternFill("solid", fgColor=colours[0]), font(colours[1], bold=True)
        wrapped = Alignment(horizontal="left", vertical="center", wrap_text=True, indent=1)
        explained = self._cell(text, font=font(GREY, link=link is not None), border=_UNDER, alignment=wrapped)
        if link:
            explained.hyperlink = link
        self.put(
            named,
            self._cell(value, font=number, border=_UNDER, alignment=_RIGHT, number_format=form or "#,##0"),
            self._cell(share, font=number, border=_UNDER, alignment=_RIGHT, number_format="0.0%"),
            explained,
            height=6 + 14 * max(1, math.ceil(display_width(text or "") / _TEXT_WIDTH)),
        )

    def say(self, text: str, *, big: bool = False, grey: bool = False, code: bool = False) -> None:
        """Write a sentence."""
        look = font(GREY if grey else INK, size=13 if big else 11, bold=big, code=code)
        self.put(self._cell(text, font=look, alignment=_LEFT), height=20)

    def _cell(self, value: Any, **look: Any) -> Any:
        cell = WriteOnlyCell(self.sheet, value=value)
        if isinstance(value, str) and is_formula(value):
            cell.data_type = "s"
        for name, setting in look.items():
            setattr(cell, name, setting)
        return cell
