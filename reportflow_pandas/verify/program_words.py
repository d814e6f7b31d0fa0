"""Words of programs in a document: ``undefined`` where a value should be, or a template's ``{{Name}}``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Sample
from reportflow_pandas.verify.few_documents import are_few
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.suspicion import Finding

__all__ = ["learn_program_words", "program_words"]

_WORDS = re.compile(
    r"(?<!\w)(?:NaN|NaT|undefined|null|None)(?!\w)|\[object \w+\]|<NA>|"
    r"#(?:REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|N/A)|\{\{[^{}]{0,60}\}\}|\$\{[^{}]{1,60}\}"
)
_LIKELY = re.compile(r"nan|nat|undefined|null|none|\[obj|<na>|#(?:ref|value|div|name|num|n/a)|\{\{|\$\{")
"""As texts are kept, in small letters and without spaces: most documents have none of them."""
_OF_A_LANGUAGE = ("null", "None")
"""Words that a design may print on purpose: of these one document's alone is told."""
_USUAL_SHARE = 0.5
_ENOUGH = 12


def learn_program_words(layout: Layout, sample: Sample) -> None:
    """Learn which words of programs stand in documents, and in how many."""
    counted = Counter(word for document, _ in sample for word in {word for word, _ in _found(document)})
    few = are_few(len(sample))
    layout.program_words = {
        word
        for word, number in counted.items()
        if (number > 1 or len(sample) < _ENOUGH if word in _OF_A_LANGUAGE else number > _USUAL_SHARE * len(sample))
        and not (few and word not in _OF_A_LANGUAGE)
    }


def _found(document: DocumentText) -> Iterator[tuple[str, Place]]:
    if _LIKELY.search(document.stream) is None:
        return
    for unit in document.units:
        for found in _WORDS.finditer(unit.raw):
            yield found[0], Place(unit.begin, unit.end)


def program_words(layout: Layout, document: DocumentText, expected: ExpectedValues) -> list[Finding]:
    """Return words of programs that few other documents have, and that are no text of the row."""
    found = {word: place for word, place in _found(document) if word not in layout.program_words}
    if not found:
        return []
    texts = [str(value.raw) for value in expected.singles.values()]
    texts += [str(value.raw) for _, value in expected.cells()]
    return [
        Finding.at("missing", document, [place], found=f"{document.raw(*place)}: {word} is a word of a program")
        for word, place in found.items()
        if not any(word in text for text in texts)
    ]
