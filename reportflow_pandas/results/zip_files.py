"""The service's ZIPs: PDFs found by name, however the ZIP spells it; what is broken is left out."""

from __future__ import annotations

import logging
import lzma
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from reportflow_pandas.contract import without_pdf

__all__ = ["pdfs_of"]

log = logging.getLogger("reportflow_pandas")

_UTF_8_NAMES = 0x800
"""The flag of an entry whose name is UTF-8; without it, ``zipfile`` reads the name as cp437."""

_LARGEST_PDF_BYTES = 1 << 29
"""An entry that unpacks to more is no document but a bomb: each is in memory as a whole."""

_PLAUSIBLE_BYTES, _PLAUSIBLE_RATIO = 1 << 26, 100
"""So is a large one that was packed into less than a hundredth: 100 of them in 50 MB would fill a disk."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # a password, a method of compression that is not known
    ValueError,
)


def pdfs_of(content: BinaryIO, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Yield the wanted PDFs of a ZIP.

    Parameters
    ----------
    content : binary file
        The ZIP. One that cannot be read at all yields nothing.
    names : sequence of str
        File names, with or without ``.pdf``. Only the last part of an entry's name counts, whatever folder the
        ZIP puts it in.

    Yields
    ------
    (int, bytes)
        Place in ``names``, and a PDF.
    """
    try:
        archive = zipfile.ZipFile(content)
    except _BROKEN as reason:
        log.warning("a ZIP of the service cannot be read: %s", reason)
        return
    with archive:
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            if not entry.filename.endswith("/"):  # is_dir() raises where there is no name
                for name in _spellings(entry):
                    entries.setdefault(_plain(name), entry)
        for place, name in enumerate(names):
            found = entries.get(_plain(name))
            if found is None:
                continue
            if found.file_size > min(
                _LARGEST_PDF_BYTES, max(_PLAUSIBLE_BYTES, found.compress_size * _PLAUSIBLE_RATIO)
            ):
                log.warning("%r in a ZIP of the service would unpack to %d bytes", name, found.file_size)
                continue
            try:
                with archive.open(found) as packed:
                    pdf = packed.read(found.file_size)  # read() would unpack all, whatever the entry says
            except _BROKEN as reason:
                log.warning("%r in a ZIP of the service cannot be read: %s", name, reason)
                continue
            if pdf.startswith(b"%PDF-"):
                yield place, pdf


def _spellings(entry: zipfile.ZipInfo) -> Iterator[str]:
    yield entry.filename
    if entry.flag_bits & _UTF_8_NAMES:
        return
    for encoding in ("utf-8", "cp932"):  # cp932: how Windows in Japan writes names
        try:
            yield entry.orig_filename.encode("cp437").decode(encoding)
        except UnicodeError:
            continue


def _plain(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return unicodedata.normalize("NFC", without_pdf(last)).casefold()
