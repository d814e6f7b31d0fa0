"""Runs of few documents: too few to learn from them whether a design prints a value at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reportflow_pandas.printable import counted
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Value
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.value_places import Matches

__all__ = ["are_few", "is_hardly_printed", "judge_in_few", "reads_otherwise"]

_FEW = 3
_LONGEST_CODE = 3
_LEAST_LETTERS = 6
"""Of a text that is looked for without its signs: a shorter one stands anywhere by chance."""
_LEAST_NUMBER = 4
_ADDRESS = re.compile(
    r"(?:[a-z]+://|www\.|data:)\S+|#[0-9a-f]{3,8}|[\w./\\-]+\.(?:png|jpe?g|svg|gif|webp)", re.IGNORECASE
)


def are_few(documents: int) -> bool:
    """Tell whether so many documents are too few to tell whether a design prints what is in none of them."""
    return documents <= _FEW


def judge_in_few(layout: Layout, path: str, having: Sequence[tuple[ExpectedValues, Matches]]) -> None:
    """Decide whether a parameter is an alarm where it is missing: if it is of a kind that designs print.

    Parameters
    ----------
    layout : Layout
        Is told.
    path : str
        The parameter.
    having : sequence of tuple
        The documents whose rows have it, and where their values stand.
    """
    lost = [expected.singles[path] for expected, own in having if not own.found(path)]
    is_alarm = len(lost) < len(having) or not all(map(is_hardly_printed, lost))
    if is_alarm:
        layout.judged.add(path)
    if len(lost) == len(having) or any(map(is_hardly_printed, lost)):
        found = f"found in {len(having) - len(lost) or 'none'} of {counted(len(having), 'document')}"
        told = "told as missing, but " if is_alarm else ""
        layout.not_judged[path] = f"{found}: {told}so few do not tell whether the design prints it"


def is_hardly_printed(value: Value) -> bool:
    """Tell whether a value is of a kind that designs seldom print as it is: a flag, a code, a zero, an address."""
    text = value.text
    if value.is_picture or value.is_flag or (value.number is not None and value.number == 0):
        return True
    is_code = text.isascii() and text.isalpha() and len(text) <= _LONGEST_CODE
    return is_code or _ADDRESS.fullmatch(text) is not None


def reads_otherwise(document: DocumentText, value: Value, covered: bytearray) -> bool:
    """Tell whether a document says a value in another way: other capitals, signs in it, its words apart."""
    if value.number is not None or value.date is not None:
        forms = value.likely_forms() | value.other_forms(document)
        if any(
            covered.find(0, place.begin, place.end) >= 0 and value.has_sign(document, place, own[0])
            for text, own in forms.items()
            if len(text) >= _LEAST_NUMBER and not all(map(value.loses, own))
            for place in document.places(text)
        ):
            return True
    if value.is_pure_number:
        return False
    wanted = _letters(value.text)
    if len(wanted) >= _LEAST_LETTERS and wanted in _letters(document.stream):
        return True
    words = re.findall(r"\w+", str(value.raw).casefold())
    is_told = len(words) > 1 and all(word.isalpha() for word in words)  # a number's parts are no words
    stream = document.stream.casefold()
    return is_told and all(word in stream for word in words)


def _letters(text: str) -> str:
    """Return the letters and digits of a text, all small."""
    return "".join(char for char in text.casefold() if char.isalnum())
