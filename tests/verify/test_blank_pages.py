"""A design that leaves a page blank in many documents."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pikepdf
from support import planted_faults

from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_check import check_run


def with_a_page_more(pdf: bytes) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.add_blank_page(page_size=(595, 842))
        target = io.BytesIO()
        document.save(target)
    return target.getvalue()


def test_pages_that_most_documents_leave_blank_are_no_findings_but_said(tmp_path: Path) -> None:
    wanted = planted_faults.rows("receipt", 12, seed=7)
    paths = {}
    for row, params in enumerate(wanted):
        file = tmp_path / f"{row}.pdf"
        file.write_bytes(with_a_page_more(planted_faults.printed("receipt", params)))
        paths[row] = str(file)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(wanted)

    with closing(Readings(tmp_path)) as known:
        found = check_run(paths, rows, known, labels={}, began=lambda *_: lambda count: None, tick=lambda: None)
    assert {verdict.verdict for verdict in found.verdicts.values()} == {"ok"}
    assert "many documents have a page" in found.not_judged["blank pages"]
