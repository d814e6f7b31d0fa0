"""The event of a completed request, as a receiver sees it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.plain_http import Caller, HandClock, until

from reportflow_pandas.local.faults import Fault


class Receiver:
    """A webhook's address on this machine; answers with the statuses it is given, then 204."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.headers: list[Any] = []
        self.statuses: list[int] = []
        receiver = self

        class Ear(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.headers.append(self.headers)
                receiver.events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for events."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple", "async/single", "async/multiple"])
def test_one_event_tells_of_all_files_of_a_request(
    serve: Callable[..., Caller], receiver: Receiver, endpoint: str
) -> None:
    call = serve(webhook_url=receiver.url)
    call.order(endpoint, "A", passthrough={"orderId": "A-7"}, shareType="03")
    until(lambda: receiver.events)
    (document,) = call.service.documents
    page = f"{call.service.page_url}__emulator__/file"
    assert receiver.events == [
        {
            "event": "file.completed",
            "timestamp": "2026-11-02T09:00:00.000Z",
            "workspaceId": "ws_demo",
            "requestId": document.request_id,
            "designId": "order",
            "version": 2,
            "files": [
                {
                    "fileId": document.file_id,
                    "fileName": "A.pdf",
                    "passthrough": {"orderId": "A-7"},
                    "share": {
                        "shareType": "public",
                        "passcodeEnabled": False,
                        "url": f"{page}/{document.request_id}/{document.file_id}",
                    },
                }
            ],
        }
    ]
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert call.service.app_key not in str(receiver.headers[0])


def test_it_is_sent_when_the_last_file_is_ready(
    serve: Callable[..., Caller], receiver: Receiver, clock: HandClock
) -> None:
    delays = iter([1.0, 5.0])
    call = serve(webhook_url=receiver.url, render_delay=lambda: next(delays))
    call.order("async/multiple", "A", "B")
    assert until(lambda: clock.sleeping) == [1005.0]
    assert receiver.events == []
    clock.advance(5)
    until(lambda: receiver.events)
    assert len(receiver.events[0]["files"]) == 2


def test_it_waits_for_the_step_by_hand(serve: Callable[..., Caller], receiver: Receiver) -> None:
    call = serve(webhook_url=receiver.url, manual=True)
    call.order("async/multiple", "A", "B")
    call.service.complete("A")
    assert receiver.events == []
    call.service.complete()
    call.service.complete()
    until(lambda: call.service.webhooks)
    assert len(receiver.events) == 1


def test_a_request_with_a_failed_document_is_never_told(serve: Callable[..., Caller], receiver: Receiver) -> None:
    call = serve(webhook_url=receiver.url, faults=Fault("failed_document", file_name="A"))
    call.order("async/multiple", "A", "B")
    call.order("async/single", "C")
    until(lambda: call.service.webhooks)
    assert [event["files"][0]["fileName"] for event in receiver.events] == ["C.pdf"]


def test_one_attempt_by_default_more_by_choice(
    serve: Callable[..., Caller], receiver: Receiver, clock: HandClock
) -> None:
    receiver.statuses = [500, 500, 500]
    call = serve(webhook_url=receiver.url)
    call.order("async/single", "A")
    until(lambda: call.service.webhooks)
    assert [(record.attempt, record.status) for record in call.service.webhooks] == [(1, 500)]
    call = serve(webhook_url=receiver.url, webhook_attempts=3)
    call.order("async/single", "A")
    for pause in (2.0, 4.0):
        until(lambda: clock.sleeping)
        clock.advance(pause)
    until(lambda: len(call.service.webhooks) == 3)
    assert [record.status for record in call.service.webhooks] == [500, 500, 204]


def test_duplicates_by_choice(serve: Callable[..., Caller], receiver: Receiver) -> None:
    call = serve(webhook_url=receiver.url, webhook_copies=2)
    call.order("async/single", "A")
    until(lambda: len(call.service.webhooks) == 2)
    assert receiver.events[0]["requestId"] == receiver.events[1]["requestId"]


def test_an_address_that_cannot_be_reached_is_noted_and_harms_nothing(
    serve: Callable[..., Caller], receiver: Receiver
) -> None:
    receiver.close()
    call = serve(webhook_url=receiver.url)
    order = call.order("async/single", "A").json
    until(lambda: call.service.webhooks)
    assert call.service.webhooks[0].status is None
    assert call.service.webhooks[0].error
    assert call.get(f"/file/download/{order['requestId']}").status == 200
