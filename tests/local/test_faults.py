"""Misbehaviour on purpose, seen from outside: each kind, and when it is played."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pytest
from support.plain_http import Caller, HandClock, beside, until

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.faults import KINDS, Fault, FaultPlan

GENERATION = ["sync/single", "sync/multiple", "async/single", "async/multiple"]


def accepted(call: Caller) -> list[str]:
    return [document.file_name for document in call.service.documents]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_status_is_answered_once_and_nothing_is_accepted(
    serve: Callable[..., Caller], endpoint: str, status: int
) -> None:
    call = serve(faults=Fault(status=status, retry_after=7, message="今は無理です"))
    reply = call.order(endpoint, "A")
    assert reply.status == status
    assert reply.json["statusCode"] == status
    assert reply.json["message"] == "今は無理です"
    assert reply.headers["Retry-After"] == "7"
    assert accepted(call) == []
    assert call.order(endpoint, "A").status in (201, 202)
    assert [record.faults for record in call.service.calls] == [("status",), ()]


def test_a_status_can_be_written_short_and_as_a_gateway_page_or_empty(serve: Callable[..., Caller]) -> None:
    call = serve(faults=[Fault("status:502", body="html"), Fault("status:503", body="empty", at=2)])
    first, second = call.order("async/single", "A"), call.order("async/single", "A")
    assert (first.status, first.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert first.body.startswith(b"<!doctype html>")
    assert (second.status, second.body) == (503, b"")


def test_a_status_can_come_after_acceptance(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("status:504", accepted=True))
    assert call.order("async/single", "A").status == 504
    assert accepted(call) == ["A"]


@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_connection_dropped_before_acceptance_leaves_nothing(
    serve: Callable[..., Caller], endpoint: str
) -> None:
    call = serve(faults=Fault("dropped_before"))
    with pytest.raises(http.client.RemoteDisconnected):
        call.order(endpoint, "A")
    assert accepted(call) == []
    assert call.service.calls[0].status is None


@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_connection_dropped_after_acceptance_leaves_the_documents(
    serve: Callable[..., Caller], endpoint: str
) -> None:
    call = serve(faults=Fault("dropped_after"))
    with pytest.raises(http.client.RemoteDisconnected):
        call.order(endpoint, "A")
    assert accepted(call) == ["A"]
    assert (call.service.calls[0].status, call.service.calls[0].documents) == (None, 1)


@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_truncated_answer_is_cut_in_the_middle(serve: Callable[..., Caller], endpoint: str) -> None:
    call = serve(faults=Fault("truncated"))
    with pytest.raises(http.client.IncompleteRead) as cut:
        call.order(endpoint, "A")
    assert cut.value.partial
    assert accepted(call) == ["A"]


def test_a_download_can_be_truncated_dropped_or_something_else(serve: Callable[..., Caller]) -> None:
    kinds = ["truncated", "dropped_after", "html", "not_pdf", "status:503"]
    call = serve(faults=[Fault(kind, endpoint="download/file", at=nth) for nth, kind in enumerate(kinds, start=1)])
    order = call.order("async/single", "A").json
    path = f"/file/download/{order['requestId']}/{order['files'][0]['fileId']}"
    with pytest.raises(http.client.IncompleteRead):
        call.get(path)
    with pytest.raises(http.client.RemoteDisconnected):
        call.get(path)
    page = call.get(path)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    fake = call.get(path)
    assert (fake.status, fake.headers["Content-Type"]) == (200, "application/pdf")
    assert not fake.body.startswith(b"%PDF-")
    assert [call.get(path).status for _ in range(2)] == [503, 200]


def test_a_page_with_200_comes_with_or_without_acceptance(serve: Callable[..., Caller]) -> None:
    call = serve(faults=[Fault("html"), Fault("html", accepted=True, at=2)])
    for name in ("A", "B"):
        reply = call.order("async/single", name)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert accepted(call) == ["B"]


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (Fault("missing_entries"), ["A", "B"]),
        (Fault("missing_entries", file_name="A.pdf"), ["B", "C"]),
        (Fault("reordered_entries"), ["C", "B", "A"]),
        (Fault("extra_entries"), ["A", "B", "C", "余分な文書"]),
    ],
)
@pytest.mark.parametrize("endpoint", ["sync/multiple", "async/multiple"])
def test_entries_can_be_missing_reordered_or_too_many(
    serve: Callable[..., Caller], endpoint: str, fault: Fault, names: list[str]
) -> None:
    call = serve(faults=fault)
    reply = call.order(endpoint, "A", "B", "C")
    entries = (
        json.loads(unquote(reply.headers["X-File-Mapping"])) if "sync/m" in endpoint[:6] else reply.json["files"]
    )
    assert [entry["fileName"] for entry in entries] == [f"{name}.pdf" for name in names]
    assert accepted(call) == ["A", "B", "C"]


def test_an_answer_can_come_without_files(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("no_files"))
    assert set(call.order("async/multiple", "A").json) == {"requestId", "url"}
    assert accepted(call) == ["A"]


def test_an_answer_can_be_one_of_the_first_edition(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("old_answer"))
    assert set(call.order("async/single", "A").json) == {"url", "fileId"}
    assert accepted(call) == ["A"]
    call = serve(faults=Fault("old_answer"))
    assert set(call.order("async/multiple", "A", "B").json) == {"url", "fileId", "files"}
    assert accepted(call) == ["A", "B"]


def test_unknown_fields_can_be_in_every_answer(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("extra_fields", times=None))
    reply = call.order("async/single", "A")
    assert "plan" in reply.json
    assert "revision" in reply.json["files"][0]
    assert "X-Plan-Pages-Used" in reply.headers
    assert "plan" in call.get("/file/designs").json
    assert "plan" in call.get("/file/design/parameter/order").json[0]
    assert "X-Plan-Pages-Used" in call.order("sync/single", "A").headers


def test_passthrough_can_be_lost(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("no_passthrough"))
    assert "passthrough" not in call.order("async/single", "A", passthrough={"rf": "1"}).json["files"][0]
    assert call.order("async/single", "A", passthrough={"rf": "1"}).json["files"][0]["passthrough"] == {"rf": "1"}


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_a_mapping_can_be_absent_raw_or_broken(serve: Callable[..., Caller], endpoint: str) -> None:
    kinds = ("no_mapping", "raw_mapping", "broken_mapping")
    call = serve(faults=[Fault(kind, at=nth) for nth, kind in enumerate(kinds, start=1)])
    absent, raw, broken = (call.order(endpoint, "日本") for _ in kinds)
    assert "X-File-Mapping" not in absent.headers
    assert json.loads(raw.headers["X-File-Mapping"])[0]["fileName"] == "日本.pdf"
    with pytest.raises(ValueError, match=r"Expecting|delimiter|Unterminated"):
        json.loads(unquote(broken.headers["X-File-Mapping"]))
    assert {absent.status, raw.status, broken.status} == {201}


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_a_sync_answer_can_be_something_else(serve: Callable[..., Caller], endpoint: str) -> None:
    reply = serve(faults=Fault("not_pdf")).order(endpoint, "A")
    assert reply.status == 201
    assert not reply.body.startswith((b"%PDF-", b"PK"))


def test_a_bad_document_is_named_however_often_it_is_sent(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("bad_document", file_name="B"))
    for names in (("A", "B", "C"), ("A", "B"), ("B",)):
        reply = call.order("async/multiple", *names)
        assert reply.status == 400
        assert reply.json["message"] == [f"contents.{names.index('B')}.params この文書は処理できません。"]
    assert call.order("async/multiple", "A", "C").status == 202
    assert call.order("async/single", "B").json["message"] == ["content.params この文書は処理できません。"]


def test_a_bad_document_can_be_left_unnamed(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("bad_document", file_name="B", named=False))
    assert call.order("async/multiple", "A", "B").json["message"] == ["処理できない文書が含まれています。"]
    assert call.order("async/multiple", "A").status == 202


def test_without_a_name_the_nth_document_is_bad_and_stays_so(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("bad_document", at=2))
    assert call.order("async/multiple", "A", "B", "C").json["message"][0].startswith("contents.1.")
    assert call.order("async/multiple", "A", "C").status == 202
    assert call.order("async/single", "B").status == 400


def test_a_slow_answer_comes_later_but_is_accepted_at_once(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(faults=Fault("slow", seconds=200.0))
    answer = beside(lambda: call.order("async/single", "A"))
    until(lambda: clock.sleeping)
    assert accepted(call) == ["A"]
    assert call.service.calls[0].ended is None
    clock.advance(199)
    assert not answer.done()
    clock.advance(1)
    assert answer.result(30).status == 202
    record = call.service.calls[0]
    assert record.ended is not None
    assert record.ended - record.started == 200.0


def test_faults_are_chosen_by_endpoint_count_and_name(serve: Callable[..., Caller]) -> None:
    call = serve(
        faults=[
            Fault(status=503, endpoint="async", at=2, times=2),
            Fault(status=500, endpoint=["designs", "parameters"], times=None),
            Fault(status=429, file_name="late"),
        ]
    )
    assert [call.order("async/single", "A").status for _ in range(4)] == [202, 503, 503, 202]
    assert call.order("sync/single", "A").status == 201
    assert [call.get("/file/designs").status for _ in range(3)] == [500] * 3
    assert [call.order("async/multiple", "A", "late").status for _ in range(2)] == [429, 202]


def test_a_function_chooses_by_the_request(serve: Callable[..., Caller]) -> None:
    asked: list[str] = []

    def choose(endpoint: str, body: Mapping[str, Any] | None) -> Fault | None:
        asked.append(endpoint)
        return Fault(status=503) if body and len(body.get("contents", ())) > 1 else None

    call = serve(faults=choose)
    assert call.order("async/multiple", "A", "B").status == 503
    assert call.order("async/multiple", "A").status == 202
    assert call.get("/file/designs").status == 200
    assert asked == ["async/multiple", "async/multiple", "designs"]


def test_a_call_that_is_refused_anyway_meets_no_fault(serve: Callable[..., Caller]) -> None:
    """Key and rate are looked at first; a broken body may well meet one."""
    call = serve(faults=Fault(status=503))
    assert call.get("/file/designs", key=None).status == 412
    assert call.get("/file/designs").status == 503


def test_the_token_is_spared_unless_named(serve: Callable[..., Caller]) -> None:
    assert serve(faults=Fault(status=503))("POST", "/oauth/token", b"", root="/api/v1").status == 400
    assert (
        serve(faults=Fault(status=503, endpoint="token"))("POST", "/oauth/token", b"", root="/api/v1").status
        == 503
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault("sluggish"),
        lambda: Fault(status=99),
        lambda: Fault(at=0),
        lambda: Fault(times=0),
        lambda: Fault("status:many"),
    ],
)
def test_an_impossible_fault_is_refused(make: Callable[[], Fault]) -> None:
    with pytest.raises(ConfigurationError):
        make()


def test_the_docstring_explains_every_kind() -> None:
    assert all(f"``{kind}``" in (Fault.__doc__ or "") for kind in KINDS)


def test_no_faults_cost_nothing() -> None:
    assert not FaultPlan(())
    assert FaultPlan(()).for_call("designs", None) == []
