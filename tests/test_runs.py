"""Durable runs, counted at the service: what a run has is not sent again, and exactly what is asked for is."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings as effort, strategies as st
from support.virtual_service import made, people, plain, sent, world

import reportflow_pandas as rf
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine import rate_limit
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.execution import from_frame, run
from reportflow_pandas.execution.work import watched
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.next_steps import line_that_goes_on
from reportflow_pandas.options import Options
from reportflow_pandas.rows.documents import Documents

Start = Callable[..., LocalService]


def statuses(results: pd.DataFrame) -> dict[str, int]:
    return {str(status): int(count) for status, count in results["status"].value_counts().items()}


def once(names: Any) -> Counter[str]:
    return Counter(dict.fromkeys(names, 1))


def bad(*names: str) -> list[Fault]:
    """Documents that are always refused."""
    return [Fault("bad_document", file_name=name, times=None) for name in names]


def refused(*names: str) -> list[Fault]:
    """Documents whose first single call is refused."""
    return [Fault(status=400, file_name=name) for name in names]


# run=


def test_what_a_run_has_is_returned_and_not_sent(service: LocalService) -> None:
    first = made(people(12))
    second = made(people(12))
    assert service.counts() == {"async/multiple": 1}
    assert statuses(second) == {"accepted": 12}
    columns = ["row", "status", "file_name", "url", "file_id", "request_id", "http_status", "accepted_at"]
    pd.testing.assert_frame_equal(first[columns], second[columns])


def test_reordering_filtering_and_appending_send_only_what_is_new(service: LocalService) -> None:
    made(people(20))
    mixed = people(25).sample(frac=1, random_state=7).query("name != 'Person 3'")
    results = made(mixed)
    assert statuses(results) == {"accepted": 24}
    assert sent(service) == once(people(25)["name"])
    by_file = {document.file_id: document.params["RecipientName"] for document in service.documents}
    assert [by_file[file_id] for file_id in results["file_id"]] == mixed["name"].tolist()


def test_an_edited_row_is_a_new_document_and_the_others_are_not_sent(service: LocalService) -> None:
    made(people(8))
    frame = people(8)
    frame.loc[3, "name"] = "Somebody else"
    assert statuses(made(frame)) == {"accepted": 8}
    assert sent(service) == once([*people(8)["name"], "Somebody else"])


def test_another_file_name_or_index_is_not_another_document(service: LocalService) -> None:
    made(people(8))
    made(people(8).set_index(pd.Index(list("abcdefgh"))), file_name="no-{index}")
    assert sent(service) == once(people(8)["name"])


@pytest.mark.parametrize(
    "change",
    [{"share": "public"}, {"passcode": True}, {"params": {"RecipientName": "name", "Title": "name"}}],
    ids=lambda change: next(iter(change)),
)
def test_what_the_recipient_would_see_differently_is_another_document(
    service: LocalService, change: dict[str, Any]
) -> None:
    made(people(3))
    made(people(3), **change)
    assert len(service.documents) == 6


def test_rows_of_equal_content_are_as_many_documents(service: LocalService) -> None:
    frame = pd.DataFrame({"name": ["Ada", "Bob", "Ada", "Ada"]})
    made(frame, file_name="p{index}")
    assert sent(service) == {"Ada": 3, "Bob": 1}
    made(frame.iloc[::-1], file_name="p{index}")
    assert sent(service) == {"Ada": 3, "Bob": 1}
    more = pd.DataFrame({"name": ["Ada"] * 4 + ["Bob"]})
    made(more, file_name="p{index}")
    assert sent(service) == {"Ada": 4, "Bob": 1}


@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=9), min_size=1, max_size=4))
def test_each_content_is_sent_as_often_as_the_frame_that_has_it_most_often(
    service: LocalService, frames: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    service.clear()
    rf.configure(runs=tmp_path_factory.mktemp("runs"))
    most: Counter[str] = Counter()
    for names in frames:
        results = made(pd.DataFrame({"name": names}), file_name="p{index}", limits=False)
        assert (results["status"] == "accepted").all()
        most |= Counter(names)
    assert sent(service) == most


def test_failed_rows_are_sent_again_and_unknown_ones_are_not(local: Start) -> None:
    service = local(faults=[*refused("Person 1"), Fault("dropped_after", file_name="Person 2")])
    frame = people(4)
    first = made(frame, endpoint="async/single")
    assert first["status"].tolist() == ["accepted", "failed", "unknown", "accepted"]
    second = made(frame, endpoint="async/single")
    assert second["status"].tolist() == ["accepted", "accepted", "unknown", "accepted"]
    assert sent(service) == once(frame["name"])
    assert service.counts() == {"async/single": 5}


def test_latest_is_the_version_that_the_run_began_with(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1 was pinned, the invoice's latest is another one by now: the run goes on with its own."""
    frame = people(3)
    made(frame, version=1)
    results = made(people(6), version="latest")
    assert results.attrs["reportflow"]["version"] == "1"
    assert {document.version for document in service.documents} == {1}
    assert sent(service) == once(people(6)["name"])
    assert "designs" not in service.counts()


