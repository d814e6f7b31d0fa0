"""How a design prints the lines of a table, learned from the documents of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from reportflow_pandas.verify.blank_cells import Seen, edges_in, few_lines, is_number, learn_blank_cells
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.line_cells import Known
from reportflow_pandas.verify.number_signs import NUMBER_KIND, SignCounts, signs_agree
from reportflow_pandas.verify.state_words import learn_words, states_of, words_of_line
from reportflow_pandas.verify.surplus_lines import learn_shape
from reportflow_pandas.verify.table_layout import (
    Lines,
    NumberSource,
    TableLayout,
    Window,
    in_window,
    leftovers,
    texts_found,
)
from reportflow_pandas.verify.text_forms import masked

__all__ = ["learn_table"]

_IN_WINDOW = 0.72
_EXPLAINED = 0.9
"""Share of lines from which a text belongs to them, and from which a number is explained."""
_MOST_LINES = 60
"""Of each document of the sample."""
_ENOUGH_LINES = 1_500
"""Of all documents of the sample: what they don't tell, more of them don't either."""
_LEAST_WINDOWS = 3
_OFTEN_IN_BLANK = 5
"""Lines without one of their texts in which something stands, from which it belongs to the design."""
_NEARLY = 0.01
"""Share of the usual lines up to which two explanations are as good as each other."""
_CONTRADICTED = 1 / 3
"""Of documents: a column that goes against more of them was not understood, and the documents are in order."""


def learn_table(
    layout: TableLayout,
    sample: Sequence[tuple[DocumentText, ExpectedValues]],
    outside: Callable[[DocumentText], Collection[int]],
) -> None:
    """Fill in how a table is printed in the documents of a sample.

    Parameters
    ----------
    layout : TableLayout
        With its name, the forms and the fixed text of the run.
    sample : sequence of tuple
        Texts of documents, and what they should show.
    outside : callable
        Tells the units of a document that belong to pages.
    """
    name = layout.name
    having = [
        (document, expected.tables[name][:_MOST_LINES], len(expected.tables[name]) > _MOST_LINES)
        for document, expected in sample
        if expected.tables.get(name)
    ]
    if not having:
        layout.reason = "it has no lines"
        return
    layout.fields = {name for _, lines, _ in having for line in lines for name in line}
    layout.anchor = _anchor_of(layout, having)
    if not layout.anchor:
        layout.reason = "no text in its lines was found in the documents"
        return
    layout.row_units = _row_units(having, layout.fixed)
    layout.sorts = _sorts(layout, having)
    usable = list(_enough(_whole(layout, having, outside)))
    if not usable:
        layout.reason = "in no document all its lines were found in their order"
        return
    _learn_texts(layout, usable)
    _learn_numbers(layout, usable)
    _learn_signs(layout, usable)
    learn_blank_cells(layout, list(_seen(layout, usable)))
    _say_unknown(layout, having)
    values = dict(sample)
    learn_shape(
        layout,
        [
            Known(one.document, values[one.document], one.lines, one.numbers, one.windows, one.first, one.page)
            for one in usable
        ],
    )
    _learn_states(layout, usable)


Having = Sequence[tuple[DocumentText, Lines, bool]]


def _anchor_of(layout: TableLayout, having: Having) -> str:
    """Return the text field that is nearly always found and tells lines apart best."""
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    distinct: Counter[str] = Counter()
    first: Counter[str] = Counter()
    for document, lines, _ in having[:120]:
        texts: dict[str, set[str]] = defaultdict(set)
        for line in lines[:12]:
            for field_name, value in line.items():
                if value.is_pure_number or value.is_flag or value.is_picture:
                    continue
                total[field_name] += 1
                letters[field_name] += len(value.text)
                texts[field_name].add(value.text)
                places = value.find(document, layout.forms.get(layout.path(field_name), []))
                if places or (len(value.text) > 3 and document.broken(value.text, str(value.raw))):
                    found[field_name] += 1
                    first[field_name] += places[0].begin if places else 0
        for field_name, own in texts.items():
            distinct[field_name] += len(own)
    lines_of = max(total.values(), default=0)

    def worth(field_name: str) -> float:
        rate = found[field_name] / total[field_name]
        apart = distinct[field_name] / total[field_name]
        length = min(letters[field_name] / total[field_name], 12) / 12
        return rate * (0.3 + apart) * length * (total[field_name] / lines_of) ** 2

    good = [name for name in total if found[name] >= 0.6 * total[name] and letters[name] >= 2 * total[name]]
    return max(good, key=worth, default="")


def _row_units(having: Having, fixed: set[str]) -> set[str]:
    """Return fixed text that stands in lines: as often as there are lines, not once a page."""
    often: Counter[str] = Counter()
    asked = 0
    for document, lines, is_cut in having:
        if len(lines) < 3 or is_cut:
            continue
        asked += 1
        counts = Counter(masked(unit.text) for unit in document.units)
        for mask, number in counts.items():
            if mask in fixed and number >= 0.5 * len(lines) and number > 1.5 * len(document.sizes):
                often[mask] += 1
    return {mask for mask, number in often.items() if number >= 0.3 * asked}


def _sorts(layout: TableLayout, having: Having) -> set[tuple[str, str]]:
    """Return what stands before the anchors of lines, from documents in which they are in doubt about nothing."""
    sure: Counter[tuple[str, str]] = Counter()
    any_: Counter[tuple[str, str]] = Counter()
    for document, lines, is_cut in having:
        anchors = layout.anchors(document, lines)
        wanted = [line[layout.anchor].text for line in lines if layout.anchor in line]
        exact = [anchor.text for anchor in anchors] == wanted and not is_cut
        (sure if exact else any_).update(anchor.sort for anchor in anchors)
    counted = sure or any_
    total = sum(counted.values())
    return {sort for sort, number in counted.items() if number >= max(1, 0.005 * total)}


class Whole(NamedTuple):
    """A document with its lines, those that have an anchor, their windows, what is before them, and the page's."""

    document: DocumentText
    lines: Lines
    numbers: list[int]
    windows: list[Window]
    first: Window | None
    page: Collection[int]


