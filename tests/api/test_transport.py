from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import trustme
from support.byte_server import ACCEPTED, BODY, KEY, Reply, Stub, Talk, asked, listening, reply, sent, serving
from support.virtual_time import SimulatedClock
from yarl import URL

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.connections import Connections
from reportflow_pandas.api.transport import Exchange
from reportflow_pandas.errors import ApiError, ConfigurationError, ConnectionFailed, OutcomeUnknown
from reportflow_pandas.settings import Settings

SOON = aiohttp.ClientTimeout(total=0.05)


def with_client(talk: Talk, call: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with (
            listening(talk) as port,
            Client(Settings(app_key=KEY, base_url=f"http://127.0.0.1:{port}"), **options) as client,
        ):
            return await call(client)

    return SimulatedClock().run(main())


def test_a_post_reaches_the_service_with_these_headers_and_no_others() -> None:
    _, stub = sent("async/single", reply(202, ACCEPTED))
    assert stub.requests[0].method == "POST"
    assert stub.requests[0].path == "/v1/file/async/single"
    assert stub.requests[0].headers == {
        "host": f"127.0.0.1:{stub.port}",
        "user-agent": "reportflow-pandas",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "appkey": KEY,
        "content-type": "application/json",
        "content-length": str(len(BODY)),
    }


def test_a_get_has_no_body_and_says_nothing_of_one() -> None:
    _, stub = asked(reply(200, {"designs": []}), lambda client: client.designs())
    assert stub.requests[0].headers.keys() == {"host", "user-agent", "accept", "accept-encoding", "appkey"}


def test_a_header_with_a_line_break_is_refused_before_anything_is_sent() -> None:
    async def main() -> Stub:
        async with serving(reply(200)) as stub:
            connections = Connections(Settings())
            exchange = Exchange(connections, SOON)
            with pytest.raises(ConfigurationError, match="line break"), exchange:
                await exchange.answer("GET", URL(stub.origin), {"appkey": "x\r\nEvil: 1"})
            assert not exchange.begun
            await connections.close()
        return stub

    assert SimulatedClock().run(main()).connections == 0


@pytest.mark.parametrize("late", [False, True], ids=["at once", "while nothing is under way"])
def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_calls(*, late: bool) -> None:
    read, said = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(BODY)
            writer.write(reply(202, ACCEPTED).raw)
            if late:
                await read.acquire()
            writer.write(reply(202, {**ACCEPTED, "requestId": "nobody's"}).raw)
            said.release()

    async def calls(client: Client) -> set[str]:
        found = set()
        for _ in range(3):
            found.add((await client.send("async/single", BODY)).request_id)
            read.release()
            await said.acquire()
            for _ in range(3):  # it lies in the socket: the loop asks for what can be read, and reads it
                await asyncio.sleep(0)
        return found

    assert with_client(talk, calls) == {ACCEPTED["requestId"]}


def test_a_call_given_up_leaves_its_answer_to_nobody_else() -> None:
    answers = iter([Reply(b"", "hang"), reply(202, {**ACCEPTED, "requestId": "second"})])

    async def main() -> None:
        async with serving(lambda _: next(answers)) as stub:
            async with Client(Settings(app_key=KEY, base_url=stub.origin)) as client:
                first = asyncio.create_task(client.send("async/single", BODY))
                await stub.reached.wait()
                first.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await first
                assert (await client.send("async/single", BODY)).request_id == "second"
            assert stub.connections == 2

    SimulatedClock().run(main())


@pytest.mark.parametrize(
    "between", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"]
)
def test_what_comes_before_the_answer_is_not_the_answer(between: bytes) -> None:
    value, _ = sent("async/single", Reply(between * 2 + reply(202, ACCEPTED).raw))
    assert value.request_id == ACCEPTED["requestId"]


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(reply(202, ACCEPTED).raw.partition(b"\r\n\r\n")[2])
    value, _ = sent("async/single", reply(202, body, content_encoding="gzip", content_type="application/json"))
    assert value.request_id == ACCEPTED["requestId"]


def dripping(head: bytes, drop: bytes) -> Talk:
    """Answer a byte now and a byte then, and never to the end: a silence never lasts long."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.005)

    return talk


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 202 Accepted\r\nX-Slow: ",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{}",
    ],
    ids=["in the headers", "in the body", "in a body without length"],
)
def test_the_time_out_is_for_the_whole_call_however_it_drips(head: bytes) -> None:
    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        with_client(dripping(head, b" "), lambda client: client.send("async/single", BODY), timeout=0.05)
    with pytest.raises(ConnectionFailed, match="no answer in time"):
        with_client(dripping(head, b" "), lambda client: client.designs(), timeout=0.05)


def test_an_answer_that_looks_whole_when_the_time_is_up_is_not_taken_for_it() -> None:
    """Without a length an answer ends with its connection, which we end ourselves."""
    whole = (
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n" + reply(202, ACCEPTED).raw.partition(b"\r\n\r\n")[2]
    )
    error, _ = sent("async/single", Reply(whole, "hang"), timeout=0.05)
    assert type(error) is OutcomeUnknown
    assert "no answer in time" in str(error)


@pytest.mark.parametrize("size", [1, 8_000_000])
def test_a_service_that_reads_nothing_is_given_up_in_time(size: int) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        with_client(deaf, lambda client: client.send("async/multiple", b"x" * size), timeout=0.05)


class Pondering(aiohttp.abc.AbstractResolver):
    """No name is ever found, nor not found."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        pass


def test_an_address_that_is_looked_for_in_vain_is_a_failed_connection() -> None:
    async def main() -> None:
        connector = aiohttp.TCPConnector(resolver=Pondering())
        async with Client(
            Settings(app_key=KEY, base_url="https://nowhere.test"), connector=connector, timeout=0.05
        ) as client:
            for call in (client.send("async/single", BODY), client.designs(), client.download_zip("Q7")):
                with pytest.raises(ConnectionFailed, match="the connection took too long"):
                    await call
        await connector.close()

    SimulatedClock().run(main())


def test_a_connection_that_the_service_hung_up_meanwhile_is_not_used_again() -> None:
    async def calls(client: Client) -> None:
        for _ in range(3):
            await client.send("async/single", BODY)
            await asyncio.sleep(0.01)

    _, stub = asked(Reply(reply(202, ACCEPTED).raw, "close"), calls)
    assert len(stub.requests) == stub.connections == 3


@pytest.mark.parametrize("size", [80, 3_000_000])
def test_calls_go_over_tls_where_the_certificate_is_trusted(size: int) -> None:
    authority = trustme.CA()

    async def main() -> tuple[Stub, list[Any]]:
        stub = Stub(lambda _: reply(202, ACCEPTED))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        trusting = aiohttp.TCPConnector(ssl=trust)
        body = b"x" * size
        async with listening(stub.serve, context) as port:
            settings = Settings(app_key=KEY, base_url=f"https://127.0.0.1:{port}")
            async with Client(settings, connector=trusting) as client:
                answers = [await client.send("async/multiple", body) for _ in range(2)]
            async with Client(settings) as client:
                with pytest.raises(ConnectionFailed, match="certificate is not trusted"):
                    await client.send("async/multiple", body)
            await trusting.close()
        return stub, answers

    stub, answers = asyncio.run(main())  # the trust is read in a thread
    assert [len(request.body) for request in stub.requests] == [size, size]
    assert len(answers) == 2
    assert stub.connections == 1


@pytest.mark.parametrize("size", [80, 8_000_000])
@pytest.mark.parametrize(
    "answered",
    [
        b"",
        b"HTTP/1.1 202 Accepted\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "a body without length"],
)
def test_closing_the_client_ends_what_is_under_way(answered: bytes, size: int) -> None:
    begun = asyncio.Semaphore(0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answered)
        begun.release()
        await asyncio.Event().wait()

    async def main() -> None:
        async with listening(talk) as port:
            client = await Client(Settings(app_key=KEY, base_url=f"http://127.0.0.1:{port}")).__aenter__()
            calls = [client.send("async/multiple", b"x" * size), client.download_file("Q", "T")]
            tasks = [asyncio.create_task(call) for call in calls]
            for _ in calls:
                await begun.acquire()
            await asyncio.sleep(0.05)  # virtual: the beginning of the answer is read
            await client.close()
            problems = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(problem) for problem in problems] == [OutcomeUnknown, ConnectionFailed]

    SimulatedClock().run(main())


@pytest.mark.parametrize("waits_for", ["an address", "a slot"])
def test_a_connector_that_is_closed_cancels_nobody(waits_for: str) -> None:
    async def main() -> None:
        async with serving(Reply(b"", "hang")) as stub:
            slow = aiohttp.TCPConnector(resolver=Pondering(), limit=1)
            host = "localhost" if waits_for == "an address" else "127.0.0.1"
            client = Client(Settings(app_key=KEY, base_url=f"http://{host}:{stub.port}"), connector=slow)
            async with client:
                tasks = [asyncio.create_task(client.send("async/single", BODY)) for _ in range(2)]
                await asyncio.sleep(0.02)
                await slow.close()
                problems = await asyncio.gather(*tasks, return_exceptions=True)
            assert type(problems[1]) is ConnectionFailed
            assert len(stub.requests) == (waits_for == "a slot")

    SimulatedClock().run(main())


def test_a_refusal_before_the_body_is_read_leaves_the_next_call_a_connection_of_its_own() -> None:
    connections = 0

    async def refuse_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections > 1:
            writer.write(reply(202, ACCEPTED).raw)
        else:
            writer.write(reply(413, {"message": "too large"}).raw)
            await asyncio.Event().wait()

    async def calls(client: Client) -> str:
        with pytest.raises(ApiError, match="too large"):
            await client.send("async/multiple", b"x" * 20_000_000)
        return (await client.send("async/single", BODY)).request_id

    assert with_client(refuse_the_first, calls, timeout=5) == ACCEPTED["requestId"]
    assert connections == 2


def test_a_call_that_is_given_up_sends_nothing_more() -> None:
    read = bytearray()
    given_up, gone = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await given_up.wait()
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 20):
                read.extend(chunk)
        gone.set()

    async def call(client: Client) -> None:
        task = asyncio.create_task(client.send("async/multiple", b"x" * 60_000_000))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        given_up.set()
        await gone.wait()

    with_client(slow, call)
    assert len(read) < 50_000_000


