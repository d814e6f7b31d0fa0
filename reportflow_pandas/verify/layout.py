"""What a run's documents have in common: fixed text, forms, and the places that belong to each parameter."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Forms
from reportflow_pandas.verify.number_signs import NUMBER_KIND, is_number_kind
from reportflow_pandas.verify.own_place import Gap, Neighbours, gap_of, gaps_of
from reportflow_pandas.verify.spots import Spot, SpotsByHeight, by_height, units_at
from reportflow_pandas.verify.state_words import StateWords, Word, words_of
from reportflow_pandas.verify.table_layout import Anchor, TableLayout, has_letters
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import Matches, Tag

__all__ = ["Condition", "Currencies", "Layout", "Reading", "Slot", "reads", "slot_of"]


_TELLING_LETTERS = 4
_LABELLED_SHARE = 0.8
"""Of the readings of a labelled place that hold the parameter's value."""


class Slot(NamedTuple):
    """A place by the fixed text around it: the unit before, and what stands before and after in the same unit."""

    previous: str
    prefix: str
    suffix: str

    @property
    def is_telling(self) -> bool:
        """Whether the text in its own unit tells it from all others: ``Invoice 417`` at the head of a page."""
        return sum(map(str.isalpha, self.prefix + self.suffix)) >= _TELLING_LETTERS and self.says_where

    @property
    def says_where(self) -> bool:
        """Whether it can be found again without knowing the value in it."""
        if "*" in (self.prefix, self.suffix):
            return False
        return self.previous not in ("*", "") or has_letters(self.prefix + self.suffix)


Reading = tuple[str, Slot, int, Place]
"""Parameter, slot, unit, and what stands there."""

Spotted = tuple[str, Spot, int]
"""Parameter, spot, and the unit that stands there."""

Found = tuple[Matches, Mapping[str, list[Anchor]]]
"""Where single values stand in a document, and where the lines of each table begin."""


class Condition(NamedTuple):
    """When a parameter is not printed: another one, or itself, has one of these texts; None for a blank one."""

    parameter: str
    values: frozenset[str | None]

    def holds(self, expected: ExpectedValues) -> bool:
        """Tell whether it applies to a document."""
        given = expected.singles.get(self.parameter)
        return (None if given is None else given.text) in self.values


class Currencies(NamedTuple):
    """Which currency is usual beside the amounts of a parameter, by the texts of another one or of none."""

    parameter: str
    usual: Mapping[str | None, str]


