"""What a document should show: the values of its row, with the forms in which each may be printed."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.form_slips import Groups, groups_of, is_slip
from reportflow_pandas.verify.line_breaks import SOFT
from reportflow_pandas.verify.number_signs import NUMBER_KIND, SignCounts, is_number_kind, signs_agree
from reportflow_pandas.verify.text_forms import (
    as_date,
    as_number,
    date_text,
    dates,
    dates_in,
    languages_of,
    normal,
    number_text,
    numbers,
)

__all__ = ["TEXT", "ExpectedValues", "Form", "Forms", "Sample", "Value", "learned_forms"]

Form = tuple[str, Any]
"""``("text", "")``, ``("number", NumberForm)`` or ``("date", DateForm)``; a number's kind tells its sign, too."""

TEXT: Form = ("text", "")
_LONG_TEXT = 200
"""Characters: what is longer is hardly ever the same in two places."""
_LONG_SHARE = 0.005
"""Of the documents: a form that is as long as ``1,200`` is no chance."""
_LOSSY_SHARE = 0.2
"""Of the documents: forms that leave something out (decimals, the day) count from here."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: as text, and as the number or the date that it is."""

    raw: Any
    text: str
    number: Decimal | None = None
    date: date | None = None
    is_picture: bool = False

    @classmethod
    def of(cls, raw: Any) -> Value | None:
        """Return a value; None for a blank one."""
        # a table's cells are often the same; 0.0 is the same key as -0.0, and a picture is long
        is_usual = len(raw) < _LONG_TEXT if isinstance(raw, str) else isinstance(raw, int | float) and raw != 0
        return _value(raw) if is_usual else _value.__wrapped__(raw)

    @property
    def is_flag(self) -> bool:
        """Whether it is true or false, which no design prints by these words."""
        return isinstance(self.raw, bool)

    @property
    def is_pure_number(self) -> bool:
        """Whether it came as a number."""
        return self.number is not None and not isinstance(self.raw, str)

    def in_form(self, form: Form) -> str:
        """Return its text in a form; an empty one where it has none."""
        kind, detail = form
        if kind == "text":
            return "" if self.is_pure_number else self.text
        if is_number_kind(kind):
            return number_text(self.number, detail) if self.number is not None else ""
        return date_text(self.date, detail) if self.date is not None else ""

    def likely_forms(self) -> dict[str, tuple[Form, ...]]:
        """Return every form by its text, dates in the likely languages alone."""
        found: dict[str, tuple[Form, ...]] = {}
        if not self.is_pure_number and self.text:
            found[self.text] = (TEXT,)
        if self.number is not None:
            for text, forms in numbers(self.number).items():
                found[text] = found.get(text, ()) + tuple((NUMBER_KIND, form) for form in forms)
        return _with_dates(found, dates(self.date)) if self.date is not None else found

    def other_forms(self, document: DocumentText) -> dict[str, tuple[Form, ...]]:
        """Return the forms of a date by their text, in all other languages that a document may have it in."""
        if self.date is None:
            return {}
        languages = languages_of(document.stream.replace(SOFT, ""), self.date)
        return _with_dates({}, dates_in(languages, self.date))

    def loses(self, form: Form) -> bool:
        """Tell whether a form leaves something out of it."""
        kind, detail = form
        if kind == "date":
            return bool(detail[1] == "MMMM y")
        if is_number_kind(kind) and self.number is not None:
            return bool(0 <= detail[3] < _decimals(self.number) - (2 if detail[4] else 0))
        return False

    def find(
        self, document: DocumentText, forms: Iterable[Form], begin: int = 0, end: int | None = None
    ) -> list[Place]:
        """Return where it stands in a document, in any of these forms; several parts make several places."""
        found: list[Place] = []
        tried: set[str] = set()
        for form in forms:
            text = self.in_form(form)
            if text and text not in tried:
                tried.add(text)
                is_whole = not begin and end is None
                places = document.every_place(text) if is_whole else document.places(text, begin, end)
                found += [place for place in places if self.has_sign(document, place, form)]
        if not found and not self.text.isascii() and isinstance(self.raw, str):
            turned = document.right_to_left(self.raw, begin, end)
            found += [parts[0] for parts in turned if len(parts) == 1]
        return found

    def has_sign(self, document: DocumentText, place: Place, form: Form) -> bool:
        """Tell whether the number at a place has the sign of this one, as the form has it."""
        return (
            self.number is None
            or not is_number_kind(form[0])
            or signs_agree(form[0], self.number, document, place)
        )


def _with_dates(
    found: dict[str, tuple[Form, ...]], more: Mapping[str, tuple[tuple[str, str], ...]]
) -> dict[str, tuple[Form, ...]]:
    for text, forms in more.items():
        found[text] = found.get(text, ()) + tuple(("date", form) for form in forms)
    return found


