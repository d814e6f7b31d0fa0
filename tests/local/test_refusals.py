"""Each documented refusal, and the order in which they are looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.plain_http import Caller, Reply, content, ordered

from reportflow_pandas.settings import Limits

GENERATION = ["sync/single", "sync/multiple", "async/single", "async/multiple"]
READING = ["/file/designs", "/file/design/parameter/order", "/file/download/abc", "/file/download/abc/def"]
MIB_50 = 52_428_800


def refused(reply: Reply, status: int, error: str) -> Any:
    """Check a refusal's shape and return its message."""
    assert reply.status == status
    assert set(reply.json) == {"statusCode", "message", "error"}
    assert reply.json["statusCode"] == status
    assert reply.json["error"] == error
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    return reply.json["message"]


def everywhere(call: Caller, **options: Any) -> list[Reply]:
    """Call each of the eight endpoints."""
    return [
        call.order(endpoint, "A") if not options else call.post(endpoint, ordered(endpoint, "A"), **options)
        for endpoint in GENERATION
    ] + [call.get(path, **options) for path in READING]


def test_a_missing_key_is_answered_with_412(call: Caller) -> None:
    for reply in everywhere(call, key=None):
        assert isinstance(refused(reply, 412, "Precondition Failed"), str)
    assert call.service.documents == ()


@pytest.mark.parametrize("key", ["ak_wrong_key_0000000001", "nonsense", "鍵".encode().decode("latin-1")])
def test_a_wrong_key_is_answered_with_401(call: Caller, key: str) -> None:
    for reply in everywhere(call, key=key):
        refused(reply, 401, "Unauthorized")
    assert call.service.documents == ()


@pytest.mark.parametrize("name", ["X-API-Key", "app-key"])
def test_another_header_is_no_key(call: Caller, name: str) -> None:
    refused(call.get("/file/designs", key=None, headers={name: call.service.app_key}), 412, "Precondition Failed")


def test_the_header_name_ignores_case(call: Caller) -> None:
    assert call.get("/file/designs", key=None, headers={"AppKey": call.service.app_key}).status == 200


def test_a_regenerated_key_ends_the_old_one(call: Caller) -> None:
    old = call.service.app_key
    call.service.regenerate_key("ak_a_new_key_000000001")
    assert call.get("/file/designs", key=old).status == 401
    assert call.get("/file/designs").status == 200


def test_both_credentials_are_answered_with_400(call: Caller) -> None:
    for reply in everywhere(call, headers={"Authorization": "Bearer x"}):
        refused(reply, 400, "Bad Request")


@pytest.mark.parametrize("endpoint", GENERATION)
def test_all_problems_of_a_body_are_listed_together(call: Caller, endpoint: str) -> None:
    bad = {"fileName": "a/b", "params": [], "shareType": "public", "passcodeEnabled": "yes", "passthrough": 3}
    body = {"designId": 5, "version": "2"} | (
        {"contents": [content("fine"), bad]} if endpoint.endswith("multiple") else {"content": bad}
    )
    path = "contents.1" if endpoint.endswith("multiple") else "content"
    said = refused(call.post(endpoint, body), 400, "Bad Request")
    assert said == [
        "designId must be a string",
        "version must be an integer number",
        f'{path}.fileName must not contain any of / \\ : * ? " < > | or control characters',
        f"{path}.params must be an object",
        f"{path}.shareType must be one of the following values: 01, 02, 03",
        f"{path}.passcodeEnabled must be a boolean value",
        f"{path}.passthrough must be an object",
    ]
    assert call.service.documents == ()
    assert call.service.calls[0].refused == tuple(said)


@pytest.mark.parametrize("version", ["2", None, True, 1.5, [2]])
@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_version_that_is_no_integer_is_answered_with_400(call: Caller, endpoint: str, version: object) -> None:
    body = ordered(endpoint, "A") | {"version": version}
    assert refused(call.post(endpoint, body), 400, "Bad Request") == ["version must be an integer number"]


def test_a_missing_version_is_answered_with_400(call: Caller) -> None:
    body = ordered("async/single", "A")
    del body["version"]
    assert refused(call.post("async/single", body), 400, "Bad Request") == ["version must be an integer number"]


@pytest.mark.parametrize("version", [0, -1, 3, 10**30])
@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_version_that_does_not_exist_is_answered_with_404(call: Caller, endpoint: str, version: int) -> None:
    said = refused(call.post(endpoint, ordered(endpoint, "A") | {"version": version}), 404, "Not Found")
    assert "バージョン" in said


@pytest.mark.parametrize("endpoint", GENERATION)
def test_an_unknown_design_is_answered_with_404(call: Caller, endpoint: str) -> None:
    body = ordered(endpoint, "A") | {"designId": "Zk3PpV0aNq8sUe5J"}
    assert "デザイン" in refused(call.post(endpoint, body), 404, "Not Found")


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a:b", "a*b", "a?b", 'a"b', "a<b", "a>b", "a|b", "a\nb", "\x7f"])
def test_a_forbidden_character_in_a_name_is_answered_with_400(call: Caller, name: str) -> None:
    assert call.order("async/single", name).status == 400


@pytest.mark.parametrize("name", ["", "  ", ".pdf", "\u3000", 5, None])
def test_an_empty_name_or_none_is_answered_with_400(call: Caller, name: object) -> None:
    body = ordered("async/single", "A")
    body["content"]["fileName"] = name
    (said,) = refused(call.post("async/single", body), 400, "Bad Request")
    assert said.startswith("content.fileName ")


