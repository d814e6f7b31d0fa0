"""The service as an object: its life, its threads, what it remembers, and real PDFs."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pikepdf
import pytest
from support.plain_http import Caller, HandClock, beside, ordered, until

from reportflow_pandas import settings
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.contract import API_URL
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local import compiler as real
from reportflow_pandas.local.designs import FOLDER, packaged_designs
from reportflow_pandas.local.service import LocalService, local_service

CORES = os.cpu_count() or 1


class Renderer:
    """Stands in for the compiler: renders only when the test lets it."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began: list[str] = []
        self.threads: set[str] = set()
        self.broken: set[str] = set()

    def __call__(self, _version: object, params: Mapping[str, Any], **_: object) -> bytes:
        self.began.append(params["Number"])
        self.threads.add(threading.current_thread().name)
        self.gate.wait(60)
        if params["Number"] in self.broken:
            raise real.RenderError(f"no font has what {params['Number']} needs")
        return b"%PDF-1.7 " + params["Number"].encode()


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Renderer]:
    """Put the stand-in where the service looks for the compiler."""
    renderer = Renderer()
    monkeypatch.setattr(real, "render", renderer)
    yield renderer
    renderer.gate.set()


def settled(call: Caller) -> bool:
    return all(document.state != "rendering" for document in call.service.documents)


# life


def test_it_listens_on_this_machine_only_and_ends_without_a_trace() -> None:
    before = threading.active_count()
    with local_service(render=False) as service:
        assert service.base_url.startswith("http://127.0.0.1:")
        assert service.base_url.endswith("/v1")
        assert service.token_url.endswith("/api/v1/oauth/token")
        assert Caller(service).get("/file/designs").status == 200
    assert threading.active_count() == before
    with pytest.raises(ConfigurationError, match="does not run"):
        _ = service.base_url


def test_it_can_be_started_again_on_the_same_port_with_what_it_knew(serve: Callable[..., Caller]) -> None:
    call = serve()
    order = call.order("async/single", "A").json
    address = call.service.base_url
    call.service.stop()
    call.service.stop()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(address[17:-3]))):
        pass
    assert call.service.start() is call.service
    assert call.service.start() is call.service
    assert call.service.base_url == address
    assert call.get(f"/file/download/{order['requestId']}").status == 200


def test_a_port_that_is_taken_is_named(serve: Callable[..., Caller]) -> None:
    port = int(serve().service.base_url[17:-3])
    with pytest.raises(ConfigurationError, match=str(port)):
        serve(port=port)


