"""Downloads, in virtual time and counted at the service."""

from __future__ import annotations

import io
import itertools
import operator
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import World, plain, world

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.results.results_frame import COLUMNS
from reportflow_pandas.results.zip_files import pdfs_of

NOT_READY = [404, 409, 425, 423, 202, 204, 400]


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


def polls(made: World) -> list[float]:
    """Return the times of a service's download calls, from the first acceptance on."""
    began = next(call.started for call in made.service.calls if call.documents)
    return [call.started - began for call in made.service.calls if call.endpoint.startswith("download")]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.pdf")}


# what it costs


def test_a_batch_comes_as_one_zip_and_single_documents_as_one_pdf_each(here: World, tmp_path: Path) -> None:
    batch, single = here.generate(250), here.generate(3)
    saved = here.download(batch, tmp_path / "batch")
    assert here.calls("download") == {"download/zip": 3}
    here.download(single, tmp_path / "single")
    assert here.calls("download") == {"download/zip": 3, "download/file": 3}
    assert (saved["status"] == "ready").all()
    assert len(files(tmp_path / "batch")) == 250
    assert files(tmp_path / "single") == {"Person 0.pdf", "Person 1.pdf", "Person 2.pdf"}


def test_each_row_gets_the_pdf_of_its_own_document(tmp_path: Path) -> None:
    with world(render=True) as made:
        saved = made.download(made.generate(8), tmp_path)
    for number, path in enumerate(saved["path"]):
        assert path == str(tmp_path / f"Person {number}.pdf")
        assert Path(path).read_bytes().startswith(b"%PDF-")


def test_a_second_call_fetches_nothing_also_from_the_frame_before(here: World, tmp_path: Path) -> None:
    results = here.generate(8)
    saved = here.download(results, tmp_path)
    before = here.calls()
    again, from_before = here.download(saved, tmp_path), here.download(results, tmp_path)
    assert here.calls() == before
    pd.testing.assert_frame_equal(again, saved)
    pd.testing.assert_frame_equal(from_before, saved)


def test_a_second_call_fetches_only_what_is_missing(here: World, tmp_path: Path) -> None:
    saved = here.download(here.generate(8), tmp_path)
    Path(saved["path"].iloc[3]).unlink()
    again = here.download(saved, tmp_path)
    assert here.calls("download") == {"download/zip": 1, "download/file": 1}
    assert again["path"].tolist() == saved["path"].tolist()
    assert len(files(tmp_path)) == 8


def test_another_folder_gets_its_own_copy(here: World, tmp_path: Path) -> None:
    saved = here.download(here.generate(8), tmp_path / "one")
    moved = here.download(saved, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert all(Path(path).parent == tmp_path / "two" for path in moved["path"])


def test_rows_that_were_not_accepted_are_not_asked_for(tmp_path: Path) -> None:
    with world(faults=Fault("bad_document", file_name="Person 2", times=None)) as made:
        saved = made.download(made.generate(4), tmp_path)
        assert made.calls("download") == {"download/file": 3}
    assert saved["status"].tolist() == ["ready", "ready", "failed", "ready"]
    assert saved["error_kind"].tolist()[2] == "invalid"


def test_nothing_to_download_costs_nothing(here: World, tmp_path: Path) -> None:
    results = here.generate(3)
    assert len(here.download(results.iloc[:0], tmp_path)) == 0
    assert here.calls("download") == {}


# waiting


@pytest.mark.parametrize("status", NOT_READY)
@pytest.mark.parametrize("rows", [1, 8])
def test_every_status_that_may_mean_not_ready_is_waited_for(status: int, rows: int, tmp_path: Path) -> None:
    with world(render_delay=20.0, not_ready_status=status) as made:
        saved = made.generate(rows, download=tmp_path)
        assert 4 <= sum(made.calls("download").values()) <= 22
    assert (saved["status"] == "ready").all()
    assert saved["error_kind"].isna().all()


def test_pauses_grow_with_the_age_up_to_half_a_minute_with_jitter(tmp_path: Path) -> None:
    with world(render_delay=300.0) as made:
        made.generate(1, download=tmp_path)
        times = polls(made)
    assert 0.3 <= times[0] <= 0.5
    for earlier, later in itertools.pairwise(times):
        expected = min(max(0.4, 0.25 * earlier - 0.2), 30.0)
        assert 0.84 * expected <= later - earlier <= 1.01 * expected
    assert len({round((later - earlier) / earlier, 3) for earlier, later in itertools.pairwise(times)}) > 5
    assert len(times) <= 40


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.6, 1.0, 1.7, 3.0, 7.0, 12.0, 33.0, 100.0])
def test_a_pdf_is_fetched_within_a_quarter_of_its_time_or_half_a_second(
    delay: float, rows: int, tmp_path: Path
) -> None:
    with world(render_delay=delay) as made:
        made.generate(rows, download=tmp_path)
        assert polls(made)[-1] - delay <= max(0.25 * delay, 0.5)


