"""A newer PDF takes an older one's place, killed before and after each change of the disk; then tried again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reportflow_pandas.results.pdf_folder import PdfFolder

OLDER, NEWER = b"%PDF-1.7 older", b"%PDF-1.7 newer"

CHANGES: list[tuple[Any, str]] = [
    (os, "link"),
    (Path, "replace"),
    (Path, "rename"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Path, "open"),
]


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Case:
    """Where the older PDF is, where the newer one goes, and whether file systems of today are below."""

    older: tuple[str, str] = ("", "INV.pdf")
    newer: tuple[str, str] = ("", "INV.pdf")
    links: bool = True

    def save(self, path: Path) -> None:
        folder = PdfFolder(path, "november")
        folder.rows_have(["r/2"])
        if folder.find("r/2") is None:
            folder.save("r/2", self.newer[1], NEWER, folder=self.newer[0])
        folder.set_aside("r/1")


def killed_at(case: Case, path: Path, number: int, *, after: bool) -> bool:
    """Save and be killed at this change of the disk; False where there are not so many."""
    folder = PdfFolder(path, "november")
    folder.save("r/1", case.older[1], OLDER, folder=case.older[0])
    counted = itertools.count()

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **more: Any) -> Any:
            reads = name == "open" and "r" in (args[1] if len(args) > 1 else more.get("mode", "r"))
            own = -1 if reads else next(counted)
            if own == number and not after:
                raise Killed
            if name == "link" and not case.links:
                raise PermissionError(1, "Operation not permitted")
            answer = real(*args, **more)
            if own == number:
                if name == "open":
                    answer.close()
                raise Killed
            return answer

        return change

    with pytest.MonkeyPatch.context() as patched:
        for owner, name in CHANGES:
            patched.setattr(owner, name, watched(name, getattr(owner, name)))
        try:
            case.save(path)
        except Killed:
            return True
    return False


def contents(path: Path) -> Iterator[bytes]:
    return (file.read_bytes() for file in path.rglob("*.pdf"))


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (("", "INV.pdf"), ("", "INV.pdf")),
        (("Norway", "INV.pdf"), ("Norway", "INV.pdf")),
        (("", "INV.pdf"), ("", "inv.pdf")),
        (("Norway", "INV.pdf"), ("Sweden", "INV.pdf")),
    ],
)
def test_whenever_it_is_killed_both_are_there_after_the_next_try_and_each_once(
    tmp_path: Path, older: tuple[str, str], newer: tuple[str, str], links: bool
) -> None:
    case = Case(older, newer, links)
    for number in itertools.count():
        tried = [tmp_path / f"{number} {after}" for after in (False, True)]
        killed = [killed_at(case, path, number, after=path is tried[1]) for path in tried]
        for path in tried:
            assert OLDER in contents(path), number
            case.save(path)
            assert sorted(contents(path)) == [NEWER, OLDER], number
            folder = PdfFolder(path, "november")
            found = folder.find("r/2")
            assert found == path / newer[0] / newer[1]
            assert found.read_bytes() == NEWER
            kept = folder.find("r/1")
            assert kept is None or (kept.read_bytes() == OLDER and "superseded" in kept.parts), number
        if not any(killed):
            break
    assert number > 6
