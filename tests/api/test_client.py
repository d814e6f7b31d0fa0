from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from api.stub import (
    KEY,
    PDF,
    ZIP,
    HandClock,
    Reply,
    Request,
    archive,
    asked,
    broken,
    pdf,
    reply,
    serving,
)

from reportflow_pandas.api.client import ENDPOINTS, Client
from reportflow_pandas.api.models import Content, Delivered, FileEntry
from reportflow_pandas.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConnectionFailed,
    NotFoundError,
    NotReady,
    OutcomeUnknown,
    RateLimited,
)
from reportflow_pandas.settings import Settings

ACCEPTED = {
    "requestId": "Q7mW2xkP9tLr4BzE",
    "url": "http://127.0.0.1:1/never",
    "files": [
        {
            "fileId": "T4hZ8qLm1VxC6yRd",
            "fileName": "注文書_0007.pdf",
            "passthrough": {"rf": "a1"},
            "share": {"shareType": "workspace", "passcodeEnabled": False},
        }
    ],
}
BODY = b'{"designId":"Zk3PpV0aNq8sUe5J","version":2,"content":{"fileName":"a","params":{}}}'


def sent(endpoint: str, answer: Reply, **options: Any) -> tuple[Any, Any]:
    return asked(answer, lambda client: client.send(endpoint, BODY), options)


def success(endpoint: str) -> Reply:
    if endpoint == "sync/single":
        return pdf(request_id="Q7")
    if endpoint == "sync/multiple":
        return archive(201, request_id="Q7")
    return reply(202, ACCEPTED)


def problem(status: int, message: Any = "設計が見つかりません", **headers: str) -> Reply:
    return reply(status, {"statusCode": status, "message": message, "error": "Whatever"}, **headers)


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


REFUSALS = {
    400: ApiError,
    401: AuthError,
    402: ApiError,
    403: AuthError,
    404: NotFoundError,
    405: ApiError,
    408: ApiError,
    409: ApiError,
    412: AuthError,
    413: ApiError,
    415: ApiError,
    422: ApiError,
    429: RateLimited,
    500: ApiError,
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_generation_is_an_error_with_the_services_words(endpoint: str, status: int) -> None:
    error, stub = sent(endpoint, problem(status, ["一つ", "二つ"], request_id="Q7", retry_after="7"))
    assert type(error) is REFUSALS[status]
    assert (error.status, error.messages, error.request_id) == (status, ["一つ", "二つ"], "Q7")
    assert error.retry_after == 7.0
    assert len(stub.requests) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", [502, 504, 520, 521, 522, 523, 524])
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
    "no request id": reply(202, {"url": "x", "fileId": "y"}),
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


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirected_generation_is_refused_and_not_followed(status: int) -> None:
    error, stub = sent("async/single", reply(status, location="/v1/elsewhere?token=1"))
    assert type(error) is ApiError
    assert "/v1/elsewhere" in str(error)
    assert "token" not in str(error)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [302, 303, 304])
def test_a_redirect_that_may_follow_the_work_leaves_the_outcome_unknown(status: int) -> None:
    error, stub = sent("async/single", reply(status, location="/v1/elsewhere"))
    assert type(error) is OutcomeUnknown
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
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        secure = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, Client(Settings(app_key=KEY, base_url=secure)) as client:
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
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=200)
        port = server.sockets[0].getsockname()[1]
        async with Client(Settings(app_key=KEY, base_url=f"http://127.0.0.1:{port}")) as client:
            await asyncio.gather(*[client.send("async/single", b"{}") for _ in range(120)])
        server.close()
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


# Downloads and look-ups

