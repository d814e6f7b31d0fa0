"""Every fault that was put into a document is found, and nothing is said of the others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import planted_faults
from support.planted_faults import Params

from reportflow_pandas.verify import read_pdf
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.run_values import RunValues
from reportflow_pandas.verify.suspicion import Finding, suspicion_of

KINDS = [*planted_faults.CHANGES, *planted_faults.OTHER_FAULTS]


def text_of(pdf: bytes, folder: Path) -> DocumentText | None:
    file = folder / "one.pdf"
    file.write_bytes(pdf)
    answer = read_pdf.read(str(file))
    return DocumentText(answer["pages"]) if "pages" in answer else None


def judged(wanted: list[Params], pdfs: dict[int, bytes], folder: Path) -> dict[int, list[Finding]]:
    read_pdf.pdfium.FPDF_InitLibrary()
    expected = [ExpectedValues.of(params) for params in wanted]
    texts = {row: text_of(pdf, folder) for row, pdf in pdfs.items()}
    layout = learn([(text, expected[row]) for row, text in texts.items() if text is not None])
    run = RunValues()
    for row, values in enumerate(expected):
        run.add(row, values, layout.forms)
    return {
        row: judge(layout, run, row, text, expected[row]) if text is not None else [Finding("unreadable")]
        for row, text in texts.items()
    }


@pytest.mark.parametrize(("design", "count"), [("receipt", 60), ("invoice", 50), ("orders", 30), ("badge", 60)])
def test_planted_faults_are_found_and_clean_documents_are_left_alone(
    design: str, count: int, tmp_path: Path
) -> None:
    wanted = planted_faults.rows(design, count, seed=7)
    pdfs = {row: planted_faults.printed(design, params) for row, params in enumerate(wanted)}
    faulty: dict[int, str] = {}
    rng = random.Random(design)  # noqa: S311 - which faults are tried
    for kind in rng.sample(KINDS, len(KINDS)):
        for row, planted in planted_faults.plant(design, wanted, kind, 1, seed=7).items():
            if row not in faulty:
                faulty[row] = f"{kind} {planted.detail}"
                wanted[row], pdfs[row] = planted.params, planted.pdf
    found = judged(wanted, pdfs, tmp_path)
    assert {row: faulty[row] for row in faulty if not found[row]} == {}
    assert {row: list(map(str, found[row])) for row in found if found[row] and row not in faulty} == {}
    least = min(suspicion_of(found[row]) for row in faulty)
    assert least > max(suspicion_of(found[row]) for row in found if row not in faulty)