def test_a_run_with_an_error_before_its_beginning_leaves_nothing(service: LocalService, tmp_path: Path) -> None:
    with pytest.raises(rf.NotFoundError):
        people(3).reportflow.generate("nothing", run="november")
    assert rf.runs().empty
    assert not list((tmp_path / "runs").glob("*.sqlite*"))


@pytest.mark.parametrize("name", ["", " ", "a/b", 5])
def test_a_name_that_names_no_run_is_refused_before_anything_is_sent(service: LocalService, name: Any) -> None:
    with pytest.raises(rf.ConfigurationError, match="a run is named by letters"):
        made(people(3), run=name)
    with pytest.raises(rf.ConfigurationError, match="a run is named by letters"):
        people(3).reportflow.submit(**plain(), run=name)
    assert not service.calls
    assert rf.runs().empty


def test_an_empty_frame_makes_no_run(service: LocalService) -> None:
    assert made(people(0)).empty
    assert rf.runs().empty


# key=, again=


def keyed(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"no": range(1, len(names) + 1), "name": names})


def test_under_a_key_changed_content_is_reported_and_not_sent(service: LocalService) -> None:
    made(keyed("Ada", "Bob"), key="no", file_name="no")
    results = made(keyed("Ada", "Rob", "Cid"), key="no", file_name="no")
    assert sent(service) == once(["Ada", "Bob", "Cid"])
    assert results["status"].tolist() == ["accepted"] * 3
    assert results["error_kind"].fillna("").tolist() == ["", "changed", ""]
    assert rf.load("november")["error_kind"].fillna("").tolist() == ["", "changed", ""]
    again = made(keyed("Ada", "Rob", "Cid"), key="no", file_name="no", again=results["error_kind"] == "changed")
    assert sent(service) == once(["Ada", "Bob", "Cid", "Rob"])
    assert again["error_kind"].isna().all()
    third = made(keyed("Ada", "Rob", "Cid"), key="no", file_name="no")
    assert third["error_kind"].isna().all()
    assert len(service.documents) == 4


def test_a_key_of_several_columns_must_be_there_and_be_one_rows_only(service: LocalService) -> None:
    frame = pd.DataFrame({"no": [1, 1], "page": [1, 2], "name": ["Ada", "Bob"]})
    assert statuses(made(frame, key=["no", "page"])) == {"accepted": 2}
    with pytest.raises(rf.InvalidRows, match="tells them apart"):
        made(frame, key="no")
    with pytest.raises(rf.InvalidRows, match="missing in row 1"):
        made(frame.assign(no=[1.0, None]), key="no")
    with pytest.raises(rf.ConfigurationError, match="no column 'nr'"):
        made(frame, key="nr")
    assert len(service.documents) == 2


@pytest.mark.parametrize(
    "again",
    [
        ["b", "d"],
        [False, True, False, True],
        pd.Series([True, False, True, False], index=list("dcba")),
        pd.Series([True, True], index=list("bd")),
        pd.Index(["d", "b"]),
    ],
    ids=["labels", "mask", "mask in another order", "mask of some", "index"],
)
def test_again_sends_exactly_those_anew(service: LocalService, again: Any) -> None:
    frame = people(4).set_index(pd.Index(list("abcd")))
    first = made(frame)
    second = made(frame, again=again)
    assert sent(service) == {"Person 0": 1, "Person 1": 2, "Person 2": 1, "Person 3": 2}
    changed = first["file_id"] != second["file_id"]
    assert changed.tolist() == [False, True, False, True]
    made(frame)
    assert len(service.documents) == 6


def test_again_with_a_label_that_is_not_there_is_refused(service: LocalService) -> None:
    made(people(3))
    with pytest.raises(rf.ConfigurationError, match="no 7"):
        made(people(3), again=[1, 7])
    assert len(service.documents) == 3


# retry


