"""The service's limits, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.plain_http import Caller, HandClock

from reportflow_pandas.settings import Limits


def seen(call: Caller, times: int) -> list[int]:
    return [call.get("/file/designs").status for _ in range(times)]


def test_the_101st_call_of_a_minute_is_answered_with_429(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(limits=Limits())
    assert seen(call, 100) == [200] * 100
    clock.advance(17.5)
    reply = call.get("/file/designs")
    assert reply.status == 429
    assert reply.headers["Retry-After"] == "43"
    assert reply.json["error"] == "Too Many Requests"
    assert call.service.calls[-1].retry_after == 43
    clock.advance(42.4)
    assert seen(call, 1) == [429]
    clock.advance(0.1)
    assert seen(call, 101) == [200] * 100 + [429]


def test_sync_generation_has_its_own_30(serve: Callable[..., Caller]) -> None:
    call = serve(limits=Limits())
    assert [call.order("sync/single", "A").status for _ in range(31)] == [201] * 30 + [429]
    assert call.order("sync/multiple", "A").status == 429
    assert call.order("async/single", "A").status == 202


def test_async_downloads_and_look_ups_share_one_window(serve: Callable[..., Caller]) -> None:
    call = serve(limits=Limits(async_calls=4))
    order = call.order("async/multiple", "A").json
    paths = (f"/file/download/{order['requestId']}", "/file/designs", "/file/design/parameter/order")
    assert [call.get(path).status for path in paths] == [200, 200, 200]
    assert call.order("async/single", "A").status == 429
    assert call.get(f"/file/download/{order['requestId']}/{order['files'][0]['fileId']}").status == 429
    assert len(call.service.documents) == 1


def test_a_batch_counts_as_one_call(serve: Callable[..., Caller]) -> None:
    call = serve(limits=Limits(async_calls=1))
    assert call.order("async/multiple", *map(str, range(100))).status == 202
    assert call.order("async/single", "A").status == 429


def test_refused_credentials_do_not_count(serve: Callable[..., Caller]) -> None:
    call = serve(limits=Limits(async_calls=1))
    assert call.get("/file/designs", key="ak_wrong_key_0000000001").status == 401
    assert seen(call, 2) == [200, 429]


def test_retry_after_can_be_left_out(serve: Callable[..., Caller]) -> None:
    call = serve(limits=Limits(async_calls=1), retry_after=False)
    seen(call, 1)
    assert "Retry-After" not in call.get("/file/designs").headers
    assert call.service.calls[-1].retry_after is None


def test_a_scaled_window(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(limits=Limits(async_calls=2, window=1.0))
    assert seen(call, 3) == [200, 200, 429]
    clock.advance(1)
    assert seen(call, 3) == [200, 200, 429]


def test_a_fixed_window_lets_two_bursts_touch_and_a_sliding_one_does_not(
    serve: Callable[..., Caller], clock: HandClock
) -> None:
    """Late in one window and early in the next: what a client must survive with either."""
    fixed, sliding = (serve(limits=Limits(async_calls=3), limit_window=kind) for kind in ("fixed", "sliding"))
    assert seen(fixed, 1) == seen(sliding, 1) == [200]
    clock.advance(59)
    assert seen(fixed, 2) == seen(sliding, 2) == [200, 200]
    clock.advance(1)
    assert seen(fixed, 3) == [200, 200, 200]
    assert seen(sliding, 3) == [200, 429, 429]


def test_an_aligned_window_ends_at_whole_multiples(serve: Callable[..., Caller], clock: HandClock) -> None:
    call = serve(limits=Limits(async_calls=1), limit_window="aligned")
    clock.advance(19)  # 1019, a window ends at 1020
    assert seen(call, 2) == [200, 429]
    assert call.service.calls[-1].retry_after == 1
    clock.advance(1)
    assert seen(call, 2) == [200, 429]


def test_no_limit_by_default(call: Caller) -> None:
    assert set(seen(call, 150)) == {200}


def test_a_used_up_plan_is_answered_with_429_without_retry_after(serve: Callable[..., Caller]) -> None:
    call = serve(plan_pages=3)
    assert call.order("async/multiple", "A", "B").status == 202
    reply = call.order("async/multiple", "C", "D")
    assert reply.status == 429
    assert "プラン" in reply.json["message"]
    assert "Retry-After" not in reply.headers
    assert call.order("async/single", "C").status == 202
    assert len(call.service.documents) == 3


@pytest.mark.parametrize("name", ["limit_window", "limit_counted"])
def test_an_unknown_word_is_refused_with_the_known_ones(serve: Callable[..., Caller], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}='weekly': one of"):
        serve(**{name: "weekly"})
