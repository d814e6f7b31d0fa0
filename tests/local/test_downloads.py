"""Downloads and what stands in their way: too early, too late, failed, unknown."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from support.plain_http import Caller, HandClock, Reply

from reportflow_pandas.local.faults import Fault


def both(call: Caller, order: Reply) -> list[Reply]:
    """Ask for the ZIP and for the first file of an order."""
    request_id, file_id = order.json["requestId"], order.json["files"][0]["fileId"]
    return [call.get(f"/file/download/{request_id}"), call.get(f"/file/download/{request_id}/{file_id}")]


def statuses(call: Caller, order: Reply) -> list[int]:
    return [reply.status for reply in both(call, order)]


def test_a_ready_batch_is_a_flat_zip_of_pdfs(call: Caller) -> None:
    order = call.order("async/multiple", "A", "日本")
    reply = both(call, order)[0]
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="files.zip"'
    archive = zipfile.ZipFile(io.BytesIO(reply.body))
    assert archive.namelist() == ["A.pdf", "日本.pdf"]
    assert all(archive.read(name).startswith(b"%PDF-") for name in archive.namelist())


def test_a_ready_file_is_a_pdf_with_its_id(call: Caller) -> None:
    order = call.order("async/single", "A (1)")
    reply = both(call, order)[1]
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/pdf"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="A (1).pdf"'
    assert reply.headers["File-ID"] == order.json["files"][0]["fileId"]
    assert int(reply.headers["Content-Length"]) == len(reply.body)


def test_a_single_request_has_a_zip_with_one_entry(call: Caller) -> None:
    reply = both(call, call.order("async/single", "A"))[0]
    assert zipfile.ZipFile(io.BytesIO(reply.body)).namelist() == ["A.pdf"]


def test_downloads_can_be_repeated_with_the_same_bytes(call: Caller) -> None:
    order = call.order("async/multiple", "A", "B")
    assert [reply.body for reply in both(call, order)] == [reply.body for reply in both(call, order)]


def test_unknown_requests_and_files_are_answered_with_404(call: Caller) -> None:
    request_id = call.order("async/single", "A").json["requestId"]
    for path in ("unknown", "unknown/unknown", f"{request_id}/unknown", f"{request_id}%2F..%2Fetc"):
        reply = call.get(f"/file/download/{path}")
        assert reply.status == 404
        assert reply.json["error"] == "Not Found"


@pytest.mark.parametrize("status", [404, 409, 423, 425, 400])
def test_a_download_before_readiness_is_refused_with_the_chosen_status(
    serve: Callable[..., Caller], clock: HandClock, status: int
) -> None:
    call = serve(render_delay=30.0, not_ready_status=status, not_ready_retry_after=4)
    order = call.order("async/multiple", "A", "B")
    for reply in both(call, order):
        assert reply.status == status
        assert "まだ" in reply.json["message"]
        assert reply.headers["Retry-After"] == "4"
    clock.advance(29.9)
    assert statuses(call, order) == [status, status]
    clock.advance(0.1)
    assert statuses(call, order) == [200, 200]


def test_not_ready_is_404_by_default_without_retry_after(serve: Callable[..., Caller]) -> None:
    call = serve(manual=True)
    for reply in both(call, call.order("async/single", "A")):
        assert reply.status == 404
        assert "Retry-After" not in reply.headers


def test_not_ready_can_be_202_with_json_or_204_with_nothing(serve: Callable[..., Caller]) -> None:
    call = serve(manual=True, not_ready_status=202)
    reply = both(call, call.order("async/single", "A"))[1]
    assert (reply.status, reply.headers["Content-Type"]) == (202, "application/json; charset=utf-8")
    call = serve(manual=True, not_ready_status=204)
    reply = both(call, call.order("async/single", "A"))[1]
    assert (reply.status, reply.body) == (204, b"")


def test_a_finished_file_comes_before_the_rest_of_its_batch(serve: Callable[..., Caller]) -> None:
    call = serve(manual=True)
    order = call.order("async/multiple", "A", "B")
    assert call.service.complete("A") == 1
    assert statuses(call, order) == [404, 200]
    call.service.complete()
    assert statuses(call, order) == [200, 200]
    assert {document.state for document in call.service.documents} == {"ready"}


def test_early_files_can_be_switched_off(serve: Callable[..., Caller]) -> None:
    call = serve(manual=True, early_files=False)
    order = call.order("async/multiple", "A", "B")
    call.service.complete("A")
    assert statuses(call, order) == [404, 404]


def test_each_document_has_its_own_delay(serve: Callable[..., Caller], clock: HandClock) -> None:
    delays = iter([5.0, 50.0])
    call = serve(render_delay=lambda: next(delays))
    order = call.order("async/multiple", "A", "B")
    clock.advance(5)
    assert statuses(call, order) == [404, 200]
    clock.advance(45)
    assert statuses(call, order) == [200, 200]


@pytest.mark.parametrize("status", [404, 410])
def test_a_document_expires_after_its_retention(
    serve: Callable[..., Caller], clock: HandClock, status: int
) -> None:
    call = serve(retention=100.0, render_delay=10.0, expired_status=status)
    order = call.order("async/single", "A")
    clock.advance(109)
    assert statuses(call, order) == [200, 200]
    clock.advance(1)
    assert statuses(call, order) == [status, status]
    assert call.service.documents[0].state == "expired"


def test_retention_is_a_day_by_default(call: Caller, clock: HandClock) -> None:
    order = call.order("async/single", "A")
    clock.advance(86399)
    assert statuses(call, order) == [200, 200]
    clock.advance(1)
    assert statuses(call, order) == [404, 404]


def test_a_failed_document_is_answered_with_500_and_hides_no_other(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("failed_document", file_name="B"))
    order = call.order("async/multiple", "A", "B")
    assert statuses(call, order) == [500, 200]
    request_id, file_id = order.json["requestId"], order.json["files"][1]["fileId"]
    reply = call.get(f"/file/download/{request_id}/{file_id}")
    assert reply.status == 500
    assert "B.pdf の変換に失敗しました" in reply.json["message"]
    assert [document.state for document in call.service.documents] == ["ready", "failed"]


def test_a_failed_document_can_stay_unready_for_ever(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(faults=Fault("failed_document", file_name="A"), failure_mode="never")
    order = call.order("async/single", "A")
    clock.advance(10**6)
    assert statuses(call, order) == [404, 404]


def test_a_document_can_be_failed_by_hand(call: Caller) -> None:
    order = call.order("async/multiple", "A", "B")
    assert call.service.fail("A") == 1
    assert statuses(call, order) == [500, 500]
    assert call.service.fail("nobody") == 0


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_a_sync_call_with_a_failed_document_is_answered_with_500(
    serve: Callable[..., Caller], endpoint: str
) -> None:
    call = serve(faults=Fault("failed_document", file_name="A"))
    reply = call.order(endpoint, "A")
    assert reply.status == 500
    assert reply.json["error"] == "Internal Server Error"