def test_retry_sends_failed_and_unsent_rows_and_nothing_else(local: Start) -> None:
    service = local(faults=[*refused("Person 1"), Fault("dropped_after", file_name="Person 2")])
    results = people(4).reportflow.generate(**plain(), endpoint="async/single")
    retried = results.reportflow.retry()
    assert retried["status"].tolist() == ["accepted", "accepted", "unknown", "accepted"]
    assert service.counts() == {"async/single": 5}
    assert sent(service) == once(people(4)["name"])
    pd.testing.assert_index_equal(retried.index, results.index)
    retried.reportflow.retry()
    assert service.counts() == {"async/single": 5}


def test_retry_of_unknown_rows_pays_for_them_only_when_it_is_said(local: Start) -> None:
    service = local(faults=Fault("dropped_after", times=1))
    results = people(8).reportflow.generate(**plain())
    assert statuses(results.reportflow.retry()) == {"unknown": 8}
    assert len(service.documents) == 8
    some = results.iloc[[1, 5]].reportflow.retry(unknown=True)
    assert some["status"].tolist() == ["accepted"] * 2
    assert sent(service) == once(people(8)["name"]) + Counter(["Person 1", "Person 5"])
    # stale results: the journal knows better
    everything = results.reportflow.retry(unknown=True)
    assert statuses(everything) == {"accepted": 8}
    assert sent(service) == once(people(8)["name"]) + once(people(8)["name"])


def test_retry_of_filtered_results_leaves_the_other_failed_rows_alone(local: Start) -> None:
    service = local(faults=refused("Person 1", "Person 3", "Person 5"))
    results = people(6).reportflow.generate(**plain(), endpoint="async/single")
    assert statuses(results) == {"accepted": 3, "failed": 3}
    some = results.iloc[[3, 2, 1]].reportflow.retry()
    assert some["row"].tolist() == [3, 2, 1]
    assert statuses(some) == {"accepted": 3}
    assert service.counts()["async/single"] == 8
    loaded = rf.load(results.attrs["reportflow"]["run"])
    assert loaded["status"].tolist() == ["accepted"] * 5 + ["failed"]


def test_retry_with_a_corrected_frame_pays_for_exactly_the_failed_rows(local: Start) -> None:
    """The corrected frame has other changes too, and a row that now equals an accepted one."""
    service = local(faults=bad("Person 1", "Person 3"))
    frame = people(6)
    results = frame.reportflow.generate(**plain(), endpoint="async/single")
    frame["name"] = ["Changed 0", "Mended 1", "Person 2", "Person 4", "Person 4", "Person 5"]
    retried = results.reportflow.retry(source=frame)
    assert statuses(retried) == {"accepted": 6}
    assert sent(service) == once(["Person 0", "Mended 1", "Person 2", "Person 5"]) + Counter({"Person 4": 2})
    assert retried["row"].tolist() == list(range(6))
    loaded = rf.load(results.attrs["reportflow"]["run"])
    assert loaded["status"].tolist() == retried["status"].tolist()
    assert loaded["file_id"].tolist() == retried["file_id"].tolist()


