"""When a design leaves a parameter out, and when something else stands in its place."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Sample
from reportflow_pandas.verify.layout import Condition, Layout
from reportflow_pandas.verify.own_place import OtherValues, is_no_other_wording, neighbours_of
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import Matches

__all__ = ["said_of", "when_left_out"]

_RARELY = 0.98
_LEAST_EXPLAINED = 3
_NEARLY_ALL = 0.9
_FEW_VALUES = 3
"""Of a parameter in all documents that show it: whether others are printed as they are is not known."""
_MOST_STATES = 12
"""Of a parameter that tells when another one is left out."""
_MOST_SHOWN = 4
_REPLACED_SHARE = 0.8
"""Of the documents in which a parameter seems left out: if more have another text there, none is left out."""


def when_left_out(
    layout: Layout, path: str, sample: Sample, matches: Sequence[Matches], replaced: Sequence[set[str]]
) -> Condition | None:
    """Return when a parameter is left out, and note the documents in which another value stands in its place."""
    having = [number for number, (_, expected) in enumerate(sample) if path in expected.singles]
    missing = [number for number in having if not matches[number].found(path)]
    if _LEAST_EXPLAINED <= len(missing) < _RARELY * len(having):
        condition, others = _left_out(layout, path, sample, matches, having)
        for number in others:
            replaced[number].add(path)
        return condition or _zeros(path, sample, having, missing)
    choice = _unknown_choice(path, sample, having, [n for n in missing if path not in replaced[n]])
    return choice or _zeros(path, sample, having, missing)


def _zeros(path: str, sample: Sample, having: Sequence[int], missing: Sequence[int]) -> Condition | None:
    """Return that a parameter is left out, or a dash, where it is zero: if hardly any zero is printed as one."""
    zeros = {number for number in having if sample[number][1].singles[path].number == 0}
    lost = zeros.intersection(missing)
    if not lost or len(lost) < _NEARLY_ALL * len(zeros) or len(missing) == len(having):
        return None
    return Condition(path, frozenset(sample[number][1].singles[path].text for number in lost))


def said_of(condition: Condition, path: str, sample: Sample, missing: Sequence[int]) -> str:
    """Return what is said of documents in which a parameter is left out."""
    name, lost = condition.parameter, [n for n in missing if condition.holds(sample[n][1])]
    values = {
        "blank" if value is None else str(value.raw)
        for number in lost
        for value in [sample[number][1].singles.get(name)]
    }
    shown = sorted(values)[:_MOST_SHOWN] + (["others"] if len(values) > _MOST_SHOWN else [])
    where = "it" if name == path else name
    having = sum(path in expected.singles for _, expected in sample)
    return f"not judged where {where} is {' or '.join(shown)}: left out in {len(lost):,} of {having:,} documents"


def _unknown_choice(path: str, sample: Sample, having: Sequence[int], missing: Sequence[int]) -> Condition | None:
    """Return the values of a parameter of few values that no document shows: it may print a sign for them."""
    shown = Counter(sample[number][1].singles[path].text for number in having if number not in missing)
    lost = {sample[number][1].singles[path].text for number in missing} - shown.keys()
    is_choice = len(shown) <= _FEW_VALUES and shown.total() > len(shown)
    return Condition(path, frozenset(lost)) if lost and is_choice else None


def _left_out(
    layout: Layout, path: str, sample: Sample, matches: Sequence[Matches], having: Sequence[int]
) -> tuple[Condition | None, set[int]]:
    """Return when a parameter is left out, and the documents in which another value stands in its place."""
    found = [(*sample[number], matches[number]) for number in having if matches[number].found(path)]
    missing = {number for number in having if not matches[number].found(path)}
    layout.neighbours[path] = neighbours_of(path, found, layout.fixed)
    printed = (
        document.stream[place.begin : place.end] for document, _, own in found for place in own.evidence[path]
    )
    others = OtherValues(path, (sample[number][1].singles[path] for number in having), layout.forms, printed)
    texts = {number: list(_in_place(layout, *sample[number], matches[number], path)) for number in sorted(missing)}
    wrong = {
        number
        for number, own in texts.items()
        if any(others.has(text, sample[number][1].singles[path]) for text, _ in own)
    }
    condition = _condition(sample, having, missing - wrong)
    # where nothing explains them, those in whose place another row's value stands tell of the others as well
    group = {n for n in missing - wrong if condition.holds(sample[n][1])} if condition else missing
    alone = {number: text for number in group for text, is_alone in texts[number][:1] if is_alone}
    told = [(sample[number][1].singles[path].text, text) for number, text in alone.items()]
    if told and len(alone) >= _REPLACED_SHARE * len(group) and is_no_other_wording(told):
        wrong |= alone.keys()
        condition = _condition(sample, having, missing - wrong)
    return condition, wrong


def _in_place(
    layout: Layout, document: DocumentText, expected: ExpectedValues, own: Matches, path: str
) -> Iterator[tuple[str, bool]]:
    """Yield what stands in a missing value's places, and whether it is no part of another value nor fixed text."""
    covered = own.covered(expected)
    places = [place for other, _, _, place in layout.readings(document) if other == path]
    if (gap := layout.between(own, expected, path)) is not None:
        places.append(gap)
    for begin, end in places:
        if covered.find(0, begin, end) >= 0:
            text = document.stream[begin:end]
            yield text, covered.find(1, begin, end) < 0 and masked(text) not in layout.fixed


def _condition(sample: Sample, having: Sequence[int], missing: set[int]) -> Condition | None:
    """Return the values of one parameter that explain nearly all documents in which another is missing."""
    if len(missing) < _LEAST_EXPLAINED or len(having) < 8:
        return None
    best: tuple[float, Condition] | None = None
    names = {name for number in missing for name in (*sample[number][1].singles, *sample[number][1].blanks)}
    for name in sorted(names):
        states: dict[str | None, list[int]] = defaultdict(list)
        for number in having:
            value = sample[number][1].singles.get(name)
            states[None if value is None else value.text].append(number)
        if len(states) > _MOST_STATES:
            states = defaultdict(list, {None: states[None]} if None in states else {})
        guilty = {
            text: numbers
            for text, numbers in states.items()
            if len(numbers) >= _LEAST_EXPLAINED and len(missing.intersection(numbers)) >= 0.9 * len(numbers)
        }
        inside = {number for numbers in guilty.values() for number in numbers}
        explained = len(inside & missing)
        if explained >= 0.9 * len(missing) and len(inside) < len(having):
            score = explained / len(inside | missing)
            if best is None or score > best[0]:
                best = (score, Condition(name, frozenset(guilty)))
    return best[1] if best else None
