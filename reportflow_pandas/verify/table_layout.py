"""How a design prints the lines of a table: the cell that a line is known by, and what follows it."""

from __future__ import annotations

import contextlib
import functools
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import TEXT, Forms, Value
from reportflow_pandas.verify.line_breaks import SOFT
from reportflow_pandas.verify.line_shape import LineShape
from reportflow_pandas.verify.state_words import StateWords
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import is_in, overlaps

__all__ = [
    "NUMBER",
    "Anchor",
    "Lines",
    "Number",
    "NumberSource",
    "TableLayout",
    "Window",
    "has_letters",
    "in_window",
    "leftovers",
    "parsed",
    "texts_found",
]

Lines = list[dict[str, Value]]

NUMBER = re.compile(r"\d[\d.,']*\d|\d")
_UNIT_LETTERS = 3
"""Of a currency or a unit beside a number."""
_THOUSAND = 1000
_COLUMN_POINTS = 2
"""How far what stands in one column may be apart."""
_MOST_TABLES = 200
"""Documents of which it is kept which numbers their lines have: several looks ask for them."""
_MOST_PRINTED = 20_000
"""Numbers of which it is kept how they are printed."""
_MOST_BEFORE = 8
"""Units of a line before the cell that it is known by."""


class Anchor(NamedTuple):
    """Where the cell stands by which a line is known."""

    begin: int
    end: int
    text: str
    sort: tuple[str, str]


class NumberSource(NamedTuple):
    """Where a number in a line comes from: fields multiplied; the line's number where there are none."""

    fields: tuple[str, ...]
    next_line: bool


class Number(NamedTuple):
    """A number that a line should have; ``value`` is the field's own, None for a computed one."""

    source: NumberSource
    number: Decimal
    value: Value | None


class Window(NamedTuple):
    """The units from one line's anchor up to the next one's."""

    units: tuple[int, ...]
    begin: int
    end: int
    is_last: bool


