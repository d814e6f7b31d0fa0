from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from support.byte_server import HandClock, Reply, Request, asked, broken, reply, serving

from reportflow_pandas.api.client import Client
from reportflow_pandas.errors import ApiError, AuthError, ConfigurationError, ConnectionFailed
from reportflow_pandas.settings import Settings

SECRET = "s3cr3t+/ with=odd&signs"
TOKEN_PATH = "/api/v1/oauth/token"
OAUTH: dict[str, Any] = {
    "app_key": None,
    "client_id": "cl_demo",
    "client_secret": SECRET,
    "token_path": TOKEN_PATH,
}


class Issuer:
    """Issues tokens t1, t2, …; the service's calls are let in with the tokens in ``good`` (None: with any)."""

    def __init__(self, good: set[str] | None = None, **fields: Any) -> None:
        self.good = good
        self.fields = {"expires_in": 3600} | fields
        self.issued = 0

    def __call__(self, request: Request) -> Reply:
        if request.path == TOKEN_PATH:
            self.issued += 1
            fields = {name: value for name, value in self.fields.items() if value is not None}
            return reply(200, {"access_token": f"t{self.issued}", "token_type": "Bearer"} | fields)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.good is not None and token not in self.good:
            return reply(401, {"statusCode": 401, "message": "失効しました"})
        return reply(202, {"requestId": "Q7", "designs": []})


def with_token(script: Callable[[Request], Reply] | Reply, call: Any, **settings: Any) -> tuple[Any, Any]:
    return asked(script, call, **(OAUTH | settings))


def tokens_used(stub: Any) -> list[str]:
    return [request.headers["authorization"] for request in stub.requests if request.path != TOKEN_PATH]


def test_a_token_is_fetched_once_and_sent_without_the_secret() -> None:
    async def calls(client: Client) -> None:
        await client.designs()
        await client.send("async/single", b"{}")

    _, stub = with_token(Issuer(), calls)
    first, *others = stub.requests
    assert first.method == "POST"
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(first.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["cl_demo"],
        "client_secret": [SECRET],
        "scope": ["pdf:generate"],
    }
    assert not {"authorization", "appkey"} & set(first.headers)
    assert [request.headers["authorization"] for request in others] == ["Bearer t1", "Bearer t1"]
    assert not any("appkey" in request.headers or b"s3cr3t" in request.body for request in others)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, 3540),
        ({"expires_in": 600}, 540),
        ({"expires_in": "600"}, 540),
        ({"expires_in": 40}, 20),
        ({"expires_in": None}, 3540),
        ({"expires_in": -5}, 3540),
        ({"expires_in": [1]}, 3540),
        ({"expires_in": "soon"}, 3540),
    ],
)
def test_a_token_is_renewed_60_seconds_before_its_end(fields: dict[str, Any], kept: float) -> None:
    clock = HandClock()

    async def calls(client: Client) -> None:
        await client.designs()
        clock.seconds += kept - 1
        await client.designs()
        clock.seconds += 1
        await client.designs()

    _, stub = with_token(Issuer(**fields), calls, clock=clock)
    assert tokens_used(stub) == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_however_many_calls_wait_one_token_is_fetched() -> None:
    issuer = Issuer()

    async def calls(client: Client) -> None:
        await asyncio.gather(*[client.send("async/single", b"{}") for _ in range(30)])

    _, stub = with_token(issuer, calls)
    assert issuer.issued == 1
    assert set(tokens_used(stub)) == {"Bearer t1"}


def test_after_a_401_the_token_is_renewed_once_and_the_call_replayed_once() -> None:
    issuer = Issuer(good={"t2"})

    async def calls(client: Client) -> Any:
        return await client.send("async/single", b'{"a":1}')

    value, stub = with_token(issuer, calls)
    assert value.request_id == "Q7"
    assert tokens_used(stub) == ["Bearer t1", "Bearer t2"]
    assert [request.body for request in stub.requests if request.path != TOKEN_PATH] == [b'{"a":1}'] * 2


def test_many_calls_refused_at_once_share_one_renewal() -> None:
    issuer = Issuer(good={"t2"})

    async def calls(client: Client) -> None:
        await asyncio.gather(*[client.designs() for _ in range(20)])

    value, _ = with_token(issuer, calls)
    assert value is None
    assert issuer.issued == 2


def test_a_second_401_is_the_end() -> None:
    issuer = Issuer(good=set())
    for call in (lambda client: client.send("sync/single", b"{}"), lambda client: client.download_zip("Q7")):
        issuer.issued = 0
        error, stub = with_token(issuer, call)
        assert type(error) is AuthError
        assert error.messages == ["失効しました"]
        assert tokens_used(stub) == ["Bearer t1", "Bearer t2"]


