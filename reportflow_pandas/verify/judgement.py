"""One document, held against its row with what was learned of the run."""

from __future__ import annotations

from collections.abc import Sequence

from reportflow_pandas.verify.blank_places import filled_blanks
from reportflow_pandas.verify.currencies import other_currencies
from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.labelled_places import exchanged, has_row_for_label, is_behind_label
from reportflow_pandas.verify.layout import Layout, reads
from reportflow_pandas.verify.line_checks import TableCheck, shown
from reportflow_pandas.verify.other_forms import is_same_number, reads_in_another_way
from reportflow_pandas.verify.program_words import program_words
from reportflow_pandas.verify.run_values import RunValues
from reportflow_pandas.verify.stand_ins import finding_for, hidden_finding, stand_in_of
from reportflow_pandas.verify.state_words import states_of
from reportflow_pandas.verify.suspicion import BOX_SIGNS, KINDS, Finding
from reportflow_pandas.verify.table_layout import has_letters
from reportflow_pandas.verify.text_forms import is_cjk, masked
from reportflow_pandas.verify.times_of_day import other_times
from reportflow_pandas.verify.value_places import Matches, is_explained
from reportflow_pandas.verify.wrong_pages import blank_pages, page_count, wrong_pages

__all__ = ["judge"]

_CERTAIN_SHARE = 0.95
_ENOUGH_DOCUMENTS = 12
_USUAL_SHARE = 0.5
_TELLING_CHANCE = 0.5


def judge(
    layout: Layout,
    run: RunValues,
    row: int,
    document: DocumentText,
    expected: ExpectedValues,
) -> list[Finding]:
    """Return what is wrong with a document.

    Parameters
    ----------
    layout, run : Layout, RunValues
        What was learned.
    row : int
        Its row.
    document, expected : DocumentText, ExpectedValues
        What is there, and what should be.
    """
    matches, anchors = layout.find(document, expected)
    findings = blank_pages(layout, document)
    pages = wrong_pages(layout, document)
    singles, missing_share = _singles(layout, run, document, expected, matches)
    if missing_share >= 0.5 and (other := run.owner(document, row)) is not None:
        return [
            *findings,
            Finding("same", found=f"this is the PDF of another row: {run.labels.get(other, other)}", page=1),
        ]
    told = {finding.parameter for finding in singles}
    unseen = _unseen(layout, document, expected, matches)
    findings += [*singles, *(finding for finding in unseen if finding.parameter not in told)]
    findings += _filled(layout, expected, matches, findings)
    told = {finding.parameter for finding in findings}
    more = [*_states(layout, document, expected, matches), *_too_seldom(layout, document, expected, matches)]
    more += other_times(layout, document, expected, matches)
    more += other_currencies(layout, document, expected, matches)
    findings += [finding for finding in more if finding.parameter not in told]
    outside = layout.outside(document) if layout.tables else ()
    for name, table in layout.tables.items():
        check = TableCheck(
            table,
            document,
            expected,
            anchors[name],
            outside=outside,
            foreign=run.line_texts,
            singles=matches.covered(expected),
        )
        findings += check.findings()
    findings += _boxes(document, expected, findings)
    if not findings:
        findings += _foreign(layout, run, document, expected, matches)
    findings += program_words(layout, document, expected)
    if not pages and not any(finding.kind == "lines" and not finding.expected for finding in findings):
        pages = page_count(layout, document, expected, is_wrong=bool(findings))  # lines too many take pages
    # a page that is missing or there twice explains what else is told
    return [*pages, *sorted(findings, key=lambda finding: -KINDS[finding.kind])]


# -- single values -------------------------------------------------------------------------------------------


_LEAST_PREFIX, _LONGEST_PREFIX = 4, 60
"""Characters of the words before a value by which a section is known."""


def _singles(
    layout: Layout, run: RunValues, document: DocumentText, expected: ExpectedValues, matches: Matches
) -> tuple[list[Finding], float]:
    """Return what is wrong with the single values, and the share of them that is nowhere."""
    wrong, is_usual = _misread(layout, document, expected, matches)
    findings: list[Finding] = []
    nowhere = asked = 0
    for path, value in expected.singles.items():
        condition = layout.conditions.get(path)
        if path not in layout.judged:
            continue
        if condition is not None and condition.holds(expected):
            if path in wrong and condition.parameter == path and _is_said(layout, document, path, wrong[path]):
                findings.append(finding_for(layout, run, matches, path, value, place=wrong[path]))
            continue
        places = matches.evidence[path]
        # what is the same in most rows says nothing about whose document it is
        if not layout.chance or layout.chance.get(path, 1.0) < _TELLING_CHANCE:
            asked += 1
            nowhere += not places and path not in layout.by_place
        if path in wrong:
            is_right = is_same_number(layout, document, wrong[path], path, value)
            if not is_right and (places or not reads_in_another_way(layout, matches, expected, path)):
                findings.append(finding_for(layout, run, matches, path, value, place=wrong[path]))
        elif not places:
            findings += _lost(layout, run, expected, matches, path)
        elif is_usual and _only_elsewhere(layout, expected, matches, path):
            findings.append(finding_for(layout, run, matches, path, value, place=None))
    return findings, nowhere / asked if asked >= 2 else float(nowhere > 0 and asked > 0)


