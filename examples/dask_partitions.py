"""A frame bigger than memory: its partitions go into one run, one after the other, and workers send them.

    pip install 'reportflow-pandas[queue]' 'dask[dataframe]'
    reportflow-pandas worker --queue redis://localhost:6379/0      # on any machines, as many as wanted
    python dask_partitions.py redis://localhost:6379/0 orders.csv

Dask holds one partition at a time in memory. The run's journal knows each document by its key, here the invoice's
number: a partition that is given a second time, because the script was started again or Dask computed it twice,
sends nothing twice. So the whole script can simply be repeated until it ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dask.dataframe as dd
import pandas as pd

import reportflow_pandas as rf

RUN = "invoices of all partitions"
HERE = Path(__file__).parent


def main(queue: str, file: Path = HERE / "orders.csv") -> pd.DataFrame:
    """Submit all partitions of a CSV file; return how many rows of each have which status."""
    # identifiers and postal codes are text: 0171 is a place in Oslo, 171 is not
    texts = dict.fromkeys(["InvoiceId", "CustomerId", "BillingPostalCode", "Company", "BillingState"], str)
    size = os.environ.get("BLOCKSIZE", "64MB")
    orders = dd.read_csv(file, dtype=texts, parse_dates=["InvoiceDate"], blocksize=size)
    lines = pd.read_csv(HERE / "order_lines.csv", dtype={"InvoiceId": str})
    counts: list[dict[str, int]] = []
    for number, partition in enumerate(orders.partitions):
        rows = partition.compute()
        job = rows.reportflow.submit(
            design_id=os.environ.get("INVOICE_DESIGN", "invoice"),
            tables={"Lines": rf.Table(lines[lines["InvoiceId"].isin(rows["InvoiceId"])], on="InvoiceId")},
            file_name="INV-{InvoiceId}",
            run=RUN,
            key="InvoiceId",
            queue=queue,
        )
        results = job.result()
        counts.append({"partition": number} | results["status"].value_counts().to_dict())
        print(counts[-1])
    return pd.DataFrame(counts).fillna(0).astype(int)


if __name__ == "__main__":
    main(sys.argv[1], *(Path(word) for word in sys.argv[2:]))
