"""Looking before paying: check and plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import made, people, plain, world

import reportflow_pandas as rf
from reportflow_pandas.engine.batching import MAX_BODY
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

COLUMNS = ["level", "column", "row", "count", "problem", "suggestion"]


def errors(problems: pd.DataFrame) -> pd.DataFrame:
    return problems[problems["level"] == "error"]


def only(problems: pd.DataFrame, column: str) -> Any:
    """Return the one line about a column."""
    lines = problems[problems["column"] == column]
    assert len(lines) == 1, problems.to_string()
    return lines.iloc[0]


# check


def test_characters_that_the_fonts_lack_are_refused_before_anything_is_accepted(
    local: Callable[..., LocalService], orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    service = local(render=True)
    frame = orders.head(3).assign(CustomerName=["Ada", "Bob 😀", "日本語"])
    (problem,) = errors(frame.reportflow.check(**invoices))["problem"]
    assert "'😀' (U+1F600)" in problem
    assert len(errors(frame.reportflow.plan(**invoices).problems)) == 1
    with pytest.raises(rf.InvalidRows, match=r"U\+1F600"):
        frame.reportflow.generate(**invoices)
    assert not service.documents


def test_a_frame_that_fits_has_no_errors_and_nothing_was_sent(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    problems = orders.reportflow.check(**invoices)
    assert problems.columns.tolist() == COLUMNS
    assert errors(problems).empty
    assert service.counts() == {"designs": 1, "parameters": 1}


def test_what_prints_on_every_invoice_and_nothing_else_is_no_problem_at_all(
    service: LocalService, orders: pd.DataFrame, lines: pd.DataFrame
) -> None:
    used = rf.parameters("invoice")["name"]
    tables = {"Lines": rf.Table(lines.drop(columns="InvoiceLineId"), on="InvoiceId")}
    problems = orders[[name for name in used if name in orders]].reportflow.check("invoice", tables=tables)
    assert problems.empty
    assert problems.columns.tolist() == COLUMNS


def test_a_parameter_without_a_column_is_an_error_with_the_near_miss(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    problems = orders.rename(columns={"CustomerName": "CustmerName"}).reportflow.check(**invoices)
    line = only(errors(problems), "CustomerName")
    assert "would print blank" in line["problem"]
    assert "'CustmerName'" in line["suggestion"]
    assert only(problems, "CustmerName")["level"] == "warning"


def test_a_column_that_is_no_parameter_is_a_warning(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    line = only(orders.assign(Mood="good").reportflow.check(**invoices), "Mood")
    assert line["level"] == "warning"
    assert "is not sent" in line["problem"]


def test_columns_used_by_name_key_or_passthrough_are_not_called_unused(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    frame = orders.assign(Ours=range(len(orders)), Track=[f"T{n}" for n in range(len(orders))])
    problems = frame.reportflow.check(**invoices, file_name="X-{Ours:04d}", passthrough="Track")
    assert not set(problems["column"]) & {"Ours", "Track", "InvoiceId"}


def test_a_parameter_that_the_design_does_not_have_is_an_error(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    params = {name: name for name in rf.parameters("invoice")["name"] if name in orders}
    line = only(orders.reportflow.check(**invoices, params={**params, "Totl": "Total"}), "Totl")
    assert (line["level"], line["suggestion"]) == ("error", "Did you mean 'Total'?")
    assert "printed nowhere" in line["problem"]


@pytest.mark.parametrize(
    ("column", "values", "level", "words"),
    [
        ("Total", ["1.5", "2"], "warning", "numbers as text"),
        ("Total", ["cheap", 2.0], "error", "is a number"),
        ("Total", [True, False], "error", "is a number"),
        ("Total", [1.0, None], "error", "refuses null there with 400"),
        ("Total", pd.to_datetime(["2026-01-01", "2026-01-02"]), "error", "is a number"),
        ("InvoiceDate", [1, 2], "error", "is a date"),
        ("InvoiceDate", ["soon", "2026-01-01"], "warning", "do not look like"),
        ("CustomerName", [["a", "b"], "c"], "error", "lists or dicts"),
    ],
)
def test_values_of_the_wrong_kind_are_told_with_their_first_row(
    service: LocalService,
    orders: pd.DataFrame,
    invoices: dict[str, Any],
    column: str,
    values: Any,
    level: str,
    words: str,
) -> None:
    kinds = dict(rf.parameters("invoice")[["name", "type"]].itertuples(index=False))
    assert column in kinds
    frame = orders.head(2).set_axis(["first", "second"])
    frame[column] = pd.Series(values, index=frame.index)
    line = only(frame.reportflow.check(**invoices), column)
    assert line["level"] == level, line["problem"]
    assert words in line["problem"]
    assert line["row"] in ("first", "second")
    assert 1 <= line["count"] <= 2


def test_a_missing_text_is_no_error_and_a_missing_number_can_be_left_out(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    frame = orders.head(3).assign(Company=None)
    frame.loc[frame.index[1], "Total"] = None
    problems = frame.reportflow.check(**invoices)
    assert errors(problems)["column"].tolist() == ["Total"]
    assert only(problems, "Total")["row"] == frame.index[1]
    assert errors(frame.reportflow.check(**invoices, drop_missing=True)).empty


def test_columns_of_nested_tables_are_checked_too(
    service: LocalService, orders: pd.DataFrame, lines: pd.DataFrame
) -> None:
    bad = lines.rename(columns={"Quantity": "Quantty"})
    bad["UnitPrice"] = bad["UnitPrice"].astype(object)
    bad.loc[bad.index[5], "UnitPrice"] = "free"
    problems = orders.reportflow.check("invoice", tables={"Lines": rf.Table(bad, on="InvoiceId")})
    missing = only(errors(problems), "Lines.Quantity")
    assert "'Quantty'" in missing["suggestion"]
    wrong = only(errors(problems), "Lines.UnitPrice")
    assert (wrong["row"], wrong["count"]) == (bad.index[5], 1)


def test_documents_without_lines_and_lines_without_a_document_are_warnings(
    service: LocalService, orders: pd.DataFrame, lines: pd.DataFrame
) -> None:
    lonely = orders["InvoiceId"].iloc[3]
    some = lines[lines["InvoiceId"] != lonely].copy()
    some.loc[some.index[:2], "InvoiceId"] = "nobody"
    problems = orders.reportflow.check("invoice", tables={"Lines": rf.Table(some, on="InvoiceId")})
    found = problems[problems["column"] == "Lines"]
    assert (found["level"] == "warning").all()
    texts = " | ".join(found["problem"])
    assert "no lines for" in texts
    assert "2 lines belong to no document" in texts


def test_equal_file_names_are_an_error_that_names_the_rows(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    frame = orders.head(4).assign(No=["A", "b", "B", "a"])
    problems = errors(frame.reportflow.check(**invoices, file_name="No"))
    assert problems["count"].tolist() == [2, 2]
    assert "'A'" in problems["problem"].iloc[0]


def test_a_document_that_is_larger_than_a_call_may_be_is_an_error(service: LocalService) -> None:
    frame = pd.DataFrame({"name": ["small", "x" * (MAX_BODY + 1), "small too"]}, index=["a", "b", "c"])
    problems = frame.reportflow.check("certificate", params={"RecipientName": "name"})
    large = problems[problems["problem"].str.contains("bytes")]
    assert large[["level", "row", "count"]].to_numpy().tolist() == [["error", "b", 1]]
    assert "50" in large["problem"].iloc[0]
    assert large["suggestion"].iloc[0] == "Make its images or tables smaller, or split it into several documents"
    plan = frame.reportflow.plan("certificate", params={"RecipientName": "name"})
    pd.testing.assert_frame_equal(plan.problems, problems)
    results = frame.reportflow.generate("certificate", params={"RecipientName": "name"}, check="warn")
    assert results["status"].tolist() == ["accepted", "failed", "accepted"]
    assert results["error_kind"].iloc[1] == "too_large"
    assert len(service.documents) == 2


def test_check_refuses_what_generate_refuses_and_nothing_else(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    for frame in (orders.head(3), orders.head(3).drop(columns="Total"), orders.head(3).assign(Total="much")):
        if errors(frame.reportflow.check(**invoices)).empty:
            frame.reportflow.generate(**invoices)
        else:
            with pytest.raises(rf.InvalidRows, match="check='warn' goes on"):
                frame.reportflow.generate(**invoices)
    assert len(service.documents) == 3


def test_what_check_warns_of_and_refuses_the_service_refuses_too(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    """A null in a number is answered with 400: so says check, and so it is."""
    frame = orders.head(3).copy()
    frame.loc[frame.index[1], "Total"] = None
    results = frame.reportflow.generate(**invoices, check="warn")
    assert results["status"].tolist() == ["accepted", "failed", "accepted"]
    assert results["http_status"].tolist()[1] == 400


def test_an_empty_frame_can_be_looked_at(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    assert errors(orders.head(0).reportflow.check(**invoices)).empty
    plan = orders.head(0).reportflow.plan(**invoices)
    assert (plan.documents, plan.calls, plan.seconds) == (0, 0, 0.0)
    assert "documents" in repr(plan)
    with pytest.raises(rf.ConfigurationError, match="no rows"):
        orders.head(0).reportflow.preview(**invoices)


# plan


@pytest.mark.parametrize(
    ("rows", "options", "calls", "seconds"),
    [
        (5, {}, 5, 0.0),
        (412, {}, 5, 0.0),
        (9_800, {}, 98, 0.0),  # 98 calls and 2 look-ups are a full window
        (9_801, {}, 99, 60.0),
        (10_000, {}, 100, 60.0),
        (10_000, {"download": "out"}, 100, 120.0),
        (60, {"endpoint": "sync/single"}, 60, 60.0),
        (61, {"endpoint": "sync/single"}, 61, 120.0),
        (61, {"endpoint": "sync/single", "download": "out"}, 61, 120.0),
        (10_000, {"limits": False}, 100, 0.0),
        (10_000, {"limits": rf.Limits(async_calls=10, window=30.0)}, 100, 300.0),
    ],
)
def test_the_plan_tells_calls_and_the_least_time_that_the_limits_allow(
    service: LocalService, tmp_path: Path, rows: int, options: dict[str, Any], calls: int, seconds: float
) -> None:
    if "download" in options:
        options = {**options, "download": tmp_path / "out"}
    plan = people(rows).reportflow.plan("certificate", params={"RecipientName": "name"}, check="warn", **options)
    assert (plan.documents, plan.calls, plan.look_ups, plan.seconds) == (rows, calls, 2, seconds)
    assert service.counts() == {"designs": 1, "parameters": 1}
    assert not (tmp_path / "out").exists()


def test_the_plan_counts_the_bytes_that_are_sent(
    local: Callable[..., LocalService], orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    sizes: list[int] = []
    service = local()
    plan = orders.reportflow.plan(**invoices)
    from reportflow_pandas.engine.batching import Call  # noqa: PLC0415 - to listen at

    body = Call.body

    def listened(self: Call) -> bytes:
        sizes.append(len(body(self)))
        return body(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "body", listened)
        orders.reportflow.generate(**invoices)
    assert sum(sizes) == plan.bytes
    assert plan.calls == service.counts()["async/multiple"] == 5


def test_the_first_document_is_what_is_sent(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    plan = orders.head(2).reportflow.plan(**invoices, share="public", passcode=True)
    orders.head(2).reportflow.generate(**invoices, share="public", passcode=True)
    sent = min(service.documents, key=lambda document: document.file_name)
    assert plan.first["params"] == sent.params
    assert plan.first["fileName"] == sent.file_name
    assert (plan.first["shareType"], plan.first["passcodeEnabled"]) == ("03", True)


def test_a_plan_shows_itself_as_text_and_as_a_table_and_points_at_errors(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    plan = orders.assign(Company="<b>").drop(columns="Total").reportflow.plan(**invoices)
    assert "412 (each is billed)" in repr(plan)
    assert "1 error: see .problems" in repr(plan)
    assert "<b>" not in plan._repr_html_()
    assert "&lt;b&gt;" in plan._repr_html_()
    assert len(errors(plan.problems)) == 1


def half_way(local: Callable[..., LocalService], **more: Any) -> tuple[LocalService, pd.DataFrame]:
    """A run of 12 rows: Person 1 was refused once, of Person 2 it is not known."""
    faults = [Fault(status=400, file_name="Person 1"), Fault("dropped_after", file_name="Person 2")]
    service, frame = local(faults=faults), people(12).assign(no=range(12))
    made(frame, endpoint="async/single", **more)
    return service, frame


@pytest.mark.parametrize(
    ("change", "more", "documents"),
    [
        (lambda frame: frame, {}, 1),
        (lambda frame: frame, {"again": [3, 4]}, 3),
        (lambda frame: frame, {"again": [2]}, 2),
        (lambda frame: frame.iloc[::-1].head(8), {}, 0),
        (lambda frame: pd.concat([frame.head(4), frame.head(3)], ignore_index=True), {"file_name": "p{index}"}, 4),
        (lambda frame: frame.assign(name="Somebody"), {"file_name": "p{index}", "endpoint": "async/multiple"}, 12),
        (lambda frame: frame.assign(name="Somebody"), {"file_name": "p{index}", "key": "no"}, 1),
        (lambda frame: frame, {"version": 2, "design_id": "quotation", "params": {"ClientName": "name"}}, 12),
    ],
    ids=["same", "again", "again unknown", "fewer", "equal rows", "other content", "key", "another design"],
)
def test_the_plan_of_a_run_counts_what_its_generation_then_sends(
    local: Callable[..., LocalService],
    change: Callable[[pd.DataFrame], pd.DataFrame],
    more: dict[str, Any],
    documents: int,
) -> None:
    service, whole = half_way(local, **{name: more[name] for name in more if name == "key"})
    frame, options = change(whole), {**plain(), "endpoint": "async/single", "run": "november", **more}
    before, accepted = service.counts(), len(service.documents)
    plan = frame.reportflow.plan(**options)
    assert service.counts() == before
    assert (plan.documents, plan.already) == (documents, len(frame) - documents)
    frame.reportflow.generate(**options)
    assert len(service.documents) - accepted == plan.documents
    assert (service.counts() - before)[options["endpoint"]] == plan.calls
    assert frame.reportflow.plan(**options | {"again": None}).documents == 0


def test_the_plan_of_a_run_says_how_many_it_has_and_shows_the_first_that_is_sent(service: LocalService) -> None:
    made(people(10))
    plan = people(12).reportflow.plan(**plain(), run="november")
    assert "documents   2 (each is billed)\nin the run  10 already, not sent again\n" in repr(plan)
    assert plan.first["params"] == {"RecipientName": "Person 10"}
    assert plan.bytes < people(12).reportflow.plan(**plain()).bytes
    assert "in the run" not in repr(people(12).reportflow.plan(**plain(), run="december"))
    assert rf.runs()["run"].tolist() == ["november"]


def test_a_run_can_be_planned_while_it_is_sent_and_is_not_disturbed() -> None:
    """What is in flight is not sent again by the process that goes on, so it counts as sent."""
    with world(latency=5.0) as here:
        options = {**plain(), "run": "november", "endpoint": "async/single", "settings": here.settings}
        with here.clock.hold():
            job = people(40).reportflow.submit(**options)
            while not here.service.calls:
                job.wait(0.02)
            plan = people(50).reportflow.plan(**options)
            assert (plan.documents, plan.already) == (49, 1)
        assert (job.result()["status"] == "accepted").all()
        assert here.accepted() == 40
        assert people(50).reportflow.plan(**options).documents == 10


def test_a_run_is_planned_and_checked_by_the_version_that_it_began_with(service: LocalService) -> None:
    """The quotation's latest version is another one, and has other parameters."""
    frame = pd.DataFrame({"ClientName": ["Ada", "Bob"], "QuoteNo": ["1", "2"]})
    frame.head(1).reportflow.generate("quotation", version=1, run="november", check="warn")
    assert frame.reportflow.plan("quotation").version == 2
    plan = frame.reportflow.plan("quotation", run="november")
    assert (plan.version, plan.documents) == (1, 1)
    pd.testing.assert_frame_equal(frame.reportflow.check("quotation", run="november"), plan.problems)
    assert plan.problems.equals(frame.reportflow.check("quotation", version=1))


