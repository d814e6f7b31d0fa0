"""By what a document is known in its run, and which rows are meant by ``again=``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pandas as pd

from reportflow_pandas.engine.batching import Document
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Options
from reportflow_pandas.rows.documents import CHUNK, Documents
from reportflow_pandas.rows.input_frame import called, cells_of, columns_there, labels_at, rows_phrase
from reportflow_pandas.rows.values import NotJson, json_value

__all__ = ["Keys", "positions_of"]


class Keys:
    """By what each document of a frame is known in its run: its content, or the user's own key.

    By its own key, an invoice number say, a document stays the same one when its content changes.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        ``design_id``, ``key``.

    Raises
    ------
    ConfigurationError
        No such column.
    InvalidRows
        A missing key, or one that two rows have.
    """

    def __init__(self, frame: pd.DataFrame, options: Options) -> None:
        self._design_id = options.design_id
        self._own = None if options.key is None else _own_keys(frame, options.key)

    def keyed(
        self, documents: Documents, version: int, start: int, stop: int
    ) -> tuple[list[Document], list[bytes], list[bytes] | None]:
        """Return documents from ``start`` up to ``stop``, their keys, and with ``key=`` their digests."""
        chunk: list[Document] = []
        contents: list[bytes] = []
        for document, key in documents.keyed(start, stop):
            chunk.append(document)
            contents.append(self._hashed(version, key))
        if self._own is None:
            return chunk, contents, None
        return chunk, self.between(documents, version, start, stop), contents

    def in_chunks(self, documents: Documents, version: int) -> Iterator[tuple[list[Document], list[bytes]]]:
        """Yield all documents and their keys, a chunk converted at a time."""
        for start in range(0, len(documents), CHUNK):
            chunk, keys, _ = self.keyed(documents, version, start, min(start + CHUNK, len(documents)))
            yield chunk, keys

    def between(self, documents: Documents, version: int, start: int, stop: int) -> list[bytes]:
        """Return the keys alone, from ``start`` up to ``stop``."""
        own = documents.keys(start, stop) if self._own is None else self._own[start:stop]
        return [self._hashed(version, key) for key in own]

    def _hashed(self, version: int, key: str) -> bytes:
        """Return 16 bytes of which design and version are a part."""
        return hashlib.blake2b(f"{self._design_id}\n{version}\n{key}".encode(), digest_size=16).digest()


def _own_keys(frame: pd.DataFrame, key: Any) -> list[str]:
    given = list(key) if isinstance(key, list | tuple) else [key]
    names = [called(frame, name) for name in given]
    for name, column in zip(given, names, strict=True):
        if column is None:
            raise ConfigurationError(f"key: the frame has no column {name!r}.{columns_there(frame, name)}")
    columns = [cells_of(frame, name) for name in names]
    missing = np.any([column.isna().to_numpy() for column in columns], axis=0)
    if missing.any():
        rows = labels_at(frame.index, np.flatnonzero(missing).tolist())
        raise InvalidRows(f"key={key!r} is missing in {rows_phrase(rows)}: it identifies a document", rows)
    try:
        # as texts: a column of numbers becomes one of texts as soon as one id is none, and 17 stays 17
        values = [[json_value(cell, "text") for cell in column.tolist()] for column in columns]
    except NotJson as reason:
        raise ConfigurationError(f"key={key!r}: {reason}") from None
    keys = ["key " + orjson.dumps(row).decode() for row in zip(*values, strict=True)]
    if len(set(keys)) < len(keys):
        twice = pd.Series(keys).duplicated(keep=False).to_numpy()
        rows = labels_at(frame.index, np.flatnonzero(twice).tolist())
        raise InvalidRows(
            f"key={key!r} is the same in {rows_phrase(rows)}: a key names one document. Add a column that "
            "tells them apart, e.g. key=['InvoiceId', 'Page'], or leave key= out",
            rows,
        )
    return keys


def positions_of(frame: pd.DataFrame, rows: Any, *, verb: str = "again") -> frozenset[int]:
    """Return the positions that rows mean: a boolean mask, or index labels.

    Parameters
    ----------
    frame : pandas.DataFrame
        Whose rows they are.
    rows : mask or index labels
        As the user gave them.
    verb : str
        What takes them, for its refusals: ``again=``, or ``settle``.

    Raises
    ------
    ConfigurationError
        A mask of another length or index, or labels that the frame does not have.
    """
    if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
        if not rows.index.equals(frame.index):
            if not rows.index.is_unique or not rows.index.isin(frame.index).all():
                example = ", e.g. again=review.decision == 'redo'" if verb == "again" else ""
                raise ConfigurationError(
                    f"{verb}: the mask has another index than the frame. Derive it from a frame with the same "
                    f"index{example}"
                )
            rows = rows.reindex(frame.index, fill_value=False)
        return frozenset(np.flatnonzero(rows.fillna(value=False).to_numpy(dtype=bool)).tolist())
    if not isinstance(rows, np.ndarray | list | tuple | set | frozenset | pd.Index | pd.Series):
        rows = [rows]
    listed = list(rows)
    if listed and all(isinstance(value, bool | np.bool_) for value in listed):
        if len(listed) != len(frame):
            raise ConfigurationError(f"{verb}: a mask of {len(listed)} values for a frame of {len(frame)} rows")
        return frozenset(position for position, value in enumerate(listed) if value)
    chosen = frame.index.isin(listed)
    absent = [label for label in listed if label not in frame.index]
    if absent:
        raise ConfigurationError(f"{verb}: the frame's index has no {', '.join(map(repr, absent[:5]))}")
    return frozenset(np.flatnonzero(chosen).tolist())
