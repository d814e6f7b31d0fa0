"""What a document is known by: a frame that looks different pays for nothing twice, counted at the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import made, people, sent

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

Start = Callable[..., LocalService]


def keyed(ids: list[Any]) -> pd.DataFrame:
    return people(len(ids)).assign(id=ids)


# a corrected frame


@pytest.fixture
def one_failed(local: Start) -> tuple[LocalService, pd.DataFrame]:
    """Ten rows, of which the service refused Person 3 the first time."""
    service = local(faults=[Fault("status:400", file_name="Person 3")])
    return service, made(people(10), endpoint="async/single")


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1)


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(shuffled, id="with its index"),
        pytest.param(lambda frame: shuffled(frame).reset_index(drop=True), id="with a new index"),
        pytest.param(lambda frame: frame.iloc[::-1].reset_index(drop=True), id="the other way round"),
        pytest.param(lambda frame: frame.rename(index={3: 333}), id="a row called otherwise"),
    ],
)
@pytest.mark.parametrize("key", [None, "name"])
def test_a_corrected_frame_in_another_order_is_refused_and_pays_for_nothing(
    local: Start, moved: Callable[[pd.DataFrame], pd.DataFrame], key: str | None
) -> None:
    service = local(faults=[Fault("status:400", file_name="Person 3")])
    results = made(people(10), endpoint="async/single", key=key)
    before = sent(service)
    with pytest.raises(rf.ConfigurationError, match=r"another order|other rows") as refusal:
        results.reportflow.retry(source=moved(people(10)))
    assert "Nothing was sent" in str(refusal.value)
    assert sent(service) == before


def test_the_line_that_the_refusal_gives_restores_the_order(
    one_failed: tuple[LocalService, pd.DataFrame],
) -> None:
    service, results = one_failed
    source = shuffled(people(10)).replace("Person 3", "Person Three")
    with pytest.raises(rf.ConfigurationError, match=r"source\.loc\[rf\.load\('november'\)\.index\]"):
        results.reportflow.retry(source=source)
    again = results.reportflow.retry(source=source.loc[rf.load("november").index])
    assert set(again["status"]) == {"accepted"}
    assert sent(service)["Person Three"] == 1
    assert set(sent(service).values()) == {1}


def test_rows_that_are_edited_in_place_are_no_other_order(one_failed: tuple[LocalService, pd.DataFrame]) -> None:
    service, results = one_failed
    source = people(10)
    source.loc[[3, 5], "name"] = ["Person Three", "Person Five"]
    results.reportflow.retry(source=source)
    assert sent(service)["Person Three"] == 1
    assert "Person Five" not in sent(service)  # accepted before: it stays what it is
    assert len(service.documents) == 10


# key=


@pytest.mark.parametrize(("first", "second"), [("id", None), (None, "id"), ("id", "name"), ("id", ["id", "name"])])
def test_a_run_that_goes_by_another_key_is_refused_and_pays_for_nothing(
    service: LocalService, first: Any, second: Any
) -> None:
    made(keyed([1, 2, 3]), key=first)
    with pytest.raises(rf.ConfigurationError, match="sent a second time") as refusal:
        made(keyed([1, 2, 3]), key=second)
    assert "Nothing was sent" in str(refusal.value)
    assert len(service.documents) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1, 2, 3], ["1", "2", "3"]),
        (["1", "2", "3"], [1, 2, 3]),
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        ([1, 2, 3], pd.array([1, 2, 3], dtype="Int64")),
        (["2026-11-01", "2026-11-02"], pd.to_datetime(["2026-11-01", "2026-11-02"])),
    ],
)
def test_a_key_is_the_same_whatever_the_type_of_its_column(service: LocalService, first: Any, second: Any) -> None:
    made(keyed(list(first)), key="id")
    frame = people(len(first)).assign(id=second)
    results = made(frame, key="id")
    assert set(results["status"]) == {"accepted"}
    assert len(service.documents) == len(first)


def test_appending_an_id_that_is_no_number_sends_that_row_only(service: LocalService) -> None:
    made(keyed([1, 2, 3, 4, 5]), key="id")
    made(people(6).assign(id=["1", "2", "3", "4", "5", "A-6"]), key="id")
    assert sent(service) == Counter(dict.fromkeys(people(6)["name"], 1))


def test_leading_zeros_make_another_key(service: LocalService) -> None:
    made(keyed(["7"]), key="id")
    made(keyed(["007"]), key="id")
    assert len(service.documents) == 2


def test_an_unknown_row_whose_content_changed_stays_unknown_and_is_not_called_accepted(local: Start) -> None:
    service = local(faults=[Fault("dropped_after", file_name="Person 1")])
    made(keyed([1, 2, 3]), key="id", endpoint="async/single")
    frame = keyed([1, 2, 3]).replace("Person 1", "Person One")
    results = made(frame, key="id", endpoint="async/single")
    assert results["status"].tolist() == ["accepted", "unknown", "accepted"]
    assert results["error_kind"].iloc[1] == "unknown_outcome"
    assert len(service.documents) == 3


# again=


@pytest.fixture
def stopped_again(local: Start) -> tuple[LocalService, pd.DataFrame]:
    """A run of six, sent again by mistake: the key was refused after two of them."""
    service = local(faults=[Fault("status:401", endpoint="async/single", at=9)])
    first = made(people(6), endpoint="async/single")
    made(people(6), endpoint="async/single", again=[0, 1])
    with pytest.raises(rf.AuthError) as stopped:
        made(people(6), endpoint="async/single", again=[2, 3, 4, 5])
    assert stopped.value.results is not None
    assert stopped.value.results["file_id"].notna().all()
    return service, first


def test_rows_that_were_to_be_sent_anew_and_were_not_are_still_accepted(
    stopped_again: tuple[LocalService, pd.DataFrame],
) -> None:
    _, first = stopped_again
    loaded = rf.load("november")
    assert set(loaded["status"]) == {"accepted"}
    assert loaded["file_id"].iloc[2:].tolist() == first["file_id"].iloc[2:].tolist()
    assert loaded["error_kind"].iloc[2:].tolist() == ["cancelled"] * 4
    assert loaded["error"].iloc[2:].str.contains("sent again").all()
    assert loaded["error_kind"].iloc[:2].isna().all()


def test_a_plain_call_after_it_sends_nothing(stopped_again: tuple[LocalService, pd.DataFrame]) -> None:
    service, first = stopped_again
    results = made(people(6), endpoint="async/single")
    assert set(results["status"]) == {"accepted"}
    assert results["file_id"].iloc[2:].tolist() == first["file_id"].iloc[2:].tolist()
    assert len(service.documents) == 8


def test_resuming_it_sends_what_was_to_be_sent_anew(stopped_again: tuple[LocalService, pd.DataFrame]) -> None:
    service, _ = stopped_again
    assert rf.runs().set_index("run").loc["november", "state"] == "open"
    results = rf.resume("november")
    assert set(results["status"]) == {"accepted"}
    assert results["error_kind"].isna().all()
    assert set(sent(service).values()) == {2}


def test_a_row_refused_when_sent_anew_tells_of_the_document_it_had(local: Start) -> None:
    service = local(faults=[Fault("status:400", file_name="Person 1", at=2)])
    first = made(people(3), endpoint="async/single")
    results = made(people(3), endpoint="async/single", again=[1])
    assert results["status"].tolist() == ["accepted", "failed", "accepted"]
    assert first["file_id"].iloc[1] in results["error"].iloc[1]
    assert first["file_id"].iloc[1] in rf.load("november")["error"].iloc[1]
    assert set(made(people(3), endpoint="async/single")["status"]) == {"accepted"}
    assert len(service.documents) == 3


# settle


def test_rows_are_settled_by_earlier_results_as_long_as_they_are_the_same_rows(local: Start) -> None:
    local(faults=[Fault("dropped_after", file_name="Person 2")])
    first = made(people(5), endpoint="async/single")
    made(people(5), endpoint="async/single")
    settled = first.reportflow.settle([2])
    assert settled["status"].iloc[2] == "accepted"
    assert rf.load("november")["status"].iloc[2] == "accepted"


def test_rows_are_not_settled_by_results_of_other_rows(local: Start) -> None:
    local(faults=[Fault("dropped_after", file_name="Person 2")])
    first = made(people(5), endpoint="async/single")
    made(people(5).iloc[[2, 0, 1, 3, 4]], endpoint="async/single")
    with pytest.raises(rf.ConfigurationError, match=r"rf\.load\('november'\)"):
        first.reportflow.settle([2])


# whose run it is


def test_a_run_of_the_embedded_service_goes_on_on_another_port_and_with_another_key(
    local: Start, tmp_path: Path
) -> None:
    first = local(faults=Fault(status=401, at=4, times=1))
    with pytest.raises(rf.AuthError):
        made(people(9), endpoint="async/single", concurrency=1)
    results = rf.load("november")
    assert results["status"].value_counts().to_dict() == {"not_sent": 6, "accepted": 3}
    first.regenerate_key("ak_local_another_key_1")
    rf.configure(app_key=first.app_key)
    assert rf.resume("november")["status"].value_counts().to_dict() == {"accepted": 9}
    assert results.reportflow.download(tmp_path / "pdfs")["path"].notna().sum() == 3
    second = local()
    again = made(people(12), endpoint="async/single")
    assert set(again["status"]) == {"accepted"}
    assert sorted(sent(second)) == ["Person 10", "Person 11", "Person 9"]
    assert set(again.reportflow.retry()["status"]) == {"accepted"}
    lost = again.reportflow.download(tmp_path / "more")
    assert lost["status"].isin(["accepted", "ready"]).all()
    assert lost["path"].notna().sum() == 3


def test_a_named_workspace_goes_on_with_a_renewed_key(local: Start) -> None:
    service = local(app_key="ak_first_of_the_workspace")
    rf.configure(workspace="acme")
    made(people(3))
    service.regenerate_key("ak_second_of_the_workspace")
    rf.configure(app_key=service.app_key)
    assert set(made(people(5))["status"]) == {"accepted"}
    assert len(service.documents) == 5
    rf.configure(workspace="another")
    before = len(service.calls)
    with pytest.raises(rf.ConfigurationError, match="another workspace: to 'acme'") as refusal:
        made(people(6))
    assert "Nothing was sent" in str(refusal.value)
    assert len(service.calls) == before
    assert set(rf.resume("november", same_workspace=True)["status"]) == {"accepted"}
    assert set(made(people(6))["status"]) == {"accepted"}
    assert len(service.documents) == 6
