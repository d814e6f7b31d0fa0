"""A key is renewed in the middle of a run: the run goes on, and nothing is made twice; counted at the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.execution import from_frame
from reportflow_pandas.journal import runs
from reportflow_pandas.local.service import LocalService, local_service
from reportflow_pandas.results.results_frame import ATTRS

FIRST, SECOND, OTHER = (f"ak_{word}_0123456789abcdef" for word in ("first", "second", "other"))
ROWS = 60
FRAME = pd.DataFrame(
    {
        "ReceiptId": [f"R{number}" for number in range(ROWS)],
        "ReceiptDate": "2026-11-05",
        "CustomerName": "A",
        "Company": "B",
        "Amount": 1.5,
        "Description": "d",
        "PaymentMethod": "cash",
    }
)


@pytest.fixture
def service(fresh_process: None) -> Iterator[LocalService]:
    """A service like the real one: its keys do not tell whose they are."""
    with local_service(render=False, app_key=FIRST) as running:
        rf.configure(base_url=running.base_url, app_key=FIRST)
        yield running


def generated(rows: int = ROWS) -> pd.DataFrame:
    return FRAME.head(rows).reportflow.generate("receipt", run="november", batch_size=20, progress=False)


def downloads(service: LocalService) -> int:
    return sum(call.endpoint.startswith("download") for call in service.calls)


def test_generate_goes_on_with_the_new_key_after_asking_for_one_document(service: LocalService) -> None:
    generated(40)
    service.regenerate_key(SECOND)
    with pytest.raises(
        rf.AuthError, match=r"If the key was renewed: rf\.configure\(app_key='ak_…'\), then the same line again"
    ):
        generated()
    rf.configure(app_key=SECOND)
    assert generated()["status"].eq("accepted").all()
    assert (len(service.documents), downloads(service)) == (ROWS, 1)
    assert generated()["status"].eq("accepted").all()  # the run is the new key's by now
    assert (len(service.documents), downloads(service)) == (ROWS, 1)


def test_a_plan_goes_by_the_new_key_too(service: LocalService) -> None:
    generated(40)
    service.regenerate_key(SECOND)
    rf.configure(app_key=SECOND)
    plan = FRAME.reportflow.plan("receipt", run="november", batch_size=20)
    assert (plan.already, plan.documents, plan.calls) == (40, 20, 1)
    assert len(service.documents) == 40


def test_resume_retry_and_download_go_on(service: LocalService, tmp_path: Path) -> None:
    first = generated(40)
    service.regenerate_key(SECOND)
    with pytest.raises(rf.AuthError) as refused:
        generated()
    rf.configure(app_key=SECOND)
    saved = first.reportflow.download(tmp_path / "pdfs")
    assert saved["path"].notna().all()
    assert len(refused.value.results) == ROWS
    resumed = rf.resume("november", progress=False)
    assert resumed["status"].isin(["accepted", "ready"]).all()
    assert len(service.documents) == len(resumed)
    retried = resumed.reportflow.retry()
    assert retried["status"].isin(["accepted", "ready"]).all()
    assert len(service.documents) == len(resumed)


def test_another_workspaces_key_is_refused_and_told_no_way_to_pay_twice(service: LocalService) -> None:
    results = generated(40)
    with local_service(render=False, app_key=OTHER, seed=7, port=0) as elsewhere:
        # the same address, another workspace behind it
        service.stop()
        elsewhere.stop()
        elsewhere._port = service._port
        elsewhere.start()
        rf.configure(app_key=OTHER)
        for verb in (
            generated,
            lambda: FRAME.reportflow.plan("receipt", run="november"),
            lambda: rf.resume("november", progress=False),
            lambda: results.reportflow.download("pdfs"),
        ):
            with pytest.raises(rf.ConfigurationError) as refused:
                verb()
            assert "another run name" not in str(refused.value)
        assert len(elsewhere.documents) == 0
        with pytest.raises(rf.ConfigurationError, match=r"rf\.resume\('november', same_workspace=True\)"):
            generated()


def test_who_knows_better_says_so(service: LocalService) -> None:
    generated(40)
    service.clear()  # as after the retention: the service has forgotten the documents
    service.regenerate_key(SECOND)
    rf.configure(app_key=SECOND)
    with pytest.raises(rf.ConfigurationError, match="same_workspace=True"):
        generated()
    resumed = rf.resume("november", same_workspace=True, progress=False)
    assert resumed["status"].eq("accepted").all()
    assert len(service.documents) == 0
    assert generated()["status"].eq("accepted").all()
    assert len(service.documents) == ROWS - 40


def test_a_refusal_shows_what_the_run_has(service: LocalService) -> None:
    """Its documents are paid for, whoever may send the rest."""
    generated(40)
    service.clear()
    service.regenerate_key(SECOND)
    rf.configure(app_key=SECOND)
    with pytest.raises(rf.ConfigurationError) as refused:
        rf.resume("november", progress=False)
    assert refused.value.results["status"].eq("accepted").all()
    rf.configure(app_key=OTHER)
    with pytest.raises(rf.AuthError) as refused_at_all:
        rf.resume("november", progress=False)
    assert refused_at_all.value.results["status"].eq("accepted").all()


def test_a_download_that_meets_a_renewed_key_names_the_way_on(service: LocalService, tmp_path: Path) -> None:
    results = generated(40)
    service.regenerate_key(SECOND)
    with pytest.raises(
        rf.AuthError, match=r"renewed: rf\.configure\(app_key='ak_…'\), then the same line again"
    ) as refused:
        results.reportflow.download(tmp_path / "pdfs")
    rf.configure(app_key=SECOND)
    assert refused.value.results.reportflow.download(tmp_path / "pdfs")["status"].eq("ready").all()
    assert len(service.documents) == 40


def test_a_run_of_which_nothing_was_accepted_is_anybodys(service: LocalService) -> None:
    service.regenerate_key(SECOND)
    with pytest.raises(rf.AuthError):
        FRAME.reportflow.generate(
            "receipt", run="november", params=list(FRAME), version=1, check=False, progress=False
        )
    rf.configure(app_key=SECOND)
    assert rf.resume("november", progress=False)["status"].eq("accepted").all()
    assert (len(service.documents), downloads(service)) == (ROWS, 0)


MISTYPED = {
    "generate": lambda _results: generated(),
    "plan": lambda _results: FRAME.reportflow.plan("receipt", run="november"),
    "resume": lambda _results: rf.resume("november", progress=False),
    "retry": lambda results: results.reportflow.retry(),
    "download": lambda results: results.reportflow.download("pdfs"),
}


@pytest.mark.parametrize("verb", MISTYPED)
@pytest.mark.parametrize("moved", [False, True], ids=["same port", "started again on another port"])
def test_a_mistyped_key_for_the_embedded_service_is_refused_by_the_service(
    fresh_process: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, *, moved: bool
) -> None:
    """It doesn't look like one of that service, so the run looked like another's, and no call was made."""
    monkeypatch.chdir(tmp_path)
    with local_service(render=False) as running:
        rf.configure(base_url=running.base_url, app_key=running.app_key)
        results = generated(40)
        results.iloc[30:, results.columns.get_loc("status")] = "failed"
        if moved:
            running.stop()
            running._port = 0
            running.start()
        rf.configure(base_url=running.base_url, app_key="ak_typo_0123456789abcdef")
        calls, documents = len(running.calls), len(running.documents)
        with pytest.raises(rf.AuthError) as refused:
            MISTYPED[verb](results)
        assert len(running.calls) == calls + 1
        assert "another workspace" not in str(refused.value)
        assert rf.resume("november", same_workspace=True, progress=False)["status"].eq("accepted").all()
        rf.configure(app_key=running.app_key)
        assert generated()["status"].eq("accepted").all()
        assert len(running.documents) == documents + ROWS - 40


def test_a_named_workspace_needs_no_proof(service: LocalService) -> None:
    rf.configure(workspace="acme")
    results = generated(40)
    assert results.attrs[ATTRS]["workspace"] == "acme"
    service.regenerate_key(SECOND)
    rf.configure(app_key=SECOND)
    assert generated()["status"].eq("accepted").all()
    assert (len(service.documents), downloads(service)) == (ROWS, 0)


def test_a_key_that_is_renewed_while_rows_are_sent_names_the_way_on(service: LocalService) -> None:
    service.regenerate_key(SECOND)
    with pytest.raises(rf.AuthError) as refused:
        FRAME.reportflow.generate(
            "receipt", run="march", params=list(FRAME), version=1, check=False, progress=False
        )
    assert "rf.configure(app_key='ak_…'), then rf.resume('march') goes on" in str(refused.value)
    assert refused.value.status == 401


def test_old_runs_are_forgotten_by_their_age(
    service: LocalService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated(2)
    unnamed = FRAME.head(1).reportflow.generate("receipt", progress=False).attrs[ATTRS]["run"]
    assert rf.forget(older_than="1d") == []
    assert set(rf.forget(older_than="0s")) == {"november", unnamed}
    assert rf.runs().empty
    for given in ({}, {"run": "november", "older_than": "1d"}, {"older_than": 30}, {"older_than": "soon"}):
        with pytest.raises(rf.ConfigurationError):
            rf.forget(**given)  # type: ignore[arg-type]


def test_a_complete_run_without_a_name_is_forgotten_after_a_month_and_no_other(
    service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    folder = rf.configure().runs
    unnamed = FRAME.head(1).reportflow.generate("receipt", progress=False).attrs[ATTRS]["run"]
    generated(2)
    later = Later()
    from_frame._TIDIED.clear()  # as in another process
    (folder / f"{unnamed}.sqlite").rename(folder / "2026-01-02-030405-abcdef.sqlite")
    assert runs.forget_old(folder, 30 * 86_400.0, SYSTEM_CLOCK, unnamed=True) == []
    with caplog.at_level("INFO", "reportflow_pandas"):
        FRAME.head(1).reportflow.generate("receipt", progress=False, settings=replace(rf.configure(), clock=later))
    assert "2026-01-02-030405-abcdef" in caplog.text
    assert "2026-01-02-030405-abcdef" not in set(rf.runs()["run"])
    assert "november" in set(rf.runs()["run"])


class Later(Clock):
    """Forty days on."""

    def timestamp(self) -> float:
        return super().timestamp() + 40 * 86_400
