"""Folders below the download folder, from a template such as ``"pdfs/{Country}/{CustomerName}"``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reportflow_pandas.options import template_parts
from reportflow_pandas.rows.templates import filled

__all__ = ["download_folders"]


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
        The template names no column of the frame.
    InvalidRows
        A value is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"Country": ["Norway", "A/B"], "No": [7, 8]})
    >>> download_folders(frame, "pdfs/{Country}/{No:03d}")
    ['Norway/007', 'A_B/008']
    """
    parts = template_parts(download)
    if not parts:
        return None
    columns = [[_one_folder(text) for text in filled(frame, part, argument="download")] for part in parts]
    # the same text for equal folders: 100,000 rows have few of them
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in map("/".join, zip(*columns, strict=True))]


def _one_folder(text: str) -> str:
    return text.replace("/", "_").replace("\\", "_") or "_"