def _is_said(layout: Layout, document: DocumentText, path: str, place: Place) -> bool:
    """Tell whether the words of a section that is left out elsewhere stand right before a value, no dash."""
    if not any(map(str.isalnum, document.stream[place.begin : place.end])):
        return False
    before = document.stream[max(0, place.begin - _LONGEST_PREFIX) : place.begin]
    words = (slot.prefix for slot in layout.slots.get(path, ()) if has_letters(slot.prefix))
    return any(len(word) >= _LEAST_PREFIX and before.endswith(word) for word in words)


def _lost(layout: Layout, run: RunValues, expected: ExpectedValues, matches: Matches, path: str) -> list[Finding]:
    """Return the finding for a value that is nowhere; none for one that a design may leave out."""
    document, value = matches.document, expected.singles[path]
    if reads_in_another_way(layout, matches, expected, path):
        return []
    if path not in layout.by_place:
        place = layout.between(matches, expected, path) or stand_in_of(layout, run, matches, expected, path)
        return [finding_for(layout, run, matches, path, value, place=place)]
    place = layout.stand_in(document, matches.covered(expected), path, value.text)
    if place is None:
        return []
    return [finding_for(layout, run, matches, path, value, place=place)]


def _misread(
    layout: Layout, document: DocumentText, expected: ExpectedValues, matches: Matches
) -> tuple[dict[str, Place], bool]:
    """Return what stands in the place of other values, and whether most of the known places are there."""
    wrong: dict[str, Place] = {}
    read: set[str] = set()
    covered = matches.covered(expected)
    readings = layout.readings(document)
    # a table's head that is repeated on the next page is followed by other lines there
    right = {
        (path, slot)
        for path, slot, number, place in readings
        if path in expected.singles and reads(document, matches.places[path], number, place)
    }
    for path, slot, number, place in readings:
        if path not in expected.singles or path not in layout.judged:
            continue
        if path in layout.by_place and layout.slot_share.get((path, slot), 0.0) < _CERTAIN_SHARE:
            continue
        if has_row_for_label(document, covered, slot, number):
            continue
        read.add(path)
        if (path, slot) in right or path in wrong:
            continue
        # another value of this row may stand there: its places are not always these
        is_certain = (path, slot) in layout.sure or _is_certain(layout, path)
        if not matches.found(path) or (is_certain and not all(covered[place.begin : place.end])):
            wrong[path] = place
    for path, _, number in layout.spotted(document):
        unit = document.units[number]
        if (
            path in layout.judged
            and path in expected.singles
            # where the line above is another one, the value may stand at another of its spots
            and len(matches.places[path]) < max(1, layout.often.get(path, 1))
            and not reads(document, matches.places[path], number, Place(unit.begin, unit.end))
            and not is_explained(document, covered, unit.begin, unit.end)
        ):
            wrong.setdefault(path, Place(unit.begin, unit.end))
    unlike = [reading for reading in readings if reading[:2] not in right]
    for path, place in exchanged(layout, unlike, matches):
        wrong.setdefault(path, place)
    certain = [path for path in expected.singles if _is_certain(layout, path)]
    return wrong, sum(path in read for path in certain) > _USUAL_SHARE * len(certain)


def _is_certain(layout: Layout, path: str) -> bool:
    """Tell whether each of a parameter's places has to hold it: it is known by place in nearly all documents."""
    return len(layout.page_counts) >= _ENOUGH_DOCUMENTS and layout.bound_share.get(path, 0.0) >= _CERTAIN_SHARE