def test_retry_after_of_a_document_that_is_not_ready_is_kept(tmp_path: Path) -> None:
    with world(render_delay=100.0, not_ready_retry_after=40) as made:
        made.generate(1, download=tmp_path)
        times = polls(made)
    assert [round(time) for time in times] == [0, 40, 80, 120]


def test_at_the_deadline_the_row_stays_accepted_and_says_so(tmp_path: Path) -> None:
    with world(manual=True) as made:
        saved = made.generate(1, download=tmp_path, wait="2min")
        assert made.clock.monotonic() == pytest.approx(120, abs=2)
        row = saved.iloc[0]
        assert (row["status"], row["error_kind"], row["http_status"]) == ("accepted", "not_ready", 404)
        assert "download(folder) asks again and costs nothing" in row["error"]
        made.service.complete()
        later = made.download(saved, tmp_path)
        assert later.iloc[0]["status"] == "ready"
        assert pd.isna(later.iloc[0]["error_kind"])
        assert made.accepted() == 1


def test_without_any_wait_each_request_is_asked_for_once(tmp_path: Path) -> None:
    with world(manual=True) as made:
        saved = made.generate(1, download=tmp_path, wait=0)
        assert made.calls("download") == {"download/file": 1}
    assert saved["error_kind"].tolist() == ["not_ready"]


def test_a_document_that_is_not_ready_keeps_the_others_waiting_half_a_minute_at_most(tmp_path: Path) -> None:
    """Twelve documents, of which the first never becomes ready: the others are there soon."""
    with world(faults=Fault("failed_document", file_name="Person 0", times=None), failure_mode="never") as made:
        results = made.generate(12, endpoint="async/single")
        began = made.clock.monotonic()
        saved = made.download(results, tmp_path, wait="10min")
        found = [
            call.started - began
            for call in made.service.calls
            if call.endpoint == "download/file" and call.status == 200
        ]
    assert saved["status"].tolist() == ["accepted"] + ["ready"] * 11
    assert len(found) == 11
    assert max(found) < 70


def test_the_oldest_request_tells_when_to_ask_for_the_others(tmp_path: Path) -> None:
    """Twenty batches that take 25 s: without knowing, each would be asked for eighteen times."""
    with world(render_delay=25.0) as made:
        made.generate(40, batch_size=2, download=tmp_path, endpoint="async/multiple")
        assert made.calls("download")["download/zip"] <= 20 + 22


def test_downloads_keep_to_the_limit(tmp_path: Path) -> None:
    limits = rf.Limits(async_calls=10, sync_calls=10, window=60.0)
    with world(limits=limits) as made:
        saved = made.generate(24, endpoint="async/single", limits=limits, download=tmp_path)
        assert not [call for call in made.service.calls if call.status == 429]
    assert (saved["status"] == "ready").all()


def test_time_in_line_for_our_own_limit_is_no_time_of_the_document(tmp_path: Path) -> None:
    """Forty documents at ten calls a minute are longer in line than ``wait``, and all the same fetched."""
    limits = rf.Limits(async_calls=10, window=60.0)
    with world(limits=limits, render_delay=5.0) as made:
        saved = made.generate(40, endpoint="async/single", limits=limits, download=tmp_path, wait="60s")
    assert (saved["status"] == "ready").all()


# what is broken