@dataclass
class TableLayout:
    """What was learned of a table.

    Attributes
    ----------
    fields : set of str
        All that a line may have.
    anchor : str
        Field by which a line is known; empty where the table is not printed or nothing tells its lines apart.
    sorts : set
        What stands before an anchor.
    texts : dict of bool
        Fields that are printed as text; whether before the anchor, hence in the window of the line before.
    numbers : list of NumberSource or None
        The numbers of a line in their order; None for one that nothing explains.
    shown_when_blank : set of str
        Fields in whose place a number stands though the row has none.
    glue : set of str
        What else stands in a line.
    row_units : set of str
        Fixed text that belongs to lines, not to pages.
    columns : dict of set of tuple
        By field, at which side and where its cells are flush.
    known : dict of set of str
        Values of each text field.
    filled : dict of str
        Fields in whose place something often stands where a line has none, and what is said of them.
    states : StateWords
        Words that go with a line's values which are not printed themselves.
    sign_kinds : dict of str
        Kinds of forms by field, which tell how the signs of its numbers are printed.
    shape : LineShape or None
        Where the cells of a line stand.
    is_alone : bool
        Whether nothing else in the documents has this shape.
    reason : str
        Why its lines are not judged.
    is_of_few : bool
        Whether too few documents were learned from to know all forms of a number.
    """

    name: str
    fields: set[str] = field(default_factory=set)
    anchor: str = ""
    sorts: set[tuple[str, str]] = field(default_factory=set)
    texts: dict[str, bool] = field(default_factory=dict)
    numbers: list[NumberSource | None] = field(default_factory=list)
    shown_when_blank: set[str] = field(default_factory=set)
    glue: set[str] = field(default_factory=set)
    row_units: set[str] = field(default_factory=set)
    columns: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    known: dict[str, set[str]] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    states: StateWords = field(default_factory=StateWords)
    forms: Forms = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    running: set[tuple[str, int]] = field(default_factory=set)
    sign_kinds: dict[str, str] = field(default_factory=dict)
    shape: LineShape | None = None
    is_alone: bool = False
    reason: str = ""
    is_of_few: bool = False
    _printed: dict[tuple[str, str, bool], frozenset[str]] = field(default_factory=dict)
    _number_texts: dict[int, tuple[Lines, set[str]]] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Return a field's name as a parameter."""
        return f"{self.name}.{name}" if name else self.name

    # -- finding lines -------------------------------------------------------------------------------------------

    def anchors(self, document: DocumentText, lines: Lines) -> list[Anchor]:
        """Return where texts stand that a line may begin with, in order; where two overlap, the likelier one."""
        apart = _apart(document, list(self._candidates(document, lines)))
        return _in_one_column(document, apart, self._wanted(lines))

    def _wanted(self, lines: Lines) -> Counter[str]:
        return Counter(line[self.anchor].text for line in lines if self.anchor in line)

    def _candidates(self, document: DocumentText, lines: Lines) -> Iterator[Anchor]:
        forms = self.forms.get(self.path(self.anchor), [])
        texts: dict[str, Value] = {}
        for line in lines:
            value = line.get(self.anchor)
            if value is not None:
                texts |= {text: value for form in forms if (text := value.in_form(form)) and text not in texts}
        found = {text: list(self._places(document, text, value)) for text, value in texts.items()}
        further = {part.begin for places in found.values() for parts in places for part in parts[1:]}
        for text, value in texts.items():
            for place in (parts[0] for parts in found[text] if parts[0].begin not in further):
                unit = document.units[document.unit_at(place.begin)]
                if unit.text != text and masked(unit.text) in self.fixed and has_letters(unit.text):
                    continue  # a word of the design's own
                sort = self._sort(document, place.begin)
                before = document.stream[unit.begin : place.begin]
                if not self.sorts or sort in self.sorts or (before and self._is_beside(before, value, lines)):
                    yield Anchor(place.begin, place.end, value.text, sort)

    def _is_beside(self, before: str, value: Value, lines: Lines) -> bool:
        """Tell whether what stands close before an anchor, so that both are one unit, is a cell of its line."""
        own = (line for line in lines if self.anchor in line and line[self.anchor].text == value.text)
        return len(before) > 1 and any(before == other.text for line in own for other in line.values())

    @staticmethod
    def _places(document: DocumentText, text: str, value: Value) -> list[tuple[Place, ...]]:
        """Return where a text stands, in one part or, where it does so nowhere, in those of its lines."""
        places: list[tuple[Place, ...]] = [(place,) for place in document.every_place(text)]
        if places:
            return places
        if turned := document.right_to_left(str(value.raw)):
            return turned
        parts = document.broken(text) if len(text) > 3 else None
        return [parts] if parts else []

    def _sort(self, document: DocumentText, begin: int) -> tuple[str, str]:
        number = document.unit_at(begin)
        previous = document.mask(number - 1)
        prefix = masked(document.stream[document.units[number].begin : begin])
        before = previous if previous in self.fixed or not has_letters(previous) else "*"
        return (before if before == "*" or previous in self.fixed else "#", "*" if has_letters(prefix) else prefix)

    def windows(
        self,
        document: DocumentText,
        anchors: Sequence[Anchor],
        lines: Lines,
        outside: Collection[int] = (),
        own: Collection[str] | None = None,
    ) -> Iterator[Window]:
        """Yield the units of each anchor's line; ``outside`` is the page's, ``own`` are the lines' numbers."""
        last = [value.text for value in lines[-1].values()] if lines else []
        own = self.number_texts(lines) if own is None else own
        firsts = [document.unit_at(anchor.begin) for anchor in anchors]
        for at, first in enumerate(firsts):
            is_last = at + 1 == len(firsts)
            after = len(document.units) if is_last else max(first + 1, firsts[at + 1])
            units = []
            for number in range(first, after):
                if number != first and (number in outside or self.is_page_text(document, number, own)):
                    piece = document.units[number].text.strip(SOFT)
                    if not (is_last and any(piece in text for text in last if len(piece) > 1)):
                        if is_last:
                            break
                        continue
                units.append(number)
                if is_last and len(units) > 40:
                    break
            end = anchors[at + 1].begin if not is_last else document.units[units[-1]].end
            yield Window(tuple(units), anchors[at].begin, end, is_last)

    def number_texts(self, lines: Lines) -> set[str]:
        """Return the numbers of lines as they are printed."""
        kept = self._number_texts.get(id(lines))
        if kept is None or kept[0] is not lines:
            values = ((name, value) for line in lines for name, value in line.items() if value.number is not None)
            kept = (lines, {text for name, value in values for text in self._texts_of(name, value)})
            if len(self._number_texts) >= _MOST_TABLES:
                self._number_texts.clear()
            self._number_texts[id(lines)] = kept
        return kept[1]

    def _texts_of(self, name: str, value: Value) -> frozenset[str]:
        """Return how the number of a field may be printed."""
        key = (name, value.text, value.is_pure_number)
        texts = self._printed.get(key)
        if texts is None:
            forms = self.forms.get(self.path(name), ())
            texts = frozenset(value.in_form(form).strip("%") for form in forms)
            if len(self._printed) < _MOST_PRINTED:
                self._printed[key] = texts
        return texts

    def is_page_text(self, document: DocumentText, number: int, own: Collection[str] = ()) -> bool:
        """Tell whether a unit is fixed text that belongs to no line; ``own`` are the numbers of the lines."""
        unit = document.units[number]
        mask = masked(unit.text)
        if mask in self.fixed:
            letters = [char for char in mask if char.isalpha()]
            if len(letters) <= _UNIT_LETTERS and all(map(str.isascii, letters)):
                # "12.50 kr", "6 pcs": a number of a line with its currency or unit
                return mask not in self.row_units and not any(text in own for text in NUMBER.findall(unit.text))
            return mask not in self.row_units
        return (unit.text, round(unit.box[1])) in self.running

    def before_first(
        self, document: DocumentText, anchors: Sequence[Anchor], outside: Collection[int] = ()
    ) -> Window | None:
        """Return the units of the first line that stand before its anchor."""
        if not anchors:
            return None
        after = document.unit_at(anchors[0].begin)
        first = after
        while first and after - first < _MOST_BEFORE:
            if first - 1 in outside or self.is_page_text(document, first - 1):
                break
            first -= 1
        units = tuple(range(first, after + 1))
        return (
            Window(units, document.units[first].begin, anchors[0].begin, is_last=False) if first < after else None
        )

    def line_numbers(self, lines: Lines) -> list[int]:
        """Return the lines that have an anchor."""
        return [at for at, line in enumerate(lines) if self.anchor in line]

    # -- reading a line ------------------------------------------------------------------------------------------

    def numbers_in(
        self, document: DocumentText, window: Window, taken: Sequence[Place], own: Collection[str] = ()
    ) -> list[tuple[str, Place]]:
        """Return the numbers in a window that belong to none of the texts found there; ``own`` are the lines'."""
        found = []
        for number in window.units:
            unit = document.units[number]
            first = max(unit.begin, window.begin)
            for match in NUMBER.finditer(unit.text, first - unit.begin):
                begin, end = unit.begin + match.start(), unit.begin + match.end()
                if not is_in(taken, begin):
                    whole = document.stream[begin:end].strip(".,'")
                    if whole in own:  # "1 250,50" is one number
                        found.append((whole, Place(begin, begin + len(whole))))
                        continue
                    # two cells without a gap between them are one unit, of several words
                    while begin < end:
                        edge = document.edges.find(1, begin + 1, end)
                        cut = edge if edge >= 0 else end
                        text = document.stream[begin:cut].strip(".,'")
                        if text and not is_in(taken, begin):  # "7,5 05.07.26": a date beside a number
                            found.append((text, Place(begin, begin + len(text))))
                        begin = cut
        return found

    def expected_number(self, source: NumberSource, lines: Lines, at: int) -> Number | None:
        """Return the number that a source means for a line; None where it is blank."""
        at += source.next_line
        if not 0 <= at < len(lines):
            return None
        if not source.fields:
            return Number(source, Decimal(at + 1), None)
        line = lines[at]
        product: Decimal | None = None
        for name in source.fields:
            value = line.get(name)
            if value is None or value.number is None:
                return None
            product = value.number if product is None else product * value.number
        assert product is not None  # noqa: S101 - it has fields
        single = line[source.fields[0]] if len(source.fields) == 1 else None
        return Number(source, product, single)

    def fits(self, text: str, number: Number) -> bool:
        """Tell whether a printed number is this one: a field in its own form, a computed one in any."""
        value = number.value
        if value is not None:
            if text in self._texts_of(number.source.fields[0], value):
                return True
            # the lines that forms are learned of may have had no thousands
            return (self.is_of_few or abs(number.number) >= _THOUSAND) and abs(number.number) in parsed(text)
        wanted = abs(number.number)
        return any(abs(wanted - printed) <= half for printed, half in _rounded(text))


