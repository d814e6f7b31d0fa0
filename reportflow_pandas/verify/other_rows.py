"""A column that is wrong in all documents: other rows' values stand in them, or numbers that no column has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Unit
from reportflow_pandas.verify.expected_values import ExpectedValues, Form, Value
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.table_layout import NUMBER, has_letters, parsed
from reportflow_pandas.verify.value_places import Matches

__all__ = ["numbers_instead", "others_stand_for"]

Having = Sequence[tuple[DocumentText, ExpectedValues, Matches]]

_MOST_DOCUMENTS = 60
_SHARE = 0.8
"""Of the documents: in so many another row's value has to stand, or a number."""
_LEAST_TEXTS = 3
_SHORTEST = 4
"""Characters of a value that no document has by chance."""
_MOST_OWNERS = 2
"""Rows of one value: what more rows have tells little of whose it is."""
_MOST_LABELS = 2
_SIGNS = "$¥€£-\u2212"


def others_stand_for(layout: Layout, path: str, having: Having) -> str:
    """Return what is said of a parameter where other rows' values stand in nearly all documents.

    Its form is learned from these: it is printed, though in none of the documents that should have it.

    Parameters
    ----------
    layout : Layout
        Is told the form.
    path : str
        The parameter.
    having : sequence of tuple
        The documents whose rows have it, what they should show, and where that stands.
    """
    having = having[:_MOST_DOCUMENTS]
    owners: dict[str, set[str]] = defaultdict(set)
    forms: dict[str, tuple[Form, ...]] = {}
    rows: Counter[str] = Counter()
    for _, expected, _ in having:
        value = expected.singles[path]
        rows[value.text] += 1
        for text, how in _texts(value):
            owners[text].add(value.text)
            forms[text] = forms.get(text, ()) + how
    telling = {text for text, own in owners.items() if sum(rows[one] for one in own) <= _MOST_OWNERS}
    hits: list[str] = []
    for document, expected, own in having:
        wanted = expected.singles[path].text
        free = (text for unit in _free(document, own, expected) for text in (unit.text, unit.text.strip(_SIGNS)))
        hits += [text for text in dict.fromkeys(free) if text in telling and wanted not in owners[text]][:1]
    if len(hits) < _SHARE * len(having) or len(set(hits)) < _LEAST_TEXTS:
        return ""
    counted = Counter(form for text in hits for form in dict.fromkeys(forms[text]))
    layout.forms[path] = [form for form, _ in counted.most_common(1)]
    return f"printed, but other rows' values stand there (in {len(hits):,} of {len(having):,} documents)"


def _texts(value: Value) -> Iterator[tuple[str, tuple[Form, ...]]]:
    for text, forms in value.likely_forms().items():
        if len(text) >= _SHORTEST and not all(map(value.loses, forms)):
            yield text, forms


def _is_number(text: str) -> bool:
    found = NUMBER.findall(text)
    return len(found) == 1 and bool(parsed(found[0]))  # a date is none


def _free(document: DocumentText, own: Matches, expected: ExpectedValues) -> Iterator[Unit]:
    """Yield the units of which no value of the row explains anything."""
    covered = own.covered(expected)
    for unit in document.units:
        if covered.find(1, unit.begin, unit.end) < 0:
            yield unit


def numbers_instead(layout: Layout, path: str, having: Having) -> str:
    """Return after which labels numbers stand that no value of the row explains, for one that is nowhere."""
    having = having[:_MOST_DOCUMENTS]
    if not all(expected.singles[path].is_pure_number for _, expected, _ in having):
        return ""
    after: dict[str, list[str]] = defaultdict(list)
    said: dict[str, str] = {}
    for document, expected, own in having:
        here: dict[str, str] = {}
        for unit in _free(document, own, expected):
            number = document.unit_at(unit.begin)
            label = document.mask(number - 1)
            if label in layout.fixed and not has_letters(unit.text) and _is_number(unit.text):
                here.setdefault(label, unit.text)
                said[label] = document.units[number - 1].raw
        for label, text in here.items():
            after[label].append(text)
    labels = [
        said[label]
        for label, texts in sorted(after.items(), key=lambda item: -len(item[1]))
        if len(texts) >= _SHARE * len(having) and len(set(texts)) >= _LEAST_TEXTS
    ]
    if not labels:
        return ""
    told = " and ".join(repr(label) for label in labels[:_MOST_LABELS])
    return f"after {told} stand numbers that no column has: it may be wrong in all documents"
