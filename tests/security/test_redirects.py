"""The key and the client's secret go to the configured address, wherever an answer points."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.byte_server import ACCEPTED, KEY, PDF, Reply, Request, Stub, archive, pdf, reply, serving
from yarl import URL

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.responses import Answer
from reportflow_pandas.api.transport import _target
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.settings import Settings

SECRET = "cl13nt5ecret0f0urs"
STATUSES = [300, 301, 302, 303, 304, 305, 306, 307, 308, 399]

Call = Callable[[Client], Coroutine[Any, Any, Any]]
CALLS: dict[str, Call] = {
    **{
        name: lambda client, name=name: client.send(name, b"{}")  # type: ignore[misc]
        for name in ("async/single", "async/multiple", "sync/single", "sync/multiple")
    },
    "designs": lambda client: client.designs(),
    "parameters": lambda client: client.parameters("d", 1),
    "one file": lambda client: client.download_file("Q7", "T4"),
    "a ZIP": lambda client: client.download_zip("Q7"),
    "a ZIP to a file": lambda client: client.download_zip("Q7", io.BytesIO()),
}


def told(stub: Stub) -> str:
    """Return all that reached a server."""
    return str([(one.method, one.path, one.headers, one.body) for one in stub.requests])


async def called(call: Call, away: Callable[[Stub], Callable[[Request], Reply]], **own: Any) -> tuple[Stub, Stub]:
    """Return the service and the foreign server that its answers point to."""
    async with serving(pdf(200)) as foreign, serving(away(foreign)) as service:
        if "client_secret" in own:
            own["token_url"] = f"{service.origin}/api/v1/oauth/token"
        else:
            own["app_key"] = KEY
        async with Client(Settings(base_url=service.origin, **own)) as client:
            try:
                await call(client)
            except ReportFlowError as error:
                said = str(error)
            else:
                said = ""
        assert KEY not in said
        assert SECRET not in said
        return service, foreign


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", CALLS)
def test_no_redirect_takes_the_key_elsewhere(name: str, status: int) -> None:
    def away(foreign: Stub) -> Callable[[Request], Reply]:
        return lambda _: reply(status, location=f"{foreign.origin}/there")

    service, foreign = asyncio.run(called(CALLS[name], away))
    assert KEY in told(service)
    assert KEY not in told(foreign)
    if "/" in name:
        assert not foreign.requests, "and what is paid for is sent to no other address at all"


@pytest.mark.parametrize("status", STATUSES)
def test_no_redirect_takes_the_clients_secret_or_its_token_elsewhere(status: int) -> None:
    def away(foreign: Stub) -> Callable[[Request], Reply]:
        return lambda _: reply(status, location=f"{foreign.origin}/there")

    service, foreign = asyncio.run(called(CALLS["designs"], away, client_id="cl", client_secret=SECRET))
    assert SECRET in told(service)
    assert not foreign.requests

    def later(foreign: Stub) -> Callable[[Request], Reply]:
        token = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}
        away_from = reply(status, location=f"{foreign.origin}/there")
        return lambda request: reply(200, token) if request.path.endswith("/token") else away_from

    for call in CALLS.values():
        service, foreign = asyncio.run(called(call, later, client_id="cl", client_secret=SECRET))
        assert "t0ken" in told(service)
        assert "t0ken" not in told(foreign)
        assert SECRET not in told(foreign)


@pytest.mark.parametrize("name", CALLS)
def test_no_address_in_an_answer_is_asked(name: str) -> None:
    """``url``, ``share.url``, ``File-URL``, and a ``Location`` where there is no redirect."""

    def away(foreign: Stub) -> Callable[[Request], Reply]:
        place = f"{foreign.origin}/there"
        heads = {"file_url": place, "location": place, "content_location": place, "link": f"<{place}>; rel=next"}
        accepted = {**ACCEPTED, "url": place, "files": [{"fileId": "T4", "fileName": "a.pdf", "url": place}]}
        kind = {"one file": pdf, "a ZIP": archive, "a ZIP to a file": archive}.get(name)
        if kind is not None:
            return lambda _: kind(200, **heads)
        if name.startswith("sync"):
            return lambda _: pdf(201, request_id="Q7", **heads)
        return lambda _: reply(202 if "/" in name else 200, accepted if "/" in name else [], **heads)

    service, foreign = asyncio.run(called(CALLS[name], away))
    assert service.requests
    assert not foreign.requests


def test_a_key_that_comes_back_to_the_service_by_way_of_another_host_is_no_gift() -> None:
    """There and back again: the other host gets nothing, and says no more than a path of ours."""

    async def main() -> None:
        async with serving(lambda _: pdf(200)) as foreign:

            def answer(request: Request) -> Reply:
                return pdf(200) if request.path == "/v1/back" else reply(302, location=f"{foreign.origin}/x")

            async with serving(answer) as service:
                foreign.script = lambda _: reply(302, location=f"{service.origin}/v1/back")
                async with Client(Settings(app_key=KEY, base_url=service.origin)) as client:
                    assert await client.download_file("Q7", "T4") == PDF
            assert KEY not in told(foreign)

    asyncio.run(main())


ELSEWHERE = [
    "http://127.0.0.1:8888/api/shutdown",
    "http://localhost/",
    "https://127.0.0.1/",
    "http://[::1]:631/",
    "http://169.254.169.254/latest/meta-data",
    "http://storage.example/x",
    "ftp://storage.example/x",
    "file:///etc/passwd",
    "//127.0.0.1/x",
]


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_service_elsewhere_sends_no_one_to_this_machine_or_to_an_address_without_tls(where: str) -> None:
    answer = Answer(302, {"Location": where}, b"")
    assert _target(answer, URL("https://api.example/v1/file/download/Q7")) is None


def test_a_service_elsewhere_may_have_its_files_in_another_place() -> None:
    answer = Answer(302, {"Location": "https://storage.example/x?signature=1"}, b"")
    target = _target(answer, URL("https://api.example/v1/file/download/Q7"))
    assert str(target) == "https://storage.example/x?signature=1"
