"""Messages in the words of a shell: what Python code would do is said as it is typed here, or in a job file."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from functools import partial
from string import Formatter
from typing import Any, TextIO

from reportflow_pandas.next_steps import STEPS, Step

__all__ = ["in_a_shell", "painted"]

_OPTION = re.compile(
    r"\b(sheet|header|decimal|thousands|encoding|separator|hidden|totals|as_shown)="
    r"(?:True|('[^']*'|\"[^\"]*\"|\d+)|(?![\w(\[{]))"
)
_TEXT_OPTION = re.compile(r"\btext=\[([^\]]*)\]")
_NAME = re.compile(r"'[^']*'|\"[^\"]*\"")
"""Arguments of ``read_rows`` in messages."""

_READ_ROWS = re.compile(r"^rf\.read_rows\('.*\)$", re.MULTILINE)
"""The line that settles all that is in doubt of a file."""

_TO_PASTE = re.compile(r"To correct and paste:\nparams=\{\n(?P<lines>.*?)\n\}", re.DOTALL)
_PASTED = re.compile(r"\s*(?P<name>'[^']*'|\"[^\"]*\"): (?P<filling>.*?),?(?:  # (?P<note>.*))?")
_SOME_PARAMS = re.compile(r"params=\{(?:…, )?(?P<pairs>['\"][^{}\n]*)\}")
_TABLE = re.compile(r"tables=\{'(?P<name>[^']+)': rf\.Table\(\w+, on='(?P<on>[^']*)'\)\}")
_CONSTANT = re.compile(r"rf\.Constant\((?P<value>.*)\)")

_JOB_FILE = "in a job file (--options job.toml)"

_OTHER_STEPS = [
    Step(python, shell)
    for python, shell in (
        ("rf.read_rows(path, text=[…]), or dtype='Int64'", "--text COLUMN"),
        ("rf.read_rows(path, decimal=…)", "--decimal , or --decimal ."),
        ("Write one with results.reportflow.to_excel({path})", "`reportflow-pandas generate` writes one"),
        (
            "rf.Table(lines, left_on={left!r}, right_on={right!r})",
            f"left_on = {{left:toml}}, right_on = {{right:toml}} below [tables.NAME] {_JOB_FILE}",
        ),
        ("group_by=[{one!r}, {other!r}]", "--group-by {one} --group-by {other}"),
        ("group_by={column!r}", "--group-by {column}"),
        ("group_by=…", "--group-by COLUMN"),
        ("file_name={template!r}", "--file-name {template}"),
        ("key={column!r}", f"key = {{column:toml}} {_JOB_FILE}"),
        ("None for blank on purpose", "{{ blank = true }} for blank on purpose"),
        ("drop_missing=True", f"drop_missing = true {_JOB_FILE}"),
        ("check='warn'", "--check warn"),
        ("check=False", "--check off"),
        ("rf.designs()", "`reportflow-pandas designs`"),
        ("rf.runs()", "`reportflow-pandas runs`"),
        ("rf.configure(runs={folder})", "export REPORTFLOW_RUNS=FOLDER"),
        ("rf.configure(app_key=...) or REPORT_FLOW_APP_KEY", "export REPORT_FLOW_APP_KEY=ak_…"),
        ("the same line again", "the same command again"),
        ("rf.configure(base_url={url})", "export REPORTFLOW_API_BASE_URL=https://…"),
        ("rf.configure(proxy={url})", "export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"),
        ("rf.configure(ca_bundle={path})", "export REQUESTS_CA_BUNDLE=company.pem"),
        ("rf.configure(workspace={name})", "export REPORTFLOW_WORKSPACE=NAME"),
        ("rf.configure(smtp={url})", "export REPORTFLOW_SMTP=smtps://USER:PASSWORD@mail.example.com"),
        ("rf.configure(sender={address})", "--sender billing@example.com, or export REPORTFLOW_SENDER=…"),
        ("rf.configure(max_documents={number})", "--max-documents N"),
        ("rf.configure(outage={time!r})", "export REPORTFLOW_OUTAGE={time}"),
        ("rf.use_local()", "--local"),
        ("source=df", "--source FILE"),
        ("results.drop(…).reportflow.mail(…)", "a reviewed workbook that approves the others, --review FILE"),
        ("; df.reportflow.plan(…) shows the first one", ""),
        ("df.reportflow.check({rows})", "`reportflow-pandas check`"),
        ("again=[…]", f"again = [label] {_JOB_FILE}"),
        ("download='pdfs'", "--download pdfs"),
        ("verify=True", "--verify"),
    )
]
"""Steps in the messages of other modules than `next_steps`."""

_PATTERNS = [
    (re.compile(pattern), typed)
    for pattern, typed in (
        (
            r"For (?P<one>[-\d.]+): pd\.to_numeric.*; for (?P<other>[-\d.]+): pd\.to_numeric.*",
            "Write it in the file as {one} or {other}, without a currency",
        ),
        (
            r"Hours, for example, are .*; then choose that column",
            "Write it in the file as a number of hours, minutes or days",
        ),
        (r"Read it with its format, .* by pd\.to_datetime", "Write it in the file as 2026-11-30"),
        (r"df\.drop_duplicates\(.*\) keeps one of each", "Keep one of each in the file"),
        (r", e\.g\. df\['[^']*'\]\.fillna\(…\),", " in the file,"),
        (
            r"(?<!: )rf\.Table\(lines, on='(?P<on>[^']*)'\)",
            f'file = "lines.csv", on = "{{on}}" below [tables.NAME] {_JOB_FILE}',
        ),
        (r"rf\.Table\(…, columns=(?P<some>\[[^\]]*\])\)", f"columns = {{some}} below [tables.NAME] {_JOB_FILE}"),
        (r"tables=\{'(?P<name>[^']*)': (?P<some>\[[^\]]*\])\}", f"[tables] {{name}} = {{some}} {_JOB_FILE}"),
        (
            r"write '(?P<name>[^']*)': rf\.Constant\((?P<text>'[^']*')\)",
            f"write [params] {{name}} = {{{{ constant = {{text}} }}}} {_JOB_FILE}",
        ),
        (r"\bkey=(?P<some>\[[^\]]*\])", f"key = {{some}} {_JOB_FILE}"),
        (r"max_documents=(?P<number>\d+)", "--max-documents {number}"),
        (
            r" ?(?:What was accepted so far is in this|This) exception's \.results(?: is the frame so far)?[.;]?",
            "",
        ),
    )
]
"""What no template says: code of any length, lists, sentences around values."""

_LEFT_OPEN = [
    (re.compile(pattern), typed)
    for pattern, typed in (
        (r"\bparams=(?=\[)", "params = "),
        (r"\bsource=(?=\s)", "--source"),
        (r"(?P<name>\b(?:key|params|tables|decisions|group_by))=(?=[\s,;.)]|$)", "{name}"),
    )
]
"""Arguments without a value; after all others."""

_CODE = re.compile(r"(?P<lead>: |, e\.g\. )(?=(?:pd|df|lines)\b[.\[= ])")
"""Where code that changes a column begins."""

_COLUMN = re.compile(r"(?:df|lines)\[('[^']*'|\"[^\"]*\")\]")

_AFTER_CODE = re.compile(r"; |[,;] (?=(?:then|or|and|else)\b)")

_MOST_CODE = 400
"""Characters: advice is a line of code."""


def in_a_shell(message: str) -> str:
    """Return a message with its advice as it is followed here.

    Examples
    --------
    >>> print(in_a_shell("Did you mean 'Nam'? params={…, 'Customer name': 'Nam'}"))
    Did you mean 'Nam'? [params] "Customer name" = "Nam" in a job file (--options job.toml)
    >>> in_a_shell("there is no such sheet: sheet='November 2026'")
    "there is no such sheet: --sheet 'November 2026'"
    """
    message = _READ_ROWS.sub(lambda found: _typed_options(found[0]), message)
    for pattern, typed in _PATTERNS:
        message = pattern.sub(partial(_filled, typed), message)
    for pattern, step in _RECOGNISED:
        message = pattern.sub(partial(_typed_step, step), message)
    message = _OPTION.sub(
        lambda found: f"--{found[1].replace('_', '-')} {_typed(found[2] or '')}".rstrip(), message
    )
    message = _TEXT_OPTION.sub(
        lambda found: " ".join(f"--text {_typed(name)}" for name in _NAME.findall(found[1])), message
    )
    message = _TO_PASTE.sub(_params_table, message)
    message = _SOME_PARAMS.sub(_some_params, message)
    message = _TABLE.sub(
        lambda found: f'[tables.{_key(found["name"])}] file = "lines.csv", on = "{found["on"]}" {_JOB_FILE}',
        message,
    )
    for pattern, typed in _LEFT_OPEN:
        message = pattern.sub(partial(_filled, typed), message)
    return _in_the_file(message)


def _recogniser(python: str) -> re.Pattern[str]:
    """Return what finds the Python of a step in a message, with its values."""
    # where an error carries them, results are `.results`
    found = r"\.?" if python.startswith("results.") else r"\b" if python[0].isalnum() else ""
    for text, name, _, conversion in Formatter().parse(python):
        found += re.escape(text)
        if name is not None:
            found += f"(?P<{name}>{_QUOTED})" if conversion == "r" else _ANY_CODE
    return re.compile(found)


_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ANY_CODE = r"[^()]*"

# what is a part of another step is looked for after it
_RECOGNISED = [
    (_recogniser(step.python), step)
    for step in sorted([*STEPS, *_OTHER_STEPS], key=lambda step: len(step.python), reverse=True)
]


class _Typed(str):
    """A value of a step as a shell quotes it, or as a job file does."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return json.dumps(self, ensure_ascii=False) if spec == "toml" else shlex.quote(self)


