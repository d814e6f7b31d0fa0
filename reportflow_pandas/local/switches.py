"""What can be chosen about the embedded service: one frozen object, validated once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, get_args, get_type_hints

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.contract import SYNC_ANSWER_SECONDS, TOKEN_LIFETIME_SECONDS
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.settings import Limits

__all__ = [
    "FaultChoice",
    "MoreSwitches",
    "Seconds",
    "SwitchArguments",
    "Switches",
    "seconds",
    "with_switches",
]

P = ParamSpec("P")
R = TypeVar("R")

Seconds = float | Callable[[], float]
FaultChoice = Callable[[str, Mapping[str, Any] | None], Fault | None]


@dataclass(frozen=True, kw_only=True)
class Switches:
    """What can be chosen about the embedded service; `local_service` takes them as arguments.

    Where nothing is known of the vendor's service, the default is the choice that is the hardest on a client.

    Parameters
    ----------
    limits : Limits, optional
        Calls allowed in a window, enforced with 429; None: no limit. ``Limits()`` are the documented ones.
    limit_window : {"fixed", "aligned", "sliding"}
        Windows that open with their first call, that begin at whole minutes, or that look back from each call.
    limit_counted : {"arrival", "answer"}
        Whether a call counts when it arrives or after its latency, just before its answer.
    max_in_flight : int, optional
        More calls than this at once are answered with 429.
    retry_after : bool
        Whether ``Retry-After`` is sent.
    latency : float or function
        Seconds between a call's arrival and its answer, or a function that returns them for each call.
        What a call orders is accepted on arrival (with ``limit_counted="answer"``: after its latency).
    render : bool
        False: PDFs are tiny placeholders, made on demand. For counting thousands of documents.
    render_delay : float or function
        Seconds from acceptance before a document may be ready, each document's own.
    manual : bool
        Async documents are ready only after `LocalService.complete`.
    not_ready_status : int
        Answer to a download that comes too early: 404, 409, 425, 423, 202, 204 or 400.
    not_ready_retry_after : int, optional
        ``Retry-After`` of that answer, in seconds.
    expired_status : int
        Answer to a download that comes too late: 404 or 410.
    failure_mode : {"error", "never"}
        A download of a document that failed is answered with 500, or as not ready for ever.
    early_files : bool
        Whether one file of a batch can be fetched before the others are ready.
    retention : float
        Seconds that a ready document is kept.
    sync_status : int
        Success of sync calls: 201, or 200 as the docs say.
    sync_timeout : float
        Seconds after which a sync call is answered with 504.
    sync_timeout_completes : bool
        Whether its documents exist nevertheless.
    too_many_status : int
        Refusal of more than 100 documents in a call.
    both_credentials_status : int
        Refusal of a call with key and token.
    url_mode : {"page", "download"}
        What ``url`` and ``File-URL`` are: a page for people with the call's documents, or the download's address.
    schema_shape : {"array", "object"}
        Shape of a design's parameters.
    id_style : {"short", "uuid"}
        16 letters and digits, or UUIDs.
    share_url : bool
        Whether entries of answers carry ``share.url``; those of webhooks always do.
    share_words : bool
        Whether requests may say ``"workspace"`` in place of ``"01"``.
    echo_passthrough, echo_params : bool
        Whether entries carry what was sent.
    plan_pages : int, optional
        Pages of the plan, one a document; when they are used up, 429 without ``Retry-After``.
    webhook_url : str, optional
        Address that is told of completed requests; plain http is fine.
    webhook_attempts, webhook_copies : int
        Tries until a 2xx, and how many times each event is sent.
    token_life : float
        Seconds that an access token is valid.
    keep_bytes : int
        Bytes of PDFs kept in memory; others are rendered again when they are asked for.
    faults : Fault, function, or sequence of these
        Misbehaviour on purpose, see `Fault`; a function ``(endpoint, body) -> Fault or None`` decides per call.
    app_key, client_id, client_secret : str
        The credentials that open it.
    clock : Clock
        Time; tests pass their own.
    seed : int or None
        Ids are the same for the same seed and order of calls; None (default): different each time, so that
        no two services ever issue the same ones.
    """

    limits: Limits | None = None
    limit_window: Literal["fixed", "aligned", "sliding"] = "fixed"
    limit_counted: Literal["arrival", "answer"] = "arrival"
    max_in_flight: int | None = None
    retry_after: bool = True
    latency: Seconds = 0.0
    render: bool = True
    render_delay: Seconds = 0.0
    manual: bool = False
    not_ready_status: int = 404
    not_ready_retry_after: int | None = None
    expired_status: int = 404
    failure_mode: Literal["error", "never"] = "error"
    early_files: bool = True
    retention: float = 86_400.0
    sync_status: int = 201
    sync_timeout: float = SYNC_ANSWER_SECONDS
    sync_timeout_completes: bool = True
    too_many_status: int = 400
    both_credentials_status: int = 400
    url_mode: Literal["page", "download"] = "page"
    schema_shape: Literal["array", "object"] = "array"
    id_style: Literal["short", "uuid"] = "short"
    share_url: bool = False
    share_words: bool = False
    echo_passthrough: bool = True
    echo_params: bool = False
    plan_pages: int | None = None
    webhook_url: str | None = None
    webhook_attempts: int = 1
    webhook_copies: int = 1
    token_life: float = TOKEN_LIFETIME_SECONDS
    keep_bytes: int = 256 * 1024 * 1024
    faults: Fault | FaultChoice | Sequence[Fault | FaultChoice] = ()
    app_key: str = "ak_local_demo_key_0001"
    client_id: str = "cl_local_demo"
    client_secret: str = "local_demo_secret_0001"  # noqa: S105 - opens nothing but this service
    clock: Clock = SYSTEM_CLOCK
    seed: int | None = None

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for spec in fields(self):
            value, words = getattr(self, spec.name), get_args(hints[spec.name])
            if words and all(isinstance(word, str) for word in words) and value not in words:
                raise ConfigurationError(f"{spec.name}={value!r}: one of {', '.join(map(repr, words))}")
            if spec.name.endswith("_status") and (not isinstance(value, int) or not 200 <= value <= 599):
                raise ConfigurationError(f"{spec.name}={value!r}: an HTTP status from 200 to 599")
        if self.limits is not None and not isinstance(self.limits, Limits):
            raise ConfigurationError(f"limits={self.limits!r}: Limits(async_calls=…, sync_calls=…), or None")
        for name in ("latency", "render_delay"):
            value = getattr(self, name)
            if not callable(value) and not (isinstance(value, (int, float)) and value >= 0):
                raise ConfigurationError(f"{name}={value!r}: seconds from 0, or a function that returns them")
        for fault in self.all_faults:
            if not isinstance(fault, Fault) and not callable(fault):
                raise ConfigurationError(
                    f"faults holds {fault!r}: it takes Fault('slow', seconds=5) and the like, "
                    "or a function (endpoint, body) -> Fault or None"
                )

    @property
    def all_faults(self) -> tuple[Fault | FaultChoice, ...]:
        """The faults, always as a tuple."""
        faults = self.faults
        return (faults,) if isinstance(faults, Fault) or callable(faults) else tuple(faults)


class MoreSwitches(TypedDict, total=False):
    """`Switches` as keyword arguments, for type checkers: those that `use_local` doesn't name."""

    limit_window: Literal["fixed", "aligned", "sliding"]
    limit_counted: Literal["arrival", "answer"]
    max_in_flight: int | None
    retry_after: bool
    render: bool
    manual: bool
    not_ready_status: int
    not_ready_retry_after: int | None
    expired_status: int
    failure_mode: Literal["error", "never"]
    early_files: bool
    retention: float
    sync_status: int
    sync_timeout: float
    sync_timeout_completes: bool
    too_many_status: int
    both_credentials_status: int
    url_mode: Literal["page", "download"]
    schema_shape: Literal["array", "object"]
    id_style: Literal["short", "uuid"]
    share_url: bool
    share_words: bool
    echo_passthrough: bool
    echo_params: bool
    plan_pages: int | None
    webhook_url: str | None
    webhook_attempts: int
    webhook_copies: int
    token_life: float
    keep_bytes: int
    faults: Fault | FaultChoice | Sequence[Fault | FaultChoice]
    app_key: str
    client_id: str
    client_secret: str
    clock: Clock
    seed: int | None


class SwitchArguments(MoreSwitches, total=False):
    """All `Switches` as keyword arguments, for type checkers."""

    limits: Limits | None
    latency: Seconds
    render_delay: Seconds


def seconds(choice: Seconds) -> float:
    """Return the pause for this once: a fixed one, or the function's next."""
    return float(choice() if callable(choice) else choice)


def with_switches(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that takes ``**switches`` show each of them in its signature and its documentation."""
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    hints = get_type_hints(Switches)
    parameters += [
        inspect.Parameter(
            spec.name, inspect.Parameter.KEYWORD_ONLY, default=spec.default, annotation=hints[spec.name]
        )
        for spec in fields(Switches)
        if spec.name not in {parameter.name for parameter in parameters}
    ]
    told = inspect.signature(function).replace(parameters=parameters)
    function.__signature__ = told  # type: ignore[attr-defined]
    # Python 3.13 takes the indentation off a docstring by itself
    listed = inspect.cleandoc(Switches.__doc__ or "").partition("----------\n")[2].rstrip()
    own = inspect.cleandoc(function.__doc__ or "")
    function.__doc__ = own.replace("**switches\n    Of `Switches`.", listed)
    return function
