"""What can be chosen about the embedded service: one frozen object, validated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from reportflow_pandas.contract import SYNC_ANSWER_SECONDS
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.settings import Limits

__all__ = ["FaultChoice", "Seconds", "Switches"]

Seconds = float | Callable[[], float]
FaultChoice = Callable[[str, Mapping[str, Any] | None], Fault | None]


@dataclass(frozen=True)
class Switches:
    """The switches of the embedded service; `local_service` documents each of them.

    The defaults are what is documented, and where nothing is, the least helpful answer that is plausible.
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
    retention: float = 86400.0
    sync_status: int = 201
    sync_timeout: float = SYNC_ANSWER_SECONDS
    sync_timeout_completes: bool = True
    too_many_status: int = 400
    both_credentials_status: int = 400
    url_mode: Literal["download", "page"] = "download"
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
    token_life: float = 3600.0
    keep_bytes: int = 256 * 1024 * 1024
    faults: Sequence[Fault | FaultChoice] = ()

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
        faults = self.faults
        if isinstance(faults, Fault) or callable(faults):
            faults = (faults,)
        for fault in faults:
            if not isinstance(fault, Fault) and not callable(fault):
                raise ConfigurationError(
                    f"faults holds {fault!r}: it takes Fault('slow', seconds=5) and the like, "
                    "or a function (endpoint, body) -> Fault or None"
                )
        object.__setattr__(self, "faults", tuple(faults))


def seconds(choice: Seconds) -> float:
    """Return the pause for this once: a fixed one, or the function's next."""
    return float(choice() if callable(choice) else choice)
