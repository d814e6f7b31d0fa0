"""Forms that few documents print, which say another value in the form of all others: slips, no forms."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from reportflow_pandas.verify.number_signs import is_number_kind

if TYPE_CHECKING:
    from reportflow_pandas.verify.expected_values import ExpectedValues, Form, Value

__all__ = ["Groups", "contradicts", "groups_of", "is_slip"]

_LEAST_TELLING = 8
"""Documents in the usual form that would look otherwise in the other one."""
_SLIP_SHARE = 0.15
_EXPLAINED = 0.9
_MONTHS = 12
_MOST_GROUPS = 24
"""Texts of a parameter that may tell languages or currencies."""
_SEPARATORS = re.compile(r"[.,']")

Groups = Sequence[Sequence[str | None]]
"""By parameter of few texts: that of each document."""


def groups_of(expected: Sequence[ExpectedValues]) -> Groups:
    """Return what may tell in which language or currency each document is printed."""
    paths = {path: None for one in expected for path in one.singles}
    groups = []
    for path in paths:
        texts = [value.text if (value := one.singles.get(path)) is not None else None for one in expected]
        if 1 < len(set(texts)) <= min(_MOST_GROUPS, len(texts) // 2):
            groups.append(texts)
    return groups


def is_explained(groups: Groups, documents: Collection[int], others: Collection[int]) -> bool:
    """Tell whether one parameter's texts tell some documents from others."""
    for texts in groups:
        inside = {texts[number] for number in documents}
        strangers = sum(texts[number] in inside for number in others)
        if len(documents) >= _EXPLAINED * (len(documents) + strangers):
            return True
    return False


def contradicts(value: Value, text: str, usual: Iterable[Form]) -> bool:
    """Tell whether a text that says a value in some form says something else in each of the usual ones."""
    is_asked = False
    for form in usual:
        own = value.in_form(form)
        if not own:
            continue
        is_asked = True
        if own == text or not _differs(value, text, own, form):
            return False
    return is_asked


def _differs(value: Value, text: str, own: str, form: Form) -> bool:
    if form[0] == "text":
        return value.number is not None
    if is_number_kind(form[0]):
        return _differs_as_number(text, own, *form[1][:2])
    if value.date is None or value.date.day > _MONTHS:
        return False
    with suppress(ValueError):
        turned = value.date.replace(month=value.date.day, day=value.date.month)
        return type(value)(raw="", text="", date=turned).in_form(form) == text
    return False


def _differs_as_number(text: str, own: str, group: str, decimal: str) -> bool:
    """Tell whether a number has other signs than it has in a form; more or fewer decimals are the same form."""
    if text.endswith("%") != own.endswith("%"):
        return True
    ours, theirs = _SEPARATORS.findall(own), _SEPARATORS.findall(text)
    if len(set(theirs)) > 1 and (theirs[-1] == group or theirs[0] == decimal):
        return True
    return ours != theirs and _SEPARATORS.sub("#", own) == _SEPARATORS.sub("#", text)


def is_slip(
    form: Form,
    own: Collection[int],
    usual: Sequence[Form],
    values: Mapping[int, Value],
    groups: Groups,
    *,
    per_document: int,
) -> bool | None:
    """Tell whether a form of few documents is none; None where it is none that the usual ones contradict.

    Parameters
    ----------
    form : Form
        The form.
    own : collection of int
        Where a value was found in no usual form, and in this one.
    usual : sequence of Form
        The forms of most documents.
    values : mapping of int to Value
        The values that were found.
    groups : Groups
        What may explain a form.
    per_document : int
        How many numbers a document has for its values.
    """
    guilty = [number for number in own if contradicts(values[number], values[number].in_form(form), usual)]
    if len(guilty) < _EXPLAINED * len(own):
        return None
    telling = [
        number
        for number, value in values.items()
        if number not in own and (text := value.in_form(form)) and all(text != value.in_form(one) for one in usual)
    ]
    documents = {number // per_document for number in own}
    if is_explained(groups, documents, {number // per_document for number in telling} - documents):
        return False
    if len(telling) < _LEAST_TELLING or len(own) > _SLIP_SHARE * len(telling):
        return None
    return True
