"""Refusals in a shell: once each, in the words that are typed there."""

from __future__ import annotations

import inspect
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd
import pytest

from reportflow_pandas import next_steps
from reportflow_pandas.api.models import Parameter
from reportflow_pandas.cli.command import main
from reportflow_pandas.cli.shell_words import in_a_shell, painted
from reportflow_pandas.rows.mapping import paste


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        ("rf.designs() lists them", "`reportflow-pandas designs` lists them"),
        ("rf.resume('my run') goes on", "`reportflow-pandas resume 'my run'` goes on"),
        ("rf.resume('a', same_workspace=True)", "`reportflow-pandas resume a --same-workspace`"),
        ("check='warn' goes on", "--check warn goes on"),
        (
            "Check the key: rf.configure(app_key=...) or REPORT_FLOW_APP_KEY. Then the same line again",
            "Check the key: export REPORT_FLOW_APP_KEY=ak_…. Then the same command again",
        ),
        ("max_documents=3 allows no more", "--max-documents 3 allows no more"),
        ("params={…, 'Total': None}", "[params] Total = { blank = true } in a job file (--options job.toml)"),
        ("params={…, 'Total': broken}", "params={…, 'Total': broken}"),
        (
            "None for blank on purpose: params={'No 1': ..., 'Sum': 'S', 'Tax': None, 'Unit': rf.Constant('kg')}",
            (
                "{ blank = true } for blank on purpose: "
                'params = { "No 1" = "…", Sum = "S", Tax = { blank = true }, Unit = { constant = "kg" } } '
                "in a job file (--options job.toml)"
            ),
        ),
        (
            "Nest a frame: tables={'Lines': rf.Table(lines, on='…')}",
            'Nest a frame: [tables.Lines] file = "lines.csv", on = "…" in a job file (--options job.toml)',
        ),
        ("decimal=',' reads them", "--decimal , reads them"),
        ("Leave it out: df.drop(index=[2])", "Leave it out: do so in the file"),
        (
            "Make it a number: pd.to_numeric(df['Amount'].replace(r'[^0-9.]', '', regex=True))",
            "Make it a number: change the column 'Amount' in the file",
        ),
        (
            "Give them back: df['Zip'].astype('string').str.zfill(5)",
            "Give them back: change the column 'Zip' in the file",
        ),
        (
            "Clean it first, e.g. df['name'] = df['name'].str.replace('/', '-'), or leave file_name out",
            "Clean it first, e.g. change the column 'name' in the file, or leave file_name out",
        ),
        (
            "Make a column: df.assign(new=…), then params={'A': 'new'}",
            'Make a column: do so in the file, then [params] A = "new" in a job file (--options job.toml)',
        ),
        (
            "rf.read_rows('a.xlsx', sheet='My sheet', header=4, text=['A b', 'C'], as_shown=True, totals='skip')",
            "--sheet 'My sheet' --header 4 --text 'A b' --text C --as-shown --totals skip",
        ),
        (
            "read it with its sign, rf.read_rows(path, decimal=…)",
            "read it with its sign, --decimal , or --decimal .",
        ),
        (
            "1200 or 1.2? For 1200: pd.to_numeric(df['A'].replace('¥', '')); for 1.2: pd.to_numeric(df['A'])",
            "1200 or 1.2? Write it in the file as 1200 or 1.2, without a currency",
        ),
        (
            "(.results.reportflow.retry(source=df) or rf.resume('a'))",
            "(the same command, with --run RUN or `reportflow-pandas resume a`)",
        ),
        ("generate(run='november', …) begins it", "the same command with --run november begins it"),
        (
            "write 'Note': rf.Constant('x')",
            "write [params] Note = { constant = 'x' } in a job file (--options job.toml)",
        ),
        ("group_by=['A', 'B']", "--group-by A --group-by B"),
        (
            "rf.Table(lines, left_on='No', right_on='Order')",
            'left_on = "No", right_on = "Order" below [tables.NAME] in a job file (--options job.toml)',
        ),
    ],
)
def test_advice_in_python_becomes_what_is_typed(python: str, typed: str) -> None:
    assert in_a_shell(python) == typed


PYTHON = re.compile(
    r"\bdf\b|\bpd\.|\brf\.|\bresults\.|\.astype|\.fillna|\.str\.|\b(again|group_by|params|tables|text|header)=[^ ]"
)


