"""The command line, in this process and as a process of its own, counted at the service."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pypdfium2
import pytest

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.execution import run
from reportflow_pandas.local import use_local
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

PROGRAM = Path(sys.executable).with_name("reportflow-pandas")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that commands run in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def files(here: Path) -> Path:
    """Return a folder with twelve orders, their lines and a job file."""
    orders, lines = rf.example_orders()
    orders.head(12).to_csv(here / "orders.csv", index=False)
    lines.to_csv(here / "lines.csv", index=False)
    (here / "job.toml").write_text(
        'design = "invoice"\nfile_name = "INV-{InvoiceId}"\n[tables.Lines]\nfile = "lines.csv"\non = "InvoiceId"\n'
    )
    return here


def also(job: Path, *lines: str) -> None:
    """Say more in a job file; what stands at its end belongs to its last table."""
    job.write_text("\n".join([*lines, job.read_text()]))


def results_in(path: Path) -> pd.DataFrame:
    return pd.read_excel(path, sheet_name="Results", engine="openpyxl")


def sent(service: LocalService) -> dict[str, Any]:
    """Return the params that the service took, by file name."""
    return {document.file_name: document.params for document in service.documents}


def words(path: Path) -> str:
    """Return a PDF's text."""
    with pypdfium2.PdfDocument(path) as pdf:
        texts = []
        for page in pdf:
            text = page.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            page.close()
    return " ".join(texts)


# demo


