"""A ZIP from the network unpacks to the PDFs that were asked for, in the named folder, and to nothing else."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import pytest
from support.byte_server import PDF

from reportflow_pandas.results.pdf_folder import PdfFolder
from reportflow_pandas.results.zip_files import pdfs_of

NAMES = [
    *(
        "../../evil",
        "/etc/cron.d/evil",
        "C:\\evil",
        "..\\..\\evil",
        "a/../../evil",
        "//server/share/evil",
        "~/evil",
        ".",
    ),
    *(
        "con",
        "PRN",
        "aux.txt",
        "nul",
        "COM1",
        "lpt9.x",
        "CONIN$",
        "evil.",
        "evil ",
        "evil\x00.exe",
        "evil:stream",
        "-rf",
    ),
    "\u202efdp.exe",
    *("conout$", "COM¹", "lpt².x", "con .txt", "AUX\u3000.pdf", "c\u200bon", "a::$DATA"),
]
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{name}{number}" for name in ("com", "lpt") for number in "0123456789¹²³"
}


def zipped(*names: str, content: bytes = PDF) -> io.BytesIO:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leaves_the_folder_or_names_a_device(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "pdfs"
    for place, pdf in pdfs_of(zipped(f"{name}.pdf", f"../{name}.pdf"), [name]):
        saved = PdfFolder(folder).save(f"Q7/{place}", name, pdf)
        assert saved.resolve().parent == folder.resolve()
        assert saved.suffix == ".pdf"
        assert saved.name.partition(".")[0].rstrip().lower() not in DEVICES, "as Windows reads names"
        assert ":" not in saved.name, "a stream of another file"
        assert saved.name.isprintable()
    outside = {path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents}
    assert not outside


def test_an_entry_that_unpacks_to_gigabytes_is_left_out_and_the_others_are_read() -> None:
    """Both where it says so and where it lies: then no more than it says is unpacked."""
    honest = zipped("bomb.pdf", "fine.pdf")
    raw = bytearray(honest.getvalue())
    entry = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, entry + 24, 3_000_000_000)
    found = dict(pdfs_of(io.BytesIO(bytes(raw)), ["bomb", "fine"]))
    assert list(found) == [1]
    lying = zipped("bomb.pdf", content=PDF + bytes(64 << 20))
    raw = bytearray(lying.getvalue())
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 24, len(PDF))
    tracemalloc.start()
    assert not dict(pdfs_of(io.BytesIO(bytes(raw)), ["bomb"]))
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_hundred_entries_that_unpack_to_half_a_gigabyte_each_fill_no_disk() -> None:
    """51 GB in a ZIP of 50 MB, each entry within the bound of one."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.pdf", PDF + bytes(80 << 20))
        archive.writestr("large.pdf", PDF + bytes(60 << 20))
    assert [place for place, _ in pdfs_of(target, ["bomb", "large"])] == [1]


def entry(
    name: str, content: bytes = PDF, *, flags: int = 0, mode: int = 0, extra: bytes = b""
) -> zipfile.ZipInfo:
    """Return an entry's description."""
    info = zipfile.ZipInfo(name)
    info.flag_bits, info.external_attr, info.extra, info.file_size = flags, mode << 16, extra, len(content)
    return info


def test_an_entry_that_is_a_link_is_neither_made_nor_followed(tmp_path: Path) -> None:
    target = io.BytesIO()
    (tmp_path / "secret.pdf").write_bytes(PDF + b"secret")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(entry("a.pdf", mode=stat.S_IFLNK | 0o777), str(tmp_path / "secret.pdf"))
        archive.writestr(entry("b.pdf", mode=stat.S_IFLNK | 0o777), PDF)
    for place, pdf in pdfs_of(target, ["a", "b"]):
        saved = PdfFolder(tmp_path / "pdfs").save(f"Q7/{place}", "b", pdf)
        assert not saved.is_symlink()
        assert b"secret" not in pdf


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_of_one_name_the_first_counts_however_it_is_spelled() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number, name in enumerate(["é.pdf", "é.pdf", "e\u0301.pdf", "É.PDF", "x/é.pdf"]):
            archive.writestr(name, PDF + str(number).encode())
    assert dict(pdfs_of(target, ["é"])) == {0: PDF + b"0"}


LIES = {
    "encrypted": lambda raw, at: struct.pack_into("<H", raw, at + 8, 0x801),
    "larger than it is": lambda raw, at: struct.pack_into("<II", raw, at + 20, 1 << 20, 1 << 20),
    "64 bits that are missing": lambda raw, at: struct.pack_into("<II", raw, at + 20, 0xFFFFFFFF, 0xFFFFFFFF),
    "behind the end": lambda raw, at: struct.pack_into("<I", raw, at + 42, 1 << 30),
    "over another": lambda raw, at: struct.pack_into("<I", raw, at + 42, 3),
    "a method that is none": lambda raw, at: struct.pack_into("<H", raw, at + 10, 77),
    "a wrong sum": lambda raw, at: struct.pack_into("<I", raw, at + 16, 0),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_entry_that_lies_gives_nothing_false_and_raises_nothing(lie: str) -> None:
    raw = bytearray(zipped("fine.pdf", "lies.pdf").getvalue())
    LIES[lie](raw, raw.rindex(b"PK\x01\x02"))
    found = dict(pdfs_of(io.BytesIO(bytes(raw)), ["fine", "lies"]))
    # of two entries that lie over each other, newer Pythons read neither
    assert found.get(0, PDF if lie == "over another" else None) == PDF
    assert found.get(1, PDF) == PDF


def test_names_that_some_file_system_takes_for_one_another_get_files_of_their_own(tmp_path: Path) -> None:
    """Whatever this machine's own does: folders are copied to others."""
    folder = PdfFolder(tmp_path)
    names = ["Café", "CAFÉ", "Cafe\u0301", "cafe\u0301.pdf", "Straße", "STRASSE", "a.", "a ", "a"]
    saved = [folder.save(f"Q7/{at}", name, PDF + str(at).encode()) for at, name in enumerate(names)]
    seen = {unicodedata.normalize("NFC", str(path)).casefold() for path in saved}
    assert len(seen) == len(names)
    assert [path.read_bytes()[len(PDF) :] for path in saved] == [str(at).encode() for at in range(len(names))]


def test_a_zip_in_a_zip_is_no_pdf() -> None:
    assert not list(pdfs_of(zipped("a.pdf", content=zipped("a.pdf").getvalue()), ["a"]))
