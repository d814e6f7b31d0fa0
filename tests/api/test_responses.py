from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, strategies as st

from reportflow_pandas.api.responses import Answer, Reader, messages_from, retry_after_from
from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.contract import ENDPOINTS
from reportflow_pandas.errors import ReportFlowError, api_error

NOW = datetime(2026, 8, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, 60.0),
        ("soon", None),
        ("Mon, 03 Aug 2026 04:05:16 GMT", 10.0),
        ("Mon, 03 Aug 2026 04:05:16 -0000", 10.0),
        ("Mon, 03 Aug 2026 04:00:00 GMT", 0.0),
        ("Tue, 04 Aug 2099 04:05:16 GMT", 3600.0),
        ("Mon, 99 Aug 2026 04:05:16 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_from_now(value: str | None, seconds: float | None) -> None:
    assert retry_after_from(value, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (NOW.timestamp() + 12, 12.0),
        (NOW.timestamp() - 12, 0.0),
        (NOW.timestamp() + 3000, 60.0),
        ((NOW.timestamp() + 12) * 1000, 60.0),
        (1_000_000_001, 0.0),
        (86_400, 3600.0),
        (999_999_999, 3600.0),
    ],
)
def test_a_large_number_is_a_moment_and_no_wait_is_absurd(value: float, seconds: float) -> None:
    assert retry_after_from(f"{value:.0f}", NOW) == seconds


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_a_date_is_counted_from_the_answers_own_however_wrong_its_clock_is(hours: int) -> None:
    there = NOW + timedelta(hours=hours)
    later = format_datetime(there + timedelta(seconds=17), usegmt=True)
    assert retry_after_from(later, NOW, format_datetime(there, usegmt=True)) == 17.0
    assert retry_after_from(later, there, "no date") == 17.0


def test_a_wait_that_was_shortened_is_said(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(SYSTEM_CLOCK)
    answer = Answer(429, {"Retry-After": "86400"}, b"")
    assert reader.refusal(answer).retry_after == 3600.0
    assert "86400: no more than an hour is waited for" in caplog.text


@given(st.text())
def test_any_retry_after_is_a_pause_or_none(value: str) -> None:
    seconds = retry_after_from(value, NOW)
    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({"statusCode": 400, "message": "壊れています", "error": "Bad Request"}, ["壊れています"]),
        ({"message": ["a", "b"]}, ["a", "b"]),
        ({"message": [{"field": "x"}, None, "", 7]}, ['{"field":"x"}', "7"]),
        ({"message": {"reason": "x"}}, ['{"reason":"x"}']),
        ({"error": "Bad Request"}, ["Bad Request"]),
        ({"message": "", "error": "Bad Request"}, ["Bad Request"]),
        ({"error": "invalid_client", "error_description": "unknown client"}, ["unknown client"]),
        ({"statusCode": 400}, []),
        ("plain", ["plain"]),
        ("", []),
    ],
)
def test_the_services_words_are_kept_as_they_are(body: Any, messages: list[str]) -> None:
    assert messages_from(json.dumps(body, ensure_ascii=False).encode()) == messages


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b"", []),
        (b"  \n", []),
        (b"upstream connect error", ["upstream connect error"]),
        (
            b"<html><head><title>502  Bad\nGateway</title>",
            ["an HTML page (502 Bad Gateway), no answer of the service itself"],
        ),
        (b"<!doctype html>", ["an HTML page, no answer of the service itself"]),
        ("混雑".encode("shift_jis"), ["\ufffd\ufffd\ufffdG"]),
    ],
)
def test_a_body_that_is_no_json_is_told_shortly(body: bytes, messages: list[str]) -> None:
    assert messages_from(body) == messages


def test_words_without_end_are_shortened() -> None:
    [message] = messages_from(json.dumps({"message": "x" * 1_000_000}).encode())
    assert len(message) == 2_001
    assert len(messages_from(json.dumps({"message": ["x"] * 5_000}).encode())) == 1_000


NAMES = st.sampled_from(["message", "error", "error_description", "requestId", "files", "statusCode"])
BODIES = st.binary(max_size=40) | st.dictionaries(
    NAMES,
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=5)),
    max_size=4,
).map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "Request-Id", "Location", "X-File-Mapping", "File-ID"]),
    st.text(max_size=12),
)


@given(st.integers(200, 599), BODIES | st.just(b"%PDF-1.7") | st.just(b"PK\x03\x04"), HEADERS, st.booleans())
def test_any_answer_is_a_value_or_an_error_of_ours(
    status: int, body: bytes, headers: dict[str, str], foreign: bool
) -> None:
    reader = Reader(Clock())
    answer = Answer(status, headers, body, foreign)
    readings: list[Callable[[], Any]] = [partial(reader.generation, answer, endpoint) for endpoint in ENDPOINTS]
    readings += [partial(reader.file, answer, magic, request_id="Q7") for magic in (b"%PDF-", b"PK")]
    readings.append(partial(reader.lookup, answer))
    for reading in readings:
        # Anything but an error of ours ends the test.
        with contextlib.suppress(ReportFlowError):
            assert reading() is not None


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("認証に失敗しました。", "認証に失敗しました。 Check the key"),
        ("Unauthorized", "Unauthorized. Check the key"),
        ("No.", "No. Check the key"),
    ],
)
def test_advice_follows_the_words_of_the_service_with_one_full_stop(said: str, written: str) -> None:
    assert f"the service answered 401: {written}" in str(api_error(401, [said]))
