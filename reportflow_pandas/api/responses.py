"""What an answer of the service means: a value, or an error of ours. One reading for the whole package."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, NoReturn

import orjson

from reportflow_pandas.api.models import Accepted
from reportflow_pandas.api.parsing import accepted_from, delivered_from, parsed
from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import GATEWAY_STATUSES, GONE_FIELD, PENDING_STATUSES, PENDING_WORDS
from reportflow_pandas.errors import ApiError, NotReady, OutcomeUnknown, api_error

__all__ = ["Answer", "Reader", "is_page", "messages_from", "retry_after_from"]

_ELSEWHERE = frozenset({301, 307, 308})
"""Redirects by which the service says that it did nothing. (302 and 303 may follow a POST that was done.)"""

_LONGEST_PAUSE = 3600.0
_LONGEST_MESSAGE = 2_000
_MOST_MESSAGES = 1_000
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)


class Answer(NamedTuple):
    """A whole answer: of the service, or of the other host that it redirected a GET to."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    foreign: bool = False
    poured: bool = False
    """The body went into the caller's file."""


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
            raise OutcomeUnknown(f"the service answered {status} with {_described(answer)}{_told(answer)}", status)
        if status >= 400:
            self._check_refused(answer, sync=sync)
        if status in _ELSEWHERE:
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
        request_id = request_id or answer.headers.get("Request-Id")
        retry_after = self._retry_after(answer)
        if answer.foreign:
            # Another host's 401 or 403 says nothing about our key.
            messages = [*messages, "answered by the storage that the service redirected to"]
            return ApiError(answer.status, messages, request_id=request_id, retry_after=retry_after)
        return api_error(answer.status, messages, request_id=request_id, retry_after=retry_after)

    def _messages(self, answer: Answer) -> list[str]:
        return [self._hidden(message) for message in messages_from(answer.body)]

    def _retry_after(self, answer: Answer) -> float | None:
        return retry_after_from(answer.headers.get("Retry-After"), self._clock.now())


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


def retry_after_from(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After``: a number or an HTTP date; from 0 up to an hour."""
    value = (value or "").strip()
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), 0.0), _LONGEST_PAUSE)
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


def _told(answer: Answer) -> str:
    request_id = answer.headers.get("Request-Id")
    return f"; it names the request {request_id}" if request_id else ""
