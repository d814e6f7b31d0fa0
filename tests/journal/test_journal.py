from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, strategies as st
from support.journals import OWNER, abandoned, accept, documents, key_of, on_disk, opened, planned, sent, terms

from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.errors import ConfigurationError, JournalError
from reportflow_pandas.journal import commits, marks, runs
from reportflow_pandas.journal.ledger import spans

TEXTS = [f"row {number}" for number in range(10)]


def full_disk() -> AbstractContextManager[object]:
    """Let no commit through."""
    return mock.patch.object(commits, "write", side_effect=sqlite3.OperationalError("database or disk is full"))


def test_what_was_accepted_is_restored_with_all_its_columns(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, TEXTS)
            assert fresh == documents(TEXTS)
            await sent(journal, outcomes, [0, 1, 2, 3])
            call = await journal.intent([5, 4], "async/multiple")
            outcomes.refused(5, "failed", "invalid", "金額が不正です", 400)
            accept(outcomes, [4], ready=True)
            outcomes.saved(4, "/tmp/INV-4.pdf")  # noqa: S108 - only a text here
            await journal.answered(call, outcomes.as_answered([5, 4]))
        before = list(outcomes)
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert list(again) == before
            assert [document.position for document in journal.pending(failed=False)] == [6, 7, 8, 9]
            assert [document.position for document in journal.pending()] == [5, 6, 7, 8, 9]
        recorded = runs.load(tmp_path, "november")
        assert list(recorded.outcomes) == before
        assert recorded.frame.labels == [[position, "a"] for position in range(10)]
        assert recorded.frame.names == [f"INV-{position}" for position in range(10)]
        assert recorded.meta["index"] == {"names": ["id"]}
        assert recorded.meta["options"] == {"batch_size": 4}

    asyncio.run(main())


def test_pending_documents_come_back_as_they_were_planned(tmp_path: Path) -> None:
    async def main(endpoint: str) -> None:
        with opened(tmp_path, endpoint.replace("/", "-")) as journal:
            outcomes, _ = await planned(journal, TEXTS, endpoint=endpoint)
            await sent(journal, outcomes, [2, 3, 7])
        with opened(tmp_path, endpoint.replace("/", "-")) as journal:
            journal.go_on()
            assert list(journal.pending()) == [d for d in documents(TEXTS) if d.position not in (2, 3, 7)]
            assert [d.position for d in journal.pending(positions={1, 2, 8})] == [1, 8]

    for endpoint in ("async/single", "async/multiple"):
        asyncio.run(main(endpoint))


def test_an_intent_is_on_the_disk_before_the_call_may_be_sent(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, TEXTS)
        await journal.intent([0, 1], "async/multiple")
        with sqlite3.connect(tmp_path / "november.sqlite") as beside:
            found = beside.execute(
                "SELECT number, call, prior FROM documents WHERE status = 'in_flight'"
            ).fetchall()
            assert found == [(0, 1, "not_sent"), (1, 1, "not_sent")]
            assert beside.execute("SELECT number, answered_at FROM calls").fetchall() == [(1, None)]
        beside.close()
        journal.close()

    asyncio.run(main())


def test_a_call_in_flight_when_the_process_died_is_unknown_and_not_pending(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS)
        await sent(journal, outcomes, [0, 1])
        await journal.intent([2, 3], "async/multiple")
        assert runs.load(tmp_path, "november").outcomes.status_of(2) == "unknown"
        abandoned(journal)
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert [again.status_of(position) for position in range(5)] == [
                "accepted",
                "accepted",
                "unknown",
                "unknown",
                "not_sent",
            ]
            assert again[2].error_kind == "unknown_outcome"
            assert "settle" in (again[2].error or "")
            assert [d.position for d in journal.pending()] == [4, 5, 6, 7, 8, 9]
            with pytest.raises(JournalError, match="row 2"):
                await journal.intent([2], "async/single")

    asyncio.run(main())


