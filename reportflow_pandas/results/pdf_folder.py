"""A folder of PDFs: whole files only, nothing overwritten, nothing outside it, nothing fetched twice."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import secrets
import tempfile
import threading
import time
import unicodedata
from pathlib import Path

from reportflow_pandas.contract import without_pdf
from reportflow_pandas.errors import ConfigurationError

__all__ = ["MANIFEST", "PdfFolder", "safe_name"]

MANIFEST = ".reportflow-files.jsonl"
"""Which file of the folder is which document: one line a file, so that a second download finds them again."""

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LONGEST = 240
"""Bytes of a file name: every common file system takes them."""
_UNFINISHED = (".reportflow-", ".part")
_ABANDONED = 3600.0
"""Seconds after which an unfinished file is nobody's any more: its process was killed."""


class PdfFolder:
    """Where PDFs are saved; for any number of threads.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.

    Raises
    ------
    ConfigurationError
        The folder cannot be made or written to: found out before anything is sent.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as reason:
            raise ConfigurationError(
                f"download={str(folder)!r}: the folder cannot be written to ({reason.strerror or reason}). "
                "Choose another one"
            ) from reason
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        """Document -> file."""
        self._owners: dict[str, str] = {}
        """File, ignoring case and form of its accents -> document."""
        self._next: dict[str, int] = {}
        """Name -> the number of its next folder: many equal names are not tried one by one."""
        self._torn = False
        """The manifest's last line has no end: a crash cut it short."""
        self._read()
        self._tidy()

    def find(self, document: str) -> Path | None:
        """Return the file of a document (``"request id/file id"``) that is in the folder already."""
        name = self._names.get(document)
        if name is None:
            return None
        path = self.path / name
        try:
            with path.open("rb") as file:
                return path if file.read(5) == b"%PDF-" else None
        except OSError:
            return None

    def save(self, document: str, file_name: str, pdf: bytes) -> Path:
        """Write a PDF beside its place and put it there; a name that is taken goes into a folder of its own.

        Raises
        ------
        ConfigurationError
            It cannot be written: the disk is full, the folder is gone.
        """
        try:
            unfinished = self._written(pdf)
            try:
                with self._lock:
                    name = self._place(unfinished, document, safe_name(file_name), pdf)
                    self._note(document, name)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as reason:
            raise ConfigurationError(
                f"{file_name!r} cannot be written to {str(self.path)!r} ({reason.strerror or reason}). What was "
                "saved so far is whole; results.reportflow.download(folder) goes on with the rest, at no cost"
            ) from reason
        return self.path / name

    def _written(self, pdf: bytes) -> Path:
        begin, end = _UNFINISHED
        path = self.path / f"{begin}{secrets.token_hex(6)}{end}"
        with path.open("xb") as file:
            try:
                file.write(pdf)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        return path

    def _place(self, unfinished: Path, document: str, name: str, pdf: bytes) -> str:
        folded = _folded(name)
        tried_before = 2 if document in self._names else self._next.get(folded, 2)
        for number in itertools.chain([1], itertools.count(tried_before)):
            candidate = name if number == 1 else f"{number}/{name}"
            if self._owners.get(_folded(candidate), document) == document and _moved(
                unfinished, self.path / candidate, pdf
            ):
                self._next[folded] = max(self._next.get(folded, 2), number + 1)
                return candidate
        raise AssertionError  # counting has no end

    def _note(self, document: str, name: str) -> None:
        self._owners[_folded(name)] = document
        if self._names.get(document) == name:
            return
        self._names[document] = name
        with (self.path / MANIFEST).open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + json.dumps([document, name]) + "\n")
        self._torn = False

    def _read(self) -> None:
        try:
            text = (self.path / MANIFEST).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            # a line that a crash cut short costs one more download, nothing else
            with contextlib.suppress(ValueError, TypeError):
                document, name = json.loads(line)
                if isinstance(document, str) and isinstance(name, str) and _inside(name):
                    self._names[document] = name
                    self._owners[_folded(name)] = document

    def _tidy(self) -> None:
        """Remove what a killed process left unfinished."""
        begin, end = _UNFINISHED
        for path in self.path.glob(f"{begin}*{end}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED:
                    path.unlink()


def _moved(unfinished: Path, path: Path, pdf: bytes) -> bool:
    """Give a whole file its name, unless another has it. Equal bytes are it: a crash came before the note."""
    with contextlib.suppress(FileExistsError):  # a foreign file where a folder should be
        path.parent.mkdir(exist_ok=True)
    try:
        os.link(unfinished, path)  # unlike a rename, this overwrites nothing
    except (FileExistsError, NotADirectoryError):
        return _is(path, pdf)
    except OSError:  # a file system without hard links
        if path.exists():
            return _is(path, pdf)
        unfinished.replace(path)
    return True


def _is(path: Path, pdf: bytes) -> bool:
    try:
        return path.stat().st_size == len(pdf) and path.read_bytes() == pdf
    except OSError:
        return False


def _inside(name: str) -> bool:
    folder, slash, file = name.rpartition("/")
    return file == safe_name(file) and (folder.isascii() and folder.isdecimal() if slash else True)


def safe_name(file_name: str) -> str:
    """Return a name that stays in the folder, whatever the service or a ZIP says."""
    plain = _FORBIDDEN.sub("_", without_pdf(file_name)).strip().rstrip(". ")
    if not plain or plain.startswith(".") or _WINDOWS_DEVICE.match(plain):
        plain = f"_{plain}"
    while len(plain.encode()) > _LONGEST - len(".pdf"):
        plain = plain[:-1]
    return plain.rstrip(". ") + ".pdf"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
