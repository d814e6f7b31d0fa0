"""Folders below the download folder, from a template such as ``"pdfs/{Country}/{CustomerName}"``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.rows.templates import filled

__all__ = ["download_folders", "download_root", "template_parts"]


def download_folders(frame: pd.DataFrame, download: str | Path | None) -> list[str] | None:
    """Return each row's folder below the download folder, its parts separated by ``/``; None without a template.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    download : str, Path or None
        Folder, or a template: braces hold a column's name or ``index``, with an optional format. A slash in a
        value becomes ``_``: a value is one folder. What else no file system takes is replaced when it is made.

    Raises
    ------
    ConfigurationError
        The template names no column of the frame, or leaves its folder.
    InvalidRows
        A value is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"Country": ["Norway", "A/B"], "No": [7, 8]})
    >>> download_folders(frame, "pdfs/{Country}/{No:03d}")
    ['Norway/007', 'A_B/008']
    """
    parts = template_parts(download)
    if not parts or download is None:
        return None
    if ".." in parts:
        raise ConfigurationError(
            f"download={str(download)!r}: '..' after a brace would leave the folder "
            f"{str(download_root(download))!r}; name the folder itself"
        )
    columns = [[_one_folder(text) for text in filled(frame, part, argument="download")] for part in parts]
    # the same text for equal folders: 100,000 rows have few of them
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in map("/".join, zip(*columns, strict=True))]


def _one_folder(text: str) -> str:
    return text.replace("/", "_").replace("\\", "_") or "_"


_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[^/]")
"""A brace written twice, what stands in braces, or one character of a name in a path."""


def download_root(download: str | Path) -> Path:
    """Return the folder that PDFs are saved below and never outside of: what stands before the first brace.

    Examples
    --------
    >>> download_root("pdfs/{Country}/{CustomerName}").as_posix(), download_root("pdfs/a-{No}").as_posix()
    ('pdfs', 'pdfs')
    """
    parts = _parts(download)
    literal = "/".join(parts[: _first_field(parts)]).replace("{{", "{").replace("}}", "}")
    return Path(literal or ("/" if parts[0] == "" and len(parts) > 1 else "."))


def template_parts(download: str | Path | None) -> list[str]:
    """Return the parts of a download template from the first with a brace on; none where it is a plain folder."""
    parts = [] if download is None else _parts(download)
    return [part for part in parts[_first_field(parts) :] if part not in ("", ".")]


def _first_field(parts: Sequence[str]) -> int:
    """Return which part is the first that holds a field; the number of parts where none does."""
    return next((at for at, part in enumerate(parts) if _has_field(part)), len(parts))


def _has_field(part: str) -> bool:
    return any(found[0] == "{" and found != "{{" for found in _PIECE.findall(part))


def _parts(download: str | Path) -> list[str]:
    """Part a path at its slashes; those in braces belong to a column's name or a format."""
    text = str(download).replace(os.sep, "/")
    parts, part, end = [], "", 0
    for found in _PIECE.finditer(text):
        slashes = text[end : found.start()].count("/")
        for _ in range(slashes):
            parts.append(part)
            part = ""
        part += found[0]
        end = found.end()
    parts.append(part)
    return parts
