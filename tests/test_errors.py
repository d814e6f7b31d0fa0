"""Errors as values: what they say and know goes wherever they go."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas import errors

FRAME = pd.DataFrame({"status": ["accepted", "unknown"]}, index=["a", "b"])

MADE: dict[str, BaseException] = {
    "ReportFlowError": errors.ReportFlowError("what happened"),
    "ConfigurationError": errors.ConfigurationError("what happened"),
    "InvalidRows": errors.InvalidRows("what happened", ["a", ("b", 2)], FRAME),
    "ApiError": errors.ApiError(418, ["茶", "瓶"], request_id="Q7", retry_after=3.0, hint="Tea"),
    "AuthError": errors.api_error(401, ["鍵"], request_id="Q8", retry_after=None),
    "NotFoundError": errors.api_error(404, [], request_id="Q9"),
    "RateLimited": errors.api_error(429, ["slow"], retry_after=7.5),
    "ConnectionFailed": errors.ConnectionFailed("nothing reached it"),
    "OutcomeUnknown": errors.OutcomeUnknown("no answer", 504),
    "JournalError": errors.JournalError("disk full"),
    "NotReady": errors.NotReady("later", 425, 9.0),
    "RunInterrupted": errors.RunInterrupted("stopped", FRAME),
    "RunCancelled": errors.RunCancelled("stopped", FRAME),
    "CheckWarning": errors.CheckWarning("odd"),
}

WAYS: dict[str, Callable[[BaseException], BaseException]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda error, protocol=protocol: pickle.loads(  # noqa: S301 - our own
            pickle.dumps(error, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def same(one: Any, other: Any) -> bool:
    return bool(one.equals(other)) if isinstance(one, pd.DataFrame) else bool(one == other)


def test_every_error_is_looked_at() -> None:
    classes = {name for name, thing in vars(errors).items() if inspect.isclass(thing) and name in errors.__all__}
    assert classes == set(MADE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MADE)
def test_an_error_keeps_its_text_and_attributes(name: str, way: str) -> None:
    error = MADE[name]
    error.add_note("and a note")
    try:
        error.results = FRAME  # type: ignore[attr-defined]
        twin = WAYS[way](error)
    finally:
        del error.__notes__
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert twin.args == error.args
    assert twin.__notes__ == ["and a note"]
    for attribute, value in vars(error).items():
        assert same(getattr(twin, attribute), value), attribute


def _raise(name: str) -> None:
    raise MADE[name]


@pytest.mark.parametrize("name", ["ApiError", "InvalidRows", "OutcomeUnknown", "RateLimited", "NotReady"])
def test_an_error_comes_out_of_a_process_pool_whole(name: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = pool.submit(_raise, name).exception()
    assert str(error) == str(MADE[name])
    assert vars(error).keys() >= vars(MADE[name]).keys() - {"results"}


def test_what_an_error_is_caught_by_stays() -> None:
    assert issubclass(rf.ConfigurationError, ValueError)
    assert issubclass(rf.RunInterrupted, KeyboardInterrupt)
    assert not issubclass(rf.RunInterrupted, Exception)
    assert issubclass(rf.RunCancelled, asyncio.CancelledError)
    assert not issubclass(rf.RunInterrupted, rf.ReportFlowError)
