"""What an answer of the service means: a value, or an error of ours. One reading for the whole package."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote

import orjson

from reportflow_pandas.api.models import Accepted, Delivered, Design, FileEntry, Parameter
from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import (
    FILE_ID_HEADER,
    FILE_MAPPING_HEADER,
    FILE_URL_HEADER,
    GATEWAY_STATUSES,
    GONE_FIELD,
    PENDING_STATUSES,
    PENDING_WORDS,
    REQUEST_ID_HEADER,
    SHARE_WORDS,
    WINDOW_SECONDS,
)
from reportflow_pandas.errors import ApiError, NotReady, OutcomeUnknown, api_error

__all__ = [
    "Answer",
    "Reader",
    "accepted_from",
    "delivered_from",
    "designs_from",
    "files_from_mapping",
    "is_page",
    "messages_from",
    "parameters_from",
    "parsed",
    "retry_after_from",
]

log = logging.getLogger("reportflow_pandas")

_LONGEST_PAUSE_SECONDS = 3600.0
"""What a ``Retry-After`` may ask for; more is absurd, and no run should wait for it unseen."""

_MOMENT = 1e9
"""A ``Retry-After`` above this is no number of seconds but a moment, counted from 1970."""

_LONGEST_MESSAGE = 2_000
_MOST_MESSAGES = 1_000
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_FILE_FIELDS = frozenset({"fileId", "fileName", "share", "passthrough"})
_ACCEPTED_FIELDS = frozenset({"requestId", "url", "files"})
_ORDINARY_HEADERS = frozenset(
    {
        *(name.lower() for name in (FILE_ID_HEADER, FILE_MAPPING_HEADER, FILE_URL_HEADER, REQUEST_ID_HEADER)),
        "access-control-allow-origin",
        "access-control-expose-headers",
        *("cache-control", "etag", "vary"),
        "connection",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "server",
        "set-cookie",
        "transfer-encoding",
    }
)
"""Of a sync answer: what is not in the ``extra`` of a `Delivered`."""

_TYPE_WORDS = {"string": "text", "integer": "number"}
_DEEPEST = 16
"""Tables in tables in tables: no design goes so deep, a broken answer might."""


class Answer(NamedTuple):
    """A whole answer: of the service, or of the other host that it redirected a GET to."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    foreign: bool = False
    poured: bool = False
    """The body went into the caller's file."""

    def __repr__(self) -> str:
        """Show no word of the body: a service may echo a key, and tracebacks with local variables travel far."""
        return f"<Answer {self.status}, {len(self.body)} bytes>"


class Reader:
    """Reads answers.

    Parameters
    ----------
    clock : Clock
        For a ``Retry-After`` that is a date.
    pending_statuses, pending_words
        How a document says that it is not ready yet.
    hidden : callable
        Takes the secrets out of a text, should the service ever echo them.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        pending_statuses: Collection[int] = PENDING_STATUSES,
        pending_words: str = PENDING_WORDS,
        hidden: Callable[[str], str] = str,
    ) -> None:
        self._clock = clock
        self._pending_statuses = frozenset(pending_statuses)
        self._pending_words = re.compile(pending_words, re.IGNORECASE)
        self._hidden = hidden

    def generation(self, answer: Answer, endpoint: str) -> Accepted:
        """Return what a generation POST achieved: `Accepted`, or `Delivered` from a sync endpoint."""
        status = answer.status
        sync, single = endpoint.startswith("sync"), endpoint.endswith("single")
        if 200 <= status < 300:
            if sync and _is_file(answer, b"%PDF-" if single else b"PK"):
                return delivered_from(answer.headers, answer.body, status, single=single)
            accepted = accepted_from(parsed(answer.body), status, single=single)
            if accepted is not None:
                return accepted
            what = _described(answer) + _named(answer)
            raise OutcomeUnknown(f"the service answered {status} with {what}", status)
        if status >= 400:
            self._check_refused(answer, sync=sync)
        if 300 <= status < 400:
            # whatever redirects a POST took no documents: a portal, a login page, a wrong address
            raise self.refusal(answer)
        raise OutcomeUnknown(f"the service answered {status}, which says nothing about the documents", status)

    def _check_refused(self, answer: Answer, *, sync: bool) -> NoReturn:
        """Raise a refusal, or what is none: a sync 5xx but 500 may come after the work."""
        if answer.status in GATEWAY_STATUSES or (sync and answer.status > 500):
            words = "; ".join(self._messages(answer))
            raise OutcomeUnknown(
                f"a gateway answered {answer.status} in the service's place{': ' if words else ''}{words}",
                answer.status,
            )
        raise self.refusal(answer)

    def file(self, answer: Answer, magic: bytes, *, request_id: str) -> Answer:
        """Return a download's answer if it is a file that starts with ``magic``."""
        status = answer.status
        if status in (200, 201, 203):
            if answer.poured or _is_file(answer, magic):
                return answer
            kind = "PDF" if magic == b"%PDF-" else "ZIP"
            raise ApiError(status, [f"the answer is not a {kind} but {_described(answer)}"], request_id=request_id)
        messages = self._messages(answer)
        words = "; ".join(messages)
        if not answer.foreign and (
            status in self._pending_statuses or (status == 400 and self._pending_words.search(words))
        ):
            what = "not ready, not known or expired" if status == 404 else "not ready yet"
            raise NotReady(
                f"request {request_id} is {what}: the service answered {status}{': ' if words else ''}{words}",
                status,
                self._retry_after(answer),
                gone=_gone(answer.body),
            )
        raise self.refusal(answer, request_id)

    def lookup(self, answer: Answer) -> Any:
        """Return the parsed JSON of a look-up's answer."""
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        value = parsed(answer.body)
        if value is None:
            raise self.unreadable(answer)
        return value

    def unreadable(self, answer: Answer) -> ApiError:
        """Return the error for a look-up's answer that is something else."""
        return ApiError(answer.status, [f"the answer is not what was asked for but {_described(answer)}"])

    def refusal(self, answer: Answer, request_id: str | None = None) -> ApiError:
        """Return the error for a status that is no success."""
        messages = self._messages(answer)
        if 300 <= answer.status < 400:
            where = answer.headers.get("Location", "").partition("?")[0] or "nowhere"
            return ApiError(
                answer.status,
                [self._hidden(f"the service redirects to {where}"), *messages],
                request_id=request_id,
                hint="Is base_url right? The key is not sent to another address",
            )
        request_id = request_id or answer.headers.get(REQUEST_ID_HEADER)
        retry_after = self._retry_after(answer)
        if answer.foreign:
            # Another host's 401 or 403 says nothing about our key.
            messages = [*messages, "answered by the storage that the service redirected to"]
            return ApiError(answer.status, messages, request_id=request_id, retry_after=retry_after)
        return api_error(answer.status, messages, request_id=request_id, retry_after=retry_after)

    def _messages(self, answer: Answer) -> list[str]:
        return [self._hidden(message) for message in messages_from(answer.body)]

    def _retry_after(self, answer: Answer) -> float | None:
        said = answer.headers.get("Retry-After")
        seconds = retry_after_from(said, self._clock.now(), answer.headers.get("Date"))
        if seconds == _LONGEST_PAUSE_SECONDS:
            log.warning("Retry-After: %.40s: no more than an hour is waited for", said)
        return seconds


