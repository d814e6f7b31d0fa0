"""A folder of PDFs: whole files, nothing overwritten, nothing outside."""

from __future__ import annotations

import json
import os
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from support.plain_http import HandClock

import reportflow_pandas as rf
from reportflow_pandas.results import pdf_folder as folders
from reportflow_pandas.results.pdf_folder import MANIFEST, PdfFolder

PDF = b"%PDF-1.7 one"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


def test_a_saved_document_is_found_again_by_this_folder_and_by_the_next(tmp_path: Path) -> None:
    first = PdfFolder(tmp_path / "deep" / "out")
    path = first.save("r/f", "請求書 7.pdf", PDF)
    assert path.read_bytes() == PDF
    assert first.find("r/f") == PdfFolder(tmp_path / "deep" / "out").find("r/f") == path
    assert first.find("r/g") is None


def test_documents_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    for number, name in enumerate(["INV.pdf", "inv.PDF", "INV", "INV.pdf"]):
        folder.save(f"r/{number}", name, PDF + bytes([number]))
    assert names(tmp_path) == {"INV.pdf", "2/inv.pdf", "3/INV.pdf", "4/INV.pdf"}
    assert {folder.find(f"r/{number}").read_bytes()[-1] for number in range(4)} == {0, 1, 2, 3}  # type: ignore[union-attr]


def test_names_that_differ_only_in_the_form_of_their_accents_are_kept_apart(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    composed, taken_apart = (unicodedata.normalize(form, "Łódź ガ") for form in ("NFC", "NFD"))
    folder.save("r/1", composed, PDF)
    assert folder.save("r/2", taken_apart, PDF + b"2").parent.name == "2"


def test_threads_that_save_one_name_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    ready = threading.Barrier(8)

    def save(number: int) -> None:
        ready.wait()
        for turn in range(20):
            folder.save(f"{number}/{turn}", "same.pdf", PDF + f"{number}/{turn}".encode())

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = PdfFolder(tmp_path)
    for number in range(8):
        for turn in range(20):
            path = again.find(f"{number}/{turn}")
            assert path is not None
            assert path.read_bytes() == PDF + f"{number}/{turn}".encode()
    assert len(names(tmp_path)) == 160


@pytest.mark.parametrize("foreign", [b"%PDF-1.4 somebody else's", b"no PDF", b""])
def test_a_foreign_file_of_the_same_name_is_kept(tmp_path: Path, foreign: bytes) -> None:
    (tmp_path / "INV.pdf").write_bytes(foreign)
    assert PdfFolder(tmp_path).save("r/1", "INV.pdf", PDF) == tmp_path / "2" / "INV.pdf"
    assert (tmp_path / "INV.pdf").read_bytes() == foreign


def test_a_foreign_file_where_a_numbered_folder_should_be_is_kept(tmp_path: Path) -> None:
    (tmp_path / "INV.pdf").write_bytes(b"foreign")
    (tmp_path / "2").write_bytes(b"foreign")
    assert PdfFolder(tmp_path).save("r/1", "INV.pdf", PDF) == tmp_path / "3" / "INV.pdf"


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.pdf",
        "/etc/passwd",
        "C:\\Windows\\evil.pdf",
        "..",
        ".",
        "",
        " ",
        ".pdf",
        "a/../../b.pdf",
        "CON.pdf",
        "nul",
        "COM1.tar.pdf",
        ".hidden.pdf",
        MANIFEST,
        "x\x00y.pdf",
        "a\nb.pdf",
        "\u202e.pdf",
        "dots...pdf",
        "space .pdf",
        "\ud800.pdf",
        "字" * 300,
    ],
)
def test_no_name_leaves_the_folder_or_hides_in_it(tmp_path: Path, name: str) -> None:
    place = tmp_path / "out"
    path = PdfFolder(place).save("r/1", name, PDF)
    assert path.resolve().parent == place.resolve()
    assert path.name.endswith(".pdf")
    assert not path.name.startswith(".")
    assert len(path.name.encode()) <= 240
    assert names(tmp_path) - {f"out/{MANIFEST}"} == {f"out/{path.name}"}
    assert PdfFolder(place).find("r/1") == path