@pytest.mark.parametrize("mode", ["error", "never"])
def test_one_broken_document_hides_no_other(mode: Any, tmp_path: Path) -> None:
    faults = Fault("failed_document", file_name="Person 3", times=None, message="フォントがありません")
    with world(faults=faults, failure_mode=mode) as made:
        saved = made.generate(8, download=tmp_path, wait="1min")
        calls = made.calls("download")
    assert saved["status"].tolist() == ["ready"] * 3 + ["accepted"] + ["ready"] * 4
    row = saved.iloc[3]
    if mode == "error":
        assert (row["error_kind"], row["http_status"]) == ("no_pdf", 500)
        assert "フォントがありません" in row["error"]
        assert calls == {"download/zip": 1, "download/file": 7 + 1}
    else:
        assert (row["error_kind"], row["http_status"]) == ("not_ready", 404)
        assert calls["download/file"] == 8
    assert saved.drop(index=3)["error_kind"].isna().all()
    assert len(files(tmp_path)) == 7


def test_files_of_a_refused_zip_are_not_all_asked_for_at_each_turn(tmp_path: Path) -> None:
    delays = iter([0.0, *(number / 2 for number in range(1, 100))])
    faults = Fault("failed_document", file_name="Person 0", times=None)
    with world(faults=faults, render_delay=lambda: next(delays)) as made:
        saved = made.generate(100, download=tmp_path)
        assert made.calls("download")["download/file"] <= 100 + 80
    assert (saved["status"] == "ready").sum() == 99


def test_a_conversion_that_failed_for_good_is_never_asked_for_again(tmp_path: Path) -> None:
    with world(faults=Fault("failed_document", file_name="Person 3", times=None)) as made:
        saved = made.generate(4, download=tmp_path, endpoint="async/single")
        assert made.calls("download") == {"download/file": 4}
        again = made.download(saved, tmp_path)
        assert made.calls("download") == {"download/file": 4}
    assert again["status"].tolist() == ["ready"] * 3 + ["accepted"]
    assert again["error_kind"].tolist()[3] == "no_pdf"
    assert "retry() does not send it" in again["error"].iloc[3]
    with world(faults=Fault("failed_document", file_name="Person 3", times=None)) as made:
        results = made.generate(4, download=tmp_path / "other", run="november")
        before = made.calls()
        assert results.reportflow.retry(settings=made.settings)["error_kind"].tolist()[3] == "no_pdf"
        assert rf.resume("november", settings=made.settings, progress=False)["error_kind"].tolist()[3] == "no_pdf"
        assert made.calls() == before
        assert results.reportflow.summary()["no_pdf"] == 1
    assert "again=" in again["error"].iloc[3]


def test_a_500_without_such_words_may_be_the_service_s_trouble_and_is_asked_for_again(tmp_path: Path) -> None:
    with world(faults=Fault(status=500, endpoint="download/file", times=3)) as made:
        saved = made.generate(1, download=tmp_path)
        assert saved["error_kind"].tolist() == ["server"]
        assert made.download(saved, tmp_path)["status"].tolist() == ["ready"]


@pytest.mark.parametrize("rows", [1, 8])
def test_documents_of_a_service_that_was_restarted_are_expired_at_once(rows: int, tmp_path: Path) -> None:
    with world() as made:
        results = made.generate(rows)
        made.service.clear()
        saved = made.download(results, tmp_path)
        assert made.clock.monotonic() < 2
        assert sum(made.calls("download").values()) == 1
    assert saved["status"].tolist() == ["accepted"] * rows
    assert saved["error_kind"].tolist() == ["expired"] * rows
    assert saved["http_status"].tolist() == [404] * rows
    assert "make it again" in saved["error"].iloc[0]


def test_after_a_refused_zip_files_that_are_not_ready_are_waited_for(tmp_path: Path) -> None:
    """One document fails at once, the others take a while."""
    delays = iter([0.0] + [30.0] * 7)
    faults = Fault("failed_document", file_name="Person 0", times=None)
    with world(faults=faults, render_delay=lambda: next(delays)) as made:
        saved = made.generate(8, download=tmp_path)
    assert saved["status"].tolist() == ["accepted"] + ["ready"] * 7