HOSTILE = ["", " ", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a..b", "a\nb", "a\x00", "\ud800", None, 7]


@pytest.mark.parametrize("value", HOSTILE)
def test_an_id_that_could_lead_elsewhere_never_gets_into_a_path(value: Any) -> None:
    async def calls(client: Client) -> None:
        for call in (
            client.download_zip(value),
            client.download_file(value, "f"),
            client.download_file("r", value),
            client.parameters(value),
        ):
            with pytest.raises(ConfigurationError, match="not an id"):
                await call

    _, stub = asked(reply(200), calls)
    assert not stub.requests


@pytest.mark.parametrize(
    "value", ["Q7mW2xkP9tLr4BzE", "4c0c1a3e-9d6c-4f0a-8a0b-0f6f3a9f1b11", "a b", "日本", "a%2Fb", "a&b=c;d:e@f"]
)
def test_any_other_id_arrives_as_one_piece_of_the_path(value: str) -> None:
    _, stub = asked(pdf(200), lambda client: client.download_file(value, value))
    piece = quote(value, safe="")
    assert stub.requests[0].path == f"/v1/file/download/{piece}/{piece}"


def test_a_base_address_with_a_path_keeps_it() -> None:
    async def main() -> list[str]:
        async with serving(reply(200, {"designs": []})) as stub:
            for base in (stub.origin, stub.origin + "/v1/", stub.origin + "/gate"):
                async with Client(Settings(app_key=KEY, base_url=base)) as client:
                    await client.designs()
            return [request.path for request in stub.requests]

    assert asyncio.run(main()) == ["/v1/file/designs", "/v1/file/designs", "/gate/v1/file/designs"]


def test_a_pdf_and_a_zip_are_downloaded() -> None:
    one, stub = asked(pdf(200), lambda client: client.download_file("Q7", "T4"))
    assert one == PDF
    assert (stub.requests[0].path, stub.requests[0].headers["appkey"]) == ("/v1/file/download/Q7/T4", KEY)
    many, stub = asked(archive(), lambda client: client.download_zip("Q7"))
    assert many == ZIP
    assert stub.requests[0].path == "/v1/file/download/Q7"


def test_a_zip_goes_into_a_file() -> None:
    big = ZIP[:4] + bytes(300_000) + ZIP[4:]
    to = io.BytesIO(b"before")
    to.seek(6)
    value, _ = asked(archive(body=big), lambda client: client.download_zip("Q7", to))
    assert value is None
    assert to.getvalue() == b"before" + big


@pytest.mark.parametrize("then", ["close", "reset", "hang"])
def test_a_zip_that_breaks_off_leaves_the_file_as_it_was(then: Any) -> None:
    big = ZIP[:4] + bytes(300_000) + ZIP[4:]
    to = io.BytesIO(b"before")
    to.seek(6)
    error, _ = asked(
        broken(archive(body=big), then=then), lambda client: client.download_zip("Q7", to), {"timeout": 0.1}
    )
    assert type(error) is ConnectionFailed
    assert to.getvalue() == b"before"


def test_an_answer_that_is_no_zip_never_gets_into_the_file() -> None:
    to = io.BytesIO()
    error, _ = asked(
        reply(200, b"<html>", content_type="application/zip"), lambda client: client.download_zip("Q7", to)
    )
    assert type(error) is ApiError
    assert to.getvalue() == b""


def test_a_full_disk_is_not_mistaken_for_the_network() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    error, _ = asked(archive(), lambda client: client.download_zip("Q7", Full()))
    assert isinstance(error, OSError)
    assert error.errno == 28


DOWNLOADS = [lambda client: client.download_zip("Q7"), lambda client: client.download_file("Q7", "T4")]


@pytest.mark.parametrize("download", DOWNLOADS)
@pytest.mark.parametrize("status", [202, 204, 404, 409, 423, 425])
def test_a_document_that_is_not_ready_says_so(download: Any, status: int) -> None:
    answer = Reply(b"HTTP/1.1 204 No Content\r\nRetry-After: 3\r\n\r\n")
    error, _ = asked(answer if status == 204 else problem(status, "まだです", retry_after="3"), download)
    assert type(error) is NotReady
    assert (error.status, error.retry_after) == (status, 3.0)
    assert status == 204 or "まだです" in str(error)


@pytest.mark.parametrize("download", DOWNLOADS)
@pytest.mark.parametrize(
    "words", ["まだ準備中", "処理中です", "生成中", "The file is Not Ready", ["x", "in progress"]]
)
def test_a_400_that_says_not_yet_is_not_ready(download: Any, words: Any) -> None:
    error, _ = asked(problem(400, words), download)
    assert type(error) is NotReady
    assert error.status == 400


@pytest.mark.parametrize("download", DOWNLOADS)
@pytest.mark.parametrize("status", [400, 401, 403, 410, 412, 429, 500, 502, 503, 504])
def test_any_other_status_of_a_download_is_a_refusal(download: Any, status: int) -> None:
    error, _ = asked(problem(status, "駄目"), download)
    assert type(error) is REFUSALS.get(status, ApiError)
    assert (error.status, error.messages, error.request_id) == (status, ["駄目"], "Q7")


def test_what_counts_as_not_ready_can_be_chosen() -> None:
    options = {"pending_statuses": {418}, "pending_words": "patience"}
    for status, words, kind in [(418, "x", NotReady), (404, "x", NotFoundError), (400, "patience!", NotReady)]:
        error, _ = asked(problem(status, words), DOWNLOADS[0], options)
        assert type(error) is kind


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"<html>gone</html>", content_type="text/html"),
        reply(200, {"status": "processing"}),
        reply(200),
        reply(200, b"junk", content_type="application/pdf"),
        reply(200, PDF, content_type="text/html"),
        reply(200, ZIP, content_type="application/json"),
        reply(206, PDF),
    ],
)
@pytest.mark.parametrize("download", DOWNLOADS)
def test_an_answer_that_is_no_file_is_refused(download: Any, answer: Reply) -> None:
    error, _ = asked(answer, download)
    assert type(error) is ApiError
    assert error.status in (200, 206)


