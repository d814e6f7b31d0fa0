"""A folder of PDFs: whole files only, nothing lost, nothing outside it, nothing fetched twice."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import os
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.contract import without_pdf
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.next_steps import SAVED_SO_FAR
from reportflow_pandas.printable import INVISIBLE, JOINERS
from reportflow_pandas.settings import absolute_path

__all__ = ["MANIFEST", "SUPERSEDED", "PdfFolder", "encoded_names", "safe_folder_name", "safe_name"]

log = logging.getLogger("reportflow_pandas")

MANIFEST = ".reportflow-files.jsonl"
"""Which file of the folder is which document of which run: one line a file, so that later downloads find them."""

SUPERSEDED = "superseded"
"""Folder in the folder: PDFs whose place a newer PDF of the same document took, with the date of that moment."""

_FORBIDDEN = re.compile(rf'(?!{JOINERS})[/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff{INVISIBLE}]')
_CANNOT_BE_SAID = {errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG}
"""What file systems say to a name of characters, or of a length, that they do not have."""
_SHORT_NAME_BYTES = 120
"""Of a name that was refused: encrypted folders take 143."""
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])\s*(\.|$)")
"""As Windows reads names: whatever follows the first dot, and with blanks before it."""
_LONGEST_NAME_BYTES = 240
"""Of a file or a folder: every common file system takes them."""
_UNFINISHED = (".reportflow-", ".part")
_ABANDONED_AFTER_SECONDS = 3600.0
"""An unfinished file of this age belongs to a process that was killed."""


class PdfFolder:
    """Where PDFs are saved; for any number of threads.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    run : str, optional
        The run whose documents are saved. A newer PDF takes the place of an older one of the same run that is of
        no row any more (`rows_have`); the older one is kept in the folder ``superseded``.
    clock : Clock
        Gives the date in the names there.

    Raises
    ------
    ConfigurationError
        The folder cannot be made or written to: found out before anything is sent.
    """

    def __init__(self, folder: str | Path, run: str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path = absolute_path(folder, "download")
        self.run = run
        self._clock = clock
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as reason:
            raise ConfigurationError(
                f"download={str(folder)!r}: the folder cannot be written to ({reason.strerror or reason}). "
                "Choose another one"
            ) from reason
        self.superseded = 0
        """Older PDFs that were moved aside by this object."""
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        """Document -> file."""
        self._owners: dict[str, str] = {}
        """File, ignoring case and form of its accents -> document."""
        self._runs: dict[str, str | None] = {}
        """Document -> run."""
        self._next: dict[str, int] = {}
        """Name -> the number of its next folder: many equal names are not tried one by one."""
        self._rows_have: frozenset[str] | None = None
        self._asked_for: set[str] = set()
        """Documents that this object saved or looked for: they are of a row."""
        self.encoded = ""
        """A name that had to be percent-encoded, if one had."""
        self._torn = False
        """The manifest's last line has no end: a crash cut it short."""
        self._read()
        self._remove_abandoned()

    @property
    def has_older_files(self) -> bool:
        """Whether files of this run were saved here before this object was made."""
        return self.run is not None and self.run in self._runs.values()

    def rows_have(self, documents: Iterable[str]) -> None:
        """Say which documents are of a row of the run as it is now: their files keep their names.

        Without it, nothing is known of the rows, and no file gives up its name.
        """
        self._rows_have = frozenset(document for document in documents if self._runs.get(document) == self.run)

    def find(self, document: str) -> Path | None:
        """Return the file of a document (``"request id/file id"``) that is in the folder already."""
        self._asked_for.add(document)
        name = self._names.get(document)
        if name is None:
            return None
        path = self.path / name
        return path if _is_pdf(path) else None

    def holds(self, document: str, path: Path) -> bool:
        """Tell whether a file is that document's: inside this folder, and not another's by now."""
        if not path.is_file():
            return False
        try:
            name = path.resolve().relative_to(self.path.resolve()).as_posix()
        except ValueError:
            return False
        owner = self._owners.get(_folded(name), document)
        return owner == document and _folded(self._names.get(document, name)) == _folded(name)

    def save(self, document: str, file_name: str, pdf: bytes, *, folder: str = "") -> Path:
        """Write a PDF beside its place and put it there.

        A name that another document has goes into a numbered folder of its own, unless that document is an older
        one of the same run: then the older file is first linked into ``superseded`` under a dated name and the
        new one takes its place in one step, so that a crash in between leaves both.

        Parameters
        ----------
        document : str
            ``"request id/file id"``.
        file_name : str
            With or without ``.pdf``.
        pdf : bytes
            The file.
        folder : str
            Folder in this one, its parts separated by ``/``; each part is made a safe name.

        Raises
        ------
        ConfigurationError
            It cannot be written: the disk is full, the folder is gone.
        """
        inner = "/".join(safe_folder_name(part) for part in folder.split("/") if part)
        try:
            unfinished = self._written(pdf)
            try:
                with self._lock:
                    self._asked_for.add(document)
                    name = self._placed(unfinished, document, inner, file_name, pdf)
                    self._note(document, name)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as reason:
            raise ConfigurationError(
                f"{file_name!r} cannot be written to {str(self.path)!r} ({reason.strerror or reason}). "
                f"{SAVED_SO_FAR}"
            ) from reason
        return self.path / name

    def _written(self, pdf: bytes) -> Path:
        """Write a PDF under a temporary name and return it."""
        begin, end = _UNFINISHED
        path = self.path / f"{begin}{secrets.token_hex(6)}{end}"
        with path.open("xb") as file:
            try:
                file.write(pdf)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        return path

    def _placed(self, unfinished: Path, document: str, folder: str, file_name: str, pdf: bytes) -> str:
        """Give a whole file a name, another one if this file system cannot say its own: it is paid for."""
        name = safe_name(file_name)
        try:
            placed = self._place(unfinished, document, folder, name, pdf)
        except OSError as reason:
            if reason.errno not in _CANNOT_BE_SAID:
                raise
            folder, name = _in_ascii(folder, _SHORT_NAME_BYTES), _in_ascii(name[:-4], _SHORT_NAME_BYTES) + ".pdf"
            placed = self._place(unfinished, document, folder, name, pdf)
        if "%" in placed and not self.encoded and "%" not in file_name:
            self.encoded = placed
            log.warning(
                "%s cannot hold some of the names: they are percent-encoded there, such as %s", self.path, placed
            )
        return placed

    def _place(self, unfinished: Path, document: str, folder: str, name: str, pdf: bytes) -> str:
        """Give a whole file the first name that it can have, and return it."""
        begin = f"{folder}/" if folder else ""
        folded = _folded(begin + name)
        tried_before = 2 if document in self._names else self._next.get(folded, 2)
        for number in itertools.chain([1], itertools.count(tried_before)):
            candidate = f"{begin}{name}" if number == 1 else f"{begin}{number}/{name}"
            owner = self._owners.get(_folded(candidate), document)
            if owner == document:
                placed = _moved(unfinished, self.path / candidate, pdf)
            else:
                placed = self._is_outdated(owner) and self._supersede(owner, candidate, unfinished, pdf)
            if placed:
                self._next[folded] = max(self._next.get(folded, 2), number + 1)
                return candidate
        raise AssertionError  # counting has no end

    def _is_outdated(self, document: str) -> bool:
        """Tell whether a document is one of this run that no row has any more."""
        return (
            self.run is not None
            and self._runs.get(document) == self.run
            and self._rows_have is not None
            and document not in self._rows_have
            and document not in self._asked_for
        )

    def _supersede(self, older: str, name: str, unfinished: Path, pdf: bytes) -> bool:
        """Keep an older document's file under a dated name and put the new one in its place."""
        path, kept = self.path / name, self._names.get(older, name)
        in_place = _folded(kept) == _folded(name)  # else a crash came before the rename, or before its note
        old = self.path / kept if in_place else _in_any_case(path)
        if old.exists() and not _is_pdf(old):
            return False  # something else was written over it: a foreign file now
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _holds(path, pdf):
            if old.exists() and (in_place or not _same_file(self.path / kept, old)):
                self._keep(older, old)
            if old.exists() and not (path.exists() and old.samefile(path)):  # the names differ in case
                old.unlink()
            unfinished.replace(path)
        self._owners.pop(_folded(name), None)
        return True

    def _keep(self, older: str, old: Path) -> None:
        """Link an older document's file under a dated name; noted first, so that a crash leaves no second link."""
        kept = self._dated(old.relative_to(self.path).as_posix())
        (self.path / kept).parent.mkdir(parents=True, exist_ok=True)
        self._note(older, kept)
        _link_or_copy(old, self.path / kept)
        self.superseded += 1

    def set_aside(self, document: str) -> None:
        """Keep the file of a document of this run under a dated name: a newer one has another place."""
        with self._lock:
            name = self._names.get(document)
            if (
                name is None
                or name.startswith(f"{SUPERSEDED}/")
                or self.run is None
                or self._runs.get(document) != self.run
                or self._owners.get(_folded(name)) != document
                or not _is_pdf(self.path / name)
            ):
                return
            kept = self._dated(name)
            (self.path / kept).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).rename(self.path / kept)
            self._owners.pop(_folded(name), None)
            self._note(document, kept)
            self.superseded += 1

    def _dated(self, name: str) -> str:
        """Return a name in the folder of superseded files that is not in use."""
        old = PurePosixPath(name)
        stamp = f"{self._clock.now().astimezone():%Y-%m-%d %H.%M.%S}"
        for number in itertools.count(1):
            end = f" {stamp}{f' ({number})' if number > 1 else ''}.pdf"
            stem = _shortened(old.stem, _LONGEST_NAME_BYTES - len(end))
            dated = str(PurePosixPath(SUPERSEDED, *old.parts[:-1], stem + end))
            if not (self.path / dated).exists():
                return dated
        raise AssertionError  # counting has no end

    def _note(self, document: str, name: str) -> None:
        """Write down which file a document is, and of which run."""
        self._owners[_folded(name)] = document
        run = self._runs.get(document) or self.run
        if self._names.get(document) == name and self._runs.get(document) == run:
            return
        self._names[document] = name
        self._runs[document] = run
        line = json.dumps([document, name] if run is None else [document, name, run])
        with (self.path / MANIFEST).open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + line + "\n")
        self._torn = False

    def _read(self) -> None:
        try:
            text = (self.path / MANIFEST).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            # a line that a crash cut short costs one more download, nothing else
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                document, name, *run = json.loads(line)
                if isinstance(document, str) and isinstance(name, str) and _is_inside(name):
                    self._names[document] = name
                    self._owners[_folded(name)] = document
                    self._runs[document] = run[0] if run and isinstance(run[0], str) else None

    def _remove_abandoned(self) -> None:
        """Remove what a killed process left unfinished."""
        begin, end = _UNFINISHED
        for path in self.path.glob(f"{begin}*{end}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED_AFTER_SECONDS:
                    path.unlink()


def encoded_names(folder: PdfFolder) -> str:
    """Return what to say of names that a folder cannot hold; nothing where it holds all."""
    return (
        f"names that the disk cannot hold are percent-encoded, such as {folder.encoded}" if folder.encoded else ""
    )


def safe_folder_name(value: str) -> str:
    """Return a value as the name of one folder: what no file system takes becomes ``_``.

    Examples
    --------
    >>> safe_folder_name("A/S Norge: Oslo"), safe_folder_name(".."), safe_folder_name(" ")
    ('A_S Norge_ Oslo', '_', '_')
    """
    name = _safe_stem(value, _LONGEST_NAME_BYTES)
    return f"_{name}" if name.casefold() == SUPERSEDED else name


def _moved(unfinished: Path, path: Path, pdf: bytes) -> bool:
    """Give a whole file its name, unless another has it. Equal bytes are it: a crash came before the note."""
    with contextlib.suppress(FileExistsError, NotADirectoryError):  # a foreign file where a folder should be
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(unfinished, path)  # unlike a rename, this overwrites nothing
    except (FileExistsError, NotADirectoryError):
        return _holds(path, pdf)
    except OSError as reason:  # a file system without hard links
        if reason.errno == errno.ENOSPC:
            raise
        if path.exists():
            return _holds(path, pdf)
        unfinished.replace(path)
    return True


def _link_or_copy(path: Path, other: Path) -> None:
    """Give a file a second name, or a copy on a file system without hard links."""
    try:
        os.link(path, other)
    except OSError as reason:
        if reason.errno == errno.ENOSPC:
            raise
        shutil.copy2(path, other)


def _holds(path: Path, pdf: bytes) -> bool:
    try:
        return path.stat().st_size == len(pdf) and path.read_bytes() == pdf
    except OSError:
        return False


def _is_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(5) == b"%PDF-"
    except OSError:
        return False


def _in_any_case(path: Path) -> Path:
    """Return the file of a name, or else one whose name differs in case or form of accents only."""
    if path.exists() or not path.parent.is_dir():
        return path
    return next((file for file in path.parent.iterdir() if _folded(file.name) == _folded(path.name)), path)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) or one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _is_inside(name: str) -> bool:
    """Tell whether a name of the manifest is one that could have been given here."""
    *folders, file = name.split("/")
    return file == safe_name(file) and all(folder == _safe_stem(folder, _LONGEST_NAME_BYTES) for folder in folders)


def safe_name(file_name: str) -> str:
    """Return a name that stays in the folder, whatever the service or a ZIP says."""
    return _safe_stem(without_pdf(file_name), _LONGEST_NAME_BYTES - len(".pdf")) + ".pdf"


def _safe_stem(text: str, most: int) -> str:
    """Return a text as a name of at most so many bytes that no file system refuses and that hides nothing."""
    plain = _FORBIDDEN.sub("_", text).strip().rstrip(". ")
    if not plain or plain.startswith(".") or _WINDOWS_DEVICE.match(plain):
        plain = f"_{plain}"
    try:
        plain.encode(sys.getfilesystemencoding(), "surrogateescape")
    except UnicodeEncodeError:
        return _in_ascii(plain, most)
    return _shortened(plain, most).rstrip(". ")


def _in_ascii(text: str, most: int) -> str:
    """Return a name percent-encoded, for a file system that cannot hold its characters or its length."""
    return _shortened("".join(sign if sign.isascii() else quote(sign) for sign in text), most).rstrip(". ")


def _shortened(text: str, most: int) -> str:
    while len(text.encode()) > most:
        text = text[:-1]
    return text


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
