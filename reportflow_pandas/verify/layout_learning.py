"""What a run's documents have in common, learned from themselves."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from reportflow_pandas.verify.blank_places import learn_blanks
from reportflow_pandas.verify.currencies import learn_currencies
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Forms, Sample, learned_forms
from reportflow_pandas.verify.few_documents import are_few, judge_in_few
from reportflow_pandas.verify.layout import Layout, reads
from reportflow_pandas.verify.left_out import said_of, when_left_out
from reportflow_pandas.verify.other_rows import numbers_instead, others_stand_for
from reportflow_pandas.verify.program_words import learn_program_words
from reportflow_pandas.verify.slot_learning import bind_slots, forget_cells, learn_shares
from reportflow_pandas.verify.state_words import learn_words, states_of
from reportflow_pandas.verify.table_layout import TableLayout, has_letters
from reportflow_pandas.verify.table_learning import learn_table
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.times_of_day import learn_times
from reportflow_pandas.verify.value_places import Matches, Tag
from reportflow_pandas.verify.wrong_pages import learn_pages

__all__ = ["learn"]

_OFTEN = 0.5
"""Share of documents from which a parameter counts as printed; the rest of them may be faulty."""
_OFTEN_SILENT = 0.1
"""Share of documents that may lack a parameter without anything in its place; more is the design's wish."""
_LEAST_HAVING = 4
"""Documents that have a parameter of which one alone may lack it and is faulty, however rare the parameter is."""
_HARDLY = 0.2
_LEAST_EXPLAINED = 3
_MOST_STATES = 12
"""Values of a parameter of few values."""
_FIXED_SHARE = 0.03
_UNSEEN_SHARE = 0.1
"""Of the documents that have a parameter: where more hold its value unseen, the design means it."""
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
    layout.running = _running_numbers(kept, layout.forms)
    layout.chance = _chance(kept, layout.forms, random.Random(seed))  # noqa: S311 - a sample, no secret
    bind_slots(layout, kept, own)
    for table in sorted({name for _, expected in kept for name in expected.tables}):
        own_table = TableLayout(table, forms=layout.forms, fixed=layout.fixed, running=layout.running)
        own_table.is_of_few = are_few(len(kept))
        learn_table(own_table, kept, layout.outside)
        layout.tables[table] = own_table
    spans = _learn_tags(layout, kept, own)
    forget_cells(layout, kept, own, spans)
    learn_shares(layout, kept, own, spans)
    _judge_parameters(layout, kept, own)
    learn_blanks(layout, kept, own)
    _learn_states(layout, kept, own)
    _learn_repetition(layout, own)
    layout.unseen = _unseen(kept)
    layout.timed = learn_times(kept, own)
    layout.currencies = learn_currencies(kept, own)
    learn_pages(layout, kept)
    learn_program_words(layout, kept)
    return layout


def _sound(sample: Sample, matches: Sequence[Matches]) -> list[int]:
    """Return the documents that are mostly those of their rows: another row's would teach nonsense."""
    shares = [sum(map(bool, own.places.values())) / max(1, len(own.places)) for own in matches]
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
                touched = covered.find(1, unit.begin, unit.end) >= 0
                seen[mask] = seen.get(mask, True) and touched
        for mask, touched in seen.items():
            (as_value if touched else alone)[mask] += 1
    count = len(sample)
    least = max(2, _FIXED_SHARE * count) if count >= 4 else 1
    return {mask for mask, number in alone.items() if number >= least and number >= 2 * as_value[mask]}


def _running_numbers(sample: Sample, forms: Forms) -> set[tuple[str, int]]:
    """Return the units without letters that stand at the same height of every page of several pages.

    Lines of a table that are level on their pages and have the same number are none.
    """
    everywhere: Counter[tuple[str, int]] = Counter()
    somewhere: Counter[tuple[str, int]] = Counter()
    for document, expected in sample:
        if len(document.sizes) > 1:
            pages: dict[tuple[str, int], set[int]] = defaultdict(set)
            for unit in document.units:
                if not has_letters(unit.text):
                    pages[unit.text, round(unit.box[1])].add(unit.page)
            on_all = [key for key, own in pages.items() if len(own) == len(document.sizes)]
            somewhere.update(pages.keys() - on_all)
            cells = _printed_cells(expected, forms) if on_all else ()
            everywhere.update(key for key in on_all if key[0] not in cells)
    return {key for key, number in everywhere.items() if number >= max(2, somewhere[key])}


