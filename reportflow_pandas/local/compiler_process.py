"""Designs of strangers are compiled in processes of their own, which may loop or die without the service."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reportflow_pandas.settings import plain_environment

__all__ = ["Refused", "close_idle", "code_points_apart", "compiled_apart"]

PROGRAM = Path(__file__).with_name("compile_program.py")

LONGEST_SECONDS = 300.0
"""For one document, where the system cannot bound the program's processor time."""

ENDED = (
    "the template takes too long or too much memory for one document (20 s of processor time, 3 GB), so it was "
    "ended. Look for a loop that does not end, or for very many pages"
)

_NO_NETWORK = dict.fromkeys(
    ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9"
)
"""The compiler fetches packages by itself, and a template can work their names out: no way leads there."""


class Refused(Exception):  # noqa: N818 - the compiler refuses; nothing is broken
    """The compiler refused a document.

    Attributes
    ----------
    message, diagnostic, hints
        As of ``typst.TypstError``.
    """

    def __init__(self, message: str, diagnostic: str = "", hints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message, self.diagnostic, self.hints = message, diagnostic, hints


_idle: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # these are the parent's, and so are their pipes


def compiled_apart(files: Mapping[str, bytes], root: str, fonts: tuple[str, ...]) -> bytes:
    """Return a PDF that another process made.

    Raises
    ------
    Refused
        The template has an error, takes too long or too much memory.
    """
    asked = {"root": root, "fonts": fonts, "files": {name: len(files[name]) for name in files}}
    _, pages = _answered(asked, b"".join(files.values()), ENDED)
    return pages


def code_points_apart(font: Path) -> list[tuple[int, int]]:
    """Return which characters a stranger's font can show, read by another process.

    Raises
    ------
    Refused
        It is no font, or takes too long or too much memory.
    """
    try:
        answer, _ = _answered({"characters": str(font), "files": {}}, b"", "it takes too long or too much memory")
    except Refused as refused:
        raise Refused(f"{font} cannot be read as a font ({refused.message}); take it out of the folder") from None
    return [(int(first), min(int(last), sys.maxunicode)) for first, last in answer["characters"]]


def _answered(asked: Mapping[str, Any], more: bytes, ended: str) -> tuple[Any, bytes]:
    """Return what a process answers, and the bytes that follow."""
    with _lock:
        while (process := _idle.pop() if _idle else None) is not None and process.poll() is not None:
            pass  # ended while it had nothing to do
    process = process or _started()
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    bell = threading.Timer(LONGEST_SECONDS, process.kill)
    bell.daemon = True
    bell.start()
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n" + more)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        pages = process.stdout.read(answer["size"])
    except (OSError, ValueError):  # the pipe ended
        _end(process)
        raise Refused(ended) from None
    except BaseException:
        _end(process)
        raise
    finally:
        bell.cancel()
    with _lock:
        _idle.append(process)
    if "refused" in answer:
        raise Refused(*answer["refused"])
    return answer, pages


def close_idle() -> None:
    """End the processes that have nothing to do."""
    with _lock:
        processes, _idle[:] = _idle[:], []
    for process in processes:
        _end(process)


def _started() -> subprocess.Popen[bytes]:
    spec = importlib.util.find_spec("typst")
    place = [str(Path(spec.origin).parent.parent)] if spec is not None and spec.origin is not None else []
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*place, *([known] if known else [])])
    return subprocess.Popen(  # noqa: S603 - our own program, by its path
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**plain_environment(), **_NO_NETWORK, "PYTHONPATH": path},
        start_new_session=True,  # not the interrupt of the terminal's group; on Windows it says nothing
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