@pytest.mark.parametrize(("status", "kind"), [(404, "expired"), (410, "expired")])
@pytest.mark.parametrize("rows", [1, 8])
def test_expired_documents_say_so_and_stay_accepted(status: int, kind: str, rows: int, tmp_path: Path) -> None:
    with world(retention=60.0, expired_status=status) as made:
        results = made.generate(rows)
        made.clock._time += 3600
        saved = made.download(results, tmp_path)
        assert sum(made.calls("download").values()) == (1 if rows == 1 else 1 + rows)
    assert (saved["status"] == "accepted").all()
    assert (saved["error_kind"] == kind).all()
    assert (saved["http_status"] == status).all()


@pytest.mark.parametrize("kind", ["truncated", "dropped_after", "dropped_before", "html", "not_pdf", "status:503"])
def test_a_zip_that_is_broken_for_good_is_fetched_file_by_file(kind: str, tmp_path: Path) -> None:
    with world(faults=Fault(kind, endpoint="download/zip", times=None)) as made:
        saved = made.generate(8, download=tmp_path)
        assert made.calls("download")["download/file"] == 8
    assert (saved["status"] == "ready").all()
    assert len(files(tmp_path)) == 8


def test_a_document_that_a_zip_does_not_hold_is_fetched_by_itself(here: World, tmp_path: Path) -> None:
    results = here.generate(8)
    other = here.generate(pd.DataFrame({"name": [f"Other {number}" for number in range(8)]}))
    mixed = results.copy()
    mixed["request_id"] = other["request_id"].to_numpy()
    mixed.loc[:, "file_id"] = other["file_id"].to_numpy()
    saved = here.download(mixed, tmp_path)
    assert (saved["status"] == "ready").all()
    assert here.calls("download") == {"download/zip": 1, "download/file": 8}


def test_rows_without_a_file_id_come_from_the_zip(tmp_path: Path) -> None:
    with world(faults=Fault("no_files", times=None)) as made:
        saved = made.generate(8, download=tmp_path / "many")
        one = made.generate(1, download=tmp_path / "one")
        assert made.calls("download") == {"download/zip": 2}
        again = made.download(saved, tmp_path / "many")
        assert made.calls("download") == {"download/zip": 2}
    assert (saved["status"] == "ready").all()
    assert one["status"].tolist() == ["ready"]
    assert (again["status"] == "ready").all()


def test_rows_without_a_file_id_whose_zip_is_not_ready_say_so(tmp_path: Path) -> None:
    with world(faults=Fault("no_files", times=None), manual=True) as made:
        saved = made.generate(8, download=tmp_path, wait="10s")
    assert (saved["error_kind"] == "not_ready").all()
    assert (saved["http_status"] == 404).all()


def test_a_row_without_a_request_id_is_its_own_trouble_only(here: World, tmp_path: Path) -> None:
    """For instance a row that was settled after a look in the web app."""
    results = here.generate(3)
    results.loc[1, ["request_id", "file_id"]] = None
    results.loc[2, "request_id"] = "../designs"
    saved = here.download(results, tmp_path)
    assert saved["status"].tolist() == ["ready", "accepted", "accepted"]
    assert saved["error_kind"].tolist()[1:] == ["not_found", "invalid"]
    assert here.calls("download") == {"download/file": 1}


def test_when_no_answer_comes_whole_any_more_a_batch_is_given_up_as_one(tmp_path: Path) -> None:
    with world(faults=Fault("truncated", endpoint="download", times=None)) as made:
        saved = made.generate(100, download=tmp_path)
        assert sum(made.calls("download").values()) <= 20
    assert len(set(saved["error"])) == 1
    assert (saved["status"] == "accepted").all()
    assert (saved["error_kind"] == "network").all()


@pytest.mark.parametrize(("status", "error"), [(401, rf.AuthError), (403, rf.AuthError), (412, rf.AuthError)])
def test_a_refused_key_ends_the_download_with_the_results_so_far(
    status: int, error: type[rf.ApiError], tmp_path: Path
) -> None:
    with world(faults=Fault(status=status, endpoint="download", at=3, times=None)) as made:
        results = made.generate(12, endpoint="async/single")
        with pytest.raises(error) as caught:
            made.download(results, tmp_path)
        assert sum(made.calls("download").values()) <= 2 + 4
    counts = caught.value.results["status"].value_counts().to_dict()
    assert counts == {"accepted": 12 - counts["ready"], "ready": len(files(tmp_path))}
    assert 1 <= counts["ready"] <= 2


