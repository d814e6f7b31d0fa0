"""What stands in place of a value that is not where it should be, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.expected_values import ExpectedValues, Value
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.line_checks import shown
from reportflow_pandas.verify.run_values import RunValues
from reportflow_pandas.verify.suspicion import BOX_SIGNS, Finding
from reportflow_pandas.verify.table_layout import NUMBER, has_letters, parsed
from reportflow_pandas.verify.text_forms import is_cjk, masked
from reportflow_pandas.verify.value_places import Matches, overlaps

__all__ = ["finding_for", "hidden_finding", "stand_in_of"]

_LIKENESS = 0.75


def stand_in_of(
    layout: Layout, run: RunValues, matches: Matches, expected: ExpectedValues, path: str
) -> Place | None:
    """Return what probably stands in place of a value that is nowhere: its beginning, or what nothing explains."""
    document, value = matches.document, expected.singles[path]
    if _is_of_digits(value):
        return _in_same_shape(layout, run, matches, expected, path)
    for size in range(len(value.text) - 1, max(2, len(value.text) // 3), -1):
        place = next(document.places(value.text[:size]), None)
        if place is not None:
            return _with_rest(document, matches.covered(expected), place)
    taken = [place for places in matches.places.values() for place in places]
    best, found = _LIKENESS, None
    for unit in document.units:
        owner = run.owners.get(unit.text)
        is_others = owner is not None and owner[0] == path
        if masked(unit.text) in layout.fixed and not is_others:
            continue
        likeness = 1.0 if is_others else _likeness(unit.text, value.text)
        if likeness > best and not overlaps(taken, unit.begin, unit.end):
            best, found = likeness, Place(unit.begin, unit.end)
    return found


def _is_of_digits(value: Value) -> bool:
    """Tell whether a value is a number, a date or mostly digits: a few of them stand anywhere by chance."""
    signs = [char for char in value.text if char.isalnum()]
    return value.number is not None or value.date is not None or 2 * sum(map(str.isdigit, signs)) > len(signs)


def _with_rest(document: DocumentText, covered: bytearray, place: Place) -> Place:
    """Return the beginning of a value with the words that stand in place of its end."""
    end = document.units[document.unit_at(place.begin)].end
    if place.end >= end or not document.stream[place.end].isalnum() or is_cjk(document.stream[place.end]):
        return place
    after = covered.find(1, place.end, end)
    rest = document.stream[place.end : after if after >= 0 else end].rstrip(",.;:")
    return Place(place.begin, place.end + len(rest))


def _in_same_shape(
    layout: Layout, run: RunValues, matches: Matches, expected: ExpectedValues, path: str
) -> Place | None:
    """Return the one text that nothing explains and that has a value's shape, its digits aside."""
    document, value, covered = matches.document, expected.singles[path], matches.covered(expected)
    texts = {value.text, *map(value.in_form, layout.forms.get(path, ()))} - {""}
    shapes = set(map(masked, texts))
    free = [unit for unit in document.units if covered.find(1, unit.begin, unit.end) < 0]
    own = [unit for unit in free if (owner := run.owners.get(unit.text)) is not None and owner[0] == path]
    if not own:
        own = [unit for unit in free if masked(unit.text) in shapes and masked(unit.text) not in layout.fixed]
    if not own and value.is_pure_number:
        own = [unit for unit in free if not has_letters(unit.text) and len(NUMBER.findall(unit.text)) == 1]
    if len(own) > 1:
        own = [max(own, key=lambda unit: max(_likeness(unit.text, text) for text in texts))]
    return Place(own[0].begin, own[0].end) if own else None


def _likeness(one: str, other: str) -> float:
    """Return the share of characters that two texts have in common."""
    if abs(len(one) - len(other)) > max(len(one), len(other)) // 2:
        return 0.0
    common = sum((Counter(one) & Counter(other)).values())
    return common / max(len(one), len(other), 1)


def finding_for(
    layout: Layout, run: RunValues, matches: Matches, path: str, value: Value, *, place: Place | None
) -> Finding:
    """Return the finding for a value that is not where it should be, by what stands there."""
    document = matches.document
    if place is None or _is_only_place_of_another(matches, path, place):
        hidden = next((unit for unit in document.hidden if unit.text and unit.text in value.text), None)
        if hidden is not None:
            return hidden_finding(document, path, value, hidden)
        labels = list(_labels(layout, document, path))
        return Finding.at("missing", document, labels[:1], parameter=path, expected=shown(value))
    text = document.stream[place.begin : place.end]
    found = document.raw(place.begin, place.end)
    kind = "missing"
    if any(sign in text for sign in BOX_SIGNS):
        kind = "glyph"
    elif _is_cut(value, text):
        kind = "cut"
    else:
        owner = run.owners.get(text)
        is_own = value.number is not None and abs(value.number) in parsed(text)  # with another sign
        if owner is not None and owner[0] == path and not is_own:
            kind = "foreign"
    return Finding.at(kind, document, [place], parameter=path, expected=shown(value), found=found)


def _is_cut(value: Value, text: str) -> bool:
    """Tell whether a text is the beginning of a value; of a date or a number it is another one."""
    if len(text) < 2 or text == value.text or not value.text.startswith(text.rstrip(".…")):
        return False
    return value.number is None and value.date is None


def _is_only_place_of_another(matches: Matches, path: str, place: Place) -> bool:
    """Tell whether another value has its only place here and stands for itself: nothing stands for this one."""
    return not matches.found(path) and any(
        len(places) == 1 and other != path and places[0].begin <= place.begin and place.end <= places[0].end
        for other, places in matches.places.items()
    )


def _labels(layout: Layout, document: DocumentText, path: str) -> Iterator[Place]:
    """Yield the labels of the places that belong to a parameter."""
    labels = {slot.previous for slot in layout.slots.get(path, ())} - {"", "*"}
    for number, unit in enumerate(document.units):
        if document.mask(number) in labels:
            yield Place(unit.begin, unit.end)


def hidden_finding(document: DocumentText, path: str, value: Value, hidden: Unit) -> Finding:
    """Return the finding for a value that is in the file and that no eye sees."""
    seen = next((unit for unit in document.units if unit.text and value.text.startswith(unit.text)), None)
    places = [Place(seen.begin, seen.end)] if seen is not None else []
    found = seen.raw if seen is not None else "it is there, and nothing of it can be seen"
    finding = Finding.at("cut", document, places, parameter=path, expected=shown(value), found=found)
    return (
        finding
        if places
        else Finding("cut", path, shown(value), found, hidden.page + 1, ((hidden.page, hidden.box),))
    )
