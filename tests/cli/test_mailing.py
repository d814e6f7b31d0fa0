"""Mailing from a shell, counted at a real mail server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from support.mail_server import MailServer, mail_server

import reportflow_pandas as rf
from reportflow_pandas.cli import main


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def words(tmp_path: Path, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A run of four documents, the file that it came from, and a letter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPORTFLOW_SMTP", server.address)
    orders, _ = rf.example_orders()
    orders = orders.head(4).assign(Email=[f"person{at}@example.com" for at in range(4)])
    orders.to_csv("orders.csv", index=False)
    Path("letter.txt").write_text("Dear {CustomerName},\nhere it is.\n", encoding="utf-8")
    with rf.use_local(render=False):
        rf.configure(runs=tmp_path / "runs")
        options = {"check": False, "params": ["InvoiceId"], "progress": False}
        made = rf.read_rows("orders.csv").reportflow.generate(
            "invoice", run="november", download="pdfs", **options
        )
        made.reportflow.to_excel("review.xlsx")
        yield [
            *("mail", "november", "--to", "Email", "--source", "orders.csv", "--body", "letter.txt"),
            *("--subject", "Invoice {InvoiceId}", "--sender", "billing@example.com"),
        ]


def test_a_run_is_mailed_once_however_often_the_command_is_called(
    words: list[str], server: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "4 sent" in capsys.readouterr().out
    assert main(words) == 0
    assert server.recipients == {f"person{at}@example.com": 1 for at in range(4)}


def test_a_preview_sends_nothing(words: list[str], server: MailServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--preview"]) == 0
    assert "Subject: Invoice 1" in capsys.readouterr().out
    assert not server.taken


def test_a_refused_person_ends_with_1_and_is_named_without_the_address(
    words: list[str], server: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refusals["person2@example.com"] = ["550 no such user"]
    assert main(words) == 1
    told = capsys.readouterr()
    assert "1 failed" in told.out
    assert "no mail for row 2: 550 no such user" in told.out
    assert "person2" not in told.out + told.err
    assert main(words) == 0
    assert "4 sent, 3 of them by an earlier call" in capsys.readouterr().out


def test_a_mistake_ends_with_2_before_the_first_mail(words: list[str], server: MailServer) -> None:
    assert main([*words, "--html", "missing.html"]) == 2
    assert main([word.replace("InvoiceId", "Number") for word in words]) == 2
    assert not server.taken


def test_advice_is_given_as_it_is_typed_in_a_shell(
    words: list[str], server: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words[: words.index("--sender")]]) == 2
    assert "--sender billing@example.com" in capsys.readouterr().err
    assert main(["Mail" if word == "Email" else word for word in words]) == 2
    assert "--source FILE" in capsys.readouterr().err
    assert not server.taken


def test_only_what_a_reviewed_workbook_approves_leaves(words: list[str], server: MailServer) -> None:
    from support.reviewed_workbooks import review  # noqa: PLC0415 - here alone

    review(Path("review.xlsx"), {1: "approve"})
    assert main([*words, "--review", "review.xlsx"]) == 0
    assert list(server.recipients) == ["person1@example.com"]


def test_ctrl_c_ends_with_130_says_how_to_go_on_and_nobody_is_mailed_twice(
    words: list[str], server: MailServer, tmp_path: Path
) -> None:
    environment = os.environ | {"REPORTFLOW_RUNS": str(tmp_path / "runs"), "REPORTFLOW_SMTP": server.address}
    command = [sys.executable, "-m", "reportflow_pandas.cli", *words, "--per-minute", "60"]
    with subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True) as process:  # noqa: S603 - ours
        while not server.taken and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "of 4 mails are sent" in told
    assert "Give the same command again" in told
    assert "not sent" in out
    assert main(words) == 0
    assert server.recipients == {f"person{at}@example.com": 1 for at in range(4)}
