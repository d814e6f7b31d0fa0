"""Documents that look odd as a whole: the same twice, a total that is not that of its lines, missing glyphs."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.reading.shown import with_values
from reportflow_pandas.rows.input_frame import cells_of, label_shown, labels_at, rows_at, value_shown
from reportflow_pandas.rows.mapping import Source, Sources
from reportflow_pandas.rows.plausibility import ColumnTexts
from reportflow_pandas.rows.problems import Problem
from reportflow_pandas.rows.tables import Nested

__all__ = ["duplicates", "missing_glyphs", "total_lines", "total_rows", "wrong_totals"]

ROUNDING = 0.005
"""Currency units by which a line may be rounded."""

_TOTAL = re.compile(
    r"(grand|sub|net|invoice|order|document)?(total|sum)(amount|price|net)?|amountdue|gesamt(betrag|summe)?|summe"
    r"|合計(金額|額)?|総(合計|計|額)|小計|請求(金額|額)"
)
_PRICE = re.compile(r"(unit|item|net|single)?price|rate|einzelpreis|preis|単価|価格")
_QUANTITY = re.compile(r"quantity|qty|count|number|pieces|menge|anzahl|数量|個数")
_LINE_TOTAL = re.compile(r"(line|item|sub)?(total|amount|sum)|betrag|summe|gesamt|金額|小計")
_ADDITION = re.compile(
    r"tax|vat|gst|mwst|ust|discount|rabatt|skonto|shipping|versand|freight|postage|fee|tip|surcharge|deposit|rounding"
    r"|税|値引|割引|送料|手数料"
)


_TOTAL_LINE = re.compile(
    r"\s*(?:(?:grand|sub|net|running)[ -]?)?(?:totals?|sum(?:me|ma|s)?|gesamt(?:summe|betrag)?|zwischensumme"
    r"|totale|somm[ae]|sous-total|razem|totaal|итого|合\s*計|小\s*計|総\s*計|総合計|計|合计|总计|小计|합계)\s*\W?",
    re.IGNORECASE,
)
"""What stands in a line below, or between, the rows that adds them up."""

MOST_LOOKED_AT = 1000
"""Rows with many blanks that are looked at, from the last one up."""


def total_rows(frame: pd.DataFrame, sources: Sources) -> npt.NDArray[np.bool_]:
    """Tell of each row whether it adds others up: it names a total, and half of what it would print is blank."""
    found = np.zeros(len(frame), dtype=bool)
    cells = [source.cells for source in sources if source.cells is not None]
    if len(cells) < 2 or len(frame) < 2:
        return found
    blank = np.sum([column.isna().to_numpy(dtype=bool) for column in cells], axis=0)
    for place in np.flatnonzero(2 * blank >= len(cells))[-MOST_LOOKED_AT:].tolist():
        words = frame.iloc[place].tolist()
        found[place] = any(isinstance(word, str) and _TOTAL_LINE.fullmatch(word) for word in words)
    return found


def total_lines(frame: pd.DataFrame, totals: npt.NDArray[np.bool_]) -> Iterator[Problem]:
    """Yield the rows that `total_rows` found: each of them would be a document."""
    places = np.flatnonzero(totals).tolist()
    if places:
        labels = labels_at(frame.index, places)
        cells = [value_shown(cell) for cell in frame.iloc[places[0]].tolist() if not np.all(pd.isna(cell))]
        yield Problem(
            "warning",
            "",
            f"{rows_at(frame, places)} looks like a total of the others ({', '.join(cells[:4])}), and would be a "
            "document of its own",
            f"Leave it out: df.drop(index=[{label_shown(labels[0])}])"
            if len(places) == 1
            else "Leave them out: df.drop(index=[…])",
            labels,
        )


def duplicates(frame: pd.DataFrame, sources: Sources) -> Iterator[Problem]:
    """Yield the rows that would make the very document of another row.

    A design that gets a single value is left out: two people of one name are no mistake.
    """
    filled = [source for source in sources if source.cells is not None]
    if len(filled) + sum(source.nested is not None for source in sources) < 2 or len(frame) < 2:
        return
    codes = np.zeros(len(frame), dtype=np.int64)
    for source in sources:
        if (more := _codes(source)) is None:
            continue
        codes = pd.factorize(codes * (int(more.max(initial=0)) + 2) + more + 1)[0]
        if int(codes.max(initial=0)) + 1 == len(frame):
            return
    same = pd.Series(codes).duplicated(keep=False).to_numpy()
    places = np.flatnonzero(same).tolist()
    for source in sources:
        if source.nested is not None and set(places) <= set(
            source.nested.documents_with_the_same_lines().tolist()
        ):
            return  # told of the table
    times = len(places) - len(np.unique(codes[same]))
    used = {source.column for source in filled}
    others = [name for name in frame.columns if name not in used]
    differing = [name for name in others if _differ(frame[name], codes, same)]
    yield Problem(
        "warning",
        "",
        f"{rows_at(frame, places)} would make the same document as another row: {times:,} would be printed and "
        "paid for once more",
        f"They differ in {', '.join(map(repr, differing[:3]))}, which is not sent. Did a merge multiply the rows? "
        "One document for several lines: group_by=…"
        if differing
        else "Leave them out: df.drop_duplicates(…), or are they meant?",
        labels_at(frame.index, places),
    )


def _codes(source: Source) -> npt.NDArray[np.int64] | None:
    """Return a number for each row's value, the same for equal ones; None where all documents have one."""
    if source.nested is not None:
        return source.nested.key_codes().astype(np.int64)
    if source.cells is None:
        return None
    try:
        return pd.factorize(source.cells)[0].astype(np.int64)
    except TypeError:  # lists, dicts
        return pd.factorize(pd.Index([repr(cell) for cell in source.cells.tolist()]))[0].astype(np.int64)