@pytest.mark.parametrize("key", [None, "no"])
def test_a_retry_with_a_corrected_frame_encodes_each_document_once(
    local: Start, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    service = local(faults=refused("Person 3"))
    frame = people(5).assign(no=range(5))
    results = frame.reportflow.generate(**plain(), endpoint="async/single", key=key)
    encoded: list[int] = []
    document = Documents._document

    def listened(self: Documents, position: int, *parts: Any) -> Document:
        encoded.append(position)
        return document(self, position, *parts)

    monkeypatch.setattr(Documents, "_document", listened)
    results.reportflow.retry(source=frame)
    assert encoded == list(range(5))
    assert sent(service) == once(frame["name"])


def test_a_second_retry_after_a_corrected_frame_still_means_the_same_rows(local: Start) -> None:
    service = local(faults=[*bad("Person 1"), *refused("Mended 3")])
    frame = people(5)
    results = frame.reportflow.generate(**plain(), endpoint="async/single", run="november")
    results = results.reportflow.retry(source=frame.assign(name=[f"Mended {n}" for n in range(5)]))
    assert results["status"].tolist() == ["accepted"] * 5
    again = frame.assign(name=["Person 0", "Mended 1", "Person 2", "Person 3", "Person 4"])
    made(again, endpoint="async/single")
    assert sent(service) == once(again["name"])


@pytest.mark.parametrize("key", [None, "no"])
def test_a_named_run_with_the_same_bad_rows_is_corrected_again_and_pays_once(
    local: Start, key: str | None
) -> None:
    """A notebook that is run a second time: its corrections were accepted the first time."""
    service = local(faults=bad("Person 1", "Person 5"))
    frame = people(9).assign(no=range(9))
    mended = frame.replace({"name": {"Person 1": "Mended 1", "Person 5": "Mended 5"}})
    for _ in range(3):
        results = frame.reportflow.generate(**plain(), endpoint="async/single", run="november", key=key)
        done = results.reportflow.retry(source=mended)
        assert statuses(done) == {"accepted": 9}
    assert sent(service) == once(mended["name"])


def test_rows_that_fail_again_after_a_corrected_frame_can_be_retried_as_they_were(local: Start) -> None:
    service = local(faults=[*bad("Person 1", "Person 3"), *refused("Mended 3")])
    frame = people(5)
    results = frame.reportflow.generate(**plain(), endpoint="async/single")
    results = results.reportflow.retry(source=frame.assign(name=[f"Mended {n}" for n in range(5)]))
    assert results["status"].tolist() == ["accepted", "accepted", "accepted", "failed", "accepted"]
    results = results.reportflow.retry()
    assert statuses(results) == {"accepted": 5}
    assert sent(service) == once(["Person 0", "Mended 1", "Person 2", "Mended 3", "Person 4"])


def test_stale_results_never_make_a_corrected_frame_pay_twice(local: Start) -> None:
    service = local(faults=refused("Person 1"))
    frame = people(3)
    stale = frame.reportflow.generate(**plain(), endpoint="async/single")
    stale.reportflow.retry()
    assert len(service.documents) == 3
    assert statuses(stale.reportflow.retry(source=frame)) == {"accepted": 3}
    assert len(service.documents) == 3
    with pytest.raises(rf.ConfigurationError, match="other rows since"):
        stale.reportflow.retry(source=frame)
    with pytest.raises(rf.ConfigurationError, match="generated again since"):
        stale.reportflow.retry()
    assert len(service.documents) == 3


def test_equal_rows_after_a_corrected_frame_are_not_sent_by_the_next_run(local: Start) -> None:
    service = local(faults=bad("Person 1"))
    frame = pd.DataFrame({"name": ["Ada", "Person 1", "Bob"]})
    results = made(frame, endpoint="async/single")
    mended = frame.assign(name=["Ada", "Bob", "Bob"])
    results.reportflow.retry(source=mended)
    assert sent(service) == {"Ada": 1, "Bob": 2}
    assert statuses(made(mended, endpoint="async/single", file_name="p{index}")) == {"accepted": 3}
    assert sent(service) == {"Ada": 1, "Bob": 2}


def test_retry_with_a_frame_of_another_length_or_after_a_restart_says_what_to_do(
    local: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = local(faults=bad("Person 1"))
    results = made(people(3), endpoint="async/single")
    with pytest.raises(rf.ConfigurationError, match="2 rows and the run had 3"):
        results.reportflow.retry(source=people(2))
    from_frame._options.clear()
    with pytest.raises(rf.ConfigurationError, match=r"generate\(design_id='certificate', run='november'"):
        results.reportflow.retry(source=people(3))
    assert service.counts() == {"async/single": 3}


def test_retry_after_a_bad_key_needs_the_rows_because_nothing_was_written_down(service: LocalService) -> None:
    rf.configure(app_key="ak_wrong_wrong_wrong_1")
    with pytest.raises(rf.AuthError) as caught:
        people(8).reportflow.generate("certificate", params={"RecipientName": "name"}, check="warn")
    results = caught.value.results
    rf.configure(app_key=service.app_key)
    with pytest.raises(rf.ConfigurationError, match=r"retry\(source=df\)"):
        results.reportflow.retry()
    assert statuses(results.reportflow.retry(source=people(8))) == {"accepted": 8}
    assert sent(service) == once(people(8)["name"])


def test_retry_after_a_key_that_was_refused_in_mid_run_goes_on(local: Start) -> None:
    service = local(faults=Fault(status=401, at=2, times=1))
    with pytest.raises(rf.AuthError) as caught:
        people(20).reportflow.generate(**plain(), endpoint="async/single", concurrency=1)
    results = caught.value.results
    assert statuses(results) == {"not_sent": 19, "accepted": 1}
    assert statuses(results.reportflow.retry()) == {"accepted": 20}
    assert sent(service) == once(people(20)["name"])


def test_a_key_that_is_refused_at_the_first_call_leaves_a_run_that_can_be_resumed(local: Start) -> None:
    """The first call ends the run while most rows are not written down yet; that is finished all the same."""
    service = local(faults=Fault(status=401, at=1, times=1))
    frame = people(5000)
    with pytest.raises(rf.AuthError) as caught:
        made(frame, limits=False)
    assert statuses(caught.value.results) == {"not_sent": 5000}
    assert rf.runs()["state"].tolist() == ["open"]
    assert statuses(caught.value.results.reportflow.retry()) == {"accepted": 5000}
    assert sent(service) == once(frame["name"])


# settle


def test_settled_rows_are_accepted_and_nothing_is_sent_for_them(local: Start) -> None:
    service = local(faults=Fault("dropped_after", times=1))
    results = people(8).reportflow.generate(**plain(), run="november")
    settled = results.reportflow.settle([2, 3])
    assert settled["status"].tolist() == ["unknown"] * 2 + ["accepted"] * 2 + ["unknown"] * 4
    assert settled["error_kind"].isna().tolist() == [False] * 2 + [True] * 2 + [False] * 4
    assert rf.load("november")["status"].tolist() == settled["status"].tolist()
    assert statuses(settled.reportflow.retry(unknown=True)) == {"accepted": 8}
    assert len(service.documents) == 8 + 6
    made(people(8))
    assert len(service.documents) == 14


def test_only_unknown_rows_are_settled(service: LocalService) -> None:
    results = made(people(3))
    with pytest.raises(rf.ConfigurationError, match="1 is accepted"):
        results.reportflow.settle([1])


def test_rows_that_settle_does_not_take_are_named_as_they_are_written(service: LocalService) -> None:
    results = made(people(3).set_index(pd.Index([10, 11, 12])))
    with pytest.raises(rf.ConfigurationError, match=r"^settle is for unknown rows; row 11 is accepted$"):
        results.reportflow.settle([11])
    with pytest.raises(rf.ConfigurationError, match=r"^settle: the frame's index has no 'x'$"):
        results.reportflow.settle(["x"])
    with pytest.raises(rf.ConfigurationError, match=r"^settle: the mask has another index") as caught:
        results.reportflow.settle(pd.Series([True, False], index=[10, 99]))
    assert "again" not in str(caught.value)
    assert len(service.documents) == 3


def test_a_filtered_frame_settles_its_own_rows(local: Start) -> None:
    local(faults=Fault("dropped_after", times=1))
    results = people(8).reportflow.generate(**plain(), run="november")
    some = results.iloc[[6, 1]]
    settled = some.reportflow.settle(pd.Series([True, False], index=some.index))
    assert settled["row"].tolist() == [6, 1]
    assert settled["status"].tolist() == ["accepted", "unknown"]
    assert rf.load("november")["status"].tolist() == ["unknown"] * 6 + ["accepted", "unknown"]


def test_settling_keeps_what_stands_beside_the_outcomes(local: Start) -> None:
    local(faults=Fault("dropped_after", times=1))
    results = people(3).reportflow.generate(**plain(), run="november", endpoint="async/multiple")
    settled = results.assign(verdict=["ok", "look", "ok"]).reportflow.settle([1])
    assert settled["status"].tolist() == ["unknown", "accepted", "unknown"]
    assert settled["verdict"].tolist() == ["ok", "look", "ok"]
    assert settled[results.columns].dtypes.tolist() == results.dtypes.tolist()
    assert settled.attrs == results.attrs


# resume, load, runs, forget


def interrupted(local: Start, rows: int = 30, **more: Any) -> tuple[LocalService, pd.DataFrame]:
    """Return a run that a refused key ended after its third call."""
    service = local(faults=Fault(status=401, at=4, times=1))
    with pytest.raises(rf.AuthError) as caught:
        made(people(rows), endpoint="async/single", concurrency=1, **more)
    return service, caught.value.results


def test_a_resumed_run_sends_what_is_missing_and_has_all_rows(local: Start) -> None:
    service, before = interrupted(local)
    assert statuses(before) == {"not_sent": 27, "accepted": 3}
    results = rf.resume("november")
    assert statuses(results) == {"accepted": 30}
    assert results["row"].tolist() == list(range(30))
    assert sent(service) == once(people(30)["name"])
    assert results.attrs["reportflow"]["run"] == "november"
    assert statuses(rf.resume("november")) == {"accepted": 30}
    assert len(service.documents) == 30


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["b", "a", "b"], name="letter"),
        pd.date_range("2026-01-01", periods=3, tz="Europe/Prague", name="day"),
        pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)], names=["group", None]),
        pd.Index([3.5, float("nan"), 1.0]),
        pd.RangeIndex(10, 16, 2),
    ],
    ids=["text", "dates", "levels", "floats", "range"],
)
def test_loaded_results_have_the_frames_index(service: LocalService, index: pd.Index[Any]) -> None:
    results = made(people(3).set_index(index))
    loaded = rf.load("november")
    assert loaded.index.names == index.names
    assert loaded.index.tolist()[:1] + loaded.index.tolist()[2:] == index.tolist()[:1] + index.tolist()[2:]
    assert loaded.index.dtype == index.dtype
    pd.testing.assert_frame_equal(loaded, results, check_freq=False)


