"""Orders and their lines from two CSV files become invoices and a workbook for review.

Runs on the embedded service; with REPORT_FLOW_APP_KEY set it runs on Report Flow itself, where each document is
billed and INVOICE_DESIGN names your design.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pandas as pd

import reportflow_pandas as rf

HERE = Path(__file__).parent
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "invoices")
DESIGN = os.environ.get("INVOICE_DESIGN", "invoice")

# identifiers and postal codes are text: 0171 is a place in Oslo, 171 is not
orders = pd.read_csv(
    HERE / "orders.csv",
    dtype={"InvoiceId": str, "CustomerId": str, "BillingPostalCode": str},
    parse_dates=["InvoiceDate"],
)
lines = pd.read_csv(HERE / "order_lines.csv", dtype={"InvoiceId": str})

with contextlib.nullcontext() if os.environ.get("REPORT_FLOW_APP_KEY") else rf.use_local():
    results = orders.reportflow.generate(
        design_id=DESIGN,
        tables={"Lines": rf.Table(lines, on="InvoiceId")},
        file_name="INV-{InvoiceId}",
        download=OUT / "pdfs",
    )

print(results.reportflow.summary().to_string())
workbook = results.reportflow.to_excel(OUT / "review.xlsx", source=orders[["InvoiceId", "CustomerName", "Total"]])
print(f"{workbook} is ready for a colleague")