class _Edge(NamedTuple):
    """What explains the numbers before the first line's anchor, and those after the last one's."""

    first: list[set[NumberSource]]
    last: list[set[NumberSource]]


def _whole(
    layout: TableLayout, having: Having, outside: Callable[[DocumentText], Collection[int]]
) -> Iterator[Whole]:
    """Yield the documents whose lines are all there, in their order."""
    for document, lines, is_cut in having:
        anchors = layout.anchors(document, lines)
        numbers = layout.line_numbers(lines)
        if is_cut:
            anchors = anchors[: len(numbers)]
        if [anchor.text for anchor in anchors] != [lines[at][layout.anchor].text for at in numbers]:
            continue
        page = outside(document)
        windows = list(layout.windows(document, anchors, lines, page))
        if is_cut:
            numbers, windows = numbers[:-1], windows[:-1]
        yield Whole(document, lines, numbers, windows, layout.before_first(document, anchors, page), page)


def _enough(usable: Iterator[Whole]) -> Iterator[Whole]:
    lines = 0
    for whole in usable:
        yield whole
        lines += len(whole.numbers)
        if lines >= _ENOUGH_LINES:
            return


def _learn_texts(layout: TableLayout, usable: Sequence[Whole]) -> None:
    """Learn which texts stand in a line's window: after its anchor, or before the next one's."""
    here: Counter[str] = Counter()
    before: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for document, lines, numbers, windows, *_ in usable:
        for at, window in zip(numbers, windows, strict=True):
            for offset, counter in ((0, here), (1, before)):
                line = lines[at + offset] if at + offset < len(lines) else {}
                for field_name, value in line.items():
                    if not value.is_pure_number and not value.is_flag:
                        total[field_name] += not offset
                        forms = layout.forms.get(layout.path(field_name), [])
                        counter[field_name] += in_window(document, window, value, forms) is not None
    for field_name, count in total.items():
        best = max(here[field_name], before[field_name])
        if count and best >= _IN_WINDOW * count:
            layout.texts[field_name] = before[field_name] > here[field_name]


def _seen(layout: TableLayout, usable: Sequence[Whole]) -> Iterator[Seen]:
    """Yield the lines whose texts are all there."""
    for document, lines, numbers, windows, *_ in usable:
        own = edges_in(layout, document, lines, zip(numbers, windows, strict=True))
        for at, window in zip(numbers, windows, strict=True):
            taken, lost = texts_found(layout, document, window, lines, at)
            if not lost:
                yield Seen(document, lines, at, window, taken, own)


def _say_unknown(layout: TableLayout, having: Having) -> None:
    """Say in which columns it is not looked for what stands there where a line has nothing."""
    blank = {name for _, lines, _ in having for line in lines for name in layout.fields - line.keys()} & {
        *layout.texts,
        *(source.fields[0] for source in layout.numbers if source is not None and source.fields),
    }
    for name in blank:
        if name == layout.anchor:
            layout.filled.setdefault(name, "lines that have none are not looked for: the others are known by it")
        elif not layout.columns.get(name):
            layout.filled.setdefault(name, "not judged where a line has none: its cells are in no column")