def _differ(cells: pd.Series[Any], codes: npt.NDArray[np.int64], same: npt.NDArray[np.bool_]) -> bool:
    """Tell whether a column differs among rows that make the same document."""
    try:
        values = pd.factorize(cells[same])[0]
    except TypeError:
        return False
    groups = codes[same]
    pairs = len(np.unique(groups.astype(np.int64) * (int(values.max(initial=0)) + 2) + values + 1))
    return bool(pairs > len(np.unique(groups)))


def wrong_totals(frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    """Yield documents whose total is not the sum of their lines, where the design has both by name.

    Where the design has a tax or a discount too, what most documents do is right.
    """
    total = next((source for source in sources if source.kind == "number" and _is(source.parameter, _TOTAL)), None)
    nested = next((source.nested for source in sources if source.nested is not None), None)
    if total is None or total.cells is None or nested is None or not len(frame):
        return
    sums = _sums(nested)
    given = _as_numbers(total.cells)
    if sums is None or given is None:
        return
    lines, amounts = sums
    judged = np.isfinite(given) & np.isfinite(amounts) & (lines > 0)
    wrong = judged & (np.abs(given - amounts) > ROUNDING * (lines + 1) + 1e-9 * np.abs(given))
    if not wrong.any():
        return
    added = any(_ADDITION.search(_plain(parameter.name)) for parameter in parameters)
    right = int((judged & ~wrong).sum())
    if added and right < wrong.sum():
        return
    if not added and not right and wrong.sum() > 1 and _one_ratio(given[wrong], amounts[wrong]):
        return
    places = np.flatnonzero(wrong).tolist()
    first = places[0]
    yield Problem(
        "warning",
        total.title,
        f"{total.title!r} is {value_shown(total.cells.iloc[first])} in "
        f"{rows_at(frame, places[:1], total.column)}, and its {int(lines[first])} lines make {amounts[first]:.10g}"
        + (f"; so it is in {len(places):,} documents" if len(places) > 1 else ""),
        "Are lines missing, or is the total an older one?",
        labels_at(frame.index, places),
    )


def _one_ratio(given: npt.NDArray[np.float64], amounts: npt.NDArray[np.float64]) -> bool:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = given / amounts
    return bool(np.isfinite(ratios).all() and np.ptp(ratios) < 0.01)


def _sums(nested: Nested) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | None:
    """Return of each document the number of its lines and what they make; None where the fields don't tell."""
    columns = {field: column for field, column, _ in nested.fields}
    price = _field(columns, _PRICE)
    quantity = _field(columns, _QUANTITY)
    whole = _field(columns, _LINE_TOTAL)
    if whole is not None:
        amounts = _as_numbers(with_values(cells_of(nested.lines, whole), "number"))
    elif price is not None and quantity is not None:
        prices = _as_numbers(with_values(cells_of(nested.lines, price), "number"))
        quantities = _as_numbers(with_values(cells_of(nested.lines, quantity), "number"))
        amounts = None if prices is None or quantities is None else prices * quantities
    else:
        return None
    return None if amounts is None else nested.sums_of(amounts)


def _field(columns: dict[str, Any], meant: re.Pattern[str]) -> Any | None:
    found = [column for field, column in columns.items() if _is(field, meant)]
    return found[0] if len(found) == 1 else None


def _is(name: str, meant: re.Pattern[str]) -> bool:
    return meant.fullmatch(_plain(name)) is not None


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _as_numbers(cells: pd.Series[Any]) -> npt.NDArray[np.float64] | None:
    if pd.api.types.is_bool_dtype(cells.dtype):
        return None
    try:
        numbers: npt.NDArray[np.float64] = pd.to_numeric(cells).to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError):
        return None
    return numbers