def test_a_service_that_refuses_for_ever_ends_the_download(tmp_path: Path) -> None:
    faults = Fault(status=429, endpoint="download", times=None, message="上限です")
    with world(faults=faults) as made:
        results = made.generate(8)
        with pytest.raises(rf.RateLimited, match="上限です"):
            made.download(results, tmp_path)
        assert made.clock.monotonic() >= 60


# names


def test_several_rows_of_one_name_do_not_overwrite_each_other(here: World, tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["A", "A", "B", "a"]})
    results = here.generate(frame, check="warn", version="latest")
    saved = here.download(results, tmp_path)
    assert saved["path"].nunique() == 4
    assert {name.casefold() for name in files(tmp_path)} == {"a.pdf", "b.pdf", "2/a.pdf", "3/a.pdf"}


def test_two_runs_of_the_same_names_share_a_folder(here: World, tmp_path: Path) -> None:
    one, two = here.generate(8, download=tmp_path), here.generate(8, download=tmp_path)
    assert len(files(tmp_path)) == 16
    assert not set(one["path"]) & set(two["path"])
    assert here.calls("download") == {"download/zip": 2}


@pytest.mark.parametrize("later", ["in the call", "with the verb", "in a resumed run", "waiting for each"])
def test_a_redone_document_takes_the_name_of_the_rejected_one(here: World, tmp_path: Path, later: str) -> None:
    first = here.generate(8, run="november", download=tmp_path)
    old = [Path(path).read_bytes() for path in first["path"]]
    again = [2, 5]
    more: dict[str, Any] = {"endpoint": "sync/single"} if later == "waiting for each" else {}
    if later in ("in the call", "waiting for each"):
        second = here.generate(8, run="november", again=again, download=tmp_path, **more)
    else:
        second = here.generate(8, run="november", again=again)
        if later == "in a resumed run":
            second = rf.resume("november", download=str(tmp_path), settings=here.settings, progress=False)
        else:
            second = here.download(second.iloc[1:6], tmp_path)
    assert second["path"].dropna().map(lambda path: Path(path).parent == tmp_path).all()
    assert {name for name in files(tmp_path) if "/" not in name} == {f"Person {number}.pdf" for number in range(8)}
    for number in range(8):
        assert ((tmp_path / f"Person {number}.pdf").read_bytes() == old[number]) == (number not in again)
    kept = sorted((tmp_path / "superseded").iterdir())
    assert [path.read_bytes() for path in kept] == [old[number] for number in again]
    assert len(here.service.documents) == 10
    calls = here.calls("download")
    before = here.download(first, tmp_path)
    assert here.calls("download") == calls
    assert [Path(path).read_bytes() for path in before["path"]] == old
    assert Path(before["path"].iloc[2]).parent == tmp_path / "superseded"


COUNTRIES = pd.DataFrame({"name": ["A", "B", "C", "D"], "Country": ["Norway", "../x", "Norway", "superseded"]})
IN_FOLDERS = {"Norway/A.pdf", ".._x/B.pdf", "Norway/C.pdf", "_superseded/D.pdf"}


def in_folders(tmp_path: Path) -> set[str]:
    return {name.replace("_.._x", ".._x") for name in files(tmp_path)}


@pytest.mark.parametrize("endpoint", ["async/multiple", "async/single", "sync/multiple"])
def test_a_template_saves_each_document_in_the_folder_of_its_values(
    here: World, tmp_path: Path, endpoint: str
) -> None:
    saved = here.generate(COUNTRIES, download=tmp_path / "{Country}", endpoint=endpoint, run="november")
    assert in_folders(tmp_path) == IN_FOLDERS
    assert [Path(path).stem for path in saved["path"]] == ["A", "B", "C", "D"]
    assert saved.attrs["reportflow"]["download"] == str(tmp_path)
    calls = here.calls()
    again = here.generate(COUNTRIES, download=tmp_path / "{Country}", endpoint=endpoint, run="november")
    assert again["path"].tolist() == saved["path"].tolist()
    assert here.calls("async") | here.calls("sync") == {
        k: v for k, v in calls.items() if k[:4] in ("asyn", "sync")
    }


