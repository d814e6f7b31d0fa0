"""The receiver of ``file.completed``, told by the embedded service and counted there."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.json_listener import Listener
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas import webhook as module
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.webhook import Webhook

Start = Callable[..., LocalService]


@pytest.fixture
def told(local: Start) -> Iterator[Callable[..., tuple[LocalService, Webhook]]]:
    """Start a service and a webhook that it tells."""
    started: list[Webhook] = []

    def start(notify: Any = None, **switches: Any) -> tuple[LocalService, Webhook]:
        # the webhook needs the service's address, and the service the webhook's
        free = local()
        port = int(free.base_url.split(":")[2].split("/")[0])
        free.stop()
        settings = rf.Settings(
            app_key="ak_local_demo_key_0001",
            base_url=f"http://127.0.0.1:{port}",
            runs=rf.configure(app_key="ak_local_demo_key_0001").runs,
        )
        webhook = Webhook(settings, port=0, notify=notify).start()
        started.append(webhook)
        try:
            return local(port=port, webhook_url=f"{webhook.url}hook", **switches), webhook
        except rf.ConfigurationError as taken:  # by the webhook, or by another process meanwhile
            if "cannot listen" not in str(taken):
                raise
            return start(notify, **switches)

    yield start
    for webhook in started:
        webhook.stop()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 120  # for a busy machine
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def post(webhook: Webhook, body: Any) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(webhook.url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def event(service: LocalService, at: int = 0, **changes: Any) -> dict[str, Any]:
    """Return what the service says of the request of its n-th document, with an address that is a trap."""
    wanted = service.documents[at].request_id
    files = [
        {
            "fileId": document.file_id,
            "fileName": f"{document.file_name}.pdf",
            "passthrough": document.passthrough,
            "share": {"shareType": "workspace", "url": "http://127.0.0.1:9/trap", "passcodeEnabled": False},
        }
        for document in service.documents
        if document.request_id == wanted
    ]
    return {
        "event": "file.completed",
        "timestamp": "2026-11-02T09:00:00.000Z",
        "workspaceId": "ws_demo",
        "requestId": wanted,
        "designId": "certificate",
        "version": 1,
        "files": files,
        **changes,
    }


def downloads(service: LocalService) -> int:
    return sum(count for name, count in service.counts().items() if name.startswith("download"))


def test_rows_become_ready_when_the_service_says_so(told: Callable[..., tuple[LocalService, Webhook]]) -> None:
    service, webhook = told(manual=True)
    results = people(8).reportflow.generate(**plain(), run="november")
    assert set(results["status"]) == {"accepted"}
    service.complete()
    until(lambda: webhook.seen["marked"])
    assert set(rf.load("november")["status"]) == {"ready"}
    assert downloads(service) == 1
    assert [record.status for record in service.webhooks] == [204]
    assert rf.runs()["accepted"].tolist() == [8]


def test_a_running_job_has_the_marks_in_its_results_at_the_end(
    told: Callable[..., tuple[LocalService, Webhook]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last call leaves when the first three documents are marked, beside the running job."""
    send, marked = rf.Client.send, threading.Event()

    async def held(self: rf.Client, endpoint: str, body: bytes) -> Any:
        while b"Person 3" in body and not marked.is_set():  # noqa: ASYNC110 - an event of the test's thread
            await asyncio.sleep(0.01)
        return await send(self, endpoint, body)

    monkeypatch.setattr(rf.Client, "send", held)
    told()
    options = {**plain(), "endpoint": "async/single", "concurrency": 1, "limits": False}
    job = people(4).reportflow.submit(**options, run="november")
    # the fourth may be marked before the third: the service tells of each as it is made
    until(lambda: "november" in set(rf.runs()["run"]) and set(rf.load("november")["status"][:3]) == {"ready"})
    assert job.status == "running"
    assert job.results()["status"].tolist() == ["accepted"] * 3 + ["not_sent"]
    marked.set()
    assert job.result()["status"].tolist()[:3] == ["ready"] * 3
    assert job.progress["ready"] >= 3


def test_an_unknown_row_is_settled_by_its_own_file(told: Callable[..., tuple[LocalService, Webhook]]) -> None:
    service, webhook = told(faults=[Fault("dropped_after", times=1)], manual=True)
    results = people(7).reportflow.generate(**plain(), run="november")
    assert set(results["status"]) == {"unknown"}
    service.complete()
    until(lambda: webhook.seen["marked"])
    loaded = rf.load("november")
    assert set(loaded["status"]) == {"ready"}
    assert loaded["error_kind"].isna().all()
    by_name = {document.params["RecipientName"]: document for document in service.documents}
    assert loaded["file_id"].tolist() == [by_name[name].file_id for name in people(7)["name"]]
    assert loaded["request_id"].nunique() == 1
    assert downloads(service) == 7
    # settled: neither a retry nor the frame pays again
    results.reportflow.retry(unknown=True)
    people(7).reportflow.generate(**plain(), run="november")
    assert len(service.documents) == 7


def test_a_settled_row_can_be_downloaded(
    told: Callable[..., tuple[LocalService, Webhook]], tmp_path: Path
) -> None:
    _, webhook = told(faults=[Fault("dropped_after", times=1)])
    people(6).reportflow.generate(**plain(), run="november")
    until(lambda: webhook.seen["marked"])
    saved = rf.resume("november", download=str(tmp_path))
    assert set(saved["status"]) == {"ready"}
    assert len(list(tmp_path.glob("*.pdf"))) == 6


