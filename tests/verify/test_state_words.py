"""A value that is not printed itself is known by the words that go with it: yes and no, a tick, a section."""

from __future__ import annotations

from pathlib import Path

from support import planted_faults

from .test_planted_faults import judged


def test_flags_in_two_languages_and_ticks_in_lines_are_held_against_their_rows(tmp_path: Path) -> None:
    wanted = planted_faults.rows("delivery", 90, seed=3)
    pdfs = {row: planted_faults.printed("delivery", params) for row, params in enumerate(wanted)}
    english = [row for row, params in enumerate(wanted) if params["Language"] == "en"]
    insured, chilled, ticked = english[0], english[1], english[2]
    for row, name in ((insured, "Insured"), (chilled, "Chilled")):
        pdfs[row] = planted_faults.printed("delivery", {**wanted[row], name: not wanted[row][name]})
    first, *others = wanted[ticked]["Items"]
    other = {**first, "Checked": not first["Checked"]}
    pdfs[ticked] = planted_faults.printed("delivery", {**wanted[ticked], "Items": [other, *others]})
    found = judged(wanted, pdfs, tmp_path)
    assert {row: [one.parameter for one in findings] for row, findings in found.items() if findings} == {
        insured: ["Insured"],
        chilled: ["Chilled"],
        ticked: ["Items[1].Checked"],
    }
    assert found[insured][0].found == ("no" if wanted[insured]["Insured"] else "yes")
