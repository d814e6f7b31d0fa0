"""What stands in a value's own place, known by its neighbours, where the value itself is nowhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Forms, Value
from reportflow_pandas.verify.table_layout import NUMBER, parsed
from reportflow_pandas.verify.text_forms import is_cjk, masked
from reportflow_pandas.verify.value_places import Matches

__all__ = ["Gap", "Neighbours", "OtherValues", "gap_of", "gaps_of", "is_no_other_wording", "neighbours_of"]

_LEAST_SHARE = 0.02
"""Of the documents that have a value: in so many it stands between two neighbours that shall tell its place."""
_MOST_NEIGHBOURS = 12
_LONGEST_GLUE = 40
_REPEATED = 1.5
"""Documents by value, from which one text for each value is another wording of it: ``paid`` as ``bezahlt``."""


class Neighbours(NamedTuple):
    """A place by what is around it: a parameter or fixed text on each side, and the signs up to there."""

    before: str
    prefix: str
    suffix: str
    after: str


class Gap(NamedTuple):
    """Text of one unit that no value of the row explains, with what is around it."""

    before: frozenset[str]
    place: Place
    after: frozenset[str]


class _Edges:
    """Where the single values of a document begin and end, and its units of fixed text."""

    def __init__(self, document: DocumentText, own: Matches, fixed: set[str]) -> None:
        self.document, self.fixed = document, fixed
        self.ends: dict[int, set[str]] = defaultdict(set)
        self.begins: dict[int, set[str]] = defaultdict(set)
        for path, places in own.places.items():
            for place in places if path not in own.broken else ():
                self.begins[place.begin].add(path)
                self.ends[place.end].add(path)

    def before(self, number: int, at: int) -> frozenset[str]:
        """Return what ends at a character of a unit: parameters, or fixed text in the unit before."""
        unit = self.document.units[number]
        if at == unit.begin:
            mask = self.document.mask(number - 1)
            if not mask or mask in self.fixed:
                return frozenset({f"={mask}"})
        return frozenset(self.ends.get(at, ()))

    def after(self, number: int, at: int) -> frozenset[str]:
        """Return what begins at a character of a unit: parameters, or fixed text in the next unit."""
        if at == self.document.units[number].end:
            mask = self.document.mask(number + 1)
            if not mask or mask in self.fixed:
                return frozenset({f"={mask}"})
        return frozenset(self.begins.get(at, ()))


def neighbours_of(
    path: str, found: Iterable[tuple[DocumentText, ExpectedValues, Matches]], fixed: set[str]
) -> set[Neighbours]:
    """Return between which neighbours a parameter stands in the documents in which it was found."""
    seen: Counter[Neighbours] = Counter()
    count = 0
    for document, expected, own in found:
        count += 1
        covered, edges = own.covered(expected), _Edges(document, own, fixed)
        here: set[Neighbours] = set()
        for place in own.evidence[path] if path not in own.broken else ():
            number = document.unit_at(place.begin)
            unit = document.units[number]
            if place.end > unit.end:
                continue
            begin, end = place
            while begin > unit.begin and not covered[begin - 1]:
                begin -= 1
            while end < unit.end and not covered[end]:
                end += 1
            prefix, suffix = document.stream[begin : place.begin], document.stream[place.end : end]
            if len(prefix + suffix) <= _LONGEST_GLUE and not any(map(str.isdigit, prefix + suffix)):
                here |= {
                    Neighbours(before, prefix, suffix, after)
                    for before in edges.before(number, begin)
                    for after in edges.after(number, end)
                    if path not in (before, after)
                }
        seen.update(here)
    least = max(2, _LEAST_SHARE * count)
    return {one for one, number in seen.most_common(_MOST_NEIGHBOURS) if number >= least}


def gaps_of(document: DocumentText, expected: ExpectedValues, own: Matches, fixed: set[str]) -> list[Gap]:
    """Return the texts of a document that are no values of its row, with their neighbours."""
    covered, edges = own.covered(expected), _Edges(document, own, fixed)
    gaps = []
    for number, unit in enumerate(document.units):
        begin = covered.find(0, unit.begin, unit.end)
        while begin >= 0:
            end = covered.find(1, begin, unit.end)
            end = unit.end if end < 0 else end
            before, after = edges.before(number, begin), edges.after(number, end)
            if before and after:
                gaps.append(Gap(before, Place(begin, end), after))
            begin = covered.find(0, end, unit.end)
    return gaps


def gap_of(document: DocumentText, gaps: Sequence[Gap], known: Iterable[Neighbours]) -> Place | None:
    """Return what stands between the neighbours of a parameter."""
    for before, prefix, suffix, after in known:
        for gap in gaps:
            begin, end = gap.place.begin + len(prefix), gap.place.end - len(suffix)
            if (
                begin < end
                and before in gap.before
                and after in gap.after
                and document.stream.startswith(prefix, gap.place.begin)
                and document.stream.endswith(suffix, begin, gap.place.end)
            ):
                return Place(begin, end)
    return None


class OtherValues:
    """What a parameter's values look like in a run: by it, a text in their place is known as another value."""

    def __init__(self, path: str, every: Iterable[Value], forms: Forms, found: Iterable[str]) -> None:
        own = forms.get(path, ())
        self._texts = {text for value in every for text in (value.text, *map(value.in_form, own)) if text}
        self._masks = {masked(text) for text in found}

    def has(self, text: str, value: Value) -> bool:
        """Tell whether a text is the value of another row, or a number or date in the form of such."""
        if text in self._texts:
            return text != value.text
        if value.date is None and not value.is_pure_number:
            return False
        return masked(text) in self._masks and not _is_rounded(text, value)


def _is_rounded(text: str, value: Value) -> bool:
    if value.number is None or not value.is_pure_number:
        return False
    whole = abs(value.number).quantize(Decimal(1), ROUND_HALF_UP)
    return any(number in (whole, abs(value.number)) for one in NUMBER.findall(text) for number in parsed(one))


def is_no_other_wording(printed: Sequence[tuple[str, str]]) -> bool:
    """Tell whether the texts in place of values are others, not the same in other words or another language.

    Parameters
    ----------
    printed : sequence of tuple
        The value's text and what stands in its place, by document.
    """
    wordings: Mapping[str, set[str]] = defaultdict(set)
    for wanted, text in printed:
        wordings[wanted].add(text)
        if any(map(is_cjk, wanted)) != any(map(is_cjk, text)):
            return False
    if len({text for _, text in printed}) == 1:
        return False
    is_function = all(len(texts) == 1 for texts in wordings.values())
    return not is_function or len(printed) < _REPEATED * len(wordings)
