"""A ZIP from the network unpacks to the PDFs that were asked for, in the named folder, and to nothing else."""

from __future__ import annotations

import io
import struct
import tracemalloc
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
]


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
        assert saved.name.partition(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
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


def test_a_zip_in_a_zip_is_no_pdf() -> None:
    assert not list(pdfs_of(zipped("a.pdf", content=zipped("a.pdf").getvalue()), ["a"]))