def test_what_comes_before_the_answer_does_not_end_the_watch_for_silence() -> None:
    async def hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.Event().wait()

    with pytest.raises(ConnectionFailed):
        with_client(hints, lambda client: client.download_file("Q", "T"), timeout=0.05)


class Late(aiohttp.TCPConnector):
    """Has a connection when the time is up."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109
        await asyncio.sleep(0.03)
        return await super().connect(req, traces, aiohttp.ClientTimeout())


def test_nothing_is_sent_when_the_time_is_up_already() -> None:
    async def main() -> Stub:
        async with serving(reply(202, ACCEPTED)) as stub:
            late = Late()
            settings = Settings(app_key=KEY, base_url=stub.origin)
            async with Client(settings, connector=late, timeout=0.01) as client:
                with pytest.raises(ConnectionFailed, match="took too long"):
                    await client.send("async/single", BODY)
            await late.close()
        return stub

    assert not SimulatedClock().run(main()).requests


def test_a_service_that_answers_before_it_is_asked_is_left_alone_soon() -> None:
    """TLS 1.2 and the answer in the segment of the handshake's end: it is there when the connection is."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    connections = 0

    async def speaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(heard, said, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(said.read())
                heard.write(await reader.read(1 << 16))
        tls.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        writer.write(said.read())
        await reader.read()

    async def main() -> None:
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        async with listening(speaks) as port:
            trusting = aiohttp.TCPConnector(ssl=trust)
            settings = Settings(app_key=KEY, base_url=f"https://127.0.0.1:{port}")
            async with Client(settings, connector=trusting) as client:
                with pytest.raises(ConnectionFailed):
                    await client.send("async/single", BODY)
            await trusting.close()

    SimulatedClock().run(main())
    assert connections <= 10


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_compressed_file_that_was_cut_is_not_whole_however_it_is_framed(framing: str) -> None:
    cut = gzip.compress(b"%PDF-1.7\n" + bytes(range(256)) * 400 + b"%%EOF\n")[:-300]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Encoding: gzip\r\n"
    if framing == "length":
        raw = head + b"Content-Length: %d\r\n\r\n" % len(cut) + cut
    else:
        raw = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(cut) + cut + b"\r\n0\r\n\r\n"
    error, _ = asked(Reply(raw), lambda client: client.download_file("Q", "T"))
    assert type(error) is ConnectionFailed
