"""Places that fixed text before them labels as a parameter's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.layout import Layout, Reading, Slot, slot_of
from reportflow_pandas.verify.value_places import Matches

__all__ = ["exchanged", "has_row_for_label", "is_behind_label"]


def exchanged(layout: Layout, unlike: Sequence[Reading], matches: Matches) -> Iterator[tuple[str, Place]]:
    """Yield the parameters that stand in each other's labelled places, of what stands where it does not belong."""
    owners: dict[Place, set[str]] = defaultdict(set)
    for path, places in matches.places.items():
        for place in places:
            owners[place].add(path)
    held: dict[str, dict[str, Place]] = defaultdict(dict)
    for path, slot, _, place in unlike:
        if layout.is_labelled(path, slot):
            held[path] |= dict.fromkeys(owners.get(place, ()), place)
    for path, others in held.items():
        for other, place in others.items():
            if path in held.get(other, ()):
                yield path, place


def is_behind_label(layout: Layout, matches: Matches, path: str, expected: ExpectedValues) -> bool:
    """Tell whether a value stands behind its own label, if other words follow it: "Ada GmbH attn. sales"."""
    document, covered = matches.document, matches.covered(expected)
    labels = {
        (slot.previous, slot.prefix) for slot in layout.slots.get(path, ()) if slot.previous not in ("*", "")
    }
    slots = (
        slot_of(document, place, covered, layout.fixed)
        for place in matches.places[path]
        if document.edges[place.end]
    )
    return any((slot.previous, slot.prefix) in labels for slot in slots)


def has_row_for_label(document: DocumentText, covered: bytearray, slot: Slot, number: int) -> bool:
    """Tell whether what looks like the label of a slot's unit is a line of the row's own text."""
    if not number or slot.previous in ("", "*"):
        return False
    label = document.units[number - 1]
    return covered.find(1, label.begin, label.end) >= 0