def missing_glyphs(frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    """Yield texts with characters that the design's fonts lack, where the service tells which they have."""
    ranges = next((parameter.font_characters for parameter in parameters if parameter.font_characters), ())
    if not ranges:
        return
    fonts = _Fonts(ranges)
    for source in sources:
        if source.kind not in ("text", "unknown", "") and source.nested is None:
            continue
        if source.cells is not None:
            yield from fonts.lacking(source.cells, source.parameter, source.title, source.column, frame)
        elif source.constant is not None and isinstance(source.constant.value, str):
            cells = pd.Series([source.constant.value], dtype=object)
            yield from fonts.lacking(cells, source.parameter, source.parameter, None, None)
        elif source.nested is not None:
            sent = source.nested.lines.iloc[source.nested.lines_with_document()]
            for field, column, kind in source.nested.fields:
                if kind in ("text", "unknown", ""):
                    title = f"{source.parameter}.{field}"
                    yield from fonts.lacking(cells_of(sent, column), title, title, column, sent)


class _Fonts:
    """The characters that a design's fonts have."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._firsts = [first for first, _ in sorted(ranges)]
        self._lasts = [last for _, last in sorted(ranges)]
        self._known: dict[str, bool] = {}

    def has(self, character: str) -> bool:
        """Tell whether a character can be printed; what prints nothing needs no glyph."""
        if character not in self._known:
            at = bisect.bisect_right(self._firsts, ord(character)) - 1
            inside = at >= 0 and ord(character) <= self._lasts[at]
            self._known[character] = inside or character == "\ufeff" or unicodedata.category(character) == "Cc"
        return self._known[character]

    def lacking(
        self, cells: pd.Series[Any], parameter: str, title: str, column: Any, frame: pd.DataFrame | None
    ) -> Iterator[Problem]:
        """Yield the problem of a column; ``frame=None`` where it stands for all documents."""
        texts = ColumnTexts.of(cells)
        if texts is None:
            return
        strings = texts.strings
        absent = [character for character in set(texts.together) if not self.has(character)]
        if not absent:
            return
        bad = [any(character in text for character in absent) for text in strings]
        places = np.flatnonzero(texts.where(bad)).tolist()
        where = f" in {rows_at(frame, places, column)}" if frame is not None else ""
        shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in sorted(absent)[:3])
        yield Problem(
            "error",
            title,
            f"{parameter!r}: the design's fonts have no {shown}{' and others' if len(absent) > 3 else ''}{where}, "
            f"e.g. {value_shown(strings[bad.index(True)])}: the document can't be made",
            "Write it with other characters, or add a font that has them to the design",
            labels_at(frame.index, places) if frame is not None else (),
        )
