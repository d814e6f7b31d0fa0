"""Ours, and what people write in its place; each sends every item once and keeps every answer.

The hand-written ones get their items ready-made, as a list of bodies; ours starts from the frame and ends with
the results frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import aiohttp
import pandas as pd

from reportflow_pandas import Settings
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.errors import JournalError
from reportflow_pandas.execution import from_frame
from reportflow_pandas.generation import generate
from reportflow_pandas.journal.journal import Journal

KEY = "ak_benchmark_0123456789"
PARAMS = ["Customer", "Address", "Date", "Total", "Paid", "Note"]
HUNDRED = 100

Contender = Callable[[str, pd.DataFrame, list[dict[str, Any]], int], int]
"""Address, frame, the same rows as bodies, concurrency; returns how many were accepted."""


def orders(rows: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return a frame, and its rows as the bodies of single calls."""
    frame = pd.DataFrame(
        {
            "Customer": [f"Customer {number}" for number in range(rows)],
            "Address": [f"{number} Long Street, Old Town" for number in range(rows)],
            "Date": "2026-11-02",
            "Total": [number + 0.25 for number in range(rows)],
            "Paid": [number % 2 == 0 for number in range(rows)],
            "Note": "Thank you for your order",
        }
    )
    bodies = [
        {"designId": "benchmark", "version": 1, "content": {"fileName": f"benchmark-{number}", "params": params}}
        for number, params in enumerate(frame.to_dict("records"))
    ]
    return frame, bodies


def ours(
    address: str,
    frame: pd.DataFrame,
    concurrency: int | Literal["auto"],
    *,
    endpoint: Literal["async/single", "async/multiple"] = "async/single",
    bar: bool = False,
    runs: Path | None = None,
) -> pd.DataFrame:
    """Generate with this package, without look-ups, as the others have none; with a journal, as ever."""
    with contextlib.ExitStack() as stack:
        runs = runs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if bar:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        return generate(
            frame,
            "benchmark",
            version=1,
            check=False,
            params=PARAMS,
            limits=False,
            endpoint=endpoint,
            concurrency=concurrency,
            progress=bar,
            settings=Settings(app_key=KEY, base_url=address, runs=runs),
        )


class Forgetful(Journal):
    """A journal that writes nothing of documents, calls and answers: what is left is a run without one."""

    async def plan(self, documents: Sequence[Document], keys: Sequence[bytes], **_: Any) -> list[Document]:
        """Take the rows and keep nothing."""
        return list(documents)

    async def intent(self, positions: Sequence[int], endpoint: str) -> int:
        """Let the call go."""
        return 0

    def record(
        self, call: int | None, outcomes: Sequence[Outcome], then: Callable[[JournalError | None], None]
    ) -> None:
        """Show the outcomes."""
        then(None)


def _accepted(results: pd.DataFrame) -> int:
    return int((results["status"] == "accepted").sum())


