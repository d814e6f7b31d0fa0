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
from reportflow_pandas.settings import absolute_path

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
    path = absolute_path(path, "path")
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


def place(
    path: Path,
    write: Callable[[Path], None],
    *,
    keep_old: str = "",
    leave_old: str = "",
    clock: Clock = SYSTEM_CLOCK,
) -> Path:
    """Write a file to a temporary name in the same folder and move it into place.

    Parameters
    ----------
    path : pathlib.Path
        Where it belongs.
    write : callable
        Writes the file to the path that it is given.
    keep_old : str
        Why the file that is there now must be kept under a dated name; empty: it is replaced.
    leave_old : str
        Why the file that is there now must be left as it is; empty: it need not.
    clock : Clock
        Gives the date.

    Returns
    -------
    pathlib.Path
        Where it is: ``path``, or a dated name beside it when the target cannot be replaced.

    Warns
    -----
    FileKept
        The target is open in Excel or LibreOffice or cannot be replaced, and was left as it is; or the old file
        was kept under a dated name.
    """
    # A link stays a link; the file that it leads to is the one that is replaced.
    real = Path(os.path.realpath(path))
    temporary = real.with_name(f".{real.stem}-{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        with contextlib.suppress(OSError):
            shutil.copymode(real, temporary)
        lock = _lock(real)
        if lock is not None and not leave_old:
            leave_old = (
                f"is open in another program, probably Excel (there is a lock file {lock.name!r}; delete it "
            )
            leave_old += "if no program has the file open)"
        if not leave_old:
            try:
                old = _replaced(temporary, real, keep=bool(keep_old), clock=clock)
            except PermissionError:
                leave_old = "is open in another program, probably Excel, or may not be replaced"
            else:
                if old is not None:
                    warnings.warn(f"{keep_old} It is kept as {str(old)!r}.", FileKept, stacklevel=3)
                return path
        fresh = dated(path, clock)
        temporary.replace(fresh)
        warnings.warn(
            f"{str(path)!r} {leave_old}. It was left as it is; the new file is {str(fresh)!r}.",
            FileKept,
            stacklevel=3,
        )
        return fresh
    finally:
        temporary.unlink(missing_ok=True)


def _replaced(temporary: Path, real: Path, *, keep: bool, clock: Clock) -> Path | None:
    """Put a whole file into its place; return the dated name that the old one is kept under.

    The old file gets the dated name as a second one first: where it cannot be replaced, it is as it was.
    """
    old = None
    if keep and real.exists():
        old = dated(real, clock)
        try:
            os.link(real, old)
        except OSError:  # a file system without hard links
            shutil.copy2(real, old)
    try:
        temporary.replace(real)
    except OSError:
        if old is not None:
            old.unlink(missing_ok=True)
        raise
    return old


def _lock(path: Path) -> Path | None:
    """Return the file by which Excel or LibreOffice says that it has this one open.

    Outside Windows a file can be replaced under the program that shows it, and its next save would then
    overwrite the new file.
    """
    for name in (f"~${path.name}", f".~lock.{path.name}#"):
        if path.with_name(name).exists():
            return path.with_name(name)
    return None
