"""The four generation endpoints in plain HTTP."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from support.plain_http import Caller, ordered

GENERATION = ["sync/single", "sync/multiple", "async/single", "async/multiple"]


@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple"])
def test_an_async_order_is_answered_with_202_and_its_entries(call: Caller, endpoint: str) -> None:
    reply = call.order(endpoint, "注文書_0007", passthrough={"orderId": "A-7"})
    assert reply.status == 202
    request_id = reply.json["requestId"]
    assert re.fullmatch("[0-9A-Za-z]{16}", request_id)
    assert reply.json["url"] == f"{call.service.page_url}__emulator__/file/{request_id}"
    (entry,) = reply.json["files"]
    assert re.fullmatch("[0-9A-Za-z]{16}", entry.pop("fileId"))
    assert entry == {
        "fileName": "注文書_0007.pdf",
        "passthrough": {"orderId": "A-7"},
        "share": {"shareType": "workspace", "passcodeEnabled": False},
    }


def test_a_batch_of_100_has_one_request_id_and_entries_in_order(call: Caller) -> None:
    names = [f"INV-{number}" for number in range(100)]
    reply = call.order("async/multiple", *names)
    assert [entry["fileName"] for entry in reply.json["files"]] == [f"{name}.pdf" for name in names]
    assert len({entry["fileId"] for entry in reply.json["files"]}) == 100
    assert [document.file_name for document in call.service.documents] == names
    assert call.service.counts() == {"async/multiple": 1}
    assert call.service.calls[0].documents == 100


def test_a_sync_single_is_answered_with_201_and_the_pdf(call: Caller) -> None:
    reply = call.order("sync/single", "注文書 7+8", shareType="03", passcodeEnabled=True)
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/pdf"
    assert reply.body.startswith(b"%PDF-1.7")
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="')
    assert "filename*=UTF-8''%E6%B3%A8" in reply.headers["Content-Disposition"]
    page = f"{call.service.page_url}__emulator__/file/{reply.headers['Request-Id']}"
    assert reply.headers["File-URL"] == page
    raw = reply.headers["X-File-Mapping"]
    assert "%20" in raw
    assert "+" not in raw
    (entry,) = json.loads(unquote(raw))
    assert entry["fileName"] == "注文書 7+8.pdf"
    assert entry["share"] == {"shareType": "public", "passcodeEnabled": True}
    again = call.get(f"/file/download/{reply.headers['Request-Id']}/{entry['fileId']}")
    assert again.status == 200
    assert again.body == reply.body


def test_a_sync_multiple_of_100_is_a_zip_with_a_mapping_of_100(call: Caller) -> None:
    names = [f"請求書_2026年11月分_お客様控え_{number:03}" for number in range(100)]
    reply = call.order("sync/multiple", *names)
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(reply.body)).namelist() == [f"{name}.pdf" for name in names]
    raw = reply.headers["X-File-Mapping"]
    assert len(raw) > 27_000
    assert [entry["fileName"] for entry in json.loads(unquote(raw))] == [f"{name}.pdf" for name in names]


@pytest.mark.parametrize("name", ["INV-1", "INV-1.pdf", "INV-1.PDF"])
def test_one_trailing_pdf_is_removed_from_a_name_and_put_back(call: Caller, name: str) -> None:
    assert call.order("async/single", name).json["files"][0]["fileName"] == "INV-1.pdf"
    assert call.service.documents[0].file_name == "INV-1"


def test_only_one_pdf_is_removed(call: Caller) -> None:
    assert call.order("async/single", "a.pdf.pdf").json["files"][0]["fileName"] == "a.pdf.pdf"


@pytest.mark.parametrize(("code", "word"), [("01", "workspace"), ("02", "invited"), ("03", "public")])
def test_share_codes_of_requests_are_words_in_answers(call: Caller, code: str, word: str) -> None:
    share = call.order("async/single", "A", shareType=code).json["files"][0]["share"]
    assert share == {"shareType": word, "passcodeEnabled": False}


@pytest.mark.parametrize("endpoint", GENERATION)
def test_every_accepted_order_makes_new_documents(call: Caller, endpoint: str) -> None:
    """There is no idempotency key: the same body twice is two documents."""
    call.order(endpoint, "A")
    call.order(endpoint, "A")
    assert [document.file_name for document in call.service.documents] == ["A", "A"]


def test_what_was_ordered_can_be_read_back(call: Caller) -> None:
    call.order("async/single", "Ł 日本", params={"Number": "Ł", "Total": 1.5}, passthrough={"rf": "x" * 16})
    (document,) = call.service.documents
    assert document.params == {"Number": "Ł", "Total": 1.5}
    assert document.passthrough == {"rf": "x" * 16}
    assert (document.design_id, document.version, document.endpoint) == ("order", 2, "async/single")


def test_the_same_orders_in_the_same_order_get_the_same_ids(serve: Callable[..., Caller]) -> None:
    first, second, other = serve(seed=0), serve(seed=0), serve(seed=7)
    ids = [caller.order("async/multiple", "A", "B").json["files"] for caller in (first, second, other)]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


def test_two_services_never_issue_the_same_ids_unless_told_to(serve: Callable[..., Caller]) -> None:
    """A download folder knows documents by their ids: two sessions must not share them."""
    ids = [serve().order("async/multiple", "A").json["requestId"] for _ in range(2)]
    assert ids[0] != ids[1]


def test_a_design_named_by_a_uuid_is_found(call: Caller) -> None:
    body = ordered("async/single", "A") | {"designId": "7f9c24e8-3b12-4fef-91d0-56b1b7c3a2f4"}
    assert call.post("async/single", body).status == 202


def test_empty_params_and_unknown_fields_are_taken(call: Caller) -> None:
    assert call.order("async/single", "A", params={}, colour="red").status == 202
    assert call.order("async/single", "A", params={"Custmer": "typo"}).status == 202
