"""A process that stood still longer than a time-out: the answers that lie in its sockets are read first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.byte_server import ACCEPTED, BODY, KEY, PDF, pdf, reply

from reportflow_pandas.api.client import Client
from reportflow_pandas.errors import ConnectionFailed, OutcomeUnknown
from reportflow_pandas.local.service import local_service
from reportflow_pandas.settings import Settings


class Deaf(selectors.DefaultSelector):
    """Finds nothing once: so ``epoll_wait`` ends that a SIGCONT interrupts after its time."""

    deaf = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.deaf:
            self.deaf = False
            return []
        return super().select(timeout)


class Machine(asyncio.SelectorEventLoop):
    """A loop in a process that can stand still: time passes, and the sockets are not looked at meanwhile."""

    def __init__(self) -> None:
        self.ears = Deaf()
        self.lost = 0.0
        super().__init__(self.ears)

    def time(self) -> float:
        return super().time() + self.lost

    def stand_still(self, seconds: float) -> None:
        self.lost += seconds
        self.ears.deaf = True


class Service:
    """Answers in a thread of its own, piece by piece and each when it is told to."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.reached = threading.Event()
        self.go, self.said = threading.Semaphore(0), threading.Semaphore(0)

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=self._serve, args=(server,))
            thread.start()
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
            self.go.release(9)
            thread.join()

    def _serve(self, server: socket.socket) -> None:
        line, _ = server.accept()
        with line:
            line.recv(1 << 16)
            self.reached.set()
            for piece in self.pieces:
                self.go.acquire()
                line.sendall(piece)
                self.said.release()
            self.go.acquire()

    def say(self) -> None:
        """Have the next piece said; it lies in the socket when this returns."""
        self.go.release()
        self.said.acquire()


def standing_still(
    service: Service, call: Callable[[Client], Any], pauses: list[float], *, says: bool = True
) -> Any:
    """Make a call during which the process stands still, before each piece of the answer is read."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Machine)
        with service.running() as origin:
            async with Client(Settings(app_key=KEY, base_url=origin)) as client:
                task = asyncio.ensure_future(call(client))
                await asyncio.to_thread(service.reached.wait)
                for seconds in pauses:
                    if says:
                        service.say()
                    loop.stand_still(seconds)
                    await asyncio.sleep(0.01)
                return await task

    with asyncio.Runner(loop_factory=Machine) as runner:
        return runner.run(main())


WHOLE = reply(202, ACCEPTED).raw


@pytest.mark.parametrize("pauses", [[61.0], [6000.0]], ids=str)
def test_an_answer_that_came_meanwhile_is_taken(pauses: list[float]) -> None:
    answer = standing_still(Service(WHOLE), lambda client: client.send("async/single", BODY), pauses)
    assert answer.request_id == ACCEPTED["requestId"]


def test_an_answer_in_pieces_is_taken_to_its_end() -> None:
    pieces = WHOLE[:20], WHOLE[20:-5], WHOLE[-5:]
    pauses = [61.0, 20.0, 20.0]
    answer = standing_still(Service(*pieces), lambda client: client.send("async/single", BODY), pauses)
    assert answer.request_id == ACCEPTED["requestId"]


def test_a_look_up_and_a_download_are_read_as_well() -> None:
    designs = reply(200, {"designs": []}).raw
    assert standing_still(Service(designs), lambda client: client.designs(), [6000.0]) == []
    whole = pdf(200).raw
    pieces = [whole[at : at + 20] for at in range(0, len(whole), 20)]
    pauses = [6000.0] * len(pieces)
    assert standing_still(Service(*pieces), lambda client: client.download_file("Q", "T"), pauses) == PDF


def test_a_service_that_stays_silent_is_given_up_all_the_same() -> None:
    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        standing_still(
            Service(), lambda client: client.send("async/single", BODY), [6000.0, 6000.0, 6000.0], says=False
        )


def test_a_download_that_stays_silent_is_given_up_by_the_looks_that_come_in_time() -> None:
    async def main() -> None:
        service = Service()
        with service.running() as origin:
            async with Client(Settings(app_key=KEY, base_url=origin), timeout=0.02) as client:
                with pytest.raises(ConnectionFailed, match="no answer in time"):
                    await client.download_file("Q", "T")

    with asyncio.Runner(loop_factory=Machine) as runner:
        runner.run(main())


STOPPED = """
import pandas as pd
import reportflow_pandas as rf

frame = pd.DataFrame({"ReceiptId": [f"R{i}" for i in range(24)], "ReceiptDate": "2026-11-05", "CustomerName": "A",
                      "Company": "B", "Amount": 1.5, "Description": "d", "PaymentMethod": "cash"})
job = frame.reportflow.submit("receipt", limits=False, endpoint="async/single", concurrency=4, timeout=5)
print("begun", flush=True)
print(dict(job.result().status.value_counts()) == {"accepted": 24}, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal here")
def test_a_stopped_process_leaves_no_row_unknown() -> None:
    answered = threading.Semaphore(0)

    def slow() -> float:
        answered.release()
        return 0.3

    with local_service(render=False, latency=slow) as service:
        environment = {
            **os.environ,
            "REPORT_FLOW_APP_KEY": service.app_key,
            "REPORTFLOW_API_BASE_URL": service.base_url,
        }
        process = subprocess.Popen(  # noqa: S603 - our own lines
            [sys.executable, "-c", STOPPED], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6):  # two look-ups, and calls in flight
            answered.acquire()
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(6.0)  # longer than its time-out: what this is about
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=60)
    assert said.split() == ["begun", "True"]
    assert len(service.documents) == 24