def test_a_file_with_everything_wrong_is_told_without_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        f"R-{at % 7:04},{day},{name},Acme,{amount},x\u0007y,card"
        for at, (day, name, amount) in enumerate(
            [("2026-11-01", "Ann", "12.50 EUR"), ("01/02/2026", "", "n/a"), ("31.12.2026", "Ã¤", "50%")] * 4
        )
    ]
    head = "ReceiptId,ReceiptDate,CustomerName,Company,Amount,Description,PaymentMethod"
    Path("rows.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    Path("fewer.csv").write_text("ReceiptId,Custmer\n0171,Ann\n172,Ann\n0171,Bob\n", encoding="utf-8")
    for words in (
        ["check", "rows.csv", "--file-name", "{CustomerName}/x"],
        ["check", "rows.csv", "--file-name", "{ReceiptId}"],
        ["check", "fewer.csv"],
        ["check", "fewer.csv", "--group-by", "ReceiptId"],
        ["generate", "rows.csv"],
        ["generate", "fewer.csv"],
        ["generate", "fewer.csv", "--check", "warn", "--max-documents", "1"],
        ["generate", "rows.csv", "--check", "warn", "--text", "Amount", "--file-name", "{index}"],
    ):
        main([*words, "--design", "receipt", "--local"])
        told = "".join(capsys.readouterr())
        assert told
        assert PYTHON.findall(told) == [], told


RUN = {"run": "my run", "design_id": "Zk3PpV0aNq8sUe5J", "planned": "yes", "frame": "1"}
COUNTS = {"total": 3, "done": 1, "not_sent": 1}

WITH: dict[str, Any] = {
    "run": "my run",
    "counts": COUNTS,
    "design_id": "Zk3PpV0aNq8sUe5J",
    "verb": "Retry",
    "elsewhere": "choose another folder with rf.configure(runs='…')",
    "way_on": "rf.resume('my run') goes on",
    "lock": "november.lock",
    "summary": "1 of 3 rows",
    "unknown": 2,
    "refusals": 10,
    "not_sent": 1,
    "awaited": 1,
    "fed": True,
    "password": True,
    "by_the_rows": True,
}
"""What the functions of `next_steps` are given, by the names of their parameters."""

LEFT_OF_PYTHON = re.compile(r"\b(?:rf|df|results)\.|\w\(|\b[a-z_]+=|exception's|\b[a-z]+_[a-z_]+\b")


def sentences() -> Iterator[tuple[str, str]]:
    """Yield every sentence of `next_steps` by its name; functions with each of their ways."""
    for name in next_steps.__all__:
        found = getattr(next_steps, name)
        if isinstance(found, str):
            yield name, found
        elif inspect.isfunction(found) and name != "resumable":
            wanted = inspect.signature(found).parameters
            given = {one: WITH[one] for one in wanted if one in WITH}
            if "Mapping" in str(wanted.get("run", "")):
                given["run"] = RUN
            ways: list[dict[str, Any]] = [{}]
            ways += [{one: False} for one in ("fed", "password", "by_the_rows", "raised") if one in wanted]
            ways += (
                [{"run": {**RUN, "planned": ""}}, {"run": {**RUN, "frame": ""}}] if given.get("run") is RUN else []
            )
            ways += (
                [{"counts": {**COUNTS, "not_sent": 0, "failed": 1}}, {"way_on": ""}] if name == "in_brief" else []
            )
            ways += [{"fed": False, "run": {**RUN, "planned": ""}}] if name == "elsewhere" else []
            yield from ((name, found(**(given | way))) for way in ways)


@pytest.mark.parametrize(("name", "sentence"), list(sentences()))
def test_every_sentence_of_what_to_do_next_is_said_in_a_shell_or_tells_why_not(name: str, sentence: str) -> None:
    """A new sentence with Python in it needs a `Step`, which says both, or a reason in `ONLY_IN_PYTHON`."""
    left = LEFT_OF_PYTHON.findall(in_a_shell(sentence))
    if name in next_steps.ONLY_IN_PYTHON:
        assert left
        assert next_steps.ONLY_IN_PYTHON[name]
    else:
        assert not left, in_a_shell(sentence)


@pytest.mark.parametrize("step", next_steps.STEPS, ids=lambda step: step.python)
@pytest.mark.parametrize("value", ["november", "my run", "it's", 'so "called"', 'it\'s "so"', "C:\\x"])
def test_a_step_is_found_by_its_python_and_said_as_the_shell_has_it(step: next_steps.Step, value: str) -> None:
    fields = {name for _, name, _, _ in Formatter().parse(step.python) if name}
    said = step(**dict.fromkeys(fields, value if "!r" in step.python else "path"))
    assert in_a_shell(f"First. {said}, then more") == (
        f"First. {step.shell.format(**dict.fromkeys(fields, shlex.quote(value)))}, then more"
    )


def test_a_step_is_said_once() -> None:
    python = [step.python for step in next_steps.STEPS]
    assert len(set(python)) == len(python)


def test_a_mapping_to_paste_becomes_the_table_of_a_job_file() -> None:
    names = ["Id", "Customer name", "Größe", "Note"]
    frame = pd.DataFrame(columns=["Id", "Customr name", "Größe"])
    mapping = paste(frame, (), [Parameter(name, "text", name) for name in names])
    shown = in_a_shell(f"To correct and paste:\n{mapping}\n--check warn goes on")
    assert shown.startswith("To correct and paste into a job file (--options job.toml):\n[params]\n")
    table = tomllib.loads(shown.split("):\n")[1].rpartition("\n")[0])
    assert table["params"] == {"Id": "Id", "Customer name": "…", "Größe": "Größe", "Note": "…"}
    assert "# 'Customr name'?" in shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_whose_reader_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert painted("2 failed", "red", Terminal()) == "\x1b[31m2 failed\x1b[0m"
    assert painted("2 failed", "red", io.StringIO()) == "2 failed"
    assert painted("2 failed", "red", None) == "2 failed"
    monkeypatch.setenv("TERM", "dumb")
    assert painted("2 failed", "red", Terminal()) == "2 failed"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted("2 failed", "red", Terminal()) == "2 failed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generat", "orders.csv"], "there is no command 'generat'. Did you mean generate?"),
        (["xyz"], "there is no command 'xyz'. There are demo, check, generate"),
        (
            ["generate", "orders.csv", "--desing", "ID"],
            "unrecognized arguments: --desing ID. Did you mean --design?",
        ),
        (["runs", "--limit"], "unrecognized arguments: --limit"),
    ],
)
def test_what_was_probably_meant_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 2


def test_a_refusal_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"Nmae": ["Ann"]}).to_csv("people.csv", index=False)
    for command in (
        ["generate", "people.csv", "--design", "certificate", "--local"],
        ["generate", "people.csv", "--design", "certificat", "--local"],
    ):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "ended early" not in told
        assert told.count("reportflow-pandas: ") == 1
