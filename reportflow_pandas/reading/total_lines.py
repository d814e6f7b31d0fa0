"""Lines of a sheet that add up others: a sum at the foot is no document to pay for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from reportflow_pandas.printable import counted
from reportflow_pandas.reading.doubts import Doubt
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.table import CELLS_SHOWN, Lines, cells_shown, is_empty

__all__ = ["rows_without_totals", "total_lines"]

_WORDS = (
    "合計|総計|総合計|小計|累計|計|税込合計|税抜合計|合計金額|sum|sums|total|totals|grand total|subtotal|sub-total"
    "|sub total|summe|gesamt|gesamtsumme|zwischensumme|total général|sous-total|somme|totale|suma|totaal|totaux"
)
_TOTAL = re.compile(rf"(?:{_WORDS})\W*(?:[(\[:].*)?", re.IGNORECASE | re.DOTALL)
"""What people write into the first cell of such a line; in brackets or after a colon may stand more."""

_LETTERS = {word[0] for word in _WORDS.split("|")}
_CASES = {case for letter in _LETTERS for case in (letter, letter.upper())}
_FIRST = frozenset(_CASES | {chr(ord(letter) + 0xFEE0) for letter in _CASES if letter.isascii()})
"""How they begin, also in full width: most texts are told by their first sign."""

_LONGEST_WORD = 40
"""Characters: a longer text is none of these words, whatever it begins with."""


def total_lines(lines: Lines, at: int) -> list[int]:
    """Return the positions of lines that look like sums: such a word, and a cell empty that all others fill.

    Parameters
    ----------
    lines : Lines
        All lines that are not empty.
    at : int
        Position of the headings among them.
    """
    widest = max(map(len, lines.cells), default=0)
    # a row that fills every cell is none, which spares a large file most of the texts
    gaps = (
        here
        for here, cells in enumerate(lines.cells)
        if here > at and (len(cells) < widest or None in cells or "" in cells)
    )
    worded = [here for here in gaps if any(map(_is_word, lines.cells[here]))]
    if not worded:
        return []
    aside = set(worded)
    others = [cells for here, cells in enumerate(lines.cells) if here > at and here not in aside]
    if not others:
        return []
    width = min(map(len, others))
    full = [column for column in range(width) if not any(is_empty(cells[column]) for cells in others)]
    return [here for here in worded if any(_is_missing(lines.cells[here], column) for column in full)]


def _is_word(cell: Any) -> bool:
    if type(cell) is not str or len(cell) > _LONGEST_WORD or cell.lstrip()[:1] not in _FIRST:
        return False
    plain = " ".join(unicodedata.normalize("NFKC", cell).split())
    if not plain.isascii():
        plain = re.sub(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])", "", plain)  # people space 合　計 out
    return _TOTAL.fullmatch(plain) is not None


def _is_missing(cells: Sequence[Any], column: int) -> bool:
    return column >= len(cells) or is_empty(cells[column])


def rows_without_totals(lines: Lines, at: int, name: str, reading: Reading) -> tuple[Lines, Doubt | None]:
    """Return the lines without sums, and what is in doubt of them; all of them where sums are taken for rows."""
    found = [] if reading.totals == "keep" else total_lines(lines, at)
    if not found:
        return lines, None
    doubt = None
    if reading.totals == "skip":
        count = counted(len(found), "line")
        reading.say(f"{name}: {count} of sums left out ({_shown(lines, found)})")
    else:
        doubt = _doubt(lines, found)
    aside = set(found)
    kept = [here for here in range(len(lines.numbers)) if here not in aside]
    return Lines([lines.numbers[here] for here in kept], [lines.cells[here] for here in kept]), doubt


def _shown(lines: Lines, found: Sequence[int]) -> str:
    named = [f"line {lines.numbers[at]}: {cells_shown(lines.cells[at])}" for at in found[:CELLS_SHOWN]]
    return "; ".join(named) + ("; …" if len(found) > CELLS_SHOWN else "")


def _doubt(lines: Lines, found: Sequence[int]) -> Doubt:
    single = len(found) == 1
    return Doubt(
        f"{'1 line looks' if single else f'{len(found):,} lines look'} like the sum of others and not like a row "
        f"({_shown(lines, found)}). totals='skip' leaves {'it' if single else 'them'} out, totals='keep' makes "
        f"{'a document of it' if single else 'documents of them'} too",
        {"totals": "skip"},
    )
