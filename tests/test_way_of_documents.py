"""How `generate` becomes bytes and a frame: the modules that a document passes through, in their order.

Two counts, for a reader has two questions. "What happens to my document?": the way below, each module that stands
on the stack while it is encoded, announced, posted, answered, recorded and shown. "What runs at all?": every
module in which anything runs during one plain call, what looks at the frame beforehand and what is asked on the
way (a limit, a credential, a clock) included.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"

MOMENTS = {
    "the run begins": ("execution/work.py", "watched"),
    "its values become JSON": ("rows/values.py", "column_values"),
    "it is encoded": ("rows/documents.py", "Documents._document"),
    "it is packed into a call": ("engine/batching.py", "Feed._documents"),
    "its call is announced": ("journal/journal.py", "Journal.intent"),
    "its bytes leave": ("api/transport.py", "Transport.post"),
    "its answer is read": ("api/responses.py", "Reader.generation"),
    "its outcome is noted": ("journal/journal.py", "Journal.record"),
    "its outcome is described": ("journal/outcome_lines.py", "describe"),
    "its status is written": ("journal/ledger.py", "Changes.apply"),
    "its outcome is shown": ("engine/outcomes.py", "Outcomes.put"),
    "the frame is built": ("results/results_frame.py", "results_frame"),
}

WAY = [
    "accessor.py",
    "generation.py",
    "execution/work.py",
    "event_loop.py",
    "execution/run.py",
    "execution/execute.py",
    "execution/from_frame.py",
    "rows/document_keys.py",
    "rows/documents.py",
    "rows/tables.py",
    "rows/values.py",
    "engine/runner.py",
    "engine/batching.py",
    "engine/sender.py",
    "engine/attempts.py",
    "api/client.py",
    "api/transport.py",
    "api/responses.py",
    "execution/backends.py",
    "journal/commits.py",
    "journal/ledger.py",
    "journal/journal.py",
    "journal/outcome_lines.py",
    "engine/outcomes.py",
    "results/results_frame.py",
]
"""In the order in which a reader meets them: each calls those below it, but for `CALLED_BACK`."""

CALLED_BACK = {("engine/attempts.py", "engine/sender.py")}
"""A call is begun by its attempts, when its slot is granted."""

RUNS_AT_ALL = 64
"""Modules in which anything runs; with 25 of them each would be longer than a module may be."""

TRACED = """
import json, sys, threading
from pathlib import Path
import reportflow_pandas as rf

package = Path(rf.__file__).parent
moments = {tuple(place): what for what, place in json.loads(sys.argv[1]).items()}
stacks = {what: set() for what in moments.values()}
entered = set()

def module(code):
    path = Path(code.co_filename)
    return path.relative_to(package).as_posix() if path.is_relative_to(package) else ""

def trace(frame, event, _):
    name = module(frame.f_code)
    if event != "call" or not name or name.startswith("local/"):
        return
    entered.add(name)
    what = moments.get((name, frame.f_code.co_qualname))
    stack = []
    while what and frame is not None:
        if (name := module(frame.f_code)) and name != (stack or [""])[-1]:
            stack.append(name)
        frame = frame.f_back
    if what and "execution/preparation.py" not in stack:  # what looks at the frame beforehand is none of the way
        stacks[what].add(tuple(reversed(stack)))

orders, lines = rf.example_orders()
with rf.use_local(render=False):
    tables = {"Lines": rf.Table(lines, on="InvoiceId")}
    rows = orders.head(12)
    generate = rows.reportflow.generate  # what is imported when it is first asked for is no part of the call
    threading.setprofile(trace)
    sys.setprofile(trace)
    generate("invoice", tables=tables, progress=False)
    sys.setprofile(None)
    threading.setprofile(None)
print(json.dumps([{what: sorted(found) for what, found in stacks.items()}, sorted(entered)]))
"""


@functools.cache
def traced() -> tuple[dict[str, list[list[str]]], list[str]]:
    command = [sys.executable, "-c", TRACED, json.dumps(MOMENTS)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own lines
    stacks, entered = json.loads(answer.stdout)
    return stacks, entered


def test_a_document_passes_through_at_most_25_modules() -> None:
    stacks, _ = traced()
    assert all(stacks.values()), stacks
    assert {name for found in stacks.values() for stack in found for name in stack} == set(WAY)
    assert len(set(WAY)) <= 25


def test_contributing_tells_its_way_in_this_order() -> None:
    section = (
        CONTRIBUTING.read_text(encoding="utf-8").partition("## The way of a document")[2].partition("\n## ")[0]
    )
    told = re.findall(r"`([a-z_/]+\.py)`", section[section.index("\n1. ") :])
    assert told == WAY


def test_its_way_is_read_in_one_direction() -> None:
    stacks, _ = traced()
    steps = {step for found in stacks.values() for stack in found for step in itertools.pairwise(stack)}
    back = {(caller, called) for caller, called in steps if WAY.index(called) < WAY.index(caller)}
    assert back <= CALLED_BACK


def test_a_plain_call_runs_in_no_more_modules_than_are_counted_here() -> None:
    _, entered = traced()
    assert len(entered) <= RUNS_AT_ALL, entered
