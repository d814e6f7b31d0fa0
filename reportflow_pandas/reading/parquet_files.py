"""Parquet files and folders of them: typed values stay what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from reportflow_pandas.reading.file_kinds import needed
from reportflow_pandas.reading.inference import inferred, series_of_texts
from reportflow_pandas.reading.locations import Origin, location_index
from reportflow_pandas.reading.reading_options import Reading, listed, refusal
from reportflow_pandas.reading.table import runs_of, written

__all__ = ["read_parquet"]

_MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""How Hive and Spark name the folder of rows whose value is missing."""

_PICTURES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"<svg",
    b"<?xml",
    b"%PDF",
    b"II*\x00",
    b"MM\x00*",
)
"""First bytes of pictures: these stay bytes."""

_NULLABLE: dict[str, Any] = {
    "int8": pd.Int8Dtype(),
    "int16": pd.Int16Dtype(),
    "int32": pd.Int32Dtype(),
    "int64": pd.Int64Dtype(),
    "uint8": pd.UInt8Dtype(),
    "uint16": pd.UInt16Dtype(),
    "uint32": pd.UInt32Dtype(),
    "uint64": pd.UInt64Dtype(),
}
"""Whole numbers beside a null: as floats they would lose digits from 2^53 on."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Signs that no text has."""

_INDEX = "__index_level_"
"""How pandas names the labels of a frame that have no name."""


def read_parquet(path: Path, reading: Reading) -> pd.DataFrame:
    """Return the rows of a Parquet file, or of all files of a folder.

    Raises
    ------
    ConfigurationError
        Damaged, no Parquet files, files of other columns, bytes that are no text.
    """
    needed(path, "pyarrow", "pyarrow", "Or save the rows as .csv or .xlsx")
    files = _files(path) if path.is_dir() else [(path, {})]
    tables = [_table(file) for file, _ in files]
    keys = list(dict.fromkeys(key for _, partition in files for key in partition))
    try:
        table = _joined(tables)
    except Exception as reason:  # noqa: BLE001 - what pyarrow raises for columns of different types
        raise refusal(
            path, f"holds files whose columns are of different types ({_said(reason)}). Read them one by one"
        ) from None
    names = list(table.column_names)
    columns = [_column(table.column(at), name, path, reading) for at, name in enumerate(names)]
    for key in keys:
        if key in names:
            continue
        texts = [
            partition.get(key) or ""
            for (_, partition), part in zip(files, tables, strict=True)
            for _ in range(len(part))
        ]
        names.append(key)
        columns.append(series_of_texts(texts) if key in reading.text else inferred(texts, None, None).cells)
    for name in reading.text:
        if name not in names:
            raise refusal(path, f"has no such column as text={[name]!r} names. Columns: {listed(names)}")
    lengths = [len(part) for part in tables]
    parts = [str(file.relative_to(path)) for file, _ in files] if path.is_dir() else []
    return _origin(path, lengths, parts).kept_in(_framed(names, columns, sum(lengths)))


def _files(folder: Path) -> list[tuple[Path, dict[str, str | None]]]:
    """Return the Parquet files of a folder, each with the values that its folders' names give."""
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix.lower() in (".parquet", ".pq", ".parq")
        and not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
    )
    if not found:
        names = listed(sorted(entry.name for entry in folder.iterdir())[:5])
        raise refusal(folder, f"is a folder without Parquet files; it holds {names or 'nothing'}. Name one file")
    return [(file, _partition(file.relative_to(folder).parts[:-1])) for file in found]


def _partition(folders: Sequence[str]) -> dict[str, str | None]:
    pairs = [folder.partition("=") for folder in folders if "=" in folder]
    return {unquote(key): None if value == _MISSING_PARTITION else unquote(value) for key, _, value in pairs}


def _table(file: Path) -> Any:
    import pyarrow.parquet as pq  # noqa: PLC0415 - of the extra `files`

    try:
        with pq.ParquetFile(file) as opened:
            return opened.read()
    except Exception as reason:  # noqa: BLE001 - pyarrow raises what damaged bytes lead to
        raise refusal(file, f"cannot be read as a Parquet file: {_said(reason)}. Write it again") from None


def _said(reason: Exception) -> str:
    return " ".join(str(reason).split())[:160]


