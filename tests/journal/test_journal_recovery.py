"""Whatever happens to the process, the journal opens and tells what may be sent."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import killed_journals
from support.journals import abandoned, accept, opened, planned
from support.killed_processes import Children

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.journal import runs
from reportflow_pandas.journal.journal import Journal

ROWS = 12


class Recovery(RuleBasedStateMachine):
    """A model of a run beside its journal: each row is what the process last knew for certain."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.journal: Journal | None = None
        self.outcomes = Outcomes([])
        self.rows: list[str] = []
        self.known: dict[str, str] = {}
        self.calls: dict[int, list[int]] = {}

    @initialize(endpoint=st.sampled_from(["async/single", "async/multiple"]))
    def begin(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.rows = [f"row {number}" for number in range(ROWS)]
        self.known = dict.fromkeys(self.rows, "not_sent")
        self.open()
        self.give()

    def open(self) -> None:
        self.journal = opened(self.folder)

    def give(self) -> list[int]:
        async def main() -> list[int]:
            assert self.journal is not None
            self.outcomes, fresh = await planned(self.journal, self.rows, endpoint=self.endpoint)
            return [document.position for document in fresh]

        return self.loop.run_until_complete(main())

    def busy(self) -> set[int]:
        return {position for positions in self.calls.values() for position in positions}

    @precondition(lambda self: self.journal)
    @rule(chosen=st.sets(st.integers(0, ROWS - 1), min_size=1, max_size=4), turn=st.booleans())
    def send(self, chosen: set[int], turn: bool) -> None:
        free = [
            position
            for position in sorted(chosen, reverse=turn)
            if position < len(self.rows)
            and position not in self.busy()
            and self.known[self.rows[position]] in ("not_sent", "failed")
        ]
        if not free:
            return

        async def main() -> int:
            assert self.journal is not None
            return await self.journal.intent(free, self.endpoint)

        self.calls[self.loop.run_until_complete(main())] = free

    @precondition(lambda self: self.journal and self.calls)
    @rule(answer=st.sampled_from(["accepted", "failed", "unknown", "cleared", "mixed"]), data=st.data())
    def answer(self, answer: str, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.calls)))
        positions = self.calls.pop(call)

        async def main() -> None:
            assert self.journal is not None
            if answer == "cleared":
                self.journal.withdraw(call, positions)
                await self.journal.flush()
                return
            for place, position in enumerate(positions):
                status = answer if answer != "mixed" else ("accepted", "unknown", "failed")[place % 3]
                if status == "accepted":
                    accept(self.outcomes, [position])
                else:
                    self.outcomes.refused(position, status, "invalid", "no", 400)
                self.known[self.rows[position]] = status
            await self.journal.answered(call, self.outcomes.as_answered(positions))

        self.loop.run_until_complete(main())

    @precondition(lambda self: self.journal)
    @rule(kill=st.booleans(), by_name=st.booleans())
    def end(self, kill: bool, by_name: bool) -> None:
        """End the process, one way or the other, and go on: by the run's name, or with the frame."""
        assert self.journal is not None
        for positions in self.calls.values():
            for position in positions:
                self.known[self.rows[position]] = "unknown"
        self.calls = {}
        (abandoned if kill else Journal.close)(self.journal)
        self.open()
        if by_name:
            self.outcomes = self.journal.go_on()
        else:
            sent = self.give()
            self.judge_fresh(sent)

    @precondition(lambda self: self.journal and not self.calls)
    @rule(order=st.permutations(range(ROWS)), edited=st.integers(0, ROWS - 1), left=st.integers(1, ROWS))
    def another_frame(self, order: list[int], edited: int, left: int) -> None:
        """Give the rows in another order, one of them edited, some left out."""
        self.rows = [self.rows[number] for number in order if number < len(self.rows)][:left] or self.rows
        self.rows[edited % len(self.rows)] += "!"
        self.known.setdefault(self.rows[edited % len(self.rows)], "not_sent")
        self.judge_fresh(self.give())

    def judge_fresh(self, sent: list[int]) -> None:
        assert sent == [p for p, row in enumerate(self.rows) if self.known[row] in ("not_sent", "failed")]
        for row in self.rows:
            if self.known[row] == "failed":
                self.known[row] = "not_sent"

    @precondition(lambda self: self.journal)
    @invariant()
    def the_journal_knows_what_may_be_sent(self) -> None:
        assert self.journal is not None
        busy = self.busy()
        pending = {document.position: document for document in self.journal.pending()}
        may = {
            position
            for position, row in enumerate(self.rows)
            if position not in busy and self.known[row] in ("not_sent", "failed")
        }
        assert pending.keys() == may
        assert all(d.content == f'{{"text":"{self.rows[p]}"}}'.encode() for p, d in pending.items())
        recorded = runs.load(self.folder, "november").outcomes
        assert [o.status for o in recorded] == [
            "unknown" if position in busy else self.known[row] for position, row in enumerate(self.rows)
        ]

    def teardown(self) -> None:
        if self.journal is not None:
            self.journal.close()
        self.loop.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


