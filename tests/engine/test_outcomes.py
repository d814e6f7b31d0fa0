from __future__ import annotations

import tracemalloc

import pytest

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED, STATUSES, Outcome, Outcomes

NAMES = ["INV-0", "INV-1", "INV-2"]


def accept(outcomes: Outcomes, position: int, file_name: str | None) -> None:
    """Give a row an answer that calls it so."""
    outcomes.put(
        Outcome(
            position,
            "accepted",
            file_name=file_name,
            file_id=f"file-{position:011d}",
            request_id=f"request-{position // 100:016d}",
            http_status=202,
            accepted_at=1.0,
        )
    )


def test_a_name_is_what_the_service_answered_else_the_planned_one() -> None:
    outcomes = Outcomes(NAMES)
    accept(outcomes, 0, "INV-0.pdf")
    accept(outcomes, 1, "INV-1 (2).pdf")
    accept(outcomes, 2, None)
    assert [outcome.file_name for outcome in outcomes] == ["INV-0.pdf", "INV-1 (2).pdf", "INV-2.pdf"]
    assert outcomes.file_name[:] == ["INV-0.pdf", "INV-1 (2).pdf", None]
    assert outcomes.file_name.others() == {1: "INV-1 (2).pdf"}


def test_each_status_says_whether_the_service_took_the_document() -> None:
    assert sorted(STATUSES) == sorted([*ACCEPTED, *NOT_ACCEPTED])


def test_a_row_forgets_its_name() -> None:
    outcomes = Outcomes(NAMES)
    accept(outcomes, 1, "other.pdf")
    outcomes.forget(1)
    assert outcomes.file_name[1] is None
    assert outcomes[1].file_name == "INV-1.pdf"


def test_the_first_rows_that_failed_are_found() -> None:
    outcomes = Outcomes(NAMES)
    assert outcomes.first_failed(2) == []
    for position in (2, 0):
        outcomes.refused(position, "failed", "invalid", "no", 400)
    assert outcomes.first_failed(1) == [0]
    assert outcomes.first_failed(9) == [0, 2]


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4], [0, 2, 3, 5], [4], []])
def test_many_rows_are_restored_as_each_of_them_alone(rows: list[int]) -> None:
    known = [
        Outcome(0, "accepted", "INV-0.pdf", "https://x.test/0", "f0", "r0", None, None, None, 202, 1, 0.5, 7.0),
        Outcome(1, "ready", "other.pdf", None, "f1", "r0", "/tmp/1.pdf", None, None, 202, 2, 1.5, 8.0),  # noqa: S108
        Outcome(2, "failed", None, None, None, None, None, "invalid", "値が不正", 400, 3, 0.25, None),
        Outcome(3, "unknown", "INV-3.pdf", error_kind="unknown_outcome", error="lost", attempts=1),
        Outcome(4, "not_sent", error_kind="cancelled", error="stopped"),
        Outcome(5, "not_sent"),
    ]
    together, alone = (Outcomes([f"INV-{position}" for position in range(6)]) for _ in range(2))
    for outcomes in (together, alone):
        accept(outcomes, 2, "of before.pdf")  # what a row had before goes
    together.put_all([known[row] for row in rows])
    for row in rows:
        alone.put(known[row])
    assert list(together) == list(alone)
    assert together.counts() == alone.counts()
    assert together.as_answered(range(6)) == alone.as_answered(range(6))


def test_an_accepted_row_takes_two_hundred_bytes_beside_its_planned_name() -> None:
    rows = 5000
    names = [f"INV-{position:012d}" for position in range(rows)]
    request_ids = [f"request-{number:016d}" for number in range(rows // 100)]
    tracemalloc.start()
    try:
        outcomes = Outcomes(names)
        for position, name in enumerate(names):
            accept(outcomes, position, name + ".pdf")
            outcomes.request_id[position] = request_ids[position // 100]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 200 * rows
