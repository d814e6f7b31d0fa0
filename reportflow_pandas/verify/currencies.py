"""The currency beside an amount: that of all others, or of those of its group."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Sample
from reportflow_pandas.verify.layout import Currencies, Layout
from reportflow_pandas.verify.line_checks import shown
from reportflow_pandas.verify.suspicion import Finding
from reportflow_pandas.verify.value_places import Matches

__all__ = ["learn_currencies", "other_currencies"]

_LEAST, _SHARE = 8, 0.9
"""Documents with a currency beside an amount, and the share of them in which it is the usual one."""
_MOST_GROUPS = 24
_CODES = "eur|usd|gbp|jpy|chf|cad|aud|nzd|cny|hkd|sgd|krw|inr|sek|nok|dkk|pln|czk|huf|ron|bgn|try|brl|mxn|zar|円"
_SIGN = "[$€£¥₩₹₽₺₴₫₱฿₪]"
_BEFORE = re.compile(rf"({_SIGN}|(?<![^\W\d])(?:{_CODES}))[-(△▲]{{0,2}}$")
_AFTER = re.compile(rf"[-)]{{0,2}}({_SIGN}|(?:{_CODES})(?![^\W\d]))")
_MOST_CHARACTERS = 6


def learn_currencies(sample: Sample, matches: Sequence[Matches]) -> dict[str, Currencies]:
    """Return the usual currency beside each single amount, of those parameters that have one."""
    marks: dict[str, dict[int, str]] = defaultdict(dict)
    for number, ((document, expected), own) in enumerate(zip(sample, matches, strict=True)):
        for path, value in expected.singles.items():
            if value.is_pure_number and len(found := _beside(document, own.evidence[path])) == 1:
                marks[path][number] = next(iter(found))
    learned = {}
    for path, seen in marks.items():
        if len(seen) >= _LEAST:
            rows = [sample[number][1] for number in seen]
            best = max(
                (_grouped(name, rows, list(seen.values())) for name in ("", *_groups(rows))),
                key=lambda one: one[1],
            )
            if best[1] >= _SHARE * len(seen):
                learned[path] = best[0]
    return learned


def other_currencies(
    layout: Layout, document: DocumentText, expected: ExpectedValues, own: Matches
) -> list[Finding]:
    """Return the amounts of a document beside which another currency stands than beside others of their group."""
    findings = []
    for path, currencies in layout.currencies.items():
        value, usual = expected.singles.get(path), currencies.usual.get(_text(expected, currencies.parameter), "")
        places = own.evidence.get(path, ())
        if value is not None and usual and (found := _beside(document, places)) and usual not in found:
            mark, place = next(iter(found.items()))
            findings.append(
                Finding.at(
                    "missing",
                    document,
                    [place],
                    parameter=path,
                    expected=shown(value),
                    found=f"{document.raw(*place)}, with {mark} and not {usual}",
                )
            )
    return findings


def _groups(rows: Sequence[ExpectedValues]) -> list[str]:
    paths = {path: None for one in rows for path in one.singles}
    return [
        path for path in paths if 1 < len({_text(one, path) for one in rows}) <= min(_MOST_GROUPS, len(rows) // 2)
    ]


def _grouped(name: str, rows: Sequence[ExpectedValues], marks: Sequence[str]) -> tuple[Currencies, int]:
    """Return the usual currency by the texts of a parameter, and in how many documents it stands."""
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for expected, mark in zip(rows, marks, strict=True):
        counts[_text(expected, name)][mark] += 1
    usual = {text: counted.most_common(1)[0] for text, counted in counts.items()}
    return Currencies(name, {text: mark for text, (mark, _) in usual.items()}), sum(n for _, n in usual.values())


def _text(expected: ExpectedValues, name: str) -> str | None:
    value = expected.singles.get(name)
    return value.text if value is not None else None


def _beside(document: DocumentText, places: Collection[Place]) -> dict[str, Place]:
    """Return the currencies right before or behind a number, with the place of both."""
    found = {}
    for place in places:
        unit = document.units[document.unit_at(place.begin)]
        before = _BEFORE.search(document.stream, max(unit.begin, place.begin - _MOST_CHARACTERS), place.begin)
        after = _AFTER.match(document.stream, place.end, unit.end)
        for one in (before, after):
            if one is not None:
                found[one[1]] = Place(min(place.begin, one.start()), max(place.end, one.end()))
    return found
