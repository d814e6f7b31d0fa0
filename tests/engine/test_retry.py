from __future__ import annotations

import logging
from typing import get_args

import pytest
from support.virtual_time import SimulatedClock

from reportflow_pandas.engine.retry import (
    CallKind,
    Decision,
    ErrorKind,
    Fail,
    Retry,
    RetryPolicy,
    Stop,
    Unknown,
    WaitForLimit,
)
from reportflow_pandas.errors import (
    ConfigurationError,
    ConnectionFailed,
    InvalidRows,
    NotReady,
    OutcomeUnknown,
    RateLimited,
    ReportFlowError,
    api_error,
)
from reportflow_pandas.settings import Limits

RETRY = "retry"
WAIT = "wait"
UNKNOWN = "unknown unknown_outcome"


def decide(error: ReportFlowError, kind: CallKind, attempt: int = 1) -> Decision:
    return RetryPolicy().decide(error, kind=kind, attempt=attempt, clock=SimulatedClock())


def word(decision: Decision) -> str:
    match decision:
        case Retry():
            return RETRY
        case WaitForLimit():
            return WAIT
        case Fail(error_kind=kind):
            return f"failed {kind}"
        case Unknown(error_kind=kind):
            return f"unknown {kind}"
        case Stop(error_kind=kind):
            return f"stop {kind}"


