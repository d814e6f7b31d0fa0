"""The folder of the runs: what a run may be called, and the file that its name becomes."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError

__all__ = ["ELSEWHERE", "SUFFIX", "checked_name", "journals", "make_folder", "path_of", "unusable"]

SUFFIX = ".sqlite"

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_NAME = re.compile(r"\w(?:[\w .\-+=()]*[\w\-+=()])?")
ELSEWHERE = "choose another folder with rf.configure(runs='…') or the environment's REPORTFLOW_RUNS"


def checked_name(run: str) -> str:
    """Return a run's name as it is stored.

    Letters of any script, digits, space and ``_-.+=()`` make a name of at most 80 characters that every file
    system takes; composed and decomposed accents are one name.

    Raises
    ------
    ConfigurationError
        It cannot name a file everywhere.

    Examples
    --------
    >>> checked_name("請求書 2026-11")
    '請求書 2026-11'
    """
    name = unicodedata.normalize("NFC", run) if isinstance(run, str) else ""
    if not _NAME.fullmatch(name) or len(name) > 80 or len(name.encode()) > 200:
        raise ConfigurationError(
            f"run={run!r}: a run is named by letters, digits, spaces and _-.+=(), beginning and ending with a "
            "letter or digit, at most 80 of them: it becomes the name of a file. For example run='november'"
        )
    if name.split(".")[0].strip().casefold() in _RESERVED:
        raise ConfigurationError(f"run={run!r}: Windows keeps this name for itself; for example run='{name}-run'")
    return name


def path_of(folder: Path, run: str) -> Path:
    """Return where a run's journal is, or would be.

    Raises
    ------
    ConfigurationError
        No name, or the folder has a run whose name differs in case only: on many machines that is one file.
    """
    name = checked_name(run)
    path = folder / (name + SUFFIX)
    if not path.exists() or os.name == "nt":
        for other in journals(folder):
            if other != name and other.casefold() == name.casefold():
                raise ConfigurationError(
                    f"run={name!r}: {folder} has a run {other!r}. Names that differ in upper and lower case only "
                    f"are one and the same on many machines: write run={other!r}, or choose another name"
                )
    return path


def journals(folder: Path) -> list[str]:
    """Return the names of a folder's runs, sorted; none where there is no folder."""
    try:
        found = [entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(
            f"the runs' folder {folder} cannot be read ({error.strerror}); {ELSEWHERE}"
        ) from error
    return sorted(unicodedata.normalize("NFC", name.removesuffix(SUFFIX)) for name in found)


def make_folder(folder: Path) -> None:
    """Make the runs' folder: for its owner only, and kept out of version control.

    A folder that is there already is used as it is.

    Raises
    ------
    ConfigurationError
        It cannot be made or written.
    """
    try:
        if not folder.is_dir():
            missing = [folder]
            while not missing[-1].parent.exists():
                missing.append(missing[-1].parent)
            for level in reversed(missing):
                with contextlib.suppress(FileExistsError):
                    level.mkdir(mode=0o700)
            _made_private(folder)
        elif not any(folder.iterdir()):
            _made_private(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        raise unusable(folder, error) from error


def _made_private(folder: Path) -> None:
    (folder / ".gitignore").write_text("*\n")


def unusable(folder: Path, error: Exception) -> ConfigurationError:
    """Return the error for a folder that cannot hold journals."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigurationError(
        f"the runs' folder {folder} cannot be used ({said}): the journal of a run is written there before "
        f"anything is sent, and nothing was sent. Free or mend it, or {ELSEWHERE}"
    )
