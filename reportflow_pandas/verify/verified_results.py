"""What a verification found, as columns of the results and as a frame of findings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.next_steps import VERIFY_FIRST
from reportflow_pandas.printable import counted
from reportflow_pandas.results.results_frame import ATTRS, provenance
from reportflow_pandas.verify.suspicion import Finding

if TYPE_CHECKING:  # it needs the packages of the extra
    from reportflow_pandas.verify.run_check import Checked, Verdict

__all__ = [
    "COLUMNS",
    "Mark",
    "extremes_of",
    "findings",
    "findings_by_row",
    "notes_of",
    "summary_line",
    "with_verdicts",
]

COLUMNS = ("verdict", "suspicion", "findings", "pages")
KEPT = "verify"
"""Where the results' attributes keep the findings, as JSON text."""

_MOST_TOLD = 4
_MOST_KEPT = 20_000
"""Findings in the attributes: more than a person reads."""
_EXTREMES = ("the most text", "the most lines", "the largest amount")
_MOST_EXTREMES = 12

Mark = tuple[int, tuple[float, float, float, float]]


def with_verdicts(results: pd.DataFrame, checked: Checked) -> pd.DataFrame:
    """Return the results, same index and order, with what was found in each document."""
    rows = results["row"].astype(int).tolist()
    verdicts = [checked.verdicts.get(row) for row in rows]
    text = pd.Series(["text"]).dtype
    frame = results.drop(columns=[name for name in COLUMNS if name in results.columns])
    frame["verdict"] = pd.Series([known.verdict if known else None for known in verdicts], dtype=text).array
    frame["suspicion"] = pd.array(
        [known.suspicion if known else float("nan") for known in verdicts], dtype="float64"
    )
    frame["findings"] = pd.Series([_line(known) for known in verdicts], dtype=text).array
    frame["pages"] = pd.array([known.pages if known else None for known in verdicts], dtype="Int64")
    attrs = {**results.attrs.get(ATTRS, {}), KEPT: _kept(checked)}
    frame.attrs = {**results.attrs, ATTRS: attrs}
    return frame


def _line(verdict: Verdict | None) -> str | None:
    if verdict is None or not verdict.findings:
        return None
    told = "; ".join(str(finding) for finding in verdict.findings[:_MOST_TOLD])
    more = len(verdict.findings) - _MOST_TOLD
    return f"{told}; and {more} more" if more > 0 else told


def _kept(checked: Checked) -> str:
    found = [
        [row, finding.kind, finding.parameter, finding.expected, finding.found, finding.page, finding.marks]
        for row, verdict in checked.verdicts.items()
        for finding in verdict.findings
    ]
    extremes = {}
    for place, name in enumerate(_EXTREMES):
        ranked = sorted(
            (row for row, verdict in checked.verdicts.items() if verdict.measures[place] > 0),
            key=lambda row, place=place: (-checked.verdicts[row].measures[place], row),  # type: ignore[misc]
        )
        extremes[name] = ranked[:_MOST_EXTREMES]
    kept = {"findings": found[:_MOST_KEPT], "not_judged": checked.not_judged, "extremes": extremes}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def kept_of(results: pd.DataFrame, verb: str) -> dict[str, Any]:
    """Return what a frame knows of its verification.

    Raises
    ------
    ConfigurationError
        No results, or results that were not verified.
    """
    attrs = provenance(results, verb)
    if "verdict" not in results.columns or KEPT not in attrs:
        raise ConfigurationError(
            f".{verb}() tells what verify found, and these results were not verified yet. {VERIFY_FIRST}"
        )
    kept: dict[str, Any] = json.loads(attrs[KEPT])
    return kept


def findings_by_row(results: pd.DataFrame, verb: str) -> dict[int, list[Finding]]:
    """Return the findings of each row of a frame."""
    rows = set(results["row"].astype(int))
    found: dict[int, list[Finding]] = {}
    for row, kind, parameter, expected, value, page, marks in kept_of(results, verb)["findings"]:
        if row in rows:
            places = tuple((number, tuple(box)) for number, box in marks)
            found.setdefault(row, []).append(Finding(kind, parameter, expected, value, page, places))
    return found


def notes_of(results: pd.DataFrame) -> dict[str, str]:
    """Return what was not judged, and why; nothing for results that were not verified."""
    text = results.attrs.get(ATTRS, {}).get(KEPT)
    notes: dict[str, str] = json.loads(text)["not_judged"] if text else {}
    return notes


def extremes_of(results: pd.DataFrame, verb: str) -> Mapping[str, list[int]]:
    """Return the rows with the most text, the most lines, the largest amount."""
    extremes: dict[str, list[int]] = kept_of(results, verb)["extremes"]
    return extremes


def findings(results: pd.DataFrame) -> pd.DataFrame:
    """Return what `verify` found, one line each, the most suspicious document first.

    Returns
    -------
    pandas.DataFrame
        ``row`` and ``label`` of the document; ``kind``: ``missing``, ``cut`` (only the beginning is there),
        ``foreign`` (a value of another row), ``lines`` (of a table: missing, doubled, out of order),
        ``blank_page``, ``glyph`` (boxes in place of letters), ``pages`` (missing, twice, turned, unlike others of
        its size), ``unreadable``, ``same`` (another row's PDF); ``parameter``, ``expected``, ``found``, and
        ``page`` from 1 (missing where it stands on none). ``.attrs["not_judged"]`` says what was not judged, and
        why.

    Raises
    ------
    ConfigurationError
        Results that were not verified.

    Examples
    --------
    >>> results.reportflow.findings()                                  # doctest: +SKIP
    """
    by_row = findings_by_row(results, "findings")
    ordered = results.sort_values("suspicion", ascending=False, kind="stable", na_position="last")
    lines = [
        (row, label, found.kind, found.parameter, found.expected, found.found, found.page or None)
        for label, row in zip(ordered.index, ordered["row"].astype(int), strict=True)
        for found in by_row.get(row, ())
    ]
    frame = pd.DataFrame(lines, columns=["row", "label", "kind", "parameter", "expected", "found", "page"])
    frame["row"] = frame["row"].astype("int64")
    for name in ("kind", "parameter", "expected", "found"):
        texts = frame[name].astype(object)
        frame[name] = pd.Series(texts.where(texts != "", None).tolist(), dtype=pd.Series(["text"]).dtype)
    frame["page"] = frame["page"].astype("Int64")
    frame.attrs["not_judged"] = notes_of(results)
    return frame


def summary_line(checked: Checked) -> list[str]:
    """Return what a person should know of a verification, in at most two lines."""
    counts = Counter(verdict.verdict for verdict in checked.verdicts.values())
    parts = [f"{counted(len(checked.verdicts), 'PDF')} read back"]
    if counts["ok"]:
        parts.append(f"in {counts['ok']:,} everything that could be read is there")
    if counts["look"]:
        parts.append(f"{counts['look']:,} need a look")
    if counts["unread"]:
        parts.append(f"{counts['unread']:,} could not be read")
    lines = [", ".join(parts)]
    if checked.not_judged:
        lines.append("not judged: " + "; ".join(f"{name} ({why})" for name, why in checked.not_judged.items()))
    return lines