def test_a_zip_in_the_place_of_a_pdf_is_refused() -> None:
    error, _ = asked(archive(), lambda client: client.download_file("Q7", "T4"))
    assert "not a PDF" in str(error)
    error, _ = asked(pdf(200), lambda client: client.download_zip("Q7"))
    assert "not a ZIP" in str(error)


READS = [*DOWNLOADS, lambda client: client.designs(), lambda client: client.parameters("d")]


@pytest.mark.parametrize("read", READS)
def test_a_read_that_breaks_off_is_a_failed_connection(read: Any) -> None:
    for answer in (
        Reply(b"", "close"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-", "close"),
        broken(reply(200, {"designs": []})),
        broken(pdf(200), then="reset"),
        Reply(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"designs":[', "close"),
        Reply(b"HTTP/1.1 200 OK\r\n\r\n" + PDF[:20], "close"),
        Reply(b"nonsense\r\n\r\n", "close"),
    ):
        error, _ = asked(answer, read)
        assert type(error) is ConnectionFailed, answer
    error, _ = asked(Reply(b"", "hang"), read, {"timeout": 0.05})
    assert type(error) is ConnectionFailed


@pytest.mark.parametrize("read", READS[2:])
@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_look_up_is_an_error(read: Any, status: int) -> None:
    error, _ = asked(problem(status), read)
    assert type(error) is REFUSALS[status]
    assert error.messages == ["設計が見つかりません"]


@pytest.mark.parametrize("read", READS[2:])
@pytest.mark.parametrize("body", [b"<html>", b"", b"7", b"null", b'"text"', b"{broken"])
def test_a_look_up_that_answers_something_else_is_refused(read: Any, body: bytes) -> None:
    error, _ = asked(reply(200, body), read)
    assert type(error) is ApiError
    assert error.status == 200


def test_parameters_are_asked_for_a_version_or_the_latest() -> None:
    async def calls(client: Client) -> list[Any]:
        return [await client.parameters("d 1", 3), await client.parameters("d 1")]

    (first, _), stub = asked(reply(200, [{"name": "a", "type": "text"}]), calls)
    assert first[0].name == "a"
    assert [request.path for request in stub.requests] == [
        "/v1/file/design/parameter/d%201?version=3",
        "/v1/file/design/parameter/d%201",
    ]


# Redirects


def test_a_download_follows_to_another_origin_without_the_key() -> None:
    async def main() -> None:
        async with serving(pdf(200)) as storage:
            away = reply(302, location=f"{storage.origin}/bucket?signature=1")
            async with serving(away) as stub, Client(Settings(app_key=KEY, base_url=stub.origin)) as client:
                assert await client.download_file("Q7", "T4") == PDF
            assert storage.requests[0].path == "/bucket?signature=1"
            assert KEY not in str(storage.requests[0].headers)

    asyncio.run(main())


def test_a_download_follows_within_the_service_with_the_key() -> None:
    def answer(request: Request) -> Reply:
        return pdf(200) if request.path == "/v1/there" else reply(307, location="/v1/there")

    value, stub = asked(answer, lambda client: client.download_file("Q7", "T4"))
    assert value == PDF
    assert [request.headers["appkey"] for request in stub.requests] == [KEY, KEY]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_storages_refusal_is_no_word_about_our_key(status: int) -> None:
    async def main() -> None:
        async with serving(reply(status, b"<Error>AccessDenied</Error>")) as storage:
            away = reply(302, location=storage.origin)
            async with serving(away) as stub, Client(Settings(app_key=KEY, base_url=stub.origin)) as client:
                with pytest.raises(ApiError) as caught:
                    await client.download_file("Q7", "T4")
        assert type(caught.value) is ApiError
        assert caught.value.status == status

    asyncio.run(main())


@pytest.mark.parametrize("where", ["/again", "http://storage.test/plain", "ftp://127.0.0.1/x", "http://[", None])
def test_a_redirect_that_leads_nowhere_ends(where: str | None) -> None:
    answer = reply(302) if where is None else reply(302, location=where)
    error, stub = asked(answer, lambda client: client.download_file("Q7", "T4"))
    assert type(error) is ApiError
    assert error.status == 302
    assert len(stub.requests) <= 3


# Sessions, secrets, the log


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


def test_a_given_session_is_used_and_left_open() -> None:
    async def main() -> None:
        async with serving(reply(200, {"designs": []})) as stub, aiohttp.ClientSession() as session:
            async with Client(Settings(app_key=KEY, base_url=stub.origin), session=session) as client:
                await client.designs()
            assert not session.closed
            assert KEY not in str(session.headers)

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
