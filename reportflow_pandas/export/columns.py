"""The columns of a sheet: each makes its cells for some rows at a time."""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import pandas as pd
from openpyxl.utils.escape import unescape

from reportflow_pandas.export.cells import ColumnCells, Sanitiser, Stamp, Trap, clean_text
from reportflow_pandas.export.reviewed_lines import NAME_KEPT
from reportflow_pandas.export.style import font
from reportflow_pandas.results.index_labels import encoded

__all__ = [
    "LONGEST_LABEL",
    "MOST_LINKS",
    "Column",
    "Given",
    "Keys",
    "Links",
    "Same",
    "Values",
    "disk_target",
    "display_width",
    "web_target",
]

MOST_LINKS = 65_530
"""Links on one sheet; Excel drops them when there are more."""
LONGEST_TARGET = 2_079
"""Characters of a link's target."""

_RESERVED = re.compile("[\x00-\x20\x22#%:<>?\\[\\\\\\]^`{|}\x7f\ud800-\udfff]+")
_WEB = re.compile("https?://[^\x00-\x1f\x7f\ud800-\udfff]+", re.IGNORECASE)
_NEEDS_QUOTES = re.compile('[ "<>\\\\^`{|}\x80-\U0010ffff]+')

_SAMPLE = 300
_TOO_LONG_KEY = 32_000
LONGEST_LABEL = 28_000
"""Characters of JSON that an index label may take: a cell holds 32,767, and name and ids stand beside it."""


def display_width(text: str) -> int:
    """Return how many narrow characters wide a text is: Japanese ones count twice."""
    line = max(text.split("\n"), key=len) if "\n" in text else text
    if line.isascii():
        return len(line)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Column(ABC):
    """One column of a sheet.

    Parameters
    ----------
    heading : str
        Text of the first line.
    width : float
        Characters.
    kind : {"key", "link", "status", "input", "source", "detail", "hidden"}
        How its heading looks.
    """

    def __init__(self, heading: str, width: float, kind: str, *, wrap: bool = False) -> None:
        self.heading = heading
        self.width = width
        self.kind = kind
        self.wrap = wrap

    def begin(self, cells: ColumnCells, room: int) -> int:
        """Get ready for a sheet on which ``room`` links are left; return how many this column leaves."""
        self.cells = cells
        return room

    def lines(self, start: int, stop: int) -> list[int]:
        """Return how many lines each of these rows needs; one where a text is not broken."""
        return [1] * (stop - start)

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Iterable[Any]:
        """Return the cells of these rows."""


class Values(Column):
    """A column of a frame."""

    def __init__(
        self,
        heading: str,
        values: pd.Series[Any],
        sanitiser: Sanitiser,
        kind: str,
        *,
        form: str | None = None,
        count_missing: bool = False,
        widest: int = 40,
        wrap: bool | Literal["if_cut"] = False,
    ) -> None:
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            midnight = values.dropna()
            if isinstance(midnight.dtype, pd.DatetimeTZDtype):
                midnight = midnight.dt.tz_convert("UTC")
                heading = heading if "UTC" in heading else f"{heading} (UTC)"
            form = "datetime" if form or (midnight != midnight.dt.normalize()).any() else "date"
        elif kind == "key" and pd.api.types.is_numeric_dtype(values.dtype) and values.dtype != "bool":
            form = "label"
        elif kind == "source":
            form = money_form(heading, values)
        self.form = form
        self.values = values.copy(deep=False)
        self.values.attrs = {}  # pandas copies them, deeply, for every chunk
        self.sanitiser = sanitiser
        self.count_missing = count_missing
        wide = self._width(heading)
        super().__init__(heading, min(wide, widest), kind, wrap=wide > widest if wrap == "if_cut" else bool(wrap))

    def chunk(self, start: int, stop: int) -> Iterable[Any]:
        """Return the cells of these rows."""
        values = self.sanitiser.column(self.values.iloc[start:stop], self.form, count_missing=self.count_missing)
        return self.cells.wrapped(values) if self.wrap else self.cells.column(values, self.form)

    def lines(self, start: int, stop: int) -> list[int]:
        """Return how many lines each of these rows needs."""
        if not self.wrap:
            return super().lines(start, stop)
        return [_lines_of(value, self.width) for value in self.values.iloc[start:stop].tolist()]

    def narrowest(self, width: float) -> float:
        """Return how narrow the column can be when its texts are broken into lines; others stay as they are."""
        if self.width <= width or pd.api.types.infer_dtype(self.values, skipna=True) != "string":
            return self.width
        return min(self.width, max(width, display_width(self.heading) + 4))

    def _width(self, heading: str) -> float:
        sample = Sanitiser().column(self.values.iloc[:_SAMPLE], self.form)
        widths = [display_width(_shown(value, self.form)) for value in sample if value is not None]
        return max([display_width(heading) + 4, *(width + 2 for width in widths)])


