"""Compile a design; as a program, started by its path, designs of strangers with bounds of time and memory.

JSON lines and bytes in and out. Imports neither pandas nor the package.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import typst

__all__ = ["compiled"]

CPU_SECONDS_PER_DOCUMENT = 20
MEMORY_BYTES = 3_000_000_000
"""Of address space: the interpreter and the compiler take some 500 MB of it before the first page."""


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
            pages = compiled(files, asked["root"], tuple(asked["fonts"]))
        except typst.TypstError as error:
            answer = {"refused": [error.message, error.diagnostic, list(error.hints)]}
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
    )
    # PDF/A-2u makes the compiler refuse what it would else draw as an empty box: the template's own words too
    pages = compiler.compile(format="pdf", timestamp=0, pdf_standards="a-2u")
    assert isinstance(pages, bytes)  # noqa: S101 - a list comes for pictures only, nothing for a file as target
    return pages


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
