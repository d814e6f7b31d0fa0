"""The designs that a service offers: the packaged ones, and those of folders, read again when they change."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.designs import Design, load_designs, packaged_designs
from reportflow_pandas.settings import absolute_path

__all__ = ["DesignFolders", "FolderChoice"]

FolderChoice: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Mapping[str, Design]

LOOK_EVERY_SECONDS = 0.5
"""A folder of twenty designs is looked through in 2 ms; a call does so no more often than this."""


class DesignFolders(Mapping[str, Design]):
    """Designs by id.

    Parameters
    ----------
    choice : path, list of paths, or mapping of designs, optional
        Folders of designs beside the packaged ones; the same id replaces. A mapping takes the place of all and is
        not watched.
    clock : Clock
        Time between two looks at the folders.

    Raises
    ------
    ConfigurationError
        A folder that holds no designs, or one that is broken.
    """

    def __init__(self, choice: FolderChoice | None, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._given = dict(choice) if isinstance(choice, Mapping) else None
        self._folders = [] if isinstance(choice, Mapping) else _paths(choice)
        self._state = _state(self._folders)
        self._designs = self._read()
        self._looked = clock.monotonic()
        self.problem = ""
        """Why the folders' newest state cannot be read: the designs are those of before."""

    def __getitem__(self, design_id: str) -> Design:
        return self._designs[design_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._designs)

    def __len__(self) -> int:
        return len(self._designs)

    @property
    def state(self) -> str:
        """A text that differs as soon as a file of a folder has changed."""
        return f"{hash(self._state) & 0xFFFFFFFFFFFF:x}"

    def folder_of(self, design_id: str) -> Path | None:
        """Return a design's folder if it is one of the watched ones."""
        design = self._designs.get(design_id)
        if design is None:
            return None
        home = design.versions[design.latest].folder
        return home if any(folder in home.parents for folder in self._folders) else None

    def refresh(self) -> None:
        """Read the folders again if a file in them has changed, was added or removed."""
        now = self._clock.monotonic()
        if not self._folders or now - self._looked < LOOK_EVERY_SECONDS:
            return
        with self._lock:
            self._looked = now
            state = _state(self._folders)
            if state == self._state:
                return
            self._state = state
            try:
                self._designs, self.problem = self._read(), ""
            except (ConfigurationError, OSError) as problem:
                self.problem = str(problem)

    def _read(self) -> dict[str, Design]:
        if self._given is not None:
            return self._given
        found = dict(packaged_designs())
        for folder in self._folders:
            found |= load_designs(folder)
        return found


def _paths(choice: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None) -> list[Path]:
    if choice is None:
        return []
    folders = [choice] if isinstance(choice, str | os.PathLike) else choice
    return [absolute_path(folder, "designs") for folder in folders]


def _state(folders: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of change of each file in some folders."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            try:
                about = path.lstat()
            except OSError:
                continue
            found.append((str(path), about.st_size, about.st_mtime_ns))
    return tuple(found)