def test_a_second_event_of_a_request_is_ignored(told: Callable[..., tuple[LocalService, Webhook]]) -> None:
    service, webhook = told(webhook_copies=3)
    people(6).reportflow.generate(**plain(), run="november")
    until(lambda: webhook.seen["repeated"] == 2 and webhook.seen["marked"] + webhook.seen["known"] == 1)
    assert post(webhook, event(service)) == 204
    assert webhook.seen["repeated"] == 3
    assert downloads(service) in (1, 6)


def test_an_event_that_the_service_does_not_confirm_marks_nothing(
    told: Callable[..., tuple[LocalService, Webhook]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not ready by the service's own word: asked for a few times, then let go; a later event counts again."""
    monkeypatch.setattr(module, "PAUSES_SECONDS", (0.01, 0.01))
    service, webhook = told(manual=True)
    people(6).reportflow.generate(**plain(), run="november")
    assert post(webhook, event(service)) == 204
    until(lambda: webhook.seen["unconfirmed"])
    assert set(rf.load("november")["status"]) == {"accepted"}
    assert downloads(service) == 3
    service.complete()
    until(lambda: webhook.seen["marked"])
    assert set(rf.load("november")["status"]) == {"ready"}


def test_no_address_of_an_event_is_called_and_ids_never_lead_elsewhere(
    told: Callable[..., tuple[LocalService, Webhook]],
) -> None:
    service, webhook = told(manual=True)
    people(6).reportflow.generate(**plain(), run="november")
    with Listener() as trap:
        address = trap.address.replace("json://", "http://")
        good = event(service)
        for file in good["files"]:
            file["share"]["url"] = file["url"] = address
        assert post(webhook, {**good, "url": address, "requestId": "../../designs"}) == 204
        until(lambda: webhook.seen["unconfirmed"])
        assert not trap.received
    assert {call.path for call in service.calls} <= {"/v1/file/async/multiple"}


def test_events_of_other_programs_are_answered_and_cost_no_call(
    told: Callable[..., tuple[LocalService, Webhook]],
) -> None:
    service, webhook = told()
    foreign: list[Any] = [
        {"event": "file.completed", "requestId": "Q7mW2xkP9tLr4BzE", "files": []},
        {"event": "file.completed", "requestId": "Q7", "files": [{"fileId": "x", "passthrough": {"orderId": 7}}]},
        {"event": "something.else"},
        {"event": "file.completed", "requestId": 5, "files": "x"},
        {"event": "file.completed", "requestId": "R", "files": [{"fileId": "x", "passthrough": {"rf": "a" * 16}}]},
        {"event": "file.completed", "requestId": "S", "files": [{"fileId": "x", "passthrough": {"rf": "短い"}}]},
    ]
    assert [post(webhook, one) for one in foreign] == [204] * 6
    until(lambda: webhook.seen["foreign"] == 6)
    assert not service.calls
    assert [post(webhook, body) for body in (b"", b"{", b"[]", b"\xff", b"null")] == [400] * 5
    assert post(webhook, b" " * (module.LARGEST_EVENT_BYTES + 1)) == 413
    with urllib.request.urlopen(webhook.url) as answer:  # noqa: S310 - loopback
        assert answer.status == 200


def test_runs_of_another_workspace_are_not_touched(told: Callable[..., tuple[LocalService, Webhook]]) -> None:
    service, webhook = told(manual=True)
    people(6).reportflow.generate(**plain(), run="november")
    good = event(service)
    object.__setattr__(webhook.settings, "app_key", "ak_another_workspace_01")
    assert post(webhook, good) == 204
    until(lambda: webhook.seen["foreign"])
    assert set(rf.load("november")["status"]) == {"accepted"}


def test_the_end_of_a_run_is_told_once(told: Callable[..., tuple[LocalService, Webhook]]) -> None:
    with Listener() as listener:
        service, webhook = told(notify=listener.address, manual=True)
        people(4).reportflow.generate(**plain(), run="november", endpoint="async/single")
        service.complete("Person 0")
        until(lambda: webhook.seen["marked"] == 1)
        assert not listener.received
        service.complete()
        until(lambda: listener.received)
        until(lambda: webhook.seen["marked"] == 4)
        [message] = listener.received
    assert message["title"] == "november: 4 of 4 accepted"
    assert "Person" not in json.dumps(message)


def test_the_key_is_in_no_log(
    told: Callable[..., tuple[LocalService, Webhook]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
        service, webhook = told()
        people(6).reportflow.generate(**plain(), run="november")
        until(lambda: webhook.seen["marked"] + webhook.seen["known"])
    assert "ready in run november: 6 rows" in caplog.text
    assert service.app_key not in caplog.text


def test_a_port_that_is_taken_is_an_error_with_the_way_out(
    told: Callable[..., tuple[LocalService, Webhook]],
) -> None:
    _, webhook = told()
    with pytest.raises(rf.ConfigurationError, match="--port"):
        Webhook(webhook.settings, port=int(webhook.url.split(":")[2].strip("/"))).start()