def test_the_plan_of_a_run_counts_the_pdfs_of_before_that_are_not_in_the_folder(
    local: Callable[..., LocalService], tmp_path: Path
) -> None:
    service, folder = local(), tmp_path / "pdfs"
    made(people(6), batch_size=2)
    options = {**plain(), "run": "november", "batch_size": 2, "download": folder}
    plan = people(9).reportflow.plan(**options)
    assert (plan.documents, plan.calls, plan.downloads) == (3, 2, 5)
    assert not folder.exists()
    people(9).reportflow.generate(**options)
    assert service.counts()["download/zip"] + service.counts()["download/file"] == 5
    assert people(9).reportflow.plan(**options).downloads == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"key": "no"}, "knows its documents by their content"),
        ({"key": "nr"}, "no column 'nr'"),
        ({"again": [99]}, "no 99"),
        ({"run": "a/b"}, "a run is named by letters"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_what_a_generation_of_the_run_refuses_its_plan_refuses_in_the_same_words(
    service: LocalService, more: dict[str, Any], words: str
) -> None:
    frame = people(3).assign(no=range(3))
    made(frame)
    for verb in (frame.reportflow.plan, frame.reportflow.generate):
        with pytest.raises(rf.ConfigurationError, match=words):
            verb(**{**plain(), "run": "november", **more})
    assert len(service.documents) == 3


def test_after_a_preview_the_plan_estimates_pages_and_says_that_it_does() -> None:
    orders, lines = rf.example_orders()
    arguments: dict[str, Any] = {"tables": {"Lines": rf.Table(lines, on="InvoiceId")}}
    with rf.use_local():
        assert orders.reportflow.plan("invoice", **arguments).pages is None
        shown = orders.reportflow.preview("invoice", row=4, **arguments)
        plan = orders.reportflow.plan("invoice", **arguments)
    assert plan.pages == len(shown.pages) * len(orders)
    assert f"about {plan.pages:,}, if all have as many as the one of the last preview" in repr(plan)


def test_the_plan_of_big_sync_calls_advises_the_async_endpoint(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    advice = "endpoint='async/multiple'"
    assert advice in repr(orders.reportflow.plan(**invoices, endpoint="sync/multiple"))
    assert advice not in repr(orders.head(15).reportflow.plan(**invoices, endpoint="sync/multiple"))
    assert advice not in repr(orders.reportflow.plan(**invoices))


def test_pdfs_that_come_with_a_sync_answer_cost_no_download(service: LocalService, tmp_path: Path) -> None:
    plan = people(9).reportflow.plan(**plain(), endpoint="sync/single", download=tmp_path)
    assert (plan.calls, plan.downloads) == (9, 0)


@pytest.mark.parametrize(
    ("rows", "words"), [(3, "none, all calls may start at once"), (301, "3 min"), (6_001, "1 h")]
)
def test_the_least_time_is_told_in_words(service: LocalService, rows: int, words: str) -> None:
    plan = people(rows).reportflow.plan(**plain(), endpoint="async/single")
    assert words in str(plan)


def test_check_and_generate_draw_the_line_at_the_same_byte(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 MB are drawn in here: what stands around a document counts, and the last byte that fits does, too."""
    most = 20_000
    for module in ("reportflow_pandas.plan", "reportflow_pandas.engine.sender"):
        monkeypatch.setattr(f"{module}.MAX_BODY", most)
    options = {"params": {"RecipientName": "name"}, "version": 1, "progress": False, "endpoint": "async/single"}
    frame = pd.DataFrame({"name": ["x" * length for length in range(most - 230, most - 150)]})
    problems = frame.reportflow.check("certificate", **options)
    (told,) = problems.loc[problems["problem"].str.contains("bytes"), "count"]
    results = frame.reportflow.generate("certificate", **options, check="warn", limits=False)
    assert results["error_kind"].eq("too_large").sum() == told
    assert results["status"].value_counts().to_dict() == {"failed": told, "accepted": len(frame) - told}
    assert 0 < told < len(frame)


def test_a_plan_says_which_limit_it_counts_with_and_advises_where_sync_calls_carry_too_much(
    service: LocalService,
) -> None:
    def told(rows: int, **options: Any) -> str:
        return repr(people(rows).reportflow.plan("certificate", params={"RecipientName": "name"}, **options))

    assert "at most 100 calls in 60 s" in told(1)
    assert "no limit" in told(1, limits=False)
    assert "no limit" not in told(1)
    # the service has two minutes for a sync call, whatever is in it
    assert "advice" in told(21, endpoint="sync/multiple")
    assert "advice" not in told(20, endpoint="sync/multiple")
    assert "advice" not in told(60, endpoint="sync/multiple", batch_size=20)
    assert "advice" not in told(60, endpoint="async/multiple")


def test_a_plan_counts_errors_and_warnings_apart(service: LocalService) -> None:
    frame = people(1).assign(**dict.fromkeys(["Company", "Course", "Instructor"], "x"), Hours=1)
    frame = frame.assign(CompletionDate="2026-01-01")
    params = {name: name for name in ["Company", "Course", "Instructor", "Hours", "CompletionDate"]}
    one = repr(frame.reportflow.plan("certificate", params={**params, "RecipientName": "name"}))
    assert "1 error: see" in one
    extra = frame.assign(CertificateId=["1"], more="x")
    none = repr(
        extra.reportflow.plan("certificate", params={**params, "RecipientName": "name", "CertificateId": None})
    )
    assert "no errors" in none
