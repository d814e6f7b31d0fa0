"""What travels through Redis: a run's terms, a call, what came of it. JSON only, and nothing of it is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from reportflow_pandas.contract import DOCUMENTS_PER_CALL, ENDPOINTS
from reportflow_pandas.engine.batching import Call, Document
from reportflow_pandas.engine.outcomes import KINDS, STATUSES, Outcome, Outcomes
from reportflow_pandas.engine.retry import PLAN_HINT
from reportflow_pandas.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConnectionFailed,
    RateLimited,
    ReportFlowError,
    api_error,
)
from reportflow_pandas.settings import Limits

__all__ = [
    "AWAY",
    "CANCELLED",
    "INTENTS",
    "QUEUE_BACKOFF_SECONDS",
    "SENT",
    "SET_ASIDE",
    "WENT_BACK",
    "WITH_THE_NEW_KEY",
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

FORM = 2
"""Of these messages; another one is set aside."""

QUEUE_BACKOFF_SECONDS = 2.0
"""First pause of a call that workers try again, as in the vendor's recipe (exponential from 2 s)."""

SET_ASIDE = "set aside"
"""How the reason begins that BullMQ shows for what is no call of ours, or damaged."""

SENT = "sent"
"""The field of a job that counts the tries whose first byte may have left."""

AWAY = "away"
"""The key of a queue that tells of a service which workers cannot reach, and expires when they wait no longer."""

CANCELLED = "cancelled"
"""The key of a queue that exists when its run was cancelled."""

WENT_BACK = "went back"
"""The value of that key where Redis has forgotten what it knew: then what is noted there as sent is not all."""

INTENTS = "intents"
"""The key of a queue with a number that grows with each call that is noted as sent, and never gets smaller."""

OnCrash = Literal["unknown", "retry"]


WITH_THE_NEW_KEY = "start it again with the new one in its environment (REPORT_FLOW_APP_KEY)"
"""What is done with a worker whose key is not taken any more."""


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


def part_of(text: str, ids: Sequence[str]) -> dict[str, Any]:
    """Return a part of a call that was `written`, to be put back into the queue: documents by our ids.

    Raises
    ------
    SetAside
        It is damaged.
    """
    try:
        said = orjson.loads(text)
        call_in(said)
        documents = {document[0]: document for document in said["documents"]}
        return {**said, "documents": [documents[identity] for identity in ids]}
    except (ValueError, KeyError) as error:
        raise SetAside(f"this call is damaged ({error}); nothing of it was sent") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text belongs")
    return value


# -- what came of it --------------------------------------------------------------------------------------------


def answer_of(
    outcomes: Outcomes, ids: Sequence[str], error: ReportFlowError | None, worker: str = "", ahead: float = 0.0
) -> dict[str, Any]:
    """Return what became of a call's documents, by our ids, and what ends the whole run, at which worker.

    ``ahead``: seconds that this machine's clock is ahead of that of Redis, by which moments are told.
    """
    columns: dict[str, Any] = {}
    for name, column in outcomes.columns:
        values = list(column[:])
        if values.count(values[0]) != len(values):
            columns[name] = values
        elif values[0] is not None and values[0] != 0:
            columns[name] = values[0]
    statuses = [STATUSES[code] for code in outcomes.status]
    # through our own JSON: it writes what is no number as null
    columns = orjson.loads(orjson.dumps(columns))
    if (at := columns.get("accepted_at")) is not None:
        moments = at if isinstance(at, list) else [at] * len(ids)
        columns["accepted_at"] = [None if moment is None else moment - ahead for moment in moments]
    answer = {"form": FORM, "ids": list(ids), "statuses": statuses, "columns": columns}
    if error is not None:
        answer["stop"] = {**_error_facts(error), "worker": worker}
    return answer


def _error_facts(error: ReportFlowError) -> dict[str, Any]:
    if isinstance(error, ApiError):
        return {"status": error.status, "messages": error.messages, "request_id": error.request_id}
    away = isinstance(error, ConnectionFailed)
    return {"status": None, "messages": [" ".join(str(error).split())], "request_id": None, "away": away}


def stop_in(answer: Any) -> ReportFlowError | None:
    """Return what ends the whole run, if the answer tells of it."""
    told = answer.get("stop") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return None
    messages = [str(message) for message in told.get("messages") or ()]
    status, request_id = told.get("status"), told.get("request_id")
    if not isinstance(status, int) and told.get("away"):
        return ConnectionFailed("; ".join(messages) or "the service was away")
    if not isinstance(status, int):
        return ConfigurationError("; ".join(messages) or "a worker could not send")
    if status == 429:
        return RateLimited(status, messages, hint=PLAN_HINT)
    if status == 401:
        which = f" {told['worker']}" if isinstance(told.get("worker"), str) else ""
        hint = f"The key is that of the worker{which}: {WITH_THE_NEW_KEY}"
        return AuthError(
            status, messages, request_id=request_id if isinstance(request_id, str) else None, hint=hint
        )
    return api_error(status, messages, request_id=request_id if isinstance(request_id, str) else None)


def outcomes_of(answer: Any, places: Mapping[str, int], ahead: float = 0.0) -> list[Outcome]:
    """Return the outcomes in an answer, for rows by our ids: of others, which were sent again since, it tells too.

    ``ahead``: as for `answer_of`, here: the clocks of workers and submitter may differ.

    Raises
    ------
    SetAside
        It is damaged.
    """
    try:
        return list(_outcomes(answer, places, ahead))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise SetAside(f"the answer of a worker cannot be read ({error})") from error


_TEXTS = tuple(name for name, kind in KINDS.items() if kind == "text" and name != "status")
_NUMBERS = tuple(name for name, kind in KINDS.items() if kind != "text" and name != "row")


def _outcomes(answer: Any, places: Mapping[str, int], ahead: float) -> Iterator[Outcome]:
    ids, statuses, columns = answer["ids"], answer["statuses"], answer["columns"]
    if answer["form"] != FORM or not set(columns) <= {*_TEXTS, *_NUMBERS}:
        raise ValueError("another form")
    if len(ids) != len(statuses) or set(statuses) - set(STATUSES) or not set(places) <= set(ids):
        raise ValueError("statuses")
    for offset, (identity, status) in enumerate(zip(ids, statuses, strict=True)):
        values = {name: value[offset] if isinstance(value, list) else value for name, value in columns.items()}
        for name, value in values.items():
            if value is not None and not isinstance(value, str if name in _TEXTS else int | float):
                raise TypeError(name)
        if identity in places:
            values["path"] = None  # of another machine
            if (at := values.get("accepted_at")) is not None:
                values["accepted_at"] = at + ahead
            yield Outcome(row=places[identity], status=status, **values)
