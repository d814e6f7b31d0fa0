"""A frame's rows as documents: encoded in chunks when their turn comes, never all at once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
import pandas as pd

from reportflow_pandas.engine.plan import Document
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import SHARE_CODES, Options
from reportflow_pandas.rows.columns import aligned, cells_of, named
from reportflow_pandas.rows.sources import Source, Sources
from reportflow_pandas.rows.values import column_values, json_value

__all__ = ["CHUNK", "Documents", "document_id"]

CHUNK = 2000
"""Rows converted at once: 1.6 MiB at the peak for 12 columns, where all of 100,000 at once need 120."""

RESERVED = "rf"
"""Our entry in ``passthrough``: the service echoes it, so an answer's entries are matched by it."""


def document_id(run: str, position: int) -> str:
    """Return the 16 characters by which an answer's entry is matched; they tell nothing about the row."""
    digest = hashlib.blake2b(f"{run}\n{position}".encode(), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode()


class Documents:
    """The documents of a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        ``share``, ``passcode``, ``passthrough``, ``drop_missing``.
    sources : Sources
        What fills the parameters.
    names : list of str
        File names, one a row, without ``.pdf``.
    run : str
        The run's name: documents are told apart by it and their position.
    """

    def __init__(
        self, frame: pd.DataFrame, options: Options, sources: Sources, names: list[str], run: str
    ) -> None:
        self.names = names
        self._run = run
        self._rows = len(frame)
        self._drop = options.drop_missing
        self._columns = [source for source in sources if source.cells is not None]
        self._nested = [source for source in sources if source.nested is not None]
        self._constants = {
            source.parameter: json_value(source.constant.value, source.kind)
            for source in sources
            if source.constant is not None
        }
        self._constants |= {source.parameter: None for source in sources if source.blank and not self._drop}
        self._order = [source.parameter for source in sources]
        self._share = _shares(frame, options)
        self._passcode = _passcodes(frame, options)
        self._passthrough = _passthrough(frame, options)

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Document]:
        """Yield the documents in the frame's order, a chunk converted at a time."""
        for start in range(0, self._rows, CHUNK):
            yield from self.between(start, min(start + CHUNK, self._rows))

    def between(self, start: int, stop: int) -> Iterator[Document]:
        """Yield the documents from ``start`` up to ``stop``."""
        echoed = self._echoed(start, stop)
        for offset, params in enumerate(self.params(start, stop)):
            position = start + offset
            identity = document_id(self._run, position)
            content = {
                "fileName": self.names[position],
                "params": params,
                "shareType": self._share if isinstance(self._share, str) else self._share[position],
                "passcodeEnabled": self._passcode
                if isinstance(self._passcode, bool)
                else self._passcode[position],
                "passthrough": {**echoed[offset], RESERVED: identity} if echoed else {RESERVED: identity},
            }
            yield Document(position, identity, self.names[position], orjson.dumps(content))

    def params(self, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """Yield the ``params`` of each document from ``start`` up to ``stop`` (api-contract 4.4)."""
        names = [source.parameter for source in (*self._columns, *self._nested)]
        columns: list[list[Any]] = [_cells(source, start, stop) for source in self._columns]
        columns += [source.nested.rows(start, stop) for source in self._nested if source.nested is not None]
        rows = zip(*columns, strict=True) if columns else (() for _ in range(start, stop))
        for row in rows:
            params = dict(zip(names, row, strict=True))
            if self._drop:
                params = {name: value for name, value in params.items() if value is not None}
            if self._constants:
                params |= self._constants
            yield params

    def _echoed(self, start: int, stop: int) -> list[dict[str, Any]]:
        if not self._passthrough:
            return []
        columns = [column_values(cells.iloc[start:stop]) for cells in self._passthrough.values()]
        return [
            {name: value for name, value in zip(self._passthrough, row, strict=True) if value is not None}
            for row in zip(*columns, strict=True)
        ]


def _cells(source: Source, start: int, stop: int) -> list[Any]:
    assert source.cells is not None  # noqa: S101 - for the type checker: chosen so above
    return column_values(source.cells.iloc[start:stop], source.kind)


def _shares(frame: pd.DataFrame, options: Options) -> str | list[str]:
    if isinstance(options.share, str):
        return SHARE_CODES[options.share]
    words = aligned(frame, options.share, "share").tolist()
    wrong = [position for position, word in enumerate(words) if word not in SHARE_CODES]
    if wrong:
        rows = [frame.index[position] for position in wrong]
        raise InvalidRows(
            f"share: {words[wrong[0]]!r} in row {rows[0]!r}; one of {', '.join(map(repr, SHARE_CODES))}", rows
        )
    return [SHARE_CODES[word] for word in words]


def _passcodes(frame: pd.DataFrame, options: Options) -> bool | list[bool]:
    if isinstance(options.passcode, bool):
        return options.passcode
    given = aligned(frame, options.passcode, "passcode")
    if not pd.api.types.is_bool_dtype(given.dtype):
        raise ConfigurationError(f"passcode: a Series of True and False, not of {given.dtype}")
    return [bool(value) for value in given.tolist()]


def _passthrough(frame: pd.DataFrame, options: Options) -> dict[str, pd.Series[Any]]:
    for name in options.passthrough_columns:
        if not named(frame, name):
            raise ConfigurationError(
                f"passthrough: the frame has no column {name!r}. Columns: {', '.join(map(repr, frame.columns[:20]))}"
            )
        if str(name) == RESERVED:
            raise ConfigurationError(
                f"passthrough: {RESERVED!r} is ours, it ties answers to rows; rename the column"
            )
    return {str(name): cells_of(frame, name) for name in options.passthrough_columns}
