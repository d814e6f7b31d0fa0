"""Processes that keep a journal and are killed: a child is forked for each stretch of a run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from support.journals import accept, opened, planned
from support.killed_processes import main

ROWS = 400


def keep(*, folder: str, service: str, endpoint: str) -> None:
    """Begin a run or go on with it, and leave without a goodbye."""
    code = 1
    try:
        asyncio.run(_keep(Path(folder), os.open(service, os.O_WRONLY | os.O_APPEND), endpoint))
        code = 0
    finally:
        os._exit(code)


async def _keep(folder: Path, service: int, endpoint: str) -> None:
    with opened(folder) as journal:
        size = 1 if endpoint.endswith("single") else 4
        if journal.meta["planned"]:
            outcomes = journal.go_on()
            documents = list(journal.pending())
        else:
            rows = [f"row {number} " + "x" * 500 for number in range(ROWS)]
            outcomes, documents = await planned(journal, rows, endpoint=endpoint)
        calls = iter([documents[start : start + size] for start in range(0, len(documents), size)])

        async def worker() -> None:
            for call in calls:
                positions = [document.position for document in call]
                number = await journal.intent(positions, endpoint)
                # the service accepts with this line, whether or not the answer arrives
                os.write(service, "".join(f"{position}\n" for position in positions).encode())
                await asyncio.sleep(0)
                accept(outcomes, positions)
                await journal.answered(number, outcomes.as_answered(positions))
                for position in positions:
                    outcomes.saved(position, f"{position}.pdf")
                    journal.saved(position)

        await asyncio.gather(*(worker() for _ in range(3)))
        await journal.flush()


if __name__ == "__main__":
    main(keep)