def test_an_unknown_row_is_sent_again_only_when_it_is_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, TEXTS)
        await journal.intent([2, 3], "async/multiple")
        abandoned(journal)
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            again = list(journal.pending(unknown=True, positions=[2]))
            assert [(d.position, d.content) for d in again] == [(2, b'{"text":"row 2"}')]
            await sent(journal, outcomes, [2])
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            assert [outcomes.status_of(2), outcomes.status_of(3)] == ["accepted", "unknown"]

    asyncio.run(main())


def test_a_definite_refusal_takes_the_intent_back(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, TEXTS)
        call = await journal.intent([2, 3], "async/multiple")
        journal.withdraw(call, [2, 3])
        await journal.flush()
        abandoned(journal)
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(2) == "not_sent"
            assert 2 in [d.position for d in journal.pending()]

    asyncio.run(main())


def test_a_cancelled_intent_leaves_its_rows_pending(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, TEXTS)
        task = asyncio.create_task(journal.intent([0], "async/single"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await journal.flush()
        abandoned(journal)
        with opened(tmp_path) as journal:
            journal.go_on()
            assert 0 in [d.position for d in journal.pending()]

    asyncio.run(main())


def test_nothing_accepted_and_nothing_in_flight_is_sent_again(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            await sent(journal, outcomes, [0])
            with pytest.raises(JournalError, match=r"row 0 .* accepted"):
                await journal.intent([0, 1], "async/multiple")
            await journal.intent([1], "async/single")
            with pytest.raises(JournalError, match="being sent"):
                await journal.intent([1], "async/single")

    asyncio.run(main())


def test_reordering_filtering_and_appending_send_only_what_is_new(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "b", "c", "d"])
            await sent(journal, outcomes, [0, 1, 2])
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["new", "b", "d", "b", "a", "b", "edited"])
            assert [d.position for d in fresh] == [0, 2, 5, 6]
            assert [o.status for o in outcomes] == [
                "not_sent",
                "accepted",
                "not_sent",
                "accepted",
                "accepted",
                "not_sent",
                "not_sent",
            ]
            assert [outcomes[1].file_id, outcomes[3].file_id, outcomes[4].file_id] == [
                "file-1",
                "file-2",
                "file-0",
            ]
            await sent(journal, outcomes, [0, 2, 5, 6])
        with opened(tmp_path) as journal:
            _, fresh = await planned(journal, ["d", "c", "a"])
            assert [d.position for d in fresh] == [1]

    asyncio.run(main())


def test_failed_rows_are_sent_again_with_the_frame_and_unknown_ones_are_not(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, ["a", "b", "c"])
        call = await journal.intent([0], "async/single")
        outcomes.refused(0, "failed", "invalid", "no", 400)
        await journal.answered(call, outcomes.as_answered([0]))
        await journal.intent([1], "async/single")
        abandoned(journal)
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["a", "b", "c"])
            assert [d.position for d in fresh] == [0, 2]
            assert outcomes.status_of(1) == "unknown"
            _, fresh = await planned(journal, ["a", "b", "c"], again=[1])
            assert [d.position for d in fresh] == [0, 1, 2]

    asyncio.run(main())


def test_under_a_key_changed_content_is_reported_and_not_sent(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c"], keys=["1", "2", "3"])
            await sent(journal, outcomes, [0, 1])
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["a", "B", "C"], keys=["1", "2", "3"])
            assert [(d.position, d.content) for d in fresh] == [(2, b'{"text":"C"}')]
            assert [o.error_kind for o in outcomes] == [None, "changed", None]
            assert outcomes.status_of(1) == "accepted"
            await sent(journal, outcomes, [2])
        assert runs.load(tmp_path, "november").outcomes[1].error_kind == "changed"
        with opened(tmp_path) as journal:
            outcomes, fresh = await planned(journal, ["a", "B", "C"], keys=["1", "2", "3"], again=[1])
            assert [d.position for d in fresh] == [1]
            await sent(journal, outcomes, [1])
            outcomes, fresh = await planned(journal, ["a", "B", "C"], keys=["1", "2", "3"])
            assert not fresh
            assert [o.error_kind for o in outcomes] == [None, None, None]

    asyncio.run(main())


