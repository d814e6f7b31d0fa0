"""The rules of the ledger: what may be sent, what is never taken back, and what a row shows."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.journals import OWNER, abandoned, accept, documents, key_of, opened, planned, sent, terms

import reportflow_pandas
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine.outcomes import AcceptedMeanwhile, Outcome, Outcomes
from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal import marks, runs

PACKAGE = Path(reportflow_pandas.__file__).parent


def asked(folder: Path, question: str) -> list[tuple[object, ...]]:
    """Ask as any SQLite shell would."""
    beside = sqlite3.connect(folder / "november.sqlite")
    try:
        return beside.execute(question).fetchall()
    finally:
        beside.close()


def counted(folder: Path) -> dict[object, object]:
    return dict(asked(folder, "SELECT status, count(*) FROM documents GROUP BY status"))  # type: ignore[arg-type]


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(main())  # type: ignore[arg-type]


async def unknown_row(folder: Path) -> None:
    """Leave a run whose first row is unknown: its process died."""
    journal = opened(folder)
    await planned(journal, ["a", "b"])
    await journal.intent([0], "async/single")
    abandoned(journal)


def test_a_released_unknown_row_that_is_refused_is_unknown_again(tmp_path: Path) -> None:
    async def main() -> None:
        await unknown_row(tmp_path)
        journal = opened(tmp_path)
        journal.go_on()
        assert [d.position for d in journal.pending(unknown=True, positions=[0])] == [0]
        call = await journal.intent([0], "async/single")
        journal.withdraw(call, [0])  # a 429
        await journal.flush()
        call = await journal.intent([0], "async/single")  # still released in this process
        journal.withdraw(call, [0])
        await journal.flush()
        abandoned(journal)
        with opened(tmp_path) as journal:
            assert [o.status for o in journal.go_on()] == ["unknown", "not_sent"]
            assert "settle" in (journal.go_on()[0].error or "")
            assert [d.position for d in journal.pending()] == [1]
            with pytest.raises(JournalError, match="row 0"):
                await journal.intent([0], "async/single")

    run(main)


def test_a_refused_row_that_had_failed_has_its_failure_still(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a"])
            call = await journal.intent([0], "async/single")
            outcomes.refused(0, "failed", "invalid", "金額が不正です", 400)
            outcomes.tried(0, 2, 1.5)
            await journal.answered(call, outcomes.as_answered([0]))
        before = list(outcomes)
        with opened(tmp_path) as journal:
            journal.go_on()
            call = await journal.intent([0], "async/single")
            journal.withdraw(call, [0])
        assert list(runs.load(tmp_path, "november").outcomes) == before

    run(main)


def test_again_among_equals_sends_the_one_that_was_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "a"])
            await sent(journal, outcomes, [0, 1])
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["a", "a"], again=[0])
            assert [d.position for d in fresh] == [0]
            call = await journal.intent([0], "async/single")
            accept(outcomes, [0])
            outcomes.file_id[0] = "the new one"
            await journal.answered(call, outcomes.as_answered([0]))
        with opened(tmp_path) as journal:
            # a third equal row is a third document; a redone row shows the newest
            outcomes, fresh = await planned(journal, ["a", "a", "a"])
            assert [d.position for d in fresh] == [2]
            assert [outcomes[place].file_id for place in range(2)] == ["the new one", "file-1"]
        assert counted(tmp_path) == {"accepted": 3, "not_sent": 1}
        assert asked(tmp_path, "SELECT nth, edition FROM documents ORDER BY nth, edition") == [
            (0, 0),
            (0, 1),
            (1, 0),
            (2, 0),
        ]

    run(main)


def test_a_row_that_a_webhook_marks_between_pending_and_intent_leaves_the_call(tmp_path: Path) -> None:
    async def main() -> None:
        await unknown_row(tmp_path)
        journal = opened(tmp_path)
        outcomes = journal.go_on()
        waiting = list(journal.pending(unknown=True))
        assert [d.position for d in waiting] == [0, 1]
        marks.mark_ready(tmp_path, "november", waiting[0].id, SYSTEM_CLOCK, file_id="f", request_id="r")
        with pytest.raises(AcceptedMeanwhile) as meanwhile:
            await journal.intent([0, 1], "async/multiple")
        assert meanwhile.value.positions == [0]
        assert (outcomes[0].status, outcomes[0].file_id, outcomes[0].request_id) == ("ready", "f", "r")
        await sent(journal, outcomes, [1])
        journal.close()
        assert counted(tmp_path) == {"ready": 1, "accepted": 1}
        assert asked(tmp_path, "SELECT count(*) FROM calls WHERE answered_at IS NULL") == [
            (1,)
        ]  # of the dead process

    run(main)


def test_two_calls_in_one_commit_of_which_the_guard_refuses_one(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b", "c"])
            first, second, third = await asyncio.gather(
                journal.intent([0, 1], "async/multiple"),
                journal.intent([1, 2], "async/multiple"),
                journal.intent([2], "async/single"),
                return_exceptions=True,
            )
            assert isinstance(second, JournalError)
            assert "row 1" in str(second)
            assert "being sent" in str(second)
            found = asked(
                tmp_path, "SELECT number, call FROM documents WHERE status = 'in_flight' ORDER BY number"
            )
            assert found == [(0, first), (1, first), (2, third)]
            assert asked(tmp_path, "SELECT number FROM calls ORDER BY number") == [(first,), (third,)]

    run(main)


def test_single_calls_of_one_commit_keep_their_numbers_where_a_row_between_them_is_not_sent(
    tmp_path: Path,
) -> None:
    """Calls whose numbers go up with those of the rows are written together; these only look as if they did."""

    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c", "d"])
            await sent(journal, outcomes, [1])
            calls = await asyncio.gather(*(journal.intent([row], "async/single") for row in (0, 2, 3)))
            found = asked(
                tmp_path, "SELECT number, call FROM documents WHERE status = 'in_flight' ORDER BY number"
            )
            assert found == list(zip([0, 2, 3], calls, strict=True))
            for row, call in zip([0, 2, 3], calls, strict=True):
                accept(outcomes, [row])
                await journal.answered(call, outcomes.as_answered([row]))
        loaded = runs.load(tmp_path, "november").outcomes
        assert [one.request_id for one in loaded] == ["request-0", "request-1", "request-2", "request-3"]

    run(main)


def test_a_queues_call_of_which_one_row_was_sent_anew_is_collected_for_the_other(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path, queue=True)
        await planned(journal, ["a", "b"])
        queued = await journal.intent([0, 1], "async/multiple")
        abandoned(journal)
        with opened(tmp_path) as journal:  # without its queue: the rows are unknown, and one is sent again
            outcomes = journal.go_on()
            assert [o.status for o in outcomes] == ["unknown", "unknown"]
            assert [d.position for d in journal.pending(unknown=True, positions=[1])] == [1]
            call = await journal.intent([1], "async/single")
            accept(outcomes, [1])
            outcomes.file_id[1] = "sent again"
            await journal.answered(call, outcomes.as_answered([1]))
        with opened(tmp_path, queue=True) as journal:
            outcomes = journal.go_on()
            [(number, positions, ids)] = journal.reopen(journal.awaited())
            assert (number, positions, ids) == (queued, [0], [documents(["a"])[0].id])
            accept(outcomes, [0])
            await journal.answered(number, outcomes.as_answered([0]))
        loaded = runs.load(tmp_path, "november").outcomes
        assert [(o.status, o.file_id) for o in loaded] == [("accepted", "file-0"), ("accepted", "sent again")]

    run(main)


def test_an_acceptance_that_comes_after_its_row_was_sent_anew_counts_unless_the_row_has_one(
    tmp_path: Path,
) -> None:
    async def main(accepted_first: bool) -> None:
        folder = tmp_path / str(accepted_first)
        journal = opened(folder, queue=True)
        await planned(journal, ["a", "b", "c"])
        queued = await journal.intent([2], "async/single")
        abandoned(journal)
        with opened(folder) as journal:
            outcomes = journal.go_on()
            assert len(list(journal.pending(unknown=True))) == 3
            call = await journal.intent([2], "async/single")
            assert call == 2, "and the document's number, too: the two are not mixed up"
            if accepted_first:
                accept(outcomes, [2])
                outcomes.file_id[2] = "second"
            else:
                outcomes.refused(2, "failed", "invalid", "no", 400)
            await journal.answered(call, outcomes.as_answered([2]))
            accept(outcomes, [2])
            await journal.answered(queued, outcomes.as_answered([2]))
        loaded = runs.load(folder, "november").outcomes[2]
        assert (loaded.status, loaded.file_id) == ("accepted", "second" if accepted_first else "file-2")
        assert loaded.request_id == "request-2", "by which its file is fetched"

    run(lambda: main(accepted_first=True))
    run(lambda: main(accepted_first=False))


@pytest.mark.parametrize("late", ["failed", "unknown", "not_sent"])
def test_an_acceptance_by_a_webhook_is_not_taken_back_by_an_answer(tmp_path: Path, late: str) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, fresh = await planned(journal, ["a"])
        call = await journal.intent([0], "async/single")
        assert marks.mark_ready(tmp_path, "november", fresh[0].id, SYSTEM_CLOCK) == "marked"
        outcomes.refused(0, late, "invalid", "no", 400)
        await journal.answered(call, outcomes.as_answered([0]))
        journal.close()
        assert counted(tmp_path) == {"ready": 1}
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(0) == "ready"
            assert list(journal.pending(unknown=True)) == []

    run(main)


def test_calls_of_a_queue_stay_in_flight_for_who_knows_the_queue_and_are_unknown_for_others(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        journal = opened(tmp_path, queue=True)
        await planned(journal, ["a"])
        await journal.intent([0], "async/single")
        abandoned(journal)
        opened(tmp_path, queue=True).close()
        assert counted(tmp_path) == {"in_flight": 1}
        assert runs.load(tmp_path, "november").outcomes[0].status == "unknown"
        assert runs.awaited(tmp_path, "november") == 1
        opened(tmp_path).close()
        assert counted(tmp_path) == {"unknown": 1}

    run(main)


def test_a_later_frame_takes_unsent_documents_over_so_that_a_count_shows_no_ghosts(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c"])
            call = await journal.intent([0], "async/single")
            outcomes.refused(0, "failed", "invalid", "no", 400)
            await journal.answered(call, outcomes.as_answered([0]))
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["b", "a"])
            assert fresh == documents(["b", "a"], frame=2)
            assert counted(tmp_path) == {"not_sent": 2}
            assert [d.id for d in journal.pending()] == [d.id for d in sorted(fresh, key=lambda d: -d.position)]

    run(main)


def test_keys_are_told_apart_and_indexed_when_a_second_frame_begins(tmp_path: Path) -> None:
    indexed = "SELECT count(*) FROM sqlite_master WHERE name = 'documents_by_key'"

    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b", "a"])
            assert asked(tmp_path, indexed) == [(0,)]
            assert asked(tmp_path, "SELECT nth FROM documents ORDER BY number") == [(0,), (0,), (0,)]
            await planned(journal, ["a", "b", "a", "a"])
        assert asked(tmp_path, indexed) == [(1,)]
        assert asked(tmp_path, "SELECT nth FROM documents ORDER BY number") == [(0,), (0,), (1,), (2,)]
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            asked(tmp_path, "UPDATE documents SET nth = 0")

    run(main)


def test_a_withdrawn_intent_is_no_call_for_the_limiter(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b"])
            tasks = [asyncio.create_task(journal.intent([place], "async/single")) for place in range(2)]
            for turns, task in enumerate(tasks):  # one before its commit begins, one while it is under way
                for _ in range(4 * turns):
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert runs.recent_calls(tmp_path, OWNER, 0.0) == []
        assert counted(tmp_path) == {"not_sent": 2}

    run(main)


def test_rows_of_one_call_with_outcomes_of_their_own_keep_them(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c", "d"])
            call = await journal.intent([0, 1, 2, 3], "async/multiple")
            accept(outcomes, [0, 1])
            outcomes.url[1], outcomes.request_id[1] = "https://example.test/share/2", "of its own"
            outcomes.refused(2, "unknown", "unknown_outcome", "the answer does not name it", 202)
            outcomes.refused(3, "failed", "invalid", "no", 400)
            outcomes.tried(3, 3, 9.5)
            await journal.answered(call, outcomes.as_answered([0, 1, 2, 3]))
        assert list(runs.load(tmp_path, "november").outcomes) == list(outcomes)

    run(main)


def test_texts_of_the_service_that_no_file_takes_are_cleaned(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b"])
            call = await journal.intent([0, 1], "async/multiple")
            accept(outcomes, [0])
            outcomes.file_name[0] = "half \ud83d.pdf"
            outcomes.refused(1, "failed", "invalid", "金額 \udc00", 400)
            await journal.answered(call, outcomes.as_answered([0, 1]))
        loaded = runs.load(tmp_path, "november").outcomes
        assert (loaded[0].file_name, loaded[1].error) == ("half ?.pdf", "金額 ?")

    run(main)


def test_statuses_are_counted_by_their_words_in_the_first_table_of_any_sqlite_shell(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c"])
            await sent(journal, outcomes, [0])
            await journal.intent([1], "async/single")
            assert counted(tmp_path) == {"accepted": 1, "in_flight": 1, "not_sent": 1}
        assert asked(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid LIMIT 1") == [
            ("documents",)
        ]
        assert asked(
            tmp_path, "SELECT row, status, file_name, http_status FROM results WHERE status = 'accepted'"
        ) == [(0, "accepted", "INV-0.pdf", 202)]
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            asked(tmp_path, "UPDATE documents SET status = 'Accepted'")

    run(main)


def test_only_the_ledger_writes_a_status() -> None:
    writers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(
            r"SET\s+(\w+ = [^,\"]+,\s*)*status\b|INSERT[^\"]*\bstatus\b", path.read_text(encoding="utf-8")
        )
    }
    assert writers == {"journal/ledger.py"}


def test_the_same_outcomes_written_twice_change_nothing(tmp_path: Path) -> None:
    """A commit that fails at its very end may be on the disk: it is written again at the close."""

    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c"])
            call = await journal.intent([0, 1, 2], "async/multiple")
            accept(outcomes, [0])
            outcomes.refused(1, "failed", "invalid", "no", 400)
            outcomes.refused(2, "unknown", "unknown_outcome", "cut off", None)
            for _ in range(2):
                await journal.answered(call, outcomes.as_answered([0, 1, 2]))
        assert list(runs.load(tmp_path, "november").outcomes) == list(outcomes)

    run(main)


def test_a_frame_larger_than_a_commit_knows_its_rows_again(tmp_path: Path) -> None:
    async def main() -> None:
        texts = [f"row {number}" for number in range(1300)]
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, texts)
            await sent(journal, outcomes, range(0, 1300, 3))
        turned = [*reversed(texts), "row 5", "new"]
        with opened(tmp_path) as journal:
            outcomes = Outcomes([f"INV-{place}" for place in range(len(turned))])
            await journal.begin(outcomes, terms())
            rows = documents(turned, 2)
            fresh = await journal.plan(rows, [key_of(text) for text in turned])
            await journal.end_plan()
            assert {d.position for d in fresh} == {
                place for place in range(1302) if place > 1299 or (1299 - place) % 3
            }
            assert outcomes[1299].file_id == "file-0"
            assert [d.position for d in journal.pending(positions={1300, 1301})] == [1300, 1301]

    run(main)


def test_a_document_that_is_made_again_has_the_request_of_the_call_that_made_it(tmp_path: Path) -> None:
    """Also where it had another of its own: rows of one queue's call may be of several requests."""

    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b"])
            call = await journal.intent([0, 1], "async/multiple")
            lost = Outcome(1, "unknown", request_id="r1", error_kind="unknown_outcome", error="lost", attempts=1)
            await journal.answered(call, [Outcome(0, "accepted", request_id="r0", attempts=1), lost])
            assert [document.position for document in journal.pending(unknown=True)] == [1]
            again = await journal.intent([1], "sync/single")
            made = Outcome(1, "ready", "INV-1.pdf", file_id="f2", request_id="r2", path="INV-1.pdf", attempts=1)
            await journal.answered(again, [made])

    asyncio.run(main())
    assert runs.load(tmp_path, "november").outcomes.request_id == ["r0", "r2"]