def test_a_resumed_run_knows_the_folders_of_its_rows(here: World, tmp_path: Path) -> None:
    made = here.generate(COUNTRIES, download=tmp_path / "{Country}", run="november")
    for path in made["path"]:
        Path(path).unlink()
    resumed = rf.resume("november", settings=here.settings, progress=False)
    assert in_folders(tmp_path) == IN_FOLDERS
    assert (resumed["status"] == "ready").all()


def test_the_verb_fetches_into_the_run_s_folders_or_those_of_its_own_template(here: World, tmp_path: Path) -> None:
    made = here.generate(COUNTRIES, download=tmp_path / "run" / "{Country}", run="november")
    for path in made["path"]:
        Path(path).unlink()
    again = here.download(made.iloc[::-1], tmp_path / "run")
    assert in_folders(tmp_path / "run") == IN_FOLDERS
    assert [Path(path).stem for path in again["path"]] == ["D", "C", "B", "A"]
    here.download(made, tmp_path / "other" / "row {row}")
    assert files(tmp_path / "other") == {f"row {row}/{name}.pdf" for row, name in enumerate("ABCD")}


def test_a_redone_document_takes_its_place_in_its_folder(here: World, tmp_path: Path) -> None:
    here.generate(COUNTRIES, download=tmp_path / "{Country}", run="november")
    here.generate(COUNTRIES, download=tmp_path / "{Country}", run="november", again=[0])
    assert {name for name in in_folders(tmp_path) if not name.startswith("superseded/")} == IN_FOLDERS
    (old,) = (tmp_path / "superseded" / "Norway").iterdir()
    assert old.name.startswith("A ")


@pytest.mark.parametrize("names", ["{name}", "Again {name}"])
def test_a_redone_document_of_another_place_leaves_none_that_looks_valid(
    here: World, tmp_path: Path, names: str
) -> None:
    here.generate(COUNTRIES, download=tmp_path / "{Country}", run="november", key="name")
    moved = COUNTRIES.assign(Country=["Sweden", *COUNTRIES["Country"][1:]])
    how: dict[str, Any] = {"run": "november", "key": "name", "file_name": names}
    here.generate(moved, download=tmp_path / "{Country}", again=[0], **how)
    there = {name for name in in_folders(tmp_path) if not name.startswith("superseded/")}
    assert there == IN_FOLDERS - {"Norway/A.pdf"} | {f"Sweden/{names.format(name='A')}.pdf"}
    (old,) = (tmp_path / "superseded" / "Norway").iterdir()
    assert old.name.startswith("A ")


def test_a_later_download_leaves_none_that_looks_valid_either(here: World, tmp_path: Path) -> None:
    how: dict[str, Any] = {"run": "november", "key": "name"}
    first = here.generate(COUNTRIES, download=tmp_path, **how)
    redone = here.generate(COUNTRIES, again=[0], file_name="Corrected {name}", **how)
    before = in_folders(tmp_path)
    here.download(first, tmp_path)  # the results of before: they have what they had
    assert in_folders(tmp_path) == before
    here.download(redone, tmp_path)
    assert not (tmp_path / "A.pdf").exists()
    assert (tmp_path / "Corrected A.pdf").exists()
    (old,) = (tmp_path / "superseded").iterdir()
    assert old.name.startswith("A ")


def test_a_missing_value_of_a_template_is_refused_before_anything_is_sent(here: World, tmp_path: Path) -> None:
    with pytest.raises(rf.InvalidRows, match="'Country' is missing"):
        here.generate(COUNTRIES.assign(Country=["x", None, "y", "z"]), download=tmp_path / "{Country}")
    assert here.calls() == {}


def test_a_part_of_the_results_takes_no_name_of_a_row_that_is_not_in_it(here: World, tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["A", "a", "B"]})
    results = here.generate(frame, check="warn", run="november")
    here.download(results.iloc[:1], tmp_path)
    here.download(results.iloc[1:], tmp_path)
    assert files(tmp_path) == {"A.pdf", "2/a.pdf", "B.pdf"}