@pytest.mark.parametrize("name", ["a (1) #2", "日本語", "\uff21\uff0e", "INV-1.docx", "ü" * 200])
def test_everything_else_is_a_name(call: Caller, name: str) -> None:
    assert call.order("async/single", name).status == 202


@pytest.mark.parametrize("names", [("A", "a"), ("A", "A.pdf"), ("ß", "SS")])
@pytest.mark.parametrize("endpoint", ["sync/multiple", "async/multiple"])
def test_equal_names_in_a_call_are_answered_with_400(call: Caller, endpoint: str, names: tuple[str, str]) -> None:
    (said,) = refused(call.order(endpoint, *names), 400, "Bad Request")
    assert said.startswith("contents.1.fileName must be unique")


@pytest.mark.parametrize("endpoint", ["sync/multiple", "async/multiple"])
def test_101_documents_in_a_call_are_answered_with_400(call: Caller, endpoint: str) -> None:
    said = refused(call.order(endpoint, *map(str, range(101))), 400, "Bad Request")
    assert said == ["contents must contain no more than 100 elements"]
    assert call.service.documents == ()


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([], "contents must contain at least 1 elements"),
        ({}, "contents must be an array"),
        (None, "contents must be an array"),
        ([5], "contents.0 must be an object"),
    ],
)
def test_contents_that_are_no_list_of_documents_are_answered_with_400(
    call: Caller, contents: object, said: str
) -> None:
    body = {"designId": "order", "version": 2, "contents": contents}
    assert refused(call.post("async/multiple", body), 400, "Bad Request") == [said]


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"\xff", b'{"a": NaN}', b'"\\ud800"'])
def test_a_body_that_is_no_json_is_answered_with_400(call: Caller, body: bytes) -> None:
    assert isinstance(refused(call.post("async/single", body), 400, "Bad Request"), str)


@pytest.mark.parametrize("body", [b"[]", b"5", b"null"])
def test_a_body_that_is_no_object_is_answered_with_400(call: Caller, body: bytes) -> None:
    assert refused(call.post("async/single", body), 400, "Bad Request") == ["the body must be an object"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_answered_with_400(call: Caller, kind: str) -> None:
    body = ordered("async/single", "A")
    assert refused(call.post("async/single", body, headers={"Content-Type": kind}), 400, "Bad Request")


@pytest.mark.parametrize("endpoint", GENERATION)
def test_a_body_of_60_mb_is_answered_with_413(call: Caller, endpoint: str) -> None:
    reply = call.post(endpoint, b" " * 60_000_000)
    assert refused(reply, 413, "Request Entity Too Large") == "Payload Too Large"


def test_the_body_limit_is_exactly_50_mib(call: Caller) -> None:
    assert call.post("async/single", b" " * (MIB_50 + 1)).status == 413
    assert call.post("async/single", b" " * MIB_50).status == 400


def test_1_mb_params_are_answered_with_400(call: Caller) -> None:
    (said,) = refused(call.order("async/single", "A", params={"Number": "x" * 1_000_000}), 400, "Bad Request")
    assert said.startswith("content.params ")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"Total": None}, "Total"),
        ({"Total": ""}, "Total"),
        ({"Total": "abc"}, "Total"),
        ({"Paid": None}, "Paid"),
        ({"Lines": "none"}, "Lines"),
        ({"Lines": [{"Qty": None}]}, "Lines.0.Qty"),
    ],
)
def test_a_value_the_design_cannot_take_is_answered_with_400_and_its_path(
    call: Caller, value: dict[str, object], path: str
) -> None:
    body = ordered("async/multiple", "A", "B")
    body["contents"][1]["params"] = value
    (said,) = refused(call.post("async/multiple", body), 400, "Bad Request")
    assert said.startswith(f"contents.1.params.{path} ")
    assert call.service.documents == ()


def test_one_bad_document_refuses_the_whole_batch(call: Caller) -> None:
    body = ordered("async/multiple", "A", "B", "C")
    del body["contents"][2]["params"]
    assert refused(call.post("async/multiple", body), 400, "Bad Request") == [
        "contents.2.params must be an object"
    ]
    assert call.service.documents == ()


def test_an_unknown_address_or_method_is_answered_with_404(call: Caller) -> None:
    for method, path in (("GET", "/nothing"), ("DELETE", "/file/designs"), ("HEAD", "/file/designs")):
        assert call(method, path).status == 404
    assert refused(call.get("/nothing"), 404, "Not Found") == "Cannot GET /v1/nothing"


def test_the_checks_come_in_the_documented_order(serve: Callable[..., Caller]) -> None:
    """Each body below has all later faults too; each earlier fault hides them."""
    call = serve(limits=Limits(async_calls=7))
    bad_value = ordered("async/single", "A", params={"Total": None})
    bad_version = bad_value | {"version": 9}
    bad_design = bad_version | {"designId": "unknown"}
    bad_fields = bad_design | {"content": 5}
    too_large = b"{" * (MIB_50 + 1)
    assert [
        call.post("async/single", body).status for body in (bad_value, bad_version, bad_design, bad_fields, b"{")
    ] == [400, 404, 404, 400, 400]
    assert "デザイン" in call.post("async/single", bad_design).json["message"]
    assert call.post("async/single", too_large).status == 413
    assert call.post("async/single", too_large).status == 429
    assert call.post("async/single", too_large, key="ak_wrong_key_0000000001").status == 401
    assert call.post("async/single", too_large, key=None).status == 412
    assert call.service.documents == ()


def test_error_bodies_hold_japanese_as_utf_8(call: Caller) -> None:
    assert "認証".encode() in call.get("/file/designs", key=None).body