def _only_elsewhere(layout: Layout, expected: ExpectedValues, matches: Matches, path: str) -> bool:
    """Tell whether a value stands only where it may by chance, or for another one, though its place is known."""
    if len(layout.page_counts) < _ENOUGH_DOCUMENTS:
        return False
    text = expected.singles[path].text
    is_long = len(text) > 4 or (len(text) > 2 and all(map(is_cjk, text)))
    is_telling = is_long and layout.chance.get(path, 0.0) < 0.02
    by_chance = layout.bound_share.get(path, 0.0) >= _CERTAIN_SHARE and not is_telling
    if not by_chance and path not in layout.apart:
        return False
    if layout.is_placed(path, matches.document, matches.places[path]) or is_behind_label(
        layout, matches, path, expected
    ):
        return False
    return by_chance or matches.is_of_others(path, expected)


def _unseen(layout: Layout, document: DocumentText, expected: ExpectedValues, matches: Matches) -> list[Finding]:
    """Return values that are not judged and stand in the file where no eye sees them, as they do in few others."""
    if not document.hidden:
        return []
    return [
        hidden_finding(document, path, value, unit)
        for path, value in expected.singles.items()
        if not matches.places[path] and path not in layout.unseen
        if path in layout.by_place or not layout.asks_for(path, expected)
        if (unit := document.unseen(value.text)) is not None
    ]


def _filled(
    layout: Layout, expected: ExpectedValues, matches: Matches, findings: Sequence[Finding]
) -> list[Finding]:
    """Return what stands in the places of values that the row does not have, and is told of no other one."""
    document = matches.document
    told = {mark for finding in findings for mark in finding.marks}
    return [
        Finding.at(
            "foreign",
            document,
            [place],
            parameter=path,
            found=f"{document.raw(place.begin, place.end)} stands there, and the row has nothing",
        )
        for path, place in filled_blanks(layout, matches, expected).items()
        if told.isdisjoint(document.marks(place))
    ]


def _states(layout: Layout, document: DocumentText, expected: ExpectedValues, matches: Matches) -> list[Finding]:
    """Return values that are not printed themselves and whose words are not there, or are others'."""
    if not layout.states.words:
        return []
    words = layout.words(matches, expected)
    findings = []
    for name, word in layout.states.contradictions(words, states_of(expected.singles)):
        value = expected.singles.get(name)
        places = [words[word]] if word is not None else []
        findings.append(
            Finding.at(
                "missing",
                document,
                places,
                parameter=name,
                expected=shown(value) if value is not None else "blank",
                found=document.raw(*places[0]) if places else "",
            )
        )
    return findings


def _too_seldom(
    layout: Layout, document: DocumentText, expected: ExpectedValues, matches: Matches
) -> list[Finding]:
    """Return parameters of one and the same value that stands there less often than each of them needs."""
    findings = []
    for paths in matches.shared():
        places = matches.places[min(paths)]
        if paths in layout.each and len(places) < sum(layout.often.get(path, 0) for path in paths):
            findings.append(
                Finding.at(
                    "missing",
                    document,
                    [],
                    parameter=" or ".join(sorted(paths)),
                    expected=shown(expected.singles[min(paths)]),
                    found="it stands there only once"
                    if len(places) == 1
                    else f"it stands there only {len(places)} times",
                )
            )
    return findings


# -- texts of others -----------------------------------------------------------------------------------------


def _foreign(
    layout: Layout, run: RunValues, document: DocumentText, expected: ExpectedValues, matches: Matches
) -> list[Finding]:
    """Return values of other rows that stand where nothing of this one does."""
    covered = matches.covered(expected)
    found = []
    for unit in document.units:
        if covered.find(1, unit.begin, unit.end) >= 0 or masked(unit.text) in layout.fixed:
            continue
        owner = run.owners.get(unit.text)
        if (
            owner is not None
            and owner[0] in layout.judged
            and owner[0] in expected.blanks
            and has_letters(unit.text)
        ):
            found.append(
                Finding.at(
                    "foreign",
                    document,
                    [Place(unit.begin, unit.end)],
                    parameter=owner[0],
                    found=f"{unit.raw} stands there, and the row has nothing",
                )
            )
    return found


def _boxes(document: DocumentText, expected: ExpectedValues, findings: Sequence[Finding]) -> list[Finding]:
    """Return boxes in place of letters, where no value of the row has such a sign."""
    if any(finding.kind == "glyph" for finding in findings):
        return []
    if not any(sign in document.stream for sign in BOX_SIGNS):
        return []
    every = "".join(value.text for value in expected.singles.values()) + "".join(
        value.text for _, value in expected.cells()
    )
    found = []
    for unit in document.units:
        sign = next((box for box in BOX_SIGNS if box in unit.text), None)
        if sign is not None and sign not in every:
            place = Place(unit.begin, unit.end)
            found.append(Finding.at("glyph", document, [place], found=unit.raw))
    return found[:5]