def test_an_unnamed_run_can_be_resumed_by_the_name_that_its_results_tell(local: Start) -> None:
    service = local(faults=Fault(status=401, at=3, times=1))
    with pytest.raises(rf.AuthError) as caught:
        people(9).reportflow.generate(**plain(), endpoint="async/single", concurrency=1)
    name = caught.value.results.attrs["reportflow"]["run"]
    assert rf.runs()["run"].tolist() == [name]
    assert statuses(rf.resume(name)) == {"accepted": 9}
    assert sent(service) == once(people(9)["name"])


def test_two_unnamed_runs_of_one_frame_are_two_runs(service: LocalService) -> None:
    people(3).reportflow.generate(**plain())
    people(3).reportflow.generate(**plain())
    assert len(service.documents) == 6
    assert len(rf.runs()) == 2


@pytest.fixture
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes, and chance says the same each time."""
    monkeypatch.setattr(from_frame.secrets, "token_hex", lambda size: "ab" * size)
    monkeypatch.setattr(SYSTEM_CLOCK, "timestamp", lambda: 1_790_000_000.0)


@pytest.mark.usefixtures("one_moment")
def test_unnamed_runs_of_one_moment_and_equal_chance_do_not_meet(service: LocalService) -> None:
    first, second = (people(3).reportflow.submit(**plain()) for _ in range(2))
    assert first.id != second.id
    for job in (first, second):
        assert statuses(job.result()) == {"accepted": 3}
    from_frame._options.clear()  # as in another process
    people(3).reportflow.generate(**plain())
    assert len(service.documents) == 9
    assert len(rf.runs()) == 3


@pytest.mark.usefixtures("one_moment")
def test_an_unnamed_run_whose_name_another_process_took_meanwhile_leaves_that_ones_run_alone(
    service: LocalService,
) -> None:
    late = run.Run(from_frame.FromFrame(people(5), Options(**plain())))
    from_frame._options.clear()  # as in another process
    other = people(3).reportflow.generate(**plain())
    assert other.attrs["reportflow"]["run"] == late.name
    with pytest.raises(rf.ConfigurationError, match=f"another process began a run '{late.name}'"):
        watched(late)
    assert len(service.documents) == 3
    pd.testing.assert_frame_equal(rf.load(late.name), other)


def test_resuming_fetches_the_pdfs_that_are_missing_and_only_those(local: Start, tmp_path: Path) -> None:
    service = local(
        faults=[
            Fault(status=500, endpoint="download/zip"),
            Fault(status=500, endpoint="download/file", at=3, times=6),
        ]
    )
    first = made(people(8), download=tmp_path / "pdfs", attempts=1)
    assert first["path"].notna().sum() == 2
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "pdfs").glob("*.pdf")}
    results = rf.resume("november")
    assert statuses(results) == {"ready": 8}
    assert results["path"].map(Path).map(Path.is_file).all()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(service.documents) == 8
    calls = service.counts().total()
    assert statuses(rf.resume("november")) == {"ready": 8}
    assert service.counts().total() == calls


def test_the_list_of_runs_says_how_far_each_is(local: Start) -> None:
    interrupted(local)
    people(2).reportflow.generate(**plain(), run="十月")
    table = rf.runs().set_index("run")
    assert table.loc["november", ["state", "design", "rows", "accepted", "not_sent"]].tolist() == [
        "open",
        "certificate",
        30,
        3,
        27,
    ]
    assert table.loc["十月", "state"] == "complete"
    assert str(table["created_at"].dt.tz) == "UTC"


def test_the_list_counts_the_rows_that_were_last_given(service: LocalService) -> None:
    made(people(8))
    made(people(5))
    assert rf.runs()[["rows", "accepted", "not_sent"]].to_numpy().tolist() == [[5, 5, 0]]


def test_a_damaged_journal_hides_no_other_run(service: LocalService, tmp_path: Path) -> None:
    made(people(2))
    (tmp_path / "runs" / "october.sqlite").write_bytes(b"not a database at all")
    table = rf.runs().set_index("run")
    assert table["state"].to_dict() == {"november": "complete", "october": "unreadable"}
    before = (tmp_path / "runs" / "october.sqlite").read_bytes()
    with pytest.raises(rf.ConfigurationError, match="not touched"):
        people(2).reportflow.generate(**plain(), run="october")
    assert (tmp_path / "runs" / "october.sqlite").read_bytes() == before
    assert len(service.documents) == 2


def test_a_forgotten_run_leaves_no_file_and_its_rows_are_new(service: LocalService, tmp_path: Path) -> None:
    made(people(2))
    rf.forget("november")
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith("november")]
    made(people(2))
    assert len(service.documents) == 4
    with pytest.raises(rf.ConfigurationError, match="no run 'october'"):
        rf.forget("october")


@pytest.mark.parametrize("verb", [rf.resume, rf.load, rf.job])
def test_a_run_that_is_not_there_is_named_with_those_that_are(service: LocalService, verb: Any) -> None:
    made(people(2))
    with pytest.raises(rf.ConfigurationError, match=r"'octobre'.*'november'"):
        verb("octobre")


# one address, one workspace, one process


def test_another_workspace_or_address_is_refused_before_anything_is_sent(local: Start) -> None:
    first = local(app_key="ak_first_workspace_0001")
    made(people(3))
    first.clear()  # what another workspace has of them: nothing
    first.regenerate_key("ak_second_workspace_001")
    rf.configure(app_key="ak_second_workspace_001")
    with pytest.raises(rf.ConfigurationError, match="another workspace"):
        made(people(6))
    with pytest.raises(rf.ConfigurationError, match="another workspace"):
        rf.resume("november")
    other = local()
    with pytest.raises(rf.ConfigurationError, match="belongs to http"):
        made(people(6))
    assert not first.documents
    assert not other.calls
    assert len(rf.load("november")) == 3


def test_a_second_run_of_the_same_name_is_refused_while_the_first_sends(local: Start) -> None:
    service = local(latency=0.3)
    job = people(200).reportflow.submit(**plain(), run="november", endpoint="async/single", concurrency=2)
    while not service.calls:
        job.wait(0.02)
    with pytest.raises(rf.ConfigurationError, match="is being sent by"):
        made(people(200))
    with pytest.raises(rf.ConfigurationError, match="is being sent by"):
        rf.resume("november")
    with pytest.raises(rf.ConfigurationError, match="is being sent by"):
        rf.forget("november")
    assert rf.runs()["state"].tolist() == ["sending"]
    assert len(rf.load("november")) == 200
    job.cancel()
    job.wait()
    assert service.counts()["async/single"] == len(service.documents)


def test_a_second_process_is_refused_while_the_first_sends(local: Start, tmp_path: Path) -> None:
    service = local(latency=0.3)
    job = people(200).reportflow.submit(**plain(), run="november", endpoint="async/single", concurrency=2)
    while not service.calls:
        job.wait(0.02)
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }
    code = "import reportflow_pandas as rf; rf.resume('november')"
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert other.returncode == 1
    assert f"is being sent by process {os.getpid()}" in other.stderr
    assert "rf.load('november')" in other.stderr
    job.cancel()
    job.wait()


def test_a_plan_that_was_not_closed_is_resumed_with_its_frame_only(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies while 2,200 rows are written down: the first 200 are on their way."""

    async def die(*_: object) -> None:
        raise rf.JournalError("the process died here")

    frame = people(2200)
    with monkeypatch.context() as patched:
        patched.setattr("reportflow_pandas.journal.journal.Journal.end_plan", die)
        with pytest.raises(rf.JournalError) as stopped:
            made(frame, limits=False)
    assert rf.runs()["state"].tolist() == ["unplanned"]
    for results in (stopped.value.results, rf.load("november")):
        assert (
            line_that_goes_on(results.attrs["reportflow"])
            == "df.reportflow.generate('certificate', run='november', …)"
        )
    with pytest.raises(rf.ConfigurationError) as caught:
        rf.resume("november")
    assert "df.reportflow.generate(design_id='certificate', run='november', …)" in str(caught.value)
    whole = made(frame, limits=False)
    assert statuses(whole) == {"accepted": 2200}
    for results in (whole, rf.load("november")):
        assert line_that_goes_on(results.attrs["reportflow"]) == "rf.resume('november')"
    assert sent(service) == once(frame["name"])


