"""How `generate` becomes bytes and a frame: the modules that a document passes through, listed.

On the way is a module that stands on the stack while a document is encoded, announced, posted, answered, recorded,
or shown. What looks at the frame beforehand, and what others ask (a clock, a credential, a limit), is not.
"""

from __future__ import annotations

import json
import subprocess
import sys

MOMENTS = {
    "the run begins": ("execution/run.py", "watched"),
    "a document is encoded": ("rows/documents.py", "Documents._document"),
    "its call is announced": ("journal/journal.py", "Journal.intent"),
    "its bytes leave": ("api/transport.py", "Transport.post"),
    "its answer is read": ("api/responses.py", "Reader.generation"),
    "its outcome is recorded": ("journal/journal.py", "Journal.record"),
    "the changes are written": ("journal/commits.py", "Commits._work"),
    "the frame is built": ("results/results_frame.py", "results_frame"),
}

WAY = [
    "accessor.py",
    "generation.py",
    "event_loop.py",
    "execution/run.py",
    "execution/from_frame.py",
    "rows/document_keys.py",
    "rows/documents.py",
    "engine/runner.py",
    "engine/sender.py",
    "engine/attempts.py",
    "execution/backends.py",
    "journal/journal.py",
    "journal/commits.py",
    "api/client.py",
    "api/transport.py",
    "api/responses.py",
    "results/results_frame.py",
]
"""In the order in which a reader meets them."""

TRACED = """
import json, sys, threading
from pathlib import Path
import reportflow_pandas as rf

package = Path(rf.__file__).parent
moments = {tuple(place): what for what, place in json.loads(sys.argv[1]).items()}
found = {what: [] for what in moments.values()}

def module(code):
    path = Path(code.co_filename)
    return path.relative_to(package).as_posix() if path.is_relative_to(package) else None

def trace(frame, event, _):
    if event != "call":
        return
    what = moments.get((module(frame.f_code), frame.f_code.co_qualname))
    while what and frame is not None:
        if (name := module(frame.f_code)) and name not in found[what] and not name.startswith("local/"):
            found[what].append(name)
        frame = frame.f_back

orders, lines = rf.example_orders()
with rf.use_local(render=False):
    threading.setprofile(trace)
    sys.setprofile(trace)
    tables = {"Lines": rf.Table(lines, on="InvoiceId")}
    orders.head(12).reportflow.generate("invoice", tables=tables, progress=False)
    sys.setprofile(None)
print(json.dumps(found))
"""


def test_a_document_passes_through_at_most_25_modules_in_one_direction() -> None:
    command = [sys.executable, "-c", TRACED, json.dumps(MOMENTS)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own lines
    found = json.loads(answer.stdout)
    assert all(found.values()), found
    assert {name for names in found.values() for name in names} == set(WAY)
    assert len(WAY) <= 25
