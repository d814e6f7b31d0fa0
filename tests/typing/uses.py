"""Uses of the package that mypy and pyright check and nothing runs: its types are a promise."""

from __future__ import annotations

from collections.abc import Hashable
from io import BytesIO
from pathlib import Path
from typing import assert_type

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.accessor import DataFrame, ReportFlowAccessor
from reportflow_pandas.api.models import Accepted
from reportflow_pandas.delivery.mail_preview import MailPreview

rows = DataFrame(pd.DataFrame({"Name": ["Ann", "Ben"]}))
assert_type(rows.reportflow, ReportFlowAccessor)
assert_type(rows.head(3).reportflow, ReportFlowAccessor)
assert_type(rows.reportflow.check("design"), DataFrame)
assert_type(rows.reportflow.plan("design"), rf.Plan)
assert_type(rows.reportflow.preview("design"), rf.Preview)
assert_type(rows.reportflow.submit("design", run="november"), rf.Job)

orders, lines = rf.example_orders()
assert_type(orders, DataFrame)
assert_type(rf.read_rows("orders.xlsx", sheet="November"), DataFrame)
assert_type(rf.load("november"), DataFrame)
results = orders.reportflow.generate(
    design_id="design",
    params={"Name": "name", "Total": rf.Constant(3), "Greeting": lambda row: f"Dear {row['name']}", "Note": None},
    tables={"Lines": rf.Table(lines, on="InvoiceId")},
    download=Path("pdfs"),
    again=orders["Total"] > 100,
    share=orders["Share"],
    passcode=orders["Total"] > 100,
    endpoint="async/multiple",
    limits=rf.Limits(async_calls=100),
)
assert_type(results, DataFrame)
assert_type(results.reportflow.failed, DataFrame)
assert_type(results.reportflow.summary(), "pd.Series[int]")
assert_type(results.reportflow.retry(unknown=True), DataFrame)
assert_type(results.reportflow.settle([1, 2]), DataFrame)
assert_type(results.reportflow.download("pdfs"), DataFrame)
assert_type(results.reportflow.findings(), DataFrame)
assert_type(results.reportflow.spot_check(20), rf.SpotCheck)
assert_type(results.reportflow.to_excel("review.xlsx", source=orders), Path)
assert_type(results.reportflow.to_csv("results.csv"), Path)
assert_type(results.reportflow.hand_over("archive", date="Date"), DataFrame)
assert_type(orders.reportflow.verify(results, params={"Name": "name"}), DataFrame)
review = results.reportflow.read_review("review.xlsx")
orders.reportflow.generate("design", run="november", again=review["decision"] == "redo")

# an argument decides what comes back
assert_type(results.reportflow.combine("all.pdf"), Path)
assert_type(results.reportflow.combine("all.pdf", first=1, last="INV-2"), Path)
assert_type(results.reportflow.combine("{Country}.pdf", by="Country", source=orders), dict[Hashable, Path])
assert_type(results.reportflow.mail(to="Email", subject="Invoice {InvoiceId}", body="…", source=orders), DataFrame)
assert_type(results.reportflow.mail(to="Email", subject="…", body="…", preview=True), MailPreview)
assert_type(results.reportflow.mail(to="Email", subject="…", body="…", background=True, per_minute=30), rf.Job)
assert_type(rf.forget(older_than="90d"), list[str])
rf.forget("november")

rf.configure(
    app_key="ak_0123456789abcdef", outage="10min", plain_http=["reportflow"], runs=Path("runs"), proxy=None
)
with rf.use_local(limits=rf.Limits(), render_delay=0.5, schema_shape="object") as service:
    assert_type(service.base_url, str)


async def background() -> DataFrame:
    """An awaited run gives the same frame."""
    return await rows.reportflow.agenerate("design", concurrency="auto")


async def by_hand(client: rf.Client) -> None:
    """The eight endpoints: an async one has no file in hand; a ZIP is returned, or written to a file."""
    assert_type(await client.send("async/multiple", b"{}"), Accepted)
    assert_type(await client.download_zip("request"), bytes)
    await client.download_zip("request", BytesIO())


def stopped() -> pd.DataFrame:
    """What an error carries is a frame, or nothing where nothing had begun."""
    try:
        rows.reportflow.generate("design")
    except rf.RunInterrupted as interrupted:
        return interrupted.results
    except rf.InvalidRows as refused:
        if refused.problems is not None:
            return refused.problems
        raise
    return rf.resume("november")