def test_calls_of_the_last_minute_count_for_the_resumed_run(tmp_path: Path) -> None:
    """A process that is no more made 8 of this minute's 10 calls: the rest waits, and no 429 comes."""
    few = rf.Limits(async_calls=10)
    with world(limits=few, limit_window="sliding") as here:
        more = {"endpoint": "async/single", "limits": few, "settings": replace(here.settings, runs=tmp_path)}
        made(people(8), **more)
        rate_limit._rate_limiters.by_workspace.clear()
        before = here.clock.monotonic()
        assert statuses(made(people(16), **more)) == {"accepted": 16}
        assert here.clock.monotonic() - before >= 55
        assert not [call for call in here.service.calls if call.status == 429]


# the folder


def test_a_folder_that_cannot_be_written_is_an_error_with_the_way_out(
    service: LocalService, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    rf.configure(runs=tmp_path / "file" / "runs")
    with pytest.raises(rf.ConfigurationError, match=r"rf.configure\(runs='…'\).*REPORTFLOW_RUNS"):
        made(people(3))
    assert not service.documents


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused_and_can_still_be_read(service: LocalService, tmp_path: Path) -> None:
    made(people(3))
    (tmp_path / "runs").chmod(0o500)
    try:
        with pytest.raises(rf.ConfigurationError, match="cannot be used"):
            made(people(5))
        assert len(rf.load("november")) == 3
    finally:
        (tmp_path / "runs").chmod(0o700)
    assert len(service.documents) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_the_folder_and_its_files_are_for_their_owner_only(service: LocalService, tmp_path: Path) -> None:
    made(people(3))
    folder = tmp_path / "runs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    for path in folder.glob("november*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_secret_and_no_document_of_an_accepted_row_is_in_the_folder(local: Start, tmp_path: Path) -> None:
    """Looked for in all files, also while the run goes on and its log holds everything."""
    key = "ak_this_is_very_secret_1"
    service = local(app_key=key, latency=0.05)
    seen: list[bytes] = []

    def look(_outcome: object) -> None:
        seen.append(
            b"".join(path.read_bytes() for path in sorted((tmp_path / "runs").iterdir()) if path.is_file())
        )

    frame = people(6).assign(name=[f"Zuzana Prvá {n}" for n in range(6)])
    job = frame.reportflow.submit(
        **{**plain(), "file_name": "p{index}"}, run="november", endpoint="async/single", concurrency=2, on_row=look
    )
    results = job.result()
    assert statuses(results) == {"accepted": 6}
    left = b"".join(path.read_bytes() for path in (tmp_path / "runs").iterdir())
    for written in [*seen, left]:
        assert key.encode() not in written
        assert service.client_secret.encode() not in written
    assert b"Zuzana" not in left
    assert key not in str(results.attrs)


def test_oauth_secrets_and_tokens_are_not_in_the_folder_either(service: LocalService, tmp_path: Path) -> None:
    rf.configure(
        app_key=None,
        client_id=service.client_id,
        client_secret=service.client_secret,
        token_url=service.token_url,
    )
    assert statuses(made(people(3))) == {"accepted": 3}
    left = b"".join(path.read_bytes() for path in (tmp_path / "runs").iterdir())
    assert service.client_secret.encode() not in left
    assert b"Bearer" not in left
    assert b"eyJ" not in left


# what the results know


def test_the_results_know_their_run_in_plain_strings(service: LocalService) -> None:
    results = made(people(3))
    run = results.attrs["reportflow"]
    assert all(isinstance(value, str) for value in run.values())
    assert run["run"] == "november"
    assert run["rows"] == "3"
    assert run["version"] == "1"
    loaded = rf.load("november").attrs["reportflow"]
    for name in ("run", "design_id", "version", "base_url", "workspace", "endpoint", "rows", "frame"):
        assert loaded[name] == run[name], name
    assert results.sort_values("row", ascending=False).attrs["reportflow"]["run"] == "november"


def test_agenerate_takes_a_run_too(service: LocalService) -> None:
    made(people(3))
    results = asyncio.run(people(5).reportflow.agenerate(**plain(), run="november"))
    assert statuses(results) == {"accepted": 5}
    assert sent(service) == once(people(5)["name"])


def test_a_changed_working_directory_loses_no_run_of_this_process(
    local: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing says where journals are, so they are below the directory that the script worked in."""
    monkeypatch.delenv("REPORTFLOW_RUNS")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    service = local(faults=[*refused("Person 1"), Fault("dropped_after", file_name="Person 2")])
    results = people(4).reportflow.generate(**plain(), endpoint="async/single", run="chdir")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert rf.load("chdir")["status"].tolist() == ["accepted", "failed", "unknown", "accepted"]
    results = results.reportflow.settle([2]).reportflow.retry()
    assert statuses(results) == {"accepted": 4}
    assert statuses(rf.resume("chdir")) == {"accepted": 4}
    assert statuses(results.reportflow.download("pdfs")) == {"ready": 3, "accepted": 1}  # settled: no request id
    assert sent(service) == once(people(4)["name"])
    assert not (tmp_path / "elsewhere" / ".reportflow").exists()
    made(people(2), run="chdir")  # a run of this directory's own
    assert len(rf.load("chdir")) == 2
