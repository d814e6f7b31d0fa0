from __future__ import annotations

import asyncio
import logging
import warnings
from urllib.parse import unquote

import aiohttp
import pytest
from hypothesis import given, strategies as st
from support.byte_server import (
    ACCEPTED,
    BODY,
    KEY,
    READS,
    HandClock,
    Reply,
    asked,
    pdf,
    problem,
    reply,
    sent,
    serving,
)
from yarl import URL

from reportflow_pandas.api.client import Client, _segment
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.settings import Settings


def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    client = Client(Settings(app_key=KEY))
    with pytest.raises(ConfigurationError, match="async with"):
        asyncio.run(client.designs())


def test_a_closed_client_says_so_and_can_be_opened_again() -> None:
    async def main() -> None:
        async with serving(reply(200, {"designs": []})) as stub:
            client = Client(Settings(app_key=KEY, base_url=stub.origin))
            for _ in range(2):
                async with client:
                    assert await client.designs() == []
                with pytest.raises(ConfigurationError, match="async with"):
                    await client.designs()
            async with client:
                with pytest.raises(ConfigurationError, match="in use"):
                    await client.__aenter__()

    asyncio.run(main())


def test_a_given_connector_is_used_and_left_open() -> None:
    async def main() -> None:
        async with serving(reply(200, {"designs": []})) as stub:
            connector = aiohttp.TCPConnector()
            for _ in range(2):
                async with Client(Settings(app_key=KEY, base_url=stub.origin), connector=connector) as client:
                    await client.designs()
            assert stub.connections == 1
            assert not connector.closed
            await connector.close()

    asyncio.run(main())


def test_connections_are_kept_between_calls_and_closed_at_the_end() -> None:
    async def calls(client: Client) -> None:
        for _ in range(5):
            await client.designs()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, stub = asked(reply(200, {"designs": []}), calls)
    assert stub.connections == 1


def test_no_credential_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigurationError, match="no key"):
        Client(Settings())


def walk(error: BaseException | None) -> str:
    """All that a traceback's reader could print of an error and its causes."""
    text = ""
    while error is not None:
        text += repr(error) + str(error) + repr(error.args) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return text


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, f"unknown key {KEY}"),
        problem(400, [f"{KEY}?"]),
        reply(308, location=f"/{KEY}"),
        Reply(b"nonsense\r\n\r\n", "close"),
        Reply(b"", "close"),
        reply(200, b"<html>"),
        problem(404, KEY),
        problem(502, KEY),
    ],
)
def test_no_error_repeats_the_key(answer: Reply) -> None:
    for call in (lambda client: client.send("sync/single", BODY), *READS):
        error, _ = asked(answer, call)
        assert isinstance(error, Exception)
        assert KEY not in walk(error)


def test_a_client_shows_its_address_and_no_key() -> None:
    shown = repr(Client(Settings(app_key=KEY)))
    assert "api.re-port-flow.com" in shown
    assert KEY not in shown


def test_a_call_is_one_line_in_the_log_without_values(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="reportflow_pandas")
    sent("async/single", reply(202, ACCEPTED))
    sent("async/single", Reply(b"", "close"))
    asked(pdf(200, request_id="Q7"), lambda client: client.download_file("Q7", "T4"))
    first, second, third = [record.getMessage() for record in caplog.records if record.name == "reportflow_pandas"]
    assert first.startswith("POST /v1/file/async/single 202 ")
    assert "Q7mW2xkP9tLr4BzE" in first
    assert "注文書" not in first
    assert second.startswith("POST /v1/file/async/single - ")
    assert third.startswith("GET /v1/file/download/Q7/T4 200 ")
    assert KEY not in caplog.text


def test_a_date_in_retry_after_is_measured_with_the_settings_clock() -> None:
    answer = problem(429, "多すぎます", retry_after="Mon, 03 Aug 2026 04:05:26 GMT")
    error, _ = asked(answer, lambda client: client.send("async/single", BODY), clock=HandClock())
    assert error.retry_after == 20.0


@given(st.text(max_size=12) | st.text(alphabet="./\\%?# a日", max_size=6))
def test_an_id_is_refused_or_stays_one_piece(value: str) -> None:
    try:
        piece = _segment("request id", value)
    except ConfigurationError:
        return
    url = URL(f"https://h.test/v1/file/download/{piece}", encoded=True)
    assert url.raw_path == f"/v1/file/download/{piece}"
    assert not url.raw_query_string
    assert not url.raw_fragment
    assert url.raw_parts[-1] == piece
    assert unquote(piece) == value