def test_a_line_of_the_manifest_that_nests_too_deep_costs_a_download_and_nothing_else(tmp_path: Path) -> None:
    PdfFolder(tmp_path).save("r/1", "a.pdf", PDF)
    with (tmp_path / MANIFEST).open("a") as manifest:
        manifest.write("[" * 20_000 + "\n")
    assert PdfFolder(tmp_path).find("r/1") == tmp_path / "a.pdf"


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_two_names_give_two_files_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, one: str, two: str
) -> None:
    place = tmp_path_factory.mktemp("any") / "out"
    folder = PdfFolder(place)
    paths = [folder.save("r/1", one, PDF), folder.save("r/2", two, PDF + b"2")]
    assert [path.read_bytes() for path in paths] == [PDF, PDF + b"2"]
    assert all(path.resolve().is_relative_to(place.resolve()) for path in paths)
    assert [PdfFolder(place).find(document) for document in ("r/1", "r/2")] == paths


def test_a_deleted_file_comes_back_to_its_own_place(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    folder.save("r/1", "a.pdf", PDF)
    second = folder.save("r/2", "a.pdf", PDF + b"2")
    second.unlink()
    assert PdfFolder(tmp_path).find("r/2") is None
    assert PdfFolder(tmp_path).save("r/2", "a.pdf", PDF + b"2") == second
    (tmp_path / "a.pdf").unlink()
    assert PdfFolder(tmp_path).save("r/1", "a.pdf", PDF) == tmp_path / "a.pdf"
    assert names(tmp_path) == {"a.pdf", "2/a.pdf"}


def test_a_crash_before_the_note_costs_a_download_and_leaves_no_second_file(tmp_path: Path) -> None:
    PdfFolder(tmp_path).save("r/1", "a.pdf", PDF)
    (tmp_path / MANIFEST).unlink()
    folder = PdfFolder(tmp_path)
    assert folder.find("r/1") is None
    assert folder.save("r/1", "a.pdf", PDF) == tmp_path / "a.pdf"
    assert names(tmp_path) == {"a.pdf"}


def test_a_note_that_a_crash_cut_short_costs_only_itself(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    folder.save("r/1", "a.pdf", PDF)
    folder.save("r/2", "b.pdf", PDF)
    manifest = tmp_path / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-6])
    later = PdfFolder(tmp_path)
    assert later.find("r/1") == tmp_path / "a.pdf"
    assert later.find("r/2") is None
    later.save("r/3", "c.pdf", PDF)
    assert PdfFolder(tmp_path).find("r/3") == tmp_path / "c.pdf"


def test_notes_that_make_no_sense_or_lead_outside_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").write_bytes(PDF)
    place = tmp_path / "out"
    place.mkdir()
    notes = [
        ["r/1", "../secret.pdf"],
        ["r/2", "/etc/passwd"],
        ["r/3", "2/../../secret.pdf"],
        7,
        None,
        ["r/4"],
        [1, 2],
    ]
    (place / MANIFEST).write_bytes(b"\xff\xfe\n{\n" + "\n".join(map(json.dumps, notes)).encode())
    folder = PdfFolder(place)
    assert [folder.find(f"r/{number}") for number in range(1, 5)] == [None] * 4


def test_a_crash_in_the_middle_of_a_file_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PdfFolder(tmp_path)
    folder.save("r/1", "a.pdf", PDF)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", cut)
    with pytest.raises(KeyboardInterrupt):
        folder.save("r/2", "b.pdf", PDF)
    assert names(tmp_path) == {"a.pdf"}


def test_what_a_killed_process_left_unfinished_is_removed_after_an_hour(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".reportflow-1.part", ".reportflow-2.part", "x.part"))
    for path in (old, new, other):
        path.write_bytes(PDF[:3])
    for path in (old, other):
        os.utime(path, (0, 0))
    PdfFolder(tmp_path)
    assert names(tmp_path) == {".reportflow-2.part", "x.part"}


def test_a_file_system_without_hard_links_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.pdf").write_bytes(b"foreign")
    assert PdfFolder(tmp_path).save("r/1", "a.pdf", PDF).read_bytes() == PDF
    assert (tmp_path / "a.pdf").read_bytes() == b"foreign"
    assert names(tmp_path) == {"a.pdf", "2/a.pdf"}


def test_a_full_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PdfFolder(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.PdfFolder, "_written", full)
    with pytest.raises(rf.ConfigurationError, match=r"'a.pdf'.*No space left.*goes on"):
        folder.save("r/1", "a.pdf", PDF)


def test_a_place_that_cannot_be_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(rf.ConfigurationError, match="cannot be written to"):
        PdfFolder(tmp_path / "file")


