"""Program that compiles designs of strangers, started by its path, with bounds of time and memory.

JSON lines and bytes in and out. Imports neither pandas nor the package.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import Any

import typst

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
        answer, pages = _compiled(files, asked["root"], tuple(asked["fonts"]))
        answers.write(json.dumps(answer | {"size": len(pages)}).encode() + b"\n" + pages)
        answers.flush()


def _compiled(files: dict[str, bytes], root: str, fonts: tuple[str, ...]) -> tuple[dict[str, Any], bytes]:
    """Return the compiler's refusal, empty where there is none, and the PDF."""
    try:
        compiler = typst.Compiler(
            files,  # type: ignore[type-var]  # a mapping of files is taken, its type hint does not say so
            root=root,
            font_paths=_fonts(fonts),
            ignore_system_fonts=True,
        )
        pages = compiler.compile(format="pdf", timestamp=0, pdf_standards="a-2u")
    except typst.TypstError as error:
        return {"refused": [error.message, error.diagnostic, list(error.hints)]}, b""
    assert isinstance(pages, bytes)  # noqa: S101 - a list comes for pictures only, nothing for a file as target
    return {}, pages


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
