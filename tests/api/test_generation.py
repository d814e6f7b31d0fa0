from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from support.byte_server import (
    ACCEPTED,
    BODY,
    KEY,
    PDF,
    REFUSALS,
    ZIP,
    Reply,
    Request,
    archive,
    asked,
    broken,
    listening,
    pdf,
    problem,
    reply,
    sent,
    serving,
    success,
)

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Content, Delivered, FileEntry
from reportflow_pandas.contract import ENDPOINTS
from reportflow_pandas.errors import (
    ApiError,
    ConfigurationError,
    ConnectionFailed,
    OutcomeUnknown,
)
from reportflow_pandas.settings import Settings


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_call_sends_its_body_once_with_the_key_and_nothing_else(endpoint: str) -> None:
    value, stub = sent(endpoint, success(endpoint))
    assert value.request_id.startswith("Q7")
    [request] = stub.requests
    assert (request.method, request.path, request.body) == ("POST", f"/v1/file/{endpoint}", BODY)
    assert request.headers["appkey"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert not {"authorization", "cookie"} & set(request.headers)


def test_an_accepted_call_names_its_files() -> None:
    value, _ = sent("async/single", reply(202, ACCEPTED | {"plan": {"pages": 3}}))
    assert value.request_id == "Q7mW2xkP9tLr4BzE"
    assert value.url == "http://127.0.0.1:1/never"
    assert value.status == 202
    assert value.extra == {"plan": {"pages": 3}}
    assert value.files == (
        FileEntry("T4hZ8qLm1VxC6yRd", "注文書_0007.pdf", None, "workspace", passthrough={"rf": "a1"}),
    )


def test_the_address_in_an_answer_is_never_fetched() -> None:
    _, stub = sent("async/single", reply(202, ACCEPTED))
    assert len(stub.requests) == 1


def test_a_sync_answer_brings_the_pdf_and_its_ids() -> None:
    mapping = quote(json.dumps(ACCEPTED["files"], ensure_ascii=False))
    answer = pdf(request_id="Q7", file_url="http://127.0.0.1:1/x", x_file_mapping=mapping, x_plan_pages="3")
    value, _ = sent("sync/single", answer)
    assert isinstance(value, Delivered)
    assert (value.content, value.content_type, value.status) == (PDF, "application/pdf", 201)
    assert (value.request_id, value.url) == ("Q7", "http://127.0.0.1:1/x")
    assert value.files[0].file_name == "注文書_0007.pdf"
    assert value.extra == {"x-plan-pages": "3"}


def test_a_mapping_of_100_files_in_a_header_is_read() -> None:
    files = [{"fileId": f"{n:016}", "fileName": f"とても長い注文書の名前_{n}.pdf"} for n in range(100)]
    mapping = quote(json.dumps(files, ensure_ascii=False))
    assert len(mapping) > 18_000
    value, _ = sent("sync/multiple", archive(201, request_id="Q7", x_file_mapping=mapping))
    assert [file.file_id for file in value.files] == [file["fileId"] for file in files]


def test_a_sync_endpoint_that_answers_like_an_async_one_has_accepted() -> None:
    value, _ = sent("sync/single", reply(202, ACCEPTED))
    assert value.request_id == "Q7mW2xkP9tLr4BzE"
    assert not isinstance(value, Delivered)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_generation_is_an_error_with_the_services_words(endpoint: str, status: int) -> None:
    error, stub = sent(endpoint, problem(status, ["一つ", "二つ"], request_id="Q7", retry_after="7"))
    assert type(error) is REFUSALS[status]
    assert (error.status, error.messages, error.request_id) == (status, ["一つ", "二つ"], "Q7")
    assert error.retry_after == 7.0
    assert len(stub.requests) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", [408, 502, 504, 520, 521, 522, 523, 524])
def test_a_gateways_answer_to_a_generation_leaves_the_outcome_unknown(endpoint: str, status: int) -> None:
    error, _ = sent(endpoint, reply(status, b"<html><title>Bad gateway</title>", content_type="text/html"))
    assert type(error) is OutcomeUnknown
    assert error.status == status


@pytest.mark.parametrize("status", [501, 503])
def test_a_503_is_a_refusal_of_an_async_call_and_unknown_for_a_sync_one(status: int) -> None:
    for endpoint in ENDPOINTS:
        error, _ = sent(endpoint, problem(status))
        assert type(error) is (OutcomeUnknown if endpoint.startswith("sync") else ApiError)
        assert error.status == status


UNREADABLE = {
    "html": reply(200, b"<html>Sorry</html>", content_type="text/html"),
    "empty": reply(200),
    "no content": Reply(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "no id": reply(202, {"url": "x", "files": [{"fileName": "y.pdf"}]}),
    "empty request id": reply(202, {"requestId": ""}),
    "number for a request id": reply(202, {"requestId": 7}),
    "a list": reply(202, [ACCEPTED]),
    "null": reply(202, None),
    "no json": reply(202, b'{"requestId":"Q7', content_type="application/json"),
    "html that says pdf": reply(201, b"<html>", content_type="application/pdf"),
    "pdf that says html": reply(201, PDF, content_type="text/html"),
    "wrong bytes": reply(201, b"\x00\xff\xfe", content_type="application/octet-stream"),
    "gzip that is none": reply(202, b"no gzip", content_encoding="gzip"),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("shape", UNREADABLE)
def test_a_success_that_cannot_be_read_leaves_the_outcome_unknown(endpoint: str, shape: str) -> None:
    error, stub = sent(endpoint, UNREADABLE[shape])
    assert type(error) is OutcomeUnknown
    assert error.status in (200, 201, 202, 204)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_line_that_breaks_after_sending_leaves_the_outcome_unknown(endpoint: str) -> None:
    whole = success(endpoint)
    faults = {
        "closed": Reply(b"", "close"),
        "reset": Reply(b"", "reset"),
        "closed in the headers": Reply(whole.raw[:30], "close"),
        "cut body": broken(whole),
        "reset body": broken(whole, then="reset"),
        "no http": Reply(b"SSH-2.0-OpenSSH\r\n\r\n", "close"),
    }
    for fault, answer in faults.items():
        error, stub = sent(endpoint, answer)
        assert type(error) is OutcomeUnknown, fault
        assert len(stub.requests) == 1, fault


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_silence_after_sending_leaves_the_outcome_unknown(endpoint: str) -> None:
    for answer in (Reply(b"", "hang"), broken(success(endpoint), then="hang")):
        error, stub = sent(endpoint, answer, timeout=0.05, sync_timeout=0.05)
        assert type(error) is OutcomeUnknown
        assert len(stub.requests) == 1


@pytest.mark.parametrize("endpoint", ["async/single", "sync/single", "sync/multiple"])
def test_an_answer_without_a_length_that_ends_early_leaves_the_outcome_unknown(endpoint: str) -> None:
    body = success(endpoint).raw.partition(b"\r\n\r\n")[2]
    head = b"HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n"
    value, _ = sent(endpoint, Reply(head + body, "close"))
    assert not isinstance(value, Exception)
    error, _ = sent(endpoint, Reply(head + body[:-25], "close"))
    assert type(error) is OutcomeUnknown


def test_an_unknown_outcome_still_names_the_request_if_the_headers_did() -> None:
    error, _ = sent("sync/single", broken(pdf(request_id="Q7mW")))
    assert "Q7mW" in str(error)
    assert error.status == 201


def test_a_refusal_whose_words_are_cut_off_is_still_a_refusal() -> None:
    error, _ = sent("async/single", broken(problem(400)))
    assert type(error) is ApiError
    assert (error.status, error.messages) == (400, [])


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_a_redirected_generation_is_refused_and_not_followed(status: int) -> None:
    error, stub = sent("async/single", reply(status, location="/v1/elsewhere?token=1"))
    assert type(error) is ApiError
    assert "/v1/elsewhere" in str(error)
    assert "token" not in str(error)
    assert len(stub.requests) == 1


class NoAddress(aiohttp.abc.AbstractResolver):
    """No name has an address."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        raise OSError(None, "no such host")

    async def close(self) -> None:
        pass


def test_a_host_without_an_address_is_a_failed_connection() -> None:
    async def main() -> None:
        connector = aiohttp.TCPConnector(resolver=NoAddress())
        async with Client(Settings(app_key=KEY, base_url="https://nowhere.test"), connector=connector) as client:
            for call in (client.send("async/single", BODY), client.designs(), client.download_zip("Q7")):
                with pytest.raises(ConnectionFailed, match=r"nowhere\.test"):
                    await call
        assert not connector.closed
        await connector.close()

    asyncio.run(main())


def test_a_refused_connection_is_a_failed_connection() -> None:
    async def main() -> None:
        async with serving(reply(200)) as stub:
            gone = stub.origin
        async with Client(Settings(app_key=KEY, base_url=gone)) as client:
            for call in (client.send("sync/single", BODY), client.designs(), client.download_file("Q7", "T4")):
                with pytest.raises(ConnectionFailed):
                    await call

    asyncio.run(main())


def test_a_server_without_tls_is_a_failed_connection() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with (
            listening(plain) as port,
            Client(Settings(app_key=KEY, base_url=f"https://127.0.0.1:{port}")) as client,
        ):
            with pytest.raises(ConnectionFailed, match="TLS"):
                await client.send("async/multiple", BODY)
            with pytest.raises(ConnectionFailed, match="TLS"):
                await client.designs()

    asyncio.run(main())


def test_a_body_of_many_megabytes_goes_out_whole() -> None:
    body = b'{"x":"' + b"a" * 3_000_000 + b'"}'
    value, stub = asked(reply(202, ACCEPTED), lambda client: client.send("async/multiple", body))
    assert value.request_id
    assert stub.requests[0].body == body


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_a_refusal_before_the_body_is_read_is_still_heard(size: int) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(problem(413, "Payload Too Large", connection="close").raw)
        await writer.drain()
        while await reader.read(1 << 20):
            pass

    async def main() -> None:
        async with (
            listening(refuse) as port,
            Client(Settings(app_key=KEY, base_url=f"http://127.0.0.1:{port}")) as client,
        ):
            with pytest.raises(ApiError, match="Payload Too Large"):
                await client.send("async/multiple", b"x" * size)

    asyncio.run(main())


def test_more_than_a_hundred_calls_can_be_under_way() -> None:
    async def main() -> int:
        everybody = asyncio.Event()
        waiting = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            await reader.readuntil(b"{}")
            waiting += 1
            if waiting == 120:
                everybody.set()
            await everybody.wait()
            writer.write(reply(202, ACCEPTED).raw)
            await writer.drain()

        async with (
            listening(answer) as port,
            Client(Settings(app_key=KEY, base_url=f"http://127.0.0.1:{port}")) as client,
        ):
            await asyncio.gather(*[client.send("async/single", b"{}") for _ in range(120)])
        return waiting

    assert asyncio.run(main()) == 120


def test_documents_go_out_in_the_services_own_form() -> None:
    async def calls(client: Client) -> None:
        content = Content("請求書.PDF", {"合計": 1}, "public", passcode=True, passthrough={"rf": "x"})
        await client.async_single("d1", 2, content)
        await client.async_multiple("d1", 2, [content, {"fileName": "b", "params": {}}])

    _, stub = asked(reply(202, ACCEPTED), calls)
    document = {
        "fileName": "請求書",
        "params": {"合計": 1},
        "shareType": "03",
        "passcodeEnabled": True,
        "passthrough": {"rf": "x"},
    }
    assert stub.requests[0].json == {"designId": "d1", "version": 2, "content": document}
    assert stub.requests[1].json == {
        "designId": "d1",
        "version": 2,
        "contents": [document, {"fileName": "b", "params": {}}],
    }


def test_sync_calls_for_programmers_bring_the_files() -> None:
    def answer(request: Request) -> Reply:
        return pdf() if request.path.endswith("single") else archive(200)

    async def calls(client: Client) -> list[Any]:
        document = Content("a", {})
        return [await client.sync_single("d", 1, document), await client.sync_multiple("d", 1, [document])]

    (one, many), _ = asked(answer, calls)
    assert (one.content, many.content, many.content_type) == (PDF, ZIP, "application/zip")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda client: client.send("async/many", b"{}"), "endpoint="),
        (lambda client: client.async_single("", 1, {}), "design_id="),
        (lambda client: client.async_single("d", "1", {}), "version="),
        (lambda client: client.async_single("d", True, {}), "version="),
        (lambda client: client.async_single("d", 1, {"x": object()}), "JSON"),
        (lambda client: client.async_single("d", 1, Content("a", {}, "everybody")), "share="),
        (lambda client: client.parameters("d", "1"), "version="),
    ],
)
def test_a_call_that_cannot_be_is_refused_before_it_is_sent(call: Any, words: str) -> None:
    error, stub = asked(reply(200), call)
    assert type(error) is ConfigurationError
    assert words in str(error)
    assert not stub.requests
