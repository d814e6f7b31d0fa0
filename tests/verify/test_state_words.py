"""A value that is not printed itself is known by the words that go with it: yes and no, a tick, a section."""

from __future__ import annotations

from pathlib import Path

from support import planted_faults

from reportflow_pandas.verify.state_words import StateWords, Word, learn_words

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


def seen(*documents: tuple[str, bool, str]) -> list[tuple[list[Word], dict[str, str | None]]]:
    """Return words and states of documents: the word that is printed, a flag, a language."""
    return [
        ([("*", word)] if word else [], {"Urgent": "true" if flag else "false", "Language": language})
        for word, flag, language in documents
    ]


GERMAN = [("letztemahnung", True, "de")] * 20 + [("", False, "de")] * 40


def contradicted(learned: StateWords, document: tuple[str, bool, str]) -> list[str]:
    words, states = seen(document)[0]
    return [one.parameter for one in learned.contradictions(words, states)]


def test_a_word_of_one_language_is_learned_among_its_documents() -> None:
    arabic = [("إنذار", True, "ar")] * 12 + [("", False, "ar")] * 23 + [("إنذار", False, "ar")]
    learned = learn_words(seen(*GERMAN, *arabic), {"Urgent"})
    assert contradicted(learned, arabic[-1]) == ["Urgent"]
    assert contradicted(learned, ("", True, "ar")) == ["Urgent"]
    assert contradicted(learned, arabic[0]) == contradicted(learned, arabic[20]) == []


def test_a_language_with_too_few_documents_to_learn_its_word_is_not_called_wrong() -> None:
    japanese = [("最終督促", True, "ja")] * 2 + [("", False, "ja")] * 18
    learned = learn_words(seen(*GERMAN, *japanese), {"Urgent"})
    assert contradicted(learned, japanese[0]) == []
    assert contradicted(learned, ("", True, "de")) == ["Urgent"]


def test_a_flag_that_is_wrong_in_many_documents_is_told_of_and_not_judged() -> None:
    wrong = [("letztemahnung", False, "de")] * 4 + [("", True, "de")] * 4
    learned = learn_words(seen(*GERMAN, *wrong), {"Urgent"})
    assert contradicted(learned, wrong[0]) == contradicted(learned, wrong[-1]) == []
    assert learned.doubts == {"Urgent": "its words fit it in 60 of 68 documents: too few to call the others wrong"}
