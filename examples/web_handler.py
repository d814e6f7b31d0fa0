"""Answer at once, generate in the background, mail that user when that document is done.

    pip install 'reportflow-pandas[mail]'
    export REPORT_FLOW_APP_KEY=ak_… REPORTFLOW_SMTP=smtps://USER:PASSWORD@mail.example.com
    python web_handler.py --sender billing@example.com

    curl -d '{"email": "ann@example.com", "CustomerName": "Ann", "Amount": 12.5}' localhost:8080/receipts

An order is on the disk before it is answered. A process that dies goes on with it when it is started again: each
order is a run of its own, whose ledger knows whether its document was paid for and whether its mail was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pandas as pd
from aiohttp import web

import reportflow_pandas as rf

DESIGN = os.environ.get("RECEIPT_DESIGN", "receipt")
SUBJECT = "Your receipt {ReceiptId}"
BODY = "Dear {CustomerName},\n\nthank you. Your receipt is attached.\n"
AT_ONCE = 4
"""Orders that are worked on side by side."""

log = logging.getLogger("web_handler")


class Inbox:
    """Orders that were answered and are not done yet, in a file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, content TEXT, state TEXT)"
        )

    def put(self, order: dict[str, object]) -> str:
        """Write an order down and return its id."""
        number = secrets.token_hex(6)
        self._connection.execute("INSERT INTO orders VALUES (?, ?, 'open')", (number, json.dumps(order)))
        return number

    def end(self, number: str, state: str) -> None:
        """Note what became of an order."""
        self._connection.execute("UPDATE orders SET state = ? WHERE id = ?", (state, number))

    def open_orders(self) -> list[tuple[str, dict[str, object]]]:
        """Return what an earlier process left."""
        rows = self._connection.execute("SELECT id, content FROM orders WHERE state = 'open' ORDER BY rowid")
        return [(number, json.loads(content)) for number, content in rows]

    def state(self, number: str) -> str | None:
        """Return how far an order is."""
        found = self._connection.execute("SELECT state FROM orders WHERE id = ?", (number,)).fetchone()
        return found[0] if found else None


async def carry_out(number: str, order: dict[str, object], folder: Path) -> str:
    """Generate an order's receipt and mail it; what an earlier process did of it is not done again."""
    email = order.pop("email")
    rows = pd.DataFrame([order | {"ReceiptId": number}]).assign(Email=email)
    results = await rows.reportflow.agenerate(
        DESIGN,
        run=f"order-{number}",
        key="ReceiptId",
        file_name="Receipt-{ReceiptId}",
        params=[name for name in rows.columns if name != "Email"],
        check="warn",
        download=folder / "pdfs",
        progress=False,
    )
    if results["status"].iloc[0] in ("failed", "unknown"):
        # unknown: a person looks in the web app whether it exists, before anything is paid for again
        return str(results["status"].iloc[0])
    mailed = await asyncio.to_thread(
        results.reportflow.mail, to="Email", subject=SUBJECT, body=BODY, source=rows, progress=False
    )
    return str(mailed["mail_status"].iloc[0])


async def work(app: web.Application) -> None:
    """Carry orders out as they come."""
    while True:
        number, order = await app["queue"].get()
        try:
            state = await carry_out(number, order, app["folder"])
        except rf.InvalidRows as reason:  # an address that is none, say: no later try could send it
            log.warning("order %s: %s", number, reason)
            app["inbox"].end(number, "refused")
        except Exception:
            # an order that cannot be sent now stays open: the next start of this program takes it up
            log.exception("order %s", number)
        else:
            if state in ("sent", "failed", "unknown"):
                app["inbox"].end(number, state)


async def receive(request: web.Request) -> web.Response:
    """Take an order and answer at once."""
    try:
        order = await request.json()
    except ValueError:
        order = None
    if not isinstance(order, dict) or "@" not in str(order.get("email")):
        return web.json_response({"error": "an order is an object with an email"}, status=400)
    number = request.app["inbox"].put(order)
    request.app["queue"].put_nowait((number, order))
    return web.json_response({"order": number, "status": f"/receipts/{number}"}, status=202)


async def look(request: web.Request) -> web.Response:
    """Tell how far an order is."""
    state = request.app["inbox"].state(request.match_info["order"])
    return web.json_response({"state": state}, status=200 if state else 404)


async def background(app: web.Application) -> AsyncIterator[None]:
    """Work for as long as the server runs."""
    for order in app["inbox"].open_orders():
        app["queue"].put_nowait(order)
    workers = [asyncio.create_task(work(app)) for _ in range(AT_ONCE)]
    yield
    for worker in workers:
        worker.cancel()
    for worker in workers:
        with contextlib.suppress(asyncio.CancelledError):
            await worker


def application(folder: Path) -> web.Application:
    """Return the server's application; ``folder`` keeps orders, runs and PDFs."""
    folder.mkdir(parents=True, exist_ok=True)
    rf.configure(runs=folder / "runs")
    app = web.Application()
    app["folder"], app["inbox"], app["queue"] = folder, Inbox(folder / "orders.sqlite"), asyncio.Queue()
    app.add_routes([web.post("/receipts", receive), web.get("/receipts/{order}", look)])
    app.cleanup_ctx.append(background)
    return app


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("receipts"))
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--sender", required=True)
    arguments = parser.parse_args()
    rf.configure(sender=arguments.sender)
    web.run_app(application(arguments.folder), host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
