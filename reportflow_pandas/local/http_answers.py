"""Answers as the wire has them: refusals shaped like NestJS's, entries, headers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import orjson

from reportflow_pandas.contract import GONE_FIELD

__all__ = [
    "JSON_TYPE",
    "Answer",
    "Refusal",
    "attachment",
    "html_answer",
    "json_answer",
    "names_this_machine",
    "refusal_body",
]

JSON_TYPE = "application/json; charset=utf-8"

_ERRORS = {413: "Request Entity Too Large", 504: "Request timeout"}
"""Where the documented word is not HTTP's own."""


class Refusal(Exception):  # noqa: N818 - the service refuses; nothing is broken
    """The call is refused with this status and these messages.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str or list of str
        One business message, or the list of a validation.
    retry_after : int, optional
        Seconds, sent as ``Retry-After``.
    gone : {"", "file", "request"}
        What the service has no more and never will; said beside the message.
    document_state : {"", "rendering", "failed", "expired"}
        The state of the document that was asked for, where that is the reason and the call was in order.
    """

    def __init__(
        self,
        status: int,
        message: str | list[str],
        retry_after: int | None = None,
        *,
        gone: Literal["", "file", "request"] = "",
        document_state: str = "",
    ) -> None:
        super().__init__(message)
        self.gone, self.document_state = gone, document_state
        self.status = status
        self.message = message
        self.retry_after = retry_after

    @property
    def messages(self) -> tuple[str, ...]:
        """The message or messages, always as a tuple."""
        return (self.message,) if isinstance(self.message, str) else tuple(self.message)

    def answer(self) -> Answer:
        """Return the answer that says so."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 204:
            return Answer(204, b"", None, headers)
        return Answer(self.status, refusal_body(self.status, self.message, self.gone), JSON_TYPE, headers)


@dataclass
class Answer:
    """What goes back over the wire, and how much of it."""

    status: int
    body: bytes = b""
    content_type: str | None = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Literal["whole", "truncated", "dropped"] = "whole"


def refusal_body(status: int, message: str | Sequence[str], gone: str = "") -> bytes:
    """Return the body of a refusal."""
    try:
        error = _ERRORS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        error = f"HTTP {status}"
    more = {GONE_FIELD: gone} if gone else {}
    return orjson.dumps({"statusCode": status, "message": message, "error": error} | more)


def json_answer(value: Any, status: int = 200) -> Answer:
    """Return a JSON answer."""
    return Answer(status, orjson.dumps(value))


def html_answer(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a page."""
    return Answer(status, text.encode(), "text/html; charset=utf-8", dict(headers or {}))


def attachment(name: str) -> str:
    """Return a ``Content-Disposition`` for a file name, which may be Japanese."""
    if name.isascii():
        return f'attachment; filename="{name}"'
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def names_this_machine(host: str) -> bool:
    """Tell whether a ``Host`` is this machine's own, and no site's name that leads to it (DNS rebinding)."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