def _gone(body: bytes) -> str:
    """Return what a refused download says that the service has no more: ``"file"``, ``"request"``, or nothing."""
    value = parsed(body)
    word = value.get(GONE_FIELD) if isinstance(value, dict) else None
    return word if word in ("file", "request") else ""


def messages_from(body: bytes) -> list[str]:
    """Return the service's words in an error's body: one, several or none."""
    value = parsed(body)
    if isinstance(value, dict):
        # OAuth servers say it otherwise.
        names = ("message", "error_description", "error")
        said: Any = next((value[name] for name in names if value.get(name)), [])
        entries = said if isinstance(said, list) else [said]
        return [_words(entry) for entry in entries[:_MOST_MESSAGES] if entry is not None and entry != ""]
    if isinstance(value, str):
        return [_shortened(value)] if value.strip() else []
    text = body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        title = _TITLE.search(text)
        name = " ".join(title[1].split()) if title else ""
        return [_shortened(f"an HTML page{f' ({name})' if name else ''}, no answer of the service itself")]
    return [_shortened(text)] if text else []


def retry_after_from(value: str | None, now: datetime, date: str | None = None) -> float | None:
    """Return the seconds of a ``Retry-After``, from 0 up to an hour; None for what is none.

    A number is seconds; a large one is a moment by this machine's clock, whose distance may be no more than the
    service's window. An HTTP date is counted from the answer's own ``Date``, for the two clocks may differ.
    """
    value = (value or "").strip()
    if _SECONDS.fullmatch(value):
        seconds = float(value)
        if seconds > _MOMENT:
            return min(max(seconds - now.timestamp(), 0.0), WINDOW_SECONDS)
        return min(seconds, _LONGEST_PAUSE_SECONDS)
    moment = _http_date(value)
    if moment is None:
        return None
    return min(max((moment - (_http_date(date) or now)).total_seconds(), 0.0), _LONGEST_PAUSE_SECONDS)


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime((value or "").strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _words(entry: Any) -> str:
    return _shortened(entry if isinstance(entry, str) else orjson.dumps(entry).decode())


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether an answer calls itself a text for people or programs, and so no file."""
    return headers.get("Content-Type", "").lower().startswith(("text/", "application/json", "application/xhtml"))


def _is_file(answer: Answer, magic: bytes) -> bool:
    return answer.body.startswith(magic) and not is_page(answer.headers)


def _described(answer: Answer) -> str:
    if not answer.body:
        return "nothing"
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip() or "no content type"
    return f"{len(answer.body):,} unreadable bytes ({kind})"


def _named(answer: Answer) -> str:
    request_id = answer.headers.get(REQUEST_ID_HEADER)
    return f"; it names the request {request_id}" if request_id else ""


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
    if single and not files and (file_id := headers.get(FILE_ID_HEADER)):
        files = (FileEntry(file_id),)
    return Delivered(
        headers.get(REQUEST_ID_HEADER, ""),
        headers.get(FILE_URL_HEADER),
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
        SHARE_WORDS.get(word, word) if word else None,
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
                yield _listed_parameter(entry, depth)
    elif isinstance(value, dict):
        for name, shape in value.items():
            yield _named_parameter(name, shape, depth)


def _listed_parameter(entry: dict[str, Any], depth: int) -> Parameter:
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


def _default(value: Any) -> str | float | bool | tuple[()] | None:
    """Return a default as it is told; an empty one means that a parameter may be left out."""
    if value == []:
        return ()
    return value if isinstance(value, str | int | float) else None


def _ranges(value: Any) -> tuple[tuple[int, int], ...]:
    """Return ranges of code points; none where one of them makes no sense."""
    try:
        ranges = tuple((first, last) for first, last in value or ())
    except (TypeError, ValueError):
        return ()
    fine = all(isinstance(point, int) and 0 <= point < 0x110000 for pair in ranges for point in pair)
    return ranges if fine else ()


def _named_parameter(name: str, shape: Any, depth: int) -> Parameter:
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
