"""A file is written beside its place and moved into it; a place that is taken is left alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.errors import ConfigurationError

__all__ = ["FileKept", "checked_path", "dated", "place"]


class FileKept(UserWarning):
    """A file that was there already is kept, and the new one or the old one has a dated name."""


def checked_path(path: str | Path, suffix: str) -> Path:
    """Return the path if a file of this kind can be written there.

    Raises
    ------
    ConfigurationError
        Another suffix, a folder that does not exist, a path that is a folder.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != suffix:
        raise ConfigurationError(f"{str(path)!r}: the name must end in {suffix}, such as 'review{suffix}'")
    if not path.parent.is_dir():
        raise ConfigurationError(f"the folder {str(path.parent)!r} does not exist; make it first")
    if path.is_dir():
        raise ConfigurationError(f"{str(path)!r} is a folder; give the name of a file")
    return path


def dated(path: Path, clock: Clock = SYSTEM_CLOCK) -> Path:
    """Return a name beside ``path`` that holds the local time and is not in use."""
    stem = f"{path.stem} {clock.now().astimezone():%Y-%m-%d %H.%M.%S}"
    name, number = path.with_name(stem + path.suffix), 1
    while name.exists():
        number += 1
        name = path.with_name(f"{stem} ({number}){path.suffix}")
    return name


def place(path: Path, write: Callable[[Path], None], *, keep_old: str = "", clock: Clock = SYSTEM_CLOCK) -> Path:
    """Write a file to a temporary name in the same folder and move it into place.

    Parameters
    ----------
    path : pathlib.Path
        Where it belongs.
    write : callable
        Writes the file to the path that it is given.
    keep_old : str
        Why the file that is there now must be kept under a dated name; empty: it is replaced.
    clock : Clock
        Gives the date.

    Returns
    -------
    pathlib.Path
        Where it is: ``path``, or a dated name beside it when the target is open elsewhere.

    Warns
    -----
    FileKept
        The target is open in Excel or LibreOffice, or the old file was kept under a dated name.
    """
    # A link stays a link; the file that it leads to is the one that is replaced.
    real = Path(os.path.realpath(path))
    old = None
    temporary = real.with_name(f".{real.stem}-{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        with contextlib.suppress(OSError):
            shutil.copymode(real, temporary)
        lock = _lock(real)
        try:
            if lock is not None:
                raise PermissionError(lock)  # noqa: TRY301 - the same as the refusal of Windows
            if keep_old and real.exists():
                old = dated(real, clock)
                real.replace(old)
            temporary.replace(real)
        except PermissionError:
            fresh = dated(path, clock)
            temporary.replace(fresh)
            seen = f" (there is a lock file {lock.name!r}; delete it if nobody has the file open)" if lock else ""
            warnings.warn(
                f"{str(path)!r} is open in another program, probably Excel{seen}. It was left as it is; "
                f"the new file is {str(fresh)!r}.",
                FileKept,
                stacklevel=3,
            )
            return fresh
        if old is not None:
            warnings.warn(f"{keep_old} It is kept as {str(old)!r}.", FileKept, stacklevel=3)
        return path
    finally:
        temporary.unlink(missing_ok=True)


def _lock(path: Path) -> Path | None:
    """Return the file by which Excel or LibreOffice says that it has this one open.

    Outside Windows a file can be replaced under the program that shows it, and its next save would then
    overwrite the new file.
    """
    for name in (f"~${path.name}", f".~lock.{path.name}#"):
        if path.with_name(name).exists():
            return path.with_name(name)
    return None