def _apart(document: DocumentText, anchors: list[Anchor]) -> list[Anchor]:
    """Return the anchors in their order; where two overlap, the likelier one."""
    chosen: list[Anchor] = []
    for anchor in sorted(
        anchors,
        key=lambda one: (one.begin != document.units[document.unit_at(one.begin)].begin, one.begin - one.end),
    ):
        at = bisect_left(chosen, anchor)
        is_free = (at == 0 or chosen[at - 1].end <= anchor.begin) and (
            at == len(chosen) or anchor.end <= chosen[at].begin
        )
        if is_free:
            chosen.insert(at, anchor)
    return chosen


def _in_one_column(document: DocumentText, anchors: list[Anchor], wanted: Counter[str]) -> list[Anchor]:
    """Return the anchors of one column, if one has all of them: others are words of the text around."""
    if len(anchors) <= wanted.total():
        return anchors
    unit_at, units = document.unit_at, document.units
    heads = [anchor for anchor in anchors if anchor.begin == units[unit_at(anchor.begin)].begin]
    whole = {anchor for anchor in heads if anchor.end == units[unit_at(anchor.end - 1)].end}
    choices = [anchors]
    if wanted <= Counter(anchor.text for anchor in heads):
        choices.append(heads)  # a title, and an album of the same name in the line below it
    for side in (0, 2):
        places = [units[unit_at(anchor.begin)].box[side] for anchor in anchors]
        for place, number in Counter(places).most_common(3):
            own = [anchor for anchor, at in zip(anchors, places, strict=True) if abs(at - place) <= _COLUMN_POINTS]
            if 2 * number >= wanted.total() and wanted <= Counter(anchor.text for anchor in own):
                choices.append(own)
    # the fewest in excess; notes below a table may speak of its only line, a title above it may say the same
    return min(choices, key=lambda own: (len(own), -len(whole.intersection(own)), -own[0].begin if own else 0))


