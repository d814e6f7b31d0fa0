"""Ten thousand mails over one pool of connections, counted at a mail server in a process of its own."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pandas as pd
import pytest
from support.counting_mail_server import counting_server

import reportflow_pandas as rf

PEOPLE = 10_000


@pytest.mark.long
def test_10_000_mails_go_over_four_connections_once_each(tmp_path: Path) -> None:
    pdf = tmp_path / "document.pdf"
    pdf.write_bytes(b"%PDF-1.7" + bytes(30_000))
    frame = pd.DataFrame({"No": range(PEOPLE)})
    with rf.use_local(render=False), counting_server() as server:
        rf.configure(runs=tmp_path / "runs", sender="billing@example.com", smtp=server.address)
        results = frame.reportflow.generate("certificate", check=False, params=["No"], run="many", progress=False)
        results["path"] = str(pdf)
        results["Email"] = [f"person{at}@example.com" for at in range(PEOPLE)]
        before, begin = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        made = results.reportflow.mail(to="Email", subject="No. {index}", body="Here.", progress=False)
        after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - begin
        counted = server.counted()
    assert made["mail_status"].eq("sent").all()
    assert counted == {"messages": PEOPLE, "recipients": PEOPLE, "most": 1, "connections": 4}
    more = (after.ru_maxrss - before.ru_maxrss) / 1024
    assert more < 100, "memory grows with the letters, not with what is attached"
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{cpu:.1f} s CPU, {seconds:.1f} s, {more:.0f} MB more")  # noqa: T201 - shown with -rP
