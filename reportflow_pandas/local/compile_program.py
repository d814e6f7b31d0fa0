"""Compile a design; as a program, started by its path, designs of strangers with bounds of time and memory.

JSON lines and bytes in and out. Imports neither pandas nor the package.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typst

__all__ = ["code_points", "compiled", "ranges"]

CPU_SECONDS_PER_DOCUMENT = 20
MEMORY_BYTES = 3_000_000_000
"""Of address space: the interpreter and the compiler take some 500 MB of it before the first page."""

NO_PACKAGES = os.path.join(os.path.dirname(__file__), "no-packages")  # noqa: PTH118, PTH120 - this imports little
"""A folder that is not there: packages of this account are files outside of the design."""


def main() -> None:
    """Answer one document after the other until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints does not come between the answers
    _bound("RLIMIT_AS", MEMORY_BYTES)
    _bound("RLIMIT_CORE", 0)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        files = {name: sys.stdin.buffer.read(size) for name, size in asked["files"].items()}
        _bound("RLIMIT_CPU", int(sum(os.times()[:2])) + CPU_SECONDS_PER_DOCUMENT)
        answer: dict[str, Any] = {}
        pages = b""
        try:
            if "characters" in asked:
                answer = {"characters": code_points(asked["characters"])}
            else:
                pages = compiled(files, asked["root"], tuple(asked["fonts"]))
        except typst.TypstError as error:
            answer = {"refused": [error.message, error.diagnostic, list(error.hints)]}
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a broken font does to the library that reads it
            answer = {"refused": [f"{type(error).__name__}: {error}", "", []]}
        answers.write(json.dumps(answer | {"size": len(pages)}).encode() + b"\n" + pages)
        answers.flush()


def compiled(files: Mapping[str, bytes], root: str, fonts: tuple[str, ...]) -> bytes:
    """Return the PDF that the compiler makes, by packaged fonts and the design's own."""
    # one compiler per call: a shared one is refused as "already borrowed" by a second thread
    compiler = typst.Compiler(
        files,  # type: ignore[type-var]  # a mapping of files is taken, its type hint does not say so
        root=root,
        font_paths=_fonts(fonts),
        ignore_system_fonts=True,
        package_path=NO_PACKAGES,
        package_cache_path=NO_PACKAGES,
    )
    # PDF/A-2u makes the compiler refuse what it would else draw as an empty box: the template's own words too
    pages = compiler.compile(format="pdf", timestamp=0, pdf_standards="a-2u")
    assert isinstance(pages, bytes)  # noqa: S101 - a list comes for pictures only, nothing for a file as target
    return pages


def code_points(font: str) -> list[tuple[int, int]]:
    """Return which characters a font file can show, as ranges of code points, first and last included."""
    from fontTools.ttLib import TTCollection, TTFont  # noqa: PLC0415 - not for each document

    points: set[int] = set()
    if font.lower().endswith((".ttc", ".otc")):
        with TTCollection(font, lazy=True) as collection:
            for member in collection.fonts:
                points.update(member.getBestCmap() or ())
    else:
        with TTFont(font, lazy=True) as file:
            points.update(file.getBestCmap() or ())
    return ranges(sorted(points))


def ranges(points: Sequence[int]) -> list[tuple[int, int]]:
    """Return sorted numbers as ranges, first and last included."""
    found = []
    start = 0
    for at in range(1, len(points) + 1):
        if at == len(points) or points[at] != points[at - 1] + 1:
            found.append((points[start], points[at - 1]))
            start = at
    return found


@functools.cache
def _fonts(folders: tuple[str, ...]) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=list(folders))


def _bound(name: str, most: int) -> None:
    """Let the system end this process beyond a bound; the parent sees its end."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    kind = getattr(resource, name)
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