def _learn_numbers(layout: TableLayout, usable: Sequence[Whole]) -> None:
    """Learn where the numbers of a line come from, by votes of the lines that have all of them."""
    names = {
        name
        for _, lines, *_ in usable
        for line in lines
        for name, value in line.items()
        if value.number is not None and name not in layout.texts
    }
    plain = sorted(names)
    sources = [NumberSource((name,), next_line) for next_line in (False, True) for name in plain]
    sources += [NumberSource(pair, next_line) for next_line in (False, True) for pair in combinations(plain, 2)]
    sources += [NumberSource((), next_line) for next_line in (False, True)]
    glue: Counter[str] = Counter()
    glue_of_blank: Counter[str] = Counter()
    inner: list[tuple[int, list[set[NumberSource]]]] = []
    edges: dict[int, _Edge] = {}
    for which, whole in enumerate(usable):
        lines, own = whole.lines, layout.number_texts(whole.lines)
        for at, window in zip(whole.numbers, whole.windows, strict=True):
            if any(name not in lines[at] for name in plain):
                continue
            taken, lost = texts_found(layout, whole.document, window, lines, at)
            if lost:
                continue
            texts = [text for text, _ in layout.numbers_in(whole.document, window, taken, own)]
            reading = _explaining(layout, texts, sources, lines, at)
            if not window.is_last:
                inner.append((which, reading))
                # where a line has no text, what stands there may be another one's
                (glue if layout.texts.keys() <= lines[at].keys() else glue_of_blank).update(
                    leftovers(whole.document, window, taken)
                )
            elif all(name in lines[0] for name in plain):
                edges[which] = _Edge(_before_first(layout, whole, sources, own), reading)
    layout.glue = {text for text, number in glue.items() if number >= 2}
    layout.glue |= {text for text, number in glue_of_blank.items() if number + glue[text] >= _OFTEN_IN_BLANK}
    layout.numbers = _voted(inner or [(which, edge.last) for which, edge in edges.items()], edges, sources)
    _learn_blanks(layout, usable, plain)


def _learn_signs(layout: TableLayout, usable: Sequence[Whole]) -> None:
    """Learn how the signs of a line's numbers are printed, from lines that have all of their numbers."""
    counts: dict[str, SignCounts] = defaultdict(SignCounts)
    sources = layout.numbers
    for document, lines, numbers, windows, *_ in usable:
        own = layout.number_texts(lines)
        for at, window in zip(numbers, windows, strict=True):
            taken, lost = texts_found(layout, document, window, lines, at)
            found = layout.numbers_in(document, window, taken, own) if not lost else []
            if len(found) < len(sources) or (len(found) > len(sources) and not window.is_last):
                continue
            for source, (text, place) in zip(sources, found, strict=False):
                number = layout.expected_number(source, lines, at) if source is not None else None
                if number is not None and number.value is not None and layout.fits(text, number):
                    agrees = signs_agree(NUMBER_KIND, number.number, document, place)
                    counts[number.source.fields[0]].add(number.number, agrees=agrees)
    layout.sign_kinds = {name: counted.kind() for name, counted in counts.items()}


def _learn_states(layout: TableLayout, usable: Sequence[Whole]) -> None:
    """Learn the words that go with a line's values which are not printed themselves: a tick, ``yes``."""
    sources = {source.fields for source in layout.numbers if source is not None}
    told = {
        name
        for _, lines, *_ in usable
        for line in lines
        for name, value in line.items()
        if name not in layout.texts and (name,) not in sources and not value.is_picture
    }
    if not told:
        return
    seen = []
    for document, lines, numbers, windows, *_ in usable:
        covered = bytearray(len(document.stream) + 1)
        for at, window in zip(numbers, windows, strict=True):
            taken, _ = texts_found(layout, document, window, lines, at)
            for begin, end in taken:
                covered[begin:end] = b"\x01" * (end - begin)
            if not window.is_last:
                seen.append((words_of_line(document, covered, window.units), states_of(lines[at])))
    layout.states = learn_words(seen, told)


def _learn_blanks(layout: TableLayout, usable: Sequence[Whole], plain: Sequence[str]) -> None:
    """Learn what stands in the place of a number that the row does not have: nothing, or one from elsewhere."""
    shown: dict[str, list[str]] = defaultdict(list)
    lines_of: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for document, lines, numbers, windows, *_ in usable:
        own = layout.number_texts(lines)
        for at, window in zip(numbers, windows, strict=True):
            blank = [name for name in plain if name not in lines[at]]
            if window.is_last or len(blank) != 1:
                continue
            taken, lost = texts_found(layout, document, window, lines, at)
            if not lost:
                found = [text for text, _ in layout.numbers_in(document, window, taken, own)]
                wanted = sum(
                    source is None or layout.expected_number(source, lines, at) is not None
                    for source in layout.numbers
                )
                lines_of[blank[0]] += 1
                whole[blank[0]] += len(found) >= len(layout.numbers)
                if sum(map(is_number, found)) > wanted:
                    shown[blank[0]].append(" ".join(found[: len(layout.numbers)]))
    for name in plain:
        if not few_lines(shown[name], lines_of[name]):
            layout.filled[name] = (
                f"a number stands in its place in {len(shown[name]):,} of {lines_of[name]:,} lines that have none"
            )
            if 2 * whole[name] > lines_of[name]:
                layout.shown_when_blank.add(name)


