"""What the embedded service tells about itself: calls, documents and webhook events, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import orjson

__all__ = ["STATES", "CallRecord", "Document", "State", "WebhookRecord"]

State = Literal["rendering", "ready", "failed", "expired"]

STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class CallRecord:
    """One call that reached the embedded service.

    Attributes
    ----------
    endpoint : str
        ``"async/single"``, ``"async/multiple"``, ``"sync/single"``, ``"sync/multiple"``, ``"download/zip"``,
        ``"download/file"``, ``"designs"``, ``"parameters"``, ``"token"``, ``"page"``, or ``"unknown"`` for an
        address that does not exist.
    method, path : str
        As on the wire, the path with its query.
    at : datetime.datetime
        Time of day of the arrival, UTC.
    started, ended : float, float or None
        Seconds on the clock's ``monotonic()`` at arrival and before the answer; None while under way.
    status : int or None
        HTTP status; None while under way or when the connection was closed without an answer.
    documents : int
        How many documents this call made the service accept.
    request_id : str or None
        The request it created or asked for.
    retry_after : int or None
        Seconds that the answer told the caller to wait.
    refused : tuple of str
        The messages of the refusal; empty when all was well.
    faults : tuple of str
        Kinds of the faults that were played on it.
    document_state : {"", "rendering", "failed", "expired"}
        Why a download had nothing to give although the call itself was in order.
    """

    endpoint: str
    method: str
    path: str
    at: datetime
    started: float
    ended: float | None = None
    status: int | None = None
    documents: int = 0
    request_id: str | None = None
    retry_after: int | None = None
    refused: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    document_state: str = ""

    @property
    def was_refused(self) -> bool:
        """Whether the call itself was refused or cut off; a download that came too early was not."""
        return bool(self.refused and not self.document_state) or (self.ended is not None and self.status is None)


@dataclass(frozen=True)
class Document:
    """One document that the embedded service accepted.

    Attributes
    ----------
    request_id, file_id : str
        As answered.
    file_name : str
        The bare name: one trailing ``.pdf`` was removed.
    design_id, version : str, int
        What it is made from.
    share_type : {"workspace", "invited", "public"}
        Who may see it.
    passcode_enabled : bool
        Whether the shared page asks for a passcode.
    accepted_at : datetime.datetime
        UTC.
    endpoint : str
        Which of the four generation endpoints took it.
    state : {"rendering", "ready", "failed", "expired"}
        At the moment of looking.
    failure : str or None
        Why it failed.
    """

    request_id: str
    file_id: str
    file_name: str
    design_id: str
    version: int
    share_type: str
    passcode_enabled: bool
    accepted_at: datetime
    endpoint: str
    state: State
    failure: str | None = None
    params_json: bytes = field(default=b"{}", repr=False)
    passthrough_json: bytes | None = field(default=None, repr=False)

    @property
    def params(self) -> dict[str, Any]:
        """The values that were sent, decoded at each look."""
        values: dict[str, Any] = orjson.loads(self.params_json)
        return values

    @property
    def passthrough(self) -> dict[str, Any] | None:
        """The caller's own values that are echoed; None when none were sent."""
        if self.passthrough_json is None:
            return None
        values: dict[str, Any] = orjson.loads(self.passthrough_json)
        return values


@dataclass(frozen=True)
class WebhookRecord:
    """One attempt to tell the webhook's address that a request is complete.

    Attributes
    ----------
    request_id : str
        The request.
    attempt : int
        From 1.
    status : int or None
        What the receiver answered; None when it could not be reached in 5 seconds.
    error : str or None
        What went wrong.
    """

    request_id: str
    attempt: int
    status: int | None
    error: str | None = None
