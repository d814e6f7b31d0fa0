"""The places that belong to each parameter, learned from a run: beside fixed text, and on the page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from reportflow_pandas.verify.expected_values import Sample
from reportflow_pandas.verify.layout import Layout, Slot, reads, slot_of
from reportflow_pandas.verify.spots import sure_spots
from reportflow_pandas.verify.value_places import Matches

__all__ = ["bind_slots", "forget_cells", "learn_shares"]

_BOUND = 0.6
"""Share of its readings from which a slot belongs to a parameter."""
_ENOUGH_READINGS, _SURE = 12, 0.95
"""Readings of a slot, and the share of them from which it holds nothing but the value, without a label too."""
_PLACED, _OTHERS = 0.8, 0.1
"""Share of documents in which a value stands in its place, and of those in which it stands only in others'."""
_IN_TABLES, _BESIDE = 0.9, 0.8
"""Share of its readings in which a place is in a table, and of those of another place that are not."""


def bind_slots(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
    """Find the places that belong to a parameter: nearly always its own value stands there."""
    layout.slots = _candidates(layout, sample, matches)
    total: Counter[tuple[str, Slot]] = Counter()
    fits: Counter[tuple[str, Slot]] = Counter()
    for (document, expected), own in zip(sample, matches, strict=True):
        for path, slot, number, place in layout.readings(document):
            if path in expected.singles:
                total[path, slot] += 1
                fits[path, slot] += reads(document, own.places[path], number, place)
    enough = 3 if len(sample) >= 8 else 1
    layout.rebind(
        {
            path: {
                slot
                for slot in slots
                if total[path, slot] >= (1 if slot.is_telling else enough)
                and fits[path, slot] >= _BOUND * total[path, slot]
            }
            for path, slots in layout.slots.items()
        }
    )
    layout.slot_share = {key: fits[key] / number for key, number in total.items()}
    layout.slot_readings = dict(total)
    layout.sure = {
        key
        for key, number in total.items()
        if number >= _ENOUGH_READINGS and (layout.is_labelled(*key) or fits[key] >= _SURE * number)
    }


def forget_cells(
    layout: Layout, sample: Sample, matches: Sequence[Matches], spans: Sequence[Sequence[tuple[int, int]]]
) -> None:
    """Forget the places of cells that say the same as a parameter, as the first day of a journey does.

    Parameters
    ----------
    layout : Layout
        With its slots.
    sample, matches : sequence
        Documents with what they should show, and where it stands.
    spans : sequence
        From where to where tables go in each document.
    """
    inside: Counter[tuple[str, Slot]] = Counter()
    beside: Counter[tuple[str, Slot]] = Counter()
    for (document, _), own, tables in zip(sample, matches, spans, strict=True):
        for path, slot, number, place in layout.readings(document):
            if reads(document, own.places.get(path, ()), number, place):
                is_cell = any(begin <= place.begin < end for begin, end in tables)
                (inside if is_cell else beside)[path, slot] += 1
    kept = {}
    for path, slots in layout.slots.items():
        of_cells = {
            slot for slot in slots if inside[path, slot] >= _IN_TABLES * (inside[path, slot] + beside[path, slot])
        }
        others = slots - of_cells
        is_beside = sum(beside[path, slot] for slot in others) >= _BESIDE * sum(
            path in own.places for own in matches
        )
        kept[path] = others if is_beside else slots
    layout.rebind(kept)


def learn_shares(
    layout: Layout, sample: Sample, matches: Sequence[Matches], spans: Sequence[Sequence[tuple[int, int]]]
) -> None:
    """Learn how often parameters stand in their places, and where on the page those are that no text tells."""
    stand: Counter[str] = Counter()
    present: Counter[str] = Counter()
    for (document, expected), own in zip(sample, matches, strict=True):
        covered = own.covered(expected)
        for path in expected.singles:
            present[path] += 1
            bound = layout.slots.get(path, set())
            stand[path] += any(
                slot_of(document, place, covered, layout.fixed) in bound for place in own.places[path]
            )
    layout.bound_share = {path: stand[path] / number for path, number in present.items()}
    unsure = (path for path, share in layout.bound_share.items() if share < _SURE)
    layout.spots = sure_spots(unsure, [expected for _, expected in sample], matches, spans, layout.fixed)
    placed: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for (document, expected), own in zip(sample, matches, strict=True):
        for path, places in own.places.items():
            is_placed = layout.is_placed(path, document, places)
            placed[path] += is_placed
            others[path] += not is_placed and own.is_of_others(path, expected)
    layout.placed_share = {path: placed[path] / number for path, number in present.items()}
    layout.apart = {
        path
        for path, share in layout.placed_share.items()
        if share >= _PLACED and others[path] <= max(1, _OTHERS * present[path])
    }


def _candidates(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> dict[str, set[Slot]]:
    """Return the places in which each parameter stands in several documents, by the text around them."""
    stood: dict[str, Counter[Slot]] = defaultdict(Counter)
    for (document, expected), own in zip(sample, matches, strict=True):
        covered = own.covered(expected)
        for path, places in own.places.items():
            for slot in {slot_of(document, place, covered, layout.fixed) for place in places}:
                if slot.says_where:
                    stood[path][slot] += 1
    least = max(2, 0.01 * len(sample)) if len(sample) >= 4 else 1
    return {
        path: {slot for slot, number in slots.most_common(40) if slot.is_telling or number >= least}
        for path, slots in stood.items()
    }
