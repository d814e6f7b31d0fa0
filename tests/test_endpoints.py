"""Every operation of the service from pandas: sync, share, ids, versions, shapes, OAuth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pypdfium2
import pytest
from support.virtual_service import World, people, plain, world

import reportflow_pandas as rf
from reportflow_pandas.api import responses
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.options import Options


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


def text_of(path: str) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


# sync


@pytest.mark.parametrize(("endpoint", "calls"), [("sync/single", 3), ("sync/multiple", 1)])
@pytest.mark.parametrize("status", [200, 201])
def test_a_sync_answer_is_ready_and_saved_without_another_call(
    endpoint: str, calls: int, status: int, tmp_path: Path
) -> None:
    with world(sync_status=status) as made:
        results = made.generate(3, endpoint=endpoint, download=tmp_path)
        assert made.calls() == {endpoint: calls}
        ids = {document.file_name: document.file_id for document in made.service.documents}
    assert (results["status"] == "ready").all()
    assert (results["http_status"] == status).all()
    for number, row in enumerate(results.itertuples()):
        assert row.file_id == ids[f"Person {number}"]
        assert row.path == str(tmp_path / f"Person {number}.pdf")
        assert Path(row.path).read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_a_sync_row_without_download_is_ready_and_can_be_fetched_later(
    here: World, endpoint: str, tmp_path: Path
) -> None:
    results = here.generate(3, endpoint=endpoint)
    assert (results["status"] == "ready").all()
    assert results["path"].isna().all()
    saved = here.download(results, tmp_path)
    assert sum(here.calls("download").values()) == (3 if endpoint == "sync/single" else 1)
    assert saved["path"].notna().all()


def test_sync_files_that_are_saved_are_not_fetched_again(here: World, tmp_path: Path) -> None:
    results = here.generate(3, endpoint="sync/multiple", download=tmp_path)
    here.download(results.assign(path=None).astype({"path": results["path"].dtype}), tmp_path)
    assert here.calls("download") == {}


def test_a_mapping_of_a_hundred_files_is_larger_than_aiohttps_usual_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual limit is 8,190 bytes; 100 Japanese names take four times that and more."""
    sizes: list[int] = []
    read = responses.files_from_mapping

    def measured(raw: str) -> Any:
        sizes.append(len(raw))
        return read(raw)

    monkeypatch.setattr(responses, "files_from_mapping", measured)
    frame = pd.DataFrame({"name": [f"山田商店御中 御請求書 令和八年 第{number:04d}号" for number in range(100)]})
    with world() as made:
        results = made.generate(frame, endpoint="sync/multiple", download=tmp_path)
        ids = {document.file_name: document.file_id for document in made.service.documents}
        assert made.calls() == {"sync/multiple": 1}
    assert sizes[0] > 35_000
    assert (results["status"] == "ready").all()
    assert results["file_id"].tolist() == [ids[name] for name in frame["name"]]
    assert results["path"].nunique() == 100


@pytest.mark.parametrize("fault", ["no_mapping", "broken_mapping"])
@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_sync_files_without_a_mapping_are_saved_by_name(endpoint: str, fault: str, tmp_path: Path) -> None:
    with world(faults=Fault(fault, times=None)) as made:
        results = made.generate(3, endpoint=endpoint, download=tmp_path)
        assert made.calls("download") == {}
        again = made.download(results, tmp_path)
        assert made.calls("download") == {}
    assert results["path"].nunique() == 3
    assert again["path"].tolist() == results["path"].tolist()


def test_a_document_whose_entry_is_missing_is_ready_when_its_pdf_came_with_the_answer(tmp_path: Path) -> None:
    with world(faults=Fault("missing_entries", file_name="Person 1")) as made:
        results = made.generate(3, endpoint="sync/multiple", download=tmp_path)
        assert made.calls() == {"sync/multiple": 1}
    assert (results["status"] == "ready").all()
    assert results["path"].nunique() == 3


@pytest.mark.parametrize("endpoint", ["sync/single", "sync/multiple"])
def test_a_sync_pdf_that_was_cut_off_is_unknown_and_nothing_is_saved(endpoint: str, tmp_path: Path) -> None:
    with world(faults=Fault("truncated")) as made:
        results = made.generate(1, endpoint=endpoint, download=tmp_path)
        assert made.calls() == {endpoint: 1}
    assert results["status"].tolist() == ["unknown"]
    assert not list(tmp_path.rglob("*.pdf"))


