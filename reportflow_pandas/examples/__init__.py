"""Real orders to try everything with: the Chinook sample database's invoices (MIT, © 2008-2024 Luis Rocha)."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["example_orders"]


def example_orders() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the packaged example: orders and their lines.

    Returns
    -------
    orders : pandas.DataFrame
        412 rows, one an invoice: ``InvoiceId``, ``InvoiceDate``, ``CustomerId``, ``CustomerName``, ``Company``,
        ``Email``, ``BillingAddress``, ``BillingCity``, ``BillingState``, ``BillingCountry``,
        ``BillingPostalCode``, ``Total``. Identifiers and postal codes are text, so that ``0171`` stays ``0171``;
        companies are mostly missing.
    lines : pandas.DataFrame
        2,240 rows: ``InvoiceId`` (ties them to the orders), ``InvoiceLineId``, ``Track``, ``Artist``, ``Album``,
        ``UnitPrice``, ``Quantity``.

    Examples
    --------
    >>> orders, lines = example_orders()
    >>> len(orders), len(lines), orders["BillingPostalCode"].iloc[1]
    (412, 2240, '0171')
    """
    folder = files(__name__)
    with (folder / "invoices.csv").open(encoding="utf-8") as file:
        orders = pd.read_csv(
            file,
            dtype={"InvoiceId": str, "CustomerId": str, "BillingPostalCode": str},
            parse_dates=["InvoiceDate"],
        )
    with (folder / "invoice_lines.csv").open(encoding="utf-8") as file:
        lines = pd.read_csv(file, dtype={"InvoiceId": str, "InvoiceLineId": str})
    return orders, lines
