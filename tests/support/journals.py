"""Journals for tests: a run's rows in one line, and a process to kill."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.journal.journal import Journal, Terms
from reportflow_pandas.settings import Owner

OWNER = Owner("a service", "0123abcd")
BASE_URL = "http://127.0.0.1:8787/v1"
AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def opened(folder: Path, run: str = "november", **changes: Any) -> Journal:
    return Journal.open(folder, run, **({"base_url": BASE_URL, "owner": OWNER, "clock": SYSTEM_CLOCK} | changes))


def terms(endpoint: str = "async/multiple", batch_size: int = 4) -> Terms:
    return Terms("Zk3PpV0aNq8sUe5J", "注文書", 2, endpoint, {"batch_size": batch_size})


def key_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def documents(texts: Sequence[str], frame: int = 1) -> list[Document]:
    return [
        Document(position, f"{frame:04}{position:012}", f"INV-{position}", f'{{"text":"{text}"}}'.encode())
        for position, text in enumerate(texts)
    ]


async def planned(
    journal: Journal,
    texts: Sequence[str],
    *,
    endpoint: str = "async/multiple",
    keys: Sequence[str] | None = None,
    again: Sequence[int] = (),
    end: bool = True,
) -> tuple[Outcomes, list[Document]]:
    """Give a journal a frame of texts; return its outcomes, and the documents to be sent."""
    rows = documents(texts, journal.meta["frame"] + 1)
    outcomes = Outcomes([document.name for document in rows])
    await journal.begin(outcomes, terms(endpoint), {"names": ["id"]})
    fresh = await journal.plan(
        rows,
        [key_of(text) for text in (keys or texts)],
        labels=[[position, "a"] for position in range(len(rows))],
        digests=None if keys is None else [key_of(text) for text in texts],
        again=again,
    )
    if end:
        await journal.end_plan()
    return outcomes, fresh


def accept(outcomes: Outcomes, positions: Sequence[int], *, ready: bool = False) -> None:
    for position in positions:
        outcomes.put(
            Outcome(
                position,
                "ready" if ready else "accepted",
                file_name=f"INV-{position}.pdf",
                url="https://example.test/share/1",
                file_id=f"file-{position}",
                request_id=f"request-{positions[0]}",
                http_status=202,
                attempts=1,
                elapsed=0.25,
                accepted_at=AT.timestamp(),
            )
        )


async def sent(journal: Journal, outcomes: Outcomes, positions: Sequence[int]) -> None:
    """Send rows in one call, which is accepted."""
    call = await journal.intent(positions, "async/multiple")
    accept(outcomes, positions)
    await journal.answered(call, outcomes.as_answered(positions))


def abandoned(journal: Journal) -> None:
    """Let a journal go as a killed process does: nothing more is written, the system frees the lock."""
    journal._commits.closed = True
    journal._commits._queue.put(None)
    journal._commits._thread.join()
    journal._commits._connection.close()
    if journal._file._reader is not None:
        journal._file._reader.close()
    journal._file.lock.free()


def on_disk(folder: Path) -> bytes:
    """Return all that is written in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
