"""All documents of a run, read back and held against their rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportflow_pandas.cycle_collector import without_cycle_collector
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.number_signs import signs_not_judged
from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_values import RunValues
from reportflow_pandas.verify.suspicion import Finding, suspicion_of

__all__ = ["Checked", "Verdict", "cache_folder", "check_run"]

SAMPLE_DOCUMENTS = 400
SAMPLE_UNITS = 150_000
"""Most units of text in the sample that is learned from: some 60 MB."""
_FAULTY_SHARE = 0.02
"""Of the sample: where more have findings, it is learned a second time without them."""
_SEED = 20261101

Params = Callable[[], Iterator[tuple[int, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one document.

    Attributes
    ----------
    verdict : str
        ``ok``, ``look`` or ``unread``.
    findings : tuple of Finding
        The gravest first.
    suspicion : float
        0 for nothing.
    pages : int or None
    measures : tuple
        Characters of its values, lines of its tables, its largest number: what makes it extreme.
    """

    verdict: str
    findings: tuple[Finding, ...]
    suspicion: float
    pages: int | None
    measures: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass
class Checked:
    """What is known of a run: by row, and what was not judged."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    not_judged: dict[str, str] = field(default_factory=dict)
    read: int = 0


def check_run(
    paths: Mapping[int, str],
    params: Params,
    readings: Readings,
    *,
    labels: Mapping[int, str],
    began: Callable[[str, str, int], Callable[[int], None]],
    tick: Callable[[], None],
) -> Checked:
    """Read the PDFs of a run back and hold each against its row.

    Parameters
    ----------
    paths : mapping of int to str
        By row, the PDFs on disk.
    params : callable
        Yields row and ``params`` of each document, from the first; called several times.
    readings : Readings
        What was read before.
    labels : mapping of int to str
        What rows are called.
    began : callable
        Told of each stretch of work, by name and note, and of its size; returns what is told of its progress.
    tick : callable
        Called often, in the caller's thread.
    """
    checked = Checked()
    checked.read = readings.read(
        paths.values(), done=began("PDFs", "read back", len(set(paths.values()))), tick=tick
    )
    with without_cycle_collector():  # which takes a fifth of the time of learning
        sample, rows = _sample(paths, params, readings, tick)
        layout = learn(list(sample.values()))
    run = RunValues(labels=dict(labels))
    for row, values in params():
        if row in rows:
            run.add(row, sample[row][1] if row in sample else ExpectedValues.of(values), layout.forms)
    with without_cycle_collector():
        layout, judged = _learned_again(layout, run, sample)
    done = began("documents", "held against their rows", len(paths))
    for row, values in params():
        if row not in paths:
            continue
        if row in judged:
            checked.verdicts[row] = _told(judged[row], *sample[row])
        else:
            checked.verdicts[row] = _verdict(layout, run, row, readings.of(paths[row]), ExpectedValues.of(values))
        done(1)
        tick()
    checked.not_judged = _not_judged(layout)
    _refuse_to_say_ok(layout, checked)
    return checked


def _sample(
    paths: Mapping[int, str], params: Params, readings: Readings, tick: Callable[[], None]
) -> tuple[dict[int, tuple[DocumentText, ExpectedValues]], set[int]]:
    """Return documents to learn from, chosen at random with a fixed seed, and all rows that were read."""
    readable = {row for row, path in paths.items()}
    order = random.Random(_SEED).sample(sorted(readable), len(readable))  # noqa: S311 - a sample, no secret
    chosen = set(order[:SAMPLE_DOCUMENTS])
    sample: dict[int, tuple[DocumentText, ExpectedValues]] = {}
    units = 0
    for row, values in params():
        if row in chosen and units < SAMPLE_UNITS:
            answer = readings.of(paths[row])
            if answer.get("pages"):
                document = DocumentText(answer["pages"])
                units += len(document.units)
                sample[row] = (document, ExpectedValues.of(values))
            tick()
    return sample, readable


def _learned_again(
    layout: Layout, run: RunValues, sample: Mapping[int, tuple[DocumentText, ExpectedValues]]
) -> tuple[Layout, dict[int, list[Finding]]]:
    """Return what is learned without the documents that have findings, where there are many of them.

    With it come the findings in the sample's documents.
    """
    judged = {row: judge(layout, run, row, document, expected) for row, (document, expected) in sample.items()}
    clean = [row for row, findings in judged.items() if not findings]
    faulty = len(sample) - len(clean)
    if faulty <= _FAULTY_SHARE * len(sample) or len(clean) < max(8, 0.3 * len(sample)):
        return layout, judged
    again = learn([sample[row] for row in clean])
    found = {row: judge(again, run, row, document, expected) for row, (document, expected) in sample.items()}
    if sum(map(bool, found.values())) > faulty:
        return layout, judged  # it was a part of the run that is set in another way, as in a language of its own
    return again, found


def _verdict(
    layout: Layout, run: RunValues, row: int, answer: Mapping[str, Any], expected: ExpectedValues
) -> Verdict:
    if "error" in answer:
        finding = Finding("unreadable", found=str(answer["error"]))
        return Verdict("unread", (finding,), suspicion_of([finding]), None)
    document = DocumentText(answer["pages"])
    return _told(judge(layout, run, row, document, expected), document, expected)


def _told(findings: Sequence[Finding], document: DocumentText, expected: ExpectedValues) -> Verdict:
    largest = max(
        (abs(float(value.number)) for value in expected.singles.values() if value.is_pure_number and value.number),
        default=0.0,
    )
    measures = (float(expected.size), float(sum(map(len, expected.tables.values()))), largest)
    verdict = "ok"
    if findings:
        verdict = "unread" if any(finding.kind == "unreadable" for finding in findings) else "look"
    return Verdict(verdict, tuple(findings), suspicion_of(findings), len(document.sizes), measures)


def _not_judged(layout: Layout) -> dict[str, str]:
    """Return what can't be judged, and why."""
    told = dict(layout.not_judged)
    told |= {
        f"{path}: sign": why
        for path in sorted(layout.judged)
        if (why := signs_not_judged(kind for kind, _ in layout.forms.get(path, ())))
    }
    if layout.has_empty_pages:
        told["blank pages"] = "many documents have a page on which only what stands on every page is"
    for name, table in layout.tables.items():
        if table.reason:
            told[name] = table.reason
            continue
        if table.shape is None:
            told[f"{name}: a line that no row has"] = (
                "it would not be noticed: too little tells a line from other text"
            )
        elif not table.is_alone:
            told[f"{name}: lines where a row has none"] = "they would not be noticed: other text looks like them"
        told |= {
            f"{table.path(name)}: sign": why
            for name, kind in table.sign_kinds.items()
            if (why := signs_not_judged([kind]))
        }
        told |= {table.path(field_name): said for field_name, said in table.filled.items()}
        sources = {source.fields[0] for source in table.numbers if source is not None and len(source.fields) == 1}
        for field_name in sorted(table.fields - set(table.texts) - sources - table.states.parameters):
            told[table.path(field_name)] = "not found in its place in most lines"
    return told


def _refuse_to_say_ok(layout: Layout, checked: Checked) -> None:
    """Say ``unread`` of documents of which nothing could be judged: it is not known whether they are in order."""
    if layout.judged or any(table.anchor for table in layout.tables.values()) or not checked.verdicts:
        return
    finding = Finding("unreadable", found="none of the rows' values can be found in the PDFs' text")
    for row, verdict in checked.verdicts.items():
        if verdict.verdict == "ok":
            checked.verdicts[row] = Verdict(
                "unread", (finding,), suspicion_of([finding]), verdict.pages, verdict.measures
            )


def cache_folder(paths: Mapping[int, str], download: str) -> Path | None:
    """Return the folder in which PDFs lie: that of the download where all are in it, else that of most of them."""
    if not paths:
        return None
    root = Path(download) if download else None
    if root is not None and all(Path(path).is_relative_to(root) for path in paths.values()):
        return root
    return Counter(Path(path).parent for path in paths.values()).most_common(1)[0][0]