def test_a_file_of_a_run_that_was_forgotten_keeps_its_name(here: World, tmp_path: Path) -> None:
    results = here.generate(2, run="november", download=tmp_path)
    again = here.generate(2, run="november", again=[0])
    for journal in here.settings.runs.glob("november*"):
        journal.unlink()
    here.download(again, tmp_path)
    assert files(tmp_path) == {"Person 0.pdf", "2/Person 0.pdf", "Person 1.pdf"}
    assert Path(results["path"].iloc[0]).is_file()


def test_a_foreign_file_is_kept(here: World, tmp_path: Path) -> None:
    (tmp_path / "Person 0.pdf").write_bytes(b"mine")
    saved = here.generate(1, download=tmp_path)
    assert (tmp_path / "Person 0.pdf").read_bytes() == b"mine"
    assert saved["path"].tolist() == [str(tmp_path / "2" / "Person 0.pdf")]


def test_a_name_from_the_service_cannot_leave_the_folder(here: World, tmp_path: Path) -> None:
    results = here.generate(3)
    results["file_name"] = ["../../evil.pdf", "/etc/cron.d/evil", "C:\\evil.pdf"]
    saved = here.download(results, tmp_path / "out")
    assert {Path(path).parent for path in saved["path"]} == {tmp_path / "out"}
    assert len(files(tmp_path)) == 3


# frames