def ours_quiet(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ours, no bar."""
    return _accepted(ours(address, frame, concurrency))


def ours_with_bar(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ours, the bar drawn ten times a second."""
    return _accepted(ours(address, frame, concurrency, bar=True))


def ours_without_journal(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ours, but with a journal that forgets everything."""
    with mock.patch.object(from_frame, "Journal", Forgetful):
        return ours_quiet(address, frame, items, concurrency)


def batches(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ours, 100 documents to a call."""
    return _accepted(ours(address, frame, concurrency, endpoint="async/multiple"))


def batches_without_journal(
    address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int
) -> int:
    """Send with ours, 100 documents to a call, with a journal that forgets everything."""
    with mock.patch.object(from_frame, "Journal", Forgetful):
        return batches(address, frame, items, concurrency)


def _single(address: str) -> str:
    return f"{address}/v1/file/async/single"


def _session(concurrency: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"appkey": KEY}, connector=aiohttp.TCPConnector(limit=concurrency))


def bare_pool(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with workers over one iterator: the least that aiohttp can do with ``json=`` and ``resp.json()``."""

    async def main() -> int:
        answers: list[Any] = [None] * len(items)
        queue = iter(enumerate(items))
        url = _single(address)
        async with _session(concurrency) as session:

            async def worker() -> None:
                for number, item in queue:
                    async with session.post(url, json=item) as response:
                        answers[number] = await response.json()

            await asyncio.gather(*(worker() for _ in range(concurrency)))
        return sum("requestId" in answer for answer in answers)

    return asyncio.run(main())


async def _post(session: aiohttp.ClientSession, url: str, item: dict[str, Any]) -> Any:
    async with session.post(url, json=item) as response:
        return await response.json()


def gather_all(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send all at once: one session, a semaphore, a task for every item."""

    async def main() -> int:
        room = asyncio.Semaphore(concurrency)
        async with aiohttp.ClientSession(headers={"appkey": KEY}) as session:

            async def one(item: dict[str, Any]) -> Any:
                async with room:
                    return await _post(session, _single(address), item)

            answers = await asyncio.gather(*(one(item) for item in items))
        return sum("requestId" in answer for answer in answers)

    return asyncio.run(main())


def chunk_by_chunk(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send as many as may be in flight, wait for the slowest, send the next."""

    async def main() -> int:
        answers: list[Any] = []
        async with aiohttp.ClientSession(headers={"appkey": KEY}) as session:
            for start in range(0, len(items), concurrency):
                chunk = items[start : start + concurrency]
                answers += await asyncio.gather(*(_post(session, _single(address), item) for item in chunk))
        return sum("requestId" in answer for answer in answers)

    return asyncio.run(main())


def hundred_and_a_second(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send batches of 100 one after the other, with a second's sleep between them."""

    async def main() -> int:
        files = 0
        async with aiohttp.ClientSession(headers={"appkey": KEY}) as session:
            for start in range(0, len(items), HUNDRED):
                contents = [item["content"] for item in items[start : start + HUNDRED]]
                body = {"designId": "benchmark", "version": 1, "contents": contents}
                files += len((await _post(session, f"{address}/v1/file/async/multiple", body)).get("files", []))
                if start + HUNDRED < len(items):
                    await asyncio.sleep(1)
        return files

    return asyncio.run(main())


def with_aiopandas(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ``Series.amap`` of aiopandas."""
    import aiopandas  # noqa: F401, PLC0415 - not everybody has it
    from pandas.core import common  # noqa: PLC0415

    if not hasattr(common, "is_builtin_func"):  # pandas 3 has none, and aiopandas 0.0.3 asks for it
        common.is_builtin_func = lambda function: function  # type: ignore[attr-defined]

    async def main() -> int:
        async with _session(concurrency) as session:

            async def one(item: dict[str, Any]) -> Any:
                return await _post(session, _single(address), item)

            answers = await pd.Series(items).amap(one, max_parallel=concurrency)  # type: ignore[attr-defined]
        return sum("requestId" in answer for answer in answers)

    return asyncio.run(main())


def with_apicadabri(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with ``bulk_post`` of apicadabri."""
    import apicadabri  # noqa: PLC0415 - not everybody has it

    async def main() -> int:
        answers = apicadabri.bulk_post(
            url=_single(address), json_sets=items, headers={"appkey": KEY}, max_active_calls=concurrency
        ).json()
        return sum(["requestId" in answer async for answer in answers.call_all()])

    return asyncio.run(main())


def with_httpx(address: str, frame: pd.DataFrame, items: list[dict[str, Any]], concurrency: int) -> int:
    """Send with workers over one iterator, with httpx."""
    import httpx  # noqa: PLC0415 - not everybody has it

    async def main() -> int:
        answers: list[Any] = []
        queue = iter(items)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        async with httpx.AsyncClient(
            headers={"appkey": KEY}, limits=limits, timeout=60, trust_env=False
        ) as client:

            async def worker() -> None:
                for item in queue:
                    answers.append((await client.post(_single(address), json=item)).json())  # noqa: PERF401

            await asyncio.gather(*(worker() for _ in range(concurrency)))
        return sum("requestId" in answer for answer in answers)

    return asyncio.run(main())


CONTENDERS: dict[str, Contender] = {
    "bare aiohttp pool": bare_pool,
    "ours": ours_quiet,
    "ours, bar on": ours_with_bar,
    "recipe: gather over all": gather_all,
    "recipe: chunk after chunk": chunk_by_chunk,
    "recipe: 100 and a second": hundred_and_a_second,
    "aiopandas": with_aiopandas,
    "apicadabri": with_apicadabri,
    "httpx": with_httpx,
}


PARTS: dict[str, Contender] = {
    "ours": ours_quiet,
    "ours, no journal": ours_without_journal,
    "ours, batches": batches,
    "ours, batches, no journal": batches_without_journal,
}
"""What the journal costs is the difference within each pair."""


def installed() -> dict[str, Contender]:
    """Return the contenders that this machine has."""
    found = dict(CONTENDERS)
    for name in ("aiopandas", "apicadabri", "httpx"):
        try:
            __import__(name)
        except ImportError:
            del found[name]
    return found