def test_a_refused_key_is_not_tried_twice() -> None:
    error, stub = asked(reply(401, {"message": "x"}), lambda client: client.designs())
    assert type(error) is AuthError
    assert len(stub.requests) == 1


TOKEN_REFUSALS = {
    "invalid client": reply(401, {"error": "invalid_client", "error_description": f"wrong secret {SECRET}"}),
    "bad request": reply(400, {"error": "invalid_scope"}),
    "html": reply(200, b"<html>"),
    "no token": reply(200, {"token_type": "Bearer"}),
    "a token that could start another header": reply(200, {"access_token": "a\r\nX: y"}),
    "empty token": reply(200, {"access_token": " "}),
    "number": reply(200, {"access_token": 7}),
    "list": reply(200, []),
    "redirect": reply(302, location="http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("case", TOKEN_REFUSALS)
def test_a_refused_client_is_an_auth_error_that_keeps_the_secret(case: str) -> None:
    error, stub = with_token(TOKEN_REFUSALS[case], lambda client: client.send("async/single", b"{}"))
    assert type(error) is AuthError
    assert "client_secret" in str(error)
    assert SECRET not in repr(error) + str(error.messages)
    assert [request.path for request in stub.requests] == [TOKEN_PATH]


def test_the_token_servers_words_are_told() -> None:
    error, _ = with_token(TOKEN_REFUSALS["invalid client"], lambda client: client.designs())
    assert error.messages == ["wrong secret ***"]
    assert error.status == 401


@pytest.mark.parametrize(
    "answer",
    [
        reply(503, b"busy"),
        reply(429, {"error": "slow_down"}),
        reply(500),
        Reply(b"", "close"),
        Reply(b"", "reset"),
        broken(reply(200, {"access_token": "t"})),
    ],
)
def test_a_token_server_in_trouble_means_that_nothing_was_sent(answer: Reply) -> None:
    for call in (lambda client: client.send("sync/single", b"{}"), lambda client: client.designs()):
        error, stub = with_token(answer, call)
        assert type(error) is ConnectionFailed
        assert "nothing was sent" in str(error)
        assert {request.path for request in stub.requests} == {TOKEN_PATH}


def test_each_waiting_call_gets_an_error_of_its_own() -> None:
    async def calls(client: Client) -> list[Any]:
        return await asyncio.gather(*[client.designs() for _ in range(5)], return_exceptions=True)

    errors, stub = with_token(TOKEN_REFUSALS["bad request"], calls)
    assert {type(error) for error in errors} == {AuthError}
    assert len({id(error) for error in errors}) == 5
    assert len(stub.requests) == 1


def test_a_token_server_that_failed_is_asked_again_by_the_next_call() -> None:
    answers = iter([reply(503), reply(200, {"access_token": "t"}), reply(200, {"designs": []})])

    async def calls(client: Client) -> Any:
        with pytest.raises(ConnectionFailed):
            await client.designs()
        return await client.designs()

    value, _ = with_token(lambda _: next(answers), calls)
    assert value == []


def test_a_cancelled_call_does_not_take_the_others_token_away() -> None:
    async def calls(client: Client) -> Any:
        first = asyncio.create_task(client.designs())
        await asyncio.sleep(0)
        second = asyncio.create_task(client.designs())
        await asyncio.sleep(0)
        first.cancel()
        return await second

    issuer = Issuer()
    value, _ = with_token(issuer, calls)
    assert value == []
    assert issuer.issued == 1


def test_closing_leaves_no_renewal_behind() -> None:
    async def main() -> None:
        async with serving(Reply(b"", "hang")) as stub:
            settings = Settings(client_id="a", client_secret="b", token_url=stub.origin, base_url=stub.origin)
            async with Client(settings) as client:
                call = asyncio.create_task(client.designs())
                await stub.reached.wait()
                call.cancel()
            assert [task for task in asyncio.all_tasks() if "token" in task.get_name()] == []

    asyncio.run(main())


@pytest.mark.parametrize("address", ["http://re-port-flow.com/token", "ftp://x/y", "token", ""])
def test_the_secret_goes_to_https_or_this_machine_only(address: str) -> None:
    with pytest.raises(ConfigurationError, match="token_url"):
        Client(Settings(client_id="a", client_secret="b", token_url=address))


def test_a_token_is_no_part_of_any_error() -> None:
    answer = {"message": "bad t1-very-long-token"}

    def script(request: Request) -> Reply:
        if request.path == TOKEN_PATH:
            return reply(200, {"access_token": "t1-very-long-token"})
        return reply(400, answer)

    error, _ = with_token(script, lambda client: client.designs())
    assert type(error) is ApiError
    assert error.messages == ["bad ***"]


def test_two_credentials_at_once_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="both"):
        Client(Settings(app_key="ak_0123", client_id="a", client_secret="b"))