def _printed_cells(expected: ExpectedValues, forms: Forms) -> set[str | None]:
    """Return how the cells of a document's tables are printed."""
    return {value.in_form(form) for path, value in expected.cells() for form in forms.get(path, ())}


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


def _learn_tags(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> list[list[tuple[int, int]]]:
    """Learn where a parameter's value nearly always stands, forget the other places, and return the tables'."""
    found: Counter[str] = Counter()
    tagged: dict[str, Counter[Tag]] = defaultdict(Counter)
    anchors = [layout.anchors(document, expected) for document, expected in sample]
    spans = [layout.spans(document, own) for (document, _), own in zip(sample, anchors, strict=True)]
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
    for own, tables, beginnings in zip(matches, spans, anchors, strict=True):
        own.keep(layout.usual_tags, tables)
        layout.remember(own, beginnings)
    return spans


def _judge_parameters(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
    """Decide which parameters are an alarm where they are missing."""
    layout.masks = _masks(sample, matches)
    replaced = [
        _replaced(layout, document, expected, own)
        for (document, expected), own in zip(sample, matches, strict=True)
    ]
    paths = {path for _, expected in sample for path in expected.singles}
    for path in sorted(paths):
        having = [number for number, (_, expected) in enumerate(sample) if path in expected.singles]
        if sample[having[0]][1].singles[path].is_picture:
            layout.not_judged[path] = "a picture"
        elif are_few(len(sample)):
            judge_in_few(layout, path, [(sample[number][1], matches[number]) for number in having])
        else:
            _judge_parameter(layout, path, sample, matches, replaced)


def _judge_parameter(
    layout: Layout, path: str, sample: Sample, matches: Sequence[Matches], replaced: Sequence[set[str]]
) -> None:
    """Decide whether a parameter is an alarm where it is missing; ``replaced``: where others stand for it."""
    having = [number for number, (_, expected) in enumerate(sample) if path in expected.singles]
    missing = [number for number in having if not matches[number].found(path)]
    excused = ""
    condition = when_left_out(layout, path, sample, matches, replaced)
    if condition is not None:
        layout.conditions[path] = condition
        excused = said_of(condition, path, sample, missing)
        having = [number for number in having if not condition.holds(sample[number][1])]
        missing = [number for number in missing if not condition.holds(sample[number][1])]
    mute = [number for number in missing if path not in replaced[number]]
    silent = len(mute) / max(1, len(having))
    is_choice = _is_of_one_value(path, sample, having, mute)
    share = 1 - len(missing) / max(1, len(having))
    told = f"found in {len(having) - len(missing):,} of {len(having):,} documents"
    chance = layout.chance.get(path, 0.0)
    is_known = layout.bound_share.get(path, 0) >= _OFTEN or 1 - share <= 0.5 * (1 - chance)
    is_slip = len(mute) == 1 and len(having) >= _LEAST_HAVING
    if share >= _OFTEN and is_known and (silent <= _OFTEN_SILENT or is_slip) and not is_choice:
        layout.judged.add(path)
    elif share >= _OFTEN and is_known:
        layout.judged.add(path)
        layout.by_place.add(path)
        layout.not_judged[path] = f"left out in many documents ({told}): judged only where something is printed"
    elif share <= _HARDLY:
        _judge_unknown(layout, path, [(*sample[number], matches[number]) for number in missing], told)
    else:
        layout.not_judged[path] = told if share < _OFTEN else "its values stand in most other documents as well"
    if excused:
        layout.not_judged[path] = "; ".join(filter(None, (layout.not_judged.get(path), excused)))


def _judge_unknown(
    layout: Layout, path: str, missing: Sequence[tuple[DocumentText, ExpectedValues, Matches]], told: str
) -> None:
    """Decide whether a parameter that is hardly anywhere is wrong in all documents, and say so where it may be."""
    if others := others_stand_for(layout, path, missing):
        layout.judged.add(path)
        layout.not_judged[path] = others
        return
    layout.not_judged[path] = f"printed in no form that is known, or not at all ({told})"
    if numbers := numbers_instead(layout, path, missing):
        layout.not_judged[path] += f"; {numbers}"


def _learn_states(layout: Layout, sample: Sample, matches: Sequence[Matches]) -> None:
    """Learn the words that go with values which are not printed themselves."""
    told = {*layout.not_judged, *layout.conditions}
    if not told:
        return
    seen = [
        (layout.words(own, expected), states_of(expected.singles))
        for (_, expected), own in zip(sample, matches, strict=True)
    ]
    layout.states = learn_words(seen, told)
    for name in layout.states.parameters:
        layout.not_judged.pop(name, None)
    layout.not_judged |= layout.states.doubts


def _learn_repetition(layout: Layout, matches: Sequence[Matches]) -> None:
    """Learn how often parameters stand in a document, and which do so even where their values are the same."""
    counts: dict[str, list[int]] = defaultdict(list)
    for own in matches:
        shared = {path for paths in own.shared() for path in paths}
        for path, places in own.places.items():
            if places and path not in shared:
                counts[path].append(len(places))
    layout.often = {path: sorted(all_)[len(all_) // 20] for path, all_ in counts.items()}
    kept: Counter[frozenset[str]] = Counter()
    seen: Counter[frozenset[str]] = Counter()
    for own in matches:
        for paths in own.shared():
            seen[paths] += 1
            kept[paths] += len(own.places[min(paths)]) >= sum(layout.often.get(path, 0) for path in paths)
    layout.each = {
        paths for paths, number in seen.items() if number >= _LEAST_EXPLAINED and kept[paths] >= 0.8 * number
    }


def _unseen(sample: Sample) -> set[str]:
    """Return the parameters whose values stand where no eye sees them in more than a few documents."""
    having: Counter[str] = Counter(path for _, expected in sample for path in expected.singles)
    unseen: Counter[str] = Counter()
    for document, expected in sample:
        if document.hidden:
            unseen.update(path for path, value in expected.singles.items() if document.unseen(value.text))
    return {path for path, number in unseen.items() if number > max(2, _UNSEEN_SHARE * having[path])}


def _is_of_one_value(path: str, sample: Sample, having: Sequence[int], missing: Sequence[int]) -> bool:
    """Tell whether a parameter of few values is missing where it has one of them, as currencies are left out."""
    values = {sample[number][1].singles[path].text for number in having}
    lost = {sample[number][1].singles[path].text for number in missing}
    return len(missing) > _LEAST_EXPLAINED and len(lost) == 1 < len(values) <= _MOST_STATES


def _masks(sample: Sample, matches: Sequence[Matches]) -> dict[str, set[str]]:
    """Return the units that values fill as a whole, digits hidden; those without letters are too many things."""
    masks: dict[str, set[str]] = defaultdict(set)
    for (document, _), own in zip(sample, matches, strict=True):
        for path, places in own.places.items():
            for place in places:
                unit = document.units[document.unit_at(place.begin)]
                if (unit.begin, unit.end) == place and has_letters(unit.text):
                    masks[path].add(masked(unit.text))
    return masks


def _replaced(layout: Layout, document: DocumentText, expected: ExpectedValues, own: Matches) -> set[str]:
    """Return the parameters in whose place something else stands, or nothing beside their label."""
    covered = own.covered(expected)
    looking_like = {
        path
        for path, places in own.places.items()
        if not places
        and (
            layout.stand_in(document, covered, path, expected.singles[path].text)
            or document.hides(expected.singles[path].text)
        )
    }
    texts = {masked(unit.text) for unit in document.units}
    labelled = {
        path
        for path, places in own.places.items()
        if not places and any(label in texts for label in layout.labels(path))
    }
    return (
        looking_like
        | labelled
        | {
            path
            for path, _, number, place in layout.readings(document)
            if path in own.places and not reads(document, own.places[path], number, place)
        }
    )