def test_stopping_cuts_the_calls_under_way(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(latency=10.0)
    answer = beside(lambda: call.order("async/single", "A"))
    until(lambda: clock.sleeping)
    call.service.stop()
    with pytest.raises(ConnectionError):
        answer.result(30)
    (record,) = call.service.calls
    assert record.status is None
    assert record.ended is not None


def test_many_services_live_side_by_side(serve: Callable[..., Caller]) -> None:
    first, second = serve(), serve(app_key="ak_another_key_00000001")
    first.order("async/single", "A")
    assert second.get("/file/designs", key=first.service.app_key).status == 401
    assert second.service.documents == ()


def test_clearing_forgets_calls_and_documents(call: Caller) -> None:
    request_id = call.order("async/single", "A").json["requestId"]
    call.service.clear()
    assert (call.service.calls, call.service.documents, call.service.counts()) == ((), (), {})
    assert call.get(f"/file/download/{request_id}").status == 404


def test_calls_are_told_in_the_order_of_their_arrival_those_under_way_too(
    serve: Callable[..., Caller], clock: HandClock
) -> None:
    latencies = iter([5.0, 0.0])
    call = serve(latency=lambda: next(latencies))
    slow = beside(lambda: call.order("async/multiple", "A", "B"))
    until(lambda: clock.sleeping)
    call.get("/file/designs")
    told = call.service.calls
    assert [record.endpoint for record in told] == ["async/multiple", "designs"]
    assert [record.status for record in told] == [None, 200]
    clock.advance(5)
    slow.result(30)
    assert [record.documents for record in call.service.calls] == [2, 0]
    assert call.service.calls[0].request_id == slow.result().json["requestId"]


# rendering


def test_rendering_begins_at_once_in_order_of_acceptance_on_all_cores(
    serve: Callable[..., Caller], renderer: Renderer
) -> None:
    call = serve(render=True)
    call.order("async/multiple", *[f"first-{number}" for number in range(5)])
    call.order("async/multiple", *[f"second-{number}" for number in range(5)])
    until(lambda: len(renderer.began) == CORES)
    renderer.gate.set()
    until(lambda: settled(call))
    expected = [f"{batch}-{number}" for batch in ("first", "second") for number in range(5)]
    assert sorted(renderer.began) == sorted(expected)
    for place, name in enumerate(
        renderer.began
    ):  # a thread may be late with what it took, and none takes out of turn
        assert expected.index(name) - place < CORES
    assert len(renderer.threads) == CORES


def test_the_loop_is_free_while_documents_render(serve: Callable[..., Caller], renderer: Renderer) -> None:
    """Every thread of the renderer is stuck and 200 documents wait: other calls are answered all the same."""
    call = serve(render=True)
    for batch in range(2):
        call.order("async/multiple", *[f"{batch}-{number}" for number in range(100)])
    until(lambda: len(renderer.began) == CORES)
    assert call.get("/file/designs").status == 200
    assert call.get(f"/file/download/{call.service.documents[0].request_id}").status == 404
    body = ordered("async/multiple", "large")
    body["contents"][0]["passthrough"] = {"filler": "x" * 1_000_000}
    assert call.post("async/multiple", body).status == 202


def test_a_sync_order_is_rendered_before_the_async_ones_that_wait(
    serve: Callable[..., Caller], renderer: Renderer
) -> None:
    call = serve(render=True)
    call.order("async/multiple", *[f"waiting-{number}" for number in range(20)])
    until(lambda: len(renderer.began) == CORES)
    answer = beside(lambda: call.order("sync/single", "urgent"))
    until(lambda: len(call.service.documents) == 21)
    renderer.gate.set()
    assert answer.result(30).body == b"%PDF-1.7 urgent"
    assert renderer.began.index("urgent") < 2 * CORES


def test_a_document_that_cannot_be_rendered_fails_alone(serve: Callable[..., Caller], renderer: Renderer) -> None:
    renderer.broken.add("B")
    renderer.gate.set()
    call = serve(render=True)
    order = call.order("async/multiple", "A", "B", "C").json
    until(lambda: settled(call))
    assert [document.state for document in call.service.documents] == ["ready", "failed", "ready"]
    path = f"/file/download/{order['requestId']}"
    assert [call.get(f"{path}/{entry['fileId']}").status for entry in order["files"]] == [200, 500, 200]
    assert "no font has what B needs" in call.get(path).json["message"]
    assert call.order("sync/multiple", "A", "B").status == 500


def test_what_was_not_rendered_when_it_stopped_is_rendered_after_the_next_start(
    serve: Callable[..., Caller], renderer: Renderer
) -> None:
    call = serve(render=True)
    call.order("async/multiple", *map(str, range(10)))
    until(lambda: len(renderer.began) == CORES)
    stopped = beside(call.service.stop)
    renderer.gate.set()
    stopped.result(30)
    call.service.start()
    until(lambda: settled(call))
    assert {document.state for document in call.service.documents} == {"ready"}


def test_pdfs_that_were_not_kept_are_made_again(serve: Callable[..., Caller], renderer: Renderer) -> None:
    renderer.gate.set()
    call = serve(render=True, keep_bytes=0)
    request_id = call.order("async/multiple", "A", "B").json["requestId"]
    until(lambda: settled(call))
    archive = zipfile.ZipFile(io.BytesIO(call.get(f"/file/download/{request_id}").body))
    assert [archive.read(name) for name in ("A.pdf", "B.pdf")] == [b"%PDF-1.7 A", b"%PDF-1.7 B"]
    assert sorted(renderer.began) == ["A", "A", "B", "B"]


def test_a_missing_compiler_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reportflow_pandas.local.compiler", None)
    with pytest.raises(ConfigurationError, match=r"reportflow-pandas\[local\]"):
        local_service().start()


# real PDFs


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("design_id", sorted(packaged_designs()))
def test_each_packaged_design_renders_its_samples(
    serve: Callable[..., Caller], design_id: str, language: str
) -> None:
    call = serve(designs=None, render=True)
    listed = {design["id"]: design["latestVersion"] for design in call.get("/file/designs").json["designs"]}
    params = dict(packaged_designs()[design_id].versions[listed[design_id]].samples[language])
    body = {"designId": design_id, "version": listed[design_id], "content": {"fileName": "文書", "params": params}}
    reply = call.post("sync/single", body)
    assert reply.status == 201
    with pikepdf.open(io.BytesIO(reply.body)) as pdf:
        assert len(pdf.pages) >= 1
        assert {str(pdf.docinfo[name]) for name in ("/Producer", "/Creator", "/Author")} == {"ReportFlow"}
        assert "/Metadata" not in pdf.Root


def receipt(**fields: Any) -> dict[str, Any]:
    params = dict(packaged_designs()["receipt"].versions[1].samples["en"])
    return {"designId": "receipt", "version": 1, "content": {"fileName": "R-1", "params": params} | fields}


def test_passthrough_is_in_the_metadata_of_the_pdf(serve: Callable[..., Caller]) -> None:
    call = serve(designs=None, render=True)
    reply = call.post("sync/single", receipt(passthrough={"rf": "Zk3PpV0aNq8sUe5J", "n": 7}))
    with pikepdf.open(io.BytesIO(reply.body)) as pdf:
        xmp = pdf.Root.Metadata.read_bytes()
    assert b"rf=Zk3PpV0aNq8sUe5J" in xmp
    assert b"n=7" in xmp


def test_the_same_order_at_the_same_time_has_the_same_bytes(serve: Callable[..., Caller]) -> None:
    first, second = (serve(designs=None, render=True, seed=0).post("sync/single", receipt()) for _ in range(2))
    assert first.body == second.body
    assert first.headers["X-File-Mapping"] == second.headers["X-File-Mapping"]


def test_a_folder_of_designs_is_added_and_replaces_by_id(serve: Callable[..., Caller], tmp_path: Any) -> None:
    shutil.copytree(FOLDER / "receipt", tmp_path / "my-receipt")
    call = serve(designs=tmp_path, render=True)
    listed = [design["id"] for design in call.get("/file/designs").json["designs"]]
    assert sorted(listed) == sorted([*packaged_designs(), "my-receipt"])
    assert call.post("sync/single", receipt() | {"designId": "my-receipt"}).status == 201


# placeholders and the fixture


def test_a_placeholder_is_a_pdf_that_names_its_file(call: Caller) -> None:
    reply = call.order("sync/single", "A")
    (document,) = call.service.documents
    with pikepdf.open(io.BytesIO(reply.body)) as pdf:
        assert len(pdf.pages) == 1
        assert document.file_id.encode() in pdf.pages[0].Contents.read_bytes()


def test_ten_thousand_documents_are_counted(call: Caller) -> None:
    for batch in range(100):
        call.order("async/multiple", *[f"{batch}-{number}" for number in range(100)])
    assert call.service.counts() == {"async/multiple": 100}
    assert len({document.file_id for document in call.service.documents}) == 10_000


@pytest.mark.parametrize("reportflow_service", [{"render": False, "clock": SYSTEM_CLOCK}], indirect=True)
def test_the_fixture_points_the_settings_at_a_service_of_its_own(reportflow_service: LocalService) -> None:
    now = settings.current().checked()
    assert now.base_url == reportflow_service.base_url
    assert now.app_key == reportflow_service.app_key
    assert Caller(reportflow_service).get("/file/designs").status == 200


def test_after_the_fixture_the_settings_are_as_before() -> None:
    assert settings.current().base_url == API_URL