@functools.lru_cache(maxsize=8192, typed=True)
def _value(raw: Any) -> Value | None:
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return None
    if isinstance(raw, bool):
        return Value(raw, "true" if raw else "false")
    if isinstance(raw, str):
        if len(raw) > 400 and not any(char.isspace() for char in raw[:400]) and raw[:400].isascii():
            return Value(raw, "", is_picture=True)
        text = normal(raw)
        return Value(raw, text, as_number(raw), as_date(raw)) if text else None
    number = as_number(raw)
    return Value(raw, normal(str(raw)), number)


@functools.lru_cache(maxsize=4096)
def _decimals(number: Decimal) -> int:
    """Return how many decimals a number needs."""
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


Forms = dict[str, list[Form]]
"""By parameter, ``Lines.Quantity`` for a table's."""


@dataclass(slots=True)
class ExpectedValues:
    """The values of one document: single ones, and those of tables line by line."""

    singles: dict[str, Value] = field(default_factory=dict)
    blanks: set[str] = field(default_factory=set)
    tables: dict[str, list[dict[str, Value]]] = field(default_factory=dict)

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> ExpectedValues:
        """Return the values in a document's ``params``."""
        expected = cls()
        expected._add("", params)
        return expected

    def _add(self, prefix: str, record: Mapping[str, Any]) -> None:
        for name, raw in record.items():
            path = prefix + name
            if isinstance(raw, Mapping):
                self._add(f"{path}.", raw)
            elif isinstance(raw, Sequence) and not isinstance(raw, str | bytes):
                self.tables[path] = [_line(item) for item in raw]
            elif (value := Value.of(raw)) is not None:
                self.singles[path] = value
            else:
                self.blanks.add(path)

    def cells(self) -> Iterator[tuple[str, Value]]:
        """Yield every value of every line, under its table's name and its own."""
        for table, lines in self.tables.items():
            for line in lines:
                for name, value in line.items():
                    yield f"{table}.{name}", value

    @property
    def size(self) -> int:
        """How many characters all values have: what decides how many pages there are."""
        return sum(len(value.text) for value in self.singles.values()) + sum(
            20 + sum(len(value.text) for value in line.values())
            for lines in self.tables.values()
            for line in lines
        )


def _line(item: Any) -> dict[str, Value]:
    fields = item if isinstance(item, Mapping) else {"": item}
    flat: dict[str, Any] = {}
    for name, raw in fields.items():
        if isinstance(raw, Mapping):
            flat |= {f"{name}.{inner}": one for inner, one in raw.items()}
        else:
            flat[str(name)] = raw
    return {name: value for name, raw in flat.items() if (value := Value.of(raw)) is not None}


# -- learning the forms ----------------------------------------------------------------------------------------


