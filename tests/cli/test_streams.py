"""A command whose output is closed, full or not read: its verdict is that of the rows all the same."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService, local_service

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of another kind")

COMMAND = [sys.executable, "-m", "reportflow_pandas.cli"]
ROWS, MANY = 30, 900
"""The log of many is more than a pipe holds (64 KB)."""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return written(tmp_path, ROWS)


def written(tmp_path: Path, rows: int) -> Path:
    path = tmp_path / "orders.csv"
    lines = [f"R{number},2026-11-05,A,B,1.5,d,cash" for number in range(rows)]
    path.write_text(
        "ReceiptId,ReceiptDate,CustomerName,Company,Amount,Description,PaymentMethod\n" + "\n".join(lines)
    )
    (tmp_path / "job.toml").write_text('endpoint = "async/single"\nlimits = false\nconcurrency = 8\n')
    return path


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[tuple[dict[str, str], LocalService]]:
    with local_service(
        render=False, faults=Fault("status", status=400, endpoint="async/single", at=5, times=1)
    ) as it:
        yield (
            {
                **os.environ,
                "REPORT_FLOW_APP_KEY": it.app_key,
                "REPORTFLOW_API_BASE_URL": it.base_url,
                "REPORTFLOW_RUNS": str(tmp_path / "runs"),
            },
            it,
        )


def words(orders: Path) -> list[str]:
    return [
        *COMMAND,
        "generate",
        str(orders),
        "--design=receipt",
        f"--options={orders.parent / 'job.toml'}",
        f"--out={orders.parent / 'review.xlsx'}",
        "--log-level=debug",
    ]


def held_against_the_service(code: int, orders: Path, service: LocalService, rows: int = ROWS) -> None:
    assert code == 1  # one row was refused
    assert len(service.documents) == rows - 1
    book = openpyxl.load_workbook(orders.parent / "review.xlsx", read_only=True)
    assert {"Results", "Failed"} <= set(book.sheetnames)


@pytest.mark.parametrize(
    "redirected",
    [
        ">&-",
        "2>&-",
        ">&- 2>&-",
        "> /dev/full",
        "2> /dev/full",
        "> /dev/full 2>&1",
        "< /dev/null | true",
        "2>&1 < /dev/null | true",
    ],
)
def test_a_stream_that_takes_nothing_changes_no_verdict(
    redirected: str, orders: Path, environment: tuple[dict[str, str], LocalService]
) -> None:
    command = f"set -o pipefail; {shlex.join(words(orders))} {redirected}"
    done = subprocess.run(["bash", "-c", command], env=environment[0], capture_output=True, text=True, check=False)  # noqa: S603, S607
    held_against_the_service(done.returncode, orders, environment[1])
    if redirected in (">&-", "> /dev/full"):
        assert f"{ROWS - 1} accepted" in done.stderr  # the summary reaches the log


def test_a_reader_that_reads_nothing_holds_nothing_up(
    tmp_path: Path, environment: tuple[dict[str, str], LocalService]
) -> None:
    orders = written(tmp_path, MANY)
    silent = subprocess.Popen(  # noqa: S603 - our own command
        words(orders), env=environment[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    code = silent.wait(timeout=120)
    held_against_the_service(code, orders, environment[1], MANY)
    silent.communicate()


def test_one_pipe_for_both_keeps_the_order_of_the_lines(
    orders: Path, environment: tuple[dict[str, str], LocalService]
) -> None:
    done = subprocess.run(  # noqa: S603
        words(orders), env=environment[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert next(at for at, line in enumerate(lines) if f"{ROWS - 1} accepted" in line) > max(
        at for at, line in enumerate(lines) if "/file/async/single" in line
    )


def test_a_terminal_that_is_closed_acts_like_ctrl_c(
    orders: Path, environment: tuple[dict[str, str], LocalService]
) -> None:
    running = subprocess.Popen(  # noqa: S603
        words(orders), env=environment[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    while "/file/async/single 202" not in running.stderr.readline():
        pass
    running.send_signal(signal.SIGHUP)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert (orders.parent / "review.xlsx").exists()
    assert "accepted" in said


def test_nohup_stays_nohup(orders: Path, environment: tuple[dict[str, str], LocalService]) -> None:
    code = "import signal, sys, runpy; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "sys.argv[0] = 'x'; from reportflow_pandas.cli import main; sys.exit(main(sys.argv[1:]))"
    running = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code, *words(orders)[3:]], env=environment[0], stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    while "/file/async/single 202" not in running.stderr.readline():
        pass
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=120)
    held_against_the_service(running.returncode, orders, environment[1])
