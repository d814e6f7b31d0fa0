"""What stands in the place of a value that the row does not have: a label's line that should be empty."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.labelled_places import has_row_for_label
from reportflow_pandas.verify.layout import Layout, Slot
from reportflow_pandas.verify.own_place import neighbours_of
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import Matches, is_explained

__all__ = ["filled_blanks", "learn_blanks"]

_FEW, _FEW_SHARE = 3, 0.05
"""Documents, and their share, in which something may stand in a blank value's place by mistake; more is a rule."""
_SURE, _ENOUGH = 0.95, 4
"""Share of its readings in which a place holds its parameter's own value, and how many there are at least."""


def learn_blanks(
    layout: Layout, sample: Sequence[tuple[DocumentText, ExpectedValues]], found: Sequence[Matches]
) -> None:
    """Learn in whose place nothing stands where the row has nothing, and say in whose place something often does.

    Parameters
    ----------
    layout : Layout
        With the places of parameters.
    sample : sequence of tuple
        Texts of documents, and what they should show.
    found : sequence of Matches
        Where it stands.
    """
    often = Counter(path for _, expected in sample for path in expected.blanks)
    for path in sorted({*layout.slots, *often} - layout.neighbours.keys()):
        if path in often or layout.bound_share.get(path, 0.0) < _SURE:
            having = [(*one, own) for one, own in zip(sample, found, strict=True) if own.found(path)]
            layout.neighbours[path] = neighbours_of(path, having, layout.fixed)
    for path in sorted(often.keys() - layout.not_judged.keys()):
        if not (layout.neighbours.get(path) or layout.spots.get(path) or _has_slot(layout, path)):
            layout.not_judged[path] = "not judged where the row has nothing: no place of its own is known"
    texts: dict[str, list[str]] = defaultdict(list)
    for (document, expected), own in zip(sample, found, strict=True):
        for path, place in _filled(layout, own, expected):
            texts[path].append(document.stream[place.begin : place.end])
    for path, own_texts in texts.items():
        is_default = len(own_texts) > 1 and len(set(own_texts)) == 1
        if is_default or len(own_texts) > max(_FEW, _FEW_SHARE * len(sample)):
            layout.filled.add(path)
            told = (
                f"something stands in its place in {len(own_texts):,} of {often[path]:,} documents "
                "whose row has nothing"
            )
            layout.not_judged[path] = "; ".join(filter(None, (layout.not_judged.get(path), told)))


def _has_slot(layout: Layout, path: str) -> bool:
    return any(_is_sure(layout, path, slot) for slot in layout.slots.get(path, ()))


def _is_sure(layout: Layout, path: str, slot: Slot) -> bool:
    key = (path, slot)
    return layout.slot_readings.get(key, 0) >= _ENOUGH and layout.slot_share.get(key, 0.0) >= _SURE


def filled_blanks(layout: Layout, matches: Matches, expected: ExpectedValues) -> dict[str, Place]:
    """Return what stands in the places of blank values, where it should be nothing."""
    if expected.blanks <= layout.filled:
        return {}
    return {path: place for path, place in _filled(layout, matches, expected) if path not in layout.filled}


def _filled(layout: Layout, matches: Matches, expected: ExpectedValues) -> Iterator[tuple[str, Place]]:
    """Yield the blank parameters in whose place something stands, each once."""
    document, covered = matches.document, matches.covered(expected)
    told: set[str] = set()
    for path, slot, number, place in layout.readings(document):
        if path not in expected.blanks or path in told:
            continue
        if not _is_sure(layout, path, slot):
            continue
        if has_row_for_label(document, covered, slot, number):
            continue
        if _says(layout, document, covered, place):
            told.add(path)
            yield path, place
    for path, _, number in layout.spotted(document):
        unit = document.units[number]
        place = Place(unit.begin, unit.end)
        if path in expected.blanks and path not in told and _says(layout, document, covered, place):
            told.add(path)
            yield path, place
    for path in sorted(expected.blanks - told):
        gap = layout.between(matches, expected, path)
        if gap is not None and _says(layout, document, covered, gap):
            yield path, gap


def _says(layout: Layout, document: DocumentText, covered: bytearray, place: Place) -> bool:
    """Tell whether a place has more than values of the row, the design's own text, signs and zeros."""
    text = document.stream[place.begin : place.end]
    if masked(text) in layout.fixed or is_explained(document, covered, place.begin, place.end):
        return False
    return any(
        char.isalpha() or (char.isdigit() and char != "0")
        for at, char in enumerate(text)
        if not covered[place.begin + at]
    )
