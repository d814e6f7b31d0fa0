"""Whether a value stands in a document in another form than those that the run taught."""

from __future__ import annotations

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Value
from reportflow_pandas.verify.few_documents import are_few, is_hardly_printed, reads_otherwise
from reportflow_pandas.verify.form_slips import contradicts
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.number_signs import signs_agree
from reportflow_pandas.verify.table_layout import NUMBER, parsed
from reportflow_pandas.verify.value_places import Matches

__all__ = ["is_same_number", "reads_in_another_way"]

_ENOUGH_DOCUMENTS = 12
_LEAST_LETTERS = 6


def is_same_number(layout: Layout, document: DocumentText, place: Place, path: str, value: Value) -> bool:
    """Tell whether what stands in a place is the same number with its sign, with more zeros."""
    found = list(NUMBER.finditer(document.stream, place.begin, place.end))
    if value.number is None or len(found) != 1 or abs(value.number) not in parsed(found[0][0]):
        return False
    if is_known(layout) and contradicts(value, found[0][0], layout.forms.get(path, ())):
        return False
    return signs_agree(layout.sign_kind(path), value.number, document, Place(*found[0].span()))


def is_known(layout: Layout) -> bool:
    """Tell whether a run has enough documents to tell that it has no other forms."""
    return len(layout.page_counts) >= _ENOUGH_DOCUMENTS


def reads_in_another_way(layout: Layout, matches: Matches, expected: ExpectedValues, path: str) -> bool:
    """Tell whether a value stands there in another way than was learned, or need not stand there."""
    if _in_another_form(layout, matches, expected, path):
        return True
    value = expected.singles[path]
    return are_few(len(layout.page_counts)) and (
        is_hardly_printed(value) or reads_otherwise(matches.document, value, matches.covered(expected))
    )


def _in_another_form(layout: Layout, matches: Matches, expected: ExpectedValues, path: str) -> bool:
    """Tell whether a value stands there in a form that the run did not teach, one long enough to be no chance.

    A line of a table that has the same date, in the form of its column, is no place of it.
    """
    document, value = matches.document, expected.singles[path]
    if value.date is None and (value.number is None or abs(value.number) < 1000):
        return False
    covered, kind = matches.covered(expected), layout.sign_kind(path)
    known = layout.forms.get(path) if is_known(layout) else None
    return any(
        len(text) >= _LEAST_LETTERS
        and not (known and contradicts(value, text, known))
        and not any(value.loses(form) for form in forms)
        and any(
            covered.find(0, place.begin, place.end) >= 0
            and (value.number is None or signs_agree(kind, value.number, document, place))
            for place in document.places(text)
        )
        for text, forms in (value.likely_forms() | value.other_forms(document)).items()
    )
