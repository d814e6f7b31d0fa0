"""One call with its attempts: what is recorded before, between and after, and what becomes of its documents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.virtual_time import SimulatedClock

from reportflow_pandas.api.models import Accepted, Delivered, FileEntry
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import MAX_BODY, Call, Document
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.outcomes import AcceptedMeanwhile, Outcome
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.rate_limit import MemoryStore, RateLimiter
from reportflow_pandas.engine.retry import RetryPolicy
from reportflow_pandas.engine.sender import Sender, Sent
from reportflow_pandas.errors import ApiError, AuthError, JournalError, OutcomeUnknown, RateLimited
from reportflow_pandas.settings import Limits


def documents(count: int, content: bytes = b"{}") -> tuple[Document, ...]:
    return tuple(Document(place, f"id-{place:013d}", f"INV-{place}", content) for place in range(count))


def call(count: int = 1, endpoint: str = "async/single", **more: Any) -> Call:
    return Call(
        "design", 1, endpoint if count == 1 else endpoint.replace("single", "multiple"), documents(count, **more)
    )


def file_of(document: Document, **more: Any) -> FileEntry:
    return FileEntry(
        **{"file_id": f"file-{document.position}", "file_name": f"{document.name}.pdf", **more},
        passthrough={"rf": document.id},
    )


class Scene:
    """A sender whose service answers as it was told to, and a protocol of what happened in which order."""

    def __init__(self, *answers: Any, delivered: Any = None) -> None:
        self.happened: list[str] = []
        self.clock = SimulatedClock()
        self.gate = Gate(8, clock=self.clock)
        self._answers = list(answers)
        channel = Channel(
            rate_limiter=RateLimiter(MemoryStore()),
            limits=Limits.off(),
            policy=RetryPolicy(attempts=3, limits=Limits.off()),
            clock=self.clock,
            progress=Progress(self.clock),
        )
        self.sender = Sender(
            channel,
            self._post,
            intend=self._intend,
            withdraw=lambda intent, _: self.happened.append(f"take {intent} back"),
            gate=self.gate,
            delivered=delivered,
        )

    async def _intend(self, _: Call) -> int:
        self.happened.append(f"intend {self.happened.count('post') + 1}")
        return self.happened.count("post") + 1

    async def _post(self, sent: Call, _body: bytes) -> Accepted:
        self.happened.append("post")
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return await answer(sent)
        return answer

    def send(self, sent: Call) -> Sent:
        async def within() -> Sent:
            assert self.gate.try_enter()
            return await self.sender.send(sent)

        return self.clock.run(within())


def accepted(sent: Call, **more: Any) -> Accepted:
    return Accepted("request-1", files=tuple(file_of(document) for document in sent.documents), **more)


def statuses(sent: Sent) -> list[str]:
    return [outcome.status for outcome in sent.outcomes]


def test_an_accepted_call_gives_each_document_its_file() -> None:
    batch = call(2)
    scene = Scene(accepted(batch, url="https://page"))
    sent = scene.send(batch)
    assert scene.happened == ["intend 1", "post"]
    assert (sent.intent, sent.accepted, sent.stop, list(sent.parts)) == (1, True, None, [])
    assert statuses(sent) == ["accepted"] * 2
    assert [(one.file_id, one.file_name, one.url) for one in sent.outcomes] == [
        ("file-0", "INV-0.pdf", "https://page"),
        ("file-1", "INV-1.pdf", "https://page"),
    ]
    assert {one.request_id for one in sent.outcomes} == {"request-1"}
    assert scene.gate.in_flight == 0


def test_a_document_that_the_answer_does_not_name_is_unknown() -> None:
    batch = call(3)
    files = tuple(file_of(document) for document in batch.documents[:2])
    sent = Scene(Accepted("request-1", files=files)).send(batch)
    assert statuses(sent) == ["accepted", "accepted", "unknown"]
    assert sent.outcomes[2].request_id == "request-1"


def test_an_answer_that_names_another_document_is_no_answer_of_a_single_one() -> None:
    one, other = call(1), call(2).documents[1]
    sent = Scene(Accepted("request-1", files=(file_of(other),))).send(one)
    assert [(outcome.status, outcome.file_id) for outcome in sent.outcomes] == [("unknown", None)]


def test_an_intent_is_taken_back_between_two_tries_and_recorded_again_before_the_next() -> None:
    one = call()
    scene = Scene(ApiError(503, ["busy"]), RateLimited(429, ["slow down"], retry_after=2.0), accepted(one))
    sent = scene.send(one)
    assert scene.happened == [
        "intend 1",
        "post",
        "take 1 back",
        "intend 2",
        "post",
        "take 2 back",
        "intend 3",
        "post",
    ]
    assert sent.intent == 3
    # waiting for the limit is not a try
    assert sent.outcomes[0].attempts == 2


def test_a_lost_answer_keeps_its_intent_and_makes_unknown_rows() -> None:
    scene = Scene(OutcomeUnknown("no answer came back"))
    sent = scene.send(call(2))
    assert scene.happened == ["intend 1", "post"]
    assert (sent.intent, statuses(sent)) == (1, ["unknown"] * 2)
    assert {one.error_kind for one in sent.outcomes} == {"unknown_outcome"}


def test_a_refused_document_fails_and_says_what_the_service_said() -> None:
    sent = Scene(ApiError(400, ["Total is missing"], request_id="request-9")).send(call())
    assert sent.outcomes == [
        Outcome(
            0, "failed", error_kind="invalid", error="Total is missing", http_status=400, attempts=1, elapsed=0.0
        )
    ]
    assert isinstance(sent.refusal, ApiError)


def test_a_refused_batch_comes_back_in_parts_with_its_intent_taken_back() -> None:
    batch = call(4)
    scene = Scene(ApiError(400, ["contents.2.params.Total is missing"]))
    sent = scene.send(batch)
    assert (sent.outcomes, sent.intent) == ([], None)
    assert [part.positions for part in sent.parts] == [[0, 1, 3], [2]]
    assert scene.happened[-1] == "take 1 back"


def test_what_would_meet_every_call_stops_the_run_and_its_rows_are_not_sent() -> None:
    scene = Scene(AuthError(401, ["no such key"]))
    sent = scene.send(call(2))
    assert isinstance(sent.stop, AuthError)
    assert (sent.intent, statuses(sent)) == (None, ["not_sent"] * 2)
    assert scene.happened[-1] == "take 1 back"


def test_a_document_that_is_too_large_fails_alone_and_nothing_is_sent() -> None:
    scene = Scene()
    sent = scene.send(call(content=b"x" * MAX_BODY))
    assert (statuses(sent), sent.outcomes[0].error_kind, sent.intent) == (["failed"], "too_large", None)
    assert scene.happened == []
    assert scene.gate.in_flight == 0


def test_rows_that_others_found_accepted_leave_the_call() -> None:
    scene = Scene()

    async def meanwhile(_: Call) -> int:
        raise AcceptedMeanwhile([1])

    scene.sender.intend = meanwhile
    sent = scene.send(call(3))
    assert (sent.outcomes, sent.known) == ([], [1])
    assert [part.positions for part in sent.parts] == [[0, 2]]
    assert (scene.happened, scene.sender.calls_made) == ([], 0)


def test_a_call_whose_intent_cannot_be_recorded_is_not_sent() -> None:
    scene = Scene()

    async def full(_: Call) -> int:
        raise JournalError("the disk is full")

    scene.sender.intend = full
    with pytest.raises(JournalError):
        scene.send(call())
    assert scene.happened == []
    assert scene.gate.in_flight == 0


def test_a_pdf_that_came_with_the_answer_is_saved_before_its_outcome_is_known() -> None:
    one = call(endpoint="sync/single")
    happened: list[str] = []

    async def save(_: Delivered, pairs: Sequence[Any]) -> Mapping[int, str]:
        happened.append("saved")
        return {document.position: f"{document.name}.pdf" for document, _ in pairs}

    files = (file_of(one.documents[0]),)
    sent = Scene(Delivered("request-1", files=files, content=b"%PDF-"), delivered=save).send(one)
    assert happened == ["saved"]
    assert (statuses(sent), sent.outcomes[0].path) == (["ready"], "INV-0.pdf")


def test_a_cancellation_in_flight_leaves_unknown_rows_and_goes_on_its_way() -> None:
    async def never(_: Call) -> Accepted:
        await asyncio.Event().wait()
        raise AssertionError

    scene = Scene(never)

    async def within() -> Sent:
        scene.gate.try_enter()
        task = asyncio.ensure_future(scene.sender.send(call(2)))
        while "post" not in scene.happened:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0)
        task.cancel("enough")
        return await task

    sent = asyncio.run(within())
    assert (sent.intent, statuses(sent)) == (1, ["unknown"] * 2)
    assert sent.cancelled is not None
    assert sent.cancelled.args == ("enough",)


def test_a_cancellation_while_a_pdf_is_saved_loses_no_outcome() -> None:
    async def save(_: Delivered, __: Sequence[Any]) -> Mapping[int, str]:
        saving.set()
        await asyncio.Event().wait()
        return {}

    one = call(endpoint="sync/single")
    saving = asyncio.Event()
    scene = Scene(Delivered("request-1", files=(file_of(one.documents[0]),), content=b"%PDF-"), delivered=save)

    async def within() -> Sent:
        scene.gate.try_enter()
        task = asyncio.ensure_future(scene.sender.send(one))
        await saving.wait()
        task.cancel()
        return await task

    sent = asyncio.run(within())
    assert (statuses(sent), sent.outcomes[0].path) == (["ready"], None)
    assert sent.cancelled is not None
