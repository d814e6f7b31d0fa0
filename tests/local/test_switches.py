"""The switches, each against its default."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from support.plain_http import Caller, HandClock, beside, ordered, until

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.service import local_service
from reportflow_pandas.local.switches import Switches


def mapping(reply: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(unquote(reply.headers["X-File-Mapping"]))
    return entries


def test_sync_success_can_be_200(serve: Callable[..., Caller]) -> None:
    call = serve(sync_status=200)
    assert [call.order(f"sync/{kind}", "A").status for kind in ("single", "multiple")] == [200, 200]


def test_url_is_a_page_for_people(call: Caller) -> None:
    """A client that fetches it gets HTML with status 200, and is seen."""
    order = call.order("async/single", "A").json
    assert order["url"] == f"{call.service.page_url}__emulator__/file/{order['requestId']}"
    assert call.order("sync/single", "A").headers["File-URL"].startswith(f"{call.service.page_url}__emulator__/")
    reply = call.get(order["url"].removeprefix(call.service.page_url.rstrip("/")), root="", key=None)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert call.service.counts()["page"] == 1


def test_url_can_be_the_address_of_the_download_which_asks_for_the_key(serve: Callable[..., Caller]) -> None:
    call = serve(url_mode="download")
    order = call.order("async/single", "A").json
    assert order["url"] == f"{call.service.base_url}/file/download/{order['requestId']}"
    path = order["url"].removeprefix(call.service.page_url.rstrip("/"))
    assert call.get(path, root="", key=None).status == 412
    assert call.get(path, root="").status == 200


def test_a_switch_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no switch lattency"):
        local_service(lattency=1)


def test_ids_can_be_uuids(serve: Callable[..., Caller]) -> None:
    order = serve(id_style="uuid").order("async/single", "A").json
    assert str(uuid.UUID(order["requestId"])) == order["requestId"]
    assert str(uuid.UUID(order["files"][0]["fileId"])) == order["files"][0]["fileId"]


def test_designs_are_listed_with_their_latest_version(call: Caller) -> None:
    (first, second) = call.get("/file/designs").json["designs"]
    assert first.pop("thumbnail").startswith(call.service.page_url)
    assert first == {
        "id": "order",
        "label": "注文書",
        "latestVersion": 2,
        "updatedAt": "2026-08-01T02:03:04.000Z",
    }
    assert uuid.UUID(second["id"])


def test_parameters_are_an_array_with_nested_specs(call: Caller) -> None:
    spec = call.get("/file/design/parameter/order").json
    assert spec[0] == {
        "name": "Number",
        "type": "text",
        "label": "Order number",
        "description": "printed on top",
    }
    assert spec[5]["spec"] == [
        {"name": "Item", "type": "text", "label": "Item"},
        {"name": "Qty", "type": "number", "label": "Qty"},
    ]
    assert spec[6]["spec"] == [{"name": "Name", "type": "text", "label": "Name"}]


def test_the_answer_tells_defaults_and_the_characters_of_the_fonts(serve: Callable[..., Caller]) -> None:
    call = serve(designs=None, render=True)
    first, *others = call.get("/file/design/parameter/invoice").json
    ranges = first["fontCharacters"]
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(ranges))
    known = {point for start, end in ranges for point in range(start, end + 1)}
    assert set(map(ord, "aÅŁ髙円€￥ \n")) <= known
    assert not set(map(ord, "😀한")) & known
    assert not any("fontCharacters" in entry for entry in others)
    assert {entry["name"]: entry["default"] for entry in others if "default" in entry} == {
        "Language": "auto",
        "Currency": "USD",
    }


def test_parameters_can_be_an_object_as_in_the_docs(serve: Callable[..., Caller]) -> None:
    assert serve(schema_shape="object").get("/file/design/parameter/order").json == {
        "Number": "string",
        "Total": "number",
        "Paid": "boolean",
        "Day": "date",
        "Logo": "image",
        "Lines": [{"Item": "string", "Qty": "number"}],
        "Customer": {"Name": "string"},
    }


@pytest.mark.parametrize(
    ("query", "status", "count"),
    [
        ("", 200, 7),
        ("?version=2", 200, 7),
        ("?version=1", 200, 2),
        ("?version=3", 404, 0),
        ("?version=0", 404, 0),
        ("?version=-1", 404, 0),
        ("?version=two", 400, 0),
        ("?version=", 400, 0),
        ("?version=1.5", 400, 0),
    ],
)
def test_parameters_of_a_version(call: Caller, query: str, status: int, count: int) -> None:
    reply = call.get(f"/file/design/parameter/order{query}")
    assert reply.status == status
    assert status != 200 or len(reply.json) == count


def test_parameters_of_an_unknown_design_are_answered_with_404(call: Caller) -> None:
    assert call.get("/file/design/parameter/unknown").status == 404


def test_share_url_and_params_can_be_in_the_entries(serve: Callable[..., Caller]) -> None:
    call = serve(share_url=True, echo_params=True)
    for entry in (call.order("async/single", "A").json["files"][0], mapping(call.order("sync/single", "A"))[0]):
        assert entry["share"]["url"].endswith(entry["fileId"])
        assert entry["params"] == {"Number": "A", "Total": 5}


def test_passthrough_can_be_left_out_of_every_answer(serve: Callable[..., Caller]) -> None:
    call = serve(echo_passthrough=False)
    assert "passthrough" not in call.order("async/single", "A", passthrough={"a": 1}).json["files"][0]
    assert "passthrough" not in mapping(call.order("sync/multiple", "A", passthrough={"a": 1}))[0]
    assert call.service.documents[0].passthrough == {"a": 1}


def test_share_words_can_be_taken(serve: Callable[..., Caller]) -> None:
    call = serve(share_words=True)
    assert call.order("async/single", "A", shareType="public").json["files"][0]["share"]["shareType"] == "public"
    assert call.order("async/single", "A", shareType="everybody").status == 400


def test_statuses_of_open_questions_can_be_chosen(serve: Callable[..., Caller]) -> None:
    call = serve(too_many_status=422, both_credentials_status=401)
    assert call.order("async/multiple", *map(str, range(101))).status == 422
    assert call.get("/file/designs", headers={"Authorization": "Bearer x"}).status == 401


@pytest.mark.parametrize("completes", [True, False])
def test_a_sync_call_over_its_time_is_answered_with_504(
    serve: Callable[..., Caller], clock: HandClock, completes: bool
) -> None:
    call = serve(render_delay=121.0, sync_timeout_completes=completes)
    answer = beside(lambda: call.order("sync/multiple", "A", "B"))
    until(lambda: clock.sleeping)
    clock.advance(119.9)
    assert not answer.done()
    clock.advance(0.1)
    reply = answer.result(30)
    assert (reply.status, reply.json["message"], reply.json["error"]) == (
        504,
        "Gateway Timeout",
        "Request timeout",
    )
    assert [document.file_name for document in call.service.documents] == (["A", "B"] if completes else [])
    if completes:
        clock.advance(1)
        assert call.get(f"/file/download/{call.service.documents[0].request_id}").status == 200


def test_a_sync_call_within_its_time_waits_for_the_render_delay(
    serve: Callable[..., Caller], clock: HandClock
) -> None:
    call = serve(render_delay=119.0)
    answer = beside(lambda: call.order("sync/single", "A"))
    until(lambda: clock.sleeping)
    clock.advance(119)
    assert answer.result(30).status == 201


def test_latency_is_slept_after_acceptance(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(latency=0.2)
    answer = beside(lambda: call.order("async/single", "A"))
    until(lambda: clock.sleeping)
    assert len(call.service.documents) == 1
    clock.advance(0.2)
    assert answer.result(30).status == 202
    assert call.service.calls[0].ended == pytest.approx(1000.2)


def test_latency_can_differ_from_call_to_call(serve: Callable[..., Caller], clock: HandClock) -> None:
    latencies = iter([0.0, 3.0])
    call = serve(latency=lambda: next(latencies))
    assert call.get("/file/designs").status == 200
    answer = beside(lambda: call.get("/file/designs"))
    assert until(lambda: clock.sleeping) == [1003.0]
    clock.advance(3)
    assert answer.result(30).status == 200


@pytest.mark.parametrize(("counted", "statuses"), [("arrival", [200, 429]), ("answer", [429, 200])])
def test_a_call_counts_on_arrival_or_just_before_its_answer(
    serve: Callable[..., Caller], clock: HandClock, counted: str, statuses: list[int]
) -> None:
    """The first call to arrive takes 9 seconds, the second 1: either may be the first to count."""
    from reportflow_pandas.settings import Limits  # noqa: PLC0415 - only here

    latencies = iter([9.0, 1.0])
    call = serve(limits=Limits(async_calls=1), limit_counted=counted, latency=lambda: next(latencies))
    slow = beside(lambda: call.get("/file/designs"))
    until(lambda: len(clock.sleeping) == 1)
    fast = beside(lambda: call.get("/file/designs"))
    until(lambda: len(clock.sleeping) == 2)
    clock.advance(1)
    second = fast.result(30).status
    clock.advance(8)
    assert [slow.result(30).status, second] == statuses


def test_more_calls_at_once_than_allowed_are_answered_with_429(
    serve: Callable[..., Caller], clock: HandClock
) -> None:
    call = serve(max_in_flight=2, latency=1.0)
    under_way = [beside(lambda: call.order("async/single", "A")) for _ in range(2)]
    until(lambda: len(clock.sleeping) == 2)
    third = beside(lambda: call.order("async/single", "A"))
    until(lambda: len(clock.sleeping) == 3)
    clock.advance(1)
    assert third.result(30).status == 429
    assert third.result().headers["Retry-After"] == "1"
    assert [answer.result(30).status for answer in under_way] == [202, 202]


@pytest.mark.parametrize(
    "switch",
    [
        {"limits": 100},
        {"latency": -1},
        {"render_delay": "1"},
        {"not_ready_status": 99},
        {"sync_status": "201"},
        {"url_mode": "api"},
        {"schema_shape": "list"},
        {"id_style": "long"},
        {"failure_mode": "maybe"},
        {"faults": [5]},
        {"faults": "slow"},
    ],
)
def test_a_switch_that_cannot_be_is_refused_by_name(serve: Callable[..., Caller], switch: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(switch))):
        serve(**switch)


def test_the_body_of_an_order_is_not_changed_by_large_bodies_in_threads(call: Caller) -> None:
    """Bodies above 64 KB are read beside the loop; the answer is the same."""
    body = ordered("async/multiple", *map(str, range(100)))
    for content in body["contents"]:
        content["params"]["Number"] = "x" * 50_000
    assert call.post("async/multiple", body).status == 202
    assert [len(document.params["Number"]) for document in call.service.documents] == [50_000] * 100
    body["contents"][99]["params"] = 5
    assert call.post("async/multiple", body).json["message"] == ["contents.99.params must be an object"]


def test_the_service_s_arguments_are_its_switches_with_the_same_defaults() -> None:
    taken = inspect.signature(local_service).parameters
    for spec in dataclasses.fields(Switches):
        assert taken[spec.name].default == spec.default, spec.name
        assert spec.name in (local_service.__doc__ or "")