def test_filtered_sorted_and_duplicated_frames_keep_their_index_and_columns(here: World, tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": [f"P{number}" for number in range(8)]}, index=list("aabbccdd"))
    results = here.generate(frame)
    part = results[results["row"] % 2 == 1].sort_values("file_name", ascending=False)
    part = part.assign(team="red")[["team", *COLUMNS]]
    saved = here.download(part, tmp_path)
    assert saved.index.tolist() == ["d", "c", "b", "a"]
    assert saved["row"].tolist() == [7, 5, 3, 1]
    assert saved.columns.tolist() == ["team", *COLUMNS]
    assert [Path(path).name for path in saved["path"]] == ["P7.pdf", "P5.pdf", "P3.pdf", "P1.pdf"]
    assert saved.dtypes.tolist() == part.dtypes.tolist()
    assert part["path"].isna().all()
    assert len(files(tmp_path)) == 4


def test_a_document_that_stands_in_two_lines_is_fetched_once(here: World, tmp_path: Path) -> None:
    results = here.generate(8)
    twice = results.loc[[0, 0, 1, 2, 3, 4, 5, 6, 7, 7]]
    saved = here.download(twice, tmp_path)
    assert (saved["status"] == "ready").all()
    assert saved["path"].nunique() == 8
    assert here.calls("download") == {"download/zip": 1}


def test_results_of_another_workspace_or_service_are_refused(here: World, tmp_path: Path) -> None:
    results = here.generate(1)
    other = rf.Settings(base_url="https://api.example.test/v1", app_key="ak_somebody_elses_0001")
    with pytest.raises(rf.ConfigurationError, match=r"another workspace or service .*rf\.configure"):
        results.reportflow.download(tmp_path, settings=other)
    assert here.calls("download") == {}


def test_a_key_that_the_service_does_not_know_is_refused_by_the_service(here: World, tmp_path: Path) -> None:
    results = here.generate(1)
    mistyped = rf.Settings(base_url=here.settings.base_url, app_key="ak_somebody_elses_0001")
    with pytest.raises(rf.AuthError, match="Check the key"):
        results.reportflow.download(tmp_path, settings=mistyped)


@pytest.mark.parametrize("verb", ["download", "to_excel", "read_review", "summary", "failed", "unknown"])
def test_a_frame_of_rows_is_told_which_verb_it_wants(verb: str, tmp_path: Path) -> None:
    rows = pd.DataFrame({"name": ["A"]})
    arguments = [tmp_path / "x.xlsx"] if verb in ("download", "to_excel", "read_review") else []
    with pytest.raises(rf.ConfigurationError, match=rf"\.{verb}.*holds no results.*generate") as caught:
        operator.methodcaller(verb, *arguments)(rows.reportflow)
    # attributes are not called
    assert (f"{verb}(" in str(caught.value)) == (verb not in ("failed", "unknown"))


def test_results_of_several_runs_in_one_frame_are_told_to_come_run_by_run(here: World, tmp_path: Path) -> None:
    one, two = here.generate(2), here.generate(2)
    with pytest.raises(rf.ConfigurationError, match=r"which run they are of.*rf\.load\(run\).*run by run"):
        pd.concat([one, two]).reportflow.download(tmp_path)


def test_a_frame_of_results_is_told_which_verbs_it_has(here: World) -> None:
    results = here.generate(2)
    for verb in ("generate", "check", "plan", "preview"):
        with pytest.raises(rf.ConfigurationError, match=r"holds results.*\.retry\(\).*\.download\(folder\)"):
            getattr(results.reportflow, verb)(**plain(), settings=here.settings)
    assert here.accepted() == 2


def test_results_that_lost_a_column_say_which(here: World, tmp_path: Path) -> None:
    results = here.generate(1).drop(columns="file_id")
    with pytest.raises(rf.ConfigurationError, match="lost the column 'file_id'"):
        here.download(results, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_sent(
    here: World, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(rf.ConfigurationError, match="cannot be written to"):
        here.generate(3, download=tmp_path / "file")
    assert here.accepted() == 0


def test_a_full_disk_ends_the_download_with_the_results_so_far(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = here.generate(4, endpoint="async/single")
    link, done = os.link, 0

    def full(*paths: Any) -> None:
        nonlocal done
        done += 1
        if done > 2:
            raise OSError(28, "No space left on device")
        link(*paths)

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(rf.ConfigurationError, match="No space left") as caught:
        here.download(results, tmp_path)
    assert caught.value.results["status"].tolist().count("ready") == 2
    assert all(path.read_bytes().startswith(b"%PDF-") for path in tmp_path.rglob("*.pdf"))


# a ZIP's entries


def zipped(*entries: tuple[str, bytes], encoding: str | None = None) -> io.BytesIO:
    """Return a ZIP; with an encoding, its names are bytes of it without the flag for UTF-8."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pdf in entries:
            archive.writestr(zipfile.ZipInfo(name if encoding is None else "x" * len(name.encode(encoding))), pdf)
    if encoding is None:
        return out
    raw = out.getvalue()
    for name, _ in entries:
        raw = raw.replace(b"x" * len(name.encode(encoding)), name.encode(encoding))
    return io.BytesIO(raw)


@pytest.mark.parametrize(
    "entry",
    [
        "請求書 ガ.pdf",
        "請求書 カ\u3099.pdf",
        "folder/請求書 ガ.pdf",
        "..\\..\\請求書 ガ.PDF",
        "/請求書 ガ.pdf",
        "請求書 ガ",
    ],
)
def test_an_entry_is_found_however_its_name_is_spelled(entry: str) -> None:
    assert list(pdfs_of(zipped((entry, b"%PDF-1")), ["x.pdf", "請求書 ガ.pdf"])) == [(1, b"%PDF-1")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_an_entry_without_the_flag_for_utf_8_is_found(encoding: str) -> None:
    archive = zipped(("請求書七.pdf", b"%PDF-1"), encoding=encoding)
    assert list(pdfs_of(archive, ["請求書七.pdf"])) == [(0, b"%PDF-1")]


def test_broken_entries_are_left_out_and_hide_no_other() -> None:
    archive = zipped(("a.pdf", b"%PDF-a" * 99), ("b.pdf", b"<html>"), ("c.pdf/", b""), ("d.pdf", b"%PDF-d"))
    raw = bytearray(archive.getvalue())
    place = raw.index(b"a.pdf") + len("a.pdf")
    raw[place : place + 4] = b"\xff\xff\xff\xff"
    names = ["a.pdf", "b.pdf", "c.pdf", "d.pdf", "e.pdf"]
    assert list(pdfs_of(io.BytesIO(bytes(raw)), names)) == [(3, b"%PDF-d")]


@pytest.mark.parametrize("cut", [0, 2, 30, -1])
def test_what_is_no_zip_holds_nothing(cut: int) -> None:
    raw = zipped(("a.pdf", b"%PDF-a")).getvalue()[:cut]
    assert list(pdfs_of(io.BytesIO(raw), ["a.pdf"])) == []