class Given(Column):
    """A column whose values are made for each row by a function of its position."""

    def __init__(
        self, heading: str, width: float, kind: str, value: Callable[[int], Any], *, wrap: bool = False
    ) -> None:
        super().__init__(heading, width, kind, wrap=wrap)
        self.value = value

    def chunk(self, start: int, stop: int) -> Iterable[Any]:
        """Return the cells of these rows."""
        values = [self.value(at) for at in range(start, stop)]
        return self.cells.wrapped(values) if self.wrap else self.cells.column(values)

    def lines(self, start: int, stop: int) -> list[int]:
        """Return how many lines each of these rows needs."""
        if not self.wrap:
            return super().lines(start, stop)
        return [_lines_of(self.value(at), self.width) for at in range(start, stop)]


class Same(Column):
    """A column that says the same on every line."""

    def __init__(self, heading: str, kind: str, value: str | None) -> None:
        super().__init__(heading, 10, kind)
        self.value = value

    def chunk(self, start: int, stop: int) -> Iterable[Any]:
        """Return the cells of these rows."""
        return self.cells.column([self.value] * (stop - start))


class Links(Column):
    """A column of links.

    Parameters
    ----------
    targets : callable
        Returns a link's target for a text of the frame, ``None`` if there can be none.
    """

    def __init__(
        self,
        heading: str,
        values: pd.Series[Any],
        shown: str,
        targets: Callable[[str], str | None],
        sanitiser: Sanitiser,
    ) -> None:
        super().__init__(heading, max(display_width(heading) + 4, display_width(shown) + 2), "link")
        self.values = values
        self.shown = shown
        self.targets = targets
        self.sanitiser = sanitiser

    def begin(self, cells: ColumnCells, room: int) -> int:
        """Take as many links of the sheet's room as this column can use."""
        super().begin(cells, room)
        mine = min(room, int(self.values.notna().sum()))
        self.links = LinkCells(cells, self.shown, mine, self.sanitiser)
        return room - mine

    def chunk(self, start: int, stop: int) -> Iterator[Any]:
        """Return the cells of these rows."""
        values = self.values.iloc[start:stop]
        pairs = (
            None if gone or not text else (str(text), self.targets(str(text)))
            for text, gone in zip(values.tolist(), values.isna().tolist(), strict=True)
        )
        return self.links.column(pairs)


class Keys(Column):
    """The hidden column by which a line is known: label, name and ids as JSON."""

    def __init__(self, heading: str, results: pd.DataFrame) -> None:
        super().__init__(heading, 10, "hidden")
        self.results = results
        self.plain = _is_position(results)

    def chunk(self, start: int, stop: int) -> Iterable[Any]:
        """Return the cells of these rows."""
        part = self.results.iloc[start:stop]
        labels: Iterable[Any] = [None] * len(part) if self.plain else encoded(part.index)
        texts = [_texts(part, name) for name in ("file_name", "file_id", "request_id")]
        return [_key(*key) for key in zip(labels, *texts, strict=True)]


def _key(label: Any, name: str | None, file_id: str | None, request_id: str | None) -> str:
    if name is not None:
        name = unescape(clean_text(name))[:NAME_KEPT]
    key = json.dumps([label, name, file_id, request_id])
    if len(key) > _TOO_LONG_KEY:  # a cell holds no more; the row's position is still known
        key = json.dumps([[f"{str(part)[:200]}…" for part in label or []], name, None, None])
    # Excel would read _x000D_ as an escape of its own.
    return key.replace("_x", "\\u005fx")


def _texts(part: pd.DataFrame, name: str) -> list[str | None]:
    if name not in part.columns:
        return [None] * len(part)
    values = part[name]
    return [
        None if gone else str(text) for text, gone in zip(values.tolist(), values.isna().tolist(), strict=True)
    ]


def _is_position(results: pd.DataFrame) -> bool:
    """Tell whether the index says no more than the rows' positions do."""
    index = results.index
    return (
        index.nlevels == 1
        and index.dtype == "int64"
        and bool((index.to_numpy() == results["row"].to_numpy()).all())
    )


