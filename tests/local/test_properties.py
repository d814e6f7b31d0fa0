"""What holds for every input: nothing breaks the validation, no window lets too much through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import example, given, strategies as st

from reportflow_pandas.local.call_limits import Rates
from reportflow_pandas.local.faults import Fault, FaultPlan, bare_name
from reportflow_pandas.local.http_answers import Refusal
from reportflow_pandas.local.page_html import missing_page
from reportflow_pandas.local.render_queue import placeholder
from reportflow_pandas.local.switches import Switches
from reportflow_pandas.local.validation import checked_order, parsed
from reportflow_pandas.local.webhook import timestamp
from reportflow_pandas.settings import Limits

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CONTENTS = st.fixed_dictionaries(
    {"fileName": TEXT | VALUES, "params": st.dictionaries(TEXT, VALUES, max_size=2) | VALUES},
    optional={"shareType": VALUES, "passcodeEnabled": VALUES, "passthrough": VALUES},
)
BODIES = VALUES | st.fixed_dictionaries(
    {"designId": TEXT | VALUES, "version": st.integers(-3, 3) | VALUES},
    optional={"content": CONTENTS | VALUES, "contents": st.lists(CONTENTS | VALUES, max_size=4) | VALUES},
)
FORBIDDEN = set('/\\:*?"<>|\x7f') | {chr(code) for code in range(32)}


def outcome(work: Callable[[], Any]) -> Any:
    """Return what comes of it, the refusal if it is one."""
    try:
        return work()
    except Refusal as refusal:
        return refusal


@given(BODIES, st.booleans())
def test_every_json_body_is_either_an_order_or_refused_with_a_list(body: Any, multiple: bool) -> None:
    value, problem = parsed(orjson.dumps(body), "application/json")
    assert problem is None
    made = outcome(lambda: checked_order(value, multiple, Switches()))
    if isinstance(made, Refusal):
        assert made.status == 400
        assert isinstance(made.message, list)
        assert made.message
        assert made.answer().body
    else:
        assert made.contents


@given(st.binary(max_size=40))
@example(b"\x00")
@example(b"[" * 5000)
def test_bytes_that_are_no_json_are_refused_and_never_break_anything(body: bytes) -> None:
    value, problem = parsed(body, "application/json")
    assert problem is None or (value is None and problem.status == 400)


@given(TEXT)
@example("a.pdf.PDF")
@example(" .pdf")
def test_a_name_is_taken_exactly_when_it_is_not_blank_and_holds_nothing_forbidden(name: str) -> None:
    body = {"designId": "order", "version": 1, "content": {"fileName": name, "params": {}}}
    made = outcome(lambda: checked_order(body, multiple=False, switches=Switches()))
    taken = not isinstance(made, Refusal) and made.contents[0].file_name == bare_name(name)
    assert taken == (bool(bare_name(name).strip()) and not FORBIDDEN & set(bare_name(name)))


@given(st.lists(st.floats(0, 40), max_size=60), st.sampled_from(["fixed", "aligned", "sliding"]))
def test_no_window_lets_more_than_its_calls_through(pauses: list[float], kind: Any) -> None:
    """In any 60 seconds: at most the limit where the window slides, at most twice it where it is fixed."""
    rates, now, let = Rates(Limits(async_calls=5), kind), 1000.0, []
    for pause in pauses:
        now += pause
        refused = outcome(lambda now=now: rates.take("async/single", now))
        if refused is None:
            let.append(now)
        else:
            assert 1 <= refused.retry_after <= 60
    most = max((sum(start <= moment < start + 60 for moment in let) for start in let), default=0)
    assert most <= (5 if kind == "sliding" else 10)


@given(st.lists(st.floats(0, 200), max_size=40), st.sampled_from(["fixed", "aligned", "sliding"]))
def test_after_retry_after_a_call_is_let_through(pauses: list[float], kind: Any) -> None:
    rates, now = Rates(Limits(async_calls=3), kind), 1000.0
    for pause in pauses:
        now += pause
        refused = outcome(lambda now=now: rates.take("designs", now))
        if refused is not None:
            now += refused.retry_after
            rates.take("designs", now)


@given(st.integers(1, 6) | st.none(), st.integers(1, 6) | st.none(), st.integers(0, 15))
def test_a_fault_is_played_from_its_first_call_on_as_often_as_it_says(
    at: int | None, times: int | None, calls: int
) -> None:
    plan = FaultPlan([Fault(status=503, at=at, times=times)])
    hit = [number for number in range(1, calls + 1) if plan.for_call("designs", None)]
    first = at or 1
    assert hit == [number for number in range(first, calls + 1) if times is None or number < first + times]


@given(TEXT)
def test_a_page_shows_every_text_as_text(text: str) -> None:
    head, _, rest = missing_page(404, f"<{text}>").partition("<p>")
    shown = rest.partition("</p>")[0]
    assert head
    assert "<" not in shown
    assert ">" not in shown


@given(st.datetimes(), st.text("abcXYZ019", min_size=16, max_size=16))
def test_a_placeholder_s_table_points_at_its_objects(moment: Any, file_id: str) -> None:
    pdf = placeholder(file_id, moment)
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])
    lines = pdf[start:].splitlines()[3:8]
    for number, line in enumerate(lines, start=1):
        assert pdf[int(line[:10]) :].startswith(b"%d 0 obj" % number)


def test_the_wire_s_time_has_milliseconds_and_a_z() -> None:
    from datetime import UTC, datetime, timedelta, timezone  # noqa: PLC0415 - only here

    moment = datetime(2026, 8, 3, 13, 5, 6, 789_123, tzinfo=timezone(timedelta(hours=9)))
    assert timestamp(moment) == "2026-08-03T04:05:06.789Z"
    assert timestamp(datetime(2026, 8, 3, tzinfo=UTC)) == "2026-08-03T00:00:00.000Z"
