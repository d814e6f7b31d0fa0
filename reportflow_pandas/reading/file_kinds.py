"""What a file is by its content: people rename files, and programs name web pages ``.xls``."""

from __future__ import annotations

import codecs
import importlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.reading_options import listed, refusal

__all__ = ["TEXT_SUFFIXES", "kind_of", "needed"]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab")

SUFFIXES = (*TEXT_SUFFIXES, ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".parquet")

_HEAD_BYTES = 4096
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_OLD_EXCEL = (
    b"\x09\x00\x04\x00",
    b"\x09\x02\x06\x00",
    b"\x09\x04\x06\x00",
    b"\x09\x08\x10\x00",
    b"\x09\x08\x08\x00",
)
_LARGE_PART = 100_000_000
"""Bytes of a part of a workbook, unpacked, from which on it is looked at how much of it is repetition."""
_MOST_PACKED = 300
"""Times that a part is packed: 30,000 equal rows of openpyxl are packed 16 times, a zip bomb 1,000 times."""
_STRICT = b"purl.oclc.org/ooxml"

_FOREIGN = (
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"{\\rtf", "a Word document (RTF)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
    (b"MIME-Version:", "a web page (MHTML); open it in Excel and save it as .xlsx"),
    (b"ARROW1", "an Arrow file; write it as Parquet: df.to_parquet('rows.parquet')"),
    (b"ORC", "an ORC file; write it as Parquet: df.to_parquet('rows.parquet')"),
    (b"Obj\x01", "an Avro file; write it as Parquet: df.to_parquet('rows.parquet')"),
)


def kind_of(path: Path) -> str:
    """Return what a file is: text, xlsx, xls, xlsb, ods, parquet, folder or protected.

    Raises
    ------
    ConfigurationError
        No such file, or one that holds no rows that can be read, with the way out.
    """
    if path.is_dir():
        return "folder"
    if not path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise _unknown_suffix(path)
        near = listed(neighbour.name for neighbour in _like(path))
        raise ConfigurationError(f"there is no file {str(path)!r}." + (f" The folder has {near}" if near else ""))
    if path.name.startswith("~$"):
        raise refusal(
            path, f"is the mark of a workbook that is open in Excel. Name the workbook: {path.name[2:]!r}"
        )
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as reason:
        raise refusal(
            path, f"cannot be opened ({reason.strerror or reason}). Is it open in another program?"
        ) from None
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(_OLE):
        return _ole_kind(path)
    if head.startswith(_OLD_EXCEL):
        return "xls"
    return _text_kind(path, head)


def _unknown_suffix(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{str(path)!r}: rows are read from {', '.join(SUFFIXES)} files. Save it as one of these"
    )


def _like(path: Path) -> Iterator[Path]:
    folder = path.parent
    found = sorted(entry for entry in folder.iterdir() if entry.suffix == path.suffix) if folder.is_dir() else []
    yield from found[:5]


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            bomb = any(
                part.file_size > _LARGE_PART and part.file_size > _MOST_PACKED * part.compress_size
                for part in archive.infolist()
            )
            kind = "" if bomb else _office_kind(archive, names)
    except Exception as reason:  # noqa: BLE001 - a damaged archive raises whatever its bytes lead to
        raise refusal(
            path,
            f"is damaged, or was not downloaded whole ({reason}). Open it in Excel, which may repair it, and save "
            "it as .xlsx",
        ) from None
    if bomb:
        raise refusal(
            path,
            "would take more memory than any table, nearly all of it repetition. Save the rows alone as .xlsx",
        )
    if kind == "locked":
        raise refusal(
            path, "is protected by a password. Open it, save it without one (Save As, no password) and try again"
        )
    if kind == "strict":
        raise refusal(
            path,
            "was saved as 'Strict Open XML Spreadsheet', which is not read. Open it in Excel and save it as "
            "'Excel Workbook (*.xlsx)'",
        )
    if kind:
        return kind
    if any(name.startswith("word/") for name in names):
        raise refusal(path, "is a Word document. Copy its table into Excel and save it as .xlsx")
    if any(name.startswith("ppt/") for name in names):
        raise refusal(path, "is a PowerPoint file. Copy its table into Excel and save it as .xlsx")
    if any(name.endswith(".iwa") for name in names):
        raise refusal(path, "is a Numbers document. In Numbers: File, Export To, Excel")
    raise refusal(path, f"is a zip archive, no workbook. Unpack it first; it holds {listed(sorted(names)[:5])}")


def _office_kind(archive: zipfile.ZipFile, names: set[str]) -> str:
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "xl/workbook.xml" in names:
        strict = _STRICT in archive.read("xl/workbook.xml")[:_HEAD_BYTES]
        return "strict" if strict else "xlsx"
    if "[Content_Types].xml" in names and b"spreadsheetml" in archive.read("[Content_Types].xml"):
        return "xlsx"  # other programs call the workbook's part otherwise
    if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
        locked = b"encryption-data" in archive.read("META-INF/manifest.xml")
        return "locked" if locked else "ods"
    return ""


def _ole_kind(path: Path) -> str:
    """Return what an OLE container holds: an old workbook, or a new one under a password."""
    with path.open("rb") as file:
        content = file.read()

    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in content

    if holds("EncryptedPackage"):
        return "protected"
    if any(map(holds, ("Workbook", "WORKBOOK", "Book", "BOOK"))):
        return "xls"
    if holds("WordDocument"):
        raise refusal(path, "is a Word document. Copy its table into Excel and save it as .xlsx")
    raise refusal(path, "is no workbook. Open it with the program that made it and save it as .xlsx or .csv")


def _text_kind(path: Path, head: bytes) -> str:
    if not head.strip():
        of_text = path.suffix.lower() in TEXT_SUFFIXES
        raise refusal(
            path, f"is empty; {'its first line must name the columns' if of_text else 'was it saved whole?'}"
        )
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise refusal(path, f"is {what}. Rows are read from {', '.join(SUFFIXES)} files")
    start = head.lstrip(codecs.BOM_UTF8 + b" \r\n\t").lower()
    if b"urn:schemas-microsoft-com:office:spreadsheet" in start:
        raise refusal(path, "is an 'XML Spreadsheet 2003'. Open it in Excel and save it as .xlsx")
    if start.startswith((b"<html", b"<!doctype", b"<table", b"<meta", b"<head", b"<body", b"<?xml")):
        what = "an XML file" if start.startswith(b"<?xml") and b"<html" not in start else "a web page (HTML)"
        raise refusal(path, f"is {what}, whatever its name says. Open it in Excel and save it as .xlsx")
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        return "text"
    if suffix not in SUFFIXES:
        raise _unknown_suffix(path)
    if b"\x00" not in head:
        raise refusal(path, f"cannot be read: it is named {suffix}, and holds plain text. Rename it to .csv")
    raise refusal(
        path, f"cannot be read as {suffix}: it is damaged, or something else. Save it as .xlsx, .csv or .parquet"
    )


def needed(path: Path, module: str, package: str, otherwise: str) -> object:
    """Return a module of the extra ``files``.

    Raises
    ------
    ConfigurationError
        It is not installed, with the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"{str(path)!r}: {package} is needed to read it: pip install 'reportflow-pandas[files]'. {otherwise}"
        ) from None
