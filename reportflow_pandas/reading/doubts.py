"""What makes a file doubtful is told in one refusal, with one line of code that has a choice for each of it.

A person who meets one refusal after the other gives up at the third.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.locations import Note
from reportflow_pandas.reading.reading_options import Reading

__all__ = ["Doubt", "Doubts", "doubt_of_numbers", "refused_for_all"]

_MOST_ROUNDS = 5
"""Times that a file is read again to find what a doubt hid: headings in the wrong line hide the most."""

_GROUPS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)

_NAMED = tuple(
    "sheet header text decimal thousands encoding separator as_shown hidden totals".split()  # noqa: SIM905 - shorter
)
"""Arguments of `read_rows`, in its order."""


@dataclass(frozen=True)
class Doubt:
    """One thing that is in doubt.

    Attributes
    ----------
    told : str
        What it is, where, and what can be done.
    way : mapping
        Arguments that settle it as people mostly mean it; empty: only the file can be corrected.
    """

    told: str
    way: Mapping[str, Any] = field(default_factory=dict)


def doubt_of_numbers(note: Note) -> Doubt:
    """Return what a note on texts that are numbers leaves in doubt: ``1,234,500`` has groups of three digits."""
    grouped = _GROUPS.fullmatch(note.value) is not None
    sign = "." if grouped else next(sign for sign in ",." if f"decimal={sign!r}" in note.suggestion)
    return Doubt(f"{note.problem}. {note.suggestion}", {"decimal": sign})


class Doubts(Exception):  # noqa: N818 - never seen outside: `read_file` turns it into a ConfigurationError
    """Why a file is not read; ``where`` is the beginning of the sentence."""

    def __init__(self, where: str, doubts: Sequence[Doubt]) -> None:
        super().__init__(where)
        self.where = where
        self.doubts = list(doubts)


def refused_for_all(
    first: Doubts, path: Path, reading: Reading, read: Callable[[Reading], object]
) -> ConfigurationError:
    """Return the refusal of a file that tells everything: what is found when it is read as it should be, too.

    Parameters
    ----------
    first : Doubts
        What was met first.
    path : pathlib.Path
        The file.
    reading : Reading
        How it was read.
    read : callable
        Reads it in another way.
    """
    told: list[str] = []
    way: dict[str, Any] = {}
    doubts, in_the_file = first.doubts, False
    for _ in range(_MOST_ROUNDS):
        new = [doubt for doubt in doubts if doubt.told not in told]
        if not new:
            break
        told += [doubt.told for doubt in new]
        in_the_file |= any(not doubt.way for doubt in new)
        for doubt in new:
            way.update(doubt.way)
        try:
            read(dataclasses.replace(reading, **way, keep_unknown=True, say=_silent))
            break
        except Doubts as more:
            doubts = more.doubts
        except ConfigurationError as refusal:
            told.append(str(refusal).removeprefix(f"{str(path)!r} "))
            in_the_file = True
            break
    listing = f" {told[0]}" if len(told) == 1 else "\n" + "\n".join(f"  - {line}" for line in told)
    return ConfigurationError(f"{first.where}:{listing}{_line(path, reading, way, after=in_the_file)}")


def _silent(_text: str) -> None:
    """Say nothing: the file is read for the refusal alone."""


def _line(path: Path, reading: Reading, way: Mapping[str, Any], *, after: bool) -> str:
    """Return the line to paste that settles everything which an argument can settle."""
    if not way:
        return ""
    chosen, usual = dataclasses.replace(reading, **way), Reading()
    given = {name: getattr(chosen, name) for name in _NAMED if getattr(chosen, name) != getattr(usual, name)}
    if given.get("text"):
        given["text"] = list(given["text"])
    else:
        given.pop("text", None)
    short = os.path.relpath(path)
    called = repr(str(path) if short.startswith("..") else short)
    words = ", ".join([called, *(f"{name}={value!r}" for name, value in given.items())])
    how = "Correct the file where only that helps; then all the rest" if after else "All of it"
    return f"\n{how} in one line, in which each choice is yours to change:\nrf.read_rows({words})"