def test_a_run_whose_plan_was_not_closed_is_not_resumed_by_name(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS, end=False)
        await sent(journal, outcomes, [0])
        abandoned(journal)
        with opened(tmp_path) as journal:
            with pytest.raises(
                ConfigurationError, match=r"generate\(design_id='Zk3PpV0aNq8sUe5J', run='november'"
            ):
                journal.go_on()
            _, fresh = await planned(journal, TEXTS)
            assert [d.position for d in fresh] == list(range(1, 10))

    asyncio.run(main())


@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple"])
def test_the_documents_of_accepted_rows_leave_the_disk(tmp_path: Path, endpoint: str) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, [f"Mrs. Secret {n}" * 50 for n in range(10)], endpoint=endpoint)
            for position in (3, 0, 5, 1, 2, 9, 4, 6, 8):
                await sent(journal, outcomes, [position])
        left = on_disk(tmp_path)
        assert b"Mrs. Secret 7" in left
        assert all(f"Mrs. Secret {n}".encode() not in left for n in range(10) if n != 7)

    asyncio.run(main())


def test_documents_in_no_row_any_more_leave_the_disk_too(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["kept", "left out"])
            await planned(journal, ["kept"])
        assert b"left out" not in on_disk(tmp_path)
        assert b'"kept"' in on_disk(tmp_path)

    asyncio.run(main())


def test_rows_refused_without_a_call_are_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            outcomes.refused(3, "failed", "too_large", "60,000,000 bytes", None)
            await journal.answered(None, outcomes.as_answered([3]))
        assert runs.recent_calls(tmp_path, OWNER, 0.0) == []
        assert runs.load(tmp_path, "november").outcomes[3].error_kind == "too_large"

    asyncio.run(main())