def _explaining(
    layout: TableLayout, texts: Sequence[str], sources: Sequence[NumberSource], lines: Lines, at: int
) -> list[set[NumberSource]]:
    """Return what explains each of the numbers printed in a line."""
    expected = (layout.expected_number(source, lines, at) for source in sources)
    numbers = [number for number in expected if number is not None]
    return [{number.source for number in numbers if layout.fits(text, number)} for text in texts]


def _voted(
    readings: Sequence[tuple[int, list[set[NumberSource]]]],
    edges: Mapping[int, _Edge],
    sources: Sequence[NumberSource],
) -> list[NumberSource | None]:
    """Return what explains each number of the usual line; None where nothing does in nearly all lines.

    The numbers of the line itself come first, then those before the next one's anchor. Where all lines have the
    same number, only the first and the last line tell whose it is: nothing stands before the one or nothing after
    the other.
    """
    if not readings:
        return []
    size = Counter(len(reading) for _, reading in readings).most_common(1)[0][0]
    usual = [(which, reading) for which, reading in readings if len(reading) == size]
    if len(usual) < _LEAST_WINDOWS and len(usual) < len(readings):
        return []
    votes = [Counter(source for _, reading in usual for source in reading[column]) for column in range(size)]
    best: dict[bool, list[NumberSource | None]] = {}
    for is_next in (False, True):
        those = [source for source in sources if source.next_line is is_next]
        best[is_next] = [_best(counted, those, _EXPLAINED * len(usual)) for counted in votes]
    layouts = [best[False][:own] + best[True][own:] for own in range(size, -1, -1)]
    wrong = [
        [_edge_faults(voted, own, edge) for edge in edges.values()]
        for own, voted in zip(range(size, -1, -1), layouts, strict=True)
    ]
    scores = [
        sum(counted[source] for counted, source in zip(votes, voted, strict=True) if source is not None)
        - sum(map(len, faults))
        for voted, faults in zip(layouts, wrong, strict=True)
    ]
    # all but a tie: more columns of the line itself
    at = next(at for at, score in enumerate(scores) if score >= max(scores) - _NEARLY * len(usual))
    voted = layouts[at]
    against: list[set[int]] = [set() for _ in range(size)]
    for which, reading in usual:
        for column, fitting in enumerate(reading):
            if voted[column] not in fitting:
                against[column].add(which)
    for which, faults in zip(edges, wrong[at], strict=True):
        for column in faults:
            against[column].add(which)
    most = _CONTRADICTED * len({which for which, _ in usual} | set(edges))
    return [source if len(those) <= max(1, most) else None for source, those in zip(voted, against, strict=True)]


def _before_first(
    layout: TableLayout, whole: Whole, sources: Sequence[NumberSource], own: set[str]
) -> list[set[NumberSource]]:
    """Return what explains each of the numbers that stand before the first line's anchor."""
    if whole.first is None:
        return []
    taken, lost = texts_found(layout, whole.document, whole.first, whole.lines, -1)
    texts = [text for text, _ in layout.numbers_in(whole.document, whole.first, taken, own)]
    return [] if lost else _explaining(layout, texts, sources, whole.lines, -1)


def _best(votes: Counter[NumberSource], sources: Sequence[NumberSource], least: float) -> NumberSource | None:
    """Return the source that explains most lines, of several the simplest one."""
    best = max(sources, key=lambda source: (votes[source], -len(source.fields), -sources.index(source)))
    return best if votes[best] >= max(1, least) else None


def _edge_faults(voted: Sequence[NumberSource | None], own: int, edge: _Edge) -> list[int]:
    """Return the columns that go against what stands before the first line's anchor and after the last one's."""
    before = edge.first[max(0, len(edge.first) - (len(voted) - own)) :]
    absent = len(voted) - len(before)
    return [
        column
        for column, source in enumerate(voted)
        if source is not None
        and not (
            (column < len(edge.last) and source in edge.last[column])
            if column < own
            else (column >= absent and source in before[column - absent])
        )
    ]