def _joined(tables: Sequence[Any]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - of the extra `files`

    if len(tables) == 1:
        return tables[0]
    plain = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(plain, promote_options="default")


def _framed(names: Sequence[str], columns: Sequence[pd.Series[Any]], rows: int) -> pd.DataFrame:
    """Return the frame; labels that pandas kept without a name are labels again."""
    index = location_index(rows)
    kept = [at for at, name in enumerate(names) if not name.startswith(_INDEX)]
    frame = pd.concat([columns[at].set_axis(index) for at in kept], axis=1) if kept else pd.DataFrame(index=index)
    frame.columns = pd.Index([names[at] for at in kept])
    labels = [column for column, name in zip(columns, names, strict=True) if name.startswith(_INDEX)]
    if len(labels) == 1:
        frame.index = pd.Index(labels[0].array)
    elif labels:
        frame.index = pd.MultiIndex.from_arrays(labels)
    return frame


def _origin(path: Path, lengths: Sequence[int], parts: Sequence[str]) -> Origin:
    numbers = [number for length in lengths for number in range(1, length + 1)]
    begins = [sum(lengths[:at]) for at in range(len(lengths))]
    return Origin(path.name, "row", runs_of(numbers), files=list(zip(begins, parts, strict=True)) if parts else ())


def _column(values: Any, name: str, path: Path, reading: Reading) -> pd.Series[Any]:
    """Return a column of Arrow values as pandas holds them exactly."""
    import pyarrow as pa  # noqa: PLC0415 - of the extra `files`

    kind = values.type
    if pa.types.is_dictionary(kind):
        values = pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks], kind.value_type)
        kind = values.type
    if _is_binary(kind):
        column = _from_bytes(values.to_pylist(), name, path)
    elif pa.types.is_nested(kind):
        column = pd.Series([_plain(value, kind) for value in values.to_pylist()], dtype=object)
    else:
        column = _flat(values, kind)
    if name in reading.text:
        cells = column.to_numpy() if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" else column
        return written([None if missing else cell for cell, missing in zip(cells, column.isna(), strict=True)])
    return column


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - of the extra `files`

    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _flat(values: Any, kind: Any) -> pd.Series[Any]:
    import pyarrow as pa  # noqa: PLC0415 - of the extra `files`

    if values.null_count and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        exact = pd.BooleanDtype() if pa.types.is_boolean(kind) else _NULLABLE[str(kind)]
        column: pd.Series[Any] = values.to_pandas(types_mapper={kind: exact}.get)
        return column.reset_index(drop=True)
    if isinstance(kind, pa.BaseExtensionType):
        return pd.Series(values.to_pylist(), dtype=object)
    column = values.to_pandas()
    return column.reset_index(drop=True)


def _plain(value: Any, kind: Any) -> Any:
    """Return a nested value: maps as dicts, bytes that are texts as texts."""
    import pyarrow as pa  # noqa: PLC0415 - of the extra `files`

    if value is None:
        return None
    if pa.types.is_map(kind):
        return {_plain(key, kind.key_type): _plain(item, kind.item_type) for key, item in value}
    if pa.types.is_struct(kind):
        return {kind[at].name: _plain(value[kind[at].name], kind[at].type) for at in range(kind.num_fields)}
    if pa.types.is_nested(kind):
        return [_plain(item, kind.value_type) for item in value]
    if isinstance(value, bytes):
        return _text_of(value) or value
    return value


def _text_of(value: bytes) -> str | None:
    """Return bytes that are a text as one, None for pictures and other data."""
    if value.startswith(_PICTURES):
        return None
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def _from_bytes(values: Sequence[bytes | None], name: str, path: Path) -> pd.Series[Any]:
    """Return binary values as texts, as Impala and Spark write texts; pictures stay bytes."""
    texts = [None if value is None else _text_of(value) for value in values]
    wrong = [at for at, (value, text) in enumerate(zip(values, texts, strict=True)) if value and text is None]
    if not wrong:
        return pd.Series(texts, dtype="str")
    pictures = [value for value in values if value and value.startswith(_PICTURES)]
    others = [at for at in wrong if not (values[at] or b"").startswith(_PICTURES)]
    if pictures or len(others) == sum(value is not None for value in values):
        return pd.Series(values, dtype=object)
    first = others[0]
    raise refusal(
        path,
        f"holds bytes in {name!r}, some of them texts, and row {first + 1} is none in UTF-8 "
        f"({(values[first] or b'')[:20]!r}). Write the column as text",
    )