def money_form(heading: str, values: pd.Series[Any]) -> str | None:
    """Return how a column of amounts is shown; None for a column of other things.

    Numbers with at most two decimals are amounts; whole ones only under a heading that says so: they may as well
    be ids or years.
    """
    if values.dtype == object:
        numbers = values.dropna()
        if not len(numbers) or not all(isinstance(value, Decimal | int | float) for value in numbers):
            return None
        if any(isinstance(value, bool) for value in numbers):
            return None
        numbers = pd.to_numeric(numbers.map(float))
    elif pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.dropna()
    else:
        return None
    amounts = numbers.to_numpy(dtype="float64")
    amounts = amounts[np.isfinite(amounts)]
    if not len(amounts) or np.abs(amounts).max() >= _MOST_EXACT:
        return None
    if (amounts == np.round(amounts)).all():
        return "whole_money" if _AMOUNTS.search(heading) else None
    return "money" if (np.abs(amounts - np.round(amounts, 2)) < _EXACTLY).all() else None


_MOST_EXACT, _EXACTLY = 1e13, 1e-6
"""Amounts below this are exact to two decimals as floats; a further decimal is more than this."""

_AMOUNTS = re.compile(
    r"(?i)(?<![a-z])(sub)?total|amount|price|cost|fee|sum\b|tax|balance|revenue|金額|合計|小計|価格|単価|料金|税|売上|請求額|残高"
)


def _lines_of(value: Any, width: float) -> int:
    """Return how many lines a text of a column takes: words are not broken, so some room is lost at each end."""
    if not isinstance(value, str):
        return 1
    room = max(1.0, width - 4)
    return sum(max(1, math.ceil(display_width(line) / room)) for line in value.split("\n"))


def _shown(value: Any, form: str | None) -> str:
    if isinstance(value, str):
        return next(iter(islice(value.splitlines(), 1)), "")
    form = value.form if isinstance(value, Stamp) else form
    if form in ("date", "datetime"):
        return "0000-00-00" if form == "date" else "0000-00-00 00:00:00"
    if form in ("money", "whole_money"):
        return f"{value:,.2f}" if form == "money" else f"{value:,.0f}"
    return f"{value:.1f}" if form == "seconds" else f"{value:.10g}" if isinstance(value, float) else str(value)


# links


def web_target(url: str) -> str | None:
    """Return a link's target for an address of the service, ``None`` if it is no web address.

    Examples
    --------
    >>> web_target("https://example.test/a b")
    'https://example.test/a%20b'
    >>> web_target("javascript:alert(1)")
    """
    url = url.strip()
    return _NEEDS_QUOTES.sub(lambda found: quote(found[0]), url) if _WEB.fullmatch(url) else None


def disk_target(path: str, folder: Path) -> str | None:
    """Return a link's target for a file, relative to the workbook's folder so that both can move together.

    Parameters
    ----------
    path : str
        The file, absolute or relative to the working directory.
    folder : pathlib.Path
        Folder of the workbook, absolute.
    """
    start = f"{folder}{os.sep}"
    if path.startswith(start) and ".." not in path:  # ten times as fast as what it takes in general
        relative = path[len(start) :]
    else:
        absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links out of the folder
        try:
            relative = os.path.relpath(absolute, folder)
            if relative.startswith(".."):  # the folder may have two names, as /tmp has on a Mac
                real = os.path.relpath(os.path.realpath(absolute), folder)
                relative = relative if real.startswith("..") else real
        except ValueError:  # another drive of Windows
            return Path(absolute).as_uri()
    target = relative.replace(os.sep, "/")
    # Excel writes other scripts as they are; a name that is no text is known by its bytes.
    try:
        return _RESERVED.sub(lambda found: quote(os.fsencode(found[0]), safe=""), target)
    except UnicodeEncodeError:
        return None


class LinkCells:
    """The cells of one column of links on one sheet.

    Parameters
    ----------
    sheet
        Write-only worksheet.
    shown : str
        Text of every link.
    room : int
        Links that may still be made; what comes after is plain text.
    sanitiser : Sanitiser
        Cleans the plain texts, counts them.
    """

    def __init__(self, cells: ColumnCells, shown: str, room: int, sanitiser: Sanitiser) -> None:
        self.cells = cells
        self.room = room
        self.sanitiser = sanitiser
        self._cell = cells.made()
        self._cell.value = shown
        self._cell.font = font(link=True)

    def column(self, targets: Iterable[tuple[str, str | None] | None]) -> Iterator[Any]:
        """Yield a cell for each ``(text, target)``: the link, or the text where there can be none."""
        for pair in targets:
            if pair is None:
                yield None
                continue
            text, target = pair
            trap = self._trap(target)
            if trap is None:
                self.room -= 1
                self._cell.hyperlink = target
                yield self._cell
            else:
                self.sanitiser.traps[trap] += 1
                yield from self.cells.column([self.sanitiser.text(text)])

    def _trap(self, target: str | None) -> Trap | None:
        if target is None:
            return Trap.LINK_ODD
        if len(target) > LONGEST_TARGET:
            return Trap.LINK_TOO_LONG
        return Trap.LINKS_TOO_MANY if self.room <= 0 else None
