"""Where the values of a document's row stand in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import TEXT, ExpectedValues, Forms, Value
from reportflow_pandas.verify.text_forms import is_cjk

__all__ = ["Matches", "Tag", "is_explained", "is_in", "overlaps"]

Tag = tuple[bool, str]
"""Whether a place is a part of a longer value's; before, in or after the tables."""

_MOST_CELLS = 400


class Matches:
    """Where the single values of one document stand in it."""

    def __init__(self, document: DocumentText, expected: ExpectedValues, forms: Forms) -> None:
        self.document = document
        self._forms = forms
        self.places: dict[str, list[Place]] = {}
        self.broken: dict[str, tuple[Place, ...]] = {}
        for path, value in expected.singles.items():
            own = forms.get(path, [])
            places = value.find(document, own)
            if not places and TEXT in own and (parts := document.broken(value.text, str(value.raw))):
                self.broken[path] = parts
                places = [parts[0]]
            self.places[path] = places
        self.evidence = self.places
        self._covered: bytearray | None = None

    def covered(self, expected: ExpectedValues) -> bytearray:
        """Return which characters belong to a value of this document, those of tables too."""
        if self._covered is None:
            covered = bytearray(len(self.document.stream) + 1)
            for path, places in self.places.items():
                for place in (*places, *self.broken.get(path, ())):
                    _cover(covered, place)
            texts = {
                text
                for path, value in expected.cells()
                if not value.is_pure_number
                for text in (value.text, *self._dates(path, value))
                if _tells(text)
            }
            for unit in self.document.units:
                if unit.text in texts:
                    covered[unit.begin : unit.end] = b"\x01" * len(unit.text)
            if len(texts) <= _MOST_CELLS:
                for text in texts:
                    for place in self.document.every_place(text):
                        _cover(covered, place)
            self._covered = covered
        return self._covered

    def _dates(self, path: str, value: Value) -> Iterator[str]:
        """Yield how a date in a table is printed, which is another text than the row's."""
        if value.date is not None:
            yield from (text for form in self._forms.get(path, ()) if (text := value.in_form(form)))

    def tags(self, path: str, spans: Sequence[tuple[int, int]]) -> list[tuple[Place, Tag]]:
        """Return the places of a value, each with whether it is a part of a longer value, and where tables are."""
        return [(place, (self._is_part(path, place), _zone(place, spans))) for place in self.places[path]]

    def _is_part(self, path: str, place: Place) -> bool:
        size = place.end - place.begin
        return any(
            longer.begin <= place.begin and place.end <= longer.end and longer.end - longer.begin > size
            for other, places in self.places.items()
            if other != path
            for longer in places
        )

    def keep(self, usual: Mapping[str, set[Tag]], spans: Sequence[tuple[int, int]]) -> None:
        """Count as evidence only places as in nearly all documents, none where a value may stand by chance."""
        self.evidence = dict(self.places)
        for path, allowed in usual.items():
            if self.places.get(path) and path not in self.broken:
                self.evidence[path] = [place for place, tag in self.tags(path, spans) if tag in allowed]

    def shared(self) -> list[frozenset[str]]:
        """Return the parameters that have one and the same value in this document."""
        paths: dict[tuple[Place, ...], set[str]] = defaultdict(set)
        for path, places in self.places.items():
            if places and path not in self.broken:
                paths[tuple(sorted(places))].add(path)
        return [frozenset(own) for own in paths.values() if len(own) > 1]

    def is_of_others(self, path: str, expected: ExpectedValues) -> bool:
        """Tell whether all places of a value belong to longer values of the row, or to cells that say it too."""
        places, stream = self.places[path], self.document.stream
        parts = [part for own in self.broken.values() for part in own]
        longer = [place for other, own in self.places.items() if other != path for place in own] + parts
        free = [
            stream[place.begin : place.end]
            for place in places
            if not any(
                one.begin <= place.begin and place.end <= one.end and one.end - one.begin > place.end - place.begin
                for one in longer
            )
        ]
        if not free:
            return bool(places)
        texts = set(free)
        cells = sum(
            max((text.count(own) for text in (value.text, *self._dates(cell, value)) for own in texts), default=0)
            for cell, value in expected.cells()
        )
        return len(free) <= cells

    def found(self, path: str) -> bool:
        """Tell whether a value stands anywhere."""
        return bool(self.evidence.get(path))


def _cover(covered: bytearray, place: Place) -> None:
    covered[place.begin : place.end] = b"\x01" * (place.end - place.begin)


def _zone(place: Place, spans: Sequence[tuple[int, int]]) -> str:
    if not spans:
        return ""
    if place.end <= min(begin for begin, _ in spans):
        return "before"
    return "after" if place.begin >= max(end for _, end in spans) else "in"


def is_explained(document: DocumentText, covered: bytearray, begin: int, end: int) -> bool:
    """Tell whether half of the letters and digits from one character up to another belong to the row's values."""
    free = taken = 0
    for at in range(begin, end):
        if document.stream[at].isalnum():
            taken += covered[at]
            free += not covered[at]
    return taken >= free


def _tells(text: str) -> bool:
    """Tell whether a text is more than a single letter or digit, which stand everywhere."""
    return len(text) > 1 or is_cjk(text)


def is_in(places: Sequence[Place], at: int) -> bool:
    """Tell whether a character belongs to one of these places."""
    for begin, end in places:  # asked for each number: any() takes twice as long  # noqa: SIM110
        if begin <= at < end:
            return True
    return False


def overlaps(places: Sequence[Place], begin: int, end: int) -> bool:
    """Tell whether one of these places has a part of what begins and ends here."""
    for place in places:  # as in `is_in`  # noqa: SIM110
        if place.begin < end and begin < place.end:
            return True
    return False
