"""The time of day that stands beside a date, where a run prints it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText, Place
from reportflow_pandas.verify.expected_values import ExpectedValues, Sample, Value
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.line_checks import shown
from reportflow_pandas.verify.suspicion import Finding
from reportflow_pandas.verify.value_places import Matches

__all__ = ["learn_times", "other_times"]

_LEAST, _SHARE = 6, 0.8
"""Documents in which the row's time stands there, and their share of those that have any."""
_MOST_CHARACTERS = 16
"""Between a date and the end of its time."""
_TIME = r"(\d{1,2})(?:[:.h]|時|시)(\d{2})(?!\d)(?:[:.]\d{2})?(?:\.\d+)?\W?([ap]\.?m)?"
_AFTER = re.compile(rf"\W{{0,2}}(?:[^\W\d]{{1,3}}\W?)?{_TIME}")
_BEFORE = re.compile(rf"(?<!\d){_TIME}(?:uhr)?\W{{0,2}}(?:[^\W\d]{{1,3}}\W?)?$")
_SENT = re.compile(r"\d[T ](\d{1,2}):(\d{2})")


def learn_times(sample: Sample, matches: Sequence[Matches]) -> set[tuple[str, bool]]:
    """Return the parameters beside whose dates the row's time stands; with it, whether behind them."""
    same: Counter[tuple[str, bool]] = Counter()
    every: Counter[tuple[str, bool]] = Counter()
    for (document, expected), own in zip(sample, matches, strict=True):
        for path, value in expected.singles.items():
            if (wanted := _sent(value)) is not None:
                for is_after in (False, True):
                    times = [time for time, _ in _times(document, own.evidence[path], is_after=is_after)]
                    every[path, is_after] += bool(times)
                    same[path, is_after] += wanted in times
    return {key for key, number in same.items() if number >= max(_LEAST, _SHARE * every[key])}


def other_times(layout: Layout, document: DocumentText, expected: ExpectedValues, own: Matches) -> list[Finding]:
    """Return the dates of a document that have another time beside them than their row."""
    findings = []
    for path, is_after in sorted(layout.timed):
        value = expected.singles.get(path)
        wanted = _sent(value) if value is not None else None
        times = list(_times(document, own.evidence.get(path, ()), is_after=is_after)) if wanted else []
        if value is not None and times and all(time != wanted for time, _ in times):
            place = times[0][1]
            findings.append(
                Finding.at(
                    "missing",
                    document,
                    [place],
                    parameter=path,
                    expected=shown(value),
                    found=document.raw(*place),
                )
            )
    return findings


def _sent(value: Value) -> tuple[int, int] | None:
    """Return the time of day of a value."""
    found = _SENT.search(str(value.raw)) if value.date is not None else None
    return (int(found[1]), int(found[2])) if found else None


def _times(
    document: DocumentText, places: Sequence[Place], *, is_after: bool
) -> Iterator[tuple[tuple[int, int], Place]]:
    """Yield the times beside a date, with the place of both."""
    for place in places:
        if is_after:
            found = _AFTER.match(document.stream, place.end, place.end + _MOST_CHARACTERS)
        else:
            found = _BEFORE.search(document.stream, max(0, place.begin - _MOST_CHARACTERS), place.begin)
        if found is not None:
            hour, minute = int(found[1]), int(found[2])
            if found[3]:
                hour = hour % 12 + 12 * found[3].startswith("p")
            yield (hour, minute), Place(min(place.begin, found.start()), max(place.end, found.end()))