def test_the_demo_makes_six_invoices_and_a_workbook_and_says_where(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--rows", "6"]) == 0
    said = capsys.readouterr()
    assert sorted(path.name for path in (here / "reportflow-demo/pdfs").glob("*.pdf")) == [
        f"INV-{number}.pdf" for number in range(1, 7)
    ]
    assert len(results_in(here / "reportflow-demo/review.xlsx")) == 6
    assert "6 accepted" in said.out
    assert "reportflow-demo/review.xlsx" in said.out
    assert "PDFs: 100%" in said.err


def test_a_second_demo_goes_beside_the_first_and_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", "--rows", "2", "--no-progress"])
    first = {path: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()}
    assert main(["demo", "--rows", "3", "--no-progress"]) == 0
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert len(list((here / "reportflow-demo-2/pdfs").glob("*.pdf"))) == 3
    said = capsys.readouterr()
    assert "reportflow-demo holds something already" in said.out
    assert "%" not in said.err


def test_a_demo_of_more_rows_than_there_are_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--rows", "413"]) == 2
    assert "1 to 412" in capsys.readouterr().err
    assert not list(here.iterdir())


@pytest.mark.long
def test_the_whole_demo_spends_five_generation_calls_on_412_invoices_that_open(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each PDF has its own invoice number, customer and total."""
    services: list[LocalService] = []

    def noted(**switches: Any) -> LocalService:
        services.append(started(**switches))
        return services[-1]

    started = use_local.use_local
    monkeypatch.setattr(use_local, "use_local", noted)
    assert main(["demo", "--out", "demo", "--no-progress"]) == 0
    (service,) = services
    assert service.counts()["async/multiple"] == 5
    assert len(service.documents) == 412
    orders, _ = rf.example_orders()
    assert len(list(Path("demo/pdfs").rglob("*.pdf"))) == 412
    for order in orders.itertuples():
        text = words(Path(f"demo/pdfs/INV-{order.InvoiceId}.pdf"))
        assert re.search(rf"\b{order.InvoiceId}\b", text)
        assert str(order.CustomerName) in " ".join(text.split())
        assert f"{order.Total:.2f}" in text
    results = results_in(Path("demo/review.xlsx"))
    assert set(results["status"]) == {"ready"}
    assert results["CustomerName"].tolist() == orders["CustomerName"].tolist()


# what generate sends


def test_a_job_file_generates_invoices_with_their_lines(files: Path, service: LocalService) -> None:
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 0
    assert service.counts()["async/multiple"] == 1
    first = sent(service)["INV-1"]
    assert [line["Track"] for line in first["Lines"]] == ["Balls to the Wall", "Restless and Wild"]
    assert first["Total"] == 1.98
    assert first["InvoiceDate"] == "2021-01-01"
    assert sent(service)["INV-2"]["BillingPostalCode"] == "0171"
    results = results_in(files / "review.xlsx")
    assert results["InvoiceId"].tolist() == list(range(1, 13))


def test_paths_in_a_job_file_are_relative_to_it(
    files: Path, service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    also(files / "job.toml", 'file = "orders.csv"', 'out = "made/review.xlsx"', 'download = "made/pdfs"')
    (files / "elsewhere").mkdir()
    monkeypatch.chdir(files / "elsewhere")
    assert main(["generate", "--options", "../job.toml"]) == 0
    assert len(list((files / "made/pdfs").glob("*.pdf"))) == 12
    assert len(results_in(files / "made/review.xlsx")) == 12
    assert not list((files / "elsewhere").iterdir())


def test_what_is_typed_wins_over_the_job_file(files: Path, service: LocalService) -> None:
    typed = ["--file-name", "R{InvoiceId}", "--out", "typed.xlsx", "--version", "1", "--show", "Total"]
    assert main(["generate", "orders.csv", "--options", "job.toml", *typed]) == 0
    assert "R1" in sent(service)
    shown = results_in(files / "typed.xlsx")
    assert "Total" in shown
    assert "CustomerName" not in shown


def test_params_limits_and_columns_for_share_come_from_the_job_file(here: Path, service: LocalService) -> None:
    Path("rows.csv").write_text(
        "no,who,how,lock\n07,Łucja,public,true\n08,佐藤,workspace,false\n", encoding="utf-8"
    )
    Path("job.toml").write_text(
        'design = "receipt"\nfile_name = "no"\npasscode = {column = "lock"}\nshare = {column = "how"}\n'
        "limits = {async_calls = 50}\nbatch_size = 1\n"
        '[params]\nReceiptId = "no"\nCustomerName = "who"\nAmount = {constant = 5}\nReceiptDate = {blank = true}\n'
        "Company = {blank = true}\nDescription = {constant = 'Coffee'}\nPaymentMethod = {blank = true}\n"
    )
    assert main(["generate", "rows.csv", "--options", "job.toml"]) == 0
    assert sent(service)["07"] == {
        "ReceiptId": "07",
        "CustomerName": "Łucja",
        "Amount": 5,
        "ReceiptDate": None,
        "Company": None,
        "Description": "Coffee",
        "PaymentMethod": None,
    }
    by_name = {document.file_name: document for document in service.documents}
    assert (by_name["07"].share_type, by_name["08"].passcode_enabled) == ("public", False)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".tsv"])
def test_text_stays_text_in_every_kind_of_file(here: Path, service: LocalService, suffix: str) -> None:
    frame = pd.DataFrame({"ReceiptId": ["0041", "0042"], "Amount": [10.5, 3.0], "CustomerName": ["Zoë", "NA"]})
    path = here / f"rows{suffix}"
    if suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t")
    assert main(["generate", str(path), "--design", "receipt", "--check", "warn", "--file-name", "ReceiptId"]) == 0
    assert sent(service)["0042"] == {"ReceiptId": "0042", "Amount": 3, "CustomerName": "NA"}


def test_keys_of_two_csv_files_meet_although_one_of_them_has_an_odd_key(
    files: Path, service: LocalService
) -> None:
    with (files / "lines.csv").open("a") as lines:
        lines.write("X7,9999,Track,Artist,Album,0.99,1\n")
    assert main(["generate", "orders.csv", "--options", "job.toml", "--check", "warn"]) == 0
    assert len(sent(service)["INV-1"]["Lines"]) == 2


def test_missing_pyarrow_is_answered_with_what_to_install(
    here: Path, service: LocalService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (here / "rows.parquet").write_bytes(b"PAR1")
    assert main(["generate", "rows.parquet", "--design", "receipt"]) == 2
    assert "reportflow-pandas[files]" in capsys.readouterr().err


# how generate ends


def test_failed_rows_end_with_1_and_are_shown(
    files: Path, local: Callable[..., LocalService], capsys: pytest.CaptureFixture[str]
) -> None:
    local(faults=[Fault("bad_document", file_name="INV-3")])
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 1
    said = capsys.readouterr()
    assert "11 accepted" in said.out
    assert "1 failed" in said.out
    assert "INV-3.pdf" in said.out
    assert results_in(files / "review.xlsx")["status"].tolist().count("failed") == 1


def test_unknown_rows_end_with_1(files: Path, local: Callable[..., LocalService]) -> None:
    service = local(faults=[Fault("dropped_after", endpoint="async/multiple")])
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 1
    assert service.counts()["async/multiple"] == 1
    assert set(results_in(files / "review.xlsx")["status"]) == {"unknown"}


def test_a_pdf_that_was_asked_for_and_not_saved_ends_with_1(
    files: Path, local: Callable[..., LocalService], capsys: pytest.CaptureFixture[str]
) -> None:
    local(faults=[Fault("failed_document", file_name="INV-3")])
    also(files / "job.toml", "attempts = 1")
    assert main(["generate", "orders.csv", "--options", "job.toml", "--download", "pdfs"]) == 1
    assert "their PDFs can never be made" in capsys.readouterr().out
    assert len(list((files / "pdfs").glob("*.pdf"))) == 11


@pytest.mark.parametrize(
    ("arguments", "taught"),
    [
        (["generate"], "which rows?"),
        (["generate", "orders.csv"], "--design is missing"),
        (["generate", "order.csv", "--design", "invoice"], "The folder has 'lines.csv', 'orders.csv'"),
        (["generate", "orders.pdf", "--design", "invoice"], "rows are read from .csv"),
        (["generate", "orders.csv", "--design", "invoice"], "[tables.Lines]"),
        (["generate", "orders.csv", "--design", "invoise"], "Did you mean 'invoice'?"),
        (["generate", "orders.csv", "--design", "invoice", "--out", "review.xls"], "must end in .xlsx"),
        (["generate", "orders.csv", "--design", "invoice", "--text", "Zip"], "no such column"),
        (["generate", "orders.csv", "--design", "invoice", "--show", "Zip"], "no such column"),
        (["generate", "orders.csv", "--design", "invoice", "--separator", ";"], "one column only"),
        (["generate", "orders.csv", "--design", "invoice", "--encoding", "klingon"], "there is none of this name"),
        (["generate", "orders.csv", "--options", "no.toml"], "there is no file 'no.toml'"),
        (["generate", "orders.csv", "--design", "invoice", "--version", "0"], "a whole number from 1"),
        (["serve", "--port", "99999"], "from 0 to 65535"),
        (["serve", "--latency", "-1"], "seconds, 0 or more"),
        (["serve", "--port", "0", "--designs", "nowhere"], "no such folder"),
    ],
)
def test_bad_input_ends_with_2_and_one_teaching_text_before_anything_is_sent(
    files: Path,
    service: LocalService,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    taught: str,
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert taught in said.err
    assert "Traceback" not in said.err
    assert not said.out
    assert not service.documents
    assert not list(files.glob("*.xlsx"))


@pytest.mark.parametrize(
    ("text", "taught"),
    [
        ("tabels = 1", "Did you mean 'tables'?"),
        ("batch_sise = 1", "Did you mean 'batch_size'?"),
        ("design = invoice", "no valid TOML"),
        ('app_key = "ak_x"', "does not belong in a job file"),
        ("file_name = 5", "a text in quotes"),
        ('[tables.Lines]\nfile = "lines.csv"\nonn = "InvoiceId"', "Did you mean 'on'?"),
        ('[tables.Lines]\non = "InvoiceId"', "which file?"),
        ('[tables.Lines]\nfile = "lines.csv"', "which column ties"),
        ('[params]\nTotal = {constnt = "x"}', "{ constant ="),
        ("[limits]\nasync = 5", "Did you mean 'async_calls'?"),
        ('share = {column = "Nope"}', "a column of the file"),
        ("batch_size = 101", "from 1 to 100"),
        ('tables = "lines.csv"', "[tables.Lines]"),
        pytest.param(f"params = {'[' * 20_000}", "no valid TOML", id="too deep"),
    ],
)
def test_a_wrong_job_file_is_refused_with_what_was_probably_meant(
    files: Path, service: LocalService, capsys: pytest.CaptureFixture[str], text: str, taught: str
) -> None:
    (files / "wrong.toml").write_text(text)
    assert main(["generate", "orders.csv", "--design", "invoice", "--options", "wrong.toml"]) == 2
    assert taught in capsys.readouterr().err
    assert not service.documents


def test_without_a_key_both_ways_out_are_named(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 2
    said = capsys.readouterr().err
    assert "REPORT_FLOW_APP_KEY" in said
    assert "--local" in said


def test_a_file_without_rows_makes_an_empty_workbook_and_no_call(files: Path, service: LocalService) -> None:
    columns = rf.parameters("receipt")["name"]
    (files / "none.csv").write_text(",".join(columns) + "\n")
    assert main(["generate", "none.csv", "--design", "receipt"]) == 0
    assert not service.documents
    assert results_in(files / "review.xlsx").empty


def test_a_file_without_rows_and_with_other_columns_is_refused(
    files: Path, service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "wrong.csv").write_text("Foo,Bar\n")
    assert main(["generate", "wrong.csv", "--design", "receipt"]) == 2
    said = capsys.readouterr().err
    assert "'Foo', 'Bar'" in said
    assert "'ReceiptId'" in said
    assert not (files / "review.xlsx").exists()


def test_local_needs_no_key_and_says_what_becomes_of_the_documents(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "orders.csv", "--options", "job.toml", "--local"]) == 0
    assert "--download" in capsys.readouterr().out


def test_a_refused_key_ends_with_2_and_costs_one_call(
    files: Path, service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.regenerate_key("ak_another_key_00000001")
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 2
    assert sum(service.counts().values()) == 1
    assert "401" in capsys.readouterr().err


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_writes_what_it_has_and_ends_with_130(
    files: Path,
    local: Callable[..., LocalService],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    which: signal.Signals,
) -> None:
    """The second of six calls brings the signal and is answered when the run has heard of it."""
    heard = Event()
    interrupt = run.Run.interrupt

    def hear(work: run.Run) -> None:
        interrupt(work)
        heard.set()

    monkeypatch.setattr(run.Run, "interrupt", hear)
    calls: list[str] = []

    def signal_at_the_second(endpoint: str, _body: Mapping[str, Any] | None) -> Fault | None:
        if endpoint == "async/multiple":
            calls.append(endpoint)
            if len(calls) == 2:
                os.kill(os.getpid(), which)
                heard.wait(30)
        return None

    service = local(faults=[signal_at_the_second])
    also(files / "job.toml", "batch_size = 2", "concurrency = 1")
    before = signal.getsignal(signal.SIGTERM)
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(service.documents) == 4
    statuses = results_in(files / "review.xlsx")["status"].tolist()
    assert statuses == ["accepted"] * 4 + ["not sent"] * 8
    assert "Interrupted" in capsys.readouterr().err


def test_results_are_rescued_when_the_workbook_cannot_be_written(
    files: Path, service: LocalService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reportflow_pandas.result_verbs.to_excel", full)
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 0
    assert len(pd.read_csv(files / "review-results.csv")) == 12
    assert "No space left" in capsys.readouterr().err


def test_an_interrupt_before_anything_was_sent_writes_no_workbook(
    files: Path, service: LocalService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> pd.DataFrame:
        raise KeyboardInterrupt

    monkeypatch.setattr("reportflow_pandas.cli.asked.read_file", interrupted)
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert not (files / "review.xlsx").exists()


def test_a_second_interrupt_while_the_workbook_is_written_loses_no_result(
    files: Path, service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("reportflow_pandas.result_verbs.to_excel", interrupted)
    assert main(["generate", "orders.csv", "--options", "job.toml"]) == 0
    assert len(pd.read_csv(files / "review-results.csv")) == 12


def test_the_log_goes_to_stderr_only_when_asked_for(
    files: Path, service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "orders.csv", "--options", "job.toml"])
    assert not capsys.readouterr().err
    main(["generate", "orders.csv", "--options", "job.toml", "--log-level", "info"])
    said = capsys.readouterr()
    assert "INFO run" in said.err
    assert "INFO" not in said.out


def test_the_key_is_in_nothing_that_is_printed_or_written(
    files: Path, service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "orders.csv", "--options", "job.toml", "--log-level", "debug"])
    said = capsys.readouterr()
    assert service.app_key not in said.out + said.err


# the small verbs


def test_designs_and_parameters_are_listed(service: LocalService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["designs"]) == 0
    assert "invoice" in capsys.readouterr().out
    assert main(["parameters", "quotation", "--version", "1"]) == 0
    assert "QuotationId" in capsys.readouterr().out
    assert main(["parameters", "nope"]) == 2


@pytest.mark.parametrize(("verb", "level"), [("worker", "info"), ("generate", "warning")])
def test_help_tells_the_level_of_the_log_that_it_has(
    capsys: pytest.CaptureFixture[str], verb: str, level: str
) -> None:
    assert main([verb, "--help"]) == 0
    assert f"what goes to stderr; default {level}" in " ".join(capsys.readouterr().out.split())


def test_help_and_version_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert rf.__version__ in capsys.readouterr().out
    for verb in ([], ["demo"], ["generate"], ["serve"], ["designs"], ["parameters"]):
        assert main([*verb, "--help"]) == 0
    assert "exit codes" in capsys.readouterr().out


def test_no_command_is_a_refusal() -> None:
    assert main([]) == 2


# as a process


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can answer")
def test_serve_answers_over_http_until_it_is_terminated(tmp_path: Path) -> None:
    served = [PROGRAM, "serve", "--port", "0"]
    with subprocess.Popen(served, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.lstrip().startswith("export REPORT_FLOW_APP_KEY"):
                break
        printed = "".join(lines)
        base_url = re.search(r"Base URL +(\S+)", printed)[1]  # type: ignore[index]
        key = re.search(r"Key +(\S+)", printed)[1]  # type: ignore[index]
        request = urllib.request.Request(f"{base_url}/file/designs", headers={"appkey": key})  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            designs = json.load(answer)["designs"]
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert {"invoice", "receipt"} <= {design["id"] for design in designs}
    assert 'rf.configure(base_url="' in printed
    assert process.returncode == 0
    assert "1 call" in rest


def test_the_installed_program_generates_from_the_environments_address(files: Path, service: LocalService) -> None:
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
    }
    ended = subprocess.run(  # noqa: S603 - our own program
        [PROGRAM, "generate", "orders.csv", "--options", "job.toml"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr
    assert len(service.documents) == 12


# examples


@pytest.mark.parametrize(("script", "pdfs"), [("invoices.py", 12), ("receipts.py", 4)])
def test_an_example_runs_from_anywhere(tmp_path: Path, script: str, pdfs: int) -> None:
    example = Path(__file__).parents[2] / "examples" / script
    run = [sys.executable, example, "made"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)  # noqa: S603 - our own script
    assert len(list((tmp_path / "made/pdfs").glob("*.pdf"))) == pdfs
    assert len(list((tmp_path / "made").glob("*.xlsx"))) == 1


def test_the_examples_job_file_runs(tmp_path: Path, service: LocalService) -> None:
    examples = shutil.copytree(Path(__file__).parents[2] / "examples", tmp_path / "examples")
    assert main(["generate", "--options", str(examples / "job.toml")]) == 0
    assert len(service.documents) == 12
    assert (examples / "invoices/review.xlsx").is_file()


def test_serve_listens_for_other_machines_where_it_is_told_to(tmp_path: Path) -> None:
    served = [PROGRAM, "serve", "--port", "0", "--host", "0.0.0.0"]  # noqa: S104 - what this is about
    with subprocess.Popen(served, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        said = ""
        while "REPORTFLOW_PLAIN_HTTP=NAME" not in said:
            said += process.stdout.readline()
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert "listens on 0.0.0.0, without TLS" in said
    assert "http://127.0.0.1:" in said