def _typed_step(step: Step, found: re.Match[str]) -> str:
    """Return a step as it is typed in a shell."""
    return step.shell.format(**{name: _Typed(ast.literal_eval(text)) for name, text in found.groupdict().items()})


def _in_the_file(message: str) -> str:
    """Replace code that changes a column by the change in the file, where people of a shell make it."""
    done = ""
    while (begin := _CODE.search(message)) is not None:
        rest = message[begin.end() :]
        end = _end_of_code(rest)
        columns = ", ".join(dict.fromkeys(_COLUMN.findall(rest[:end])))
        where = f"change the column {columns} in the file" if columns else "do so in the file"
        done += f"{message[: begin.start()]}{begin['lead']}{where}"
        message = rest[end:]
    return done + message


def _end_of_code(text: str) -> int:
    """Return where code at the beginning of a text ends: its longest part that is Python."""
    line = _AFTER_CODE.split(text.partition("\n")[0][:_MOST_CODE], maxsplit=1)[0]
    line = line.replace("…", "_")  # what is left open is a name to Python
    for end in range(len(line), 0, -1):
        if line[end:][:1] not in ("", " ", ".", ",", ";", ")"):
            continue
        try:
            ast.parse(line[:end])
        except (SyntaxError, ValueError):
            continue
        return end
    return len(line)


