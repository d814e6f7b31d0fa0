from __future__ import annotations

import asyncio
import io
from typing import Any
from urllib.parse import quote

import pytest
from support.byte_server import (
    DOWNLOADS,
    KEY,
    PDF,
    READS,
    REFUSALS,
    ZIP,
    Reply,
    Request,
    archive,
    asked,
    broken,
    pdf,
    problem,
    reply,
    serving,
)

from reportflow_pandas.api.client import Client
from reportflow_pandas.errors import (
    ApiError,
    ConfigurationError,
    ConnectionFailed,
    NotFoundError,
    NotReady,
)
from reportflow_pandas.settings import Settings

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


@pytest.mark.parametrize(
    "where",
    ["/again", "http://storage.test/plain", "ftp://127.0.0.1/x", "http://[", "https:///x", "https:x", None],
)
def test_a_redirect_that_leads_nowhere_ends(where: str | None) -> None:
    answer = reply(302) if where is None else reply(302, location=where)
    error, stub = asked(answer, lambda client: client.download_file("Q7", "T4"))
    assert type(error) is ApiError
    assert error.status == 302
    assert len(stub.requests) <= 3


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 70 + ".test", "u:secret@127.0.0.1:1"])
def test_a_redirect_to_a_host_that_cannot_be_is_a_failed_connection(host: str) -> None:
    answer = reply(302, location=f"https://{host}/x")
    error, _ = asked(answer, lambda client: client.download_file("Q7", "T4"))
    assert type(error) is ConnectionFailed
    assert "secret" not in str(error)