TestRecovery = Recovery.TestCase
TestRecovery.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children("support.killed_journals") as running:
        yield running


def killed_at_random(
    children: Children, folder: Path, endpoint: str, kills: int, seed: int
) -> tuple[Counter[str], int]:
    """Start a run, kill it, resume it, until nothing is left; return its states when killed, and rows unknown."""
    chance = random.Random(seed)  # noqa: S311 - a test's chance
    service = folder / "service.txt"
    service.touch()
    journal = folder / "runs" / "november.sqlite"
    died: Counter[str] = Counter()
    for attempt in range(kills + 1):
        child = children.start(folder=str(folder / "runs"), service=str(service), endpoint=endpoint)
        if attempt < kills:
            # by what the service has seen, or at once: every phase has its turn, however fast the machine is
            goal = chance.choice(["planning", 0, 0, 1, 20, 60])
            if goal == "planning":
                while children.alive(child) and not journal.exists():
                    pass
                time.sleep(chance.uniform(0, 0.03))
            else:
                seen = service.stat().st_size
                while children.alive(child) and service.stat().st_size < int(goal) + seen:
                    pass
            for _ in range(chance.randrange(20_000)):
                pass
            children.end(child)
        ended = children.wait(child)
        state = "none"
        if journal.exists():
            state = runs.runs(folder / "runs")[0].state
            assert state in ("open", "unplanned", "complete")
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        died[state] += 1
    return died, judged(folder / "runs", service)


def judged(folder: Path, service: Path) -> int:
    accepted = Counter(int(line) for line in service.read_text().split())
    outcomes = runs.load(folder, "november").outcomes
    counts = outcomes.counts()
    assert counts["not_sent"] == counts["failed"] == 0
    assert len(outcomes) == killed_journals.ROWS
    assert max(accepted.values()) == 1
    assert all(accepted[o.row] == 1 for o in outcomes if o.status in ("accepted", "ready"))
    return counts["unknown"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple"])
def test_killed_at_random_instants_nothing_is_accepted_twice_and_nothing_is_lost(
    children: Children, tmp_path: Path, endpoint: str
) -> None:
    died, unknown = killed_at_random(children, tmp_path, endpoint, 5, 6)
    # at most the calls in flight
    assert unknown <= died.total() * 3 * (1 if endpoint.endswith("single") else 4)


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple"])
def test_killed_at_two_hundred_instants(
    children: Children, tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    died: Counter[str] = Counter()
    unknown = 0
    for seed in range(200):
        if died.total() >= 200:
            break
        folder = tmp_path / str(seed)
        folder.mkdir()
        deaths, rows = killed_at_random(children, folder, endpoint, 8, seed)
        died += deaths
        unknown += rows
    assert died.total() >= 200
    assert unknown <= died.total() * 3 * (1 if endpoint.endswith("single") else 4)
    with capsys.disabled():
        print(f"\n{endpoint}: {died.total()} deaths: {dict(died)}; {unknown} rows unknown")  # noqa: T201 - the figure
