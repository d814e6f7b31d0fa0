"""What a run's documents have in common, learned from themselves."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Forms, learned_forms
from reportflow_pandas.verify.layout import Condition, Layout, Slot, reads, slot_of
from reportflow_pandas.verify.table_layout import TableLayout, has_letters
from reportflow_pandas.verify.table_learning import learn_table
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import Matches, Tag

__all__ = ["learn"]

Sample = Sequence[tuple[DocumentText, ExpectedValues]]

_USUALLY = 0.8
"""Share of documents from which a parameter counts as printed; the rest of them may be faulty."""
_HARDLY = 0.2
_BOUND = 0.85
"""Share of its readings from which a slot belongs to a parameter."""
_FIXED_SHARE = 0.02
_EMPTY_SHARE = 0.3
"""Of the documents: where so many have a page without text, the design means it."""
_USUAL_TAG = 0.93
_MOST_LINES = 80
"""Of a document from which fixed text is learned."""
_PAIRS = 40
"""Of documents by which chance is measured."""


def learn(sample: Sample, *, seed: int = 0) -> Layout:
    """Return what the documents of a sample have in common.

    Parameters
    ----------
    sample : sequence of tuple
        Texts of documents, and what they should show. Some of them may be faulty.
    seed : int
        Of the pairs of documents by which chance is measured.
    """
    layout = Layout(forms=learned_forms(sample))
    matches = [Matches(document, expected, layout.forms) for document, expected in sample]
    sound = _sound(sample, matches)
    kept = [sample[number] for number in sound]
    own = [matches[number] for number in sound]
    layout.fixed = _fixed_units(kept, own)
    layout.running = _running_numbers(document for document, _ in kept)
    layout.chance = _chance(kept, layout.forms, random.Random(seed))  # noqa: S311 - a sample, no secret
    _bind_slots(layout, kept, own)
    for table in sorted({name for _, expected in kept for name in expected.tables}):
        own_table = TableLayout(table, forms=layout.forms, fixed=layout.fixed, running=layout.running)
        learn_table(own_table, kept, layout.outside)
        layout.tables[table] = own_table
    _learn_tags(layout, kept, own)
    _judge_parameters(layout, kept, own)
    empty = sum(bool(layout.empty_pages(document)) for document, _ in kept)
    layout.has_empty_pages = empty > _EMPTY_SHARE * len(kept)
    layout.page_counts = sorted((expected.size, len(document.sizes)) for document, expected in kept)
    return layout


def _sound(sample: Sample, matches: Sequence[Matches]) -> list[int]:
    """Return the documents that are mostly those of their rows: another row's would teach nonsense."""
    shares = [sum(map(bool, one.places.values())) / max(1, len(one.places)) for one in matches]
    typical = sorted(shares)[len(shares) // 2] if shares else 0.0
    sound = [number for number, share in enumerate(shares) if share >= 0.6 * typical]
    return sound if len(sound) >= len(sample) // 3 else list(range(len(sample)))


def _fixed_units(sample: Sample, matches: Sequence[Matches]) -> set[str]:
    """Return the units that stand in many documents without being a value of theirs."""
    tractable = [
        number
        for number, (_, expected) in enumerate(sample)
        if sum(map(len, expected.tables.values())) <= _MOST_LINES
    ]
    if len(tractable) >= min(4, len(sample)):
        # in longer ones the pieces of broken cells would look like fixed text
        sample, matches = [sample[number] for number in tractable], [matches[number] for number in tractable]
    alone: Counter[str] = Counter()
    as_value: Counter[str] = Counter()
    for (document, expected), own in zip(sample, matches, strict=True):
        covered = own.covered(expected)
        seen: dict[str, bool] = {}
        for unit in document.units:
            mask = masked(unit.text)
            if has_letters(mask):
                touched = any(covered[unit.begin : unit.end])
                seen[mask] = seen.get(mask, True) and touched
        for mask, touched in seen.items():
            (as_value if touched else alone)[mask] += 1
    count = len(sample)
    least = max(2, _FIXED_SHARE * count) if count >= 4 else 1
    return {mask for mask, number in alone.items() if number >= least and number >= as_value[mask] * 0.5}


def _running_numbers(documents: Iterable[DocumentText]) -> set[tuple[str, int]]:
    """Return the units without letters that stand at the same height of every page of several pages."""
    everywhere: Counter[tuple[str, int]] = Counter()
    somewhere: Counter[tuple[str, int]] = Counter()
    for document in documents:
        if len(document.sizes) > 1:
            pages: dict[tuple[str, int], set[int]] = defaultdict(set)
            for unit in document.units:
                if not has_letters(unit.text):
                    pages[unit.text, round(unit.box[1])].add(unit.page)
            for key, own in pages.items():
                (everywhere if len(own) == len(document.sizes) else somewhere)[key] += 1
    return {key for key, number in everywhere.items() if number >= max(2, somewhere[key])}


def _chance(sample: Sample, forms: Forms, rng: random.Random) -> dict[str, float]:
    """Return how often a value of another row stands in a document by chance."""
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    if len(sample) < 3:
        return {}
    for _ in range(_PAIRS):
        (document, expected), (_, other) = rng.sample(sample, 2)
        for path, value in other.singles.items():
            own = expected.singles.get(path)
            if own is not None and own.text != value.text:
                tried[path] += 1
                found[path] += bool(value.find(document, forms.get(path, [])))
    return {path: found[path] / count for path, count in tried.items()}


def _bind_slots(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
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


def _learn_tags(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
    """Learn where in a document a parameter's value nearly always stands, and forget the other places."""
    found: Counter[str] = Counter()
    tagged: dict[str, Counter[Tag]] = defaultdict(Counter)
    spans = [layout.spans(layout.anchors(document, expected)) for document, expected in sample]
    for own, tables in zip(matches, spans, strict=True):
        for path in own.places:
            tags = {tag for _, tag in own.tags(path, tables)}
            found[path] += bool(tags)
            tagged[path].update(tags)
    for path, counts in tagged.items():
        usual = {tag for tag, number in counts.items() if number >= _USUAL_TAG * found[path]}
        if usual:
            # a document without its table has no "before"
            layout.usual_tags[path] = usual | {(nested, "") for nested, _ in usual}
    for own, tables in zip(matches, spans, strict=True):
        own.keep(layout.usual_tags, tables)


def _judge_parameters(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
    """Decide which parameters are an alarm where they are missing."""
    paths = {path for _, expected in sample for path in expected.singles}
    for path in sorted(paths):
        having = [number for number, (_, expected) in enumerate(sample) if path in expected.singles]
        first = sample[having[0]][1].singles[path]
        if first.is_picture:
            layout.not_judged[path] = "a picture"
            continue
        missing = [number for number in having if not matches[number].found(path)]
        share = 1 - len(missing) / len(having)
        condition = _condition(path, sample, having, set(missing)) if missing and share > 0.02 else None
        if condition is not None:
            layout.conditions[path] = condition
            having = [number for number in having if not condition.holds(sample[number][1])]
            missing = [number for number in missing if not condition.holds(sample[number][1])]
            share = 1 - len(missing) / max(1, len(having))
        chance = layout.chance.get(path, 0.0)
        if layout.bound_share.get(path, 0) >= _USUALLY or (share >= _USUALLY and 1 - share <= 0.5 * (1 - chance)):
            layout.judged.add(path)
        elif share <= _HARDLY:
            layout.not_judged[path] = (
                f"printed in no form that is known, or not at all (found in {len(having) - len(missing):,} of "
                f"{len(having):,} documents)"
            )
        elif share >= _USUALLY:
            layout.not_judged[path] = "its values stand in most other documents as well"
        else:
            layout.not_judged[path] = f"found in {len(having) - len(missing):,} of {len(having):,} documents only"


def _condition(path: str, sample: Sample, having: list[int], missing: set[int]) -> Condition | None:
    """Return the one parameter that explains nearly all documents in which another is missing."""
    if len(missing) < 3 or len(having) < 8:
        return None
    best: tuple[float, Condition] | None = None
    names = {name for number in missing for name in (*sample[number][1].singles, *sample[number][1].blanks)}
    for name in names - {path}:
        states = {number: sample[number][1].singles.get(name) for number in having}
        texts = {None if value is None else value.text for value in states.values()}
        if len(texts) > 12 and not any(value is None for value in states.values()):
            continue
        for text in texts if len(texts) <= 12 else {None}:
            inside = {number for number, value in states.items() if (value.text if value else None) == text}
            if len(inside) == len(having) or not inside:
                continue
            explained = len(inside & missing)
            if explained >= 0.9 * len(inside) and explained >= 0.9 * len(missing):
                score = explained / len(inside | missing)
                if best is None or score > best[0]:
                    best = (score, Condition(name, text))
    return best[1] if best else None