TABLE: list[tuple[int | ReportFlowError, str, str, str, str]] = [
    # what came              async                sync                 get                  download
    (ConnectionFailed("no"), RETRY, RETRY, RETRY, RETRY),
    (OutcomeUnknown("cut"), UNKNOWN, UNKNOWN, RETRY, RETRY),
    (OutcomeUnknown("gateway", 502), UNKNOWN, UNKNOWN, RETRY, RETRY),
    (400, "failed invalid", "failed invalid", "failed invalid", "failed invalid"),
    (401, "stop auth", "stop auth", "stop auth", "stop auth"),
    (402, "failed invalid", "failed invalid", "failed invalid", "failed invalid"),
    (403, "stop auth", "stop auth", "stop auth", "stop auth"),
    (404, "stop not_found", "stop not_found", "stop not_found", "failed not_found"),
    (409, "failed invalid", "failed invalid", "failed invalid", "failed invalid"),
    (410, "failed expired", "failed expired", "failed expired", "failed expired"),
    (412, "stop auth", "stop auth", "stop auth", "stop auth"),
    (413, "failed too_large", "failed too_large", "failed too_large", "failed too_large"),
    (422, "failed invalid", "failed invalid", "failed invalid", "failed invalid"),
    (429, WAIT, WAIT, WAIT, WAIT),
    (500, RETRY, "failed server", RETRY, RETRY),
    (501, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (502, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (408, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (503, RETRY, UNKNOWN, RETRY, RETRY),
    (504, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (520, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (524, UNKNOWN, UNKNOWN, RETRY, RETRY),
    (300, "stop invalid", "stop invalid", RETRY, RETRY),
    (302, "stop invalid", "stop invalid", RETRY, RETRY),
    (NotReady("wait", 404), *["failed not_ready"] * 4),
    (InvalidRows("too big"), *["failed invalid"] * 4),
    (ConfigurationError("no key"), *["stop invalid"] * 4),
]


@pytest.mark.parametrize("kind", get_args(CallKind))
@pytest.mark.parametrize("line", TABLE, ids=lambda line: str(line[0]))
def test_each_outcome_has_its_consequence(
    line: tuple[int | ReportFlowError, str, str, str, str], kind: CallKind
) -> None:
    came, *consequences = line
    error = api_error(came, ["said"]) if isinstance(came, int) else came
    assert word(decide(error, kind)) == consequences[get_args(CallKind).index(kind)]


@pytest.mark.parametrize(
    ("came", "kind", "consequence"),
    [
        (ConnectionFailed("no"), "async", "failed network"),
        (ConnectionFailed("no"), "sync", "failed network"),
        (ConnectionFailed("no"), "get", "failed network"),
        (OutcomeUnknown("cut"), "get", "failed network"),
        (OutcomeUnknown("gateway", 504), "download", "failed server"),
        (api_error(500, []), "async", "failed server"),
        (api_error(503, []), "async", "failed server"),
        (api_error(503, []), "download", "failed server"),
        (api_error(429, []), "async", WAIT),
    ],
)
def test_a_call_whose_attempts_are_used_up_fails_and_only_waiting_goes_on(
    came: ReportFlowError, kind: CallKind, consequence: str
) -> None:
    assert word(decide(came, kind, attempt=3)) == consequence


@pytest.mark.parametrize("attempt", [1, 2, 3, 4, 5])
def test_what_may_have_been_accepted_is_never_sent_again(attempt: int) -> None:
    for kind in ("async", "sync"):
        for error in (OutcomeUnknown("cut"), api_error(502, []), api_error(504, [])):
            assert isinstance(decide(error, kind, attempt), Unknown)


def test_a_refusal_carries_the_words_and_the_status_of_the_service() -> None:
    decision = decide(api_error(400, ["長すぎます", "content.fileName\nmust be shorter"]), "async")
    assert decision == Fail("invalid", 400, "長すぎます; content.fileName must be shorter")


def test_a_stop_carries_the_error_that_the_run_raises() -> None:
    error = api_error(401, ["key"])
    decision = decide(error, "get")
    assert isinstance(decision, Stop)
    assert decision.error is error
    assert decision.http_status == 401


def test_pauses_double_and_chance_only_makes_them_longer() -> None:
    clock = SimulatedClock()
    policy = RetryPolicy(attempts=10, backoff=1.0)
    for attempt, least in [(1, 1.0), (2, 2.0), (3, 4.0), (9, 60.0)]:
        pauses = set()
        for _ in range(50):
            decision = policy.decide(ConnectionFailed("no"), kind="async", attempt=attempt, clock=clock)
            assert isinstance(decision, Retry)
            pauses.add(decision.seconds)
        assert len(pauses) > 10
        assert least <= min(pauses)
        assert max(pauses) < 1.5 * least


def test_retry_after_wins_over_the_doubling() -> None:
    assert decide(api_error(503, [], retry_after=7.0), "async") == Retry(7.0)
    assert decide(api_error(503, [], retry_after=0.0), "get", attempt=2) == Retry(0.0)
    assert decide(api_error(429, [], retry_after=12.5), "async") == WaitForLimit(12.5)


def test_a_service_that_is_away_is_asked_again_before_the_outage_is_given_up_whatever_it_says() -> None:
    policy = RetryPolicy(longest_retry_after=60.0)
    for kind in get_args(CallKind)[2:]:
        decision = policy.decide(
            api_error(503, [], retry_after=3600.0), kind=kind, attempt=1, clock=SimulatedClock()
        )
        assert decision == Retry(60.0)
    refused = policy.decide(
        api_error(429, [], retry_after=3600.0), kind="async", attempt=1, clock=SimulatedClock()
    )
    assert refused == WaitForLimit(3600.0)


def test_a_429_without_retry_after_closes_the_window_to_its_end() -> None:
    clock = SimulatedClock()
    policy = RetryPolicy(limits=Limits(async_calls=10, sync_calls=None, window=20.0))
    assert policy.decide(api_error(429, []), kind="async", attempt=1, clock=clock) == WaitForLimit(20.0)
    assert policy.decide(api_error(429, []), kind="get", attempt=1, clock=clock) == WaitForLimit(20.0)


def test_where_a_run_has_no_limit_the_pauses_between_429s_double_until_something_else_is_answered() -> None:
    """Those that arrive during a pause belong to it: fifty calls refused at once are one."""
    clock = SimulatedClock()
    policy = RetryPolicy(backoff=0.5, limits=Limits.off())

    def pauses() -> set[float]:
        decisions = [policy.decide(api_error(429, []), kind="async", attempt=1, clock=clock) for _ in range(50)]
        return {decision.seconds for decision in decisions if isinstance(decision, WaitForLimit)}

    for seconds in (0.5, 1.0, 2.0, 4.0):
        assert pauses() == {seconds}
        clock.time += 0.25
        assert pauses() == {seconds}
        clock.time += seconds
    policy.answered("async")
    assert pauses() == {0.5}


def test_one_attempt_means_that_nothing_is_sent_twice() -> None:
    policy = RetryPolicy(attempts=1)
    decision = policy.decide(ConnectionFailed("no"), kind="async", attempt=1, clock=SimulatedClock())
    assert word(decision) == "failed network"


def test_a_possible_duplicate_is_logged_with_its_request(caplog: pytest.LogCaptureFixture) -> None:
    """The log is the only trace of it."""
    with caplog.at_level(logging.WARNING, logger="reportflow_pandas"):
        decide(api_error(500, ["secret value"], request_id="Q7mW2xkP9tLr4BzE"), "async")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Q7mW2xkP9tLr4BzE" in caplog.text
    assert "secret value" not in caplog.text


def refuse(policy: RetryPolicy, clock: SimulatedClock, kind: CallKind = "async") -> str:
    return word(
        policy.decide(api_error(429, ["上限に達しました"], retry_after=1.0), kind=kind, attempt=1, clock=clock)
    )


def test_refusals_that_outlast_a_window_are_a_plan_limit_and_stop_the_run() -> None:
    """Fifty calls in flight refused at once are one storm; the third refusal after a full window is too many."""
    clock = SimulatedClock()
    policy = RetryPolicy()
    assert {refuse(policy, clock) for _ in range(50)} == {WAIT}
    clock.time = 59.0
    assert refuse(policy, clock) == WAIT
    clock.time = 60.0
    assert [refuse(policy, clock) for _ in range(3)] == [WAIT, WAIT, "stop rate_limited"]


def test_the_stop_says_what_the_service_said_and_what_it_may_mean() -> None:
    clock = SimulatedClock()
    policy = RetryPolicy()
    error = api_error(429, ["プランの上限"], request_id="r")
    decision: Decision = WaitForLimit(1.0)
    for _ in range(4):
        decision = policy.decide(error, kind="async", attempt=1, clock=clock)
        clock.time += 60.0
    assert isinstance(decision, Stop)
    assert isinstance(decision.error, RateLimited)
    assert decision.text == "プランの上限"
    assert "プランの上限" in str(decision.error)
    assert "plan" in str(decision.error)


def test_any_other_answer_ends_the_refusals_in_a_row() -> None:
    """On a busy workspace a run that gets something through goes on for as long as it takes."""
    clock = SimulatedClock()
    policy = RetryPolicy()
    for _ in range(20):
        assert refuse(policy, clock) == WAIT
        clock.time += 61.0
        assert refuse(policy, clock) == WAIT
        policy.answered("async")


def test_refusals_of_sync_generation_say_nothing_about_the_other_bucket() -> None:
    clock = SimulatedClock()
    policy = RetryPolicy()
    refuse(policy, clock, "sync")
    clock.time = 60.0
    refuse(policy, clock, "sync")
    refuse(policy, clock, "sync")
    assert refuse(policy, clock, "async") == WAIT
    assert refuse(policy, clock, "sync") == "stop rate_limited"


def test_only_an_answer_of_the_services_own_ends_a_row_of_refusals() -> None:
    """A lost connection between them says nothing of the plan; a document that is refused does."""
    for between, then in ((OutcomeUnknown("cut"), "stop rate_limited"), (api_error(400, ["no"]), WAIT)):
        clock, policy = SimulatedClock(), RetryPolicy()
        refuse(policy, clock)
        clock.time = 61.0
        refuse(policy, clock)
        refuse(policy, clock)
        policy.decide(between, kind="async", attempt=1, clock=clock)
        assert refuse(policy, clock) == then


def test_where_no_limit_is_kept_and_no_pause_is_wanted_a_refusal_is_still_waited_for() -> None:
    policy = RetryPolicy(backoff=0.0, limits=Limits.off())
    decided = policy.decide(api_error(429, ["x"]), kind="async", attempt=1, clock=SimulatedClock())
    assert decided == WaitForLimit(1.0)
    assert RetryPolicy().backoff == 1.0


def test_every_kind_of_error_is_a_word_of_the_results_frame() -> None:
    assert set(get_args(ErrorKind)) == {
        "invalid",
        "auth",
        "not_found",
        "rate_limited",
        "too_large",
        "server",
        "network",
        "unknown_outcome",
        "not_ready",
        "no_pdf",
        "expired",
        "changed",
        "cancelled",
    }


@pytest.mark.parametrize(
    "words", ["INV-7.pdf の変換に失敗しました: 文字", "PDF conversion failed", "The file could not be converted"]
)
def test_a_conversion_that_failed_is_asked_for_once_and_only_for_a_file(words: str) -> None:
    error = api_error(500, [words])
    assert decide(error, "download") == Fail("no_pdf", 500, words)
    assert isinstance(decide(error, "get"), Retry)
    assert isinstance(decide(error, "async"), Retry)


def test_a_sync_call_beyond_the_services_time_points_at_the_async_endpoints() -> None:
    policy = RetryPolicy()
    cases: list[tuple[CallKind, bool]] = [("sync", True), ("async", False)]
    for kind, told in cases:
        decided = policy.decide(
            OutcomeUnknown("Gateway Timeout", 504), kind=kind, attempt=1, clock=SimulatedClock()
        )
        assert isinstance(decided, Unknown)
        assert ("endpoint='async/multiple'" in decided.text) is told
