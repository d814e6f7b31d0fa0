"""The lines of a table, one by one: missing, doubled, out of order, and cells that hold something else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from reportflow_pandas.verify.blank_cells import Edges, Seen, edges_in, filled_cells, is_number
from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.expected_values import TEXT, ExpectedValues, Value
from reportflow_pandas.verify.line_cells import Known
from reportflow_pandas.verify.number_signs import signs_agree, told_with_sign
from reportflow_pandas.verify.state_words import states_of, words_of_line
from reportflow_pandas.verify.surplus_lines import surplus_lines
from reportflow_pandas.verify.suspicion import BOX_SIGNS, Finding
from reportflow_pandas.verify.table_layout import (
    Anchor,
    Number,
    TableLayout,
    Window,
    has_letters,
    leftovers,
    texts_found,
)
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import is_in, overlaps

__all__ = ["TableCheck", "shown"]

_MOST_FINDINGS = 20
"""Of one table: after so many, a document is wrong as a whole."""
_UNITS_AFTER_LAST = 12
_CHARACTERS_BEFORE_FIRST = 200
_SAME_EDGE = 2.0
"""Points by which the edges of texts in one column may differ."""


def shown(value: Value) -> str:
    """Return a value as its row has it."""
    return str(value.raw)


class TableCheck:
    """One table of one document.

    Parameters
    ----------
    layout : TableLayout
        How the design prints it.
    document : DocumentText
        The text.
    expected : ExpectedValues
        What it should show.
    anchors : sequence of Anchor
        Where lines begin in the text.
    outside : collection of int
        Units that belong to pages, not to lines.
    foreign : set of str
        Texts of other rows' lines.
    singles : bytearray
        Which characters of the document belong to values of the row.
    """

    def __init__(
        self,
        layout: TableLayout,
        document: DocumentText,
        expected: ExpectedValues,
        anchors: Sequence[Anchor],
        *,
        outside: Collection[int],
        foreign: set[str],
        singles: bytearray,
    ) -> None:
        self.layout = layout
        self.document = document
        self.expected = expected
        self.lines = lines = expected.tables.get(layout.name, [])
        self.anchors = anchors
        self.outside = outside
        self.foreign = foreign
        self.singles = singles
        self.own = layout.number_texts(lines)
        self.windows = list(layout.windows(document, anchors, lines, outside, self.own))
        self.numbers = layout.line_numbers(lines)
        self.pairs: dict[int, int] = {}
        self._own_edges: Edges | None = None

    def findings(self) -> list[Finding]:
        """Return what is wrong with the lines."""
        layout = self.layout
        if not layout.anchor:
            return []
        if not self.lines:
            return self._surplus()
        wanted = [self.lines[at][layout.anchor].text for at in self.numbers]
        self.pairs, extra = _aligned(wanted, [anchor.text for anchor in self.anchors])
        if wanted and not self.pairs:
            return [Finding("lines", layout.name, f"{len(self.lines)} lines", "none of them is there")]
        by_anchor = {place: self.numbers[at] for at, place in self.pairs.items()}
        lost = [at for at in range(len(wanted)) if at not in self.pairs]
        found = [self._lost_line(at) for at in lost[:_MOST_FINDINGS]]
        found += [self._extra_line(at, by_anchor) for at in extra[:_MOST_FINDINGS]]
        first = layout.before_first(self.document, self.anchors, self.outside)
        surplus = [] if lost or extra else self._surplus(first)
        if surplus:
            return surplus  # whose numbers stand around them can't be told
        if first is not None and by_anchor.get(0) == 0:
            found += self._window(first, -1)
        gaps = {self.pairs[at - 1] for at in lost if at - 1 in self.pairs}
        for at, window in enumerate(self.windows):
            if at in by_anchor and at not in gaps and not (at + 1 in extra or at in extra):
                found += self._window(window, by_anchor[at])
            if len(found) > _MOST_FINDINGS:
                break
        return _without_repeats(found)

    def _named(self, at: int, field_name: str = "") -> str:
        return f"{self.layout.name}[{at + 1}]" + (f".{field_name}" if field_name else "")

    def _told(self, at: int) -> str:
        return " · ".join(shown(value) for value in self.lines[at].values())

    # -- whole lines -------------------------------------------------------------------------------------------

    def _gap(self, at: int) -> tuple[int, int]:
        """Return from where to where a line would stand whose anchor was not found."""
        document, pairs, anchors = self.document, self.pairs, self.anchors
        begin = 0
        if at - 1 in pairs:
            begin = anchors[pairs[at - 1]].end
        elif at == 0:
            begin = max(0, anchors[0].begin - _CHARACTERS_BEFORE_FIRST)
        later = next((pairs[other] for other in range(at + 1, len(self.numbers)) if other in pairs), None)
        if later is not None:
            return begin, anchors[later].begin
        if at - 1 in pairs:
            last = document.unit_at(max(0, self.windows[pairs[at - 1]].end - 1))
            return begin, document.units[min(len(document.units) - 1, last + _UNITS_AFTER_LAST)].end
        return begin, len(document.stream)

    def _lost_line(self, at: int) -> Finding:
        """Return whether a line is missing, or only the cell that it is known by is another one."""
        layout, document, number = self.layout, self.document, self.numbers[at]
        line = self.lines[number]
        own = line[layout.anchor]
        begin, end = self._gap(at)
        parameter = self._named(number, layout.anchor)
        beginning = _beginning(document, own, begin, end, least=3)
        if beginning is not None and beginning.begin == document.units[document.unit_at(beginning.begin)].begin:
            found = document.raw(beginning.begin, beginning.end)
            return Finding.at("cut", document, [beginning], parameter=parameter, expected=shown(own), found=found)
        others = [value for name, value in line.items() if name != layout.anchor and name in layout.texts]
        before = {value.text for value in self.lines[self.numbers[at - 1]].values()} if at else set()
        held = [value for value in others if value.text not in before and value.find(document, [TEXT], begin, end)]
        strange = self._strange_unit(begin, end)
        if strange is not None and not at and not self._is_in_column(strange):
            strange = None  # other text stands before the table
        if strange is not None and (held or not others):
            kind = "glyph" if _has_box(strange) else "missing"
            place = Place(strange.begin, strange.end)
            return Finding.at(kind, document, [place], parameter=parameter, expected=shown(own), found=strange.raw)
        if held:
            return Finding.at("missing", document, [], parameter=parameter, expected=shown(own))
        where = begin if at else self.anchors[0].begin  # before the first one other text stands
        return Finding.at(
            "lines",
            document,
            [Place(where, where + 1)],
            parameter=self._named(number),
            expected=self._told(number),
            found="this line is missing",
        )

    def _strange_unit(self, begin: int, end: int) -> Unit | None:
        """Return the first unit that is neither the design's nor a value of these lines."""
        layout, document = self.layout, self.document
        known = {value.text for line in self.lines for value in line.values() if len(value.text) > 2}
        for number in range(document.unit_at(begin), document.unit_at(max(begin, end - 1)) + 1):
            unit = document.units[number]
            mask = masked(unit.text)
            common = unit.begin < begin or not has_letters(mask) or mask in layout.fixed or mask in layout.glue
            common = common or self.singles.find(1, unit.begin, unit.end) >= 0
            if common and not _has_box(unit):
                continue
            if not any(text in unit.text for text in known):
                return unit
        return None

    def _is_in_column(self, unit: Unit) -> bool:
        """Tell whether a unit begins or ends where one does by which another line is known."""
        document = self.document
        boxes = [document.units[document.unit_at(anchor.begin)].box for anchor in self.anchors]
        return any(
            abs(unit.box[0] - box[0]) <= _SAME_EDGE or abs(unit.box[2] - box[2]) <= _SAME_EDGE for box in boxes
        )

    def _extra_line(self, at: int, by_anchor: dict[int, int]) -> Finding:
        anchor, name = self.anchors[at], self.layout.anchor
        number = next((own for own in by_anchor.values() if self.lines[own][name].text == anchor.text), None)
        once = sum(name in line and line[name].text == anchor.text for line in self.lines)
        often = sum(other.text == anchor.text for other in self.anchors)
        return Finding.at(
            "lines",
            self.document,
            [Place(anchor.begin, anchor.end)],
            parameter=self._named(number) if number is not None else self.layout.name,
            expected=self._told(number) if number is not None else "",
            found="this line stands there once more" if often > once else "this line stands out of order",
        )

    def _surplus(self, first: Window | None = None) -> list[Finding]:
        """Return the lines above and below the known ones that the row does not have."""
        document = self.document
        known = Known(document, self.expected, self.lines, self.numbers, self.windows, first, self.outside)
        units = [document.units[number] for number in surplus_lines(self.layout, known)]
        places = [Place(unit.begin, unit.end) for unit in units]
        return [
            Finding.at(
                "lines",
                document,
                [place],
                parameter=self.layout.name,
                found=f"{document.raw(*place)}: this line stands there, and the row does not have it",
            )
            for place in places[:_MOST_FINDINGS]
        ]

    # -- one line ------------------------------------------------------------------------------------------------

    def _window(self, window: Window, at: int) -> list[Finding]:
        """Return what is wrong in one line: texts that are not there, numbers that are others."""
        taken, lost = texts_found(self.layout, self.document, window, self.lines, at)
        if lost:
            return [self._lost_text(window, at, name, taken) for name in lost]
        found = self._numbers(window, at, taken) or self._filled(window, at, taken)
        if found or at < 0:
            return found
        return self._foreign_text(window, at, taken) or self._states(window, at, taken)

    def _edges(self) -> Edges:
        if self._own_edges is None:
            pairs = ((at, window) for at, window in zip(self.numbers, self.windows, strict=False))
            self._own_edges = edges_in(self.layout, self.document, self.lines, pairs)
        return self._own_edges

    def _filled(self, window: Window, at: int, taken: Sequence[Place]) -> list[Finding]:
        """Return what stands in the columns in which a line has nothing."""
        line = Seen(self.document, self.lines, at, window, taken, self._edges())
        return [
            Finding.at(
                "foreign",
                self.document,
                [Place(unit.begin, unit.end)],
                parameter=self._named(at + is_before, name),
                found=f"{unit.raw} stands there, and the row has nothing",
            )
            for name, is_before, unit in filled_cells(self.layout, line)
        ]

    def _states(self, window: Window, at: int, taken: Sequence[Place]) -> list[Finding]:
        """Return values that are not printed themselves and whose words are not there, or are others'."""
        learned = self.layout.states
        if not learned.words:
            return []
        covered = bytearray(len(self.document.stream) + 1)
        for place in taken:
            covered[place.begin : place.end] = b"\x01" * (place.end - place.begin)
        words = words_of_line(self.document, covered, window.units)
        line = self.lines[at]
        findings = []
        for name, word in learned.contradictions(words, states_of(line)):
            if word is not None or not window.is_last:
                place = words[word] if word is not None else Place(window.begin, window.begin + 1)
                findings.append(
                    Finding.at(
                        "missing",
                        self.document,
                        [place],
                        parameter=self._named(at, name),
                        expected=shown(line[name]) if name in line else "blank",
                        found=self.document.raw(*place) if word is not None else "",
                    )
                )
        return findings

    def _lost_text(self, window: Window, at: int, name: str, taken: Sequence[Place]) -> Finding:
        document = self.document
        number = at + self.layout.texts[name]
        value = self.lines[number][name]
        parameter, expected = self._named(number, name), shown(value)
        units = [document.units[unit] for unit in window.units]
        box = next((unit for unit in units if _has_box(unit)), None)
        if box is not None:
            place = Place(box.begin, box.end)
            return Finding.at("glyph", document, [place], parameter=parameter, expected=expected, found=box.raw)
        beginning = _beginning(document, value, window.begin, window.end, least=2)
        if beginning is not None and not is_in(taken, beginning.begin):
            found = document.raw(beginning.begin, beginning.end)
            return Finding.at("cut", document, [beginning], parameter=parameter, expected=expected, found=found)
        strange = next(
            (
                unit
                for unit in units
                if has_letters(unit.text)
                and masked(unit.text) not in self.layout.fixed
                and not overlaps(taken, unit.begin, unit.end)
            ),
            None,
        )
        place = Place(strange.begin, strange.end) if strange else Place(window.begin, window.begin + 1)
        found = strange.raw if strange else ""
        return Finding.at("missing", document, [place], parameter=parameter, expected=expected, found=found)

    def _wanted(self, window: Window, at: int) -> list[Number | None]:
        """Return the numbers that a line should have, in their order; None for one that nothing explains."""
        wanted: list[Number | None] = []
        for source in self.layout.numbers:
            if source is None:
                if at >= 0:
                    wanted.append(None)
            elif not (window.is_last and source.next_line):
                number = self.layout.expected_number(source, self.lines, at)
                if number is not None:
                    wanted.append(number)
                elif at >= 0 and not self.layout.shown_when_blank.isdisjoint(source.fields):
                    wanted.append(None)
        return wanted

    def _numbers(self, window: Window, at: int, taken: Sequence[Place]) -> list[Finding]:
        """Hold the numbers of a line against what they should be, in their order."""
        layout = self.layout
        sources = [source for source in layout.numbers if source is not None]
        if not sources or (at < 0 and not any(source.next_line for source in sources)):
            return []
        found = self.layout.numbers_in(self.document, window, taken, self.own)
        wanted = self._wanted(window, at)
        if None in wanted and len(wanted) != len(found) and not window.is_last:
            return []  # it is not known which of them is left out here
        pairs, extra = self._paired(wanted, found, is_last=window.is_last)
        findings = []
        for number, at_place in pairs:
            one = wanted[number]
            if one is None or one.value is None:
                continue  # computed by the design: told by the values that it was computed from
            if layout.is_of_few and sources.count(one.source) > 1:
                continue  # in few lines one piece's price is a whole amount: the column may be the amount's
            where = found[at_place] if at_place is not None else None
            findings.append(
                Finding.at(
                    "missing",
                    self.document,
                    [where[1] if where else Place(window.begin, window.begin + 1)],
                    parameter=self._named(at + one.source.next_line, one.source.fields[0]),
                    expected=shown(one.value),
                    found=told_with_sign(self.document, where[1]) if where else "",
                )
            )
        extra = [number for number in extra if is_number(found[number][0])]
        if not extra or at < 0 or findings or window.is_last:
            return findings
        blank = [
            source for source in sources if len(source.fields) == 1 and source.fields[0] not in self.layout.filled
        ]
        blank = [source for source in blank if self.layout.expected_number(source, self.lines, at) is None]
        if blank:
            text, place = found[extra[0]]
            findings.append(
                Finding.at(
                    "foreign",
                    self.document,
                    [place],
                    parameter=self._named(at, blank[0].fields[0]),
                    found=f"{text} stands there, and the row has nothing",
                )
            )
        return findings

    def _paired(
        self, wanted: Sequence[Number | None], found: Sequence[tuple[str, Place]], *, is_last: bool
    ) -> tuple[list[tuple[int, int | None]], list[int]]:
        """Return wanted numbers that are not there, with what stands in their place, and found ones in excess."""

        def fits(number: int, place: int) -> bool:
            one = wanted[number]
            text, where = found[place]
            return one is None or (self.layout.fits(text, one) and self._has_sign(where, one))

        if len(found) == len(wanted) or (is_last and len(found) > len(wanted)):
            wrong = [number for number in range(len(wanted)) if not fits(number, number)]
            if not wrong or len(found) == len(wanted):
                return [(number, number) for number in wrong], []
        # the longest common sequence, counted from the end: two numbers of a line may be the same
        length = [[0] * (len(found) + 1) for _ in range(len(wanted) + 1)]
        for number in range(len(wanted) - 1, -1, -1):
            for place in range(len(found) - 1, -1, -1):
                length[number][place] = (
                    length[number + 1][place + 1] + 1
                    if fits(number, place)
                    else max(length[number + 1][place], length[number][place + 1])
                )
        pairs: list[tuple[int, int | None]] = []
        extra: list[int] = []
        number = place = first = begin = 0
        while True:
            is_end = number == len(wanted) or place == len(found)
            if is_end or fits(number, place):
                after, end = (len(wanted), len(found)) if is_end else (number, place)
                pairs += [
                    (first + step, begin + step if begin + step < end else None) for step in range(after - first)
                ]
                extra += range(min(end, begin + (after - first)), end)
                if is_end:
                    return pairs, extra
                number, place = number + 1, place + 1
                first, begin = number, place
            elif length[number + 1][place] >= length[number][place + 1]:
                number += 1
            else:
                place += 1

    def _has_sign(self, place: Place, number: Number) -> bool:
        """Tell whether a field's number at a place has the sign with which it is printed in the run."""
        kind = self.layout.sign_kinds.get(number.source.fields[0]) if number.value is not None else None
        return kind is None or signs_agree(kind, number.number, self.document, place)

    def _foreign_text(self, window: Window, at: int, taken: Sequence[Place]) -> list[Finding]:
        """Return texts of other rows in a line of which everything own was found."""
        last = len(self.lines) - 1
        blanks = [
            name for name, before in self.layout.texts.items() if name not in self.lines[min(at + before, last)]
        ]
        if not blanks or window.is_last:
            return []
        for text in leftovers(self.document, window, taken):
            if text in self.foreign and text not in self.layout.glue:
                return [
                    Finding.at(
                        "foreign",
                        self.document,
                        [Place(window.begin, window.begin + 1)],
                        parameter=self._named(at, blanks[0]),
                        found=f"{text} stands there, and the row has nothing",
                    )
                ]
        return []


def _aligned(wanted: Sequence[str], found: Sequence[str]) -> tuple[dict[int, int], list[int]]:
    """Return which of the wanted stands where among the found, and those found in excess."""
    if list(wanted) == list(found):
        return {at: at for at in range(len(wanted))}, []
    matcher = SequenceMatcher(None, wanted, found, autojunk=False)
    pairs = {
        block.a + step: block.b + step for block in matcher.get_matching_blocks() for step in range(block.size)
    }
    taken = set(pairs.values())
    return pairs, [at for at in range(len(found)) if at not in taken]


def _beginning(document: DocumentText, value: Value, begin: int, end: int, *, least: int) -> Place | None:
    """Return where the longest beginning of a text stands, at least a third of it."""
    for size in range(len(value.text) - 1, max(least, len(value.text) // 3), -1):
        place = next(document.places(value.text[:size], begin, end), None)
        if place is not None:
            return place
    return None


def _has_box(unit: Unit) -> bool:
    return any(sign in unit.text for sign in BOX_SIGNS)


def _without_repeats(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if all((finding.parameter, finding.expected) != (other.parameter, other.expected) for other in kept):
            kept.append(finding)
    return kept[:_MOST_FINDINGS]