def test_outcomes_are_shown_when_they_are_on_the_disk(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            call = await journal.intent([0], "async/single")
            accept(outcomes, [0])
            seen: list[str] = []
            journal.record(
                call,
                outcomes.as_answered([0]),
                lambda _: seen.append(runs.load(tmp_path, "november").outcomes.status_of(0)),
            )
            assert not seen
            await journal.flush()
            assert seen == ["accepted"]

    asyncio.run(main())


def test_downloads_are_recorded_and_a_failed_one_leaves_the_row_accepted(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            await sent(journal, outcomes, [0, 1])
            outcomes.not_fetched(0, "not_ready", "still not ready", 404)
            outcomes.saved(1, "pdfs/INV-1.pdf")
            journal.saved(0)
            journal.saved(1)
        before = list(outcomes)
        assert list(runs.load(tmp_path, "november").outcomes) == before
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            assert list(outcomes) == before
            outcomes.saved(0, "pdfs/INV-0.pdf")
            journal.saved(0)
            await journal.flush()
        assert runs.load(tmp_path, "november").outcomes[0].error_kind is None
        assert runs.load(tmp_path, "november").outcomes[0].status == "ready"

    asyncio.run(main())


def test_calls_of_the_last_minute_are_known_to_the_limiter(tmp_path: Path) -> None:
    async def main() -> None:
        begun = SYSTEM_CLOCK.now().timestamp()
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS)
        await sent(journal, outcomes, [0])
        call = await journal.intent([1], "sync/single")
        journal.withdraw(call, [1])
        await journal.flush()
        await journal.intent([1], "sync/single")
        abandoned(journal)
        with opened(tmp_path):
            calls = runs.recent_calls(tmp_path, OWNER, begun)
        assert [(c.endpoint, c.answered_at is None) for c in calls] == [
            ("async/multiple", False),
            ("sync/single", False),
            ("sync/single", True),
        ]
        assert runs.recent_calls(tmp_path, OWNER, begun + 3600) == []
        assert runs.recent_calls(tmp_path, OWNER._replace(workspace="another"), begun) == []

    asyncio.run(main())


def test_a_full_disk_stops_the_run_and_the_journal_opens_again(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS)
        await sent(journal, outcomes, [0, 1])
        call = await journal.intent([2], "async/single")
        accept(outcomes, [2])
        with full_disk(), pytest.raises(JournalError, match="disk is full"):
            await journal.answered(call, outcomes.as_answered([2]))
        with pytest.raises(JournalError, match="nothing is sent without"):
            await journal.intent([3], "async/single")
        with pytest.raises(JournalError):
            await journal.flush()
        with full_disk():
            journal.close()
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert [again.status_of(position) for position in range(4)] == [
                "accepted",
                "accepted",
                "unknown",
                "not_sent",
            ]
            assert [d.position for d in journal.pending()] == list(range(3, 10))

    asyncio.run(main())


def test_outcomes_of_a_full_disk_are_written_at_the_end_if_there_is_room_again(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS)
        call = await journal.intent([2], "async/single")
        accept(outcomes, [2])
        with full_disk(), pytest.raises(JournalError, match="disk is full"):
            await journal.answered(call, outcomes.as_answered([2]))
        with pytest.raises(JournalError):
            await journal.intent([3], "async/single")
        journal.close()
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(2) == "accepted"
            assert 3 in [d.position for d in journal.pending()]

    asyncio.run(main())


def test_a_call_whose_intent_was_refused_by_the_disk_stays_pending(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, TEXTS)
        with full_disk(), pytest.raises(JournalError):
            await journal.intent([3], "async/single")
        journal.close()
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            assert 3 in [d.position for d in journal.pending()]
            await sent(journal, outcomes, [3])
        assert runs.load(tmp_path, "november").outcomes.status_of(3) == "accepted"

    asyncio.run(main())


def test_many_calls_at_once_share_commits(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, [str(n) for n in range(200)], endpoint="async/single")
            with mock.patch.object(commits, "write", wraps=commits.write) as write:
                await asyncio.gather(*(sent(journal, outcomes, [position]) for position in range(200)))
            assert write.call_count <= 10
            assert outcomes.counts()["accepted"] == 200

    asyncio.run(main())


def test_an_empty_frame_and_odd_texts_are_written(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, [])
            outcomes = Outcomes(["\ud800"])
            await journal.begin(outcomes, terms())
            await journal.plan(documents(["a"]), [key_of("a")], labels=[[2**70, "\ud800", None, 1.5]])
            await journal.end_plan()
        assert runs.load(tmp_path, "november").frame.labels == [[2**70, "\ud800", None, 1.5]]

    asyncio.run(main())


@given(st.lists(st.integers(0, 60), unique=True))
def test_numbers_are_written_as_unbroken_spans(numbers: list[int]) -> None:
    assert [n for first, last in spans(numbers) for n in range(first, last + 1)] == sorted(numbers)


def test_calls_that_share_a_commit_are_told_apart_after_a_crash(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, TEXTS, endpoint="async/single")
        calls = await asyncio.gather(*[journal.intent([place], "async/single") for place in range(8)])
        for place in (5, 0, 3):
            accept(outcomes, [place])
        outcomes.refused(6, "failed", "invalid", "no", 400)
        notes = [journal.answered(calls[place], outcomes.as_answered([place])) for place in (5, 0, 6, 3)]
        journal.withdraw(calls[1], [1])
        await asyncio.gather(*notes)
        with sqlite3.connect(tmp_path / "november.sqlite") as beside:
            open_calls = beside.execute("SELECT number FROM calls WHERE answered_at IS NULL").fetchall()
            assert [calls.index(number) for (number,) in open_calls] == [2, 4, 7]
        beside.close()
        abandoned(journal)
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert "".join(again.status_of(place)[0] for place in range(10)) == "anuauafunn"
            assert again[5].file_id == "file-5"
            assert [document.position for document in journal.pending()] == [1, 6, 8, 9]
            assert await journal.intent([1], "async/single") not in calls

    asyncio.run(main())


@pytest.mark.parametrize("accepted", [1, 100])
def test_contents_of_accepted_documents_leave_the_file_with_the_acceptance(tmp_path: Path, accepted: int) -> None:
    texts = [f"secret-{number:04}!" for number in range(120)]

    def kept() -> list[int]:
        with sqlite3.connect(tmp_path / "november.sqlite") as beside:
            contents = b"".join(content for (content,) in beside.execute("SELECT content FROM contents"))
        beside.close()
        return [number for number, text in enumerate(texts) if text.encode() in contents]

    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, texts)
        rows = [number for number in range(119) if number != 50][:accepted]
        await sent(journal, outcomes, rows)
        left = [number for number in range(120) if number not in rows]
        assert kept() == left
        abandoned(journal)
        with opened(tmp_path):
            assert kept() == left

    asyncio.run(main())