@dataclass
class Layout:
    """What was learned.

    Attributes
    ----------
    forms : dict
        How each parameter is printed.
    fixed : set of str
        Units that belong to the design, digits hidden.
    running : set of tuple
        Numbers that stand at the same height of every page: a postal code in the letter's foot.
    slots : dict of set of Slot
        The places that belong to a parameter.
    masks : dict of set of str
        Units that a parameter's values fill, digits hidden: by these another value is known in its place.
    slot_share : dict of float
        How often a parameter's own value stands in one of its slots, where there is anything.
    sure : set of tuple
        Parameters and their slots in which nothing but their own value stands in nearly all documents.
    slot_readings : dict of int
        How often there is anything in it.
    bound_share : dict of float
        In how many documents a parameter stood in one of its slots.
    spots : dict of set of Spot
        Where on the page a parameter's own value stands, and nearly nothing else.
    placed_share : dict of float
        In how many documents a parameter stood in one of its slots or at one of its spots.
    apart : set of str
        Parameters that stand in places of their own also where another value of the row says the same.
    judged, not_judged : set of str, dict of str
        Parameters that are an alarm where they are missing; those that can't be, and why.
    by_place : set of str
        Those that are often left out: an alarm only where something else stands in their place.
    filled : set of str
        Those in whose place something stands though the row has nothing, in too many documents for faults.
    conditions : dict of Condition
        When a parameter is left out.
    neighbours : dict of set of Neighbours
        Between what a parameter stands that is missing in several documents.
    states : StateWords
        Words that go with values which are not printed themselves.
    often : dict of int
        In how many places a parameter stands at least.
    each : set of frozenset of str
        Parameters that stand in all their places even where they have one and the same value.
    tables : dict of TableLayout
    unseen : set of str
        Parameters whose values the design's files hold where no eye sees them.
    timed : set of tuple
        Parameters beside whose dates their time of day stands, and whether behind them.
    currencies : dict of Currencies
        What stands beside amounts.
    has_empty_pages, has_repeated_pages : bool
        Whether the design means pages without text, and pages that are there twice.
    page_sizes, page_marks : set
        Usual sizes of pages, in points, and texts that say how many pages there are, digits hidden.
    program_words : set of str
        Words of programs that the design prints.
    """

    forms: Forms = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    running: set[tuple[str, int]] = field(default_factory=set)
    slots: dict[str, set[Slot]] = field(default_factory=dict)
    masks: dict[str, set[str]] = field(default_factory=dict)
    slot_share: dict[tuple[str, Slot], float] = field(default_factory=dict)
    slot_readings: dict[tuple[str, Slot], int] = field(default_factory=dict)
    sure: set[tuple[str, Slot]] = field(default_factory=set)
    bound_share: dict[str, float] = field(default_factory=dict)
    spots: dict[str, set[Spot]] = field(default_factory=dict)
    placed_share: dict[str, float] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    chance: dict[str, float] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    by_place: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)
    not_judged: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    neighbours: dict[str, set[Neighbours]] = field(default_factory=dict)
    states: StateWords = field(default_factory=StateWords)
    often: dict[str, int] = field(default_factory=dict)
    each: set[frozenset[str]] = field(default_factory=set)
    tables: dict[str, TableLayout] = field(default_factory=dict)
    usual_tags: dict[str, set[Tag]] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    timed: set[tuple[str, bool]] = field(default_factory=set)
    currencies: dict[str, Currencies] = field(default_factory=dict)
    has_empty_pages: bool = False
    has_repeated_pages: bool = True
    page_sizes: set[tuple[int, int]] = field(default_factory=set)
    page_marks: set[str] = field(default_factory=set)
    program_words: set[str] = field(default_factory=set)
    page_counts: list[tuple[int, int]] = field(default_factory=list)
    _found: dict[int, Found] = field(default_factory=dict)
    _readings: WeakKeyDictionary[DocumentText, list[Reading]] = field(default_factory=WeakKeyDictionary)
    _words: WeakKeyDictionary[DocumentText, dict[Word, Place]] = field(default_factory=WeakKeyDictionary)
    _gaps: WeakKeyDictionary[DocumentText, list[Gap]] = field(default_factory=WeakKeyDictionary)
    _spotted: WeakKeyDictionary[DocumentText, list[Spotted]] = field(default_factory=WeakKeyDictionary)
    _by_height: SpotsByHeight | None = None
    _by_previous: dict[str, list[tuple[Slot, str, re.Pattern[str] | None, str, str]]] | None = None

    def asks_for(self, path: str, expected: ExpectedValues) -> bool:
        """Tell whether a parameter is an alarm where it is missing, in a document of this row."""
        condition = self.conditions.get(path)
        return path in self.judged and (condition is None or not condition.holds(expected))

    def sign_kind(self, path: str) -> str:
        """Return the kind of a parameter's forms as a number, which tells its sign."""
        return next((kind for kind, _ in self.forms.get(path, ()) if is_number_kind(kind)), NUMBER_KIND)

    def words(self, matches: Matches, expected: ExpectedValues) -> dict[Word, Place]:
        """Return the words of a document that are no values of its row, with where they stand."""
        document = matches.document
        found = self._words.get(document)
        if found is None:
            found = self._words[document] = words_of(document, matches.covered(expected), self.fixed)
        return found

    def rebind(self, slots: dict[str, set[Slot]]) -> None:
        """Keep only these of the places, and what stands in them."""
        self.slots = slots
        self._by_previous = None
        for readings in self._readings.values():
            readings[:] = [reading for reading in readings if reading[1] in slots.get(reading[0], ())]

    def is_labelled(self, path: str, slot: Slot) -> bool:
        """Tell whether the text before a slot says whose it is: it nearly always holds the parameter's value."""
        has_label = slot.is_telling or slot.previous not in ("", "*")
        return has_label and self.slot_share.get((path, slot), 0.0) >= _LABELLED_SHARE

    def labels(self, path: str) -> set[str]:
        """Return the fixed texts beside which a parameter stands."""
        slots = (slot for slot in self.slots.get(path, ()) if self.is_labelled(path, slot))
        return {text for slot in slots for text in (slot.previous, slot.prefix) if text in self.fixed}

    def readings(self, document: DocumentText) -> list[Reading]:
        """Return what stands in every slot that a document has."""
        found = self._readings.get(document)
        if found is None:
            found = self._readings[document] = list(self._read(document))
        return found

    def _read(self, document: DocumentText) -> Iterator[Reading]:
        if self._by_previous is None:
            self._by_previous = defaultdict(list)
            for path, slots in self.slots.items():
                for slot in slots:
                    pattern = _pattern(slot.prefix, slot.suffix) if slot.prefix or slot.suffix else None
                    head, tail = slot.prefix.partition("#")[0], slot.suffix.rpartition("#")[2]
                    self._by_previous[slot.previous].append((slot, path, pattern, head, tail))
        slots_after = self._by_previous.get
        previous = ""
        for number, unit in enumerate(document.units):
            text = unit.text
            mask = masked(text)
            is_fixed = mask in self.fixed
            for slot, path, pattern, head, tail in slots_after(previous, ()):
                if pattern is None:
                    if not is_fixed or not has_letters(mask):
                        yield path, slot, number, Place(unit.begin, unit.end)
                elif text.startswith(head) and text.endswith(tail) and (found := pattern.fullmatch(text)):
                    yield path, slot, number, Place(unit.begin + found.start(1), unit.begin + found.end(1))
            previous = mask if is_fixed else "*"

    def spotted(self, document: DocumentText) -> list[Spotted]:
        """Return what stands at every spot of a document."""
        found = self._spotted.get(document)
        if found is None:
            if self._by_height is None:
                self._by_height = by_height(self.spots)
            found = self._spotted[document] = list(units_at(document, self._by_height, self.fixed))
        return found

    def is_placed(self, path: str, document: DocumentText, places: Sequence[Place]) -> bool:
        """Tell whether one of a parameter's places is in one of its slots or at one of its spots."""
        if any(
            reads(document, places, number, place)
            for own, _, number, place in self.readings(document)
            if own == path
        ):
            return True
        units = {document.unit_at(place.begin) for place in places}
        return any(own == path and number in units for own, _, number in self.spotted(document))

    def anchors(self, document: DocumentText, expected: ExpectedValues) -> dict[str, list[Anchor]]:
        """Return where the lines of each table begin."""
        return {
            name: table.anchors(document, expected.tables.get(name, [])) if table.anchor else []
            for name, table in self.tables.items()
        }

    def remember(self, matches: Matches, anchors: Mapping[str, list[Anchor]]) -> None:
        """Keep what was found in a document that is learned from until it is judged."""
        self._found[id(matches.document)] = (matches, anchors)

    def find(self, document: DocumentText, expected: ExpectedValues) -> Found:
        """Return where the values of a row stand in a document, and where the lines of its tables begin."""
        known = self._found.pop(id(document), None)
        if known is not None and known[0].document is document:
            return known
        matches = Matches(document, expected, self.forms)
        anchors = self.anchors(document, expected)
        matches.keep(self.usual_tags, self.spans(document, anchors))
        return matches, anchors

    @staticmethod
    def spans(document: DocumentText, anchors: Mapping[str, Sequence[Anchor]]) -> list[tuple[int, int]]:
        """Return from where to where each table goes, as far as its lines were found: with all cells of these."""
        return [
            (document.line_around(own[0].begin).begin, document.line_around(own[-1].end - 1).end)
            for own in anchors.values()
            if own
        ]

    def stand_in(self, document: DocumentText, covered: bytearray, path: str, text: str) -> Place | None:
        """Return a unit that nothing of the row explains: like other values of a parameter, or this one cut."""
        masks = self.masks.get(path, ())
        for unit in document.units:
            mask = masked(unit.text)
            is_beginning = len(unit.text) > max(1, len(text) // 3) and text.startswith(unit.text)
            if (is_beginning or (mask in masks and mask not in self.fixed)) and (
                covered.find(1, unit.begin, unit.end) < 0
            ):
                return Place(unit.begin, unit.end)
        return None

    def between(self, matches: Matches, expected: ExpectedValues, path: str) -> Place | None:
        """Return what stands between the neighbours of a parameter that is missing in several documents."""
        known = self.neighbours.get(path)
        if not known:
            return None
        document = matches.document
        gaps = self._gaps.get(document)
        if gaps is None:
            gaps = self._gaps[document] = gaps_of(document, expected, matches, self.fixed)
        return gap_of(document, gaps, known)

    def outside(self, document: DocumentText) -> set[int]:
        """Return the units in which a single value stands within fixed text: no line of a table."""
        return {
            number
            for _, slot, number, _ in self.readings(document)
            if has_letters(slot.prefix) or has_letters(slot.suffix)
        }


@functools.lru_cache(maxsize=4096)
def _pattern(prefix: str, suffix: str) -> re.Pattern[str]:
    """Return what finds the content of a unit between a slot's fixed parts."""
    before, after = (re.escape(part).replace(r"\#", r"\d+") for part in (prefix, suffix))
    return re.compile(f"{before}(.+){after}", re.DOTALL)


def slot_of(document: DocumentText, place: Place, covered: bytearray, fixed: set[str]) -> Slot:
    """Return where a value stands, by the fixed text around it."""
    number = document.unit_at(place.begin)
    last = document.unit_at(max(place.begin, place.end - 1))
    unit, end = document.units[number], document.units[last].end
    previous = document.mask(number - 1)
    return Slot(
        previous if previous in fixed else ("*" if previous else ""),
        _glue(document, unit.begin, place.begin, covered),
        _glue(document, place.end, end, covered),
    )


def _glue(document: DocumentText, begin: int, end: int, covered: bytearray) -> str:
    return "*" if covered.find(1, begin, end) >= 0 else masked(document.stream[begin:end])


def reads(document: DocumentText, own: Iterable[Place], number: int, place: Place) -> bool:
    """Tell whether the value whose places these are is what stands in a slot."""
    return any(begin == place.begin or document.unit_at(begin) == number for begin, _ in own)
