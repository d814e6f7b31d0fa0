"""A folder of PDFs: whole files only, nothing overwritten, nothing outside it, nothing fetched twice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import unicodedata
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError

__all__ = ["MANIFEST", "PdfFolder"]

MANIFEST = ".reportflow-files.jsonl"
"""Which file of the folder is which document: one line a file, so that a second download finds them again."""

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
LONGEST = 240
"""Bytes of a file name that every common file system takes, with room for our temporary suffix."""


class PdfFolder:
    """Where PDFs are saved.

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
        self._documents: dict[str, str] = {}
        self._taken: set[str] = set()
        self._read()

    def find(self, document: str) -> Path | None:
        """Return the file of a document (``"request id/file id"``) that is in the folder already."""
        name = self._documents.get(document)
        if name is None:
            return None
        path = self.path / name
        try:
            with path.open("rb") as file:
                return path if file.read(5) == b"%PDF-" else None
        except OSError:
            return None

    def save(self, document: str, file_name: str, pdf: bytes) -> Path:
        """Write a PDF beside its place and move it there; a name that is taken goes into a folder of its own."""
        name = self._free(_safe(file_name))
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pdf)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        self._taken.add(_folded(name))
        self._documents[document] = name
        with (self.path / MANIFEST).open("a", encoding="utf-8") as file:
            file.write(json.dumps([document, name]) + "\n")
        return path

    def _free(self, name: str) -> str:
        number = 1
        candidate = name
        while _folded(candidate) in self._taken or (self.path / candidate).exists():
            number += 1
            candidate = f"{number}/{name}"
        return candidate

    def _read(self) -> None:
        try:
            lines = (self.path / MANIFEST).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            # a line that a crash cut short costs one more download, nothing else
            with contextlib.suppress(ValueError):
                document, name = json.loads(line)
                if isinstance(document, str) and isinstance(name, str) and _inside(name):
                    self._documents[document] = name
                    self._taken.add(_folded(name))


def _inside(name: str) -> bool:
    parts = name.split("/")
    return len(parts) <= 2 and all(part == _safe_part(part) for part in parts)


def _safe(file_name: str) -> str:
    """Return a name that stays in the folder, whatever the service or a ZIP says."""
    stem = file_name[:-4] if file_name[-4:].lower() == ".pdf" else file_name
    return _safe_part(stem) + ".pdf"


def _safe_part(part: str) -> str:
    plain = _FORBIDDEN.sub("_", part).strip().rstrip(".")
    if not plain or plain.startswith(".") or _WINDOWS_DEVICE.match(plain):
        plain = f"_{plain}"
    while len(plain.encode("utf-8", "replace")) > LONGEST - len(".pdf"):
        plain = plain[:-1]
    return plain


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
