"""Misbehaviour on purpose: what the embedded service does wrong, at which calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from reportflow_pandas.errors import ConfigurationError

__all__ = ["DOCUMENT_KINDS", "KINDS", "Fault", "FaultPlan", "bare_name"]

ASYNC = ("async/single", "async/multiple")
SYNC = ("sync/single", "sync/multiple")
GENERATION = ASYNC + SYNC
DOWNLOADS = ("download/zip", "download/file")
ALL = (*GENERATION, *DOWNLOADS, "designs", "parameters")

KINDS: dict[str, tuple[str, ...]] = {
    "status": ALL,
    "slow": ALL,
    "dropped_before": ALL,
    "dropped_after": ALL,
    "truncated": ALL,
    "html": ALL,
    "missing_entries": GENERATION,
    "reordered_entries": GENERATION,
    "extra_entries": GENERATION,
    "extra_fields": (*GENERATION, "designs", "parameters"),
    "no_files": ASYNC,
    "old_answer": ASYNC,
    "no_passthrough": GENERATION,
    "no_mapping": SYNC,
    "raw_mapping": SYNC,
    "broken_mapping": SYNC,
    "not_pdf": SYNC + DOWNLOADS,
    "bad_document": GENERATION,
    "failed_document": GENERATION,
}
"""Each kind of fault and the endpoints it is played on when none is named."""

DOCUMENT_KINDS = ("bad_document", "failed_document")


@dataclass(frozen=True)
class Fault:
    """One misbehaviour of the embedded service.

    ======================  ==========================================================================
    kind                    what happens to the call
    ======================  ==========================================================================
    ``status``              answered with ``status`` (500), nothing accepted unless ``accepted=True``
    ``slow``                carried out, answered ``seconds`` (5) later
    ``dropped_before``      connection closed, nothing accepted
    ``dropped_after``       accepted, connection closed without an answer
    ``truncated``           accepted, half of the answer, connection closed
    ``html``                a page with status 200, nothing accepted unless ``accepted=True``
    ``missing_entries``     accepted, one entry left out: that of ``file_name``, else the last
    ``reordered_entries``   accepted, entries in reverse order
    ``extra_entries``       accepted, one entry more that was not ordered
    ``extra_fields``        carried out, unknown fields and headers in the answer
    ``no_files``            accepted, an async answer without any ``files``
    ``old_answer``          accepted, an async answer of the first edition: ``url`` and ``fileId``, no request
    ``no_passthrough``      accepted, the caller's ``passthrough`` is not echoed
    ``no_mapping``          a sync answer without ``X-File-Mapping``
    ``raw_mapping``         a sync answer whose ``X-File-Mapping`` is plain JSON
    ``broken_mapping``      a sync answer whose ``X-File-Mapping`` cannot be read
    ``not_pdf``             status and content type as usual, the bytes are something else
    ``bad_document``        400 for each call with this document; ``named=False`` doesn't say which
    ``failed_document``     accepted, then this document fails to render
    ======================  ==========================================================================

    Parameters
    ----------
    kind : str
        One of the table; ``"status:503"`` is short for ``Fault("status", status=503)``.
    status : int
        HTTP status of ``status``.
    endpoint : str or sequence of str, optional
        Only calls of this endpoint (``"async/multiple"``) or family (``"async"``, ``"download"``). ``None``: all
        endpoints for which the kind makes sense, never ``token``.
    at : int, optional
        From the n-th matching call on, counted from 1 (of `bad_document` and `failed_document`: the n-th
        document). ``None``: from the first.
    times : int or None
        So many calls (documents) in all; ``None``: every one. A bad or failed document stays so, however
        often it is sent.
    file_name : str, optional
        Only calls with a document of this name, with or without ``.pdf``; for the kinds about a document or
        an entry: that one.
    seconds : float, optional
        Further pause before the answer, of any kind; ``slow`` takes 5 without it.
    retry_after : int, optional
        ``Retry-After`` of ``status``, in seconds.
    message : str, optional
        The service's words in place of the usual ones.
    accepted : bool
        Whether ``status`` and ``html`` carry out the call before they answer.
    body : {"json", "html", "empty"}
        What ``status`` answers with.
    named : bool
        Whether the refusal of ``bad_document`` says which one it is.

    Examples
    --------
    >>> Fault(status=429, retry_after=7, endpoint="async", at=3)
    Fault('status', status=429, endpoint='async', at=3, retry_after=7)
    >>> Fault("bad_document", file_name="INV-4", named=False)
    Fault('bad_document', file_name='INV-4', named=False)
    """

    kind: str = "status"
    status: int = 500
    endpoint: str | Sequence[str] | None = None
    at: int | None = None
    times: int | None = 1
    file_name: str | None = None
    seconds: float | None = None
    retry_after: int | None = None
    message: str | None = None
    accepted: bool = False
    body: Literal["json", "html", "empty"] = "json"
    named: bool = True

    def __post_init__(self) -> None:
        kind, colon, status = self.kind.partition(":")
        if colon and kind == "status" and status.isdecimal():
            object.__setattr__(self, "kind", "status")
            object.__setattr__(self, "status", int(status))
        if self.kind not in KINDS:
            raise ConfigurationError(f"Fault({self.kind!r}): no such kind; there are {', '.join(KINDS)}")
        if not 200 <= self.status <= 599:
            raise ConfigurationError(f"Fault(status={self.status!r}): an HTTP status from 200 to 599")
        for name in ("at", "times"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"Fault({name}={value!r}): counted from 1, or None")
        if self.file_name is not None:
            object.__setattr__(self, "file_name", bare_name(self.file_name))

    def __repr__(self) -> str:
        """Show what differs from the defaults."""
        shown = [repr(self.kind)]
        for name, spec in self.__dataclass_fields__.items():
            value = getattr(self, name)
            if name != "kind" and value != spec.default:
                shown.append(f"{name}={value!r}")
        return f"Fault({', '.join(shown)})"

    def concerns(self, endpoint: str) -> bool:
        """Say whether calls of this endpoint are meant."""
        if self.endpoint is None:
            return endpoint in KINDS[self.kind]
        named = [self.endpoint] if isinstance(self.endpoint, str) else self.endpoint
        return any(endpoint == name or endpoint.startswith(f"{name}/") for name in named)


@dataclass
class _Count:
    """How often a fault was met and played, and the documents it chose."""

    met: int = 0
    played: int = 0
    names: dict[str, bool] = field(default_factory=dict)

    def due(self, fault: Fault) -> bool:
        """Count one more matching call or document and say whether it is hit."""
        self.met += 1
        hit = self.met >= (fault.at or 1) and (fault.times is None or self.played < fault.times)
        self.played += hit
        return hit


class FaultPlan:
    """Decides which faults a call meets; used by the service's loop only."""

    def __init__(self, faults: Iterable[Fault | Callable[[str, Mapping[str, Any] | None], Fault | None]]) -> None:
        self._faults = list(faults)
        self._counts: dict[int, _Count] = {}

    def __bool__(self) -> bool:
        return bool(self._faults)

    def for_call(self, endpoint: str, body: Any) -> list[Fault]:
        """Return the faults of this call; those about single documents are in it only if a function chose them."""
        chosen: list[Fault] = []
        if not self._faults:
            return chosen
        body = body if isinstance(body, dict) else None
        names = _names(body)
        for place, fault in enumerate(self._faults):
            if not isinstance(fault, Fault):
                made = fault(endpoint, body)
                if made is not None:
                    chosen.append(made)
            elif (
                fault.kind not in DOCUMENT_KINDS
                and fault.concerns(endpoint)
                and (fault.file_name is None or fault.file_name in names)
                and self._counts.setdefault(place, _Count()).due(fault)
            ):
                chosen.append(fault)
        return chosen

    def for_document(self, kind: str, endpoint: str, name: str, of_call: Iterable[Fault] = ()) -> Fault | None:
        """Return the fault of this kind that this document meets, if any; a document once chosen stays so."""
        for chosen in of_call:
            if chosen.kind == kind and chosen.file_name in (None, name):
                return chosen
        for place, fault in enumerate(self._faults):
            if not isinstance(fault, Fault) or fault.kind != kind or not fault.concerns(endpoint):
                continue
            if fault.file_name is not None and fault.file_name != name:
                continue
            count = self._counts.setdefault(place, _Count())
            if name not in count.names:
                count.names[name] = fault.file_name is not None or count.due(fault)
            if count.names[name]:
                return fault
        return None


def bare_name(name: str) -> str:
    """Return a file name without one trailing ``.pdf``, whatever its case."""
    return name[:-4] if name[-4:].lower() == ".pdf" else name


def _names(body: Mapping[str, Any] | None) -> set[str]:
    """Return the bare file names in a call's body, as far as it can be read."""
    if body is None:
        return set()
    contents = body.get("contents", [body.get("content")])
    if not isinstance(contents, list):
        return set()
    return {
        bare_name(content["fileName"])
        for content in contents
        if isinstance(content, dict) and isinstance(content.get("fileName"), str)
    }
