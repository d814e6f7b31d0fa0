"""The example of a web handler: answered at once, generated in the background, mailed once, whatever dies."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.mail_server import MailServer, mail_server

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService

EXAMPLE = Path(__file__).parents[2] / "examples" / "web_handler.py"
ORDERS = 6


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def service() -> Iterator[LocalService]:
    with rf.local_service(render=False, latency=0.02) as running:
        yield running


class Handler:
    """The example as a process."""

    def __init__(self, folder: Path, service: LocalService, server: MailServer) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        settings = {
            "REPORT_FLOW_APP_KEY": service.app_key,
            "REPORTFLOW_API_BASE_URL": service.base_url,
            "REPORTFLOW_SMTP": server.address,
        }
        words = ["--folder", folder, "--port", str(self._port), "--sender", "billing@example.com"]
        self.process = subprocess.Popen([sys.executable, EXAMPLE, *words], env=os.environ | settings)  # noqa: S603
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/receipts/none")[0] == 404
        except OSError:
            return False

    def ask(self, method: str, path: str, order: object = None) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        body = order if order is None or isinstance(order, bytes) else json.dumps(order)
        connection.request(method, path, body)
        answer = connection.getresponse()
        told = json.loads(answer.read()) if answer.headers.get_content_subtype() == "json" else {}
        connection.close()
        return answer.status, told

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_each_person_gets_their_receipt_once_although_the_process_is_killed_twice(
    tmp_path: Path, service: LocalService, server: MailServer
) -> None:
    server.pause = lambda: 0.02
    handler = Handler(tmp_path, service, server)
    orders = []
    for at in range(ORDERS):
        order = {"email": f"person{at}@example.com", "CustomerName": f"Person {at}", "Amount": 12.5 + at}
        status, told = handler.ask("POST", "/receipts", order)
        assert status == 202
        orders.append(told["order"])
    handler.end(signal.SIGKILL)
    handler = Handler(tmp_path, service, server)
    until(lambda: len(server.taken) >= 2)
    handler.end(signal.SIGKILL)
    handler = Handler(tmp_path, service, server)

    def ended() -> bool:
        return all(handler.ask("GET", f"/receipts/{order}")[1]["state"] != "open" for order in orders)

    until(ended)
    handler.end(signal.SIGTERM)
    counted = server.recipients
    assert max(counted.values()) == 1
    unknown = ORDERS - len(counted)
    assert unknown <= 4, "at most those in flight when it was killed"
    accepted = [document.params["ReceiptId"] for document in service.documents]
    assert len(accepted) == len(set(accepted)), "no receipt was paid for twice"


def test_an_order_without_an_address_is_refused(tmp_path: Path, service: LocalService, server: MailServer) -> None:
    handler = Handler(tmp_path, service, server)
    assert handler.ask("POST", "/receipts", {"CustomerName": "Ann"})[0] == 400
    assert handler.ask("POST", "/receipts", b"no JSON")[0] == 400
    handler.end(signal.SIGTERM)
    assert not service.documents