def test_a_file_that_is_no_pdf_any_more_is_not_found(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    folder.save("r/1", "a.pdf", PDF).write_bytes(b"edited")
    assert folder.find("r/1") is None
    assert folder.save("r/1", "a.pdf", PDF) == tmp_path / "2" / "a.pdf"
    assert (tmp_path / "a.pdf").read_bytes() == b"edited"
    assert PdfFolder(tmp_path).find("r/1") == tmp_path / "2" / "a.pdf"


def test_files_have_the_permissions_that_others_have(tmp_path: Path) -> None:
    path = PdfFolder(tmp_path).save("r/1", "a.pdf", PDF)
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    assert path.stat().st_mode == ordinary.stat().st_mode


def test_many_equal_names_are_no_square_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PdfFolder(tmp_path)
    looked = 0

    def moved(*_: object) -> bool:
        nonlocal looked
        looked += 1
        return True

    monkeypatch.setattr(folders, "_moved", moved)
    monkeypatch.setattr(
        folder, "_note", lambda document, name: folder._owners.setdefault(name.casefold(), document)
    )
    monkeypatch.setattr(folder, "_written", lambda _: tmp_path / "none")
    for number in range(2_000):
        folder.save(f"r/{number}", "a.pdf", PDF)
    assert looked == 2_000


# a newer PDF of the same document


def redone(tmp_path: Path, *, run: str | None = "november", rows: tuple[str, ...] = ("r/2",)) -> PdfFolder:
    """Save a document and, with another object, the one that a row has in its place."""
    PdfFolder(tmp_path, "november").save("r/1", "INV.pdf", PDF)
    later = PdfFolder(tmp_path, run, clock=HandClock())
    later.rows_have(rows)
    later.save("r/2", "INV.pdf", PDF + b" newer")
    return later


def test_a_newer_pdf_takes_the_place_and_name_of_the_old_one_which_is_kept(tmp_path: Path) -> None:
    folder = redone(tmp_path)
    assert names(tmp_path) == {"INV.pdf", "superseded/INV 2026-11-02 09.00.00.pdf"}
    assert (tmp_path / "INV.pdf").read_bytes() == PDF + b" newer"
    for one in (folder, PdfFolder(tmp_path), PdfFolder(tmp_path, "november")):
        assert one.find("r/2") == tmp_path / "INV.pdf"
        assert one.find("r/1") == tmp_path / "superseded" / "INV 2026-11-02 09.00.00.pdf"
        assert one.find("r/1").read_bytes() == PDF  # type: ignore[union-attr]
    assert folder.superseded == 1


def test_an_older_pdf_gives_up_its_place_where_the_newer_one_has_another_name(tmp_path: Path) -> None:
    PdfFolder(tmp_path, "november").save("r/1", "INV.pdf", PDF, folder="Norway")
    PdfFolder(tmp_path, "october").save("o/1", "INV.pdf", PDF, folder="Oslo")
    later = PdfFolder(tmp_path, "november", clock=HandClock())
    later.save("r/2", "INV.pdf", PDF + b" newer", folder="Sweden")
    for document in ("r/1", "r/1", "o/1", "r/unknown"):  # twice is once; another run's stays
        later.set_aside(document)
    assert names(tmp_path) == {"Sweden/INV.pdf", "Oslo/INV.pdf", "superseded/Norway/INV 2026-11-02 09.00.00.pdf"}
    assert later.superseded == 1
    assert later.find("r/1") == tmp_path / "superseded" / "Norway" / "INV 2026-11-02 09.00.00.pdf"


def test_each_further_one_does_so_too_also_within_one_second(tmp_path: Path) -> None:
    redone(tmp_path)
    later = PdfFolder(tmp_path, "november", clock=HandClock())
    later.rows_have(["r/3"])
    later.save("r/3", "inv", PDF + b" newest")
    stem = "superseded/INV 2026-11-02 09.00.00"
    assert names(tmp_path) == {"inv.pdf", f"{stem}.pdf", f"{stem} (2).pdf"}
    assert [later.find(f"r/{number}").read_bytes() for number in (1, 2, 3)] == [  # type: ignore[union-attr]
        PDF,
        PDF + b" newer",
        PDF + b" newest",
    ]


@pytest.mark.parametrize(
    ("run", "rows"),
    [("december", ("r/2",)), (None, ("r/2",)), ("november", ("r/1", "r/2"))],
    ids=["of another run", "of no run", "of a row that is still there"],
)
def test_a_file_that_is_no_older_one_of_this_document_keeps_its_name(
    tmp_path: Path, run: str | None, rows: tuple[str, ...]
) -> None:
    folder = redone(tmp_path, run=run, rows=rows)
    assert names(tmp_path) == {"INV.pdf", "2/INV.pdf"}
    assert folder.find("r/1") == tmp_path / "INV.pdf"


def test_two_rows_of_one_name_never_take_each_other_s_place(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path, "november")
    folder.rows_have([])
    folder.save("r/1", "INV.pdf", PDF)
    folder.save("r/2", "INV.pdf", PDF + b"2")
    assert names(tmp_path) == {"INV.pdf", "2/INV.pdf"}


def test_without_knowing_the_rows_nothing_gives_up_its_name(tmp_path: Path) -> None:
    PdfFolder(tmp_path, "november").save("r/1", "INV.pdf", PDF)
    PdfFolder(tmp_path, "november").save("r/2", "INV.pdf", PDF + b"2")
    assert names(tmp_path) == {"INV.pdf", "2/INV.pdf"}


def test_what_was_written_over_an_old_pdf_keeps_its_name(tmp_path: Path) -> None:
    PdfFolder(tmp_path, "november").save("r/1", "INV.pdf", PDF).write_bytes(b"a shopping list")
    folder = PdfFolder(tmp_path, "november")
    folder.rows_have(["r/2"])
    assert folder.save("r/2", "INV.pdf", PDF) == tmp_path / "2" / "INV.pdf"
    assert (tmp_path / "INV.pdf").read_bytes() == b"a shopping list"


@pytest.mark.parametrize("links", [True, False])
def test_a_crash_between_link_and_rename_leaves_both_and_the_next_try_no_third(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", without_links)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(Path, "replace", crash)
        PdfFolder(tmp_path, "november")
        if links:
            with pytest.raises(KeyboardInterrupt):
                redone(tmp_path)
        else:
            (tmp_path / "INV.pdf").write_bytes(PDF)
            PdfFolder(tmp_path)._note("r/1", "INV.pdf")
            folder = PdfFolder(tmp_path, "november")
            folder._runs["r/1"] = "november"
            folder.rows_have(["r/2"])
            with pytest.raises(KeyboardInterrupt):
                folder.save("r/2", "INV.pdf", PDF + b" newer")
    kept = [name for name in names(tmp_path) if name.startswith("superseded/")]
    assert len(kept) == 1
    assert (tmp_path / "INV.pdf").read_bytes() == (tmp_path / kept[0]).read_bytes() == PDF
    later = PdfFolder(tmp_path, "november")
    later.rows_have(["r/2"])
    assert PdfFolder(tmp_path).find("r/1") == tmp_path / kept[0]
    assert later.save("r/2", "INV.pdf", PDF + b" newer") == tmp_path / "INV.pdf"
    assert names(tmp_path) == {"INV.pdf", kept[0]}
    assert PdfFolder(tmp_path).find("r/2") == tmp_path / "INV.pdf"


def without_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


# folders in the folder


def test_documents_of_one_name_stand_side_by_side_in_their_folders(tmp_path: Path) -> None:
    folder = PdfFolder(tmp_path)
    assert folder.save("r/1", "INV", PDF, folder="Norway/Bjørn Hansen") == tmp_path / "Norway/Bjørn Hansen/INV.pdf"
    folder.save("r/2", "INV", PDF, folder="Japan")
    folder.save("r/3", "INV", PDF + b"3", folder="Japan")
    assert names(tmp_path) == {"Norway/Bjørn Hansen/INV.pdf", "Japan/INV.pdf", "Japan/2/INV.pdf"}
    again = PdfFolder(tmp_path)
    assert [again.find(f"r/{number}") is not None for number in (1, 2, 3)] == [True] * 3


def test_a_newer_pdf_in_a_folder_takes_the_old_one_s_place_there(tmp_path: Path) -> None:
    PdfFolder(tmp_path, "november").save("r/1", "INV", PDF, folder="Norway")
    folder = PdfFolder(tmp_path, "november", clock=HandClock())
    folder.rows_have(["r/2"])
    folder.save("r/2", "INV", PDF + b"2", folder="Norway")
    assert names(tmp_path) == {"Norway/INV.pdf", "superseded/Norway/INV 2026-11-02 09.00.00.pdf"}
    assert PdfFolder(tmp_path).find("r/1") == tmp_path / "superseded/Norway/INV 2026-11-02 09.00.00.pdf"


@pytest.mark.parametrize(
    "value", ["..", "../..", "/etc", "C:\\x", ".hidden", "superseded", "a\x00b", "字" * 300, "con", "."]
)
def test_no_folder_leaves_the_folder_or_hides_in_it(tmp_path: Path, value: str) -> None:
    place = tmp_path / "out"
    path = PdfFolder(place).save("r/1", "INV", PDF, folder=value)
    inside = path.relative_to(place)
    assert path.resolve().is_relative_to(place.resolve())
    assert not any(part.startswith(".") for part in inside.parts)
    assert inside.parts[0] != "superseded"
    assert all(len(part.encode()) <= 240 for part in inside.parts)
    assert PdfFolder(place).find("r/1") == path
