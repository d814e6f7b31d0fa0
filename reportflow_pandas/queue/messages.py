"""What travels through Redis: a run's terms, a call, what came of it. JSON only, and nothing of it is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from reportflow_pandas.contract import DOCUMENTS_PER_CALL, ENDPOINTS
from reportflow_pandas.engine.batching import Call, Document
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.engine.retry import PLAN_HINT
from reportflow_pandas.errors import (
    ApiError,
    ConfigurationError,
    RateLimited,
    ReportFlowError,
    api_error,
)
from reportflow_pandas.journal.answers import LETTERS, columns_of, decoded, encoded, letters, outcomes_in
from reportflow_pandas.settings import Limits

__all__ = [
    "SET_ASIDE",
    "OnCrash",
    "SetAside",
    "Terms",
    "answer_of",
    "call_in",
    "outcomes_of",
    "part_of",
    "stop_in",
    "written",
]

FORM = 1
"""Of these messages; another one is set aside."""

SET_ASIDE = "set aside"
"""How the reason begins that BullMQ shows for what is no call of ours, or damaged."""

OnCrash = Literal["unknown", "retry"]


class SetAside(Exception):  # noqa: N818 - says what happens to it
    """A message that is not ours, or damaged."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the calls of a run are carried out: what its workers must know, and no credential.

    Attributes
    ----------
    run : str
        Its name, for people.
    on_crash : {"unknown", "retry"}
        What becomes of a call whose worker died.
    limits : Limits
        What the run allows.
    attempts, backoff, timeout
        As the shared arguments.
    """

    run: str
    on_crash: OnCrash
    limits: Limits
    attempts: int
    backoff: float
    timeout: float

    def text(self) -> str:
        """Return these terms as JSON."""
        limits = self.limits
        return orjson.dumps(
            {
                "form": FORM,
                "run": self.run,
                "on_crash": self.on_crash,
                "limits": [limits.async_calls, limits.sync_calls, limits.window],
                "attempts": self.attempts,
                "backoff": self.backoff,
                "timeout": self.timeout,
            }
        ).decode()

    @classmethod
    def read(cls, text: str) -> Terms:
        """Return the terms that `text` wrote.

        Raises
        ------
        SetAside
            It is something else.
        """
        try:
            said = orjson.loads(text)
            if said["form"] != FORM or said["on_crash"] not in ("unknown", "retry"):
                raise SetAside("another form")
            return cls(
                str(said["run"]),
                said["on_crash"],
                Limits(*said["limits"]),
                int(said["attempts"]),
                float(said["backoff"]),
                float(said["timeout"]),
            )
        except (ValueError, TypeError, KeyError, ConfigurationError) as error:
            raise SetAside(f"the terms of a run cannot be read: {error}") from error


# -- a call ---------------------------------------------------------------------------------------------------


def written(call: Call) -> dict[str, Any]:
    """Return a call as JSON holds it: the documents' bytes as text, so that not a digit changes on the way."""
    return {
        "form": FORM,
        "design_id": call.design_id,
        "version": call.version,
        "endpoint": call.endpoint,
        "documents": [[document.id, document.name, document.content.decode()] for document in call.documents],
    }


def call_in(said: Any) -> Call:
    """Return the call of a message; its documents are numbered from 0.

    Raises
    ------
    SetAside
        It is no call of ours, or damaged.
    """
    if not isinstance(said, dict) or said.get("form") != FORM:
        raise SetAside("this is no call that reportflow-pandas of this version has put here")
    try:
        documents = tuple(
            Document(position, _text(identity), _text(name), _text(content).encode())
            for position, (identity, name, content) in enumerate(said["documents"])
        )
        endpoint, version = said["endpoint"], said["version"]
        call = Call(_text(said["design_id"]), version, _text(endpoint), documents)
        whole = all(isinstance(orjson.loads(document.content), dict) for document in documents)
    except (KeyError, TypeError, ValueError) as error:
        raise SetAside(f"this call is damaged ({error}); nothing of it was sent") from error
    if not whole or endpoint not in ENDPOINTS or type(version) is not int or not _fits(call):
        raise SetAside("this call is damaged (a field holds what it cannot hold); nothing of it was sent")
    return call


def _fits(call: Call) -> bool:
    return 1 <= len(call) <= (DOCUMENTS_PER_CALL if call.multiple else 1)


def part_of(text: str, offsets: Sequence[int]) -> dict[str, Any]:
    """Return a part of a call that was `written`, to be put back into the queue.

    Raises
    ------
    SetAside
        It is damaged.
    """
    try:
        said = orjson.loads(text)
        call_in(said)
        return {**said, "documents": [said["documents"][offset] for offset in offsets]}
    except (ValueError, IndexError) as error:
        raise SetAside(f"this call is damaged ({error}); nothing of it was sent") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text belongs")
    return value


# -- what came of it --------------------------------------------------------------------------------------------


def answer_of(outcomes: Outcomes, error: ReportFlowError | None) -> dict[str, Any]:
    """Return what became of a call's documents, and what ends the whole run if anything does."""
    states, columns = columns_of(outcomes, range(len(outcomes)))
    # through our own JSON: it writes what is no number as null
    answer = {"form": FORM, "statuses": letters(states), "columns": decoded(encoded(columns))}
    if error is not None:
        answer["stop"] = _told(error)
    return answer


def _told(error: ReportFlowError) -> dict[str, Any]:
    if isinstance(error, ApiError):
        return {"status": error.status, "messages": error.messages, "request_id": error.request_id}
    return {"status": None, "messages": [" ".join(str(error).split())], "request_id": None}


def stop_in(answer: Any) -> ReportFlowError | None:
    """Return what ends the whole run, if the answer tells of it."""
    told = answer.get("stop") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return None
    messages = [str(message) for message in told.get("messages") or ()]
    status, request_id = told.get("status"), told.get("request_id")
    if not isinstance(status, int):
        return ConfigurationError("; ".join(messages) or "a worker could not send")
    if status == 429:
        return RateLimited(status, messages, hint=PLAN_HINT)
    return api_error(status, messages, request_id=request_id if isinstance(request_id, str) else None)


def outcomes_of(answer: Any, positions: Sequence[int]) -> list[Outcome]:
    """Return the outcomes in an answer, for the rows of its call.

    Raises
    ------
    SetAside
        It is damaged.
    """
    try:
        return list(_outcomes(answer, positions))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise SetAside(f"the answer of a worker cannot be read ({error})") from error


_TEXTS = ("file_name", "url", "file_id", "request_id", "path", "error_kind", "error")
_NUMBERS = ("http_status", "attempts", "elapsed", "accepted_at")


def _outcomes(answer: Any, positions: Sequence[int]) -> Iterator[Outcome]:
    statuses, columns = answer["statuses"], answer["columns"]
    if answer["form"] != FORM or not set(columns) <= {*_TEXTS, *_NUMBERS}:
        raise ValueError("another form")
    if not statuses or set(statuses) - set(LETTERS) or len(statuses) not in (1, len(positions)):
        raise ValueError("statuses")
    for position, status, values in outcomes_in(positions, statuses, columns):
        for name, value in values.items():
            if value is not None and not isinstance(value, str if name in _TEXTS else int | float):
                raise TypeError(name)
        values["path"] = None  # of another machine
        yield Outcome(row=position, status=status, **values)
