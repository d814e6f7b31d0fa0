"""The main job on the embedded service, from one command and without an account."""

from __future__ import annotations

import argparse
from pathlib import Path

from reportflow_pandas.cli.output import exit_code, say, say_outcome, shown, write_workbook
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.examples import example_orders
from reportflow_pandas.generation import generate as generate_documents
from reportflow_pandas.options import Table

__all__ = ["demo"]

SHOWN = ["InvoiceId", "InvoiceDate", "CustomerName", "Company", "BillingCountry", "Total"]
"""What a reviewer needs beside a result."""

NEXT = """\
Next, the same in a notebook:

  import reportflow_pandas as rf
  orders, lines = rf.example_orders()
  with rf.use_local():
      results = orders.reportflow.generate("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
  results

or `reportflow-pandas serve`: the service stays up, with a page that shows every PDF."""


def demo(arguments: argparse.Namespace) -> int:
    """Read the example orders, generate their invoices, save the PDFs, write the review workbook."""
    # rendering needs packages that production does not
    from reportflow_pandas.local.use_local import use_local  # noqa: PLC0415

    orders, lines = example_orders()
    if arguments.rows is not None:
        if not 1 <= arguments.rows <= len(orders):
            raise ConfigurationError(f"--rows {arguments.rows}: the example has rows for 1 to {len(orders)}")
        orders = orders.head(arguments.rows)
    asked = arguments.out.expanduser()
    folder = _fresh(asked)
    say(
        f"{len(orders):,} example orders with their lines become invoices, "
        "on an embedded service on this machine: no account, no network, nothing billed."
    )
    if folder != asked:
        say(f"{shown(asked)} holds something already, so this goes into {shown(folder)}.")
    say()
    started = SYSTEM_CLOCK.monotonic()
    with use_local(seed=None) as service:
        results = generate_documents(
            orders,
            "invoice",
            tables={"Lines": Table(lines, on="InvoiceId")},
            file_name="INV-{InvoiceId}",
            download=folder / "pdfs",
            progress=arguments.progress is not False,
        )
        counts = service.counts()
    seconds = SYSTEM_CLOCK.monotonic() - started
    what, written = write_workbook(results, folder / "review.xlsx", orders[SHOWN])
    say_outcome(results, download=True)
    spent = sum(count for endpoint, count in counts.items() if endpoint.startswith(("async/", "sync/")))
    fetched = sum(count for endpoint, count in counts.items() if endpoint.startswith("download"))
    looked = sum(counts.values()) - spent - fetched
    say(
        f"{sum(counts.values()):>7,} calls: {spent} to generate (100 documents a call), {fetched} to download, "
        f"{looked} to look up the design"
    )
    say(f"{seconds:>7.1f} seconds")
    say()
    say(f"PDFs      {shown(folder / 'pdfs')} ({int(results['path'].notna().sum()):,})")
    say(f"{what:<9} {shown(written)}   for a colleague to review: decision and comment to fill in")
    say()
    say(NEXT)
    return exit_code(results, download=True)


def _fresh(folder: Path) -> Path:
    """Return the folder, or a numbered one beside it: each demo is a whole one and nothing is overwritten."""
    number, candidate = 1, folder
    while candidate.exists() and (not candidate.is_dir() or any(candidate.iterdir())):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
