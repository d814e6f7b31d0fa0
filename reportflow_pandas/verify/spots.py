"""Where on the page a value stands: what tells its place where no fixed text beside it does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import Matches, is_explained

__all__ = ["Spot", "SpotsByHeight", "by_height", "sure_spots", "units_at"]

_APART = 2.5
"""Points that the same place may be apart in two documents."""
_LEAST, _LEAST_SHARE = 4, 0.03
"""Documents, and the share of those that have a value, in which it stands at a spot."""
_MOST_SPOTS = 6
"""Of one parameter: languages, and lines above it that may be left out."""
_ENOUGH, _SURE = 12, 0.95
"""Documents in which anything stands at a spot, and the share of them from which it belongs to a parameter."""
_BESIDE = 0.8
"""Share of documents with a value in which it stands elsewhere than in tables: their cells say the same."""
_LEFT, _MIDDLE, _RIGHT = range(3)


class Spot(NamedTuple):
    """A place on a page: the page, the side at which texts are flush there, where that is, and its height."""

    page: int
    side: int
    across: float
    height: float


Spans = Sequence[tuple[int, int]]

SpotsByHeight = Mapping[tuple[int, int], Sequence[tuple[Spot, str]]]
"""By page and height in whole points, the spots there and their parameters."""


def sure_spots(
    paths: Iterable[str],
    rows: Sequence[ExpectedValues],
    matches: Sequence[Matches],
    spans: Sequence[Spans],
    fixed: Collection[str],
) -> dict[str, set[Spot]]:
    """Return the spots at which nearly nothing but a parameter's own value stands.

    Parameters
    ----------
    paths : iterable of str
        Parameters.
    rows, matches : sequence of ExpectedValues, sequence of Matches
        The values of a sample's documents, and where they stand.
    spans : sequence
        From where to where tables go in each document.
    fixed : collection of str
        Units that belong to the design, digits hidden.
    """
    found = {path: _spots_of(path, matches, spans) for path in paths}
    spots = by_height(found)
    total: Counter[tuple[str, Spot]] = Counter()
    fits: Counter[tuple[str, Spot]] = Counter()
    for own, expected in zip(matches, rows, strict=True):
        document, covered = own.document, own.covered(expected)
        for path, spot, number in units_at(document, spots, fixed):
            if path in own.places:
                is_own = any(document.unit_at(place.begin) == number for place in own.places[path])
                unit = document.units[number]
                # another value of the row is no alarm there, as in another language
                total[path, spot] += is_own or not is_explained(document, covered, unit.begin, unit.end)
                fits[path, spot] += is_own
    return {
        path: sure
        for path, own_spots in found.items()
        if (
            sure := {
                spot
                for spot in own_spots
                if total[path, spot] >= _ENOUGH and fits[path, spot] >= _SURE * total[path, spot]
            }
        )
    }


def _spots_of(path: str, matches: Sequence[Matches], spans: Sequence[Spans]) -> set[Spot]:
    """Return the spots at which a value stands in several documents, elsewhere than in their tables."""
    every = [own.places.get(path, []) for own in matches]
    beside = [
        [place for place in places if not any(begin <= place.begin < end for begin, end in tables)]
        for places, tables in zip(every, spans, strict=True)
    ]
    count = sum(map(bool, every))
    is_beside = sum(map(bool, beside)) >= _BESIDE * count
    stood: dict[Spot, set[int]] = defaultdict(set)
    for number, places in enumerate(beside if is_beside else every):
        for place in places:
            for spot in _at(matches[number].document, place):
                stood[spot].add(number)
    chosen: set[Spot] = set()
    told: set[int] = set()
    least = max(_LEAST, _LEAST_SHARE * count)
    while stood and len(chosen) < _MOST_SPOTS:
        best = max(stood, key=lambda spot: (len(stood[spot] - told), -spot.side))
        near = [spot for spot in stood if _is_near(spot, best)]
        documents = set[int]().union(*(stood.pop(spot) for spot in near))
        if len(documents - told) < least:
            break
        chosen.add(best)
        told |= documents
    return chosen


def _at(document: DocumentText, place: Place) -> Iterator[Spot]:
    """Yield the spots of a value that has a unit for itself: in a sentence they depend on the words before it."""
    unit = document.units[document.unit_at(place.begin)]
    if place == (unit.begin, unit.end):
        for side, across in enumerate(_edges(unit)):
            yield Spot(unit.page, side, across, _height(unit))


def _edges(unit: Unit) -> tuple[float, float, float]:
    return unit.box[0], (unit.box[0] + unit.box[2]) / 2, unit.box[2]


def _height(unit: Unit) -> float:
    return (unit.box[1] + unit.box[3]) / 2


def _is_near(one: Spot, other: Spot) -> bool:
    return (
        one[:2] == other[:2]
        and abs(one.across - other.across) <= _APART
        and abs(one.height - other.height) <= _APART
    )


def by_height(spots: Mapping[str, Iterable[Spot]]) -> SpotsByHeight:
    """Return spots as they are looked for: by the heights of units that are near them."""
    found: dict[tuple[int, int], list[tuple[Spot, str]]] = defaultdict(list)
    for path, own in spots.items():
        for spot in own:
            for height in range(int(spot.height - _APART), int(spot.height + _APART) + 1):
                found[spot.page, height].append((spot, path))
    return found


def units_at(
    document: DocumentText, spots: SpotsByHeight, fixed: Collection[str]
) -> Iterator[tuple[str, Spot, int]]:
    """Yield the units of a document that stand at spots, each with the spot and its parameter; no fixed text."""
    if not spots:
        return
    last = max(page for page, _ in spots)
    for number, unit in enumerate(document.units):
        if unit.page > last:
            return
        for spot, path in spots.get((unit.page, int(_height(unit))), ()):
            if abs(_edges(unit)[spot.side] - spot.across) <= _APART and not _is_fixed(unit, fixed):
                yield path, spot, number


def _is_fixed(unit: Unit, fixed: Collection[str]) -> bool:
    mask = masked(unit.text)
    return mask in fixed and any(map(str.isalpha, mask))