def test_contents_of_accepted_documents_are_gone_when_the_journal_is_closed(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            await sent(journal, outcomes, [0, 2])
        written = on_disk(tmp_path)
        assert [number for number in range(10) if b'{"text":"row %d"}' % number in written] == [1, *range(3, 10)]

    asyncio.run(main())


@pytest.mark.parametrize("lost", [False, True])
def test_a_call_that_no_worker_sent_is_sent_by_the_next_process_although_it_seemed_lost(
    tmp_path: Path, lost: bool
) -> None:
    async def main() -> None:
        journal = opened(tmp_path, queue=True)
        await planned(journal, ["a", "b", "c"])
        for positions in ([0], [1, 2]):
            await journal.intent(positions, "async/multiple")
        abandoned(journal)
        if lost:  # by a process that knew nothing of the queue
            opened(tmp_path).close()
        with opened(tmp_path, queue=True) as journal:
            journal.go_on()
            (call, positions, ids), _ = journal.reopen(journal.awaited())
            assert (positions, ids) == ([0], [documents(["a"])[0].id])
            # it still waited in the queue, and was taken back
            journal.withdraw(call, positions)
        with opened(tmp_path, queue=True) as journal:
            again = journal.go_on()
            assert [again.status_of(position) for position in range(3)] == ["not_sent", "unknown", "unknown"]
            assert [d.position for d in journal.pending()] == [0]
            assert [rows for _, rows, _ in journal.reopen(journal.awaited())] == [[1, 2]]

    asyncio.run(main())


def test_a_call_whose_loss_is_being_written_down_is_not_awaited_again(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path, queue=True)
        await planned(journal, ["a", "b"])
        await journal.intent([0], "async/multiple")
        abandoned(journal)
        journal = opened(tmp_path, queue=True)
        outcomes = journal.go_on()
        calls = [journal.reopen(journal.awaited())[0][0], await journal.intent([1], "async/multiple")]
        for position, call in enumerate(calls):
            outcomes.refused(position, "unknown", "unknown_outcome", "its worker is gone", None)
            journal.record(call, outcomes.as_answered([position]), lambda _: None)
        assert journal.reopen(journal.awaited()) == []
        await journal.flush()
        abandoned(journal)
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert [again[position].error for position in range(2)] == ["its worker is gone"] * 2
            assert list(journal.pending()) == []

    asyncio.run(main())


def test_a_frame_that_follows_at_once_knows_what_was_noted_of_the_one_before(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b"])
            calls = [await journal.intent([position], "async/single") for position in range(2)]
            accept(outcomes, [0])
            outcomes.refused(1, "failed", "invalid", "no", 400)
            for position, call in enumerate(calls):
                journal.record(call, outcomes.as_answered([position]), lambda _: None)
            outcomes, fresh = await planned(journal, ["a", "b"])
            assert outcomes.status_of(0) == "accepted"
            assert [d.position for d in fresh] == [1]

    asyncio.run(main())


def test_the_pdf_of_the_document_before_does_not_count_for_the_one_to_be_sent_anew(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a", "b"])
            await sent(journal, outcomes, [0, 1])
        with opened(tmp_path) as journal:
            await planned(journal, ["a", "b"], again=[0])
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            journal.look_again()
            assert outcomes.status_of(0) == "accepted"
            for position in range(2):
                outcomes.saved(position, f"pdfs/{position}.pdf")
                journal.saved(position)
            assert [outcomes[position].error_kind for position in range(2)] == ["cancelled", None]
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert [again.status_of(position) for position in range(2)] == ["not_sent", "ready"]
            assert [d.position for d in journal.pending()] == [0]
        shown = runs.load(tmp_path, "november").outcomes
        assert [shown[position].path for position in range(2)] == ["pdfs/0.pdf", "pdfs/1.pdf"]

    asyncio.run(main())


def test_an_outcome_is_written_as_it_was_noted_and_not_as_the_row_looks_afterwards(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a"])
            await sent(journal, outcomes, [0])
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, ["a"], again=[0])
            call = await journal.intent([0], "async/multiple")
            outcomes.refused(0, "not_sent", "cancelled", "the worker was stopped", None)
            journal.record(call, outcomes.as_answered([0]), lambda _: None)
            journal.look_again()
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(0) == "not_sent"
            assert [d.position for d in journal.pending()] == [0]

    asyncio.run(main())


def test_an_intent_that_waits_when_the_journal_is_closed_lets_nothing_be_sent(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        await planned(journal, ["a"])
        intent = asyncio.create_task(journal.intent([0], "async/single"))
        await asyncio.sleep(0)
        journal.close()
        with pytest.raises(JournalError, match="was not sent"):
            await intent

    asyncio.run(main())


def test_contents_stay_when_the_acceptance_cannot_be_written_at_the_end_either(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, ["a", "b"])
        call = await journal.intent([0], "async/single")
        accept(outcomes, [0])
        with full_disk(), pytest.raises(JournalError, match="disk is full"):
            await journal.answered(call, outcomes.as_answered([0]))
        with full_disk():
            journal.close()
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(0) == "unknown"
            assert [d.position for d in journal.pending(unknown=True)] == [0, 1]

    asyncio.run(main())


def test_a_record_that_no_file_takes_does_not_keep_the_run_locked(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, ["a", "b"])
        await sent(journal, outcomes, [0])
        outcomes.saved(0, "pdfs\udcff/INV-0.pdf")
        journal.saved(0)
        with pytest.raises(JournalError, match="surrogates"):
            await journal.flush()
        journal.close()
        with opened(tmp_path) as journal:
            assert journal.go_on().status_of(0) == "accepted"

    asyncio.run(main())


def test_what_a_webhook_drops_leaves_the_disk_whatever_sqlite_is_built_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def sloppy(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, ["Mrs Ito", "Mr Abe"])

    monkeypatch.setattr(sqlite3, "connect", sloppy)
    asyncio.run(main())
    for position in range(2):
        marks.mark_ready(tmp_path, "november", f"{1:04}{position:012}", SYSTEM_CLOCK)
    assert b"Mrs Ito" not in on_disk(tmp_path)
    assert b"Mr Abe" not in on_disk(tmp_path)


def test_records_that_cannot_be_described_stop_the_run_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*values: object) -> None:
        raise ValueError(values)

    async def main() -> None:
        with opened(tmp_path) as journal:
            outcomes, _ = await planned(journal, TEXTS)
            call = await journal.intent([0], "async/single")
            accept(outcomes, [0])
            with monkeypatch.context() as patched:
                patched.setattr("reportflow_pandas.journal.journal.describe", broken)
                with pytest.raises(JournalError, match="cannot be written"):
                    await journal.answered(call, outcomes.as_answered([0]))
            with pytest.raises(JournalError):
                await journal.intent([1], "async/single")
        assert runs.load(tmp_path, "november").outcomes.status_of(0) == "unknown"

    asyncio.run(asyncio.wait_for(main(), 30))
