"""Payments whose columns have other names than the design's parameters become receipts.

Runs on the embedded service; with REPORT_FLOW_APP_KEY set it runs on Report Flow itself, where each document is
billed and RECEIPT_DESIGN names your design.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import reportflow_pandas as rf

HERE = Path(__file__).parent
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "receipts")
DESIGN = os.environ.get("RECEIPT_DESIGN", "receipt")
WAYS = {"card": "Credit card", "cash": "Cash", "transfer": "Bank transfer"}


def way(payment: pd.Series[Any]) -> str:
    """Return how it was paid, in the receipt's words."""
    return WAYS.get(payment["how"], "")


payments = pd.read_csv(HERE / "payments.csv", dtype={"number": str}, parse_dates=["paid_on"])

with contextlib.nullcontext() if os.environ.get("REPORT_FLOW_APP_KEY") else rf.use_local():
    results = payments.reportflow.generate(
        design_id=DESIGN,
        params={
            "ReceiptId": "number",
            "ReceiptDate": "paid_on",
            "CustomerName": "payer",
            "Company": "company",
            "Amount": "amount",
            "Description": rf.Constant("Membership 2027"),
            "PaymentMethod": way,
        },
        file_name="receipt-{number}",
        download=OUT / "pdfs",
    )

print(results[["status", "file_name", "path"]].to_string())
print(results.reportflow.to_excel(OUT / "領収書.xlsx", source=payments, language="ja"))