class _Counted:
    """How often each form of one parameter was found, by the documents that it was found in."""

    def __init__(self) -> None:
        self.whole: dict[Form, set[int]] = {}
        self.partly: dict[Form, set[int]] = {}
        self.longest: dict[Form, int] = {}
        self.has_words = False
        self.signs = SignCounts()
        self.values: dict[int, Value] = {}
        self.doubtful: list[tuple[int, DocumentText, Value]] = []
        self.documents = 0
        self.full = 0
        self._known: dict[tuple[str, bool, bool, bool, int], dict[str, list[Form]]] = {}

    def add(self, number: int, document: DocumentText, value: Value, *, is_doubtful: bool = False) -> None:
        """Look for a value in its forms; later, for one that a line of a table has as well."""
        self.documents += 1
        if is_doubtful:
            self.doubtful.append((number, document, value))
        else:
            self._look(number, document, value, in_full=True)

    def _look(self, number: int, document: DocumentText, value: Value, *, in_full: bool) -> None:
        """Look for a value in all its forms, those first that were found before."""
        key = (value.text, value.is_pure_number, value.number is None, value.date is None, len(self.whole))
        known = self._known.get(key)
        if known is None:
            known = self._in_known_forms(value)
            if len(self._known) < _MOST_KNOWN:
                self._known[key] = known  # of 1,500 prices there are eight
        is_found = self._credit(number, document, value, known)
        if not is_found and in_full and self.full < _MOST_FULL_LOOKS:
            self.full += 1
            for forms_of in (value.likely_forms, lambda: value.other_forms(document)):
                every = {text: list(forms) for text, forms in forms_of().items() if text not in known}
                if self._credit(number, document, value, every):
                    is_found = True
                    break
                known = known | every
        if value.number is not None and (is_found or self._credit(number, document, value, known, by_sign=False)):
            self.signs.add(value.number, agrees=is_found)

    def _in_known_forms(self, value: Value) -> dict[str, list[Form]]:
        known: dict[str, list[Form]] = {}
        for form in self.whole:
            if text := value.in_form(form):
                known.setdefault(text, []).append(form)
        return known

    def _credit(
        self,
        number: int,
        document: DocumentText,
        value: Value,
        texts: Mapping[str, list[Form]],
        *,
        by_sign: bool = True,
    ) -> bool:
        whole = False
        for text, forms in texts.items():
            if not any(
                not by_sign or value.has_sign(document, place, forms[0]) for place in document.places(text)
            ) and (forms[0] != TEXT or document.broken(text, str(value.raw)) is None):
                continue
            self.values[number] = value
            for form in forms:
                loses = value.loses(form)
                (self.partly if loses else self.whole).setdefault(form, set()).add(number)
                self.longest[form] = max(self.longest.get(form, 0), len(text))
                whole = whole or not loses
                self.has_words |= form == TEXT and value.number is None and value.date is None
        return whole

    def chosen(self, groups: Groups, per_document: int) -> list[Form]:
        """Return the fewest forms that explain what was found: a set cover, the largest share first."""
        # where only a table's cell has the date of a wrong one, the cell's form is none of it
        in_full = not self.whole
        for number, document, value in self.doubtful:
            self._look(number, document, value, in_full=in_full)
        chosen: list[Form] = []
        slips: set[Form] = set()
        covered: set[int] = set()
        for found, least_share in ((self.whole, 0.02), (self.partly, _LOSSY_SHARE)):
            order = {form: place for place, form in enumerate(found)}
            while rest := [form for form in found if form not in chosen and form not in slips]:
                # of two forms that stand in the same documents one is a part of the other: "Monday 5 May", "5 May"
                best = max(rest, key=lambda form: (len(found[form] - covered), self.longest[form], -order[form]))
                gain = len(found[best] - covered)
                least = max(2 if chosen else 1, least_share * self.documents)
                if chosen and self.longest[best] < 4:
                    least = max(least, _LOSSY_SHARE * self.documents)
                elif chosen and self.longest[best] > 4 and best not in self.partly:
                    least = max(2, _LONG_SHARE * self.documents)
                own = found[best] - covered
                is_none = (
                    is_slip(best, own, chosen, self.values, groups, per_document=per_document)
                    if chosen and own
                    else None
                )
                if is_none:
                    slips.add(best)
                    covered |= own
                    continue
                if gain < least and (is_none is None or self.longest[best] <= 4):
                    break
                chosen.append(best)
                covered |= found[best]
        if self.has_words and TEXT not in chosen:
            chosen.append(TEXT)  # a date in most documents, "in four weeks" in one
        chosen += [
            form for form in self.whole if form not in chosen and form not in slips and _is_padded(form, chosen)
        ]
        kind = self.signs.kind()
        return [(kind, detail) if is_number_kind(form) else (form, detail) for form, detail in chosen]


def _is_padded(form: Form, chosen: Sequence[Form]) -> bool:
    """Tell whether a form of numbers differs from a chosen one only by the zeros at its end."""
    return is_number_kind(form[0]) and any(
        is_number_kind(kind) and (detail[:3], detail[4]) == (form[1][:3], form[1][4]) for kind, detail in chosen
    )


_MOST_FULL_LOOKS = 60
"""A parameter: each of them tries some 250 forms of a date."""

_MOST_KNOWN = 2_000
"""Values of which it is kept how known forms say them."""

_PER_DOCUMENT = 1_000
"""Numbers of each document for its lines."""
_MOST_LINES = 6
"""Of a table in each document of the sample, when forms are learned."""


Sample = Sequence[tuple[DocumentText, ExpectedValues]]
"""Texts of documents, and what they should show."""


def learned_forms(sample: Sample) -> Forms:
    """Return in which forms a design prints each parameter, the likeliest first; none where it was not found."""
    counted: dict[str, _Counted] = {}
    for number, (document, expected) in enumerate(sample):
        in_lines = {value.date for _, value in expected.cells()} - {None}
        for path, value in expected.singles.items():
            if not value.is_picture and not value.is_flag:
                own = counted.setdefault(path, _Counted())
                own.add(number, document, value, is_doubtful=value.date in in_lines)
        seen: Counter[str] = Counter()
        for path, value in expected.cells():
            if seen[path] < _MOST_LINES and not value.is_picture and not value.is_flag:
                seen[path] += 1
                counted.setdefault(path, _Counted()).add(number * _PER_DOCUMENT + seen[path], document, value)
    groups = groups_of([expected for _, expected in sample])
    singles = {path for _, expected in sample for path in expected.singles}
    return {path: one.chosen(groups, 1 if path in singles else _PER_DOCUMENT) for path, one in counted.items()}
