"""Which documents may leave, and why the others may not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reportflow_pandas.delivery.release import release


def test_a_row_without_a_pdf_is_not_left_out_for_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(b"%PDF-1.7")
    path = str(tmp_path / "one.pdf")
    results = pd.DataFrame(
        {
            "row": range(5),
            "status": ["ready", "accepted", "accepted", "ready", "ready"],
            "error_kind": [None, "no_pdf", "not_ready", None, None],
            "path": [path, None, None, path, path],
            "file_id": list("abcde"),
            "verdict": ["ok", None, None, None, "look"],
        }
    )
    found = release(results, None, verb="hand_over", required=True)
    assert found.positions == [0]
    assert found.left_out == {
        "its PDF can never be made": [1],
        "no PDF on this disk": [2],
        "not read back": [3],
        "the verdict is not ok": [4],
    }
