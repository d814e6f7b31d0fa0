"""Which columns the sheets Results and Failed have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.export.cells import Sanitiser, Trap, clean_text
from reportflow_pandas.export.columns import Column, Given, Keys, Links, Same, Values
from reportflow_pandas.export.links import disk_target, web_target
from reportflow_pandas.export.reader import KEY, ROW, RUN, run_name
from reportflow_pandas.export.source_columns import Beside, distinct
from reportflow_pandas.export.texts import WORDS, Words, decide
from reportflow_pandas.export.typed import Typed
from reportflow_pandas.results.index_labels import described, levels_of
from reportflow_pandas.results.results_frame import known

__all__ = ["Layout"]

_MOST_COLUMNS = 16_384
_LONGEST_HEADING = 30_000
_FORMS = {"elapsed": "seconds", "accepted_at": "datetime"}


@dataclass(frozen=True)
class Layout:
    """Makes the columns of one sheet.

    Attributes
    ----------
    results : pandas.DataFrame
        The lines of the sheet.
    extra : Beside
        The source's columns for the same lines.
    words : Words
        The language.
    sanitiser : Sanitiser
        Cleans and counts.
    """

    results: pd.DataFrame
    extra: Beside
    words: Words
    sanitiser: Sanitiser

    def left(self) -> list[Column]:
        """Return the columns that stay when the sheet is scrolled: the index and the document's name."""
        return [*self._index(), self._result("file_name", "key")]

    def of_results(self, typed: Typed, target: Path) -> list[Column]:
        """Return the columns of the sheet Results."""
        named, says = self.words.headings, self.words.says
        on_disk = partial(disk_target, folder=target.resolve().parent)
        decisions = {at: self.sanitiser.text(decide(text, self.words)) for at, text in typed.decisions.items()}
        comments = {at: self.sanitiser.text(text) for at, text in typed.comments.items()}
        columns: list[Column] = [
            *self.left(),
            Links(named["pdf"], self._series("path"), says["open_pdf"], on_disk, self.sanitiser),
            Links(named["web"], self._series("url"), says["open_web"], web_target, self.sanitiser),
            self._status(),
            Given(named["decision"], 13, "input", decisions.get),
            Given(named["comment"], 32, "input", comments.get),
        ]
        details = [
            self._result("error", "detail", widest=50),
            *self._results(
                "error_kind", "http_status", "attempts", "elapsed", "accepted_at", "file_id", "request_id"
            ),
            Same(RUN, "hidden", clean_text(run_name(self.results)) or None),
            Values(ROW, self.results["row"], self.sanitiser, "hidden"),
        ]
        columns += [*self._source(len(columns) + len(details) + 1), *details]
        return [*columns, Keys(self._key_heading(columns), self.results)]

    def of_failed(self) -> list[Column]:
        """Return the columns of the sheet Failed."""
        statuses, kinds = self.results["status"].tolist(), self._series("error_kind").tolist()
        run = known(self.results)

        def advice(at: int) -> str:
            kind = kinds[at]
            return self.words.advise(statuses[at], kind if isinstance(kind, str) else None, run)

        columns = [
            *self.left(),
            self._status(),
            self._result("error", "key", widest=50),
            Given(self.words.headings["advice"], 92, "key", advice, wrap=True),
        ]
        details = self._results("error_kind", "http_status", "attempts", "elapsed", "request_id")
        return [*columns, *self._source(len(columns) + len(details)), *details]

    def _results(self, *names: str) -> list[Column]:
        return [self._result(name, "detail") for name in names]

    def _result(self, name: str, kind: str, *, widest: int = 36) -> Column:
        values = self._series(name)
        if name == "accepted_at" and isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)  # its heading says UTC: nothing is changed
        heading = self.words.headings[name]
        return Values(heading, values, self.sanitiser, kind, form=_FORMS.get(name), widest=widest)

    def _series(self, name: str) -> pd.Series[Any]:
        if name in self.results.columns:
            return self.results[name]
        return pd.Series([None] * len(self.results), dtype=object)

    def _status(self) -> Column:
        shown = [self.words.statuses.get(status, str(status)) for status in self.results["status"].tolist()]
        return Given(self.words.headings["status"], 12, "status", shown.__getitem__)

    def _index(self) -> list[Column]:
        return [
            Values(heading, level, self.sanitiser, "key", count_missing=True, widest=28)
            for heading, level in zip(self._index_headings(), levels_of(self.results.index), strict=True)
        ]

    def _index_headings(self) -> list[str]:
        index, unnamed = self.results.index, self.words.headings["index"]
        names = [
            (f"{unnamed} {at}" if index.nlevels > 1 else unnamed) if name is None else clean_text(_named(name))
            for at, name in enumerate(index.names, 1)
        ]
        return distinct(names, self._taken(), "_index")

    def _source(self, others: int) -> list[Column]:
        names = [clean_text(_named(name)) for name in self.extra.names]
        headings = distinct(names, [*self._taken(), *self._index_headings()])
        fits = max(_MOST_COLUMNS - others, 0)
        if len(headings) > fits:
            self.sanitiser.traps[Trap.COLUMNS] += len(headings) - fits
        return [
            Values(heading, self.extra.frame.iloc[:, at], self.sanitiser, "source", count_missing=True)
            for at, heading in enumerate(headings[:fits])
        ]

    def _taken(self) -> list[str]:
        """Return the headings that the user's columns cannot have: ours in both languages, and the frame's."""
        ours = [heading for words in WORDS.values() for name, heading in words.headings.items() if name != "index"]
        return [
            *ours,
            *(name for name in self.words.headings if name != "index"),
            "row",
            "url",
            "path",
            RUN,
            ROW,
            KEY,
        ]

    def _key_heading(self, columns: list[Column]) -> str:
        """Return the heading of the key: it also tells what the labels alone do not."""
        about = {"index": described(self.results.index), "headings": [column.heading for column in columns]}
        if len(json.dumps(about)) > _LONGEST_HEADING:  # without it, columns that a reviewer adds go unnoticed
            del about["headings"]
        heading = json.dumps(about) if len(json.dumps(about)) <= _LONGEST_HEADING else ""
        return f"{KEY}{heading}".replace("_x", "\\u005fx")


def _named(name: Any) -> str:
    return " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)
