"""Uses of the package that mypy and pyright check and nobody runs: its types are a promise."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.accessor import DataFrame, ReportFlowAccessor

rows = DataFrame(pd.DataFrame({"Name": ["Ann", "Ben"]}))
assert_type(rows.reportflow, ReportFlowAccessor)
assert_type(rows.head(3).reportflow, ReportFlowAccessor)
assert_type(rows.reportflow.check("design"), DataFrame)
assert_type(rows.reportflow.plan("design"), rf.Plan)
assert_type(rows.reportflow.preview("design"), rf.Preview)
assert_type(rows.reportflow.submit("design", run="november"), rf.Job)

orders, lines = rf.example_orders()
results = DataFrame(orders).reportflow.generate(
    design_id="design",
    params={"Name": "name", "Total": rf.Constant(3)},
    tables={"Lines": rf.Table(lines, on="InvoiceId")},
    download=Path("pdfs"),
    again=orders["Total"] > 100,
    endpoint="async/multiple",
    limits=rf.Limits(async_calls=100),
)
assert_type(results, DataFrame)
assert_type(results.reportflow.failed, DataFrame)
assert_type(results.reportflow.retry(unknown=True), DataFrame)
assert_type(results.reportflow.download("pdfs"), DataFrame)
assert_type(results.reportflow.to_excel("review.xlsx", source=orders), Path)
assert_type(results.reportflow.to_csv("results.csv"), Path)
review = results.reportflow.read_review("review.xlsx")
DataFrame(orders).reportflow.generate("design", run="november", again=review["decision"] == "redo")


async def background() -> DataFrame:
    """An awaited run gives the same frame."""
    return await rows.reportflow.agenerate("design", concurrency="auto")


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