@pytest.mark.parametrize("completes", [True, False])
def test_a_sync_time_out_is_unknown_whether_or_not_the_work_goes_on(completes: bool) -> None:
    with world(render_delay=121.0, sync_timeout_completes=completes) as made:
        results = made.generate(3, endpoint="sync/multiple")
        assert made.calls() == {"sync/multiple": 1}
        assert made.accepted() == (3 if completes else 0)
    assert (results["status"] == "unknown").all()
    assert (results["http_status"] == 504).all()
    assert (results["error_kind"] == "unknown_outcome").all()


def test_sync_calls_have_a_limit_of_their_own() -> None:
    """Sixty-one sync calls take two windows of 30; async calls in between are not held up."""
    limits = rf.Limits()
    with world(limits=limits) as made:
        results = made.generate(61, endpoint="sync/single")
        assert (results["status"] == "ready").all()
        assert 120 <= made.clock.monotonic() < 130
        now = made.clock.monotonic()
        made.generate(90, endpoint="async/single")
        assert made.clock.monotonic() - now < 5
        assert not [call for call in made.service.calls if call.status == 429]


def test_a_full_disk_stops_no_paid_call(here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are ready on the service; the error tells of the disk, and a later download costs nothing."""
    from reportflow_pandas.results import pdf_folder  # noqa: PLC0415 - to break it

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(pdf_folder.PdfFolder, "_written", full)
        with pytest.raises(rf.ConfigurationError, match="No space left") as caught:
            here.generate(12, endpoint="sync/single", concurrency=3, download=tmp_path)
    assert caught.value.results["status"].tolist() == ["ready"] * 12
    saved = here.download(caught.value.results, tmp_path)
    assert saved["path"].nunique() == 12
    assert here.accepted() == 12


# what goes along


@pytest.mark.parametrize("word", ["workspace", "invited", "public"])
@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple", "sync/single", "sync/multiple"])
def test_share_words_arrive_as_what_they_say(here: World, word: str, endpoint: str) -> None:
    here.generate(2, share=word, passcode=True, endpoint=endpoint)
    assert {(document.share_type, document.passcode_enabled) for document in here.service.documents} == {
        (word, True)
    }


def test_share_and_passcode_can_differ_by_row(here: World) -> None:
    frame = people(3)
    share = pd.Series(["public", "invited", "workspace"])
    here.generate(frame, share=share, passcode=share == "public", endpoint="async/multiple")
    assert [(document.share_type, document.passcode_enabled) for document in here.service.documents] == [
        ("public", True),
        ("invited", False),
        ("workspace", False),
    ]


def test_a_share_word_that_is_none_is_refused_before_anything_is_sent(here: World) -> None:
    with pytest.raises(rf.ReportFlowError, match="workspace"):
        here.generate(2, share="everybody")
    with pytest.raises(rf.ReportFlowError, match="workspace"):
        here.generate(2, share=pd.Series(["public", "everybody"]))
    assert here.calls() == {}


def test_passthrough_columns_come_with_the_document_beside_our_own_id(here: World) -> None:
    frame = people(3).assign(order=[7, 8, 9], note=["a", None, "ö"])
    here.generate(frame, passthrough=["order", "note"])
    sent = [document.passthrough or {} for document in here.service.documents]
    assert [one["order"] for one in sent] == [7, 8, 9]
    assert [one.get("note") for one in sent] == ["a", None, "ö"]
    assert len({one["rf"] for one in sent}) == 3
    assert all(len(one["rf"]) == 16 for one in sent)


def test_the_docstring_warns_that_recipients_can_read_passthrough() -> None:
    said = " ".join((Options.__doc__ or "").split())
    place = said.index("passthrough : ")
    assert "metadata" in said[place : place + 400]


@pytest.mark.parametrize("suffix", ["", ".pdf", ".PDF"])
def test_file_names_with_and_without_pdf_are_the_same(here: World, suffix: str) -> None:
    frame = people(3)
    frame["file"] = frame["name"] + suffix
    results = here.generate(frame, file_name="file", endpoint="async/multiple")
    assert results["file_name"].tolist() == ["Person 0.pdf", "Person 1.pdf", "Person 2.pdf"]
    assert [document.file_name for document in here.service.documents] == frame["name"].tolist()


def test_names_that_differ_only_by_pdf_are_equal_names(here: World) -> None:
    frame = pd.DataFrame({"name": ["A", "a.pdf"]})
    with pytest.raises(rf.InvalidRows, match="2 documents would be named"):
        here.generate(frame, check=True)
    assert here.accepted() == 0


# what the service answers with


@pytest.mark.parametrize("endpoint", ["async/multiple", "sync/multiple"])
@pytest.mark.parametrize("style", ["short", "uuid"])
def test_ids_are_opaque(style: Any, endpoint: str, tmp_path: Path) -> None:
    with world(id_style=style) as made:
        saved = made.generate(8, endpoint=endpoint, download=tmp_path)
    assert (saved["status"] == "ready").all()
    assert set(saved["file_id"].str.len()) == ({16} if style == "short" else {36})


@pytest.mark.parametrize("mode", ["download", "page"])
@pytest.mark.parametrize("endpoint", ["async/multiple", "sync/single"])
def test_url_is_told_and_never_fetched(mode: Any, endpoint: str, tmp_path: Path) -> None:
    with world(url_mode=mode) as made:
        saved = made.generate(3, endpoint=endpoint, download=tmp_path)
        assert "page" not in made.calls()
    assert saved["url"].str.contains("__emulator__" if mode == "page" else "/v1/file/download/").all()
    assert (saved["status"] == "ready").all()


def test_the_page_of_a_single_document_is_preferred_to_the_requests(here: World) -> None:
    with world(share_url=True) as made:
        results = made.generate(8)
    ends = results["request_id"] + "/" + results["file_id"]
    assert [url.endswith(end) for url, end in zip(results["url"], ends, strict=True)] == [True] * 8


def test_an_answer_with_unknown_fields_and_echoed_params_is_fine(tmp_path: Path) -> None:
    with world(echo_params=True, faults=Fault("extra_fields", times=None)) as made:
        saved = made.generate(8, download=tmp_path, version="latest", check="warn")
    assert (saved["status"] == "ready").all()


def test_a_service_that_never_echoes_passthrough_is_matched_by_name() -> None:
    with world(echo_passthrough=False, faults=Fault("reordered_entries", times=None)) as made:
        results = made.generate(8)
        ids = {f"{document.file_name}.pdf": document.file_id for document in made.service.documents}
    assert results["file_id"].tolist() == [ids[name] for name in results["file_name"]]


# designs, versions, shapes


def test_both_shapes_of_the_parameters_give_the_same_check_and_the_same_documents() -> None:
    orders, lines = rf.example_orders()
    sent, shown, problems = [], [], []
    for shape in ("array", "object"):
        with rf.use_local(render=False, schema_shape=shape) as service:
            arguments: dict[str, Any] = {
                "design_id": "invoice",
                "tables": {"Lines": rf.Table(lines, on="InvoiceId")},
            }
            orders.head(20).reportflow.generate(**arguments)
            sent.append([document.params for document in service.documents])
            named = rf.parameters("invoice")[["name", "type", "fields"]]
            # the older shape has no place for a default, and leaves out what has one
            shown.append(named[~named["name"].isin(["Language", "Currency"])].reset_index(drop=True))
            problems.append(orders.rename(columns={"Total": "Totl"}).reportflow.check(**arguments))
    assert sent[0] == sent[1]
    pd.testing.assert_frame_equal(*shown)
    pd.testing.assert_frame_equal(*problems)


def test_the_list_of_designs_and_the_parameters_of_a_version() -> None:
    with rf.use_local(render=False) as service:
        designs = rf.designs()
        assert set(designs["design_id"]) >= {"invoice", "quotation", "receipt", "certificate"}
        assert designs["latest_version"].dtype == "int64"
        assert str(designs["updated_at"].dtype).endswith("UTC]")
        one, two = (set(rf.parameters("quotation", version)["name"]) for version in (1, 2))
        assert one != two
        assert set(rf.parameters("quotation")["name"]) == two
        assert service.counts() == {"designs": 1, "parameters": 3}
        with pytest.raises(rf.NotFoundError):
            rf.parameters("quotation", 99)


@pytest.mark.parametrize(("version", "used"), [("latest", 2), (1, 1), (2, 2)])
def test_the_latest_version_is_looked_up_and_a_pinned_one_is_not(here: World, version: Any, used: int) -> None:
    frame = pd.DataFrame({"name": ["A", "B"]})
    results = here.generate(frame, design_id="quotation", version=version, params={"Customer": "name"})
    assert {document.version for document in here.service.documents} == {used}
    assert here.calls().get("designs", 0) == (1 if version == "latest" else 0)
    assert results.attrs["reportflow"]["version"] == str(used)


def test_a_version_that_does_not_exist_costs_one_call(here: World) -> None:
    with pytest.raises(rf.NotFoundError) as caught:
        here.generate(300, version=99)
    assert here.calls() == {"async/multiple": 1}
    assert (caught.value.results["status"] == "not_sent").all()


# the client, all eight


def test_the_client_has_all_eight_operations(here: World) -> None:
    async def work() -> None:
        async with rf.Client(here.settings) as client:
            content = {"fileName": "A", "params": {"RecipientName": "A"}}
            single = await client.async_single("certificate", 1, content)
            await client.async_multiple("certificate", 1, [content, {**content, "fileName": "B"}])
            await client.sync_single("certificate", 1, content)
            await client.sync_multiple("certificate", 1, [content])
            assert (await client.download_file(single.request_id, single.files[0].file_id)).startswith(b"%PDF-")
            assert (await client.download_zip(single.request_id) or b"").startswith(b"PK")
            assert await client.designs()
            assert await client.parameters("certificate")

    asyncio.run(work())
    assert set(here.calls().values()) == {1}
    assert len(here.calls()) == 8


# OAuth


def with_client(made: World, **more: Any) -> World:
    service = made.service
    settings = rf.Settings(
        base_url=service.base_url,
        client_id=service.client_id,
        client_secret=service.client_secret,
        token_url=service.token_url,
        clock=made.clock,
        runs=made.settings.runs,
        **more,
    )
    return replace(made, settings=settings)


def test_client_credentials_work_from_end_to_end_with_one_token(here: World, tmp_path: Path) -> None:
    made = with_client(here)
    saved = made.generate(300, version="latest", check="warn", download=tmp_path)
    assert (saved["status"] == "ready").all()
    assert made.calls()["token"] == 1
    assert made.calls()["async/multiple"] == 3


def test_many_calls_wait_for_one_token(here: World) -> None:
    made = with_client(here)
    results = made.generate(60, endpoint="async/single", concurrency=30)
    assert (results["status"] == "accepted").all()
    assert made.calls() == {"token": 1, "async/single": 60}


def test_a_token_that_is_revoked_in_mid_run_is_renewed_once_however_many_calls_notice() -> None:
    revoked = []

    def revoke(endpoint: str, _: Any) -> None:
        if endpoint == "async/single" and len(revoked) < 40:
            revoked.append(endpoint)
            if len(revoked) == 40:
                made.service.revoke_tokens()

    with world(faults=[revoke], latency=1.0) as plainly:
        made = with_client(plainly)
        results = made.generate(100, endpoint="async/single", concurrency=20, limits=False)
        assert (results["status"] == "accepted").all()
        assert made.accepted() == 100
        assert made.calls()["token"] == 2
        refused = [call for call in made.service.calls if call.status == 401]
        assert 1 <= len(refused) <= 20


def test_a_token_is_renewed_a_minute_before_its_end() -> None:
    limits = rf.Limits(async_calls=1, window=60.0)
    with world(token_life=300.0) as plainly:
        made = with_client(plainly)
        results = made.generate(10, endpoint="async/single", limits=limits)
        assert (results["status"] == "accepted").all()
        assert made.calls()["token"] == 3
        assert not [call for call in made.service.calls if call.status == 401]


def test_a_wrong_client_secret_ends_before_anything_is_sent(here: World) -> None:
    made = with_client(here)
    made = replace(made, settings=replace(made.settings, client_secret="local_demo_secret_0002"))
    with pytest.raises(rf.AuthError, match="client_secret") as caught:
        made.generate(300)
    assert "async/multiple" not in made.calls()
    assert made.calls()["token"] == 1
    assert (caught.value.results["status"] == "not_sent").all()
    assert "local_demo_secret_0002" not in str(caught.value)


def test_key_and_client_together_are_refused(here: World) -> None:
    both = replace(with_client(here).settings, app_key="ak_local_demo_key_0001")
    with pytest.raises(rf.ConfigurationError, match="keep one"):
        here.generate(1, settings=both)
    assert here.calls() == {}


def test_rendered_sync_pdfs_hold_their_own_rows(tmp_path: Path) -> None:
    with world(render=True) as made:
        saved = made.generate(3, endpoint="sync/multiple", download=tmp_path)
    for number, path in enumerate(saved["path"]):
        assert f"Person {number}" in text_of(path)


def test_plain_arguments_need_no_look_up(here: World) -> None:
    here.generate(1, **{key: value for key, value in plain().items() if key != "file_name"})
    assert here.calls() == {"async/single": 1}
