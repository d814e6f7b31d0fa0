"""A frame's rows as documents: encoded in chunks when their turn comes, never all at once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import orjson
import pandas as pd

from reportflow_pandas.contract import SHARE_CODES
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Options
from reportflow_pandas.rows.input_frame import aligned, called, cells_of, columns_there, heading_text
from reportflow_pandas.rows.mapping import Source, Sources
from reportflow_pandas.rows.value_checks import refuse_in
from reportflow_pandas.rows.values import BLANK, column_values, json_value, without_missing

__all__ = ["CHUNK", "Documents", "content_key", "document_id"]

CHUNK = 2000
"""Rows converted at once: 1.6 MiB at the peak for 12 columns, where all of 100,000 at once need 120."""

RESERVED = "rf"
"""Our entry in ``passthrough``: the service echoes it, so an answer's entries are matched by it."""


_IDS = 256
"""Ids made at once: a tenth of what each costs alone."""


def document_id(run: str, position: int) -> str:
    """Return the 16 characters by which an answer's entry is matched; they tell nothing about the row."""
    block, place = divmod(position, _IDS)
    return _ids(run, block)[16 * place : 16 * place + 16]


@lru_cache(maxsize=8)
def _ids(run: str, block: int) -> str:
    """Return the ids of `_IDS` positions, one behind the other."""
    digest = hashlib.shake_128(f"{run}\n{block}".encode()).digest(12 * _IDS)
    return base64.urlsafe_b64encode(digest).decode()


def content_key(params: dict[str, Any], echoed: dict[str, Any], share: str, passcode: bool) -> str:
    """Return the 32 hex digits by which a durable run knows a document again.

    Parameters
    ----------
    params : dict
        The document's ``params``; the order of its keys does not count.
    echoed : dict
        The user's ``passthrough``, without our own entry.
    share : str
        The share code.
    passcode : bool
        Whether the page is protected.

    Examples
    --------
    >>> content_key({"a": 1, "b": 2}, {}, "01", False) == content_key({"b": 2, "a": 1}, {}, "01", False)
    True
    """
    content = orjson.dumps([params, echoed, share, passcode], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


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
        self._constants = self._same_everywhere(sources)
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
        for position, parts in zip(range(start, stop), self._parts(start, stop), strict=True):
            yield self._document(position, *parts)

    def keyed(self, start: int, stop: int) -> Iterator[tuple[Document, str]]:
        """Yield the documents from ``start`` up to ``stop``, each with its `content_key`.

        The key depends on the row's content alone: not on its position, its file name, our id or the run.
        """
        for position, parts in zip(range(start, stop), self._parts(start, stop), strict=True):
            yield self._document(position, *parts), content_key(*parts)

    def keys(self, start: int, stop: int) -> Iterator[str]:
        """Yield the `content_key` of each document from ``start`` up to ``stop``; none is encoded."""
        for parts in self._parts(start, stop):
            yield content_key(*parts)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[dict[str, Any], dict[str, Any], str, bool]]:
        """Yield what makes a document: ``params``, what is echoed, share code and passcode."""
        echoed: Iterable[dict[str, Any]] = self._echoed(start, stop) or repeat({})
        shares = repeat(self._share) if isinstance(self._share, str) else self._share[start:stop]
        passcodes = repeat(self._passcode) if isinstance(self._passcode, bool) else self._passcode[start:stop]
        return zip(self.params(start, stop), echoed, shares, passcodes, strict=False)

    def _document(
        self, position: int, params: dict[str, Any], echoed: dict[str, Any], share: str, passcode: bool
    ) -> Document:
        identity, name = document_id(self._run, position), self.names[position]
        content = {
            "fileName": name,
            "params": params,
            "shareType": share,
            "passcodeEnabled": passcode,
            "passthrough": {**echoed, RESERVED: identity},
        }
        # a copy of the size that it has: what orjson returns occupies 4 kB, and thousands wait for their turn
        return Document(position, identity, name, b"%b" % orjson.dumps(content))

    def params(self, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """Yield the ``params`` of each document from ``start`` up to ``stop``."""
        names = [source.parameter for source in (*self._columns, *self._nested)]
        columns: list[list[Any]] = [self._cells(source, start, stop) for source in self._columns]
        columns += [source.nested.rows(start, stop) for source in self._nested if source.nested is not None]
        rows = zip(*columns, strict=True) if columns else (() for _ in range(start, stop))
        for row in rows:
            params = dict(zip(names, row, strict=True))
            if self._drop:
                params = without_missing(params)
            if self._constants:
                params |= self._constants
            yield params

    def _cells(self, source: Source, start: int, stop: int) -> list[Any]:
        assert source.cells is not None  # noqa: S101 - for the type checker: chosen so above
        cells = column_values(source.cells.iloc[start:stop], source.kind)
        if source.kind in BLANK and not self._drop:
            return [BLANK[source.kind] if cell is None else cell for cell in cells]
        return cells

    def _same_everywhere(self, sources: Sources) -> dict[str, Any]:
        """Return what is the same in every document: constants, and parameters that are blank on purpose."""
        same = {
            source.parameter: json_value(source.constant.value, source.kind)
            if source.constant is not None
            else None
            for source in sources
            if source.constant is not None or source.blank
        }
        if self._drop:
            cleaned: dict[str, Any] = without_missing(same)
            return cleaned
        kinds = {source.parameter: source.kind for source in sources}
        return {name: BLANK.get(kinds[name]) if value is None else value for name, value in same.items()}

    def _echoed(self, start: int, stop: int) -> list[dict[str, Any]]:
        if not self._passthrough:
            return []
        columns = [column_values(cells.iloc[start:stop]) for cells in self._passthrough.values()]
        return [
            {name: value for name, value in zip(self._passthrough, row, strict=True) if value is not None}
            for row in zip(*columns, strict=True)
        ]


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
    given = aligned(frame, options.passcode, "passcode").tolist()
    wrong = [value for value in given if not isinstance(value, bool | np.bool_)]
    if wrong:
        raise ConfigurationError(f"passcode: a Series of True and False, and {wrong[0]!r} is neither")
    return [bool(value) for value in given]


def _passthrough(frame: pd.DataFrame, options: Options) -> dict[str, pd.Series[Any]]:
    columns: dict[str, pd.Series[Any]] = {}
    for given in options.passthrough_columns:
        name = called(frame, given)
        if name is None:
            raise ConfigurationError(
                f"passthrough: the frame has no column {given!r}.{columns_there(frame, given)}"
            )
        text = heading_text(name) or str(name)
        if text == RESERVED or text in columns:
            why = "it ties answers to rows" if text == RESERVED else "there are two of this name"
            raise ConfigurationError(f"passthrough: {text!r} cannot be echoed, {why}; rename the column")
        columns[text] = cells_of(frame, name)
    refuse_in(frame, {f"passthrough column {name!r}": cells for name, cells in columns.items()})
    return columns