@functools.lru_cache(maxsize=16384)
def parsed(text: str) -> tuple[Decimal, ...]:
    """Return what a printed number may mean: with a point or with a comma before its decimals."""
    found = set()
    for group, decimal in ((",", "."), (".", ",")):
        whole, _, rest = text.partition(decimal)
        # "1.98" is not 198: the last group has three digits
        if re.fullmatch(rf"\d+|\d{{1,3}}(?:[{group}']\d{{2,3}})*[{group}']\d{{3}}", whole):
            with contextlib.suppress(InvalidOperation):
                found.add(Decimal(f"{whole.replace(group, '').replace(chr(39), '')}.{rest or 0}"))
    return tuple(sorted(found))


@functools.lru_cache(maxsize=16384)
def _rounded(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return what a printed number may mean, each with half of its last decimal: rounding changes no more."""
    exponents = [(number, number.as_tuple().exponent) for number in parsed(text)]
    return tuple(
        (number, Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1))
        for number, exponent in exponents
    )


@functools.lru_cache(maxsize=65536)
def has_letters(text: str) -> bool:
    """Tell whether a text is more than numbers and signs."""
    return any(char.isalpha() for char in text)


def in_window(
    document: DocumentText, window: Window, value: Value, forms: Sequence[tuple[str, object]]
) -> Place | None:
    """Return where a text stands in a line's window."""
    for place in value.find(document, forms, window.begin, window.end):
        return place
    if TEXT in forms and len(value.text) > 3:
        parts = document.broken(value.text, str(value.raw))
        if parts and window.begin <= parts[0].begin < window.end:
            return parts[0]
    return None


def texts_found(
    layout: TableLayout, document: DocumentText, window: Window, lines: Lines, at: int
) -> tuple[list[Place], list[str]]:
    """Return where the texts of a line stand in its window, each place used once, and the fields not found."""
    taken: list[Place] = []
    lost: list[str] = []
    wanted: list[tuple[Value, str]] = []
    for field_name, is_before in layout.texts.items():
        number = at + is_before
        if 0 <= number < len(lines) and field_name in lines[number]:
            wanted.append((lines[number][field_name], field_name))
    for value, field_name in sorted(wanted, key=lambda one: -len(one[0].text)):
        forms = layout.forms.get(layout.path(field_name), [])
        free = (
            place
            for place in value.find(document, forms, window.begin, window.end)
            if not overlaps(taken, place.begin, place.end)
        )
        place = next(free, None)
        if place is None and TEXT in forms and len(value.text) > 3:
            parts = document.broken(value.text, str(value.raw))
            if parts and window.begin <= parts[0].begin < window.end:
                taken += parts
                continue
        if place is None:
            lost.append(field_name)
        else:
            taken.append(place)
    return taken, lost


def leftovers(document: DocumentText, window: Window, taken: Sequence[Place]) -> list[str]:
    """Return what stands in a line beside its values and numbers, digits hidden."""
    covered: set[int] = set()
    for place in taken:
        covered.update(range(place.begin, place.end))
    found = []
    for number in window.units:
        unit = document.units[number]
        text = "".join(
            char if unit.begin + at not in covered else "\0"
            for at, char in enumerate(unit.text)
            if unit.begin + at >= window.begin
        )
        found += [part for part in (masked(piece) for piece in text.split("\0")) if has_letters(part)]
    return found
