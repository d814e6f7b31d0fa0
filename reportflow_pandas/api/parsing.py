"""The service's JSON and headers become values; what makes no sense becomes None or is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import orjson

from reportflow_pandas.api.models import Accepted, Delivered, Design, FileEntry, Parameter
from reportflow_pandas.contract import FILE_MAPPING_HEADER, REQUEST_ID_HEADER, SHARE_CODES

__all__ = [
    "accepted_from",
    "delivered_from",
    "designs_from",
    "files_from_mapping",
    "parameters_from",
    "parsed",
]

_SHARE_WORDS = {code: word for word, code in SHARE_CODES.items()}
_FILE_FIELDS = frozenset({"fileId", "fileName", "share", "passthrough"})
_ACCEPTED_FIELDS = frozenset({"requestId", "url", "files"})
_ORDINARY_HEADERS = frozenset(
    {
        "access-control-allow-origin",
        "access-control-expose-headers",
        "cache-control",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "etag",
        "file-id",
        "file-url",
        "keep-alive",
        "request-id",
        "server",
        "set-cookie",
        "transfer-encoding",
        "vary",
        "x-file-mapping",
    }
)
_TYPE_WORDS = {"string": "text", "integer": "number"}
_DEEPEST = 16
"""Tables in tables in tables: no design goes so deep, a broken answer might."""


def parsed(body: bytes | str) -> Any:
    """Return the value of a JSON text; ``None`` for what is no JSON, which no answer of the service is."""
    if isinstance(body, bytes):
        body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def accepted_from(value: Any, status: int, *, single: bool) -> Accepted | None:
    """Return what a parsed generation answer accepts; ``None`` if it names no id.

    The first edition named files and no request: a file has an id only if it was accepted.
    """
    if not isinstance(value, dict):
        return None
    request_id, file_id = _text(value.get("requestId")) or "", _text(value.get("fileId"))
    files = _files(value.get("files"))
    if not (request_id or file_id or any(entry.file_id for entry in files)):
        return None
    if single and not files and file_id:
        files = (FileEntry(file_id),)
    return Accepted(request_id, _text(value.get("url")), files, status, _extra(value, _ACCEPTED_FIELDS))


def delivered_from(headers: Mapping[str, str], content: bytes, status: int, *, single: bool) -> Delivered:
    """Return a sync answer: the file from the body, the rest from the headers."""
    files = files_from_mapping(headers.get(FILE_MAPPING_HEADER, ""))
    if single and not files and headers.get("File-ID"):
        files = (FileEntry(headers["File-ID"]),)
    return Delivered(
        headers.get(REQUEST_ID_HEADER, ""),
        headers.get("File-URL"),
        files,
        status,
        {name.lower(): value for name, value in headers.items() if name.lower() not in _ORDINARY_HEADERS},
        content,
        "application/pdf" if single else "application/zip",
    )


def files_from_mapping(raw: str) -> tuple[FileEntry, ...]:
    """Return the files of a header ``X-File-Mapping``; none for a broken one."""
    raw = raw.strip()
    if not raw.startswith("["):
        # unquote_plus would turn a plus sign in a name into a space.
        raw = unquote(raw)
    return _files(parsed(raw))


def designs_from(value: Any) -> list[Design] | None:
    """Return the designs of a parsed answer without its malformed entries; ``None`` if it is no list."""
    entries = value.get("designs") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        return None
    return [design for entry in entries if (design := _design(entry)) is not None]


def parameters_from(value: Any) -> list[Parameter] | None:
    """Return the parameters of a parsed answer in either shape; ``None`` for neither."""
    if not isinstance(value, (dict, list)):
        return None
    return list(_parameters(value, 0))


def _files(entries: Any) -> tuple[FileEntry, ...]:
    if not isinstance(entries, list):
        return ()
    return tuple([_file(entry) for entry in entries if isinstance(entry, dict)])


def _file(entry: dict[str, Any]) -> FileEntry:
    share, passthrough = entry.get("share"), entry.get("passthrough")
    if not isinstance(share, dict):
        share = {}
    word = _text(share.get("shareType"))
    return FileEntry(
        _text(entry.get("fileId")) or "",
        _text(entry.get("fileName")) or "",
        _text(share.get("url")),
        _SHARE_WORDS.get(word, word) if word else None,
        share.get("passcodeEnabled") is True,
        passthrough if isinstance(passthrough, dict) else {},
        _extra(entry, _FILE_FIELDS),
    )


def _extra(entry: dict[str, Any], known: frozenset[str]) -> Mapping[str, Any]:
    if known.issuperset(entry):
        return {}
    return {name: value for name, value in entry.items() if name not in known}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _design(entry: Any) -> Design | None:
    if not isinstance(entry, dict):
        return None
    design_id, version = _text(entry.get("id")), entry.get("latestVersion")
    if design_id is None or isinstance(version, bool) or not isinstance(version, int) or version < 1:
        return None
    return Design(
        design_id,
        _text(entry.get("label")) or design_id,
        version,
        _moment(entry.get("updatedAt")),
        _text(entry.get("thumbnail")),
    )


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _parameters(value: Any, depth: int) -> Iterable[Parameter]:
    """Yield the parameters of a list of objects, or of an object from names to types."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict) and _text(entry.get("name")):
                yield _described(entry, depth)
    elif isinstance(value, dict):
        for name, shape in value.items():
            yield _shaped(name, shape, depth)


def _described(entry: dict[str, Any], depth: int) -> Parameter:
    name = entry["name"]
    return Parameter(
        name,
        _type(entry.get("type")),
        _text(entry.get("label")) or name,
        _text(entry.get("description")),
        tuple(_parameters(entry.get("spec"), depth + 1)),
        _default(entry.get("default")),
        _ranges(entry.get("fontCharacters")),
    )


def _default(value: Any) -> str | float | bool | None:
    return value if isinstance(value, str | int | float) else None


def _ranges(value: Any) -> tuple[tuple[int, int], ...]:
    """Return ranges of code points; none where one of them makes no sense."""
    try:
        ranges = tuple((first, last) for first, last in value or ())
    except (TypeError, ValueError):
        return ()
    fine = all(isinstance(point, int) and 0 <= point < 0x110000 for pair in ranges for point in pair)
    return ranges if fine else ()


def _shaped(name: str, shape: Any, depth: int) -> Parameter:
    if isinstance(shape, list):
        row = shape[0] if shape and isinstance(shape[0], dict) else {}
        return Parameter(name, "array", name, None, tuple(_parameters(row, depth + 1)))
    if isinstance(shape, dict):
        return Parameter(name, "collection", name, None, tuple(_parameters(shape, depth + 1)))
    return Parameter(name, _type(shape), name)


def _type(word: Any) -> str:
    if not isinstance(word, str) or not word.strip():
        return "unknown"
    plain = word.strip().lower()
    return _TYPE_WORDS.get(plain, plain)