def painted(text: str, colour: str, stream: TextIO | None) -> str:
    """Return a text in a colour (``red``, ``yellow``, ``green``) where a terminal shows it."""
    shows = stream is not None and getattr(stream, "isatty", lambda: False)()
    if not shows or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


_COLOURS = {"red": 31, "green": 32, "yellow": 33}


def _filled(typed: str, found: re.Match[str]) -> str:
    """Return what is typed, with the values that were found as they stand."""
    values = found.groupdict()
    return typed.format(**values) if values else typed


def _typed(word: str) -> str:
    """Return a quoted word as it is typed in a shell."""
    plain = word[1:-1] if word[:1] in ("'", '"') else word
    return "TAB" if plain == "\\t" else shlex.quote(plain) if plain else ""


def _typed_options(line: str) -> str:
    """Return a call of ``read_rows`` as the options that say the same."""
    call = ast.parse(line, mode="eval").body
    assert isinstance(call, ast.Call)  # noqa: S101 - for mypy: the pattern says so
    words = []
    for argument in call.keywords:
        option, value = f"--{str(argument.arg).replace('_', '-')}", ast.literal_eval(argument.value)
        values = value if isinstance(value, list) else [value]
        words += [option if value is True else f"{option} {_typed(repr(item))}" for item in values]
    return " ".join(words)


def _params_table(found: re.Match[str]) -> str:
    """Return a mapping to paste as the table of a job file."""
    lines = []
    for line in found["lines"].splitlines():
        entry = _PASTED.fullmatch(line)
        if entry is None:
            return found[0]
        name, filling, note = ast.literal_eval(entry["name"]), entry["filling"], entry["note"]
        lines.append(
            f"{_key(name)} = {_filling(filling)}"
            + (f"  # {note.replace('None:', '{ blank = true }:')}" if note else "")
        )
    return "To correct and paste into a job file (--options job.toml):\n[params]\n" + "\n".join(lines)


def _some_params(found: re.Match[str]) -> str:
    try:
        pairs = ast.parse(f"{{{found['pairs']}}}", mode="eval").body
        assert isinstance(pairs, ast.Dict)  # noqa: S101 - for mypy: the pattern says so
        names = [str(ast.literal_eval(key)) for key in pairs.keys if key is not None]
    except (ValueError, SyntaxError):
        return found[0]
    codes = [ast.unparse(value) for value in pairs.values]
    constants = [isinstance(value, ast.Constant) for value in pairs.values]
    if not all(plain or _CONSTANT.fullmatch(code) for plain, code in zip(constants, codes, strict=True)):
        return found[0]
    entries = [f"{_key(name)} = {_filling(code)}" for name, code in zip(names, codes, strict=True)]
    if len(entries) > 1:  # several in a line are TOML only as an inline table
        return f"params = {{ {', '.join(entries)} }} {_JOB_FILE}"
    return f"[params] {entries[0]} {_JOB_FILE}"


def _filling(code: str) -> str:
    """Return what fills a parameter, from Python to TOML; what only Python can say is left open."""
    if constant := _CONSTANT.fullmatch(code):
        return f"{{ constant = {_toml(constant['value'])} }}"
    return "{ blank = true }" if code == "None" else _toml(code)


def _toml(code: str) -> str:
    try:
        value: Any = ast.literal_eval(code)
    except (ValueError, SyntaxError):
        value = "…"
    if value is ...:
        value = "…"
    return json.dumps(value, ensure_ascii=False, default=str)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
