"""Messages in the words of a shell: what Python code would do is said as it is typed here, or in a job file."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from functools import partial
from typing import Any, TextIO

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

_WAYS = [
    (re.compile(pattern), typed)
    for pattern, typed in (
        (r", e\.g\. df\['[^']*'\]\.fillna\(…\),", " in the file,"),
        (r"drop_missing=True", f"drop_missing = true {_JOB_FILE}"),
        (r"check='warn'", "--check warn"),
        (r"check=False", "--check off"),
        (r"rf\.designs\(\)", "`reportflow-pandas designs`"),
        (r"rf\.runs\(\)", "`reportflow-pandas runs`"),
        (
            r"rf\.resume\((?P<word>'[^']*'), same_workspace=True\)",
            "`reportflow-pandas resume {word} --same-workspace`",
        ),
        (r"rf\.resume\((?P<word>'[^']*')\)", "`reportflow-pandas resume {word}`"),
        (r"rf\.configure\(runs=[^)]*\)", "export REPORTFLOW_RUNS=FOLDER"),
        (r"rf\.configure\(base_url=[^)]*\)", "export REPORTFLOW_API_BASE_URL=https://…"),
        (r"rf\.configure\(app_key=[^)]*\)", "export REPORT_FLOW_APP_KEY=ak_…"),
        (r"rf\.configure\(proxy=[^)]*\)", "export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"),
        (r"rf\.configure\(ca_bundle=[^)]*\)", "export REQUESTS_CA_BUNDLE=company.pem"),
        (r"rf\.configure\(workspace=[^)]*\)", "export REPORTFLOW_WORKSPACE=NAME"),
        (r"rf\.configure\(smtp=[^)]*\)", "export REPORTFLOW_SMTP=smtps://USER:PASSWORD@mail.example.com"),
        (r"rf\.configure\(sender=[^)]*\)", "--sender billing@example.com, or export REPORTFLOW_SENDER=…"),
        (r"source=df", "--source FILE"),
        (r": (?=(?:pd|df)\b)", " in the file, or in Python, after df = rf.read_rows(FILE): "),
        (
            r"results\.drop\(…\)\.reportflow\.mail\(…\)",
            "a reviewed workbook that approves the others, --review FILE",
        ),
        (r"Call mail again with the same arguments", "Give the same command again"),
        (r"rf\.configure\(max_documents=[^)]*\)", "--max-documents N"),
        (r"max_documents=(?P<word>\d+)", "--max-documents {word}"),
    )
]
"""Python in messages, and what is typed in its place."""


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
    for pattern, typed in _WAYS:
        message = pattern.sub(partial(_way, typed), message)
    return message


def painted(text: str, colour: str, stream: TextIO | None) -> str:
    """Return a text in a colour (``red``, ``yellow``, ``green``) where a terminal shows it and nobody objects."""
    shows = stream is not None and getattr(stream, "isatty", lambda: False)()
    if not shows or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


_COLOURS = {"red": 31, "green": 32, "yellow": 33}


def _way(typed: str, found: re.Match[str]) -> str:
    word = found.groupdict().get("word")
    return typed if word is None else typed.replace("{word}", _typed(word))


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
        words += [option if value is True else f"{option} {_typed(repr(one))}" for one in values]
    return " ".join(words)


def _params_table(found: re.Match[str]) -> str:
    """Return a mapping to paste as the table of a job file."""
    lines = []
    for line in found["lines"].splitlines():
        entry = _PASTED.fullmatch(line)
        if entry is None:
            return found[0]
        name, filling, note = ast.literal_eval(entry["name"]), entry["filling"], entry["note"]
        lines.append(f"{_key(name)} = {_filling(filling)}" + (f"  # {note}" if note else ""))
    return "To correct and paste into a job file (--options job.toml):\n[params]\n" + "\n".join(lines)


def _some_params(found: re.Match[str]) -> str:
    try:
        pairs = ast.literal_eval(f"{{{found['pairs']}}}")
    except (ValueError, SyntaxError):
        return found[0]
    entries = ", ".join(f"{_key(name)} = {_filling(repr(filling))}" for name, filling in pairs.items())
    return f"[params] {entries} {_JOB_FILE}"


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
